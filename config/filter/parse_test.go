package filter_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config/filter"
)

// one is a filter of one condition.
func one(field string, op filter.Op, values ...string) filter.Filter {
	return filter.Filter{{Field: field, Op: op, Values: values}}
}

func TestParse(t *testing.T) {
	tests := []struct {
		text      string
		want      filter.Filter
		canonical string // where it isn't the text
	}{
		{"", nil, ""},
		{" \t\r\n\u00a0", nil, "-"},
		{"user = alice", one("user", filter.Equals, "alice"), ""},
		{
			`application = "Active Directory" and user contains alice, bob and severity >= medium and ip is set and time >= -7d`,
			filter.Filter{
				{"application", filter.Equals, []string{"Active Directory"}},
				{"user", filter.Contains, []string{"alice", "bob"}},
				{"severity", filter.AtLeast, []string{"medium"}},
				{"ip", filter.Set, nil},
				{"time", filter.AtLeast, []string{"-7d"}},
			},
			"",
		},
		{"a!=b", one("a", filter.NotEquals, "b"), "a != b"},
		{"a>=1", one("a", filter.AtLeast, "1"), "a >= 1"},
		{"a<=1 and b>1 AND c<1", filter.Filter{{"a", filter.AtMost, []string{"1"}}, {"b", filter.Above, []string{"1"}}, {"c", filter.Below, []string{"1"}}}, "a <= 1 and b > 1 and c < 1"},
		{"A Not  Contains\nx,y ,z", one("a", filter.NotContains, "x", "y", "z"), "a not contains x, y, z"},
		{"a starts with x", one("a", filter.StartsWith, "x"), ""},
		{"a not starts with x", one("a", filter.NotStartsWith, "x"), ""},
		{"a matches *@x, y*", one("a", filter.Matches, "*@x", "y*"), ""},
		{"a not matches *", one("a", filter.NotMatches, "*"), ""},
		{"a is not set", one("a", filter.NotSet), ""},
		{"a IS NOT SET", one("a", filter.NotSet), "a is not set"},
		{"a = is", one("a", filter.Equals, "is"), ""},
		{"contains contains contains", one("contains", filter.Contains, "contains"), ""},
		{`a = "and", "AND"`, one("a", filter.Equals, "and", "AND"), ""},
		{`a = "x and y = z"`, one("a", filter.Equals, "x and y = z"), ""},
		{`a = "x, y","" and b = c`, filter.Filter{{"a", filter.Equals, []string{"x, y", ""}}, {"b", filter.Equals, []string{"c"}}}, `a = "x, y", "" and b = c`},
		{`a = "b"and c contains"d"`, filter.Filter{{"a", filter.Equals, []string{"b"}}, {"c", filter.Contains, []string{"d"}}}, "a = b and c contains d"},
		{`user = CONTOSO\anna, anna@contoso.com`, one("user", filter.Equals, `CONTOSO\anna`, "anna@contoso.com"), ""},
		{`user = "CONTOSO\\anna b", "say \"x\""`, one("user", filter.Equals, `CONTOSO\anna b`, `say "x"`), ""},
		{"ip = 10.0.0.0/8, 2001:db8::/32", one("ip", filter.Equals, "10.0.0.0/8", "2001:db8::/32"), ""},
		{"a = Zürich, 東京, 🙂", one("a", filter.Equals, "Zürich", "東京", "🙂"), ""},
		{`a = "\u001b[31m", "x\u000ay\u202E"`, one("a", filter.Equals, "\x1b[31m", "x\ny\u202e"), `a = "\u001b[31m", "x\u000ay\u202e"`},
		{"a = \"x\u202ey\u00a0z\"", one("a", filter.Equals, "x\u202ey\u00a0z"), `a = "x\u202ey\u00a0z"`},
		{"a = \"\U000e0041\"", one("a", filter.Equals, "\U000e0041"), ""},
		{"a\u00a0=\u3000b", one("a", filter.Equals, "b"), "a = b"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, err := filter.Parse(tt.text)
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Fatalf("Parse: %v (-want +got):\n%s", err, diff)
			}
			want := tt.canonical
			switch want {
			case "":
				want = tt.text
			case "-":
				want = ""
			}
			if got.String() != want {
				t.Errorf("String() = %s, want %s", got, want)
			}
		})
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	const operators = "an operator: =, !=, contains, not contains, starts with, not starts with, matches, not matches, is set, is not set, >=, <=, > or <"
	tests := []struct{ text, want string }{
		{"user", "column 5: found the end, expected " + operators},
		{"user like x", `column 6: found "like", expected ` + operators},
		{"user not in x", `column 6: found "not", expected ` + operators},
		{"user is sett", `column 6: found "is", expected ` + operators},
		{"user =", `column 7: found the end, expected a value, which stands in "quotes" where it has other characters than a word`},
		{"user == x", `column 7: found "=", expected a value, which stands in "quotes" where it has other characters than a word`},
		{"user = “x”", `column 8: found "“", expected a value, which stands in "quotes" where it has other characters than a word`},
		{"user = a,", `column 10: found the end, expected a value, which stands in "quotes" where it has other characters than a word`},
		{"user = a, and b = c", `column 11: found "and", expected a value; the word "and" as a value stands in quotes`},
		{"app = Active Directory", `column 14: found "Directory", expected a comma, "and" or the end; a value of several words stands in quotes`},
		{"a = b or c = d", `column 7: found "or", expected a comma, "and" or the end; a value of several words stands in quotes`},
		{"a is set, b", `column 9: found ",", expected "and" or the end`},
		{"a = b and ", "column 11: found the end, expected the name of a field"},
		{"and = b", `column 1: found "and", expected the name of a field`},
		{`"a" = b`, `column 1: found "\"", expected the name of a field`},
		{"1a = b", `column 1: found "1a", expected the name of a field`},
		{"größe = b", `column 1: found "größe", expected the name of a field`},
		{"(a = b)", `column 1: found "(", expected the name of a field`},
		{`a = "b`, "column 5: found a quotation mark that none closes, expected another one at the value's end"},
		{`a = "b\`, `column 7: found a backslash before "", expected \\ for a backslash, \" for a quotation mark, or \u and four hexadecimal digits, not 0000`},
		{`a = "CONTOSO\anna"`, `column 13: found a backslash before "a", expected \\ for a backslash, \" for a quotation mark, or \u and four hexadecimal digits, not 0000`},
		{`a = "\u00"`, `column 6: found a backslash before "u", expected \\ for a backslash, \" for a quotation mark, or \u and four hexadecimal digits, not 0000`},
		{`a = "\u0000"`, `column 6: found a backslash before "u", expected \\ for a backslash, \" for a quotation mark, or \u and four hexadecimal digits, not 0000`},
		{`a = "\ud83d\ude42"`, `column 6: found a backslash before "u", expected \\ for a backslash, \" for a quotation mark, or \u and four hexadecimal digits, not 0000`},
		{"a = \"x\ny\"", `column 7: found the control character U+000A, expected \u000a`},
		{"a = x\x1b[0m", `column 6: found the control character U+001B, expected \u001b in quotes`},
		{"a = \"x\x00\"", `column 7: found the control character U+0000, expected \u0000 in quotes`},
		{"a = ü\xff", "column 7: found the byte 0xff, expected text in UTF-8"},
		{strings.Repeat("x", 70), `column 71: found the end, expected ` + operators},
		{"a " + strings.Repeat("ä", 70), `column 3: found "` + strings.Repeat("ä", 30) + `"…, expected ` + operators},
		{strings.Repeat(" ", 64<<10+1), "found 65537 bytes, expected at most 65536"},
		{"a=" + strings.Repeat("b,", 32<<10-2) + "b", "column 2003: found more than 1000 values, expected no more"},
		{strings.Repeat("a=b and ", 100) + "a=b", "column 797: found more than 100 conditions, expected no more"},
		{`a="` + strings.Repeat("\u00a0", 20<<10) + `"`, "found 122886 bytes, expected at most 65536"},
	}
	for _, tt := range tests {
		t.Run(tt.text[:min(len(tt.text), 30)], func(t *testing.T) {
			_, err := filter.Parse(tt.text)
			if err == nil || err.Error() != tt.want {
				t.Errorf("Parse: %v, want %s", err, tt.want)
			}
		})
	}
}

