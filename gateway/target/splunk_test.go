package target

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/stream"
	"github.com/sluice-siem/sluice/test/siem"
)

const hecToken = "b1a5f00d-5eed-4c0f-8e77-000000000001"

// splunkConfig is a target as the configuration completes it.
func splunkConfig(url string) config.Target {
	return config.Target{
		Name: "splunk", Type: "splunk_hec", Format: "json", URL: url, Token: hecToken, Source: "sluice", SourceType: "sluice:json",
		Index: "security", Compression: "gzip", Timeout: 10 * time.Second, Batch: config.Batch{Entries: 3, Size: 1 << 20}, Proxy: "none",
	}
}

func acknowledged(cfg config.Target) config.Target {
	cfg.Acknowledgement, cfg.AckTimeout = true, 5*time.Minute
	return cfg
}

// inside serves requests without a network, so that a test's clock knows when everybody waits.
type inside struct{ http.Handler }

func (i inside) RoundTrip(r *http.Request) (reply *http.Response, err error) {
	defer func() {
		if broken := recover(); broken != nil {
			reply, err = nil, io.ErrUnexpectedEOF
		}
	}()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	rec := httptest.NewRecorder()
	i.ServeHTTP(rec, r)
	return rec.Result(), nil
}

// newSplunk makes a target of a collector, whose server is h without a network unless h is nil.
func newSplunk(t *testing.T, cfg config.Target, h http.Handler, log io.Writer) *SplunkHEC {
	t.Helper()
	s, err := NewSplunkHEC(cfg, "gate.example", slog.New(slog.NewTextHandler(log, nil)), NewMetrics(nil))
	if err != nil {
		t.Fatal(err)
	}
	if h != nil {
		s.web.client = &http.Client{Transport: inside{h}, Jar: s.web.jar}
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// newCollector is a collector with our token and one more, and its URL.
func newCollector(acks bool) *siem.Splunk {
	return siem.NewSplunk(map[string]siem.SplunkToken{
		hecToken: {Acks: acks, Indexes: []string{"main", "security"}},
		"off":    {Disabled: true},
	})
}

func TestSplunkContract(t *testing.T) {
	for _, tt := range []struct {
		name   string
		acks   bool
		change func(*config.Target)
	}{
		{"accepted", false, func(*config.Target) {}},
		{"uncompressed", false, func(c *config.Target) { c.Compression = "none" }},
		{"cef", false, func(c *config.Target) { c.Format = "cef" }},
		{"acknowledged", true, func(c *config.Target) { c.Acknowledgement, c.AckTimeout = true, time.Minute }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			contract{
				open: func(t *testing.T) (deliverer, *siem.Record) {
					server := newCollector(tt.acks)
					at := httptest.NewServer(server)
					t.Cleanup(at.Close)
					cfg := splunkConfig(at.URL)
					cfg.Timeout = time.Minute
					tt.change(&cfg)
					s := newSplunk(t, cfg, nil, io.Discard)
					s.first = time.Millisecond
					return s, &server.Record
				},
				faults: []siem.Fault{siem.Refuse, siem.Throttle, siem.Reset, siem.Lie},
				poison: !tt.acks, // then what is before it comes twice: TestSplunkPoisonAmongAcknowledged
			}.run(t)
		})
		t.Run(tt.name+", stall", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				contract{patient: true, open: func(t *testing.T) (deliverer, *siem.Record) {
					server := newCollector(tt.acks)
					cfg := splunkConfig("http://hec")
					tt.change(&cfg)
					return newSplunk(t, cfg, server, io.Discard), &server.Record
				}}.fault(t, siem.Stall)
			})
		})
	}
}

