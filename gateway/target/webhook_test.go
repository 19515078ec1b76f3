package target

import (
	"compress/gzip"
	"context"
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/stream"
	"github.com/sluice-siem/sluice/test/siem"
)

func webhookConfig(url string) config.Target {
	return config.Target{
		Name: "hook", Type: "http", Format: "json", URL: url + "/hooks/inbound?key=very-secret-path", Body: "one", Signature: "none", Conflict: "refused",
		Compression: "none", Timeout: 300 * time.Millisecond, Batch: config.Batch{Entries: 1}, Proxy: "none",
	}
}

// newWebhook makes a target of a server; change changes the usual ones.
func newWebhook(t *testing.T, change func(*siem.Webhook, *config.Target)) (*Webhook, *siem.Webhook) {
	t.Helper()
	server := &siem.Webhook{}
	cfg := webhookConfig(serve(t, server))
	if change != nil {
		change(server, &cfg)
	}
	return openWebhook(t, cfg, time.Now), server
}

func openWebhook(t *testing.T, cfg config.Target, now func() time.Time) *Webhook {
	t.Helper()
	w, err := NewWebhook(cfg, now, NewMetrics(nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// inLines sends three entries a request.
func inLines(s *siem.Webhook, c *config.Target) {
	s.Lines, s.KeyField = true, "event_key"
	c.Body, c.Batch = "ndjson", config.Batch{Entries: 3, Size: 1 << 20}
}

func TestWebhookKeepsTheContract(t *testing.T) {
	every := []siem.Fault{siem.Refuse, siem.Throttle, siem.Reset, siem.Lie, siem.Stall}
	for name, change := range map[string]func(*siem.Webhook, *config.Target){
		"one": nil,
		"one, signed, gzip, basic": func(s *siem.Webhook, c *config.Target) {
			s.Signature, s.Secrets, s.Gzip, s.Username, s.Password = "standard", [][]byte{[]byte("0123456789abcdef")}, true, "sluice", "very-secret-password"
			c.Signature, c.Secrets, c.Compression, c.Username, c.Password = "standard", []config.Secret{"0123456789abcdef"}, "gzip", s.Username, "very-secret-password"
		},
		"one, 409 is delivered": func(s *siem.Webhook, c *config.Target) { s.Conflict, c.Conflict = true, "delivered" },
		"one, cef":              func(s *siem.Webhook, c *config.Target) { s.Text, c.Format = true, "cef" },
		"lines":                 inLines,
		"lines, signed, token": func(s *siem.Webhook, c *config.Target) {
			inLines(s, c)
			s.Signature, s.Secrets, s.Token = "timestamped", [][]byte{[]byte("0123456789abcdef")}, "very-secret-token"
			c.Signature, c.Secrets, c.Token = "timestamped", []config.Secret{"0123456789abcdef"}, "very-secret-token"
		},
	} {
		t.Run(name, func(t *testing.T) {
			contract{
				open: func(t *testing.T) (deliverer, *siem.Record) {
					w, server := newWebhook(t, func(s *siem.Webhook, c *config.Target) {
						if c.Timeout = time.Minute; change != nil {
							change(s, c)
						}
					})
					return w, &server.Record
				},
				faults: every, exact: true, poison: true,
			}.run(t)
		})
	}
}

func TestWebhookStatuses(t *testing.T) {
	type class struct {
		result  Result
		blocked bool
	}
	ok, again, mend, dead := class{Delivered, false}, class{Retry, false}, class{Retry, true}, class{Rejected, false}
	statuses := map[class][]int{
		ok:    {200, 201, 202, 203, 204, 206, 207},
		again: {408, 425, 429, 500, 502, 503, 504, 505, 507, 520, 529, 599, 600, 999},
		mend:  {300, 301, 302, 303, 304, 307, 308, 401, 402, 403, 404, 405, 407, 410, 421, 426, 431, 451, 501, 511},
		dead:  {400, 406, 409, 411, 412, 413, 414, 415, 416, 418, 422, 423, 424, 428, 499},
	}
	for want, list := range statuses {
		for _, status := range list {
			says := siem.HTTPAnswer{Status: status, Header: map[string]string{"Location": "/elsewhere"}, Body: "these are the words"}
			words := says.Body
			if status == 204 || status == 304 {
				says.Body, words = "", fmt.Sprint(status)
			}
			t.Run(fmt.Sprint(status, " for one"), func(t *testing.T) {
				w, server := newWebhook(t, nil)
				server.Answer(siem.HTTPAnswer{}, says)
				results, err := w.Deliver(t.Context(), numbered(1, 3))
				o := madeOf{results: []Result{Delivered, want.result, Delivered}, blocked: want.blocked, words: words}
				if want.result == Retry {
					o.results[2] = Retry // what comes later waits
				}
				if want == ok {
					o.words = ""
				}
				o.check(t, results, err)
				if len(server.Headers()) > 3 {
					t.Errorf("%d requests: a redirect was followed", len(server.Headers()))
				}
			})
			t.Run(fmt.Sprint(status, " for lines"), func(t *testing.T) {
				w, server := newWebhook(t, inLines)
				server.Answer(says, says) // all three, then, where it is divided, the first
				results, err := w.Deliver(t.Context(), numbered(1, 3))
				o := madeOf{results: repeat(want.result, 3), blocked: want.blocked, words: words}
				switch want {
				case dead:
					o.results = []Result{Rejected, Delivered, Delivered}
				case ok:
					o.words = ""
				}
				o.check(t, results, err)
			})
		}
	}
}

func TestWebhookConflict(t *testing.T) {
	w, server := newWebhook(t, func(_ *siem.Webhook, c *config.Target) { c.Conflict = "delivered" })
	server.Answer(siem.HTTPAnswer{Status: 409})
	deliver(t, w, numbered(1, 1))

	// Of lines it isn't told which of them was there: none is lost for it.
	w, server = newWebhook(t, func(s *siem.Webhook, c *config.Target) { inLines(s, c); c.Conflict = "delivered" })
	server.Answer(siem.HTTPAnswer{Status: 409}, siem.HTTPAnswer{Status: 409})
	deliver(t, w, numbered(1, 3))
	if diff := cmp.Diff([]string{"k0002", "k0003"}, server.Keys()); diff != "" {
		t.Errorf("the server has (-want +got):\n%s", diff)
	}
}

func TestWebhookWaits(t *testing.T) {
	for header, want := range map[string]time.Duration{"": 0, "12": 12 * time.Second, "99999": time.Hour, "-1": 0, "soon": 0} {
		for _, status := range []int{429, 503} {
			w, server := newWebhook(t, nil)
			server.Answer(siem.HTTPAnswer{Status: status, Header: map[string]string{"Retry-After": header}})
			results, err := w.Deliver(t.Context(), numbered(1, 1))
			madeOf{results: repeat(Retry, 1), wait: want, words: fmt.Sprint(status)}.check(t, results, err)
		}
	}
}

// TestWebhookWaitsNoLongerThanAnHour, and says what was asked for.
func TestWebhookWaitsNoLongerThanAnHour(t *testing.T) {
	w, server := newWebhook(t, nil)
	server.Answer(siem.HTTPAnswer{Status: 503, Header: map[string]string{"Retry-After": "14400"}})
	_, err := w.Deliver(t.Context(), numbered(1, 1))
	if p := PauseOf(err); p.After != time.Hour || !strings.Contains(err.Error(), "(asked to wait 4h0m0s, waits 1h0m0s)") {
		t.Errorf("waits %v: %v", p.After, err)
	}
}

// TestAProxysRefusalIsTheProxys, and not the collector's: in a tunnel and without one.
func TestAProxysRefusalIsTheProxys(t *testing.T) {
	proxy := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusProxyAuthRequired) }))
	for url, want := range map[string]string{
		"http://hook.example":  "webhook: the proxy answers 407 Proxy Authentication Required",
		"https://hook.example": "webhook: POST to https://hook.example: the proxy " + strings.TrimPrefix(proxy, "http://") + " answers 407 Proxy Authentication Required",
	} {
		cfg := webhookConfig(url)
		cfg.Proxy = proxy
		if _, err := openWebhook(t, cfg, time.Now).Deliver(t.Context(), numbered(1, 1)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", url, err, want)
		}
	}
}

