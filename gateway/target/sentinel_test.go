package target

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/stream"
	"github.com/sluice-siem/sluice/test/siem"
)

// hands is a clock that a test turns.
type hands struct{ since atomic.Int64 }

func (h *hands) now() time.Time        { return arrived.Add(time.Duration(h.since.Load())) }
func (h *hands) turn(by time.Duration) { h.since.Add(int64(by)) }

// azure is a service with a target of it.
type azure struct {
	*siem.Sentinel
	target *Sentinel
	clock  *hands
	url    string
}

// newAzure opens a target of a service, after set has changed its configuration.
func newAzure(t *testing.T, set func(cfg *config.Target, fake *siem.Sentinel)) azure {
	t.Helper()
	clock := &hands{}
	fake := siem.NewSentinel(clock.now)
	fake.Key = "event_key"
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	cfg := config.Target{
		Name: "sentinel", URL: server.URL, Format: "json", Rule: fake.Rule, Stream: fake.Streams[0], Compression: "gzip",
		Authority: server.URL, Tenant: fake.Tenant, ClientID: fake.ClientID, ClientSecret: config.Secret(fake.ClientSecret),
		Cloud: "public", Batch: config.Batch{Entries: 3, Size: 900 << 10}, Timeout: time.Minute, Proxy: "none",
	}
	if set != nil {
		set(&cfg, fake)
	}
	return azure{fake, openSentinel(t, cfg, nil, clock), clock, server.URL}
}

