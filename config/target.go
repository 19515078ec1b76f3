package config

import (
	"slices"
	"time"
)

// Target is a way out. Some keys are for every type, the others for the types that [Target.uses] names.
type Target struct {
	Name      string        `koanf:"name"`
	Type      string        `koanf:"type"`
	Format    string        `koanf:"format"`     // see formats
	When      When          `koanf:"when"`       // what this target gets; everything where it is empty
	From      From          `koanf:"from"`       // where a target begins that has no place in the stream yet
	RateLimit int           `koanf:"rate_limit"` // entries a second, and at once; 0 is any
	Batch     Batch         `koanf:"batch"`      //
	Timeout   time.Duration `koanf:"timeout"`    // of one request
	TLS       TLS           `koanf:"tls"`        //
	Proxy     string        `koanf:"proxy"`      // http://, https:// or socks5://, or none; where empty, over HTTP the environment's

	Address    string `koanf:"address"`     // syslog: udp://, tcp://, tls://, relp:// or relp+tls:// with host and port
	Header     string `koanf:"header"`      // syslog: rfc5424 | rfc3164
	Framing    string `koanf:"framing"`     // syslog over tcp and tls: octet | newline
	MaxMessage Size   `koanf:"max_message"` // syslog: bytes of a message, with its header; 0 is what the transport takes

	Path   string `koanf:"path"`   // file
	Rotate Rotate `koanf:"rotate"` // file

	URL         string `koanf:"url"`         // http:// or https://; for nats nats:// or tls://
	Compression string `koanf:"compression"` // of requests: gzip | none; for kafka also lz4, snappy and zstd
	Username    string `koanf:"username"`
	Password    Secret `koanf:"password"`
	Token       Secret `koanf:"token"` // splunk_hec: the HEC token; nats; http: a bearer token

	Index           string        `koanf:"index"`           // splunk_hec: "" is the token's own; elasticsearch: data stream or index
	Source          string        `koanf:"source"`          // splunk_hec
	SourceType      string        `koanf:"sourcetype"`      // splunk_hec
	Acknowledgement bool          `koanf:"acknowledgement"` // splunk_hec: wait until the indexer has it
	AckTimeout      time.Duration `koanf:"ack_timeout"`     // splunk_hec: what isn't acknowledged by then is sent again

	APIKey Secret `koanf:"api_key"` // elasticsearch: as Kibana shows it, id:key in base64

	Rule            string `koanf:"rule"`             // sentinel: immutable ID of the data collection rule
	Stream          string `koanf:"stream"`           // sentinel: the rule's stream; nats: the stream that the subject must lead to
	Tenant          string `koanf:"tenant"`           // sentinel
	ClientID        string `koanf:"client_id"`        // sentinel: the application's, or that of a user-assigned identity
	ClientSecret    Secret `koanf:"client_secret"`    // sentinel
	ManagedIdentity bool   `koanf:"managed_identity"` // sentinel: the machine's own identity, without a secret
	Cloud           string `koanf:"cloud"`            // sentinel: public | government | china
	Authority       string `koanf:"authority"`        // sentinel: where tokens are issued; the cloud's where empty

	Brokers []string `koanf:"brokers"` // kafka: tcp:// or tls:// with host and port
	Topic   string   `koanf:"topic"`   // kafka
	SASL    string   `koanf:"sasl"`    // kafka: none | plain | scram-sha-256 | scram-sha-512

	Subject     string `koanf:"subject"`     // nats
	Credentials string `koanf:"credentials"` // nats: a .creds file

	Body      string   `koanf:"body"`      // http: one entry a request, or ndjson
	Signature string   `koanf:"signature"` // http: none | standard | timestamped | github
	Secrets   []Secret `koanf:"secrets"`   // http: of the signature; more than one while they change
	Headers   []Header `koanf:"headers"`   // http
	Conflict  string   `koanf:"conflict"`  // http: what 409 means: delivered | refused
}

// Batch bounds what goes out at once.
type Batch struct {
	Entries int           `koanf:"entries"`
	Size    Size          `koanf:"size"` // of a request, before compression
	Wait    time.Duration `koanf:"wait"` // for a batch to fill, at most
}