// The worst that a server may do; what it takes twice has the same id.
func TestWebhookOutcomesThatNobodyKnows(t *testing.T) {
	tests := []struct {
		name, words string
		says        siem.HTTPAnswer
	}{
		{"an early close", "webhook:", siem.HTTPAnswer{Early: true}},
		{"a header without an end", "webhook:", siem.HTTPAnswer{Status: 200, Header: map[string]string{"X": strings.Repeat("x", 11<<20)}, Take: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, server := newWebhook(t, nil)
			w.web.timeout = 2 * time.Second
			server.Answer(tt.says)
			results, err := w.Deliver(t.Context(), numbered(1, 1))
			madeOf{results: repeat(Retry, 1), words: tt.words}.check(t, results, err)
			deliver(t, w, numbered(1, 1))
			if diff := cmp.Diff([]string{"k0001"}, server.IDs()); diff != "" {
				t.Errorf("the server has (-want +got):\n%s", diff)
			}
		})
	}
}

// TestWebhookSaysWhatBecameOfARequest: to whom it was, and in words.
func TestWebhookSaysWhatBecameOfARequest(t *testing.T) {
	t.Parallel()
	for want, answers := range map[string]func(http.ResponseWriter, *http.Request){
		"the connection was closed without an answer: EOF": func(w http.ResponseWriter, _ *http.Request) {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_ = conn.Close()
			}
		},
		"no answer within 300ms: ": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		},
	} {
		url := serve(t, http.HandlerFunc(answers))
		_, err := openWebhook(t, webhookConfig(url), time.Now).Deliver(t.Context(), numbered(1, 1))
		if want = "webhook: POST to " + url + ": " + want; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Deliver = %v, want %s", err, want)
		}
	}
}

