package cef_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sluice-siem/sluice/formats/cef"
)

func TestParseFields(t *testing.T) {
	const header = "CEF:0|V|P|1|c|n|3|"
	tests := []struct {
		name, extension string
		want            []cef.Field
	}{
		{"none", "", nil},
		{"empty values", "dvc= cs4Label=policyIDs cs4= c6a1=", []cef.Field{{"dvc", ""}, {"cs4Label", "policyIDs"}, {"cs4", ""}, {"c6a1", ""}}},
		{"blank after the equals sign", "app= Samr dhost= name", []cef.Field{{"app", " Samr"}, {"dhost", " name"}}},
		{"unescaped equals sign", "cs1=https://x/?activity.id=eq(1,) cnt=2", []cef.Field{{"cs1", "https://x/?activity.id=eq(1,)"}, {"cnt", "2"}}},
		{"unknown key is text", "msg=a foo=b cnt=2", []cef.Field{{"msg", "a foo=b"}, {"cnt", "2"}}},
		{"first key may be unknown", "foo=b cnt=2", []cef.Field{{"foo", "b"}, {"cnt", "2"}}},
		{"escaped key is text", `msg=a cnt\=2 cnt=3`, []cef.Field{{"msg", `a cnt\=2`}, {"cnt", "3"}}},
		{"key needs a blank before it", "msg=a(cnt=2) src=192.0.2.1", []cef.Field{{"msg", "a(cnt=2)"}, {"src", "192.0.2.1"}}},
		{"repeated", "cnt=1 cnt=2", []cef.Field{{"cnt", "1"}, {"cnt", "2"}}},
		{"labels in quotes", `c6a1Label="Device IPv6 Address" c6a1=::1`, []cef.Field{{"c6a1Label", `"Device IPv6 Address"`}, {"c6a1", "::1"}}},
		{"blanks kept", "  msg=a  b  cnt=2 ", []cef.Field{{"msg", "a  b "}, {"cnt", "2 "}}},
		{"tabs", "\tmsg=a\tb cnt=2\t src=192.0.2.1 \tdst=", []cef.Field{{"msg", "a\tb"}, {"cnt", "2\t"}, {"src", "192.0.2.1 "}, {"dst", ""}}},
		{"cut in a key", "msg=a externalI", []cef.Field{{"msg", "a externalI"}}},
		{"ad namespace", "ad.Task=7 msg=x", []cef.Field{{"ad.Task", "7"}, {"msg", "x"}}},
		{"key of the service", "shost=a shostfqdn=a.b.example", []cef.Field{{"shost", "a"}, {"shostfqdn", "a.b.example"}}},
		{"full names", "externalId=7 startTime=1 message=a cnt=2 b sourceUserName= deviceCustomString1Label=url deviceCustomString1=x", []cef.Field{
			{"externalId", "7"}, {"start", "1"}, {"msg", "a"}, {"cnt", "2 b"}, {"suser", ""}, {"cs1Label", "url"}, {"cs1", "x"},
		}},
		{"full name in a text", "start=1 msg=a sourceUserName=b startTime=2 cnt=3", []cef.Field{
			{"start", "1"}, {"msg", "a sourceUserName=b startTime=2"}, {"cnt", "3"},
		}},
		{"keys in lower case", "externalid=7 start=1 msg=a destinationservicename=b c cs1label=portalurl cs1=x c6a1label= c6a1=", []cef.Field{
			{"externalId", "7"}, {"start", "1"}, {"msg", "a"}, {"destinationServiceName", "b c"}, {"cs1Label", "portalurl"}, {"cs1", "x"}, {"c6a1Label", ""}, {"c6a1", ""},
		}},
		{"keys in lower case in a text", "start=1 msg=a externalid=8 cs1label=url externalId=7", []cef.Field{
			{"start", "1"}, {"msg", "a externalid=8 cs1label=url"}, {"externalId", "7"},
		}},
		{"every value quoted", `start="1" msg="a "b" c" cnt="" `, []cef.Field{{"start", "1"}, {"msg", `a "b" c`}, {"cnt", ""}}},
		{"some values quoted", `start="1" msg="a" cnt=2`, []cef.Field{{"start", `"1"`}, {"msg", `"a"`}, {"cnt", "2"}}},
		{"semicolons between the fields", "start=1;msg=a cnt=2; b,cnt=3;cs1Label=url;cs1=https\\://x/?a=1;", []cef.Field{
			{"start", "1"}, {"msg", "a cnt=2; b,cnt=3"}, {"cs1Label", "url"}, {"cs1", "https\\://x/?a=1"},
		}},
		{"bars and blanks between the fields", "start=2023-03-06T08:58:01.1Z | msg=a | b cnt=2 | cnt= | src=::1", []cef.Field{
			{"start", "2023-03-06T08:58:01.1Z"}, {"msg", "a | b cnt=2"}, {"cnt", ""}, {"src", "::1"},
		}},
		{"commas between the fields", "externalId=7, startTime=1, message=a, b, cnt=2", []cef.Field{{"externalId", "7"}, {"start", "1"}, {"msg", "a, b"}, {"cnt", "2"}}},
		{"tabs as rsyslog writes them", "start=1#011msg=a cnt=2#011src=::1", []cef.Field{{"start", "1"}, {"msg", "a"}, {"cnt", "2"}, {"src", "::1"}}},
		{"semicolons in a text", "start=1 msg=a;cnt=2;externalId=3 cnt=4", []cef.Field{{"start", "1"}, {"msg", "a;cnt=2;externalId=3"}, {"cnt", "4"}}},
		{"semicolons in the first text", "msg=a b;cnt=2 src=::1", []cef.Field{{"msg", "a b;cnt=2"}, {"src", "::1"}}},
		{"a semicolon and no key", "start=1;2 msg=a;cnt=2", []cef.Field{{"start", "1;2"}, {"msg", "a;cnt=2"}}},
		{"a semicolon behind the first field alone", "start=1;app=Dns shost=b cnt=2", []cef.Field{{"start", "1;app=Dns"}, {"shost", "b"}, {"cnt", "2"}}},
		{"semicolons that somebody wrote into the first text", "suser=x;msg=a;cnt=9 externalId=7 cs1Label=url cs1=b", []cef.Field{
			{"suser", "x;msg=a;cnt=9"}, {"externalId", "7"}, {"cs1Label", "url"}, {"cs1", "b"},
		}},
		{"tabs as rsyslog writes them in a text", "suser=x#011msg=a#011cnt=9 externalId=7", []cef.Field{{"suser", "x#011msg=a#011cnt=9"}, {"externalId", "7"}}},
		{"a semicolon between two fields", "start=1; cnt=2", []cef.Field{{"start", "1"}, {"cnt", "2"}}},
		{"text without a key", "nothing here cnt=1", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, err := cef.Parse(header + tt.extension)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, e.Extension); diff != "" && len(tt.want)+len(e.Extension) > 0 {
				t.Errorf("Parse(%q) (-want +got):\n%s", tt.extension, diff)
			}
		})
	}
}

