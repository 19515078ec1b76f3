package stream

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// cursorAt makes a stream of n messages with two entries each and a reader that has committed the
// first entry of message at, then closes both.
func cursorAt(t *testing.T, o Options, n, at int) {
	t.Helper()
	s := openStream(t, o)
	r := openReader(t, s, "siem", Oldest)
	for i := range n {
		appendEntries(t, s, 2*i, 2)
	}
	commit(t, r, next(t, r, 2*at-1, 512)[2*at-2].At)
	closeStream(t, s)
}

// firstKey opens the stream and says what the reader gets first, and whether it was warned of.
func firstKey(t *testing.T, o Options) (string, bool) {
	t.Helper()
	w := &warnings{}
	o.Log = slog.New(w)
	s := openStream(t, o)
	r := openReader(t, s, "siem", Oldest)
	key := keys(next(t, r, 1, 1))[0]
	closeStream(t, s)
	return key, w.has("delivered twice")
}

func TestADamagedCursorCostsDuplicatesNotEntries(t *testing.T) {
	tests := []struct {
		name   string
		damage func(data []byte) []byte
		want   string
		warned bool
	}{
		{"untouched", func(d []byte) []byte { return d }, "0005", false},
		{"empty", func([]byte) []byte { return nil }, "0000", true},
		{"garbage", func([]byte) []byte { return []byte("{\"at\":{\"sequence\":3}}") }, "0000", true},
		{"the newer record is torn", func(d []byte) []byte { d[slotSize+100] ^= 1; return d }, "0000", false},
		{"both are torn", func(d []byte) []byte { d[100] ^= 1; d[slotSize+100] ^= 1; return d }, "0000", true},
		{"cut after the first record", func(d []byte) []byte { return d[:slotSize+10] }, "0000", false},
		{"zeroes", func(d []byte) []byte { return make([]byte, len(d)) }, "0000", true},
		{"a newer format", func([]byte) []byte {
			slot, _ := formatSlot(record{Format: 2, mark: mark{At: Position{3, 1}}})
			return slot
		}, "0000", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := Options{Dir: t.TempDir()}
			cursorAt(t, o, 4, 3)
			path := filepath.Join(o.Dir, "cursors", "siem.cursor")
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, test.damage(data), 0o600); err != nil {
				t.Fatal(err)
			}
			got, warned := firstKey(t, o)
			if got != test.want || warned != test.warned {
				t.Errorf("goes on with %s, warned %v; want %s, %v", got, warned, test.want, test.warned)
			}
		})
	}
}

func TestACursorAheadOfTheStreamIsPulledBack(t *testing.T) {
	dir, cursors := t.TempDir(), t.TempDir()
	cursorAt(t, Options{Dir: dir, Cursors: cursors}, 4, 3)
	shorter := Options{Dir: t.TempDir(), Cursors: cursors}
	s := openStream(t, shorter)
	appendEntries(t, s, 0, 2)
	closeStream(t, s)
	if got, warned := firstKey(t, shorter); got != "0000" || !warned {
		t.Errorf("goes on with %s, warned %v; want 0000, true", got, warned)
	}
	if got, warned := firstKey(t, shorter); got != "0000" || warned {
		t.Errorf("the second time goes on with %s, warned %v; want 0000, false", got, warned)
	}
}

func TestACursorOnAnotherMessageIsPulledBack(t *testing.T) {
	cursors := t.TempDir()
	cursorAt(t, Options{Dir: t.TempDir(), Cursors: cursors}, 4, 3)
	other := Options{Dir: t.TempDir(), Cursors: cursors}
	s := openStream(t, other)
	for i := range 5 {
		appendEntries(t, s, 100+i, 1)
	}
	closeStream(t, s)
	if got, warned := firstKey(t, other); got != "0064" && got != "0100" || !warned {
		t.Errorf("goes on with %s, warned %v; want the oldest, true", got, warned)
	}
}

func TestACursorGoesBackToWhatItCanProve(t *testing.T) {
	cursors := t.TempDir()
	s := openStream(t, Options{Dir: t.TempDir(), Cursors: cursors})
	r := openReader(t, s, "siem", Oldest)
	now := time.Now()
	for i := range 40 {
		appendEntries(t, s, i, 1)
		got := next(t, r, 1, 1)
		r.mu.Lock() // as Commit does, half a minute apart
		err := r.cursor.move(mark{At: got[0].At, Hash: r.out[0].hash, Total: uint64(i) + 1}, now.Add(time.Duration(i)*trailPause))
		r.out = nil
		r.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
	}
	closeStream(t, s)
	// the stream lost the end it had from message 35 on and grew another one
	shorter := Options{Dir: t.TempDir(), Cursors: cursors}
	s = openStream(t, shorter)
	for i := range 34 {
		appendEntries(t, s, i, 1)
	}
	for i := range 20 {
		appendEntries(t, s, 500+i, 1)
	}
	closeStream(t, s)
	if got, warned := firstKey(t, shorter); got != fmt.Sprintf("%04x", 500) || !warned {
		t.Errorf("goes on with %s, warned %v; want the first entry of the new end, true", got, warned)
	}
}

func TestTheLargestRecordFits(t *testing.T) {
	huge := mark{At: Position{1<<64 - 1, MaxEntries}, Total: 1<<64 - 1}
	name := make([]byte, 500)
	for i := range name {
		name[i] = 'x'
	}
	r := record{Format: 1, Number: 1<<64 - 1, Name: string(name), mark: huge}
	for range trailLength {
		r.Trail = append(r.Trail, huge)
	}
	slot, err := formatSlot(r)
	if err != nil || len(slot) != slotSize {
		t.Fatalf("formatSlot = %d bytes, %v", len(slot), err)
	}
	got, ok := parseSlot(slot)
	if d := cmp.Diff(r, got, cmp.AllowUnexported(record{})); d != "" || !ok {
		t.Errorf("parseSlot = %v, differs (-want +got):\n%s", ok, d)
	}
}

func TestALoadWithoutAFile(t *testing.T) {
	if _, err := loadCursor(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("loadCursor = %v, want ErrNotExist", err)
	}
}

func FuzzParseSlot(f *testing.F) {
	slot, err := formatSlot(record{Format: 1, Name: "siem"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(slot[8:])
	f.Fuzz(func(_ *testing.T, body []byte) {
		parseSlot(append([]byte(checksum(body)), body...))
	})
}