// A body that never ends, or breaks off, takes nothing away from the status.
func TestWebhookNeedsNoBody(t *testing.T) {
	tests := []struct {
		name  string
		says  siem.HTTPAnswer
		want  Result
		mend  bool
		words string
		keys  []string
	}{
		{"200, slow", siem.HTTPAnswer{Status: 200, Body: "o", Slow: true, Take: true}, Delivered, false, "", []string{"k0001"}},
		{"200, torn", siem.HTTPAnswer{Status: 200, Body: "o", Torn: true, Take: true}, Delivered, false, "", []string{"k0001"}},
		{"202, nothing of it", siem.HTTPAnswer{Status: 202, Torn: true, Take: true}, Delivered, false, "", []string{"k0001"}},
		{"400, torn", siem.HTTPAnswer{Status: 400, Body: "no such field", Torn: true}, Rejected, false, "400 Bad Request no such field", nil},
		{"401, slow", siem.HTTPAnswer{Status: 401, Body: "no", Slow: true}, Retry, true, "401 Unauthorized no", nil},
		{"503, torn", siem.HTTPAnswer{Status: 503, Body: "later", Torn: true}, Retry, false, "503 Service Unavailable later", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, server := newWebhook(t, nil)
			w.web.timeout, w.web.words = 10*time.Second, 100*time.Millisecond
			server.Answer(tt.says)
			begun := time.Now()
			results, err := w.Deliver(t.Context(), numbered(1, 1))
			madeOf{results: repeat(tt.want, 1), blocked: tt.mend, words: tt.words}.check(t, results, err)
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("it waited %v for the body", took)
			}
			if diff := cmp.Diff(tt.keys, server.Keys(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("the server has (-want +got):\n%s", diff)
			}
		})
	}
}

// A receiver that never ends a body holds up nothing: each entry comes once.
func TestWebhookGoesOnWithoutBodies(t *testing.T) {
	w, server := newWebhook(t, nil)
	w.web.words = 50 * time.Millisecond
	endless := siem.HTTPAnswer{Status: 200, Body: "o", Slow: true, Take: true}
	server.Answer(endless, endless, endless)
	deliver(t, w, numbered(1, 3))
	if diff := cmp.Diff(keys(numbered(1, 3)), server.Keys()); diff != "" {
		t.Errorf("the server has (-want +got):\n%s", diff)
	}
}