func TestParseHeader(t *testing.T) {
	want := cef.Event{Version: "0", Vendor: "V|x", Product: `P\`, Device: "1", Class: "c", Name: " n ", Severity: "10"}
	for start, version := range map[string]string{"CEF:0": "0", "CEF: 0": "0", "CEF:1": "1", "0": "0", "": ""} {
		got, err := cef.Parse(start + `|V\|x|P\\|1|c| n |10|`)
		want.Version = version
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("start %q: %v (-want +got):\n%s", start, err, diff)
		}
	}
	for text, named := range map[string][3]string{ // name, severity, msg
		"CEF:0|V|P|1|c|HR | Mass download|3|msg=a":    {"HR | Mass download", "3", "a"},
		"CEF:0|V|P|1|c|a|b|c|Very-High|msg=a|5|":      {"a|b|c", "Very-High", "a|5|"},
		"CEF:0|V|P|1|c|Tier|0|3|msg=a":                {"Tier|0", "3", "a"},
		"CEF:0|V|P|1|c|n|3|text | msg=a":              {"n", "3", ""},
		"CEF:0|V|P|1|c|n|unusual|msg=a |5| cnt=1":     {"n", "unusual", "a |5|"},
		"CEF:0|V|P|1|c|n|" + strings.Repeat("x|", 20): {"n", "x", ""},
	} {
		e, err := cef.Parse(text)
		msg := ""
		if len(e.Extension) > 0 {
			msg = e.Extension[0].Value
		}
		if got := [3]string{e.Name, e.Severity, msg}; err != nil || got != named {
			t.Errorf("Parse(%q) = %q, %v, want %q", text, got, err, named)
		}
	}
	for _, text := range []string{"", "LEEF:1.0|a|b|", "CEF", "CEF:", "CEF:0", "start=x", "12|a|b|c|d|e|f|", "{}", "x CEF:0|a|b|c|d|e|f|"} {
		if _, err := cef.Parse(text); !errors.Is(err, cef.ErrNotCEF) {
			t.Errorf("Parse(%q): %v, want ErrNotCEF", text, err)
		}
	}
	for _, text := range []string{"CEF:0|a|b|1", "0|a|b|1|c|n|3", `CEF:0|a|b|1|c|n|3\|x`} {
		var broken *cef.ParseError
		if _, err := cef.Parse(text); !errors.As(err, &broken) || broken.Offset != len(text) {
			t.Errorf("Parse(%q): %v, want a ParseError at %d", text, err, len(text))
		}
	}
}

func TestUnescapeByDialect(t *testing.T) {
	tests := []struct{ in, standard, thin string }{
		{`a\=b\|c\\d`, `a=b|c\d`, `a=b|c\d`},
		{`one\ntwo\r\n`, "one\ntwo\r\n", `one\ntwo\r\n`},
		{`HARBOUR\nadia`, "HARBOUR\nadia", `HARBOUR\nadia`},
		{`lan.test\fake`, `lan.test\fake`, `lan.test\fake`},
		{`https\://x`, `https\://x`, `https\://x`},
		{`end\`, `end\`, `end\`},
	}
	for _, tt := range tests {
		if got := cef.Unescape(tt.in, cef.Standard); got != tt.standard {
			t.Errorf("Unescape(%q, Standard) = %q, want %q", tt.in, got, tt.standard)
		}
		if got := cef.Unescape(tt.in, cef.Thin); got != tt.thin {
			t.Errorf("Unescape(%q, Thin) = %q, want %q", tt.in, got, tt.thin)
		}
	}
}

func TestAppendTextForgesNothing(t *testing.T) {
	e := cef.Event{
		Vendor: "V|0\nCEF:0", Name: `a\|b`, Severity: "3",
		Extension: []cef.Field{{"msg", "x cnt=9\r\nCEF:0|V\x00\x1b\u2028y\xff"}, {"dvc", ""}, {"cnt", "1"}},
	}
	got, err := e.AppendText(nil)
	want := `CEF:0|V\|0 CEF:0||||a\\\|b|3|msg=x cnt\=9\r\nCEF:0|V   y` + "\ufffd cnt=1"
	if err != nil || string(got) != want {
		t.Errorf("AppendText = %q, %v, want %q", got, err, want)
	}
	for _, bad := range []cef.Event{{Version: "0|x"}, {Extension: []cef.Field{{"a b", "c"}}}, {Extension: []cef.Field{{"", "c"}}}} {
		if _, err := bad.AppendText(nil); err == nil {
			t.Errorf("AppendText(%v): no error", bad)
		}
	}
}

func TestTextGivesBackWhatLiesBetween(t *testing.T) {
	const extension = "start=1 msg=a  cnt=2 src=  cs1=x"
	e, err := cef.Parse("CEF:0|V|P|1|c|n|3|" + extension)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := e.Text(1, len(e.Extension)), strings.TrimPrefix(extension, "start=1 msg="); got != want {
		t.Errorf("Text(1, end) = %q, want %q", got, want)
	}
	if got := e.Text(1, 2); got != "a " {
		t.Errorf("Text(1, 2) = %q", got)
	}
}

func TestRank(t *testing.T) {
	for text, want := range map[string]int{"0": 0, " 10": 10, "Medium": 6, "high": 8, "Very-High": 10, "11": -1, "-1": -1, "?": -1, "": -1} {
		got, ok := cef.Event{Severity: text}.Rank()
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("rank of %q = %d, want %d", text, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"CEF:0|MCAS|SIEM_Agent|0.2|EVENT_CATEGORY_LOGIN|Log on|0|externalId=1_a rt=1 msg=Log on suser= cs1=https://x/?activity.id\\=eq(1,) cs4= c6a1Label=\"Device IPv6 Address\" c6a1=",
		`0|Microsoft|Azure ATP|2.1|X|n|5|start=2023-01-01T00:00:00.1234567Z suser=lan.test\fake msg=a\r\nb externalId=1`,
		"CEF:0|MCAS|SIEM_Agent|0.2|c|n|3|externalId=1 startTime=2 message=a sourceUserName= deviceCustomString1=x",
		`CEF:0|MCAS|SIEM_Agent|0.2|c|n|3|externalId="1" start="2" msg="a" suser=""`,
		"|Microsoft|ATA|1|c|n|3|msg=", "CEF:0|V|P|1|c|n|3|\tmsg=a\tb\tcnt=2", "CEF:0|a|b|1|c|n|3", "CEF:0|||||||a=b =c d= =", "|||||||A0=0, cs1=0", "",
	} {
		f.Add(seed)
	}
	separated := regexp.MustCompile(`=[^ =;|,#]* *([;|,]|#011)`) // fields, perhaps, by what their text doesn't have any more
	f.Fuzz(func(t *testing.T, text string) {
		e, err := cef.Parse(text)
		used := cef.Event{Vendor: "v", Extension: []cef.Field{{Key: "act", Value: "x"}, {Key: "src", Value: "y"}}}
		if again := cef.ParseInto(&used, text); (again == nil) != (err == nil) {
			t.Fatalf("Parse(%q) = %v, ParseInto %v", text, err, again)
		}
		if err != nil {
			return
		}
		if diff := cmp.Diff(e, used, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("Parse(%q) and ParseInto (-Parse +ParseInto):\n%s", text, diff)
		}
		total := 0
		for i, field := range e.Extension {
			total += len(field.Key) + len(field.Value) + 1
			if i > 0 && !cef.Known(field.Key) {
				t.Fatalf("unknown key %q", field.Key)
			}
		}
		blanks := strings.NewReplacer("\t", " ")
		asWritten := !separated.MatchString(text) && !strings.Contains(text, `"`) && !strings.Contains(text, "startTime=") &&
			!strings.Contains(text, "sourceUserName=") && !strings.Contains(text, "deviceCustomString1=")
		if n := len(e.Extension); n > 0 && asWritten && !strings.HasSuffix(blanks.Replace(text), blanks.Replace(e.Extension[0].Key+"="+e.Text(0, n))) {
			t.Fatalf("fields don't give the extension back: %q", text)
		}
		once, err := e.Unescaped(cef.Standard).AppendText(nil)
		if err != nil {
			return // a first key that nobody has
		}
		again, err := cef.Parse(string(once))
		if err != nil {
			t.Fatalf("Parse(%q): %v", once, err)
		}
		want, err := again.Unescaped(cef.Standard).AppendText(nil)
		if err != nil || string(want) != string(once) {
			t.Fatalf("written twice: %q, then %q (%v)", once, want, err)
		}
		if strings.ContainsAny(string(once), "\r\n\x00") {
			t.Fatalf("line end in %q", once)
		}
	})
}

func FuzzAppendText(f *testing.F) {
	f.Add("V", "n|x", `a\ cnt=3`, " ", "line\nend\r", "=")
	f.Add("", "", "externalId=1 cs1Label=url", `\`, `\n`, "x\\")
	f.Fuzz(func(t *testing.T, vendor, name, a, b, c, d string) {
		clean := func(s string) string { // what text can be is written as it is
			return strings.Map(func(r rune) rune {
				if r < 0x20 && r != '\n' && r != '\r' || 0x7f <= r && r < 0xa0 || r == '\u2028' || r == '\u2029' {
					return -1
				}
				return r
			}, strings.ToValidUTF8(s, ""))
		}
		line := strings.NewReplacer("\n", "", "\r", "")
		want := cef.Event{Version: "0", Vendor: line.Replace(clean(vendor)), Name: line.Replace(clean(name)), Severity: "5"}
		for i, v := range []string{a, b, c, d} {
			if v = clean(v); v != "" {
				want.Extension = append(want.Extension, cef.Field{Key: [...]string{"msg", "suser", "cnt", "msg"}[i], Value: v})
			}
		}
		text, err := want.AppendText(nil)
		if err != nil {
			t.Fatal(err)
		}
		e, err := cef.Parse(string(text))
		if err != nil {
			t.Fatalf("Parse(%q): %v", text, err)
		}
		got := e.Unescaped(cef.Standard)
		if len(got.Extension) == 0 {
			got.Extension = nil
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("Parse(%q) (-want +got):\n%s", text, diff)
		}
	})
}