func openSentinel(t *testing.T, cfg config.Target, env map[string]string, clock *hands) *Sentinel {
	t.Helper()
	target, err := NewSentinel(cfg, func(key string) string { return env[key] }, clock.now, NewMetrics(nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { target.Close() })
	return target
}

func TestSentinelKeepsTheContract(t *testing.T) {
	contract{
		open: func(t *testing.T) (deliverer, *siem.Record) {
			a := newAzure(t, nil)
			return a.target, &a.Record
		},
		faults: []siem.Fault{siem.Refuse, siem.Throttle, siem.Reset, siem.Lie, siem.Stall},
		poison: true,
	}.run(t)
}

func TestSentinelDoesNotWaitForEver(t *testing.T) {
	a := newAzure(t, func(cfg *config.Target, _ *siem.Sentinel) { cfg.Timeout = 100 * time.Millisecond })
	a.Next(siem.Stall)
	if got, err := attempt(t, a.target, numbered(1, 3)); got != (verdict{results: "rrr"}) {
		t.Errorf("verdict %+v, want retry: %v", got, err)
	}
}

// verdict is what became of a batch.
type verdict struct {
	results string // a letter for each entry: r(etry), d(elivered), x for rejected
	blocked bool
	after   time.Duration
}

func attempt(t *testing.T, target *Sentinel, batch []*stream.Entry) (verdict, error) {
	t.Helper()
	results, err := target.Deliver(t.Context(), batch)
	v := verdict{}
	for _, r := range results {
		v.results += string("rdx"[r])
	}
	if p := PauseOf(err); err != nil {
		v.blocked, v.after = p.Blocked, p.After
	}
	if strings.Contains(v.results, "r") != (err != nil) && !strings.Contains(v.results, "x") {
		t.Errorf("results %s with the error %v", v.results, err)
	}
	return v, err
}

func azureSays(status int, code, message string) siem.SentinelReply {
	return siem.SentinelReply{Status: status, Body: fmt.Sprintf(`{"error":{"code":%q,"message":%q}}`, code, message)}
}

// TestSentinelAnswers has a row for each of those in the table of the Logs Ingestion API's failures.
func TestSentinelAnswers(t *testing.T) {
	header := func(r siem.SentinelReply, key, value string) siem.SentinelReply {
		r.Header = map[string]string{key: value}
		return r
	}
	invalid := azureSays(400, "InvalidPayload", "bad JSON")
	inHeader := header(siem.SentinelReply{Status: 400}, "x-ms-error-code", "InvalidPayload")
	tests := []struct {
		name    string
		replies []siem.SentinelReply
		want    verdict
		words   string
	}{
		{"204", nil, verdict{results: "ddd"}, ""},
		{"200", []siem.SentinelReply{{Status: 200}}, verdict{results: "ddd"}, ""},
		{"202", []siem.SentinelReply{{Status: 202}}, verdict{results: "ddd"}, ""},
		{"200 and a login", []siem.SentinelReply{{Status: 200, Body: "<!doctype html><title>Log in</title>"}}, verdict{results: "rrr", blocked: true}, "<title>Log in"},
		{"202 and a login", []siem.SentinelReply{{Status: 202, Body: "<!doctype html><title>Log in</title>"}}, verdict{results: "rrr", blocked: true}, "<title>Log in"},
		{"200 and JSON", []siem.SentinelReply{{Status: 200, Body: "{}"}}, verdict{results: "rrr", blocked: true}, "200 OK {}"},
		{"201", []siem.SentinelReply{{Status: 201}}, verdict{results: "rrr", blocked: true}, "201"},
		{"203", []siem.SentinelReply{{Status: 203}}, verdict{results: "rrr", blocked: true}, "203"},
		{"206", []siem.SentinelReply{{Status: 206}}, verdict{results: "rrr", blocked: true}, "206"},
		{"400 InvalidStream", []siem.SentinelReply{azureSays(400, "InvalidStream", "no stream Custom-X")}, verdict{results: "rrr", blocked: true}, "no stream Custom-X"},
		{"400 InvalidStream in the header only", []siem.SentinelReply{header(siem.SentinelReply{Status: 400}, "x-ms-error-code", "InvalidStream")}, verdict{results: "rrr", blocked: true}, "400 Bad Request"},
		{"400 for the batch, not for its entries", []siem.SentinelReply{invalid}, verdict{results: "ddd"}, ""},
		{"400 for one entry", []siem.SentinelReply{invalid, invalid}, verdict{results: "xdd"}, "bad JSON"},
		{"400 for every entry", []siem.SentinelReply{invalid, invalid, invalid, invalid, invalid}, verdict{results: "xxx"}, "bad JSON"},
		{"400 for one entry, said in the header only", []siem.SentinelReply{inHeader, inHeader}, verdict{results: "xdd"}, "400 Bad Request"},
		{"400 without a body", []siem.SentinelReply{{Status: 400}}, verdict{results: "rrr", blocked: true}, "400 Bad Request"},
		{"400 of a proxy", []siem.SentinelReply{{Status: 400, Body: "<html>Bad Request"}}, verdict{results: "rrr", blocked: true}, "<html>Bad Request"},
		{"400 with an error of somebody else", []siem.SentinelReply{{Status: 400, Body: `{"error":"bad request"}`}}, verdict{results: "rrr", blocked: true}, "bad request"},
		{"400 with an empty code", []siem.SentinelReply{azureSays(400, "", "nothing")}, verdict{results: "rrr", blocked: true}, "nothing"},
		{"401 once", []siem.SentinelReply{azureSays(401, "InvalidToken", "expired")}, verdict{results: "ddd"}, ""},
		{"401 with a new token too", []siem.SentinelReply{azureSays(401, "InvalidToken", "expired"), azureSays(401, "InvalidToken", "no")}, verdict{results: "rrr", blocked: true}, "no"},
		{"403 soon", []siem.SentinelReply{azureSays(403, "OperationFailed", "no access")}, verdict{results: "rrr", after: time.Minute}, "Monitoring Metrics Publisher"},
		{"403 and a longer wait", []siem.SentinelReply{header(azureSays(403, "OperationFailed", "no"), "Retry-After", "120")}, verdict{results: "rrr", after: 2 * time.Minute}, "no"},
		{"404 rule", []siem.SentinelReply{azureSays(404, "NotFound", "no such rule")}, verdict{results: "rrr", blocked: true}, "no such rule"},
		{"413 for the batch", []siem.SentinelReply{azureSays(413, "ContentLengthLimitExceeded", "too long")}, verdict{results: "ddd"}, ""},
		{"413 for one entry", []siem.SentinelReply{azureSays(413, "ContentLengthLimitExceeded", "too long"), azureSays(413, "ContentLengthLimitExceeded", "too long")}, verdict{results: "xdd"}, "too long"},
		{"429 Retry-After", []siem.SentinelReply{header(azureSays(429, "TooManyRequests", "slower"), "Retry-After", "17")}, verdict{results: "rrr", after: 17 * time.Second}, "slower"},
		{"429 with a wait for ever", []siem.SentinelReply{header(azureSays(429, "x", "slower"), "Retry-After", "4294967295")}, verdict{results: "rrr", after: time.Hour}, "slower"},
		{"429 without", []siem.SentinelReply{azureSays(429, "TooManyRequests", "slower")}, verdict{results: "rrr"}, "slower"},
		{"429 after half a batch", []siem.SentinelReply{invalid, {Status: 200}, header(azureSays(429, "x", "slower"), "Retry-After", "3")}, verdict{results: "drr", after: 3 * time.Second}, "slower"},
		{"408", []siem.SentinelReply{{Status: 408}}, verdict{results: "rrr"}, "408"},
		{"500", []siem.SentinelReply{{Status: 500}}, verdict{results: "rrr"}, "500"},
		{"502", []siem.SentinelReply{{Status: 502, Body: "<html>"}}, verdict{results: "rrr"}, "<html>"},
		{"503 Retry-After", []siem.SentinelReply{header(siem.SentinelReply{Status: 503}, "Retry-After", "9")}, verdict{results: "rrr", after: 9 * time.Second}, "503"},
		{"504", []siem.SentinelReply{{Status: 504}}, verdict{results: "rrr"}, "504"},
		{"302", []siem.SentinelReply{header(siem.SentinelReply{Status: 302}, "Location", "/elsewhere")}, verdict{results: "rrr", blocked: true}, "302"},
		{"415", []siem.SentinelReply{{Status: 415}}, verdict{results: "rrr", blocked: true}, "415"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newAzure(t, nil)
			a.Answer(tt.replies...)
			got, err := attempt(t, a.target, numbered(1, 3))
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(verdict{})); diff != "" {
				t.Errorf("verdict (-want +got):\n%s\n%v", diff, err)
			}
			if tt.words != "" && !strings.Contains(fmt.Sprint(err), tt.words) {
				t.Errorf("Deliver() = %v, want the words %q in it", err, tt.words)
			}
		})
	}
}