// hecAnswers answers every request with one reply.
func hecAnswers(status int, header http.Header, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), header)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// TestSplunkCodes: every code in its class.
func TestSplunkCodes(t *testing.T) {
	const ok, retry, fatal, dead = "delivered", "retry", "blocked", "rejected"
	for _, tt := range []struct {
		code, status int
		text, want   string
	}{
		{0, 200, "Success", ok},
		{1, 403, "Token disabled", fatal},
		{2, 401, "Token is required", fatal},
		{3, 401, "Invalid authorization", fatal},
		{4, 403, "Invalid token", fatal},
		{5, 400, "No data", fatal},
		{6, 400, "Invalid data format", dead},
		{7, 400, "Incorrect index", fatal},
		{8, 500, "Internal server error", retry},
		{9, 503, "Server is busy", retry},
		{10, 400, "Data channel is missing", fatal},
		{11, 400, "Invalid data channel", fatal},
		{12, 400, "Event field is required", dead},
		{13, 400, "Event field cannot be blank", dead},
		{14, 400, "ACK is disabled", fatal},
		{15, 400, "Error in handling indexed fields", dead},
		{16, 400, "Query string authorization is not enabled", fatal},
		{17, 200, "HEC is healthy", fatal},
		{18, 503, "HEC is unhealthy, queues are full", retry},
		{19, 503, "HEC is unhealthy, ack service unavailable", retry},
		{20, 503, "HEC is unhealthy, queues are full, ack service unavailable", retry},
		{21, 400, "Invalid token", fatal},
		{22, 400, "Token disabled", fatal},
		{23, 503, "Server is shutting down", retry},
		{24, 200, "HEC queue is approaching its capacity limit", ok},
		{25, 200, "HEC ACK is approaching its capacity limit", ok},
		{26, 429, "HEC queue is at capacity and cannot process any more requests", retry},
		{27, 429, "HEC ACK channel is at capacity and cannot process any more requests", retry},
		{28, 400, "a code of a version to come", fatal},
		{404, 404, "The requested URL was not found on this server.", fatal},
	} {
		t.Run(fmt.Sprint(tt.code, " ", tt.text), func(t *testing.T) {
			body := fmt.Sprintf(`{"text":%q,"code":%d,"invalid-event-number":0}`, tt.text, tt.code)
			s := newSplunk(t, splunkConfig("http://hec"), hecAnswers(tt.status, nil, body), io.Discard)
			results, err := s.Deliver(t.Context(), numbered(1, 2))
			judge(t, tt.want, results, err)
			if tt.want != ok && !strings.Contains(err.Error(), tt.text) {
				t.Errorf("the error doesn't have the server's words: %v", err)
			}
			if tt.want == dead && !strings.Contains(Reply(err, "k0002"), tt.text) {
				t.Errorf("Reply() = %q", Reply(err, "k0002"))
			}
		})
	}
}

// judge wants the same of every entry.
func judge(t *testing.T, want string, results []Result, err error) {
	t.Helper()
	each := map[string]Result{"delivered": Delivered, "rejected": Rejected}[want]
	if diff := cmp.Diff(repeat(each, 2), results); diff != "" {
		t.Errorf("results (-want +got):\n%s\n%v", diff, err)
	}
	if (err == nil) != (want == "delivered") {
		t.Fatalf("Deliver() = %v", err)
	}
	if PauseOf(err).Blocked != (want == "blocked") {
		t.Errorf("Deliver() = %v, want it %s", err, want)
	}
}

