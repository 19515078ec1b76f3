package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// scheme is udp, tcp or tls, or "" for what is no such address.
func scheme(address string) string {
	s, _, ok := strings.Cut(address, "://")
	if !ok || !slices.Contains([]string{"udp", "tcp", "tls"}, s) {
		return ""
	}
	return s
}

// checkAddress expects a URL of scheme, host and port. Who listens may leave out the host, for every
// address there is, and take port 0, for a free one.
func checkAddress(p *problems, key, address string, listening bool) {
	schemes := []string{"udp://", "tcp://", "tls://"}
	if !listening {
		schemes = append(schemes, "relp://", "relp+tls://")
	}
	checkURL(p, key, address, listening, schemes...)
}

// checkURL expects one of the schemes, with host and port and nothing else.
func checkURL(p *problems, key, address string, listening bool, schemes ...string) {
	s, rest, ok := strings.Cut(address, "://")
	if !ok || !slices.Contains(schemes, s+"://") {
		p.add(key, "found %s, expected %s with host and port", quote(address), alternatives(schemes))
		return
	}
	host, port, err := net.SplitHostPort(rest)
	lowest := 1
	if listening {
		lowest = 0
	}
	switch {
	case err != nil && strings.Count(address, ":") > 2 && !strings.Contains(address, "["):
		p.add(key, "found %s, expected an IPv6 address in brackets, such as %s://[::1]:5514", quote(address), s)
	case err != nil:
		p.add(key, "found %s, expected host and port behind %s://, such as %s://127.0.0.1:5514", quote(address), s, s)
	case !isPort(port, lowest):
		p.add(key, "found port %s, expected %d to 65535", quote(port), lowest)
	case host == "" && !listening:
		p.add(key, "found %s, expected a host before the port", quote(address))
	case !isHost(host):
		p.add(key, "found host %s, expected an IP address or a name", quote(host))
	}
}

func isPort(s string, lowest int) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && int(n) >= lowest
}

// isHost takes an empty host too, and a name as DNS and /etc/hosts have it, with underscores. A name
// whose last part is a number is a mistyped IPv4 address (RFC 3696 section 2).
func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil || s == "" {
		return true
	}
	labels := strings.Split(strings.TrimSuffix(s, "."), ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.Trim(l, "-") != l || strings.ContainsFunc(l, func(r rune) bool {
			return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
		}) {
			return false
		}
	}
	return len(s) <= 254 && strings.Trim(labels[len(labels)-1], "0123456789") != ""
}

// checkHTTP: what shows alerts listens beyond loopback only where somebody can log in, and nobody can listen in.
func (c *Config) checkHTTP(p *problems) {
	for _, l := range []struct{ key, address string }{{"http.listen", c.HTTP.Listen}, {"metrics.listen", c.Metrics.Listen}} {
		if host, port, err := net.SplitHostPort(l.address); l.address != "" && (err != nil || !isPort(port, 0) || !isHost(host)) {
			p.add(l.key, "found %s, expected host:port such as 127.0.0.1:8514", quote(l.address))
			p.spoilt[l.key] = true
		}
	}
	h := c.HTTP
	if (h.TLS.Cert == "") != (h.TLS.Key == "") {
		p.add("http.tls", "found one of cert and key, expected both")
	}
	for i, n := range h.Proxies {
		if _, err := netip.ParsePrefix(n); err != nil {
			p.add(p.element("http.proxies", i), "found %s, expected a network such as 10.1.2.0/24, or 127.0.0.1/32 for this machine", quote(n))
		}
	}
	switch {
	case h.Listen == "" || loopback("tcp://"+h.Listen), !p.known("http.listen"):
	case h.TLS.Cert == "" && len(h.Proxies) == 0:
		p.add("http.listen", "found %s without http.tls or http.proxies, expected a loopback address: passwords, tokens and sessions would travel "+
			"for all to read; for /metrics and health on another address there is metrics.listen", quote(h.Listen))
	case !c.Access.Login():
		p.add("http.listen", "found %s with access.local_admin: false and no access.issuers, expected a loopback address, or a way to log in", quote(h.Listen))
	case len(c.Access.Issuers) > 0 && strings.HasPrefix(c.Access.URL, "http://"):
		p.add("access.url", "found %s with http.listen: %s, expected the address by which browsers reach the gateway, such as https://sluice.example.com",
			quote(c.Access.URL), quote(h.Listen))
	}
}