// Rotate says when a file is put aside, and how many of these stay. It is off where neither Size nor Age is set.
type Rotate struct {
	Size        Size          `koanf:"size"`
	Age         time.Duration `koanf:"age"`
	Keep        int           `koanf:"keep"`
	Compression string        `koanf:"compression"` // gzip | none
}

// Header is a header of an HTTP request.
type Header struct {
	Name  string `koanf:"name"`
	Value Secret `koanf:"value"`
}

// targetTypes lists the types there are.
func targetTypes() []string {
	return []string{"syslog", "splunk_hec", "elasticsearch", "sentinel", "kafka", "nats", "http", "file", "stdout"}
}

// formats lists the formats there are.
func formats() []string {
	return []string{
		"cef", "cef_original", "cef_rendered", "leef1", "leef2", "json", "ecs", "ocsf",
		"asim", "common_security_log", "sentinel_table",
	}
}

// jsonFormats lists those that are one JSON object each.
func jsonFormats() []string {
	return []string{"json", "ecs", "ocsf", "asim", "common_security_log", "sentinel_table"}
}

// JSON says whether the format is one JSON object for each entry, and not a text.
func (t *Target) JSON() bool { return slices.Contains(jsonFormats(), t.Format) }

// Bare says that a SIEM gets events without anything of ours, neither the alert's ID nor its twin: the format has it
// in the transport's header, and there is none, or one with no place for it.
func (t *Target) Bare() bool {
	if t.Format != "cef_original" {
		return false
	}
	switch t.Type {
	case "syslog":
		return t.Header == "rfc3164"
	case "http":
		return t.Body == "ndjson"
	}
	return t.Type == "file" || t.Type == "stdout"
}

// use is a key that some types of targets have and others don't.
type use struct {
	key   string
	set   bool
	types []string
}

// uses lists which types have which keys.
func (t *Target) uses() []use {
	http := []string{"splunk_hec", "elasticsearch", "sentinel", "http"}
	requests := append([]string{"kafka", "nats"}, http...)
	return []use{
		{"batch", t.Batch != Batch{}, append([]string{"syslog", "file"}, requests...)},
		{"timeout", t.Timeout != 0, requests},
		{"tls", t.TLS != TLS{}, append([]string{"syslog"}, requests...)},
		{"proxy", t.Proxy != "", append([]string{"syslog"}, requests...)},
		{"address", t.Address != "", []string{"syslog"}},
		{"header", t.Header != "", []string{"syslog"}},
		{"framing", t.Framing != "", []string{"syslog"}},
		{"max_message", t.MaxMessage != 0, []string{"syslog"}},
		{"path", t.Path != "", []string{"file"}},
		{"rotate", t.Rotate != Rotate{}, []string{"file"}},
		{"url", t.URL != "", append([]string{"nats"}, http...)},
		{"compression", t.Compression != "", append([]string{"kafka"}, http...)},
		{"username", t.Username != "", []string{"elasticsearch", "kafka", "nats", "http"}},
		{"password", t.Password != "", []string{"elasticsearch", "kafka", "nats", "http"}},
		{"token", t.Token != "", []string{"splunk_hec", "nats", "http"}},
		{"index", t.Index != "", []string{"splunk_hec", "elasticsearch"}},
		{"source", t.Source != "", []string{"splunk_hec"}},
		{"sourcetype", t.SourceType != "", []string{"splunk_hec"}},
		{"acknowledgement", t.Acknowledgement, []string{"splunk_hec"}},
		{"ack_timeout", t.AckTimeout != 0, []string{"splunk_hec"}},
		{"api_key", t.APIKey != "", []string{"elasticsearch"}},
		{"rule", t.Rule != "", []string{"sentinel"}},
		{"stream", t.Stream != "", []string{"sentinel", "nats"}},
		{"tenant", t.Tenant != "", []string{"sentinel"}},
		{"client_id", t.ClientID != "", []string{"sentinel"}},
		{"client_secret", t.ClientSecret != "", []string{"sentinel"}},
		{"managed_identity", t.ManagedIdentity, []string{"sentinel"}},
		{"cloud", t.Cloud != "", []string{"sentinel"}},
		{"authority", t.Authority != "", []string{"sentinel"}},
		{"brokers", t.Brokers != nil, []string{"kafka"}},
		{"topic", t.Topic != "", []string{"kafka"}},
		{"sasl", t.SASL != "", []string{"kafka"}},
		{"subject", t.Subject != "", []string{"nats"}},
		{"credentials", t.Credentials != "", []string{"nats"}},
		{"body", t.Body != "", []string{"http"}},
		{"signature", t.Signature != "", []string{"http"}},
		{"secrets", t.Secrets != nil, []string{"http"}},
		{"headers", t.Headers != nil, []string{"http"}},
		{"conflict", t.Conflict != "", []string{"http"}},
	}
}

