package model

import (
	"maps"
	"reflect"
	"strings"
	"testing"

	library "github.com/fxamacker/cbor/v2"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// TestRecords has every field of a line's record be read as it was, and those of the service's that it has elsewhere be
// left out.
func TestRecords(t *testing.T) {
	l := &line{record: record{Spelling: "ida@harbour.example"}}
	a := reflect.ValueOf(&l.Activity).Elem()
	for i := range a.NumField() { // so that a field that is added is written, too
		f := a.Field(i)
		if a.Type().Field(i).Tag.Get("cbor") == "-" {
			continue
		}
		switch f.Interface().(type) {
		case stream.Position:
			f.Set(reflect.ValueOf(stream.Position{Sequence: 1 << 40, Index: 300}))
		case map[string]string:
			f.Set(reflect.ValueOf(map[string]string{"cs9Label": "more", "requestClientApplication": "Mozilla", "targetObjects": "a,b", "policyIDs": strings.Repeat(",", mostValues)}))
		case []string:
			f.Set(reflect.ValueOf([]string{"one", "", "zwei\u00e9"}))
		case bool:
			f.SetBool(true)
		case formats.Severity:
			f.SetUint(uint64(formats.High))
		default:
			f.SetString(a.Type().Field(i).Name)
		}
	}
	l.User = &Named{Spelling: l.Spelling}
	for _, l := range []*line{l, {}, {n: 7, record: record{Activity: Activity{Extra: map[string]string{"policyIDs": "p"}}}}} {
		data, err := l.appendRecord([]byte("before"))
		if err != nil {
			t.Fatal(err)
		}
		want, got := l.record, line{n: l.n}
		if err := got.decode(data[len("before"):]); err != nil {
			t.Fatal(err)
		}
		want.Time, want.Extra = timeOf(l.n), maps.Clone(want.Extra)
		for _, k := range []string{"requestClientApplication", "targetObjects"} {
			delete(want.Extra, k)
		}
		if len(want.Extra["policyIDs"]) < mostValues {
			delete(want.Extra, "policyIDs")
		}
		if len(want.Extra) == 0 {
			want.Extra = nil
		}
		if !reflect.DeepEqual(got.record, want) {
			t.Errorf("%+v is read as\n%+v", want, got.record)
		}
		if err := library.Wellformed(data[len("before"):]); err != nil {
			t.Error(err)
		}
	}
}