// socket is what somebody listens on. An invalid host is one known by its name only.
type socket struct {
	network, port, name string
	host                netip.Addr
}

// conflicts says whether only one of the two can be listened on. :: takes IPv4 too, as it does in Go;
// names are not looked up.
func (s socket) conflicts(o socket) bool {
	switch {
	case s.network != o.network || s.port != o.port || s.port == "0":
		return false
	case s.host == netip.IPv6Unspecified() || o.host == netip.IPv6Unspecified():
		return true
	case s.host == netip.IPv4Unspecified():
		return !o.host.Is6()
	case o.host == netip.IPv4Unspecified():
		return !s.host.Is6()
	}
	return s.host == o.host && s.name == o.name
}

func newSocket(network, hostport string) (socket, bool) {
	host, port, err := net.SplitHostPort(hostport)
	n, numErr := strconv.ParseUint(port, 10, 16)
	if err != nil || numErr != nil {
		return socket{}, false
	}
	s := socket{network: network, port: strconv.FormatUint(n, 10)}
	switch ip, err := netip.ParseAddr(host); {
	case host == "":
		s.host = netip.IPv6Unspecified()
	case host == "localhost":
		s.host = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	case err == nil:
		s.host = ip.Unmap()
	default:
		s.name = strings.ToLower(host)
	}
	return s, true
}

// split gives the network of an address, tcp or udp, and its host and port.
func split(address string) (network, hostport string, ok bool) {
	network = scheme(address)
	_, hostport, ok = strings.Cut(address, "://")
	if network == "tls" {
		network = "tcp"
	}
	return network, hostport, ok && network != ""
}

// checkLoops finds a target that is one of the inputs: what goes out there would come in again.
func (c *Config) checkLoops(p *problems) {
	for i, t := range c.Targets {
		network, hostport, ok := split(t.wire())
		out, valid := newSocket(network, hostport)
		if !ok || !valid || t.Type != "syslog" {
			continue
		}
		for j, in := range c.Inputs {
			network, hostport, _ := split(in.Listen)
			partner := fmt.Sprintf("inputs[%d].listen", j)
			if s, ok := newSocket(network, hostport); ok && s.receives(out) && p.known(partner) {
				p.add(fmt.Sprintf("targets[%d].address", i), "found %s, which %s listens on; expected another receiver than Sluice itself",
					quote(t.Address), partner)
			}
		}
	}
}

// receives says whether what is sent to o surely arrives at s. Who listens on every address listens on
// loopback too; other addresses may be another machine's.
func (s socket) receives(o socket) bool {
	if s.host.IsUnspecified() {
		return (o.host.IsLoopback() || o.host.IsUnspecified()) && s.conflicts(o)
	}
	return s.conflicts(o)
}

// checkPorts finds two inputs, or an input and the HTTP server, on one port.
func (c *Config) checkPorts(p *problems) {
	var taken []socket
	var keys []string
	take := func(network, hostport, key string) {
		s, ok := newSocket(network, hostport)
		if i := slices.IndexFunc(taken, s.conflicts); ok && i >= 0 {
			p.either(key, fmt.Sprintf("found %s port %s, which %s listens on too; expected another", network, s.port, keys[i]),
				keys[i], fmt.Sprintf("found %s port %s, which %s listens on too; expected another", network, s.port, key))
		} else if ok {
			taken, keys = append(taken, s), append(keys, key)
		}
	}
	for i, in := range c.Inputs {
		if network, hostport, ok := split(in.Listen); ok {
			take(network, hostport, fmt.Sprintf("inputs[%d].listen", i))
		}
	}
	take("tcp", c.HTTP.Listen, "http.listen")
	take("tcp", c.Metrics.Listen, "metrics.listen")
}