// TestSentinelAnsweredEarly: a connection may still send a request that is answered, so the next one may not
// use its memory.
func TestSentinelAnsweredEarly(t *testing.T) {
	a := newAzure(t, func(cfg *config.Target, _ *siem.Sentinel) { cfg.Compression = "none" })
	client, err := a.target.web.open()
	if err != nil {
		t.Fatal(err)
	}
	server := &early{}
	client.Transport = server
	for i := range 3 {
		if got, err := attempt(t, a.target, numbered(i+1, i+1)); got.results != "x" || !strings.Contains(fmt.Sprint(err), "413") {
			t.Errorf("verdict %+v: %v", got, err)
		}
	}
	server.sent(t)
}

func TestSentinelGivesARoleAnHour(t *testing.T) {
	a := newAzure(t, nil)
	denied := func(after time.Duration, want verdict) {
		t.Helper()
		a.clock.turn(after)
		if got, err := attempt(t, a.target, numbered(1, 1)); got != want {
			t.Errorf("verdict %+v, want %+v: %v", got, want, err)
		}
	}
	soon, blocked := verdict{results: "r", after: time.Minute}, verdict{results: "r", blocked: true}
	a.Deny(true)
	denied(0, soon)
	denied(59*time.Minute, soon)
	denied(time.Minute, blocked)
	denied(time.Hour, blocked)
	a.Deny(false)
	denied(0, verdict{results: "d"})
	a.Deny(true)
	denied(time.Hour, soon) // a new hour
}

func TestSentinelOnTheWire(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/token") {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"token_type":"Bearer","expires_in":3599,"access_token":"eyJ0.eyJh.c2ln"}`)
			b, _ := io.ReadAll(r.Body)
			got = append(got, r.Method+" "+r.URL.String()+" "+r.Header.Get("Content-Type")+" "+string(b))
			return
		}
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			body, _ = gzip.NewReader(r.Body)
		}
		b, _ := io.ReadAll(body)
		got = append(got, strings.Join([]string{
			r.Method, r.URL.String(), r.Header.Get("Authorization"), r.Header.Get("Content-Type"), r.Header.Get("Content-Encoding"), string(b),
		}, " "))
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	rule := "dcr-0123456789abcdef0123456789abcdef"
	for _, compression := range []string{"gzip", "none"} {
		target := openSentinel(t, config.Target{
			URL: server.URL + "/", Authority: server.URL + "/", Tenant: "contoso.example", ClientID: "app", ClientSecret: "a+b/c=&d", Rule: rule,
			Stream: "Custom-Sluice_CL", Format: "json", Compression: compression, Batch: config.Batch{Entries: 10}, Timeout: time.Minute, Proxy: "none",
		}, nil, &hands{})
		target.shipper.render = func(b []byte, e *stream.Entry, _ int) ([]byte, error) {
			return fmt.Appendf(b, `{"EventKey":%q}`, e.Key), nil
		}
		deliver(t, target, numbered(1, 2))
		deliver(t, target, numbered(3, 3))
	}
	token := "POST /contoso.example/oauth2/v2.0/token application/x-www-form-urlencoded client_id=app&client_secret=a%2Bb%2Fc%3D%26d" +
		"&grant_type=client_credentials&scope=https%3A%2F%2Fmonitor.azure.com%2F%2F.default"
	upload := "POST /dataCollectionRules/" + rule + "/streams/Custom-Sluice_CL?api-version=2023-01-01 Bearer eyJ0.eyJh.c2ln application/json "
	two, one := `[{"EventKey":"k0001"},{"EventKey":"k0002"}]`, `[{"EventKey":"k0003"}]`
	want := []string{
		token, upload + "gzip " + two, upload + "gzip " + one,
		token, upload + " " + two, upload + " " + one,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("wire (-want +got):\n%s", diff)
	}
}

