package config

import (
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

func (t *Target) check(p *problems, path string, s Services) {
	oneOf(p, path+".type", t.Type, targetTypes()...)
	t.When.check(p, path+".when")
	if t.RateLimit < 0 {
		p.add(path+".rate_limit", "found %d, expected entries a second, or 0 for as many as there are", t.RateLimit)
	}
	if !slices.Contains(targetTypes(), t.Type) || !p.known(path+".type") {
		oneOf(p, path+".format", t.Format, formats()...)
		return
	}
	t.checkFormat(p, path)
	t.checkUnused(p, path)
	t.checkBatch(p, path)
	switch t.Type {
	case "syslog":
		t.checkSyslog(p, path)
	case "file":
		t.checkFile(p, path)
	case "splunk_hec":
		t.checkSplunk(p, path)
	case "elasticsearch":
		t.checkElasticsearch(p, path)
	case "sentinel":
		t.checkSentinel(p, path)
	case "kafka":
		t.checkKafka(p, path)
	case "nats":
		t.checkNATS(p, path)
	case "http":
		t.checkWebhook(p, path)
	}
}

// checkFormat: some targets take JSON objects and nothing else.
func (t *Target) checkFormat(p *problems, path string) {
	switch {
	case t.Type == "elasticsearch":
		oneOf(p, path+".format", t.Format, "ecs", "json", "ocsf")
	case t.Type == "sentinel":
		oneOf(p, path+".format", t.Format, "sentinel_table", "common_security_log", "asim")
	case t.Type == "http" && t.Body == "ndjson":
		oneOf(p, path+".format", t.Format, jsonFormats()...)
	default:
		oneOf(p, path+".format", t.Format, formats()...)
	}
}

// checkUnused finds keys that only other types of targets have.
func (t *Target) checkUnused(p *problems, path string) {
	for _, u := range t.uses() {
		if u.set && !slices.Contains(u.types, t.Type) {
			p.add(path+"."+u.key, "found in a target of type %s, expected with type: %s only", t.Type, alternatives(u.types))
		}
	}
}

// mostEntries bounds the memory that a batch takes, and longestWait what an alert waits for others.
const (
	mostEntries = 10_000
	longestWait = time.Minute
)

func (t *Target) checkBatch(p *problems, path string) {
	if t.Type == "stdout" || t.Type == "syslog" && scheme(t.Address) == "udp" {
		return
	}
	if t.Batch.Entries < 1 || t.Batch.Entries > mostEntries {
		p.add(path+".batch.entries", "found %d, expected 1 to %d", t.Batch.Entries, mostEntries)
	}
	if t.Type == "http" && t.Body == "one" && t.Batch.Entries > 1 {
		p.add(path+".batch.entries", "found %d with body: one, expected 1; body: ndjson sends more in a request", t.Batch.Entries)
	}
	if t.Batch.Size != 0 && (t.Batch.Size < 64<<10 || t.Batch.Size > 64<<20) {
		p.add(path+".batch.size", "found %s, expected 64KiB to 64MiB", t.Batch.Size)
	}
	if t.Batch.Size != 0 && (t.Type == "syslog" || t.Type == "file") {
		p.add(path+".batch.size", "found in a target of type %s, which has no requests; expected entries and wait only", t.Type)
	}
	if t.Batch.Wait < 0 || t.Batch.Wait > longestWait {
		p.add(path+".batch.wait", "found %s, expected 0s to %s", show(t.Batch.Wait), show(longestWait))
	}
	if t.Timeout <= 0 && slices.Contains([]string{"splunk_hec", "elasticsearch", "sentinel", "kafka", "nats", "http"}, t.Type) {
		positive(p, path+".timeout", t.Timeout)
	}
}

func (t *Target) checkSyslog(p *problems, path string) {
	checkAddress(p, path+".address", t.Address, false)
	oneOf(p, path+".header", t.Header, "rfc5424", "rfc3164")
	oneOf(p, path+".framing", t.Framing, "octet", "newline")
	if t.Framing == "octet" && (scheme(t.Address) == "udp" || t.RELP()) {
		p.add(path+".framing", "found octet beside address: %s, expected it with tcp:// or tls:// only", quote(t.Address))
	}
	if t.MaxMessage != 0 && (t.MaxMessage < 4<<10 || t.MaxMessage > 1<<20) {
		p.add(path+".max_message", "found %s, expected 4KiB to 1MiB", t.MaxMessage)
	}
	t.checkProxy(p, path)
	if t.Proxy != "" && scheme(t.Address) == "udp" {
		p.add(path+".proxy", "found beside address: %s, expected it with tcp://, tls://, relp:// or relp+tls:// only: proxies pass no datagrams on",
			quote(t.Address))
	}
	t.checkTLS(p, path, "address", t.Address, scheme(t.wire()) != "tcp" && scheme(t.wire()) != "udp")
}

// RELP says whether a syslog target speaks RELP.
func (t *Target) RELP() bool {
	return strings.HasPrefix(t.Address, "relp://") || strings.HasPrefix(t.Address, "relp+tls://")
}

// wire is the address with the scheme of what carries the messages: relp:// is over tcp://.
func (t *Target) wire() string {
	if rest, ok := strings.CutPrefix(t.Address, "relp://"); ok {
		return "tcp://" + rest
	}
	return strings.TrimPrefix(t.Address, "relp+")
}

// checkTLS looks at the keys of TLS beside the key that says whether there is any.
func (t *Target) checkTLS(p *problems, path, key, value string, secure bool) {
	if !secure {
		if t.TLS != (TLS{}) && p.known(path+"."+key) {
			p.add(path+".tls", "found beside %s: %s, which has no TLS", key, quote(value))
		}
		return
	}
	switch {
	case t.TLS.Cert == "" && t.TLS.Key != "":
		p.add(path+".tls.key", "found without cert, expected both or neither")
	case t.TLS.Cert != "" && t.TLS.Key == "":
		p.add(path+".tls.cert", "found without key, expected both or neither")
	}
	if t.TLS.ClientCA != "" {
		p.add(path+".tls.client_ca", "found in a target, expected in an input; the authority of the SIEM's certificate is ca")
	}
	if t.TLS.ClientAuth != "" {
		p.add(path+".tls.client_auth", "found in a target, expected in an input")
	}
}

func (t *Target) checkFile(p *problems, path string) {
	if t.Path == "" {
		p.add(path+".path", "found nothing, expected the file to write")
	}
	checkHome(p, path+".path", t.Path)
	r := t.Rotate
	if r == (Rotate{}) {
		return
	}
	switch {
	case r.Size == 0 && r.Age == 0:
		p.add(path+".rotate", "found neither size nor age, expected when the file is put aside")
	case r.Size != 0 && r.Size < 64<<10:
		p.add(path+".rotate.size", "found %s, expected at least 64KiB", r.Size)
	case r.Age < 0:
		p.add(path+".rotate.age", "found %s, expected more than 0s", show(r.Age))
	}
	if r.Keep < 1 {
		p.add(path+".rotate.keep", "found %d, expected at least 1: what was written last must stay", r.Keep)
	}
	oneOf(p, path+".rotate.compression", r.Compression, "gzip", "none")
}

// checkURL expects a URL with one of the schemes, of which those that end in s have TLS.
func (t *Target) checkURL(p *problems, path string, schemes ...string) {
	var urls []string
	for _, s := range schemes {
		urls = append(urls, s+"://")
	}
	u, err := url.Parse(t.URL)
	switch {
	case err != nil || !slices.Contains(schemes, u.Scheme) || u.Host == "":
		p.add(path+".url", "found %s, expected %s with a host", quote(t.URL), alternatives(urls))
		return
	case u.User != nil:
		p.add(path+".url", "found a user name in it, expected it in a key of its own: a URL is written to logs")
	case u.Port() != "" && !isPort(u.Port(), 1) || !isHost(u.Hostname()):
		p.add(path+".url", "found %s, expected a host, and a port of 1 to 65535 or none", quote(t.URL))
	case u.RawQuery != "" || u.Fragment != "":
		if t.Type != "http" {
			p.add(path+".url", "found %s, expected no ? or # in it", quote(t.URL))
		}
	}
	t.checkTLS(p, path, "url", t.URL, strings.HasSuffix(u.Scheme, "s") && u.Scheme != "nats")
}

// checkRequests looks at the keys of the targets over HTTP.
func (t *Target) checkRequests(p *problems, path string) {
	t.checkURL(p, path, "https", "http")
	oneOf(p, path+".compression", t.Compression, "gzip", "none")
	t.checkProxy(p, path)
	t.Token.checkHeader(p, path+".token")
	t.APIKey.checkHeader(p, path+".api_key")
}

func (t *Target) checkProxy(p *problems, path string) {
	if t.Proxy == "" || t.Proxy == "none" {
		return
	}
	u, err := url.Parse(t.Proxy)
	if err != nil || !slices.Contains([]string{"http", "https", "socks5"}, u.Scheme) || u.Host == "" {
		p.add(path+".proxy", "found %s, expected http://, https:// or socks5:// with host and port, or none", quote(t.Proxy))
	}
}

func (t *Target) checkSplunk(p *problems, path string) {
	t.checkRequests(p, path)
	if t.Token == "" {
		p.add(path+".token", "found nothing, expected the token of the HTTP event collector")
	}
	if t.Acknowledgement {
		positive(p, path+".ack_timeout", t.AckTimeout)
	} else if t.AckTimeout != 0 {
		p.add(path+".ack_timeout", "found without acknowledgement: true, expected with it only")
	}
}

func (t *Target) checkElasticsearch(p *problems, path string) {
	t.checkRequests(p, path)
	t.checkLogin(p, path)
	if t.APIKey != "" && t.Username != "" {
		p.add(path+".api_key", "found beside username, expected one of them")
	}
	// The names that Elasticsearch takes: no upper case, none of \ / * ? " < > | , # : and blanks.
	if t.Index == "" || strings.ToLower(t.Index) != t.Index || strings.ContainsAny(t.Index, "\\/*?\"<>| ,#:") || strings.HasPrefix(t.Index, ".") {
		p.add(path+".index", "found %s, expected the name of a data stream or an index, in lower case", quote(t.Index))
	}
}

// checkLogin: a password without a name is a mistake, and so is a name without a password.
func (t *Target) checkLogin(p *problems, path string) {
	switch {
	case t.Username == "" && t.Password != "":
		p.add(path+".password", "found without username, expected both or neither")
	case t.Username != "" && t.Password == "":
		p.add(path+".username", "found without password, expected both or neither")
	}
}

func (t *Target) checkSentinel(p *problems, path string) {
	t.checkRequests(p, path)
	if !regexp.MustCompile(`^dcr-[0-9a-f]{32}$`).MatchString(t.Rule) {
		p.add(path+".rule", "found %s, expected the immutable ID of the data collection rule, such as dcr-0123456789abcdef0123456789abcdef", quote(t.Rule))
	}
	if !regexp.MustCompile(`^(Custom|Microsoft)-\w+$`).MatchString(t.Stream) {
		p.add(path+".stream", "found %s, expected the rule's stream, such as Custom-Sluice_CL or Microsoft-CommonSecurityLog", quote(t.Stream))
	}
	for _, built := range []struct{ stream, format string }{
		{"Microsoft-CommonSecurityLog", "common_security_log"}, {"Microsoft-ASim", "asim"},
	} {
		if strings.HasPrefix(t.Stream, built.stream) && t.Format != built.format {
			p.add(path+".format", "found %s beside stream: %s, expected %s: the service drops columns that the table doesn't have, and says nothing",
				quote(t.Format), t.Stream, built.format)
		}
	}
	oneOf(p, path+".cloud", t.Cloud, "public", "government", "china")
	if t.Authority != "" {
		if u, err := url.Parse(t.Authority); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			p.add(path+".authority", "found %s, expected a URL such as https://login.microsoftonline.com", quote(t.Authority))
		}
	}
	if t.ManagedIdentity {
		for _, k := range []struct {
			key string
			set bool
		}{{"tenant", t.Tenant != ""}, {"client_secret", t.ClientSecret != ""}} {
			if k.set {
				p.add(path+"."+k.key, "found beside managed_identity: true, expected one of them")
			}
		}
		return
	}
	for _, k := range []struct {
		key string
		set bool
	}{{"tenant", t.Tenant != ""}, {"client_id", t.ClientID != ""}, {"client_secret", t.ClientSecret != ""}} {
		if !k.set {
			p.add(path+"."+k.key, "found nothing, expected tenant, client_id and client_secret of an application, or managed_identity: true")
		}
	}
}

