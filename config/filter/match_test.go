package filter_test

import (
	"math/rand/v2"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sluice-siem/sluice/config/filter"
)

func now() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }

func TestMatch(t *testing.T) {
	alert := map[string][]string{
		"title":       {"Suspected Golden Ticket usage (encryption downgrade)"},
		"severity":    {"medium"},
		"user":        {`HARBOUR\Ines`, "ines@harbour.example"},
		"ip":          {"10.1.2.3", "::ffff:192.0.2.7", "fe80::1%eth0", "unknown"},
		"drift":       {"no"},
		"time":        {"2026-11-24T11:00:00.5+01:00"},
		"first_seen":  {"2026-11-17T12:00:00Z"},
		"application": {""},
		"text":        {"Kerberos golden-ticket, ΟΔΥΣΣΕΥΣ", "used by Zoë"},
	}
	tests := []struct {
		text string
		want bool
	}{
		{"", true},
		{"user = INES@harbour.example", true},
		{"user = ines", false},
		{"user = x, ines@harbour.example", true},
		{"user != x, ines@harbour.example", false},
		{"user != x", true},
		{"user contains ARBOUR\\i", true},
		{"user not contains @", false},
		{"user starts with harbour", true},
		{"user not starts with arbour", true},
		{"user matches *@harbour.example", true},
		{"user not matches *@*", false},
		{"user is set and title is set and device is not set", true},
		{"device != x and device not contains x and device not matches *", true},
		{"device = x", false},
		{"application is set", false},
		{"application is not set and application matches *", true},
		{"severity = MEDIUM", true},
		{"severity >= medium and severity <= medium", true},
		{"severity > medium", false},
		{"severity < medium", false},
		{"severity > unknown", true},
		{"severity not matches m*", false},
		{"severity contains ED", true},
		{"severity not starts with me", false},
		{"drift = yes, no", true},
		{"ip = 10.0.0.0/8", true},
		{"ip = 10.1.2.3", true},
		{"ip = 10.1.2.4", false},
		{"ip = 192.0.2.0/24", true},
		{"ip = ::ffff:192.0.2.7", true},
		{"ip = fe80::/10", true},
		{"ip = 0.0.0.0/0", true},
		{"ip != 10.0.0.0/8", false},
		{"ip != 11.0.0.0/8", true},
		{"ip starts with 10.1.", true},
		{"ip contains 192.0.2", true},
		{"drift = no", true},
		{"drift != No", false},
		{"time > 2026-11-24T10:00:00Z", true},
		{"time > 2026-11-24T10:00:00.5Z", false},
		{"time >= 2026-11-24T10:00:00.5Z", true},
		{"time >= 2026-11-24 and time < 2026-11-25", true},
		{"time = 2026-11-24", true},
		{"time = 2026-11-23, 2026-11-24T10:00:00Z", true},
		{"time = 2026-11-24T12:00:00+02:00", true},
		{"time = 2026-11-24T10:00:00.5Z", true},
		{"time = 2026-11-24T10:00:00.501Z", false},
		{"time = 2026-11-24T10:00:01Z", false},
		{"time != 2026-11-24", false},
		{"time != 2026-11-25", true},
		{"time >= -2h", true},
		{"time >= -1h", false},
		{"first_seen <= -7d", true},
		{"first_seen < -7d", false},
		{`text contains "golden ticket"`, true},
		{`text contains "ticket golden"`, false},
		{"text contains gold", false},
		{"text contains x, οδυσσευς", true},
		{`text contains "ticket used"`, false},
		{"text not contains zoë", false},
		{"text not contains zoe", true},
		{"user = ines@harbour.example and severity = high", false},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			f, err := filter.Alerts().Parse(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if got := f.Match(now(), func(field string) []string { return alert[field] }); got != tt.want {
				t.Errorf("Match = %v, want %v", got, tt.want)
			}
		})
	}
}