func TestSentinelFillsRequestsToTheByte(t *testing.T) {
	for _, tt := range []struct{ size, item, entries int }{
		{64 << 10, (64<<10 - 5) / 4, 4}, // four of them, three commas and two brackets
		{64 << 10, (64<<10-5)/4 + 1, 3},
		{0, 1<<20 - 2, 1}, // the service's own limit
		{8 << 20, 1<<20 - 2, 1},
	} {
		a := newAzure(t, func(cfg *config.Target, _ *siem.Sentinel) {
			cfg.Batch = config.Batch{Entries: 1000, Size: config.Size(tt.size)}
		})
		var limits []int
		a.target.shipper.render = func(b []byte, e *stream.Entry, limit int) ([]byte, error) {
			limits = append(limits, limit)
			text := fmt.Sprintf(`{"event_key":%q,"x":"`, e.Key)
			return append(b, text+strings.Repeat("x", tt.item-len(text)-2)+`"}`...), nil
		}
		var uploads []int
		send := a.target.send
		batch := numbered(1, 4)
		results, err := a.target.shipper.ship(t.Context(), batch, func(ctx context.Context, items []item) ([]Result, error) {
			uploads = append(uploads, len(items))
			return send(ctx, items)
		})
		if err != nil || uploads[0] != tt.entries {
			t.Errorf("%+v: requests of %v entries, want the first with %d: %v %v", tt, uploads, tt.entries, results, err)
		}
		if want := min(tt.size, 1<<20); want > 0 && limits[0] > want-2 {
			t.Errorf("%+v: an entry may have %d bytes, and does not fit with its brackets", tt, limits[0])
		}
		if diff := cmp.Diff(keys(batch), a.Keys()); diff != "" {
			t.Errorf("%+v: the service has (-want +got):\n%s", tt, diff)
		}
	}
}

