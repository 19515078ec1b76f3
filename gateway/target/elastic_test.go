package target

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/stream"
	"github.com/sluice-siem/sluice/test/siem"
)

const elasticKey = "aWQ6dmVyeS1zZWNyZXQta2V5" // id:very-secret-key

func elasticConfig(url string) config.Target {
	return config.Target{
		Name: "elastic", Type: "elasticsearch", Format: "json", URL: url, Index: "logs-sluice.alert-default", APIKey: elasticKey,
		Compression: "gzip", Timeout: 300 * time.Millisecond, Batch: config.Batch{Entries: 3, Size: 8 << 20}, Proxy: "none",
	}
}

// newElastic makes a target of a server; change changes the usual ones.
func newElastic(t *testing.T, change func(*siem.Elastic, *config.Target)) (*Elastic, *siem.Elastic) {
	t.Helper()
	server := &siem.Elastic{Index: "logs-sluice.alert-default", DataStream: true, APIKey: elasticKey}
	cfg := elasticConfig(serve(t, server))
	if change != nil {
		change(server, &cfg)
	}
	return openElastic(t, cfg), server
}

func openElastic(t *testing.T, cfg config.Target) *Elastic {
	t.Helper()
	e, err := NewElastic(cfg, NewMetrics(nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// serve serves until the test ends, and gives the URL.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func TestElasticKeepsTheContract(t *testing.T) {
	every := []siem.Fault{siem.Refuse, siem.Throttle, siem.Reset, siem.Lie, siem.Stall}
	for name, change := range map[string]func(*siem.Elastic, *config.Target){
		"elasticsearch": nil,
		"opensearch": func(s *siem.Elastic, c *config.Target) {
			s.OpenSearch, s.APIKey, s.Username, s.Password = true, "", "sluice", "open"
			c.APIKey, c.Username, c.Password, c.Compression = "", "sluice", "open", "none"
		},
		"index": func(s *siem.Elastic, _ *config.Target) { s.DataStream = false },
	} {
		t.Run(name, func(t *testing.T) {
			contract{
				open: func(t *testing.T) (deliverer, *siem.Record) {
					e, server := newElastic(t, func(s *siem.Elastic, c *config.Target) {
						if c.Timeout = time.Minute; change != nil {
							change(s, c)
						}
					})
					return e, &server.Record
				},
				faults: every, exact: true, poison: true,
			}.run(t)
		})
	}
}

// madeOf is what Deliver made of an answer.
type madeOf struct {
	results []Result
	wait    time.Duration
	blocked bool
	words   string // in the error
}

func (o madeOf) check(t *testing.T, results []Result, err error) {
	t.Helper()
	if diff := cmp.Diff(o.results, results); diff != "" {
		t.Errorf("results (-want +got):\n%s\nerror: %v", diff, err)
	}
	p := PauseOf(err)
	if p.Blocked != o.blocked || p.After != o.wait {
		t.Errorf("blocked %v, wait %v, want %v, %v: %v", p.Blocked, p.After, o.blocked, o.wait, err)
	}
	if o.words == "" && err != nil || o.words != "" && (err == nil || !strings.Contains(err.Error(), o.words)) {
		t.Errorf("error %v, want %q in it", err, o.words)
	}
}

func TestElasticItems(t *testing.T) {
	again, dead, mend := Retry, Rejected, true
	tests := []struct {
		status       int
		kind, reason string
		want         Result
		blocked      bool
	}{
		{409, "version_conflict_engine_exception", "[k0002]: version conflict, document already exists (current version [1])", Delivered, false},
		{409, "resource_already_exists_exception", "index already exists", again, false},
		{429, "es_rejected_execution_exception", "rejected execution of coordinating operation", again, false},
		{429, "circuit_breaking_exception", "[parent] Data too large", again, false},
		{429, "cluster_block_exception", "index has read-only-allow-delete block; flood-stage watermark exceeded", again, false},
		{503, "unavailable_shards_exception", "primary shard is not active", again, false},
		{500, "null_pointer_exception", "oh", again, false},
		{504, "process_cluster_event_timeout_exception", "failed to process cluster event", again, false},
		{408, "receive_timeout_transport_exception", "too slow", again, false},
		{400, "document_parsing_exception", "[1:2] failed to parse field [source.ip] of type [ip]", dead, false},
		{400, "mapper_parsing_exception", "failed to parse field [source.ip] of type [ip]", dead, false},
		{400, "illegal_argument_exception", "Limit of total fields [1000] has been exceeded", dead, false},
		{400, "strict_dynamic_mapping_exception", "mapping set to strict, dynamic introduction of [x] is not allowed", dead, false},
		{413, "content_too_long_exception", "entity content is too long", dead, false},
		{404, "index_not_found_exception", "no such index [logs]", again, mend},
		{403, "cluster_block_exception", "index read-only (api)", again, mend},
		{403, "security_exception", "action [indices:data/write/bulk[s]] is unauthorized", again, mend},
		{401, "security_exception", "no", again, mend},
		{400, "illegal_argument_exception", "only write ops with an op_type of create are allowed in data streams", again, mend},
		{400, "illegal_argument_exception", "pipeline with id [sluice] does not exist", again, mend},
		{400, "illegal_argument_exception", "no write index is defined for alias [alerts]", again, mend},
		{400, "index_closed_exception", "closed", again, mend},
		{400, "validation_exception", "this action would add [2] shards, but this cluster currently has [1000]/[1000]", again, mend},
		// A sender's text in a reason stops nobody.
		{400, "document_parsing_exception", "Preview of field's value: 'pipeline with id ['", dead, false},
		{400, "illegal_argument_exception", "field value: 'only write ops with an op_type of create are allowed in data streams'", dead, false},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.status, " ", tt.kind, " ", tt.reason), func(t *testing.T) {
			e, server := newElastic(t, nil)
			server.Items(siem.ElasticItem{}, siem.ElasticItem{Status: tt.status, Type: tt.kind, Reason: tt.reason})
			results, err := e.Deliver(t.Context(), numbered(1, 3))
			o := madeOf{results: []Result{Delivered, tt.want, Delivered}, blocked: tt.blocked, words: tt.reason}
			if tt.want == Delivered {
				o.words = ""
			}
			o.check(t, results, err)
			if tt.want == Rejected && !strings.Contains(Reply(err, "k0002"), tt.reason) {
				t.Errorf("the reply for the dead letter is %q", Reply(err, "k0002"))
			}
		})
	}
}