func TestWebhookReadsABoundedAnswer(t *testing.T) {
	w, server := newWebhook(t, nil)
	w.web.timeout = 10 * time.Second
	server.Answer(siem.HTTPAnswer{Status: 400, Body: strings.Repeat("long ", maxReply)})
	results, err := w.Deliver(t.Context(), numbered(1, 1))
	madeOf{results: repeat(Rejected, 1), words: "400 Bad Request long long"}.check(t, results, err)
	if n := len(err.Error()); n > 1000 {
		t.Errorf("the error has %d bytes", n)
	}
}

// early answers requests before it has read them.
type early struct{ bodies []io.Reader }

// sent wants the n-th request to be about the entry of that number only.
func (e *early) sent(t *testing.T) {
	t.Helper()
	for i, body := range e.bodies {
		text, err := io.ReadAll(body)
		for k := range e.bodies {
			if key := keys(numbered(k+1, k+1))[0]; err != nil || strings.Contains(string(text), key) != (k == i) {
				t.Errorf("request %d, and %s: %.300s, %v", i, key, text, err)
			}
		}
	}
}

func (e *early) RoundTrip(r *http.Request) (*http.Response, error) {
	e.bodies = append(e.bodies, r.Body)
	return &http.Response{StatusCode: http.StatusRequestEntityTooLarge, Body: http.NoBody, Request: r}, nil
}

// A server may answer before it has read the request, which a connection of ours still sends then: the
// next request may not use its memory.
func TestWebhookAnsweredEarly(t *testing.T) {
	for _, change := range []func(*siem.Webhook, *config.Target){func(*siem.Webhook, *config.Target) {}, inLines} {
		cfg := webhookConfig("http://127.0.0.1:1")
		change(&siem.Webhook{}, &cfg)
		cfg.Compression = "gzip"
		w := openWebhook(t, cfg, time.Now)
		client, err := w.web.open()
		if err != nil {
			t.Fatal(err)
		}
		server := &early{}
		client.Transport = server
		for i := range 3 {
			results, err := w.Deliver(t.Context(), numbered(i+1, i+1))
			madeOf{results: repeat(Rejected, 1), words: "413"}.check(t, results, err)
		}
		for i, body := range server.bodies {
			z, err := gzip.NewReader(body)
			if err != nil {
				t.Fatal(err)
			}
			if text, err := io.ReadAll(z); err != nil || !strings.Contains(string(text), keys(numbered(i+1, i+1))[0]) {
				t.Errorf("request %d: %.60s, %v", i, text, err)
			}
		}
	}
}

func TestWebhookTooLarge(t *testing.T) {
	divided, _ := newWebhook(t, func(s *siem.Webhook, c *config.Target) {
		inLines(s, c)
		s.Limit, c.Batch.Entries = 2000, 10
	})
	batch := numbered(1, 10)
	batch[4].Notification.Raw = []byte(strings.Repeat("x", 3000))
	results, err := divided.Deliver(t.Context(), batch)
	want := repeat(Delivered, 10)
	want[4] = Rejected
	madeOf{results: want, words: "batch.size"}.check(t, results, err)

	w, server := newWebhook(t, func(s *siem.Webhook, c *config.Target) { s.Limit, c.Batch.Size = 2000, 2000 })
	deliver(t, w, batch)
	if diff := cmp.Diff(keys(batch), server.Keys()); diff != "" {
		t.Errorf("the server has (-want +got):\n%s", diff)
	}
}

// The vectors are those that the conventions' authors publish.
func TestWebhookSignatures(t *testing.T) {
	tests := []struct {
		style, secret, id, body string
		at                      int64
		name, want              string
	}{
		{
			"standard", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", `{"test": 2432232314}`, 1614265330,
			"webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
		},
		{
			"github", "It's a Secret to Everybody", "", "Hello, World!", 0,
			"X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
		},
	}
	for _, tt := range tests {
		s, err := newSignature(tt.style, []config.Secret{config.Secret(tt.secret)})
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		s.set(h, tt.id, time.Unix(tt.at, 0), []byte(tt.body))
		if got := h.Get(tt.name); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.style, got, tt.want)
		}
	}
	for _, secrets := range [][]config.Secret{nil, {"whsec_no-base64!"}, {"whsec_"}} {
		if _, err := newSignature("standard", secrets); err == nil || strings.Contains(err.Error(), "no-base64") {
			t.Errorf("newSignature() of %d secrets = %v", len(secrets), err)
		}
	}
	if _, err := newSignature("md5", []config.Secret{"0123456789abcdef"}); err == nil {
		t.Error("newSignature() takes a style that there isn't")
	}
}

