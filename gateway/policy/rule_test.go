package policy

import (
	"testing"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
)

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

// TestATextFitsAnAlertByAllItsNotifications: a condition looks for one that fits, its negation for none.
func TestATextFitsAnAlertByAllItsNotifications(t *testing.T) {
	defender := formats.Notification{
		Service: formats.DefenderForIdentity, Kind: formats.Alert, Title: "Suspected DCSync attack", Type: "DcSync", Severity: formats.High,
		Accounts: []formats.Entity{{Name: `HARBOUR\ines`}, {Name: "svc-backup"}}, Devices: []formats.Entity{{Name: "DC1"}},
	}
	cloud := formats.Notification{
		Service: formats.CloudAppSecurity, Kind: formats.Alert, Title: "DCSync", Class: "MCAS_ALERT", Severity: formats.Low, App: "Active Directory",
	}
	tests := []struct {
		text        string
		first, both bool
	}{
		{"severity >= medium", true, true},
		{"severity <= low", false, true},
		{"severity > high", false, false},
		{"kind = alert and kind != activity", true, true},
		{"service = cloud_app_security", false, true},
		{"service != cloud_app_security", true, false},
		{"type = 2006 and type = dcsync", true, true},
		{"type starts with mcas", false, true},
		{"title contains dcsync and title not contains sync2", true, true},
		{`app = "active directory"`, false, true},
		{"app is not set", true, false},
		{"user is set and host matches dc*", true, true},
		{"user not starts with svc-", false, false},
		{"user not contains kim", true, true},
	}
	for _, tt := range tests {
		f, err := filter.Notifications().Parse(tt.text)
		if err != nil {
			t.Fatal(err)
		}
		s := NewScope(config.When{Filter: f})
		if got := s.Fits("2006", &defender); got != tt.first {
			t.Errorf("%s: the first notification fits: %v, want %v", tt.text, got, tt.first)
		}
		if got := s.Fits("2006", &defender, &cloud); got != tt.both {
			t.Errorf("%s: both fit: %v, want %v", tt.text, got, tt.both)
		}
	}
}

// TestEveryFieldIsAsked: what a filter may name is read from notifications, but for what FitsScored is given.
func TestEveryFieldIsAsked(t *testing.T) {
	what := subject{all: []*formats.Notification{{
		Service: formats.CloudAppSecurity, Kind: formats.Alert, Title: "t", App: "a",
		Accounts: []formats.Entity{{Name: "u"}}, Devices: []formats.Entity{{Name: "d"}},
	}}}
	for _, f := range filter.Notifications() {
		if f.Name != userScore && len(what.values(f.Name)) == 0 {
			t.Errorf("%s has no value", f.Name)
		}
	}
	if s := NewScope(config.When{}); !s.All() || !s.Fits("", what.all...) {
		t.Error("a when without conditions doesn't fit everything")
	}
}