// TestSplunkStatuses: what is no reply of a collector is judged by its status; and other doubtful answers.
func TestSplunkStatuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
		want   string
	}{
		{"a page that says 200", 200, "\n<!doctype html><title>Log in</title>", "blocked"},
		{"a page behind a byte order mark", 200, "\ufeff<html>Log in", "blocked"},
		{"a login in JSON", 200, `{"login":"required"}`, "blocked"},
		{"a login in words", 200, "Please log in", "blocked"},
		{"200 of what speaks another dialect", 200, `"OK"`, "blocked"},
		{"200 in words", 200, "OK", "blocked"},
		{"200 without a word", 200, "", "blocked"},
		{"200 with success in a word", 200, `{"text":"Success"}`, "blocked"},
		{"200 with a code of a version to come", 200, `{"text":"?","code":28}`, "blocked"},
		{"201 that says success", 201, `{"text":"Success","code":0}`, "blocked"},
		{"202 that says nearly full", 202, `{"text":"HEC queue is approaching its capacity limit","code":24}`, "blocked"},
		{"204", 204, "", "blocked"},
		{"302 to a login", 302, "<a href=/login>", "blocked"},
		{"400 from a proxy", 400, "<html>The plain HTTP request was sent to HTTPS port", "blocked"},
		{"401 from a proxy", 401, "<html>", "blocked"},
		{"403 from a proxy", 403, "<html>", "blocked"},
		{"404 from a proxy", 404, "<html>", "blocked"},
		{"405", 405, "", "blocked"},
		{"407", 407, "", "blocked"},
		{"408", 408, "", "retry"},
		{"413 for any size", 413, "<html>Request Entity Too Large", "rejected"},
		{"415", 415, "<html>", "blocked"},
		{"425", 425, "", "retry"},
		{"429 from a proxy", 429, "<html>", "retry"},
		{"500 from a proxy", 500, "<html>", "retry"},
		{"502 from a proxy", 502, "<html>Bad Gateway", "retry"},
		{"503 from a proxy", 503, "<html>", "retry"},
		{"504 from a proxy", 504, "<html>", "retry"},
		{"500 that says success", 500, `{"text":"Success","code":0}`, "retry"},
		{"400 that says success", 400, `{"text":"Success","code":0}`, "blocked"},
		{"200 that says busy", 200, `{"text":"Server is busy","code":9}`, "retry"},
		{"503 that says invalid data", 503, `{"text":"Invalid data format","code":6,"invalid-event-number":0}`, "retry"},
		{"200 that says invalid data", 200, `{"text":"Invalid data format","code":6,"invalid-event-number":0}`, "blocked"},
		{"201 that says no event", 201, `{"text":"Event field is required","code":12,"invalid-event-number":0}`, "blocked"},
		{"302 that says an empty event", 302, `{"text":"Event field cannot be blank","code":13,"invalid-event-number":0}`, "blocked"},
		{"401 that says invalid data", 401, `{"text":"Invalid data format","code":6,"invalid-event-number":0}`, "blocked"},
		{"403 that says invalid fields", 403, `{"text":"Error in handling indexed fields","code":15,"invalid-event-number":0}`, "blocked"},
		{"404 that says invalid data", 404, `{"text":"Invalid data format","code":6,"invalid-event-number":1}`, "blocked"},
		{"429 that says invalid data", 429, `{"text":"Invalid data format","code":6,"invalid-event-number":0}`, "retry"},
		{"a code as a text", 503, `{"text":"Server is busy","code":"9"}`, "retry"},
		{"a code that is none", 200, `{"text":"?","code":-1.5e99}`, "blocked"},
		{"no number", 400, `{"text":"Invalid data format","code":6}`, "rejected"},
		{"a number behind the end", 400, `{"text":"Invalid data format","code":6,"invalid-event-number":77}`, "rejected"},
		{"a number before the start", 400, `{"text":"Invalid data format","code":6,"invalid-event-number":-1}`, "rejected"},
		{"a number too large", 400, `{"text":"Invalid data format","code":6,"invalid-event-number":99999999999999999999}`, "rejected"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, cfg := range []config.Target{splunkConfig("http://hec"), acknowledged(splunkConfig("http://hec"))} {
				s := newSplunk(t, cfg, hecAnswers(tt.status, nil, tt.body), io.Discard)
				results, err := s.Deliver(t.Context(), numbered(1, 2))
				judge(t, tt.want, results, err)
				if !strings.Contains(fmt.Sprint(err), fmt.Sprint(" answers ", tt.status)) {
					t.Errorf("Deliver() = %v, want the server's words", err)
				}
			}
		})
	}
}

func TestSplunkRetryAfter(t *testing.T) {
	for _, status := range []int{429, 503} {
		s := newSplunk(t, splunkConfig("http://hec"), hecAnswers(status, http.Header{"Retry-After": {"17"}}, `{"code":9}`), io.Discard)
		_, err := s.Deliver(t.Context(), numbered(1, 2))
		if p := PauseOf(err); p.Blocked || p.After != 17*time.Second {
			t.Errorf("%d: PauseOf() = %+v, want 17s", status, p)
		}
	}
}

