package stream

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/policy"
)

// byLibrary is the encoding that ours must equal to the byte.
func byLibrary(tb testing.TB) cbor.EncMode {
	tb.Helper()
	o := cbor.CoreDetEncOptions()
	o.Time = cbor.TimeRFC3339NanoUTC
	mode, err := o.EncMode()
	if err != nil {
		tb.Fatal(err)
	}
	return mode
}

// dice makes entries of every shape: each field may be empty, short or long.
type dice struct {
	*rand.Rand
	text []byte // to be found among what is written
}

func (d dice) n(most int) int { return d.IntN(most + 1) }

func (d dice) string() string {
	switch d.n(4) {
	case 0:
		return ""
	case 1:
		return string(d.text)
	}
	b := make([]byte, d.n(300))
	for i := range b {
		b[i] = byte(d.Uint32())
	}
	return string(b)
}

func (d dice) bytes() []byte {
	if d.n(3) == 0 {
		return nil
	}
	return bytes.Repeat([]byte(d.string()), 1+d.n(1)*d.n(300))
}

func (d dice) int() int {
	n := int(d.Uint64() >> d.n(63))
	if d.n(3) == 0 {
		return -n
	}
	return n
}

func (d dice) time() time.Time {
	switch d.n(5) {
	case 0:
		return time.Time{}
	case 1:
		return time.Unix(d.Int64N(1<<31), 0).In(time.FixedZone("", d.n(50000)-25000))
	case 2:
		return time.Unix(d.Int64N(1<<31), d.Int64N(1e3)*1e6)
	case 3:
		return time.Date(d.n(9999), 1, 1, d.n(23), 0, 0, d.n(999999999), time.UTC)
	}
	return time.Unix(d.Int64N(1<<31), d.Int64N(1e9))
}

func some[T any](d dice, one func() T) []T {
	var out []T
	for range d.n(1) * d.n(30) {
		out = append(out, one())
	}
	return out
}

func (d dice) service() formats.Service { return formats.Service(d.string()) }

func (d dice) entity() formats.Entity { return formats.Entity{Name: d.string(), Key: d.string()} }

func (d dice) entry() *Entry {
	e := &Entry{
		Kind: Kind(d.string()), Time: d.time(), Key: dedup.EventKey(d.string()), Input: d.string(),
		Notification: formats.Notification{
			Service: d.service(), Kind: formats.Kind(d.string()), Channel: d.string(), Origin: d.service(), ID: d.string(),
			Type: d.string(), Class: d.string(), Title: d.string(), Severity: formats.Severity(d.n(255)),
			Accounts: some(d, d.entity), Devices: some(d, d.entity), Addresses: some(d, d.string), App: d.string(),
			URL: d.string(), Message: d.string(), Start: d.time(), End: d.time(), Raised: d.time(), Sent: d.time(),
			Arrived: d.time(), Update: d.n(1) == 1, Count: d.int(), Truncated: d.n(1) == 1, Parsed: d.n(1) == 1,
			Payload: d.int(), Raw: d.bytes(), Claims: d.service(),
		},
		Match: dedup.Match{
			Alert: dedup.AlertID(d.string()), Relation: dedup.Relation(d.string()), Type: d.string(),
			Evidence: some(d, func() dedup.Evidence { return dedup.Evidence{What: d.string(), How: d.string(), Points: d.int()} }),
			Of:       dedup.EventKey(d.string()), Points: d.int(), Undoes: dedup.EventKey(d.string()), From: dedup.AlertID(d.string()),
		},
		Decision: policy.Decision{
			Action: dedup.Action(d.string()), Reason: policy.Reason(d.string()), Rule: d.string(), ManagedIn: d.service(),
			Until: d.time(), StandsFor: dedup.EventKey(d.string()), Would: dedup.Action(d.string()),
		},
		Twins: some(d, func() dedup.Sighting {
			return dedup.Sighting{
				Service: d.service(), Channel: d.string(), ID: d.string(), URL: d.string(), Key: dedup.EventKey(d.string()),
				First: d.time(), Last: d.time(), Count: d.int(),
			}
		}),
	}
	e.Said = some(d, func() formats.Notification {
		return formats.Notification{Service: d.service(), Title: d.string(), Accounts: some(d, d.entity), App: d.string()}
	})
	copy(e.Notification.Content[:], d.string())
	for range d.n(1) * d.n(40) {
		if e.Notification.Extra == nil {
			e.Notification.Extra = map[string]string{}
		}
		e.Notification.Extra[d.string()] = d.string()
	}
	if d.n(1) == 1 {
		e.Match.RunnerUp = &dedup.Candidate{Alert: dedup.AlertID(d.string()), Points: d.int(), Why: d.string()}
	}
	if d.n(1) == 1 {
		e.Part = &dedup.Part{Of: [16]byte(d.bytesOf(16)), Index: d.int(), Body: [16]byte(d.bytesOf(16))}
	}
	if d.n(1) == 1 {
		e.Act = &Act{By: d.string(), Verb: d.string(), Args: d.bytes(), Scope: d.string()}
	}
	return e
}

