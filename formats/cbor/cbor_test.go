package cbor_test

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	library "github.com/fxamacker/cbor/v2"

	"github.com/sluice-siem/sluice/formats/cbor"
)

// all has what a Writer can write.
type all struct {
	Text   string            `cbor:"1,keyasint"`
	None   string            `cbor:"2,keyasint,omitempty"`
	Number int               `cbor:"3,keyasint"`
	Time   time.Time         `cbor:"4,keyasint"`
	Moment time.Time         `cbor:"5,keyasint,omitzero"`
	Bytes  []byte            `cbor:"6,keyasint"`
	Texts  []string          `cbor:"7,keyasint,omitempty"`
	Fields map[string]string `cbor:"8,keyasint,omitempty"`
	Yes    bool              `cbor:"9,keyasint,omitempty"`
	Inner  *inner            `cbor:"10,keyasint,omitempty"`
	Named  map[string]uint64 `cbor:"24,keyasint,omitempty"`
	Last   int               `cbor:"300,keyasint,omitempty"` // never set: a Writer has keys below 256
}

type inner struct {
	Digest [16]byte `cbor:"1,keyasint"`
	Number int      `cbor:"30,keyasint,omitempty"`
}

func write(a *all) ([]byte, error) {
	w := cbor.NewWriter(nil)
	w.Open()
	w.Text(1, a.Text)
	w.Optional(2, a.None)
	w.Integer(3, a.Number)
	w.Time(4, a.Time)
	w.Moment(5, a.Moment)
	w.Bytes(6, a.Bytes)
	w.Texts(7, a.Texts)
	w.Fields(8, a.Fields, nil)
	w.Yes(9, a.Yes)
	if a.Inner != nil {
		w.Key(10)
		w.Open()
		w.Bytes(1, a.Inner.Digest[:])
		w.Number(30, a.Inner.Number)
		w.Close()
	}
	if len(a.Named) > 0 {
		w.Named(24, cbor.Named{Name: "a", Number: a.Named["a"]}, cbor.Named{Name: "bb", Number: a.Named["bb"]})
	}
	w.Close()
	return w.Done()
}

func read(data []byte) (a all, odd bool) {
	r := cbor.NewReader(data, map[string]string{})
	for k := range r.Fields {
		switch k {
		case 1:
			a.Text = r.Text()
		case 2:
			a.None = r.Word()
		case 3:
			a.Number = r.Integer()
		case 4:
			a.Time = r.Time()
		case 5:
			a.Moment = r.Time()
		case 6:
			a.Bytes = r.Within()
		case 7:
			for n := r.Array(); n > 0 && !r.Odd(); n-- {
				a.Texts = append(a.Texts, r.Word())
			}
		case 8:
			a.Fields = r.Texts()
		case 9:
			a.Yes = r.Yes()
		case 10:
			a.Inner = new(inner)
			for k := range r.Fields {
				switch k {
				case 1:
					r.Fixed(a.Inner.Digest[:])
				case 30:
					a.Inner.Number = r.Number(-1000, 1000)
				default:
					r.Reject()
				}
			}
		default:
			r.Reject()
		}
	}
	return a, r.Odd() || len(r.Rest()) > 0
}

func examples() []all {
	long := strings.Repeat("long", 100)
	out := []all{
		{},
		{Text: "t", None: long},
		{Time: time.Unix(1, 2).UTC(), Moment: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), Bytes: []byte{}},
		{Bytes: bytes.Repeat([]byte("b"), 70_000), Texts: []string{"", long, "t", "t"}},
		{Fields: map[string]string{"b": "1", "aa": "", "a": "x", "": "y", long: long}, Yes: true, Inner: &inner{Digest: [16]byte{1}, Number: -7}},
		{Texts: make([]string, 30)},
	}
	for _, n := range []int{23, 24, 255, 256, -1, -24, -25, -257, 1 << 16, 1 << 32, math.MaxInt, math.MinInt} {
		out = append(out, all{Number: n})
	}
	return out
}

func TestAsTheLibrary(t *testing.T) {
	o := library.CoreDetEncOptions()
	o.Time = library.TimeRFC3339NanoUTC
	mode, err := o.EncMode()
	if err != nil {
		t.Fatal(err)
	}
	named := all{Named: map[string]uint64{"a": 1, "bb": 1 << 40}}
	for _, a := range append(examples(), named) {
		want, err := mode.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		data, err := write(&a)
		if err != nil || !bytes.Equal(data, want) {
			t.Errorf("%+v is written as\n%x, %v, by the library as\n%x", a, data, err, want)
		}
		if len(a.Named) > 0 {
			continue // nobody reads these
		}
		if got, odd := read(data); odd || !reflect.DeepEqual(got, a) {
			t.Errorf("%+v is read as %+v, odd %v", a, got, odd)
		}
	}
	if _, err := write(&all{Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}); err == nil {
		t.Error("the year 10000 is written")
	}
}

// FuzzRead: what isn't odd is what the library reads, and nothing makes it crash or take more than there is.
func FuzzRead(f *testing.F) {
	for _, a := range examples() {
		data, err := write(&a)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, odd := range []string{
		"", "\xa1", "\xbf\xff", "\xa1\x01\x5f\xff", "\xa2\x01\x60\x01\x60", "\xa2\x02\x60\x01\x60", "\xa1\x07\x9b\xff\xff\xff\xff\xff\xff\xff\xff", "\xa1\x08\xbb\x00\x00\x00\x01\x00\x00\x00\x00",
		"\xa1\x01\x7b\xff\xff\xff\xff\xff\xff\xff\xff", "\xa1\x04\x61Z", "\xa1\x08\xa2\x61a\x60\x61a\x60", "\xa1\x0a\xa1\x01\x41x", "\xa1\x0a\xa1\x18\x1e\x19\x03\xe9",
	} {
		f.Add([]byte(odd))
	}
	mode, err := library.DecOptions{UTF8: library.UTF8DecodeInvalid}.DecMode()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, odd := read(data)
		if odd {
			return
		}
		var want all
		if err := mode.Unmarshal(data, &want); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%x is read as\n%+v, by the library as\n%+v, %v", data, got, want, err)
		}
	})
}
