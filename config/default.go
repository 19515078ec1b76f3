package config

import "time"

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
		Targets: []Target{{Name: "stdout", Type: "stdout"}},
		Stream:  Stream{Retention: 72 * time.Hour, MaxDisk: 20 << 30, Durability: "synced"},
		HTTP:    HTTP{Listen: "127.0.0.1:8514"},
	}
	c.complete()
	return c
}

// complete gives the keys of inputs and targets that are not set their defaults.
func (c *Config) complete() {
	for i := range c.Inputs {
		in := &c.Inputs[i]
		setDefault(&in.Type, "syslog")
		setDefault(&in.MaxMessage, 64<<10)
		setDefault(&in.MaxConnections, 1000)
		setDefault(&in.IdleTimeout, 15*time.Minute)
		setDefault(&in.TLS.ClientAuth, "off")
	}
	for i := range c.Targets {
		t := &c.Targets[i]
		format := "json"
		if t.Type == "syslog" {
			format = "cef"
			setDefault(&t.Header, "rfc5424")
			setDefault(&t.Framing, t.defaultFraming())
		}
		setDefault(&t.Format, format)
	}
}

// defaultFraming is octet over TLS, where RFC 5425 demands it, and newline over TCP, which every SIEM
// reads; over UDP a datagram is a message.
func (t *Target) defaultFraming() string {
	if scheme(t.Address) == "tls" {
		return "octet"
	}
	return "newline"
}

func setDefault[T comparable](to *T, value T) {
	var zero T
	if *to == zero {
		*to = value
	}
}

// Enabled says whether a service is licensed and connected; an unknown name is not.
func (s Services) Enabled(name string) bool { return s.named()[name].Enabled }

// Order lists the services in the order in which they follow policy.manage_in.
func (s Services) Order() []string {
	return []string{defenderForIdentity, cloudAppSecurity, identityProtection}
}

// ShownBy lists the services that show the alerts of the service of that name too.
func (s Services) ShownBy(name string) []string {
	named := s.named()
	var out []string
	for _, shower := range s.Order() {
		for _, shown := range named[shower].Shows {
			if shown == name {
				out = append(out, shower)
			}
		}
	}
	return out
}

func (s Services) named() map[string]Service {
	return map[string]Service{
		defenderForIdentity: s.DefenderForIdentity, cloudAppSecurity: s.CloudAppSecurity, identityProtection: s.IdentityProtection,
	}
}
