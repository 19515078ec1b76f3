package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config/filter"
)

// maxMessageLimit is what fits into one batch of the stream with everything said of it: a batch has at
// most 512 KiB, and bytes that aren't UTF-8 take a third more as base64.
const maxMessageLimit Size = 256 << 10

// minMessage is what every receiver must take (RFC 5424 section 6.1).
const minMessage Size = 480

// minDisk holds a few batches and the files that the stream keeps beside them.
const minDisk Size = 64 << 20

// maxWays is how many inputs there may be, and targets: each holds sockets or a file open.
const maxWays = 1000

// check finds what is wrong beyond the type of a value. It looks at no file.
func (c *Config) check(p *problems) {
	if c.DataDir == "" {
		p.add("data_dir", "found nothing, expected a directory")
	}
	checkHome(p, "data_dir", c.DataDir)
	if len(c.Inputs) == 0 {
		p.add("inputs", "found none, expected at least one")
	}
	if len(c.Targets) == 0 {
		p.add("targets", "found none, expected at least one: alerts would go nowhere")
	}
	if len(c.Inputs) > maxWays || len(c.Targets) > maxWays {
		p.add("inputs", "found %d, and %d targets; expected at most %d of each", len(c.Inputs), len(c.Targets), maxWays)
		return // what compares each with each would take long
	}
	unique(p, "inputs", len(c.Inputs), func(i int) string { return c.Inputs[i].Name })
	for i := range c.Inputs {
		c.Inputs[i].check(p, fmt.Sprintf("inputs[%d]", i))
	}
	unique(p, "targets", len(c.Targets), func(i int) string { return c.Targets[i].Name })
	for i := range c.Targets {
		c.Targets[i].check(p, fmt.Sprintf("targets[%d]", i), c.Services)
		if c.Targets[i].When.asksScore() && !c.Model.Enabled {
			p.add(fmt.Sprintf("targets[%d].when", i), "found user_score, but nobody has one where model.enabled is false")
		}
	}
	c.checkOutputs(p)
	c.checkKeys(p)
	c.checkHTTP(p)
	c.Access.check(p)
	c.checkPorts(p)
	c.checkLoops(p)
	c.Organisation.check(p)
	c.Services.check(p)
	c.checkClosure(p)
	c.checkPolicy(p)
	c.Dedup.check(p)
	c.Risk.check(p)
	c.Stream.check(p)
	c.Model.check(p)
}

// checkHome finds what a shell would have made the home directory of, and we would make a directory called ~ of.
func checkHome(p *problems, key, path string) {
	if path == "~" || strings.HasPrefix(path, "~/") {
		p.add(key, "found %s, expected the whole path, or ${HOME} for ~", quote(path))
	}
}

// maxName keeps names fit for logs, metrics and the cursors that are kept under them.
const maxName = 100

func unique(p *problems, list string, n int, name func(int) string) {
	first := map[string]int{}
	for i := range n {
		key := fmt.Sprintf("%s[%d].name", list, i)
		j, taken := first[name(i)]
		switch {
		case name(i) == "":
			p.add(key, "found nothing, expected a name; the log and the metrics use it")
		case len(name(i)) > maxName:
			p.add(key, "found a name of %d bytes, expected at most %d", len(name(i)), maxName)
		case taken:
			p.add(key, "found %q, which is the name of %s[%d] too; expected a name of its own", name(i), list, j)
		default:
			first[name(i)] = i
		}
	}
}

func oneOf(p *problems, key, value string, words ...string) {
	if slices.Contains(words, value) {
		return
	}
	hint := ""
	if n := filter.Nearest(value, words); n != "" && value != "" {
		hint = fmt.Sprintf("; did you mean %q?", n)
	}
	p.add(key, "found %s, expected %s%s", quote(value), alternatives(words), hint)
}