// complete gives the keys that aren't written their defaults, by type.
func (t *Target) complete(written func(key string) bool) {
	format := "json"
	batch := Batch{}
	switch t.Type {
	case "syslog":
		format, batch = "cef", Batch{Entries: 512}
		complete(&t.Header, "rfc5424", written("header"))
		complete(&t.Framing, t.defaultFraming(), written("framing"))
	case "file":
		batch = Batch{Entries: 512}
		if t.Rotate != (Rotate{}) {
			complete(&t.Rotate.Keep, 10, written("rotate.keep"))
			complete(&t.Rotate.Compression, "gzip", written("rotate.compression"))
		}
	case "splunk_hec":
		batch = Batch{Entries: 1000, Size: 1 << 20} // Splunk Cloud's guidance
		complete(&t.Source, "sluice", written("source"))
		complete(&t.SourceType, "sluice:json", written("sourcetype"))
		if t.Acknowledgement {
			complete(&t.AckTimeout, 5*time.Minute, written("ack_timeout"))
		}
	case "elasticsearch":
		format, batch = "ecs", Batch{Entries: 1000, Size: 8 << 20}
		complete(&t.Index, "logs-sluice.alert-default", written("index"))
	case "sentinel":
		format, batch = "sentinel_table", Batch{Entries: 1000, Size: 900 << 10} // of 1 MB that the service takes
		if t.Stream == "Microsoft-CommonSecurityLog" {
			format = "common_security_log"
		}
		complete(&t.Cloud, "public", written("cloud"))
	case "kafka":
		batch = Batch{Entries: 1000, Size: 1000 << 10} // of 1 MiB that a broker takes
		complete(&t.Compression, "gzip", written("compression"))
		complete(&t.SASL, "none", written("sasl"))
	case "nats":
		batch = Batch{Entries: 512, Size: 1 << 20} // of one message: the server's usual max_payload
	case "http":
		batch = Batch{Entries: 1}
		complete(&t.Body, "one", written("body"))
		if t.Body == "ndjson" {
			batch = Batch{Entries: 500, Size: 1 << 20}
		}
		complete(&t.Signature, "none", written("signature"))
		complete(&t.Conflict, "refused", written("conflict"))
		complete(&t.Compression, "none", written("compression")) // not every receiver reads anything else
	}
	complete(&t.Format, format, written("format"))
	complete(&t.Batch.Entries, batch.Entries, written("batch.entries"))
	complete(&t.Batch.Size, batch.Size, written("batch.size"))
	switch t.Type {
	case "splunk_hec", "elasticsearch", "sentinel":
		complete(&t.Compression, "gzip", written("compression"))
		fallthrough
	case "kafka", "nats", "http":
		complete(&t.Timeout, 30*time.Second, written("timeout"))
	}
}

// defaultFraming is octet over TLS, where RFC 5425 section 4.3 demands it, and newline over TCP, where
// RFC 6587 knows both and the receivers that read only one, such as a plain rsyslog or logstash input,
// read newlines; nothing that Sluice renders has a line feed inside. Over UDP a datagram is a message, and
// RELP has frames of its own.
func (t *Target) defaultFraming() string {
	if scheme(t.Address) == "tls" {
		return "octet"
	}
	return "newline"
}
