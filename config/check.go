package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxMessageLimit is what fits into one batch of the stream with everything said of it.
const maxMessageLimit = 256 << 10

// check finds what is wrong beyond the type of a value.
func (c *Config) check(p *problems) {
	if c.DataDir == "" {
		p.add("data_dir", "found nothing, expected a directory")
	}
	if len(c.Inputs) == 0 {
		p.add("inputs", "found none, expected at least one")
	}
	if len(c.Targets) == 0 {
		p.add("targets", "found none, expected at least one: alerts would go nowhere")
	}
	unique(p, "inputs", len(c.Inputs), func(i int) string { return c.Inputs[i].Name })
	unique(p, "targets", len(c.Targets), func(i int) string { return c.Targets[i].Name })
	for i := range c.Inputs {
		c.Inputs[i].check(p, fmt.Sprintf("inputs[%d]", i))
	}
	c.checkPorts(p)
	for i := range c.Targets {
		c.Targets[i].check(p, fmt.Sprintf("targets[%d]", i))
	}
	c.checkPaths(p)
	c.Services.check(p)
	c.checkPolicy(p)
	c.Dedup.check(p)
	c.Stream.check(p)
	c.checkHTTP(p)
}

func unique(p *problems, list string, n int, name func(int) string) {
	first := map[string]int{}
	for i := range n {
		key := fmt.Sprintf("%s[%d].name", list, i)
		if name(i) == "" {
			p.add(key, "found nothing, expected a name; metrics and the log use it")
			continue
		}
		if j, ok := first[name(i)]; ok {
			p.add(key, "found %q, which is the name of %s[%d] too; expected a name of its own", name(i), list, j)
			continue
		}
		first[name(i)] = i
	}
}

func oneOf(p *problems, key, value string, words ...string) {
	if slices.Contains(words, value) {
		return
	}
	hint := ""
	if n := nearest(value, words); n != "" {
		hint = fmt.Sprintf("; did you mean %q?", n)
	}
	p.add(key, "found %q, expected %s%s", value, strings.Join(words, " or "), hint)
}

func (in *Input) check(p *problems, path string) {
	oneOf(p, path+".type", in.Type, "syslog")
	checkAddress(p, path+".listen", in.Listen, true)
	if in.MaxMessage < 480 || in.MaxMessage > maxMessageLimit {
		p.add(path+".max_message", "found %s, expected 480B (RFC 5424 asks for as much) to %s, which fits into the stream",
			in.MaxMessage, Size(maxMessageLimit))
	}
	if in.MaxConnections < 1 {
		p.add(path+".max_connections", "found %d, expected at least 1", in.MaxConnections)
	}
	positive(p, path+".idle_timeout", in.IdleTimeout)
	oneOf(p, path+".tls.client_auth", in.TLS.ClientAuth, "off", "optional", "required")
	t := in.TLS
	if scheme(in.Listen) != "tls" {
		if t.Cert+t.Key+t.ClientCA != "" {
			p.add(path+".tls", "found with %s, expected with listen: tls:// only", in.Listen)
		}
		return
	}
	if t.Cert == "" || t.Key == "" {
		p.add(path+".tls", "listen is tls://, expected both cert and key")
	}
	if t.ClientAuth != "off" && t.ClientCA == "" {
		p.add(path+".tls.client_auth", "found %q without client_ca, expected the authority of the senders' certificates", t.ClientAuth)
	}
	if t.ClientAuth == "off" && t.ClientCA != "" {
		p.add(path+".tls.client_ca", "found with client_auth: off, expected client_auth: optional or required")
	}
	if t.CA+t.ServerName != "" {
		p.add(path+".tls", "ca and server_name are a target's; the authority of senders is client_ca")
	}
}

func scheme(address string) string {
	s, _, ok := strings.Cut(address, "://")
	if !ok {
		return ""
	}
	return s
}

func checkAddress(p *problems, key, address string, listening bool) {
	s, hostport, ok := strings.Cut(address, "://")
	if !ok || !slices.Contains([]string{"udp", "tcp", "tls"}, s) {
		p.add(key, "found %q, expected udp://, tcp:// or tls:// with host and port", address)
		return
	}
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		p.add(key, "found %q, expected host and port behind %s://, such as %s://127.0.0.1:5514", address, s, s)
		return
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 0 || n > 65535 || n == 0 && !listening {
		p.add(key, "found port %q, expected 1 to 65535", port)
	}
	if host == "" && !listening {
		p.add(key, "found %q without a host", address)
	}
}

// checkPorts finds two inputs, or an input and the HTTP server, on one port.
func (c *Config) checkPorts(p *problems) {
	type socket struct{ network, host, port, key string }
	var seen []socket
	take := func(network, hostport, key string) {
		host, port, err := net.SplitHostPort(hostport)
		if err != nil || port == "0" {
			return
		}
		everywhere := func(h string) bool { return h == "" || h == "0.0.0.0" || h == "::" }
		for _, s := range seen {
			if s.network == network && s.port == port && (s.host == host || everywhere(s.host) || everywhere(host)) {
				p.add(key, "found port %s/%s, which %s listens on already", port, network, s.key)
				return
			}
		}
		seen = append(seen, socket{network, host, port, key})
	}
	for i, in := range c.Inputs {
		s, hostport, _ := strings.Cut(in.Listen, "://")
		network := "tcp"
		if s == "udp" {
			network = "udp"
		}
		take(network, hostport, fmt.Sprintf("inputs[%d].listen", i))
	}
	take("tcp", c.HTTP.Listen, "http.listen")
	take("tcp", c.Metrics.Listen, "metrics.listen")
}