// alternatives writes a, b or c.
func alternatives(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func positive(p *problems, key string, d time.Duration) {
	if d <= 0 {
		p.add(key, "found %s, expected more than 0s", show(d))
	}
}

func (in *Input) check(p *problems, path string) {
	oneOf(p, path+".type", in.Type, "syslog", "relp", "http")
	checkAddress(p, path+".listen", in.Listen, true)
	if in.Type != "syslog" && scheme(in.Listen) == "udp" && p.known(path+".type") {
		p.add(path+".listen", "found %s, expected tcp:// or tls:// with type: %s", quote(in.Listen), in.Type)
	}
	in.checkHTTP(p, path)
	if in.MaxMessage < minMessage || in.MaxMessage > maxMessageLimit {
		p.add(path+".max_message", "found %s, expected %s, which every receiver must take, to %s, which fits into the stream",
			in.MaxMessage, minMessage, maxMessageLimit)
	}
	if in.MaxConnections < 1 {
		p.add(path+".max_connections", "found %d, expected at least 1", in.MaxConnections)
	}
	positive(p, path+".idle_timeout", in.IdleTimeout)
	for _, key := range []string{path + ".max_connections", path + ".idle_timeout"} {
		if scheme(in.Listen) == "udp" && p.lines[key] > 0 && p.known(path+".listen") {
			p.add(key, "found beside listen: %s, which has no connections; expected only with tcp:// or tls://", quote(in.Listen))
		}
	}
	in.checkSpeakers(p, path)
	oneOf(p, path+".tls.client_auth", in.TLS.ClientAuth, "off", "optional", "required")
	switch scheme(in.Listen) {
	case "tls":
		in.TLS.checkInput(p, path+".tls")
	case "tcp", "udp":
		// Who asks for client certificates must not be left with an open port.
		if in.TLS != (TLS{ClientAuth: "off"}) && p.known(path+".listen") {
			p.add(path+".tls", "found beside listen: %s, expected only with tls://", quote(in.Listen))
		}
	}
}

func (t TLS) checkInput(p *problems, path string) {
	switch {
	case t.Cert == "" && t.Key == "":
		p.add(path, "found neither cert nor key, expected both: listen is tls://")
	case t.Cert == "":
		p.add(path+".key", "found without cert, expected both: listen is tls://")
	case t.Key == "":
		p.add(path+".cert", "found without key, expected both: listen is tls://")
	}
	switch {
	case t.ClientAuth == "off" && t.ClientCA != "":
		p.add(path+".client_ca", "found with client_auth: off, expected client_auth: optional or required")
	case slices.Contains([]string{"optional", "required"}, t.ClientAuth) && t.ClientCA == "":
		p.add(path+".client_auth", "found %q without client_ca, expected the authority of the senders' certificates", t.ClientAuth)
	}
	if t.CA != "" {
		p.add(path+".ca", "found in an input, expected in a target; the authority of the senders' certificates is client_ca")
	}
	if t.ServerName != "" {
		p.add(path+".server_name", "found in an input, expected in a target")
	}
}

func (o Organisation) check(p *problems) {
	for i, d := range o.Domains {
		path := fmt.Sprintf("organisation.domains[%d]", i)
		if d.NetBIOS == "" && d.DNS == "" {
			p.add(path, "found neither netbios nor dns, expected at least one name of the domain")
		}
		name := func(key, value string) {
			if strings.ContainsAny(value, `@\/ *`) {
				p.add(key, "found %s, expected the domain alone, such as contoso.com", quote(value))
			}
		}
		name(path+".netbios", d.NetBIOS)
		name(path+".dns", d.DNS)
		for j, suffix := range d.UPNSuffixes {
			key := p.element(path+".upn_suffixes", j)
			if suffix == "" {
				p.add(key, "found nothing, expected what follows the @ of a user name")
			}
			name(key, suffix)
		}
	}
}

func (r Risk) check(p *problems) {
	const day, most = 24 * time.Hour, 60 * 24 * time.Hour
	if r.Learning < day || r.Learning > most || r.Learning%day != 0 {
		p.add("risk.learning", "found %s, expected whole days from 1d to 60d", show(r.Learning))
	}
	for _, w := range []struct {
		key     string
		percent int
	}{{"sensitive", r.Impact.Sensitive}, {"admin", r.Impact.Admin}, {"watched", r.Impact.Watched}} {
		if w.percent < 100 || w.percent > 1000 {
			p.add("risk.impact."+w.key, "found %d, expected percents from 100 to 1000", w.percent)
		}
	}
	for i, user := range r.Watched {
		if user == "" {
			p.add(p.element("risk.watched", i), "found nothing, expected a user such as anna@contoso.com")
		}
	}
}

func (s Services) check(p *problems) {
	for _, name := range s.Order() {
		others(p, "services."+name+".shows", name, s.named()[name].Shows, "whose alerts it shows too")
	}
}

// checkClosure takes a circle of services too: closing in any of them then closes in all.
func (c *Config) checkClosure(p *problems) {
	for _, name := range c.Services.Order() {
		others(p, "closure."+name, name, c.Closure.named()[name], "in which the alert is closed too")
	}
	if c.UndoWindow < 0 {
		p.add("undo_window", "found %s, expected 0s or more", show(c.UndoWindow))
	}
}

// others checks a list of services in which the one of that name can't be.
func others(p *problems, list, name string, services []string, what string) {
	seen := map[string]bool{}
	for i, other := range services {
		if p.full {
			return
		}
		key := p.element(list, i)
		oneOf(p, key, other, Services{}.Order()...)
		switch {
		case other == name:
			p.add(key, "found the service itself, expected another one %s", what)
		case seen[other]:
			p.add(key, "found %s twice, expected it once", quote(other))
		}
		seen[other] = true
	}
}

func (d Dedup) check(p *problems) {
	positive(p, "dedup.window", d.Window)
	positive(p, "dedup.skew", d.Skew)
	positive(p, "dedup.raise_skew", d.RaiseSkew)
	positive(p, "dedup.remember.alerts", d.Remember.Alerts)
	positive(p, "dedup.remember.activities", d.Remember.Activities)
	atMost(p, "dedup.skew", d.Skew, "dedup.window", d.Window)
	atMost(p, "dedup.raise_skew", d.RaiseSkew, "dedup.window", d.Window)
	atMost(p, "dedup.window", d.Window, "dedup.remember.alerts", d.Remember.Alerts)
}

// atMost finds a key that is greater than another one may be, and says so at the one that is in the file.
func atMost(p *problems, key string, d time.Duration, limitKey string, limit time.Duration) {
	if d > limit && limit > 0 {
		p.either(key, fmt.Sprintf("found %s, expected at most %s, which is %s", show(d), limitKey, show(limit)),
			limitKey, fmt.Sprintf("found %s, expected at least %s, which is %s", show(limit), key, show(d)))
	}
}

func (s Stream) check(p *problems) {
	positive(p, "stream.retention", s.Retention)
	oneOf(p, "stream.durability", s.Durability, "synced", "process")
	if s.MaxDisk < minDisk {
		p.add("stream.max_disk", "found %s, expected at least %s", s.MaxDisk, minDisk)
	}
}

func (m Model) check(p *problems) {
	positive(p, "model.retention.activities", m.Retention.Activities)
	positive(p, "model.retention.alerts", m.Retention.Alerts)
	if m.MaxDisk < minDisk {
		p.add("model.max_disk", "found %s, expected at least %s", m.MaxDisk, minDisk)
	}
}
