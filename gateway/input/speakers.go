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
}

// identity is what is known of a peer.
type identity struct {
	address netip.Addr
	names   []string // of its verified certificate
}

func newSpeakers(cfg []config.Speaker) (speakers, error) {
	var out speakers
	for _, c := range cfg {
		s := speaker{certificates: c.Certificates}
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
	return len(s.certificates) == 0 ||
		slices.ContainsFunc(id.names, func(name string) bool { return config.Fits(s.certificates, name) })
}

// identify says who is at the other end of a connection whose handshake is done.
func identify(conn net.Conn) identity {
	id := identity{}
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		id.address = plain(a.AddrPort().Addr())
	}
	secure, ok := conn.(*tls.Conn)
	if !ok {
		return id
	}
	// A certificate that was shown proves nothing; one that leads to our authority does.
	if state := secure.ConnectionState(); len(state.VerifiedChains) > 0 {
		cert := state.VerifiedChains[0][0]
		id.names = slices.Concat([]string{cert.Subject.CommonName}, cert.DNSNames, cert.EmailAddresses)
		for _, ip := range cert.IPAddresses {
			id.names = append(id.names, ip.String())
		}
		for _, uri := range cert.URIs {
			id.names = append(id.names, uri.String())
		}
	}
	return id
}

// plain is an address as networks are written: IPv4 where it is one within IPv6, and without a zone.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