func TestElasticSendsAgainOnlyWhatWasThrottled(t *testing.T) {
	e, server := newElastic(t, func(_ *siem.Elastic, c *config.Target) { c.Batch.Entries = 10 })
	busy := siem.ElasticItem{Status: 429, Type: "es_rejected_execution_exception", Reason: "queue capacity"}
	server.Items(siem.ElasticItem{}, busy, siem.ElasticItem{}, busy, busy)
	batch := numbered(1, 5)
	results, err := e.Deliver(t.Context(), batch)
	madeOf{results: []Result{Delivered, Retry, Delivered, Retry, Retry}, words: "queue capacity"}.check(t, results, err)
	deliver(t, e, []*stream.Entry{batch[1], batch[3], batch[4]})
	if diff := cmp.Diff([]string{"k0001", "k0003", "k0002", "k0004", "k0005"}, server.Keys()); diff != "" {
		t.Errorf("the server has (-want +got):\n%s", diff)
	}
}

func TestElasticRequests(t *testing.T) {
	three := repeat(Retry, 3)
	failure := func(kind, reason string) string {
		return fmt.Sprintf(`{"error":{"root_cause":[],"type":%q,"reason":%q},"status":1}`, kind, reason)
	}
	page := "<html><h1>Bad</h1></html>"
	tests := []struct {
		name string
		says siem.HTTPAnswer
		want madeOf
	}{
		{"401", siem.HTTPAnswer{Status: 401, Body: failure("security_exception", "unable to authenticate")}, madeOf{three, 0, true, "unable to authenticate"}},
		{"403", siem.HTTPAnswer{Status: 403, Body: failure("security_exception", "unauthorized")}, madeOf{three, 0, true, "unauthorized"}},
		{"404 of a proxy", siem.HTTPAnswer{Status: 404, Body: page}, madeOf{three, 0, true, "404 Not Found"}},
		{"400 without a handler", siem.HTTPAnswer{Status: 400, Body: `{"error":"no handler found for uri","status":400}`}, madeOf{three, 0, true, "no handler"}},
		{"400 of a proxy", siem.HTTPAnswer{Status: 400, Body: page}, madeOf{three, 0, true, "<h1>Bad"}},
		{"400 for a parameter", siem.HTTPAnswer{Status: 400, Body: failure("illegal_argument_exception", "request [/x/_bulk] contains unrecognized parameter: [filter_path]")}, madeOf{three, 0, true, "unrecognized"}},
		{"406", siem.HTTPAnswer{Status: 406, Body: `{"error":"Content-Type header [x] is not supported"}`}, madeOf{three, 0, true, "406"}},
		{"302", siem.HTTPAnswer{Status: 302, Header: map[string]string{"Location": "/login"}}, madeOf{three, 0, true, "302 Found"}},
		{"429", siem.HTTPAnswer{Status: 429, Body: failure("es_rejected_execution_exception", "busy")}, madeOf{three, 0, false, "busy"}},
		{"429 with Retry-After", siem.HTTPAnswer{Status: 429, Header: map[string]string{"Retry-After": "7"}}, madeOf{three, 7 * time.Second, false, "429"}},
		{"500", siem.HTTPAnswer{Status: 500}, madeOf{three, 0, false, "500"}},
		{"502", siem.HTTPAnswer{Status: 502, Body: page}, madeOf{three, 0, false, "502"}},
		{"503", siem.HTTPAnswer{Status: 503, Header: map[string]string{"Retry-After": "30"}}, madeOf{three, 30 * time.Second, false, "503"}},
		{"504", siem.HTTPAnswer{Status: 504}, madeOf{three, 0, false, "504"}},
		{"408", siem.HTTPAnswer{Status: 408}, madeOf{three, 0, false, "408"}},
		{"items of 200 and 201", siem.HTTPAnswer{Status: 200, Take: true, Body: `{"errors":false,"items":[{"create":{"status":201}},{"create":{"status":200}},{"create":{"status":201}}]}`}, madeOf{results: repeat(Delivered, 3)}},
		// The worst replies.
		{"200 and a page", siem.HTTPAnswer{Status: 200, Body: page}, madeOf{three, 0, false, "invalid character"}},
		{"200 and nothing", siem.HTTPAnswer{Status: 200}, madeOf{three, 0, false, "is none"}},
		{"204", siem.HTTPAnswer{Status: 204}, madeOf{three, 0, false, "is none"}},
		{"null", siem.HTTPAnswer{Status: 200, Body: "null"}, madeOf{three, 0, false, "speaks of 0"}},
		{"no errors", siem.HTTPAnswer{Status: 200, Body: `{"items":[{"create":{"status":201}},{"create":{"status":201}},{"create":{"status":201}}]}`}, madeOf{three, 0, false, "speaks of 3"}},
		{"fewer items", siem.HTTPAnswer{Status: 200, Body: `{"errors":false,"items":[{"create":{"status":201}}]}`}, madeOf{three, 0, false, "speaks of 1"}},
		{"more items", siem.HTTPAnswer{Status: 200, Body: `{"errors":false,"items":[{},{},{},{}]}`}, madeOf{three, 0, false, "speaks of 4"}},
		{"no items", siem.HTTPAnswer{Status: 200, Body: `{"errors":false}`}, madeOf{three, 0, false, "speaks of 0"}},
		{"other items", siem.HTTPAnswer{Status: 200, Body: `{"errors":false,"items":[{"index":{"status":201}},{},null]}`}, madeOf{three, 0, false, "doesn't tell"}},
		{"no status", siem.HTTPAnswer{Status: 200, Body: `{"errors":false,"items":[{"create":{}},{"create":{"status":201}},{"create":{"status":-201}}]}`}, madeOf{[]Result{Retry, Delivered, Retry}, 0, false, "not taken"}},
		{"errors that lie", siem.HTTPAnswer{Status: 200, Body: `{"errors":false,"items":[{"create":{"status":429,"error":"full"}},{"create":{"status":201}},{"create":{"status":400,"error":7}}]}`}, madeOf{[]Result{Retry, Delivered, Rejected}, 0, false, "full"}},
		{"a torn reply", siem.HTTPAnswer{Status: 200, Body: `{"errors":false,"items":[`, Torn: true}, madeOf{three, 0, false, "read the answer"}},
		{"a reply without an end", siem.HTTPAnswer{Status: 200, Body: `{"errors":`, Slow: true}, madeOf{three, 0, false, "read the answer"}},
		{"an early close", siem.HTTPAnswer{Early: true}, madeOf{three, 0, false, "bulk request"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, server := newElastic(t, nil)
			server.Answer(tt.says)
			results, err := e.Deliver(t.Context(), numbered(1, 3))
			tt.want.check(t, results, err)
		})
	}
}

