package leef_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sluice-siem/sluice/formats/leef"
)

func TestParse(t *testing.T) {
	event := func(version string, delimiter byte, attributes ...leef.Attribute) leef.Event {
		return leef.Event{Version: version, Vendor: "V", Product: "P", Device: "1", ID: "id", Delimiter: delimiter, Attributes: attributes}
	}
	tests := []struct {
		name, text string
		want       leef.Event
	}{
		{"1.0", "LEEF:1.0|V|P|1|id|sev=5\tmsg=a = b", event("1.0", '\t', leef.Attribute{"sev", "5"}, leef.Attribute{"msg", "a = b"})},
		{"2.0 with a mark", "LEEF:2.0|V|P|1|id|^|sev=5^msg=a\tb", event("2.0", '^', leef.Attribute{"sev", "5"}, leef.Attribute{"msg", "a\tb"})},
		{"2.0 with a number", "LEEF:2.0|V|P|1|id|x5E|sev=5^x=", event("2.0", '^', leef.Attribute{"sev", "5"}, leef.Attribute{"x", ""})},
		{"2.0 with a longer number", "LEEF:2.0|V|P|1|id|0x09|sev=5\tx=1", event("2.0", '\t', leef.Attribute{"sev", "5"}, leef.Attribute{"x", "1"})},
		{"2.0 with an empty field", "LEEF:2.0|V|P|1|id||sev=5\tx=1|2", event("2.0", '\t', leef.Attribute{"sev", "5"}, leef.Attribute{"x", "1|2"})},
		{"2.0 without the field", "LEEF:2.0|V|P|1|id|sev=5\tx=1", event("2.0", '\t', leef.Attribute{"sev", "5"}, leef.Attribute{"x", "1"})},
		{"text without a key", "LEEF:1.0|V|P|1|id|lost\tmsg=a\tb c\tsev=5", event("1.0", '\t', leef.Attribute{"msg", "a\tb c"}, leef.Attribute{"sev", "5"})},
		{"nothing", "LEEF:1.0|V|P|1|id|", event("1.0", '\t')},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := leef.Parse(tt.text)
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Errorf("Parse(%q): %v (-want +got):\n%s", tt.text, err, diff)
			}
		})
	}
	for _, text := range []string{"", "CEF:0|a|b|c|d|e|f|", " LEEF:1.0|a|b|c|d|"} {
		if _, err := leef.Parse(text); !errors.Is(err, leef.ErrNotLEEF) {
			t.Errorf("Parse(%q): %v, want ErrNotLEEF", text, err)
		}
	}
	for _, text := range []string{"LEEF:", "LEEF:1.0|a|b|c|d", "LEEF:3.0|a|b|c|d|", "LEEF:2.0|a|b|c|d|xGG|a=b", "LEEF:2.0|a|b|c|d|ab|a=b", "LEEF:2.0|a|b|c|d|x80|a=b"} {
		if _, err := leef.Parse(text); err == nil || errors.Is(err, leef.ErrNotLEEF) {
			t.Errorf("Parse(%q): %v, want an error of the header", text, err)
		}
	}
}

func TestAppendTextForgesNothing(t *testing.T) {
	e := leef.Event{
		Version: "2.0", Vendor: "V|0\nLEEF:2.0", ID: "a|b\tc", Delimiter: '^',
		Attributes: []leef.Attribute{{"msg", "x^sev=9\r\nLEEF:1.0|V\x00\x1b\u2028y\xff|\t="}, {"src", ""}, {"cat", "1"}},
	}
	got, err := e.AppendText([]byte("before "))
	want := "before LEEF:2.0|V 0 LEEF:2.0|||a b c|^|msg=x sev=9  LEEF:1.0|V   y\ufffd| =^cat=1"
	if err != nil || string(got) != want {
		t.Errorf("AppendText = %q, %v, want %q", got, err, want)
	}
	tabs := leef.Event{Version: "2.0", Attributes: []leef.Attribute{{"a", "1"}, {"b", "2"}}}
	if got, err := tabs.AppendText(nil); err != nil || string(got) != "LEEF:2.0|||||x09|a=1\tb=2" {
		t.Errorf("AppendText = %q, %v", got, err)
	}
	for _, bad := range []leef.Event{
		{Version: "1.1"},
		{Version: "1.0", Delimiter: '^'},
		{Version: "2.0", Delimiter: '|'},
		{Version: "2.0", Delimiter: '='},
		{Version: "2.0", Delimiter: 'a'},
		{Version: "2.0", Delimiter: '\n'},
		{Version: "2.0", Delimiter: 0xff},
		{Version: "1.0", Attributes: []leef.Attribute{{"a b", "c"}}},
		{Version: "1.0", Attributes: []leef.Attribute{{"", "c"}}},
	} {
		if got, err := bad.AppendText([]byte("x")); err == nil || string(got) != "x" {
			t.Errorf("AppendText(%v) = %q, %v; want an error", bad, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"LEEF:1.0|V|P|1|id|sev=5\tmsg=a = b", "LEEF:2.0|V|P|1|id|^|sev=5^msg=a\tb", "LEEF:2.0|V|P|1|id|x09|a=1\tlost", "LEEF:2.0|V|P|1|id||=", "LEEF:"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := leef.Parse(text)
		if err != nil {
			return
		}
		once, err := e.AppendText(nil)
		if err != nil {
			return // a delimiter that nobody writes
		}
		again, err := leef.Parse(string(once))
		if err != nil {
			t.Fatalf("Parse(%q): %v", once, err)
		}
		if twice, err := again.AppendText(nil); err != nil || string(twice) != string(once) {
			t.Fatalf("written twice: %q, then %q (%v)", once, twice, err)
		}
		if strings.ContainsAny(string(once), "\r\n\x00") {
			t.Fatalf("line end in %q", once)
		}
	})
}

// FuzzAppendText: what a value can be comes back, in its own place.
func FuzzAppendText(f *testing.F) {
	f.Add("V", "n|x", "a^ sev=3", " ", "line\nend\r", "=", true)
	f.Add("", "", "a\tcat=1", "|", "LEEF:2.0|", "\xff", false)
	f.Fuzz(func(t *testing.T, vendor, id, a, b, c, d string, tab bool) {
		delimiter := byte('^')
		if tab {
			delimiter = '\t'
		}
		clean := func(s string, special byte) string {
			return strings.Map(func(r rune) rune {
				if r == rune(special) || r < ' ' || 0x7f <= r && r < 0xa0 || r == '\u2028' || r == '\u2029' {
					return ' '
				}
				return r
			}, strings.ToValidUTF8(s, ""))
		}
		in := leef.Event{Version: "2.0", Vendor: strings.ToValidUTF8(vendor, ""), ID: strings.ToValidUTF8(id, ""), Delimiter: delimiter}
		want := leef.Event{Version: "2.0", Vendor: clean(vendor, '|'), ID: clean(id, '|'), Delimiter: delimiter}
		for i, v := range []string{a, b, c, d} {
			key := [...]string{"msg", "usrName", "cat", "msg"}[i]
			in.Attributes = append(in.Attributes, leef.Attribute{Key: key, Value: strings.ToValidUTF8(v, "")})
			if v = clean(v, delimiter); v != "" {
				want.Attributes = append(want.Attributes, leef.Attribute{Key: key, Value: v})
			}
		}
		text, err := in.AppendText(nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := leef.Parse(string(text))
		if err != nil {
			t.Fatalf("Parse(%q): %v", text, err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("Parse(%q) (-want +got):\n%s", text, diff)
		}
	})
}
