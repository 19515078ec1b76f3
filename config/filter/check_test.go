package filter_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config/filter"
)

func TestCheck(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", ""},
		{"App = Box and HOST is set and severity >= HIGH", "application = Box and device is set and severity >= high"},
		{"status = Open and drift = YES and service matches Cloud*", "status = open and drift = yes and service matches cloud*"},
		{"user = Anna and ip starts with 10. and ip = 10.1.2.3/8, ::1", "user = Anna and ip starts with 10. and ip = 10.1.2.3/8, ::1"},
		{"time >= -7D and time < 2026-11-24 and first_seen > 2026-11-24t08:00:00z", "time >= -7D and time < 2026-11-24 and first_seen > 2026-11-24t08:00:00z"},
		{`text contains "golden ticket"`, `text contains "golden ticket"`},
		{"severity contains M and status starts with Cl and service not contains FEND", "severity contains m and status starts with cl and service not contains fend"},
		{"time = 2026-11-24, 2026-11-25T08:00:00z and first_seen != 2026-11-24", "time = 2026-11-24, 2026-11-25T08:00:00z and first_seen != 2026-11-24"},
	}
	for _, tt := range tests {
		got, err := filter.Alerts().Parse(tt.text)
		if err != nil || got.String() != tt.want {
			t.Errorf("Parse(%s) = %s, %v; want %s", tt.text, got, err, tt.want)
		}
	}
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	text := strings.Repeat("x", 100)
	tests := []struct{ text, want string }{
		{"usr = x", `column 1: found the field "usr", expected id, status, title, type, category, severity, application, service, user, user_domain, ` +
			`user_score, device, ip, policy, managed_in, drift, assigned, read, tactic, technique, first_seen, time or text; did you mean "user"?`},
		{"title containz x", `column 7: found "containz", expected an operator: =, !=, contains, not contains, starts with, not starts with, matches, ` +
			`not matches, is set, is not set, >=, <=, > or <; did you mean "contains"?`},
		{"drift contains y", "column 7: found \"contains\" for drift, expected =, !=, is set or is not set"},
		{"severity contains x", `column 19: found "x" for severity, expected unknown, informational, low, medium or high`},
		{"status starts with pen", `column 20: found "pen" for status, expected open or closed; did you mean "open"?`},
		{"user > x", "column 6: found \">\" for user, expected =, !=, contains, not contains, starts with, not starts with, matches, not matches, is set or is not set"},
		{"time contains 2026", "column 6: found \"contains\" for time, expected =, !=, >, >=, <, <=, is set or is not set"},
		{"time = 2026-11-24, -7d", `column 20: found "-7d" for time, expected a date such as 2026-11-24, which is that day in UTC, or a time such as 2026-11-24T08:00:00Z, which is that second`},
		{"text = x", "column 6: found \"=\" for text, expected contains or not contains"},
		{"severity >= low, high", "column 10: found 2 values for severity >=, expected one"},
		{"severity = low, hihg", `column 17: found "hihg" for severity, expected unknown, informational, low, medium or high; did you mean "high"?`},
		{"status matches *x", `column 16: found "*x" for status, expected open or closed`},
		{"drift = true", `column 9: found "true" for drift, expected yes or no`},
		{`user is set and user = ""`, `column 24: found "" for user, expected a value; "is not set" finds what has none`},
		{"ip = 10.0", `column 6: found "10.0" for ip, expected an address or a network such as 10.0.0.0/8`},
		{"ip = fe80::1%eth0", `column 6: found "fe80::1%eth0" for ip, expected an address or a network such as 10.0.0.0/8`},
		{"text contains ***", `column 15: found "***" for text, expected words`},
		{"time > yesterday", `column 8: found "yesterday" for time, expected a time such as 2026-11-24T08:00:00Z, a date such as 2026-11-24, or before now such as -7d or -36h`},
		{"status = " + text, `column 10: found "` + text[:60] + `"… for status, expected open or closed`},
	}
	for _, tt := range tests {
		_, err := filter.Alerts().Parse(tt.text)
		if err == nil || err.Error() != tt.want {
			t.Errorf("Parse(%s): %v, want %s", tt.text, err, tt.want)
		}
	}
}