func TestElasticDividesWhatIsRefusedAsAWhole(t *testing.T) {
	malformed := siem.HTTPAnswer{Status: 400, Body: `{"error":{"type":"illegal_argument_exception","reason":"Malformed action/metadata line [3]"},"status":400}`}
	tooLarge := siem.HTTPAnswer{Status: 413, Body: "request entity too large"}
	for name, says := range map[string]siem.HTTPAnswer{"400 malformed action line": malformed, "413": tooLarge} {
		t.Run(name, func(t *testing.T) {
			e, server := newElastic(t, nil)
			server.Answer(says, says) // all three, then the first
			results, err := e.Deliver(t.Context(), numbered(1, 3))
			madeOf{results: []Result{Rejected, Delivered, Delivered}, words: says.Body[:8]}.check(t, results, err)
		})
	}
}

func TestElasticDividesByTheServersLimit(t *testing.T) {
	e, server := newElastic(t, func(s *siem.Elastic, c *config.Target) { s.Limit, c.Batch.Entries = 3000, 10 })
	deliver(t, e, numbered(1, 10))
	if diff := cmp.Diff(keys(numbered(1, 10)), server.Keys()); diff != "" {
		t.Errorf("the server has (-want +got):\n%s", diff)
	}
}

// A reply that is longer than what is read of it: the halves have shorter ones, and double nothing.
func TestElasticDividesForALongReply(t *testing.T) {
	e, server := newElastic(t, func(_ *siem.Elastic, c *config.Target) { c.Timeout = time.Minute }) // however busy the machine is
	server.Answer(siem.HTTPAnswer{Status: 200, Take: true, Body: `{"errors":false,"items":[` + strings.Repeat(" ", maxReply)})
	deliver(t, e, numbered(1, 3))
	server.Answer(siem.HTTPAnswer{Status: 200, Take: true, Body: strings.Repeat(" ", 2*maxReply)})
	results, err := e.Deliver(t.Context(), numbered(4, 4))
	madeOf{results: repeat(Retry, 1), words: "is none"}.check(t, results, err)
	deliver(t, e, numbered(4, 5))
	if diff := cmp.Diff(keys(numbered(1, 5)), server.Keys()); diff != "" {
		t.Errorf("the server has (-want +got):\n%s", diff)
	}
}