// TestSplunkPoison: a refused event is the only one that doesn't get there, however the collector names it.
func TestSplunkPoison(t *testing.T) {
	type way struct {
		name     string
		code     int
		numbers  int
		nameless bool
		exact    bool
	}
	ways := []way{
		{"6", 6, 0, false, true},
		{"12", 12, 0, false, true},
		{"13", 13, 0, false, true},
		{"15", 15, 0, false, true},
		{"6 counted from one", 6, 1, false, false},
		{"6 without a number", 6, 0, true, false},
	}
	for _, w := range ways {
		for _, bad := range [][]int{{0}, {1}, {2}, {9}, {0, 1, 2}, {3, 4}, {4, 5, 9}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}} {
			for _, acks := range []bool{false, true} {
				t.Run(fmt.Sprint(w.name, bad, acks), func(t *testing.T) {
					server := newCollector(acks)
					server.Refusal, server.Numbers, server.Nameless = w.code, w.numbers, w.nameless
					cfg := splunkConfig("http://hec")
					if acks {
						cfg = acknowledged(cfg)
					}
					cfg.Batch.Entries = 10
					s := newSplunk(t, cfg, server, io.Discard)
					s.first = time.Microsecond
					results, err := s.Deliver(t.Context(), poisonedAt(10, bad))
					checkPoison(t, server, results, err, bad, w.exact && !acks)
				})
			}
		}
	}
}

func poisonedAt(n int, bad []int) []*stream.Entry {
	batch := numbered(1, n)
	for _, i := range bad {
		batch[i].Notification.Title = siem.Poison
	}
	return batch
}

func checkPoison(t *testing.T, server *siem.Splunk, results []Result, err error, bad []int, exact bool) {
	t.Helper()
	var keys []string
	for i, r := range results {
		key := fmt.Sprintf("k%04d", i+1)
		switch {
		case slices.Contains(bad, i):
			if r != Rejected || !strings.Contains(Reply(err, dedup.EventKey(key)), "400") {
				t.Errorf("%s is %v: %v", key, r, err)
			}
		case r != Delivered:
			t.Errorf("%s is %v: %v", key, r, err)
		default:
			keys = append(keys, key)
		}
	}
	got := server.Keys()
	if !exact {
		slices.Sort(got)
		got = slices.Compact(got)
	}
	if diff := cmp.Diff(keys, got); diff != "" {
		t.Errorf("the collector has (-want +got):\n%s", diff)
	}
}

// TestSplunkTrouble: what happens between the refusal of one event and the rest loses nothing.
func TestSplunkTrouble(t *testing.T) {
	for _, f := range []siem.Fault{siem.Refuse, siem.Throttle, siem.Reset, siem.Lie} {
		for at := range 6 {
			for _, acks := range []bool{false, true} {
				for _, numbers := range []int{0, 1} {
					t.Run(fmt.Sprint(f, at, acks, numbers), func(t *testing.T) {
						server := newCollector(acks)
						server.Numbers = numbers
						server.Next(slices.Repeat([]siem.Fault{siem.None}, at)...)
						server.Next(f)
						troubled(t, server, acks)
					})
				}
			}
		}
	}
}

func troubled(t *testing.T, server *siem.Splunk, acks bool) {
	cfg := splunkConfig("http://hec")
	if acks {
		cfg = acknowledged(cfg)
	}
	cfg.Batch.Entries = 10
	s := newSplunk(t, cfg, server, io.Discard)
	s.first = time.Microsecond
	batch := poisonedAt(10, []int{4, 7})
	state := map[dedup.EventKey]Result{}
	for tries := 0; len(batch) > 0 && tries < 5; tries++ {
		results, _ := s.Deliver(t.Context(), batch)
		var left []*stream.Entry
		for i, r := range results {
			state[batch[i].Key] = r
			if r == Retry {
				left = append(left, batch[i])
			}
		}
		batch = left
	}
	for _, e := range numbered(1, 10) {
		bad := e.Key == "k0005" || e.Key == "k0008"
		there := slices.Contains(server.Keys(), string(e.Key))
		if bad && state[e.Key] != Rejected || !bad && (state[e.Key] != Delivered || !there) {
			t.Errorf("%s is %v, there: %v", e.Key, state[e.Key], there)
		}
	}
}

