package stream

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
)

func TestEntriesSurviveEncoding(t *testing.T) {
	zone := time.FixedZone("", 5*3600+1800)
	tests := map[string]*Entry{
		"an alert":      entry(1),
		"nothing":       {},
		"a link":        {Kind: Link, Key: "k", Twins: []dedup.Sighting{{Service: formats.CloudAppSecurity, ID: "1f", Count: 2}}},
		"not UTF-8":     {Input: "caf\xe9", Notification: formats.Notification{Message: "\xff\xfe", Extra: map[string]string{"\x80": "\xc3("}}},
		"control bytes": {Notification: formats.Notification{Raw: []byte("\x00\r\n<1>"), Title: "a\x00b\nc"}},
		"nanoseconds":   {Time: time.Date(2026, 1, 1, 0, 0, 0, 1, time.UTC)},
		"early and late": {Notification: formats.Notification{
			Start: time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC), End: time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
		}},
		"a zone":   {Time: time.Date(2026, 1, 1, 0, 0, 0, 0, zone)},
		"an act":   {Kind: Acted, Act: &Act{By: "ida", Verb: "close", Args: []byte(`{"why":"benign"}`)}},
		"no more":  {Kind: Acted, Act: &Act{By: "ida", Verb: "read"}},
		"evidence": {Match: dedup.Match{Evidence: make([]dedup.Evidence, 3), RunnerUp: &dedup.Candidate{Why: "later"}}},
	}
	for name, e := range tests {
		t.Run(name, func(t *testing.T) {
			b := batchOf(t, []*Entry{e})
			data := append([]byte(nil), b.seal(41)...)
			m, err := decode(raw{sequence: 7, data: data})
			if err != nil {
				t.Fatalf("decode: %v", err)
			}
			want := *e
			want.At, want.Time = Position{7, 0}, e.Time.UTC()
			if d := cmp.Diff([]*Entry{&want}, m.Entries); d != "" {
				t.Errorf("entry differs (-want +got):\n%s", d)
			}
			if m.Before != 41 {
				t.Errorf("Before = %d, want 41", m.Before)
			}
			if again := batchOf(t, []*Entry{e}).seal(41); string(again) != string(data) {
				t.Error("encoding the same entry again gave other bytes")
			}
		})
	}
}

// What a hostile message may make of one entry: more elements than the decoder allows by default.
func TestWhatCanBeEncodedCanBeDecoded(t *testing.T) {
	want := make([]string, 140000)
	m, err := decode(raw{data: batchOf(t, []*Entry{{Notification: formats.Notification{Addresses: want}}}).seal(0)})
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	if got := m.Entries[0].Notification.Addresses; !slices.Equal(got, want) {
		t.Errorf("%d addresses are read, want %d", len(got), len(want))
	}
}

func TestABatchEndsAtItsLimits(t *testing.T) {
	large := func(n int) *Entry { return &Entry{Notification: formats.Notification{Raw: make([]byte, n)}} }
	fill := func(e *Entry) *Batch {
		b := new(Batch)
		for !b.Full() {
			if ok, err := b.Add(e); !ok || err != nil {
				t.Fatalf("Add to a batch that isn't full = %v, %v", ok, err)
			}
		}
		return b
	}
	if b := fill(large(10)); b.Len() != MaxEntries {
		t.Errorf("small entries: full at %d, want %d", b.Len(), MaxEntries)
	}
	b := fill(large(100 << 10))
	if b.Size() < MaxBytes || b.Size() > MaxBytes+101<<10 {
		t.Errorf("large entries: full at %d bytes, want a little over %d", b.Size(), MaxBytes)
	}
	size, n := b.Size(), b.Len()
	if ok, err := b.Add(large(600 << 10)); ok || err != nil || b.Size() != size || b.Len() != n {
		t.Errorf("Add of what doesn't fit = %v, %v, %d bytes, %d entries; want no change", ok, err, b.Size(), b.Len())
	}
	if _, err := b.Add(large(MaxEntry)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Add of an entry over the limit = %v, want ErrTooLarge", err)
	}
	// just below the limit when the largest entry that is promised a place comes
	b = new(Batch)
	for b.Size() < MaxBytes-10<<10 {
		if ok, err := b.Add(large(5 << 10)); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if ok, err := b.Add(large(446 << 10)); !ok || err != nil {
		t.Errorf("Add of the largest ordinary entry = %v, %v, want it added", ok, err)
	}
	s := openStream(t, Options{Dir: t.TempDir()})
	if _, err := s.Append(t.Context(), b); err != nil {
		t.Errorf("Append of the largest batch: %v", err)
	}
}

func TestAnEntryThatCannotBeEncodedLeavesTheBatchAlone(t *testing.T) {
	b := batchOf(t, entries(0, 2))
	size := b.Size()
	e := entry(2)
	e.Notification.Start = time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC)
	if ok, err := b.Add(e); ok || err == nil {
		t.Errorf("Add of the year 12345 = %v, %v, want an error", ok, err)
	}
	if b.Size() != size || b.Len() != 2 {
		t.Errorf("the batch has %d bytes, %d entries, want %d, 2", b.Size(), b.Len(), size)
	}
}

func TestForeignMessagesAreRefused(t *testing.T) {
	good := append([]byte(nil), batchOf(t, entries(0, 2)).seal(0)...)
	change := func(i int, v byte) []byte {
		out := append([]byte(nil), good...)
		out[i] = v
		return out
	}
	tests := map[string][]byte{
		"empty":           nil,
		"short":           good[:headLen-1],
		"newer":           change(0, 3),
		"taken for plain": change(0, formatPlain),
		"endless":         append(append([]byte(nil), good[:headLen]...), 0xff, 0xff, 0xff, 0xff, 0x0f, 0),
		"too many":        change(9, 0xff),
		"one more":        change(12, 3),
		"one less":        change(12, 1),
		"cut":             good[:len(good)-1],
		"damaged":         change(headLen, 0xff),
		"trailing":        append(append([]byte(nil), good...), 0),
		"only its length": change(headLen, 0xbb),
	}
	for name, data := range tests {
		if _, err := decode(raw{sequence: 1, data: data}); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: decode = %v, want ErrFormat", name, err)
		}
	}
	_, err := decode(raw{sequence: 5, data: change(0, 3)})
	if want := "message 5 has format 3, this program knows 2"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("decode of a newer message = %v, want %q", err, want)
	}
}

// TestPlainMessagesAreRead: what was stored before messages were packed.
func TestPlainMessagesAreRead(t *testing.T) {
	b := batchOf(t, entries(0, 20))
	packed := b.seal(7)
	plain := slices.Concat(packed[:headLen], b.buf)
	plain[0] = formatPlain
	if len(packed) > len(plain)/2 {
		t.Errorf("%d bytes are packed into %d", len(plain), len(packed))
	}
	want, err := decode(raw{sequence: 3, data: packed})
	if err != nil {
		t.Fatal(err)
	}
	got, err := decode(raw{sequence: 3, data: plain})
	if err != nil {
		t.Fatal(err)
	}
	got.Hash = want.Hash // each is of its own bytes
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("packed and plain differ (-packed +plain):\n%s", d)
	}
}

func FuzzDecode(f *testing.F) {
	b := new(Batch)
	if _, err := b.Add(&Entry{Kind: Link, Key: "k", Time: time.Unix(1, 2).UTC()}); err != nil {
		f.Fatal(err)
	}
	f.Add(append([]byte(nil), b.seal(3)...))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = decode(raw{sequence: 1, data: data})
	})
}