// TestWhatMakesNoSenseFitsNothing: nobody checked these.
func TestWhatMakesNoSenseFitsNothing(t *testing.T) {
	values := func(string) []string { return []string{"x", "7", "high"} }
	for f, want := range map[*filter.Filter]bool{
		{{"user", filter.Above, []string{"x"}}}:         false,
		{{"count", filter.Above, []string{"6"}}}:        true,
		{{"count", filter.Below, []string{"10"}}}:       true,
		{{"time", filter.Above, []string{"-7d"}}}:       false,
		{{"severity", filter.Above, []string{"lofty"}}}: false,
		{{"ip", filter.Equals, []string{"x"}}}:          false,
		{{"ip", filter.NotEquals, []string{"x"}}}:       true,
		{{"user", filter.Equals, nil}}:                  false,
		{{"user", filter.NotEquals, nil}}:               true,
		{{"user", "", []string{"x"}}}:                   false,
		{{"user", "resembles", []string{"x"}}}:          false,
	} {
		if got := f.Match(now(), values); got != want {
			t.Errorf("%s: Match = %v, want %v", f, got, want)
		}
	}
}

// TestMatchObeysLogic: a negation fits what its positive doesn't, a filter fits what all its conditions fit,
// what has one more value still fits what asks for any, and letter case is nothing.
func TestMatchObeysLogic(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string { return from[rnd.IntN(len(from))] }
	word := func() string {
		return pick("a", "A", "ab", "b*", "*", "σ", "Σας", "10.0.0.1", "10.0.0.0/8", "high", "low", "2026-11-24T08:00:00Z", "-3h", "7", "", "yes", "x y")
	}
	words := func(least int) []string {
		out := make([]string, least+rnd.IntN(3))
		for i := range out {
			out[i] = word()
		}
		return out
	}
	ops := []filter.Op{
		filter.Equals, filter.NotEquals, filter.Contains, filter.NotContains, filter.StartsWith, filter.NotStartsWith, filter.Matches,
		filter.NotMatches, filter.Set, filter.NotSet, filter.Above, filter.AtLeast, filter.Below, filter.AtMost,
	}
	for range 20_000 {
		values := map[string][]string{}
		look := func(field string) []string { return values[field] }
		var f filter.Filter
		all := true
		for range rnd.IntN(4) {
			c := filter.Condition{Field: pick("user", "ip", "time", "severity", "text", "count"), Op: ops[rnd.IntN(len(ops))], Values: words(1)}
			if values[c.Field] == nil {
				values[c.Field] = words(0)
			}
			fits := filter.Filter{c}.Match(now(), look)
			f, all = append(f, c), all && fits

			positive, negated := c.Op.Negative()
			if got := (filter.Filter{{c.Field, positive, c.Values}}).Match(now(), look); got == (fits == negated) {
				t.Fatalf("%s fits %q: %v, and %s: %v", filter.Filter{c}, values[c.Field], fits, positive, got)
			}
			more := append([]string{word()}, values[c.Field]...)
			if !negated && fits && !(filter.Filter{c}).Match(now(), func(string) []string { return more }) {
				t.Fatalf("%s fits %q, but not %q", filter.Filter{c}, values[c.Field], more)
			}
			folded := make([]string, len(values[c.Field]))
			for i, v := range values[c.Field] {
				folded[i] = filter.Fold(v)
				if c.Field == "time" { // given as RFC 3339 writes it
					folded[i] = v
				}
			}
			if got := (filter.Filter{c}).Match(now(), func(string) []string { return folded }); got != fits {
				t.Fatalf("%s fits %q: %v, folded: %v", filter.Filter{c}, values[c.Field], fits, got)
			}
		}
		if got := f.Match(now(), look); got != all {
			t.Fatalf("%s fits %q: %v, want %v as its conditions", f, values, got, all)
		}
	}
}