func (t *Target) check(p *problems, path string) {
	oneOf(p, path+".type", t.Type, "syslog", "file", "stdout")
	oneOf(p, path+".format", t.Format, "cef", "json")
	unused := func(key, value string) {
		if value != "" {
			p.add(path+"."+key, "a target of type %s has no %s", t.Type, key)
		}
	}
	if t.Type != "file" {
		unused("path", t.Path)
	} else if t.Path == "" {
		p.add(path+".path", "found nothing, expected the file to write")
	}
	if t.Type != "syslog" {
		unused("address", t.Address)
		unused("header", t.Header)
		unused("framing", t.Framing)
		return
	}
	checkAddress(p, path+".address", t.Address, false)
	oneOf(p, path+".header", t.Header, "rfc5424", "rfc3164")
	oneOf(p, path+".framing", t.Framing, "octet", "newline")
	if (t.TLS.Cert == "") != (t.TLS.Key == "") {
		p.add(path+".tls", "found one of cert and key, expected both or none")
	}
	if t.TLS.ClientCA+t.TLS.ClientAuth != "" {
		p.add(path+".tls", "client_ca and client_auth are an input's; the authority of the SIEM's certificate is ca")
	}
	if scheme(t.Address) != "tls" && t.TLS != (TLS{}) {
		p.add(path+".tls", "found with %s, expected with address: tls:// only", t.Address)
	}
}

// checkPaths finds what two targets would write over each other.
func (c *Config) checkPaths(p *problems) {
	first := map[string]int{}
	for i, t := range c.Targets {
		name := map[string]string{"file": "the file " + t.Path, "stdout": "standard output"}[t.Type]
		if name == "" || t.Type == "file" && t.Path == "" {
			continue
		}
		if j, ok := first[name]; ok {
			p.add(fmt.Sprintf("targets[%d]", i), "writes to %s, as targets[%d] does; expected one target each", name, j)
		}
		first[name] = i
	}
}

func (s Services) check(p *problems) {
	for _, name := range s.Order() {
		for i, shown := range s.named()[name].Shows {
			key := fmt.Sprintf("services.%s.shows[%d]", name, i)
			oneOf(p, key, shown, s.Order()...)
			if shown == name {
				p.add(key, "found the service itself, expected another whose alerts it shows too")
			}
		}
	}
}

func (d Dedup) check(p *problems) {
	positive(p, "dedup.window", d.Window)
	positive(p, "dedup.skew", d.Skew)
	positive(p, "dedup.raise_skew", d.RaiseSkew)
	positive(p, "dedup.remember.alerts", d.Remember.Alerts)
	positive(p, "dedup.remember.activities", d.Remember.Activities)
	if d.Remember.Alerts < d.Window {
		p.add("dedup.remember.alerts", "found %s, expected at least dedup.window, %s: a twin is looked for that long", d.Remember.Alerts, d.Window)
	}
	if d.Skew > d.Window || d.RaiseSkew > d.Window {
		p.add("dedup.window", "found %s, expected at least dedup.skew and dedup.raise_skew", d.Window)
	}
}

func (s Stream) check(p *problems) {
	positive(p, "stream.retention", s.Retention)
	oneOf(p, "stream.durability", s.Durability, "synced", "process")
	if s.MaxDisk < 64<<20 {
		p.add("stream.max_disk", "found %s, expected at least 64MiB", s.MaxDisk)
	}
}

func positive(p *problems, key string, d time.Duration) {
	if d <= 0 {
		p.add(key, "found %s, expected more than 0", d)
	}
}

// checkHTTP: there is no authentication yet, so what will show alerts listens on loopback only.
func (c *Config) checkHTTP(p *problems) {
	for key, address := range map[string]string{"http.listen": c.HTTP.Listen, "metrics.listen": c.Metrics.Listen} {
		if address == "" {
			continue
		}
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			p.add(key, "found %q, expected host:port", address)
			continue
		}
		if ip := net.ParseIP(host); key == "http.listen" && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			p.add(key, "found %q, expected a loopback address: there is no authentication yet; metrics.listen serves "+
				"/metrics and the health endpoints on any address", address)
		}
	}
}

// checkFiles reads the certificates that the configuration names.
func (c *Config) checkFiles(p *problems) {
	pair := func(path string, t TLS) {
		if t.Cert != "" && t.Key != "" {
			if _, err := tls.LoadX509KeyPair(t.Cert, t.Key); err != nil {
				p.add(path+".cert", "%s", err)
			}
		}
	}
	authority := func(key, file string) {
		if file == "" {
			return
		}
		pem, err := os.ReadFile(file)
		if err == nil && !x509.NewCertPool().AppendCertsFromPEM(pem) {
			err = fmt.Errorf("%s: found no certificate, expected PEM", file)
		}
		if err != nil {
			p.add(key, "%s", err)
		}
	}
	for i, in := range c.Inputs {
		path := fmt.Sprintf("inputs[%d].tls", i)
		pair(path, in.TLS)
		authority(path+".client_ca", in.TLS.ClientCA)
	}
	for i, t := range c.Targets {
		path := fmt.Sprintf("targets[%d].tls", i)
		pair(path, t.TLS)
		authority(path+".ca", t.TLS.CA)
	}
}
