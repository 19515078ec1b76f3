package policy

import (
	"strings"
	"testing"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
)

func TestGlob(t *testing.T) {
	tests := []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true},
		{"*", "", true},
		{"*", "anything", true},
		{"a*c", "abc", true},
		{"a*c", "ac", true},
		{"a*c", "ab", false},
		{"*@harbour.example", "ida@harbour.example", true},
		{"*@harbour.example", "ida@harbour.example.org", false},
		{"a*b*c", "axxbxxbxxc", true},
		{"a*b*c", "axxcxxb", false},
		{"**x**", "x", true},
		{"x", "xx", false},
		{strings.Repeat("a*", 40) + "b", strings.Repeat("a", 400), false}, // takes no long time
	}
	for _, tt := range tests {
		if got := glob(tt.pattern, tt.s); got != tt.want {
			t.Errorf("glob(%q, %q) = %v, want %v", tt.pattern, tt.s, got, tt.want)
		}
	}
}

func TestFirstRuleThatFits(t *testing.T) {
	c := config.Default()
	c.Policy.Rules = []config.Rule{
		{
			Name: "type and user", When: config.When{Type: []string{"2025", "2026"}, User: []string{"*@Harbour.example"}},
			Settings: config.Settings{Updates: "suppress"},
		},
		{Name: "host", When: config.When{Host: []string{"srv-*"}}, Settings: config.Settings{Updates: "suppress"}},
		{Name: "class", When: config.When{Type: []string{"abnormalvpn*"}}, Settings: config.Settings{Updates: "suppress"}},
		{Name: "severity", When: config.When{Severity: []string{"low", "informational"}}, Settings: config.Settings{Updates: "suppress"}},
		{Name: "app", When: config.When{App: []string{"box"}, Service: []string{"cloud_app_security"}}, Settings: config.Settings{Updates: "suppress"}},
	}
	p := New(c)
	account := func(s string) []formats.Entity { return []formats.Entity{{Name: s}} }
	tests := []struct {
		name string
		n    formats.Notification
		also formats.Notification // what the other service said before
		typ  string
		want string
	}{
		{"every key fits", formats.Notification{Accounts: account("IDA@harbour.example")}, formats.Notification{}, "2025", "type and user"},
		{"one key doesn't", formats.Notification{Accounts: account("ida@other.example")}, formats.Notification{}, "2025", ""},
		{
			"the other service names the user",
			formats.Notification{Accounts: account("ida")},
			formats.Notification{Accounts: account("ida@harbour.example")},
			"2026", "type and user",
		},
		{"the first of two that fit", formats.Notification{Devices: account("SRV-1"), Severity: formats.Low}, formats.Notification{}, "", "host"},
		{"by the class", formats.Notification{Class: "AbnormalVpnSecurityAlert"}, formats.Notification{}, "", "class"},
		{"by severity", formats.Notification{Severity: formats.Informational}, formats.Notification{}, "", "severity"},
		{"by application and service", formats.Notification{App: "Box", Service: formats.CloudAppSecurity}, formats.Notification{}, "", "app"},
		{"by application, of another service", formats.Notification{App: "Box"}, formats.Notification{}, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := dedup.Alert{Facts: []formats.Notification{tt.also}}
			s, rule := p.effective(&a, &tt.n, &dedup.Match{Type: tt.typ})
			if rule != tt.want {
				t.Errorf("rule %q, want %q", rule, tt.want)
			}
			if want := map[bool]string{true: "suppress", false: "forward"}[tt.want != ""]; s.Updates != want {
				t.Errorf("updates: %s, want %s", s.Updates, want)
			}
		})
	}
}
