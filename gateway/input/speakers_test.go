package input

import (
	"context"
	"net/netip"
	"testing"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/relp"
)

func TestSpeakersGrantWhatFits(t *testing.T) {
	const sensors, cloud, identities = formats.DefenderForIdentity, formats.CloudAppSecurity, formats.IdentityProtection
	rules := []config.Speaker{
		{Services: []string{"defender_for_identity"}, Networks: []string{"10.1.0.0/16", "2001:db8::/32"}},
		{Services: []string{"cloud_app_security"}, Certificates: []string{"*.fjordwerk.example", "AGENT"}},
		{Services: []string{"identity_protection"}, Networks: []string{"10.0.0.0/8"}, Certificates: []string{"graph.*"}},
	}
	tests := []struct {
		name    string
		address string
		names   []string
		want    []formats.Service
	}{
		{"a stranger", "192.0.2.1", nil, nil},
		{"by network", "10.1.255.255", nil, []formats.Service{sensors}},
		{"beside the network", "10.2.0.0", nil, nil},
		{"by network, over IPv6", "2001:db8::17", nil, []formats.Service{sensors}},
		{"by network, IPv4 on a socket of both", "::ffff:10.1.2.3", nil, []formats.Service{sensors}},
		{"an address with a zone", "fe80::1%eth0", nil, nil},
		{"by certificate", "192.0.2.1", []string{"", "agent7.Fjordwerk.example"}, []formats.Service{cloud}},
		{"by another pattern", "192.0.2.1", []string{"agent"}, []formats.Service{cloud}},
		{"by another's domain", "192.0.2.1", []string{"fjordwerk.example", "agent.fjordwerk.example.net"}, nil},
		{"one of two keys", "10.9.0.1", []string{"grap"}, nil},
		{"both keys", "10.9.0.1", []string{"graph.x"}, []formats.Service{identities}},
		{"several rules", "10.1.0.1", []string{"agent", "graph.x"}, []formats.Service{sensors, cloud, identities}},
		{"no address", "", nil, nil},
	}
	all, err := newSpeakers(rules)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id := identity{names: tt.names}
			if tt.address != "" {
				id.address = plain(netip.MustParseAddr(tt.address))
			}
			g := all.grant(id)
			for _, s := range []formats.Service{sensors, cloud, identities, formats.Sluice} {
				want := false
				for _, w := range tt.want {
					want = want || w == s
				}
				if got := g.Allows(s); got != want {
					t.Errorf("Allows(%s) = %t, want %t", s, got, want)
				}
			}
			if !g.Allows(formats.UnknownService) {
				t.Error("what no service is known for isn't allowed")
			}
		})
	}
	if g := speakers(nil).grant(identity{}); !g.Allows(sensors) {
		t.Error("without speakers somebody may not say something")
	}
}

func TestEveryInputSaysWhatItsPeersMaySay(t *testing.T) {
	s := newShop(t)
	tests := []struct {
		name, listen string
		speaker      config.Speaker
		by           *authority
		want         bool
	}{
		{"udp", "udp://127.0.0.1:0", config.Speaker{Networks: []string{"127.0.0.0/8"}}, nil, true},
		{"udp, another network", "udp://127.0.0.1:0", config.Speaker{Networks: []string{"10.0.0.0/8"}}, nil, false},
		{"tcp", "tcp://127.0.0.1:0", config.Speaker{Networks: []string{"127.0.0.1/32"}}, nil, true},
		{"tcp, another network", "tcp://127.0.0.1:0", config.Speaker{Networks: []string{"::1/128"}}, nil, false},
		{"relp", "relp", config.Speaker{Networks: []string{"127.0.0.1/32"}}, nil, true},
		{"relp, another network", "relp", config.Speaker{Networks: []string{"10.0.0.0/8"}}, nil, false},
		{"tls", "tls://127.0.0.1:0", config.Speaker{Certificates: []string{"sensor.*"}}, &s.clients, true},
		{"tls, an address in the certificate", "tls://127.0.0.1:0", config.Speaker{Certificates: []string{"127.0.0.1"}}, &s.clients, true},
		{"tls, another name", "tls://127.0.0.1:0", config.Speaker{Certificates: []string{"agent.*"}}, &s.clients, false},
		{"tls, no certificate", "tls://127.0.0.1:0", config.Speaker{Certificates: []string{"*"}}, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.speaker.Services = []string{"cloud_app_security"}
			cfg := settings(tt.listen)
			cfg.Speakers = []config.Speaker{tt.speaker}
			got := make(chan bool, 1)
			accept := func(_ context.Context, batch []Message) Receipt {
				got <- batch[0].Granted.Allows(formats.CloudAppSecurity)
				if batch[0].Granted.Allows(formats.DefenderForIdentity) {
					t.Error("what nobody grants is allowed")
				}
				return replied(nil)
			}
			switch m := NewMetrics(nil); tt.listen {
			case "relp":
				cfg.Listen = "tcp://127.0.0.1:0"
				addr, _ := startRELP(t, cfg, accept, m)
				write(t, dial(t, "tcp", addr), string(relp.Append(nil, 1, "open", hello))+"2 syslog 5 <13>a\n")
			case "tls://127.0.0.1:0":
				cfg.TLS = s.files
				cfg.TLS.ClientAuth = "optional"
				addr, _ := start(t, cfg, accept, m)
				write(t, dialTLS(t, addr, s.client(t, tt.by)), "<13>a\n")
			default:
				addr, _ := start(t, cfg, accept, m)
				write(t, dial(t, tt.listen[:3], addr), "<13>a\n")
			}
			if allowed := <-got; allowed != tt.want {
				t.Errorf("allowed: %t, want %t", allowed, tt.want)
			}
		})
	}
}