// TestSplunkTooLargeAmidst: a limit that is met only behind a refused event doubles nothing.
func TestSplunkTooLargeAmidst(t *testing.T) {
	server := newCollector(false)
	posts := 0
	cfg := splunkConfig("http://hec")
	cfg.Batch.Entries = 10
	s := newSplunk(t, cfg, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if posts++; posts == 3 {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		server.ServeHTTP(w, r)
	}), io.Discard)
	results, err := s.Deliver(t.Context(), poisonedAt(10, []int{2}))
	want := append([]Result{Delivered, Delivered, Rejected}, repeat(Retry, 7)...)
	if diff := cmp.Diff(want, results); diff != "" || err == nil {
		t.Errorf("results (-want +got):\n%s\n%v", diff, err)
	}
	deliver(t, s, numbered(4, 10))
	if diff := cmp.Diff(slices.Delete(keys(numbered(1, 10)), 2, 3), server.Keys()); diff != "" {
		t.Errorf("the collector has (-want +got):\n%s", diff)
	}
}

// TestSplunkTooLarge: 413 halves a request; what is too large alone is refused.
func TestSplunkTooLarge(t *testing.T) {
	server := newCollector(false)
	server.Largest = 4000
	cfg := splunkConfig("http://hec")
	cfg.Compression, cfg.Batch.Entries = "none", 10
	s := newSplunk(t, cfg, server, io.Discard)
	batch := numbered(1, 10)
	batch[6].Notification.Message = strings.Repeat("long ", 1000)
	results, err := s.Deliver(t.Context(), batch)
	want := repeat(Delivered, 10)
	want[6] = Rejected
	if diff := cmp.Diff(want, results); diff != "" {
		t.Errorf("results (-want +got):\n%s\n%v", diff, err)
	}
	if r := Reply(err, "k0007"); !strings.Contains(r, "413") {
		t.Errorf("Reply() = %q", r)
	}
	if diff := cmp.Diff(slices.Delete(keys(numbered(1, 10)), 6, 7), server.Keys()); diff != "" {
		t.Errorf("the collector has (-want +got):\n%s", diff)
	}
}

// TestSplunkAnsweredEarly: a connection may still send a request that is answered, so the next one may not
// use its memory.
func TestSplunkAnsweredEarly(t *testing.T) {
	for name, change := range map[string]func(config.Target) config.Target{
		"accepted":     func(c config.Target) config.Target { return c },
		"acknowledged": acknowledged,
	} {
		t.Run(name, func(t *testing.T) {
			cfg := change(splunkConfig("http://hec"))
			cfg.Compression = "none"
			s := newSplunk(t, cfg, nil, io.Discard)
			server := &early{}
			s.web.client = &http.Client{Transport: server}
			for i := range 3 {
				results, err := s.Deliver(t.Context(), numbered(i+1, i+1))
				if results[0] != Rejected || !strings.Contains(fmt.Sprint(err), "413") {
					t.Errorf("Deliver() = %v, %v", results, err)
				}
			}
			server.sent(t)
		})
	}
}

