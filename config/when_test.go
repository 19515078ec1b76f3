package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/config/filter"
)

func TestAWhenIsConditions(t *testing.T) {
	tests := []struct{ yaml, want string }{
		{"{}", ""},
		{"{kind: alert}", "kind matches alert"},
		{
			`{app: Box, host: "DC*", user: ["*@a.example", "b c"], severity: [LOW, m*], title: "*x*", type: "2025", kind: a*, service: unknown}`,
			`service matches unknown and kind matches a* and type matches 2025 and title matches *x* and severity matches LOW, m* and ` +
				`user matches *@a.example, "b c" and device matches DC* and application matches Box`,
		},
		{"kind = alert", "kind = alert"},
		{`severity >= Medium and app = "Microsoft Teams", box and HOST is not set`, `severity >= medium and application = "Microsoft Teams", box and device is not set`},
		{"'user != ${NAME}'", "user != ines"},
		{"|\n      kind = alert and\n      user starts with $$x\n", "kind = alert and user starts with $x"},
	}
	for _, tt := range tests {
		c, err := config.Parse("sluice.yaml", []byte("targets:\n  - name: a\n    type: stdout\n    when: "+tt.yaml), func(name string) (string, bool) { return "ines", name == "NAME" })
		if err != nil {
			t.Errorf("%s: %v", tt.yaml, err)
			continue
		}
		if diff := cmp.Diff(tt.want, c.Targets[0].When.Conditions().String()); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tt.yaml, diff)
		}
	}
}

// TestAWhenAsKeysIsAFilter: what passes as keys is a filter that passes too.
func TestAWhenAsKeysIsAFilter(t *testing.T) {
	c := parse(t, `targets: [{name: a, type: stdout, when: {service: "*", kind: "*", type: "*", title: "*", severity: "*", user: "*", host: "*", app: "*", user_score: ">=80"}}]`)
	f := c.Targets[0].When.Conditions()
	checked, err := filter.Notifications().Check(f)
	if diff := cmp.Diff(f, checked); diff != "" || err != nil || len(f) != len(filter.Notifications()) {
		t.Errorf("Check: %v (-want +got):\n%s", err, diff)
	}
	services, _ := filter.Notifications().Field("service")
	if diff := cmp.Diff(append(c.Services.Order(), "unknown", "sluice"), services.Words); diff != "" {
		t.Errorf("services: -configuration +filter:\n%s", diff)
	}
}

// TestRulesThatNothingReaches goes by what surely is within what fits before, as texts and as keys.
func TestRulesThatNothingReaches(t *testing.T) {
	tests := []struct {
		first, second string
		covered       bool
	}{
		{`kind = alert`, `kind = alert`, true},
		{`kind = alert, health`, `kind = ALERT and user contains x`, true},
		{`kind = alert and user contains x`, `kind = alert`, false},
		{`kind = alert`, `kind = alert, health`, false},
		{`{kind: alert}`, `kind = alert and severity >= low`, true},
		{`kind = alert`, `{kind: alert, user: a}`, true},
		{`kind = alert`, `{kind: "al*"}`, false},
		{`{user: "a*"}`, `user = Ab, ac`, true},
		{`{user: "a*"}`, `user starts with ab`, false}, // it is, and isn't found
		{`{user: "a*"}`, `user matches a*b`, true},
		{`user matches a*b`, `user matches a*`, false},
		{`user = a*`, `user = a*`, true},
		{`user = a*`, `{user: "a*"}`, false},
		{`{user: "a*"}`, `user = a*`, true},
		{`user = a`, `user != a`, false},
		{`user != a`, `user != a, b`, false}, // it is, and isn't found
		{`severity >= medium`, `severity >= medium and kind = alert`, true},
		{`severity >= medium`, `severity >= high`, false}, // it is, and isn't found
		{`app is set`, `kind = alert and application is set`, true},
		{`app is set`, `host is set`, false},
		{`user contains a, b`, `user contains a, b`, true},
		{`user = a and user = b`, `user = b and user = a and kind = alert`, true},
		{`user = a and user = b`, `user = a, b`, false},
	}
	for _, tt := range tests {
		_, err := config.Parse("sluice.yaml", fmt.Appendf(nil, "policy:\n  rules:\n    - {name: a, hold: 1s, when: %s}\n    - {name: b, hold: 1s, when: %s}\n",
			flow(tt.first), flow(tt.second)), noEnv)
		got := err != nil && strings.Contains(err.Error(), "a rule that nothing reaches")
		if got != tt.covered || err != nil && !got {
			t.Errorf("%s, then %s: %v, want covered: %v", tt.first, tt.second, err, tt.covered)
		}
	}
}

// flow is a value within { }, where a text with a comma stands in quotes.
func flow(when string) string {
	if strings.HasPrefix(when, "{") {
		return when
	}
	return "'" + when + "'"
}
