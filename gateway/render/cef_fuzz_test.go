package render

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/formats/cef"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// entries are the ways in which a message goes on, the first time and in pairs.
func entries(raw []byte) []stream.Entry {
	e := received(raw)
	return []stream.Entry{e, paired(e)}
}

// lineOf is what the formats tell of an entry.
func lineOf(t testing.TB, e *stream.Entry) *line {
	t.Helper()
	c, err := known()
	if err != nil {
		t.Fatal(err)
	}
	l := new(line)
	l.fill(e, c)
	return l
}

// asCEF is how text comes back from an extension: no control characters but line ends.
func asCEF(s string) string {
	return strings.Map(func(r rune) rune {
		if breaking(r) && r != '\n' && r != '\r' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}

// FuzzAppendRenderedCEF: what is rendered is read back, every value in its own place.
func FuzzAppendRenderedCEF(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, e := range entries(raw) {
			text, err := rendered("cef_rendered", nil, &e, 0)
			if err != nil {
				t.Fatal(err)
			}
			if !oneLine(text) {
				t.Errorf("not one clean line: %q", text)
			}
			got, err := cef.Parse(string(text))
			if err != nil {
				t.Fatalf("Parse(%q): %v", text, err)
			}
			want := lineOf(t, &e).event()
			for _, s := range []*string{&want.Class, &want.Name} {
				*s = strings.NewReplacer("\n", " ", "\r", " ").Replace(asCEF(*s))
			}
			kept := want.Extension[:0]
			for _, field := range want.Extension {
				if field.Value = everyByte(asCEF, field.Value); field.Value != "" {
					kept = append(kept, field)
				}
			}
			want.Extension = kept
			if diff := cmp.Diff(want, got.Unescaped(cef.Standard)); diff != "" {
				t.Errorf("Parse(%q) (-want +got):\n%s", text, diff)
			}
			for _, field := range got.Extension {
				if n := len(field.Text(cef.Standard)); n > longestValue(field.Key)*utf8.UTFMax {
					t.Errorf("%s has %d bytes", field.Key, n)
				}
			}
		}
	})
}

// everyByte applies a change of text to a string of which each byte that isn't UTF-8 counts for itself.
func everyByte(change func(string) string, s string) string {
	var b strings.Builder
	for _, r := range s { // such a byte is U+FFFD here
		b.WriteRune(r)
	}
	return change(b.String())
}

// FuzzAppendOriginalCEF: a message is one clean line of CEF, whatever was in it, and of a service's event
// every byte is there.
func FuzzAppendOriginalCEF(f *testing.F) {
	seeds(f)
	f.Add([]byte("CEF:0|MCAS|SIEM_Agent|0.1|EVENT_CATEGORY_LOGIN|Log on|0|msg=a\tb suser=x"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, e := range entries(raw) {
			text, err := rendered("cef_original", nil, &e, 0)
			if err != nil {
				t.Fatal(err)
			}
			if !oneLine(text) {
				t.Errorf("not one clean line: %q", text)
			}
			if _, err := cef.Parse(string(text)); err != nil {
				t.Fatalf("Parse(%q): %v", text, err)
			}
			enriched, err := rendered("cef", nil, &e, 0)
			if err != nil {
				t.Fatal(err)
			}
			if string(text) == string(enriched) {
				continue
			}
			body, ok := strings.CutPrefix(string(text), "CEF:")
			if !ok || !strings.Contains(string(raw), body) {
				t.Errorf("%q is not in %q", text, raw)
			}
		}
	})
}

// TestCEFOfAnEnvelope: an event that a log shipper put into JSON goes on as the event, and so does one that rsyslog has counted.
func TestCEFOfAnEnvelope(t *testing.T) {
	const event = "CEF:0|MCAS|SIEM_Agent|0.1|ALERT_X|n|3|externalId=73623b1c9f8a7654321fed0c msg=x"
	plain := received([]byte(event))
	want, err := rendered("cef", nil, &plain, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range []string{
		`{"host":"relay","message":"<13>2031-05-06T07:08:08Z h ` + event + `"}`, `@cee: {"message":"` + event + `"}#012`,
		"message repeated 2 times: [ " + event + "]", "message repeated 2 times: [ " + event + "] ", "message repeated 2 times: [" + event + "]#015#012\n",
	} {
		enveloped := plain
		enveloped.Notification.Raw = []byte(raw)
		for _, format := range []string{"cef", "cef_original"} {
			got, err := rendered(format, nil, &enveloped, 0)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("%s of %q: got %q\nwant %q", format, raw, got, want)
			}
		}
	}
}

// TestCEFOfADetectionIsNoEnvelope: who may write for Identity Protection can't have a SIEM shown another service's event.
func TestCEFOfADetectionIsNoEnvelope(t *testing.T) {
	e := received([]byte(`{"id":"d1","riskEventType":"generic","message":"CEF:0|MCAS|SIEM_Agent|0.1|ALERT_X|n|3|externalId=73623b1c9f8a7654321fed0c msg=x"}`))
	for _, format := range []string{"cef", "cef_original"} {
		got, err := rendered(format, nil, &e, 0)
		if want := "CEF:0|Microsoft|Azure AD Identity Protection|"; err != nil || !strings.HasPrefix(string(got), want) {
			t.Errorf("%s: got %q, %v, want %q first", format, got, err, want)
		}
	}
}

func TestOriginalCEF(t *testing.T) {
	const (
		header = "CEF:0|MCAS|SIEM_Agent|0.1|ALERT_X|n|3|externalId=73623b1c9f8a7654321fed0c msg="
		long   = 5000
	)
	tests := []struct {
		name, raw, want string // want is empty where the event is to be as in cef
		change          func(*stream.Entry)
	}{
		{"as written", "<13>1 2031-05-06T07:08:08Z h a - - - " + header + `a\=b c=d |`, header + `a\=b c=d |`, nil},
		{"without its line end", header + "x\r\n\x00", header + "x", nil},
		{"a line end within", header + "x\nCEF:0|a|b|c|d|e|5|", "", nil},
		{"no UTF-8", header + "\xff", "", nil},
		{"an escape sequence", header + "\x1b[2J", "", nil},
		{"a line separator", header + "\u2028", "", nil},
		{"a severity that is none", strings.Replace(header, "|3|", "|x|", 1), "", nil},
		{"of a stranger", "CEF:0|Brew|Kettle|1|c|n|5|msg=x", "", nil},
		{"given back", header + "x", "", func(e *stream.Entry) { e.Kind = stream.Undo }},
		{"too long", header + strings.Repeat("x", long), "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := received([]byte(tt.raw))
			if tt.change != nil {
				tt.change(&e)
			}
			got, err := rendered("cef_original", nil, &e, long)
			if err != nil {
				t.Fatal(err)
			}
			want := tt.want
			if want == "" {
				enriched, err := rendered("cef", nil, &e, long)
				if err != nil {
					t.Fatal(err)
				}
				want = string(enriched)
			}
			if string(got) != want {
				t.Errorf("got %q\nwant %q", got, want)
			}
		})
	}
}