func TestSentinelRowsAreSeenLater(t *testing.T) {
	a := newAzure(t, func(_ *config.Target, fake *siem.Sentinel) {
		fake.Columns = []string{"TimeGenerated", "event_key", "raw"}
	})
	deliver(t, a.target, numbered(1, 1))
	if rows := a.Table(); len(rows) != 0 {
		t.Errorf("the table has %v at once", rows)
	}
	a.Appear()
	want := []siem.SentinelRow{{"TimeGenerated": "2031-05-06T07:08:09.123456Z", "event_key": "k0001", "raw": "<13>May  6 07:08:08 h brewd: number 1"}}
	if diff := cmp.Diff(want, a.Table()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestSentinelTrustsAndIsTrusted(t *testing.T) {
	theirs, ours := newCerts(t, "ingest.example"), newCerts(t, "sluice")
	clock := &hands{}
	fake := siem.NewSentinel(clock.now)
	fake.Key = "event_key"
	server := httptest.NewUnstartedServer(fake)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{theirs.pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ours.pool}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	authority := httptest.NewServer(fake)
	defer authority.Close()
	cfg := config.Target{
		URL: server.URL, Format: "json", Rule: fake.Rule, Stream: fake.Streams[0], Authority: authority.URL, Tenant: fake.Tenant,
		ClientID: fake.ClientID, ClientSecret: config.Secret(fake.ClientSecret), Timeout: time.Minute, Proxy: "none",
		TLS: config.TLS{CA: theirs.ca, Cert: ours.cert, Key: ours.key, ServerName: "ingest.example"},
	}
	target := openSentinel(t, cfg, nil, clock)
	deliver(t, target, numbered(1, 1))

	other := cfg
	other.TLS.ServerName = "other.example"
	if got, err := attempt(t, openSentinel(t, other, nil, clock), numbered(2, 2)); !got.blocked {
		t.Errorf("with another name: %+v, want blocked: %v", got, err)
	}
	bare := cfg
	bare.TLS.Cert, bare.TLS.Key = "", ""
	if got, err := attempt(t, openSentinel(t, bare, nil, clock), numbered(2, 2)); got.results != "r" {
		t.Errorf("without a certificate: %+v, want retry: %v", got, err)
	}
	lost := cfg
	lost.TLS.CA = "/nowhere/ca.pem"
	if got, err := attempt(t, openSentinel(t, lost, nil, clock), numbered(2, 2)); !got.blocked || !strings.Contains(err.Error(), "/nowhere/ca.pem") {
		t.Errorf("with a file that is not there: %+v, want blocked: %v", got, err)
	}
	// The files change while it runs.
	again := newCerts(t, "sluice")
	put(t, ours.cert, read(t, again.cert))
	put(t, ours.key, read(t, again.key))
	if err := os.Chtimes(ours.cert, time.Now(), time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if got, err := attempt(t, target, numbered(2, 2)); got.results != "r" {
		t.Errorf("with a certificate that is not trusted any more: %+v, want retry: %v", got, err)
	}
	if diff := cmp.Diff([]string{"k0001"}, fake.Keys()); diff != "" {
		t.Errorf("the service has (-want +got):\n%s", diff)
	}
}

// TestSentinelOutlastsBadServers has the worst that can be said in an answer.
func TestSentinelOutlastsBadServers(t *testing.T) {
	endless := func(w http.ResponseWriter, status int) {
		w.WriteHeader(status)
		for b := bytes.Repeat([]byte("{"), 1<<16); ; {
			if _, err := w.Write(b); err != nil {
				return
			}
		}
	}
	tests := []struct {
		name string
		say  func(w http.ResponseWriter, r *http.Request)
		want verdict
	}{
		{"endless 400", func(w http.ResponseWriter, _ *http.Request) { endless(w, 400) }, verdict{results: "r", blocked: true}},
		{"endless 500", func(w http.ResponseWriter, _ *http.Request) { endless(w, 500) }, verdict{results: "r"}},
		{"our token", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(500)
			fmt.Fprint(w, "you sent ", r.Header.Get("Authorization"))
		}, verdict{results: "r"}},
		{"deep", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			fmt.Fprint(w, `{"error":`, strings.Repeat("[", 100_000))
		}, verdict{results: "r", blocked: true}},
		{"other types", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			fmt.Fprint(w, `{"error":{"code":["InvalidStream"],"message":null}}`)
		}, verdict{results: "r", blocked: true}},
		{"null", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400); fmt.Fprint(w, "null") }, verdict{results: "r", blocked: true}},
		{"bytes", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(503)
			_, _ = w.Write([]byte("\xff\xfe\x00\x1b[31m\r\n"))
		}, verdict{results: "r"}},
		{"many headers", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", 12<<20))
			w.WriteHeader(204)
		}, verdict{results: "r"}},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(200)
			fmt.Fprint(w, "{")
		}, verdict{results: "r"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clock := &hands{}
			server := httptest.NewServer(http.HandlerFunc(tt.say))
			defer server.Close()
			a := newAzure(t, nil)
			target := openSentinel(t, config.Target{
				URL: server.URL, Format: "json", Rule: a.Rule, Stream: a.Streams[0], Authority: a.url, Tenant: a.Tenant, ClientID: a.ClientID,
				ClientSecret: config.Secret(a.ClientSecret), Timeout: time.Minute, Proxy: "none",
			}, nil, clock)
			got, err := attempt(t, target, numbered(1, 1))
			if got != tt.want || err == nil {
				t.Errorf("verdict %+v, want %+v: %v", got, tt.want, err)
			}
			text := fmt.Sprint(err)
			if strings.ContainsAny(text, "\r\x00\x1b") || len(text) > 1000 || strings.Contains(text, target.tokens.token) {
				t.Errorf("the error is %.2000q", text)
			}
		})
	}
}