func (t *Target) checkKafka(p *problems, path string) {
	t.checkProxy(p, path)
	if len(t.Brokers) == 0 {
		p.add(path+".brokers", "found none, expected tcp:// or tls:// with host and port of at least one broker")
	}
	secure := 0
	for i, b := range t.Brokers {
		checkURL(p, p.element(path+".brokers", i), b, false, "tcp://", "tls://")
		if scheme(b) == "tls" {
			secure++
		}
	}
	if secure > 0 && secure < len(t.Brokers) {
		p.add(path+".brokers", "found both tcp:// and tls://, expected one for all: the brokers name each other without")
	}
	if !regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`).MatchString(t.Topic) || t.Topic == "." || t.Topic == ".." {
		p.add(path+".topic", "found %s, expected the name of a topic: letters, digits, dot, underscore and hyphen", quote(t.Topic))
	}
	oneOf(p, path+".sasl", t.SASL, "none", "plain", "scram-sha-256", "scram-sha-512")
	oneOf(p, path+".compression", t.Compression, "gzip", "snappy", "lz4", "zstd", "none")
	t.checkLogin(p, path)
	if (t.SASL == "none") != (t.Username == "") && p.known(path+".sasl") {
		p.add(path+".sasl", "found %s with username %s, expected plain, scram-sha-256 or scram-sha-512 with a user name, and none without",
			t.SASL, quote(t.Username))
	}
	t.checkTLS(p, path, "brokers", strings.Join(t.Brokers, ", "), secure > 0)
}

func (t *Target) checkNATS(p *problems, path string) {
	t.checkProxy(p, path)
	t.checkURL(p, path, "nats", "tls")
	t.checkLogin(p, path)
	if t.Subject == "" || strings.ContainsAny(t.Subject, " *>\t\r\n") || slices.Contains(strings.Split(t.Subject, "."), "") {
		p.add(path+".subject", "found %s, expected a subject without wildcards, such as sluice.alerts", quote(t.Subject))
	}
	if strings.ContainsAny(t.Stream, " .*>/\\\t\r\n") {
		p.add(path+".stream", "found %s, expected the name of a stream, without blanks, dots and wildcards", quote(t.Stream))
	}
	ways := 0
	for _, set := range []bool{t.Username != "", t.Token != "", t.Credentials != ""} {
		if set {
			ways++
		}
	}
	if ways > 1 {
		p.add(path, "found more than one of username, token and credentials, expected one way to log in")
	}
}

func (t *Target) checkWebhook(p *problems, path string) {
	t.checkRequests(p, path)
	t.checkLogin(p, path)
	if t.Token != "" && t.Username != "" {
		p.add(path+".token", "found beside username, expected one of them")
	}
	oneOf(p, path+".body", t.Body, "one", "ndjson")
	oneOf(p, path+".conflict", t.Conflict, "delivered", "refused")
	oneOf(p, path+".signature", t.Signature, "none", "standard", "timestamped", "github")
	if (t.Signature == "none") != (len(t.Secrets) == 0) && p.known(path+".signature") {
		p.add(path+".signature", "found %s with %d secrets, expected a signature and its secrets together", t.Signature, len(t.Secrets))
	}
	for i, s := range t.Secrets {
		if len(s) < minToken {
			p.add(p.element(path+".secrets", i), "found %d characters, expected at least %d that nobody can guess", len(s), minToken)
		}
	}
	for i, h := range t.Headers {
		key := p.element(path+".headers", i)
		if !regexp.MustCompile("^[-!#$%&'*+.^_`|~0-9A-Za-z]+$").MatchString(h.Name) {
			p.add(key+".name", "found %s, expected the name of an HTTP header", quote(h.Name))
		}
	}
}