// TestSplunkWire compares requests byte for byte.
func TestSplunkWire(t *testing.T) {
	e := received([]byte(`<13>May  6 07:08:08 h brewd: a "quoted" <text> & \ more`))
	e.Notification.Start = time.Date(2031, 5, 6, 7, 0, 0, 42_900_000, time.UTC)
	e.Notification.Severity, e.Match.Alert = formats.High, "a1"
	link := e
	link.Kind, link.Notification.Start, link.Notification.Raised = stream.Link, time.Time{}, time.Date(2031, 5, 6, 7, 1, 0, 0, time.UTC)
	const meta = `"host":"gate.example","source":"sluice","sourcetype":"sluice:json","index":"security","event":`
	fields := func(kind string) string {
		return `,"fields":{"event_key":"e5f60718293a4b5c6d7e8f9011223344","alert_id":"a1","service":"unknown","kind":"` + kind + `","severity":"high"}}` + "\n"
	}
	text := `"<13>May  6 07:08:08 h brewd: a \"quoted\" <text> & \\ more"`
	for _, compression := range []string{"none", "gzip"} {
		var body []byte
		var header http.Header
		var path string
		cfg := splunkConfig("http://hec/services/collector/event/")
		cfg.Compression = compression
		s := newSplunk(t, cfg, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ = io.ReadAll(r.Body)
			header, path = r.Header, r.URL.String()
			_, _ = io.WriteString(w, `{"text":"Success","code":0}`)
		}), io.Discard)
		v := newHECEnvelope(cfg, "gate.example", &shipper{render: func(b []byte, _ *stream.Entry, _ int) ([]byte, error) { return append(b, `{"a":1}`...), nil }})
		s.shipper.render = v.append
		deliver(t, s, []*stream.Entry{&e, &link})
		want := `{"time":1935817200.042,` + meta + `{"a":1}` + fields("unknown") + `{"time":1935817260.000,` + meta + `{"a":1}` + fields("link")
		if diff := cmp.Diff(want, unzip(t, header, body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", compression, diff)
		}

		cfg.Format = "cef_original" // a text, whatever stands in it
		v = newHECEnvelope(cfg, "gate.example", &shipper{render: func(b []byte, e *stream.Entry, _ int) ([]byte, error) { return append(b, e.Notification.Raw...), nil }})
		s.shipper.render = v.append
		deliver(t, s, []*stream.Entry{&e})
		want = `{"time":1935817200.042,` + meta + text + fields("unknown")
		if diff := cmp.Diff(want, unzip(t, header, body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", compression, diff)
		}
		if path != "http://hec/services/collector/event" || header.Get("Authorization") != "Splunk "+hecToken {
			t.Errorf("POST %s with %v", path, header)
		}
		if c := header.Get("X-Splunk-Request-Channel"); !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(c) {
			t.Errorf("the channel is %q", c)
		}
	}
}

func unzip(t *testing.T, header http.Header, body []byte) string {
	t.Helper()
	if header.Get("Content-Encoding") == "" {
		return string(body)
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestSplunkSize: a request keeps to its size, even where quoting makes an event longer.
func TestSplunkSize(t *testing.T) {
	for _, format := range []string{"json", "cef"} {
		largest := 0
		cfg := splunkConfig("http://hec")
		cfg.Format, cfg.Compression, cfg.Batch = format, "none", config.Batch{Entries: 1000, Size: 64 << 10}
		s := newSplunk(t, cfg, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			largest = max(largest, len(b))
			_, _ = io.WriteString(w, `{"text":"Success","code":0}`)
		}), io.Discard)
		batch := numbered(1, 40)
		for i, e := range batch {
			e.Notification.Message = strings.Repeat(`"\`, 500*i)
			e.Notification.Raw = []byte("CEF:0|a|b|c|d|e|1|msg=" + strings.Repeat(`\\"`, 1000*i))
		}
		deliver(t, s, batch)
		if largest > 64<<10 || largest < 48<<10 {
			t.Errorf("%s: the largest request has %d bytes", format, largest)
		}
	}
}

// TestSplunkTimes: Splunk finds an event by a time that somebody could mean.
func TestSplunkTimes(t *testing.T) {
	e := received([]byte("x"))
	v := newHECEnvelope(config.Target{Format: "json"}, "", &shipper{render: func(b []byte, _ *stream.Entry, _ int) ([]byte, error) { return append(b, "{}"...), nil }})
	for _, tt := range []struct {
		start, raised time.Time
		want          string
	}{
		{time.Unix(5, 0), time.Unix(6, 0), `{"time":5.000,`},
		{time.Time{}, time.Unix(6, 1e6), `{"time":6.001,`},
		{time.Unix(-5, 0), time.Date(1, 2, 3, 4, 5, 6, 0, time.UTC), `{"time":1935817689.123,`},
		{time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), time.Time{}, `{"time":253402300799.000,`},
	} {
		e.Notification.Start, e.Notification.Raised = tt.start, tt.raised
		got, err := v.append(nil, &e, 0)
		if err != nil || !strings.HasPrefix(string(got), tt.want+`"event":{}`) {
			t.Errorf("%v, %v: %s, %v, want %s", tt.start, tt.raised, got, err, tt.want)
		}
	}
	if got, err := v.append([]byte("kept"), &e, 20); err == nil || string(got) != "kept" {
		t.Errorf("append() = %q, %v, want an error", got, err)
	}
}

