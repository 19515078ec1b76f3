package input

import (
	"crypto/tls"
	"net"
	"net/netip"
	"slices"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats"
)

// Grant is what a peer may speak for. A nil one is everything.
type Grant struct{ services []formats.Service }

// Allows says whether the peer may speak for a service. Nobody has to be allowed to say what no
// service is known for.
func (g *Grant) Allows(s formats.Service) bool {
	return g == nil || s == formats.UnknownService || slices.Contains(g.services, s)
}

// speakers is who may speak for which services on an input. None are everybody, for everything.
type speakers []speaker

// speaker grants services to the peers that fit everything it names.
type speaker struct {
	services     []formats.Service
	networks     []netip.Prefix
	certificates []string
	tokens       []string
}

// identity is what is known of a peer.
type identity struct {
	address netip.Addr
	names   []string // of its verified certificate
	token   string   // name of the one that it showed
}

func newSpeakers(cfg []config.Speaker) (speakers, error) {
	var out speakers
	for _, c := range cfg {
		s := speaker{certificates: c.Certificates, tokens: c.Tokens}
		for _, name := range c.Services {
			s.services = append(s.services, formats.Service(name))
		}
		for _, text := range c.Networks {
			network, err := netip.ParsePrefix(text)
			if err != nil {
				return nil, err
			}
			s.networks = append(s.networks, network)
		}
		out = append(out, s)
	}
	return out, nil
}

// grant puts together what all the rules that fit give.
func (all speakers) grant(id identity) *Grant {
	if len(all) == 0 {
		return nil
	}
	g := &Grant{}
	for _, s := range all {
		if s.fits(id) {
			g.services = append(g.services, s.services...)
		}
	}
	return g
}

func (s speaker) fits(id identity) bool {
	if len(s.networks) > 0 && !slices.ContainsFunc(s.networks, func(n netip.Prefix) bool { return n.Contains(id.address) }) {
		return false
	}
	if len(s.tokens) > 0 && !slices.Contains(s.tokens, id.token) {
		return false
	}
	return len(s.certificates) == 0 ||
		slices.ContainsFunc(id.names, func(name string) bool { return config.Fits(s.certificates, name) })
}

// identify says who is at the other end of a connection whose handshake is done.
func identify(conn net.Conn) identity {
	id := identity{}
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		id.address = plain(a.AddrPort().Addr())
	}
	if secure, ok := conn.(*tls.Conn); ok {
		state := secure.ConnectionState()
		id.names = names(&state)
	}
	return id
}

// names are those of a peer's certificate. One that was only shown proves nothing; one that leads to our
// authority does.
func names(state *tls.ConnectionState) []string {
	if state == nil || len(state.VerifiedChains) == 0 {
		return nil
	}
	cert := state.VerifiedChains[0][0]
	out := slices.Concat([]string{cert.Subject.CommonName}, cert.DNSNames, cert.EmailAddresses)
	for _, ip := range cert.IPAddresses {
		out = append(out, ip.String())
	}
	for _, uri := range cert.URIs {
		out = append(out, uri.String())
	}
	return out
}

// plain is an address as networks are written: IPv4 where it is one within IPv6, and without a zone.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