// checkOutputs finds what two targets would write over each other, and what the SIEM would get twice.
func (c *Config) checkOutputs(p *problems) {
	first := map[string]int{}
	for i := range c.Targets {
		t := &c.Targets[i]
		key, what, output := t.output()
		if what == "" || t.Type == "syslog" && scheme(t.wire()) == "" {
			continue
		}
		key = fmt.Sprintf("targets[%d].%s", i, key)
		if j, ok := first[output]; ok {
			p.add(key, "found %s, which targets[%d] writes to too; expected one target each", quote(what), j)
			continue
		}
		first[output] = i
	}
}

// checkKeys finds targets that may give the same events to one place that takes each event key once, whatever the
// format: what the second one sends would be lost, and count as delivered. Whether their `when` are apart
// nobody can tell, as an alert has many sightings.
func (c *Config) checkKeys(p *problems) {
	for i := range c.Targets {
		t := &c.Targets[i]
		for j := range i {
			if key, value, other := t.shares(&c.Targets[j]); key != "" {
				p.add(fmt.Sprintf("targets[%d].%s", i, key), "found %s, and %s in targets[%d] on the same server, expected two by name: "+
					"it takes each event once, so that what the second target sends would be lost", quote(value), quote(other), j)
				break
			}
		}
	}
}