func TestElasticRefusalsOfTheServerItself(t *testing.T) {
	tests := []struct {
		name   string
		change func(*siem.Elastic, *config.Target)
		words  string
	}{
		{"wrong key", func(_ *siem.Elastic, c *config.Target) { c.APIKey = "d3Jvbmc6a2V5" }, "missing or wrong authentication"},
		{"no key", func(_ *siem.Elastic, c *config.Target) { c.APIKey = "" }, "missing or wrong authentication"},
		{"wrong password", func(s *siem.Elastic, c *config.Target) {
			s.APIKey, s.Username, s.Password = "", "sluice", "right"
			c.APIKey, c.Username, c.Password = "", "sluice", "wrong-password"
		}, "401 Unauthorized"},
		{"wrong path", func(_ *siem.Elastic, c *config.Target) { c.URL += "/elastic" }, "no handler found"},
		{"wrong index", func(_ *siem.Elastic, c *config.Target) { c.Index = "logs" }, "no such index [logs]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, _ := newElastic(t, tt.change)
			results, err := e.Deliver(t.Context(), numbered(1, 3))
			madeOf{results: repeat(Retry, 3), blocked: true, words: tt.words}.check(t, results, err)
		})
	}
}

func TestElasticFailureStoreIsNoDelivery(t *testing.T) {
	e, server := newElastic(t, func(s *siem.Elastic, _ *config.Target) {
		s.FailureStore = true
		s.Unfit = func(source map[string]json.RawMessage) string {
			if string(source["event_key"]) == `"k0002"` {
				return "failed to parse"
			}
			return ""
		}
	})
	results, err := e.Deliver(t.Context(), numbered(1, 3))
	madeOf{results: []Result{Delivered, Rejected, Delivered}, words: "failure store"}.check(t, results, err)
	if n := len(server.Failures()); n != 1 {
		t.Errorf("%d documents in the failure store, want 1", n)
	}
}