func TestWebhookSignsForReceiversOldAndNew(t *testing.T) {
	older, newer := config.Secret("older-0123456789"), config.Secret("whsec_"+base64.StdEncoding.EncodeToString([]byte("newer-0123456789")))
	decoded := map[string][]byte{"standard": []byte("newer-0123456789"), "timestamped": []byte(newer), "github": []byte(newer)}
	for _, style := range []string{"standard", "timestamped", "github"} {
		for i, key := range [][]byte{[]byte(older), decoded[style]} {
			for _, change := range []func(*siem.Webhook, *config.Target){func(*siem.Webhook, *config.Target) {}, inLines} {
				w, server := newWebhook(t, func(s *siem.Webhook, c *config.Target) {
					change(s, c)
					s.Signature, s.Secrets, s.Gzip = style, [][]byte{key}, true
					c.Signature, c.Secrets, c.Compression = style, []config.Secret{older, newer}, "gzip"
				})
				results, err := w.Deliver(t.Context(), numbered(1, 1))
				want := madeOf{results: repeat(Delivered, 1)}
				if style == "github" && i == 1 { // there is one header, of the first secret
					want = madeOf{results: repeat(Retry, 1), blocked: true, words: "no signature matches"}
				}
				want.check(t, results, err)
				if want.results[0] == Delivered && len(server.IDs()) != 1 {
					t.Errorf("%s: nothing was taken", style)
				}
			}
		}
	}
}

func TestWebhookRetriesWithTheSameIDAndAFreshSignature(t *testing.T) {
	var seconds atomic.Int64
	seconds.Store(1614265330)
	clock := func() time.Time { return time.Unix(seconds.Load(), 0) }
	for name, change := range map[string]func(*siem.Webhook, *config.Target){"one": func(*siem.Webhook, *config.Target) {}, "lines": inLines} {
		server := &siem.Webhook{Signature: "standard", Secrets: [][]byte{[]byte("0123456789abcdef")}, Now: clock}
		cfg := webhookConfig(serve(t, server))
		change(server, &cfg)
		cfg.Signature, cfg.Secrets = "standard", []config.Secret{"0123456789abcdef"}
		w := openWebhook(t, cfg, clock)
		server.Next(siem.Lie)
		if results, err := w.Deliver(t.Context(), numbered(1, 1)); err == nil {
			t.Errorf("%s: %v, nil", name, results)
		}
		seconds.Add(600) // the first signature has run out
		deliver(t, w, numbered(1, 1))
		h := server.Headers()
		if a, b := h[0].Get("Webhook-Id"), h[1].Get("Webhook-Id"); a != b || a == "" {
			t.Errorf("%s: ids %q and %q", name, a, b)
		}
		for _, header := range []string{"Webhook-Timestamp", "Webhook-Signature"} {
			if h[0].Get(header) == h[1].Get(header) {
				t.Errorf("%s: %s is still %s", name, header, h[0].Get(header))
			}
		}
		if diff := cmp.Diff([]string{"k0001"}, server.Keys()); diff != "" {
			t.Errorf("%s: the server has (-want +got):\n%s", name, diff)
		}

		w.now = func() time.Time { return clock().Add(-6 * time.Minute) }
		results, err := w.Deliver(t.Context(), numbered(2, 2))
		madeOf{results: repeat(Retry, 1), blocked: true, words: "too old or too new"}.check(t, results, err)
	}
}