// shares says by which key two targets give their events to one place that takes each event once.
func (t *Target) shares(u *Target) (key, value, other string) {
	switch {
	case t.Type != u.Type || t.URL != u.URL || t.URL == "":
	case t.Type == "nats" && (t.Stream == "" || u.Stream == "" || t.Stream == u.Stream):
		return "stream", t.Stream, u.Stream
	case t.Type == "elasticsearch" && t.Index == u.Index:
		return "index", t.Index, u.Index
	}
	return "", "", ""
}

// output says by which key, and to what, a target writes, and what tells it from another target's. One
// place may get two formats, for two readers, or different entries.
func (t *Target) output() (key, what, output string) {
	switch t.Type {
	case "file":
		return "path", t.Path, "file " + filepath.Clean(t.Path)
	case "stdout":
		return "type", "stdout", "stdout"
	case "syslog":
		key, what = "address", t.Address
	case "kafka":
		key, what = "topic", t.Topic
	case "elasticsearch", "nats":
		return "url", "", "" // see checkKeys
	default:
		key, what = "url", t.URL
	}
	return key, what, fmt.Sprint(t.Type, t.Address, t.URL, t.Brokers, t.Topic, t.Subject, t.Index, t.Rule, t.Stream, t.Format, t.Header, t.When)
}
