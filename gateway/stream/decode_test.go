package stream

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/cbor"
)

// sameEntry reads an entry by hand and has the library read it, too.
func sameEntry(t *testing.T, d decoder, data []byte) (odd bool) {
	t.Helper()
	var want, got Entry
	rest, wrong := d.library.UnmarshalFirst(data, &want)
	left, err := d.entry(data, &got)
	if (err != nil) != (wrong != nil) || len(left) != len(rest) || err == nil && !reflect.DeepEqual(got, want) {
		t.Fatalf("%x is read as\n%+v, %d bytes left, %v; by the library as\n%+v, %d bytes left, %v", data, got, len(left), err, want, len(rest), wrong)
	}
	i := item{cbor.NewReader(data, d.words)}
	i.entry(new(Entry))
	return i.Odd()
}

func TestEntriesAreReadAsTheLibraryReadsThem(t *testing.T) {
	all := []*Entry{{}, entry(7)}
	for seed := range uint64(300) {
		all = append(all, dice{rand.New(rand.NewPCG(seed, 3)), []byte("x")}.entry())
	}
	for _, e := range all {
		data, err := appendEntry(nil, e)
		if err != nil {
			t.Fatal(err)
		}
		if sameEntry(t, newDecoder(), append(data, "what comes after it"...)) {
			t.Errorf("%+v is left to the library", e)
		}
	}
}

// TestOddEntries has each byte of entries be wrong, and each end come early.
func TestOddEntries(t *testing.T) {
	whole := entry(8)
	whole.Notification.Raw, whole.Notification.Message, whole.Notification.Count = nil, "m", -1
	whole.Twins = []dedup.Sighting{{Service: formats.CloudAppSecurity, ID: "7", First: whole.Time, Count: 1000}}
	whole.Part = &dedup.Part{Index: 300}
	whole.Said = []formats.Notification{{Title: "it", Addresses: []string{"198.51.100.7"}}}
	whole.Act = &Act{By: "ida", Verb: "close", Args: []byte("{}"), Scope: "box"}
	whole.Match.Evidence = []dedup.Evidence{{What: "device", How: "the same", Points: -70}}
	whole.Match.RunnerUp = &dedup.Candidate{Alert: "a", Points: 70000, Why: "late"}
	d := newDecoder()
	for _, e := range []*Entry{entry(7), whole} {
		data, err := appendEntry(nil, e)
		if err != nil {
			t.Fatal(err)
		}
		for i := range data {
			sameEntry(t, d, data[:i])
			for _, with := range []byte{data[i] + 1, data[i] ^ 0x20, 0xbb, 0xff} {
				odd := append([]byte{}, data...)
				odd[i] = with
				sameEntry(t, d, odd)
			}
		}
	}
}

func FuzzReadEntry(f *testing.F) {
	for seed := range uint64(20) {
		data, err := appendEntry(nil, dice{rand.New(rand.NewPCG(seed, 5)), []byte("x")}.entry())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { sameEntry(t, newDecoder(), data) })
}

func BenchmarkDecode(b *testing.B) {
	data, err := appendEntry(nil, entry(7))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		d := newDecoder()
		for b.Loop() {
			if _, err := d.entry(data, new(Entry)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("library", func(b *testing.B) {
		b.ReportAllocs()
		mode := decoding()
		for b.Loop() {
			if _, err := mode.UnmarshalFirst(data, new(Entry)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
