package config

import (
	"fmt"
	"slices"
	"time"
)

// The services by the names that the file uses, in the order in which they follow policy.manage_in.
const (
	defenderForIdentity = "defender_for_identity"
	cloudAppSecurity    = "cloud_app_security"
	identityProtection  = "identity_protection"
)

// Default is what runs where no file is named, and what holds for every key that a file leaves out.
func Default() Config {
	hold := 10 * time.Minute
	c := Config{
		DataDir: "./sluice-data",
		Inputs: []Input{
			{Name: "tcp", Type: "syslog", Listen: "tcp://127.0.0.1:5514"},
			{Name: "udp", Type: "syslog", Listen: "udp://127.0.0.1:5514"},
		},
		Services: Services{
			DefenderForIdentity: Service{Enabled: true},
			CloudAppSecurity:    Service{Enabled: true, Shows: []string{defenderForIdentity, identityProtection}},
			IdentityProtection:  Service{Enabled: true},
		},
		Policy: Policy{Settings: Settings{
			Mode: "enforce", ManageIn: []string{defenderForIdentity}, Hold: &hold, LateTwin: "link", Updates: "forward",
			Health: "forward", Activities: "forward", Unknown: "forward",
		}},
		Dedup: Dedup{
			Window: 72 * time.Hour, Skew: 15 * time.Minute, RaiseSkew: time.Hour,
			Remember: Remember{Alerts: 30 * 24 * time.Hour, Activities: 72 * time.Hour},
		},
		Risk:    Risk{Learning: 7 * 24 * time.Hour, Impact: Impact{Sensitive: 150, Admin: 130, Watched: 150}},
		Silence: Silence{DefenderForIdentity: Auto, CloudAppSecurity: Auto, IdentityProtection: Auto},
		Closure: Closure{DefenderForIdentity: []string{cloudAppSecurity}}, UndoWindow: 24 * time.Hour,
		Targets: []Target{{Name: "stdout", Type: "stdout"}},
		Stream:  Stream{Retention: 72 * time.Hour, MaxDisk: 20 << 30, Durability: "synced"},
		Model:   Model{Enabled: true, Retention: ModelRetention{Activities: 90 * 24 * time.Hour, Alerts: 365 * 24 * time.Hour}, MaxDisk: 10 << 30},
		HTTP:    HTTP{Listen: "127.0.0.1:8514"},
		Access:  Access{LocalAdmin: true, URL: "http://localhost:8514", Sessions: Sessions{Idle: 30 * time.Minute, Length: 8 * time.Hour}},
	}
	c.complete(func(string) bool { return false })
	return c
}

// complete gives the keys of inputs and targets that aren't written their defaults. A key that is
// written keeps what stands there: idle_timeout: 0s is a mistake to report, not 15m.
func (c *Config) complete(written func(key string) bool) {
	for i := range c.Inputs {
		in, path := &c.Inputs[i], fmt.Sprintf("inputs[%d].", i)
		complete(&in.Type, "syslog", written(path+"type"))
		complete(&in.MaxMessage, 64<<10, written(path+"max_message"))
		complete(&in.MaxConnections, 1000, written(path+"max_connections"))
		complete(&in.IdleTimeout, 15*time.Minute, written(path+"idle_timeout"))
		if in.Type == "http" {
			complete(&in.MaxBody, 8<<20, written(path+"max_body"))
		}
		complete(&in.TLS.ClientAuth, "off", written(path+"tls.client_auth"))
	}
	for i := range c.Access.Issuers {
		complete(&c.Access.Issuers[i].Skew, time.Minute, written(fmt.Sprintf("access.issuers[%d].skew", i)))
	}
	for i := range c.Targets {
		path := fmt.Sprintf("targets[%d].", i)
		c.Targets[i].complete(func(key string) bool { return written(path + key) })
	}
}

func complete[T any](to *T, value T, written bool) {
	if !written {
		*to = value
	}
}

// Enabled says whether a service is licensed and connected; an unknown name is not.
func (s Services) Enabled(name string) bool { return s.named()[name].Enabled }

// Of is how long the service of that name may be quiet; an unknown name for ever.
func (s Silence) Of(name string) Quiet {
	return map[string]Quiet{
		defenderForIdentity: s.DefenderForIdentity, cloudAppSecurity: s.CloudAppSecurity, identityProtection: s.IdentityProtection,
	}[name]
}

// Of lists the services in which an alert is closed too when it is closed in the one of that name, which is not
// among them: what is closed by the table closes others in turn.
func (c Closure) Of(name string) []string {
	table := c.named()
	seen := []string{name}
	for i := 0; i < len(seen); i++ {
		for _, other := range table[seen[i]] {
			if !slices.Contains(seen, other) {
				seen = append(seen, other)
			}
		}
	}
	return seen[1:]
}

func (c Closure) named() map[string][]string {
	return map[string][]string{
		defenderForIdentity: c.DefenderForIdentity, cloudAppSecurity: c.CloudAppSecurity, identityProtection: c.IdentityProtection,
	}
}

// Order lists the services in the order in which they follow policy.manage_in.
func (s Services) Order() []string {
	return []string{defenderForIdentity, cloudAppSecurity, identityProtection}
}

// ShownBy lists the enabled services that show the alerts of the service of that name too.
func (s Services) ShownBy(name string) []string {
	named := s.named()
	var out []string
	for _, shower := range s.Order() {
		if named[shower].Enabled && slices.Contains(named[shower].Shows, name) {
			out = append(out, shower)
		}
	}
	return out
}

func (s Services) named() map[string]Service {
	return map[string]Service{
		defenderForIdentity: s.DefenderForIdentity, cloudAppSecurity: s.CloudAppSecurity, identityProtection: s.IdentityProtection,
	}
}