// What the _id can't do: a backing index knows only its own.
func TestElasticDoublesOverARollover(t *testing.T) {
	e, server := newElastic(t, nil)
	server.Next(siem.Lie)
	if _, err := e.Deliver(t.Context(), numbered(1, 1)); err == nil {
		t.Fatal("nobody says that the outcome is unknown")
	}
	server.Rollover()
	deliver(t, e, numbered(1, 1))
	deliver(t, e, numbered(1, 1))
	if diff := cmp.Diff([]string{"k0001", "k0001"}, server.Keys()); diff != "" {
		t.Errorf("the server has (-want +got):\n%s", diff)
	}
}

func TestElasticRequest(t *testing.T) {
	var got *http.Request
	var body []byte
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		z, err := gzip.NewReader(r.Body)
		if err == nil {
			body, err = io.ReadAll(z)
		}
		if err != nil {
			t.Error(err)
		}
		io.WriteString(w, `{"errors":false,"items":[{"create":{"status":201}},{"create":{"status":201}}]}`)
	}))
	cfg := elasticConfig(url + "/behind/")
	cfg.APIKey = "id:very-secret-key"
	e := openElastic(t, cfg)
	objects := map[string]string{"k0001": `{"a":1}`, "k0002": `{"x":{"@timestamp":"no"},"@timestamp":"2031-05-06T07:08:08Z"}`}
	e.shipper.render = func(b []byte, e *stream.Entry, _ int) ([]byte, error) {
		return append(b, objects[string(e.Key)]...), nil
	}
	deliver(t, e, numbered(1, 2))
	want := `{"create":{"_id":"k0001"}}
{"@timestamp":"2031-05-06T07:08:08Z","a":1}
{"create":{"_id":"k0002"}}
{"x":{"@timestamp":"no"},"@timestamp":"2031-05-06T07:08:08Z"}
`
	if diff := cmp.Diff(want, string(body)); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	line := got.Method + " " + got.URL.String()
	if want := "POST /behind/logs-sluice.alert-default/_bulk?filter_path=errors,items.*.status,items.*.error,items.*.failure_store"; line != want {
		t.Errorf("request %s, want %s", line, want)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip", "Authorization": "ApiKey " + elasticKey,
	} {
		if got := got.Header.Get(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestElasticTimestamps(t *testing.T) {
	at := func(e *stream.Entry) string {
		return string(appendStamped(nil, item{e, []byte(`{}`)}))
	}
	e := numbered(1, 1)[0]
	for _, tt := range []struct {
		set  *time.Time
		to   time.Time
		want string
	}{
		{&e.Notification.Sent, time.Time{}, `{"@timestamp":"2031-05-06T07:08:09.123456Z"}`},
		{&e.Notification.Arrived, time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC), `{"@timestamp":"2031-05-06T07:08:10.123456Z"}`},
		{&e.Notification.Start, time.Date(2031, 5, 6, 9, 0, 0, 1, time.FixedZone("", 7200)), `{"@timestamp":"2031-05-06T07:00:00.000000001Z"}`},
	} {
		*tt.set = tt.to
		if got := at(e); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
	for object, has := range map[string]bool{
		`{}`: false, `{"@timestamp":1}`: true, `{"a":1,"@timestamp":1}`: true, `{"a":{"@timestamp":1}}`: false,
		`{"a":"\"@timestamp\":"}`: false, `{"a":["@timestamp"]}`: false,
	} {
		if got := hasTimestamp([]byte(object)); got != has {
			t.Errorf("hasTimestamp(%s) = %v", object, got)
		}
	}
}

func TestElasticSizesRequests(t *testing.T) {
	e, server := newElastic(t, func(_ *siem.Elastic, c *config.Target) {
		c.Batch = config.Batch{Entries: 1000, Size: 64 << 10}
		c.Compression = "none"
	})
	server.Limit = 64 << 10 // any larger request would be divided, which costs requests
	long := numbered(1, 40)
	for _, one := range long {
		one.Notification.Raw = bytes.Repeat([]byte("x"), 30<<10)
	}
	long[7].Notification.Raw = bytes.Repeat([]byte("x"), 1<<20)
	deliver(t, e, long)
	for i, event := range server.Events() {
		if shortened := bytes.Contains(event.Body, []byte(`"shortened":true`)); shortened != (i == 7) {
			t.Errorf("event %d is shortened: %v", i, shortened)
		}
	}
}

func TestElasticTellsNoSecrets(t *testing.T) {
	echo := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(403)
		fmt.Fprintf(w, "you sent %v and that is very-secret-key", r.Header)
	}))
	for _, c := range []func(*config.Target){
		func(c *config.Target) { c.APIKey = elasticKey },
		func(c *config.Target) { c.APIKey, c.Username, c.Password = "", "sluice", "very-secret-key" },
	} {
		cfg := elasticConfig(echo)
		c(&cfg)
		_, err := openElastic(t, cfg).Deliver(t.Context(), numbered(1, 1))
		if err == nil || strings.Contains(err.Error(), elasticKey) || strings.Contains(err.Error(), basic("sluice", "very-secret-key")) ||
			cfg.Password != "" && strings.Contains(err.Error(), string(cfg.Password)) {
			t.Errorf("the error tells a secret: %v", err)
		}
	}
	cfg := elasticConfig(echo)
	cfg.APIKey = "bGluZQ==\nend"
	if _, err := NewElastic(cfg, NewMetrics(nil)); err == nil || strings.Contains(err.Error(), "bGlu") {
		t.Errorf("NewElastic() with a line end in its key: %v", err)
	}
}