// TestCheckOfAFilterThatIsNoText: programs make filters too.
func TestCheckOfAFilterThatIsNoText(t *testing.T) {
	given := filter.Filter{{"HOST", filter.Equals, []string{"DC1"}}, {"severity", filter.Equals, []string{"HIGH"}}}
	got, err := filter.Alerts().Check(given)
	if want := "device = DC1 and severity = high"; err != nil || got.String() != want || given[1].Values[0] != "HIGH" {
		t.Errorf("Check = %s, %v; want %s, and the given one left as it was", got, err, want)
	}
	many := slices.Repeat([]string{"x"}, 1001)
	tests := []struct {
		name string
		f    filter.Filter
		want string
	}{
		{"no operator", one("user", "", "x"), "found \"\" for user, expected =, !=, contains, not contains, starts with, not starts with, matches, not matches, is set or is not set"},
		{"no value", one("user", filter.Equals), "found no value for user, expected one"},
		{"values of set", one("user", filter.Set, "x"), "found values for user is set, expected none"},
		{"no UTF-8", one("user", filter.Equals, "\xff"), `found "\xff" for user, expected text in UTF-8 without the character U+0000`},
		{"nought", one("user", filter.Equals, "a\x00"), `found "a\x00" for user, expected text in UTF-8 without the character U+0000`},
		{"too many values", one("user", filter.Equals, many...), "found 1001 values, expected at most 1000"},
		{"too many conditions", slices.Repeat(one("user", filter.Set), 101), "found 101 conditions, expected at most 100"},
		{"too long", one("user", filter.Equals, strings.Repeat("x", 64<<10)), "found 65543 bytes, expected at most 65536"},
	}
	for _, tt := range tests {
		if _, err := filter.Alerts().Check(tt.f); err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	fs := filter.Fields{{Name: "count", Kind: filter.Number}}
	for text, ok := range map[string]bool{"count > 5": true, "count = -1.5e3": true, "count > x": false, "count > NaN": false, "count < Inf": false, "count contains 5": false} {
		if _, err := fs.Parse(text); (err == nil) != ok {
			t.Errorf("Parse(%s): %v, want valid: %v", text, err, ok)
		}
	}
}

// TestTheFieldsAreRight: each is explained, no name leads to two, and what kind it is follows from its name
// wherever comparisons need to know.
func TestTheFieldsAreRight(t *testing.T) {
	kinds := map[string]filter.Kind{"severity": filter.Rank, "time": filter.Time, "first_seen": filter.Time, "ip": filter.Address, "text": filter.FreeText, "user_score": filter.Number}
	for _, fs := range fields() {
		seen := map[string]bool{}
		for _, f := range fs {
			for _, name := range append([]string{f.Name}, f.Aliases...) {
				if seen[name] {
					t.Errorf("%s twice", name)
				}
				seen[name] = true
				if found, ok := fs.Field(strings.ToUpper(name)); !ok || found.Name != f.Name {
					t.Errorf("Field(%s) = %q, %v; want %s", name, found.Name, ok, f.Name)
				}
				if _, err := filter.Parse(name + " is set"); err != nil {
					t.Error(err)
				}
			}
			if !strings.HasSuffix(f.Help, ".") || strings.Count(f.Help, ". ") > 0 {
				t.Errorf("%s: help %q, want a sentence", f.Name, f.Help)
			}
			switch f.Kind {
			case filter.Word, filter.Rank:
				if len(f.Words) == 0 {
					t.Errorf("%s has no words", f.Name)
				}
			default:
				if f.Words != nil {
					t.Errorf("%s has words", f.Name)
				}
			}
			switch f.Kind {
			case filter.Text, filter.Word, filter.YesNo:
				if k, special := kinds[f.Name]; special {
					t.Errorf("%s is a %s, want %s", f.Name, f.Kind, k)
				}
			default:
				if kinds[f.Name] != f.Kind {
					t.Errorf("%s is a %s, want %s", f.Name, f.Kind, kinds[f.Name])
				}
			}
		}
	}
}

func TestKindsHaveNames(t *testing.T) {
	var got []string
	for k := filter.Text; k <= filter.FreeText+1; k++ {
		got = append(got, k.String())
		for _, op := range k.Ops() {
			if positive, _ := op.Negative(); !slices.Contains(k.Ops(), positive) {
				t.Errorf("%s has %s alone", k, op)
			}
		}
	}
	want := []string{"text", "word", "rank", "time", "address", "number", "yes_no", "free_text", "kind(8)"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