func (d dice) bytesOf(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(d.Uint32())
	}
	return b
}

func sameBytes(t *testing.T, mode cbor.EncMode, e *Entry) {
	t.Helper()
	want, err := mode.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	got, err := appendEntry([]byte("before"), e)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, append([]byte("before"), want...)) {
		t.Fatalf("%+v is written as\n%x, by the library as\n%x", e, got[len("before"):], want)
	}
}

func TestEntriesAreWrittenAsTheLibraryWritesThem(t *testing.T) {
	mode := byLibrary(t)
	sameBytes(t, mode, &Entry{})
	sameBytes(t, mode, entry(7))
	for seed := range uint64(300) {
		sameBytes(t, mode, dice{rand.New(rand.NewPCG(seed, 1)), []byte("x")}.entry())
	}
}

// TestEntriesOfEveryShape fails when a field was added that the dice know nothing of, and so neither do the tests of
// what is written and read by hand.
func TestEntriesOfEveryShape(t *testing.T) {
	missing := map[string]bool{}
	var note func(path string, v reflect.Value)
	note = func(path string, v reflect.Value) {
		if _, known := missing[path]; !known || !v.IsZero() {
			missing[path] = v.IsZero()
		}
		switch {
		case v.Kind() == reflect.Pointer && !v.IsNil():
			note(path, v.Elem())
		case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
			for i := range v.Len() {
				note(path+"[]", v.Index(i))
			}
		case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]():
			for i := range v.NumField() {
				if f := v.Type().Field(i); f.Tag.Get("cbor") != "-" {
					note(path+"."+f.Name, v.Field(i))
				}
			}
		}
	}
	for seed := range uint64(300) {
		note("entry", reflect.ValueOf(dice{rand.New(rand.NewPCG(seed, 1)), []byte("x")}.entry()).Elem())
	}
	for path, is := range missing {
		// Said has only what a target's filter may ask for.
		if is && !strings.HasPrefix(path, "entry.Said[].") {
			t.Errorf("%s is never set", path)
		}
	}
}

func FuzzEncode(f *testing.F) {
	mode := byLibrary(f)
	f.Add(uint64(1), []byte("a text"))
	f.Fuzz(func(t *testing.T, seed uint64, text []byte) {
		sameBytes(t, mode, dice{rand.New(rand.NewPCG(seed, 2)), text}.entry())
	})
}

func BenchmarkEncode(b *testing.B) {
	mode, e := byLibrary(b), entry(7)
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			var err error
			if buf, err = appendEntry(buf[:0], e); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("library", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := mode.Marshal(e); err != nil {
				b.Fatal(err)
			}
		}
	})
}