// TestFold: it is folding once however often, and never tells apart what lower case doesn't.
func TestFold(t *testing.T) {
	for r := range rune(unicode.MaxRune + 1) {
		if !unicode.IsLetter(r) && r > 0x3000 { // the others have no case, and there are many
			continue
		}
		s := string(r)
		f := filter.Fold(s)
		if filter.Fold(f) != f || filter.Fold(strings.ToLower(s)) != f || filter.Fold(strings.ToUpper(string(unicode.ToUpper(r)))) != f {
			t.Errorf("Fold(%q) = %q, of its lower case %q, folded again %q", s, f, filter.Fold(strings.ToLower(s)), filter.Fold(f))
		}
		if utf8.RuneCountInString(f) != 1 {
			t.Errorf("Fold(%q) = %q", s, f)
		}
	}
	for s, want := range map[string]string{"": "", "Ines": "ines", "ΟΔΟΣ": "οδοσ", "οδος": "οδοσ", "STRASSE": "strasse", "\xffA": "\ufffda", "\u212a": "k"} {
		if got := filter.Fold(s); got != want {
			t.Errorf("Fold(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestGlob(t *testing.T) {
	tests := []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true},
		{"", "x", false},
		{"*", "", true},
		{"*", "anything", true},
		{"a*c", "abc", true},
		{"A*c", "aC", true},
		{"a*c", "ab", false},
		{"ab*ba", "aba", false},
		{"*@harbour.example", "ida@harbour.example", true},
		{"*@harbour.example", "ida@harbour.example.org", false},
		{"a*b*c", "axxbxxbxxc", true},
		{"a*b*c", "axxcxxb", false},
		{"**x**", "x", true},
		{"x", "xx", false},
		{"a*", "ba", false},
		{"*b", "ba", false},
		{"a*a", "a", false},
		{"a*a", "aa", true},
		{"*ab*cd*", "xabxcdx", true},
		{"*ab*cd*", "xcdxabx", false},
		{"a*b*b", "ab", false},
		{"a**b", "ab", true},
		{"*aab", "aaab", true},
		{"2*", "20*", true}, // a pattern within another one
		{"*.example", "*@ad.example", true},
		{"2?", "20", false},
		{strings.Repeat("a*", 40) + "b", strings.Repeat("a", 400), false}, // takes no long time
	}
	for _, tt := range tests {
		if got := filter.Glob(tt.pattern, tt.s); got != tt.want {
			t.Errorf("Glob(%q, %q) = %v, want %v", tt.pattern, tt.s, got, tt.want)
		}
	}
}

// TestGlobIsARegularExpression compares it with one.
func TestGlobIsARegularExpression(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	text := func(letters string) string {
		b := make([]byte, rnd.IntN(9))
		for i := range b {
			b[i] = letters[rnd.IntN(len(letters))]
		}
		return string(b)
	}
	for range 10_000 {
		pattern, s := text("aB**"), text("Ab")
		want := regexp.MustCompile("(?i)^" + strings.ReplaceAll(pattern, "*", ".*") + "$").MatchString(s)
		if got := filter.Glob(pattern, s); got != want {
			t.Fatalf("Glob(%q, %q) = %v, want %v", pattern, s, got, want)
		}
	}
}

func TestNetwork(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.0/8": "10.0.0.0/8", "10.1.2.3/8": "10.0.0.0/8", "10.1.2.3": "10.1.2.3/32", "2001:DB8::1": "2001:db8::1/128",
		"2001:db8::/32": "2001:db8::/32", "::ffff:10.1.2.3": "10.1.2.3/32", "::ffff:10.1.2.3/104": "10.0.0.0/8", "::/0": "::/0",
		"": "", "10": "", "10.0.0.0/33": "", "10.0.0.0/": "", "fe80::1%eth0": "", "10.1.*": "", "10.0.0.1-10.0.0.9": "",
	} {
		got, ok := filter.Network(text)
		if ok != (want != "") || ok && got != netip.MustParsePrefix(want) {
			t.Errorf("Network(%q) = %v, %v; want %q", text, got, ok, want)
		}
	}
}

func TestMoment(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-24T08:00:00Z": "2026-11-24T08:00:00Z", "2026-11-24t08:00:00.25+01:00": "2026-11-24T07:00:00.25Z", "2026-11-24": "2026-11-24T00:00:00Z",
		"-7d": "2026-11-17T12:00:00Z", "-36H": "2026-11-23T00:00:00Z", "-1d12h": "2026-11-23T00:00:00Z", "-90m": "2026-11-24T10:30:00Z", "-0s": "2026-11-24T12:00:00Z",
		"-36500d": "1926-12-19T12:00:00Z",
		"":        "", "-": "", "7d": "", "+7d": "", "-7": "", "--7d": "", "-1d-12h": "", "-d": "", "-36501d": "", "-99999999999d": "", "-9999999h": "", "-7w": "",
		"2026-11-31": "", "2026-11-24T08:00": "", "2026-11-24 08:00:00": "", "yesterday": "", "24.11.2026": "",
	} {
		got, err := filter.Moment(text, now())
		if (err == nil) != (want != "") || err == nil && got.Format(time.RFC3339Nano) != want {
			t.Errorf("Moment(%q) = %v, %v; want %q", text, got, err, want)
		}
	}
}
