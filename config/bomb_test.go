package config_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
)

// What a file may be blown up to is bounded, and so is what is said of it.
func TestBombsAreRefused(t *testing.T) {
	suffixes := "[" + strings.Repeat("a.example,", 1000) + "]"
	domains := strings.Repeat("    - {netbios: A, upn_suffixes: *s}\n", 1000)
	long := strings.Repeat("x", 100_000)
	tests := []struct{ name, yaml, want string }{
		{
			"many values by aliases", "organisation:\n  domains:\n    - {netbios: A, upn_suffixes: &s " + suffixes + "}\n" + domains,
			"f:3: organisation.domains[99].upn_suffixes[697]: found too many values, expected at most 100000 with all aliases and references",
		},
		{
			"long values by aliases", "organisation: {domains: [{netbios: &l " + long + "}" + strings.Repeat(",{netbios: *l}", 1000) + "]}",
			"f:1: organisation.domains[84]: found too many values, expected at most 100000 with all aliases and references",
		},
		{
			"billion laughs", "a: &a [x,x]\nb: &b [*a,*a]\ninputs: *b\n",
			`f:1: a: unknown key; known are data_dir, inputs, organisation, services, policy, dedup, risk, silence, closure, undo_window, targets, stream, model, http, metrics, access
f:2: b: unknown key; known are data_dir, inputs, organisation, services, policy, dedup, risk, silence, closure, undo_window, targets, stream, model, http, metrics, access
f:2: inputs[0]: found a list, expected keys and values
f:2: inputs[1]: found a list, expected keys and values`,
		},
		{
			"an alias in its anchor", "inputs: &a [*a, *a]\n",
			"f:1: inputs[0]: found a list, expected keys and values\nf:1: inputs[1]: found a list, expected keys and values",
		},
		{"deep", "inputs: " + strings.Repeat("[", 20_000), "f:1: exceeded max depth of 10000"},
		{"a megabyte", "# " + strings.Repeat("x", 1<<20), "f: found more than 1 MiB, expected a configuration"},
		{
			"references", "data_dir: '" + strings.Repeat("${BIG}", 1000) + "'",
			`f:1: data_dir: found "` + strings.Repeat("${BIG}", 13) + `${"…, expected references to no more than 1 MiB`,
		},
		{"a long value", "policy: {mode: " + long + "}", `f:1: policy.mode: found "` + long[:80] + `"…, expected enforce or shadow`},
		{
			"a long key", long[:1000] + ": 1",
			`f:1: "` + long[:64] + `": unknown key; known are data_dir, inputs, organisation, services, policy, dedup, risk, silence, closure, undo_window, targets, stream, model, http, metrics, access`,
		},
		{
			"many inputs", "inputs:\n  - &i {name: a, listen: 'udp://:1'}\n" + strings.Repeat("  - *i\n", 1000),
			"f:1: inputs: found 1001, and 1 targets; expected at most 1000 of each",
		},
	}
	env := func(string) (string, bool) { return long, true }
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := config.Parse("f", []byte(tt.yaml), env)
			var problems config.Errors
			if !errors.As(err, &problems) {
				t.Fatalf("Parse = %v, want config.Errors", err)
			}
			if diff := cmp.Diff(tt.want, problems.Error()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestOnlySoManyProblemsAreListed(t *testing.T) {
	unknown := "{" + rows(2000, "zq%d: 1, ") + "}"
	tests := []struct{ name, yaml string }{
		{"unknown keys", rows(3000, "zq%d: 1\n")},
		{"unknown keys by aliases", "inputs:\n  - &a " + unknown + "\n" + strings.Repeat("  - *a\n", 20_000)},
		{"nothing in a list", "inputs:\n" + strings.Repeat("  -\n", 100_000)},
		{"words of a list", "services: {cloud_app_security: {shows: [a" + rows(20_000, ",a%d") + "]}}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := config.Parse("f", []byte(tt.yaml), noEnv)
			var problems config.Errors
			if !errors.As(err, &problems) || len(problems) > 1001 {
				t.Fatalf("Parse = %d problems, want 1000 and a word on the others", len(problems))
			}
			want := config.Error{File: "f", Msg: "found more than 1000 problems; the others aren't listed"}
			if diff := cmp.Diff(want, problems[0]); diff != "" {
				t.Errorf("the first problem: -want +got:\n%s", diff)
			}
		})
	}
}

// Rules are compared with each other, and patterns too; of thousands not all are.
func TestManyRulesAreReadInTime(t *testing.T) {
	users := func(prefix string) string { return "[" + rows(20_000, prefix+"%d,") + "]" }
	tests := map[string]struct {
		yaml string
		want int
	}{
		"rules":    {"policy:\n  rules:\n" + rows(3000, "    - {name: a%[1]d, hold: 1s, when: {user: b%[1]d}}\n"), 3000},
		"patterns": {"policy: {rules: [{name: a, hold: 1s, when: {user: " + users("x") + "}}, {name: b, hold: 1s, when: {user: " + users("x") + ", host: a}}]}", 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := len(parse(t, tt.yaml).Policy.Rules); got != tt.want {
				t.Errorf("%d rules, want %d", got, tt.want)
			}
		})
	}
}

// rows writes n lines, each with its number.
func rows(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}