// secured serves over TLS with a certificate for localhost, and asks for one of the client's.
func secured(t *testing.T, h http.Handler, server, client certs) string {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{server.pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: client.pool}
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

func TestElasticOverTLS(t *testing.T) {
	server, client := newCerts(t, "elastic.example"), newCerts(t, "sluice")
	fake := &siem.Elastic{Index: "logs-sluice.alert-default", DataStream: true, APIKey: elasticKey}
	cfg := elasticConfig(secured(t, fake, server, client))
	cfg.Timeout = 10 * time.Second
	cfg.TLS = config.TLS{CA: server.ca, Cert: client.cert, Key: client.key, ServerName: "elastic.example"}
	deliver(t, openElastic(t, cfg), numbered(1, 4))

	cfg.TLS.ServerName = "other.example"
	results, err := openElastic(t, cfg).Deliver(t.Context(), numbered(5, 5))
	madeOf{results: repeat(Retry, 1), blocked: true, words: "other.example"}.check(t, results, err)

	cfg.TLS = config.TLS{CA: server.ca, ServerName: "elastic.example"}
	if results, err = openElastic(t, cfg).Deliver(t.Context(), numbered(5, 5)); err == nil || results[0] != Retry {
		t.Errorf("without a certificate: %v, %v", results, err)
	}
	if diff := cmp.Diff(keys(numbered(1, 4)), fake.Keys()); diff != "" {
		t.Errorf("the server has (-want +got):\n%s", diff)
	}
}

func TestElasticStopsWithItsContext(t *testing.T) {
	e, server := newElastic(t, func(_ *siem.Elastic, c *config.Target) { c.Timeout = time.Hour })
	server.Next(siem.Stall)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	results, err := e.Deliver(ctx, numbered(1, 1))
	madeOf{results: repeat(Retry, 1), words: "context deadline exceeded"}.check(t, results, err)
}

func TestElasticKeyInBase64OrNot(t *testing.T) {
	if got := base64.StdEncoding.EncodeToString([]byte("id:very-secret-key")); got != elasticKey {
		t.Fatalf("the key of these tests is %s", got)
	}
	e, _ := newElastic(t, func(_ *siem.Elastic, c *config.Target) { c.APIKey = "id:very-secret-key" })
	deliver(t, e, numbered(1, 1))
}