func TestWebhookRequest(t *testing.T) {
	var head, body string
	url := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var b strings.Builder
		fmt.Fprintln(&b, r.Method, r.URL)
		r.Header.Del("Content-Length")
		r.Header.Del("Accept-Encoding")
		r.Header.Write(&b)
		head = strings.ReplaceAll(strings.ReplaceAll(b.String(), "\r", ""), "User-Agent: "+agent()+"\n", "User-Agent: agent\n")
		text, _ := io.ReadAll(r.Body)
		body = string(text)
	}))
	object := func(b []byte, e *stream.Entry, _ int) ([]byte, error) { return append(b, `{"k":"`+e.Key+`"}`...), nil }
	tests := []struct {
		name       string
		change     func(*config.Target)
		head, body string
	}{
		{"one", func(c *config.Target) { c.Token = "very-secret-token" }, `POST /hooks/inbound?key=very-secret-path
Authorization: Bearer very-secret-token
Content-Type: application/json
User-Agent: agent
Webhook-Id: k0001
`, `{"k":"k0001"}`},
		{"lines", func(c *config.Target) { inLines(&siem.Webhook{}, c); c.Username, c.Password = "u", "p" }, `POST /hooks/inbound?key=very-secret-path
Authorization: Basic dTpw
Content-Type: application/x-ndjson
User-Agent: agent
Webhook-Id: 12aecb37d40909c7cd1b8c64dfbf725c
`, "{\"k\":\"k0001\"}\n{\"k\":\"k0002\"}\n"},
		{"text with headers", func(c *config.Target) {
			c.Format, c.Signature, c.Secrets = "cef", "timestamped", []config.Secret{"It's a Secret to Everybody", "0123456789abcdef"}
			c.Headers = []config.Header{{Name: "X-Api-Key", Value: "very-secret-header"}, {Name: "webhook-id", Value: "mine"}}
		}, `POST /hooks/inbound?key=very-secret-path
Content-Type: text/plain; charset=utf-8
User-Agent: agent
Webhook-Id: k0001
X-Api-Key: very-secret-header
X-Sluice-Signature: t=1614265330,v1=5eac8d9a76b462c3cc2094a851ba915bf089c3f11a8de06f9287826aea83d36a,v1=1df2fe649eebe56317b4f4d101aeac2151a91bbc7e1d2d1ef84dac4fc520d32b
`, `{"k":"k0001"}`},
		{"a content type of the operator's", func(c *config.Target) {
			c.Headers = []config.Header{{Name: "content-type", Value: "application/cloudevents+json"}}
		}, `POST /hooks/inbound?key=very-secret-path
Content-Type: application/cloudevents+json
User-Agent: agent
Webhook-Id: k0001
`, `{"k":"k0001"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := webhookConfig(url)
			tt.change(&cfg)
			w := openWebhook(t, cfg, func() time.Time { return time.Unix(1614265330, 0) })
			w.shipper.render = object
			n := 1
			if w.lines {
				n = 2
			}
			deliver(t, w, numbered(1, n))
			if diff := cmp.Diff(tt.head, head); diff != "" {
				t.Errorf("head (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.body, body); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAgent: what RFC 9110 takes for a product and its version.
func TestAgent(t *testing.T) {
	for version, want := range map[string]string{
		"v1.2.3": "sluice/1.2.3", "v0.0.0-20261130120000-0123456789ab+dirty": "sluice/0.0.0-20261130120000-0123456789ab+dirty", "(devel)": "sluice/devel", "": "sluice",
	} {
		if got := agentOf(version); got != want {
			t.Errorf("agentOf(%q) = %q, want %q", version, got, want)
		}
	}
}

func TestWebhookTellsNoSecrets(t *testing.T) {
	echo := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(403)
		fmt.Fprintf(w, "%s: you sent %v", r.URL, r.Header)
	}))
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, url := range []string{echo, gone.URL} {
		for _, change := range []func(*config.Target){
			func(c *config.Target) { c.Token = "very-secret-token" },
			func(c *config.Target) { c.Username, c.Password = "u", "very-secret-password" },
			func(c *config.Target) {
				c.Headers = []config.Header{{Name: "X-Api-Key", Value: "very-secret-header"}, {Name: "Authorization", Value: "Token very-secret"}}
			},
		} {
			cfg := webhookConfig(url)
			change(&cfg)
			_, err := openWebhook(t, cfg, time.Now).Deliver(t.Context(), numbered(1, 1))
			if err == nil || strings.Contains(err.Error(), "very-secret") || strings.Contains(err.Error(), basic("u", "very-secret-password")[6:]) {
				t.Errorf("the error tells a secret: %v", err)
			}
		}
	}
	for _, change := range []func(*config.Target){
		func(c *config.Target) { c.Token = "very-secret\ntoken" },
		func(c *config.Target) { c.Headers = []config.Header{{Name: "X-Api-Key", Value: "very-secret\r"}} },
	} {
		cfg := webhookConfig(echo)
		change(&cfg)
		if _, err := NewWebhook(cfg, time.Now, NewMetrics(nil)); err == nil || strings.Contains(err.Error(), "very-secret") {
			t.Errorf("NewWebhook() with a line end in a header: %v", err)
		}
	}
}

// TestWebhookTellsNoSecretOfARedirect: its page has the URL, as HTML writes it.
func TestWebhookTellsNoSecretOfARedirect(t *testing.T) {
	moved := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to := "https://siem.example" + r.RequestURI
		w.Header().Set("Location", to)
		w.WriteHeader(302)
		fmt.Fprintf(w, `<p>The document has moved <a href="%s">here</a>.</p>`, html.EscapeString(to))
	}))
	cfg := webhookConfig(moved)
	cfg.URL += "&sv=1.0"
	_, err := openWebhook(t, cfg, time.Now).Deliver(t.Context(), numbered(1, 1))
	if err == nil || !strings.Contains(err.Error(), "302 Found to https://siem.example") || strings.Contains(err.Error(), "very-secret") {
		t.Errorf("the error tells a secret, or not where to: %v", err)
	}
}

// TestWebhookIsOutOfReach: what the network does passes by itself, what a certificate says doesn't.
func TestWebhookIsOutOfReach(t *testing.T) {
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	mute, err := net.Listen("tcp", "127.0.0.1:0") // its kernel connects, and nobody shakes hands
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	server, other := newCerts(t, "127.0.0.1"), newCerts(t, "127.0.0.1")
	for _, tt := range []struct {
		name, url string
		blocked   bool
		words     string
	}{
		{"network", "http://" + nobody.Addr().String(), false, "connection refused"},
		{"TLS handshake timeout", "https://" + mute.Addr().String(), false, "deadline exceeded"},
		{"certificate error", secured(t, &siem.Webhook{}, server, other), true, "unknown authority"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := webhookConfig(tt.url)
			cfg.TLS = config.TLS{CA: other.ca}
			if tt.blocked {
				cfg.Timeout = time.Minute
			}
			results, err := openWebhook(t, cfg, time.Now).Deliver(t.Context(), numbered(1, 2))
			madeOf{results: repeat(Retry, 2), blocked: tt.blocked, words: tt.words}.check(t, results, err)
		})
	}
}

func TestWebhookOverTLS(t *testing.T) {
	server, client := newCerts(t, "hook.example"), newCerts(t, "sluice")
	fake := &siem.Webhook{}
	cfg := webhookConfig(secured(t, fake, server, client))
	cfg.Timeout = 10 * time.Second
	cfg.TLS = config.TLS{CA: server.ca, Cert: client.cert, Key: client.key, ServerName: "hook.example"}
	deliver(t, openWebhook(t, cfg, time.Now), numbered(1, 3))

	cfg.TLS.ServerName = "other.example"
	results, err := openWebhook(t, cfg, time.Now).Deliver(t.Context(), numbered(4, 4))
	madeOf{results: repeat(Retry, 1), blocked: true, words: "other.example"}.check(t, results, err)
	if strings.Contains(err.Error(), "very-secret") {
		t.Errorf("the error tells the URL: %v", err)
	}
	if diff := cmp.Diff(keys(numbered(1, 3)), fake.Keys()); diff != "" {
		t.Errorf("the server has (-want +got):\n%s", diff)
	}
}

func TestWebhookStopsWithItsContext(t *testing.T) {
	w, server := newWebhook(t, func(_ *siem.Webhook, c *config.Target) { c.Timeout = time.Hour })
	server.Next(siem.None, siem.Stall)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	results, err := w.Deliver(ctx, numbered(1, 3))
	madeOf{results: []Result{Delivered, Retry, Retry}, words: "context deadline exceeded"}.check(t, results, err)
}