// TestSplunkKeepsTheToken: a page of a proxy that repeats our headers gives nothing away.
func TestSplunkKeepsTheToken(t *testing.T) {
	for _, status := range []int{200, 400, 401, 413, 503} {
		var log bytes.Buffer
		s := newSplunk(t, acknowledged(splunkConfig("http://hec")), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, "<html>you sent %v", r.Header)
		}), &log)
		_, err := s.Deliver(t.Context(), numbered(1, 2))
		if err == nil || strings.Contains(err.Error()+log.String(), hecToken) || !strings.Contains(err.Error(), "(secret)") {
			t.Errorf("%d: %v\n%s", status, err, &log)
		}
	}
}

func TestSplunkTLS(t *testing.T) {
	server, client := newCerts(t, "splunk.example"), newCerts(t, "gate.example")
	fake := newCollector(false)
	at := httptest.NewUnstartedServer(fake)
	at.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	at.TLS = &tls.Config{Certificates: []tls.Certificate{server.pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: client.pool}
	at.StartTLS()
	defer at.Close()
	cfg := splunkConfig(at.URL)
	cfg.TLS = config.TLS{CA: server.ca, Cert: client.cert, Key: client.key, ServerName: "splunk.example"}
	deliver(t, newSplunk(t, cfg, nil, io.Discard), numbered(1, 2))

	cfg.TLS.ServerName = ""
	_, err := newSplunk(t, cfg, nil, io.Discard).Deliver(t.Context(), numbered(1, 2))
	if !PauseOf(err).Blocked {
		t.Errorf("another name in the certificate: %v, want it blocked", err)
	}
	cfg.TLS = config.TLS{CA: server.ca, ServerName: "splunk.example"}
	results, err := newSplunk(t, cfg, nil, io.Discard).Deliver(t.Context(), numbered(1, 2))
	if err == nil || results[0] != Retry {
		t.Errorf("without a certificate of ours: %v, %v", results, err)
	}
	if diff := cmp.Diff(keys(numbered(1, 2)), fake.Keys()); diff != "" {
		t.Errorf("the collector has (-want +got):\n%s", diff)
	}
	if err := os.Remove(client.key); err != nil {
		t.Fatal(err)
	}
}

// TestSplunkWorstReplies: nothing that a collector says crashes the gateway, grows it or loses an event.
func TestSplunkWorstReplies(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 100_000)
	for name, body := range map[string]string{
		"deep":            deep,
		"long":            `{"text":"` + strings.Repeat("x", 2<<20) + `","code":0}`,
		"not UTF-8":       "{\"text\":\"\xff\xfe\x00\",\"code\":6,\"invalid-event-number\":1}",
		"an array":        `[{"text":"Success","code":0}]`,
		"null":            `null`,
		"ackId as text":   `{"code":0,"ackId":"x"}`,
		"ackId negative":  `{"code":0,"ackId":-1}`,
		"ackId enormous":  `{"code":0,"ackId":18446744073709551616}`,
		"ackId an object": `{"code":0,"ackId":{"0":true}}`,
		"acks as list":    `{"code":0,"ackId":1,"acks":[true]}`,
		"acks as numbers": `{"code":0,"ackId":1,"acks":{"1":1}}`,
		"other acks":      `{"code":0,"ackId":1,"acks":{"2":true,"-1":true}}`,
	} {
		for _, status := range []int{200, 400, 503} {
			cfg := acknowledged(splunkConfig("http://hec"))
			cfg.AckTimeout = 20 * time.Millisecond
			s := newSplunk(t, cfg, hecAnswers(status, http.Header{"Set-Cookie": {"a=" + strings.Repeat("y", 9000)}}, body), io.Discard)
			s.first = time.Millisecond
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			results, err := s.Deliver(ctx, numbered(1, 2))
			cancel()
			if (slices.Contains(results, Retry) || slices.Contains(results, Rejected)) && err == nil {
				t.Errorf("%s, %d: %v without a reason", name, status, results)
			}
			if slices.Contains(results, Delivered) && !strings.HasPrefix(name, "ackId") {
				t.Errorf("%s, %d: delivered", name, status)
			}
			if err != nil && len(err.Error()) > 4000 {
				t.Errorf("%s, %d: an error of %d bytes", name, status, len(err.Error()))
			}
		}
	}
}