func TestTheGreatestFilter(t *testing.T) {
	text := strings.Repeat("a = b and ", 99) + "a = " + strings.Repeat("b, ", 900) + "c"
	f, err := filter.Parse(text)
	if err != nil || len(f) != 100 || f.String() != text {
		t.Errorf("Parse = %d conditions, %v; want 100", len(f), err)
	}
}

func fields() []filter.Fields {
	return []filter.Fields{filter.Alerts(), filter.Activities(), filter.Notifications()}
}

// FuzzParse: whatever a text holds, it is a filter that is the same when it is written and read, or an error
// that stands on one line and points into the text. What passed the check passes again, unchanged.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", `application = "Active Directory" and user contains alice, bob and severity >= medium and ip is set and time >= -7d`,
		`ip != 10.0.0.0/8 and text not contains "golden ticket" and drift = yes`, `a = "\u001b\"\\", and`, "user = \xff", "type matches *a*, b\u00a0",
		"first_seen < 2026-11-24T08:00:00Z and app not starts with x and host is not set", "title not matches ***", "a = \"\u2028\"", "A<B",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := filter.Parse(text)
		if err != nil {
			checkError(t, text, err)
			return
		}
		again, err := filter.Parse(parsed.String())
		if diff := cmp.Diff(parsed, again); diff != "" || err != nil {
			t.Fatalf("written as %q and read: %v (-first +second):\n%s", parsed, err, diff)
		}
		if again.String() != parsed.String() || strings.ContainsFunc(parsed.String(), unicode.IsControl) {
			t.Fatalf("written %q, then %q", parsed, again)
		}
		for _, fields := range fields() {
			checked, err := fields.Parse(text)
			if err != nil {
				checkError(t, text, err)
				continue
			}
			again, err := fields.Check(checked)
			if diff := cmp.Diff(checked, again); diff != "" || err != nil {
				t.Fatalf("checked twice: %v (-first +second):\n%s", err, diff)
			}
			checked.Match(time.Unix(1e9, 0), func(string) []string { return []string{text, "10.0.0.1", "high", ""} })
		}
	})
}

func checkError(t *testing.T, text string, err error) {
	t.Helper()
	problem, ok := errors.AsType[*filter.Error](err)
	if !ok || problem.Column < 0 || problem.Column > len(text)+1 || problem.Found == "" || problem.Expected == "" {
		t.Fatalf("%#v, want an error in %d bytes", err, len(text))
	}
	if s := err.Error(); strings.ContainsFunc(s, unicode.IsControl) || !utf8.ValidString(s) || len(s) > 1000 {
		t.Fatalf("an error that can't be shown: %q", s)
	}
}

// TestAnyTextIsAValue: a drill-down makes its filter of what was found, which may be anything.
func TestAnyTextIsAValue(t *testing.T) {
	for r := range rune(unicode.MaxRune + 1) {
		if r == 0 || !utf8.ValidRune(r) || r > 0x3000 && r%97 != 0 { // there are many
			continue
		}
		want := one("a", filter.Equals, string(r), fmt.Sprintf("x%cy", r))
		got, err := filter.Parse(want.String())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%U: %q, %v; want %q", r, got, err, want)
		}
	}
}
