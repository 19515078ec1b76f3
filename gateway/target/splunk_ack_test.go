package target

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/test/siem"
)

// TestSplunkWaitsForTheIndexer: all requests of a batch wait together, asked for ever less often.
func TestSplunkWaitsForTheIndexer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newCollector(true)
		server.Delay = 30 * time.Second
		s := newSplunk(t, acknowledged(splunkConfig("http://hec")), server, io.Discard)
		start := time.Now()
		deliver(t, s, numbered(1, 10))
		if took := time.Since(start); took < server.Delay || took > server.Delay+longestAsk {
			t.Errorf("it took %v", took)
		}
		asked := server.Asked()
		if first := asked[0].Sub(start); first != firstAsk {
			t.Errorf("the first question came after %v", first)
		}
		for i := 2; i < len(asked); i++ {
			if asked[i].Sub(asked[i-1]) < asked[i-1].Sub(asked[i-2]) {
				t.Errorf("questions at %v", asked)
			}
		}
		if len(asked) > 15 {
			t.Errorf("%d questions", len(asked))
		}
		if diff := cmp.Diff(keys(numbered(1, 10)), server.Keys()); diff != "" {
			t.Errorf("the collector has (-want +got):\n%s", diff)
		}
	})
}

// TestSplunkUnacknowledged: what isn't acknowledged in time is sent again, with the same keys, and nothing
// else is.
func TestSplunkUnacknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newCollector(true)
		cfg := acknowledged(splunkConfig("http://hec"))
		var slow *SplunkHEC
		posts := 0
		slow = newSplunk(t, cfg, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/event") {
				server.Delay = 0
				if posts++; posts == 2 {
					server.Delay = time.Hour // the second request is never indexed
				}
			}
			server.ServeHTTP(w, r)
		}), io.Discard)
		start := time.Now()
		results, err := slow.Deliver(t.Context(), numbered(1, 9))
		want := repeat(Delivered, 9)
		want[3], want[4], want[5] = Retry, Retry, Retry
		if diff := cmp.Diff(want, results); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
		if err == nil || !strings.Contains(err.Error(), "3 accepted events are not acknowledged") || PauseOf(err).Blocked {
			t.Errorf("Deliver() = %v", err)
		}
		if took := time.Since(start); took != cfg.AckTimeout {
			t.Errorf("it took %v, want %v", took, cfg.AckTimeout)
		}
		deliver(t, slow, numbered(4, 6))
		if diff := cmp.Diff(append(keys(numbered(1, 9)), keys(numbered(4, 6))...), server.Keys()); diff != "" {
			t.Errorf("the collector has (-want +got):\n%s", diff)
		}
	})
}

// TestSplunkRestart: a server that starts again knows nothing of what it had accepted.
func TestSplunkRestart(t *testing.T) {
	for _, after := range []int{1, 2, 3} { // requests
		synctest.Test(t, func(t *testing.T) {
			server := newCollector(true)
			posts := 0
			s := newSplunk(t, acknowledged(splunkConfig("http://hec")), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				server.ServeHTTP(w, r)
				if strings.HasSuffix(r.URL.Path, "/event") {
					if posts++; posts == after {
						server.Restart()
					}
				}
			}), io.Discard)
			results, err := s.Deliver(t.Context(), numbered(1, 9))
			want := append(repeat(Retry, 3*after), repeat(Delivered, 9-3*after)...)
			if after == 2 { // the third is number 0, which the first was; number 1 is never acknowledged
				want = append(repeat(Retry, 6), repeat(Delivered, 3)...)
			}
			if diff := cmp.Diff(want, results); diff != "" || err == nil {
				t.Errorf("after %d requests, results (-want +got):\n%s\n%v", after, diff, err)
			}
		})
	}
}

// TestSplunkPolls: every answer to a question for acknowledgements in its class.
func TestSplunkPolls(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		status     int
		want       string // of the entries and the error, while it answers so
		whole      bool   // the whole patience is spent
	}{
		{"busy", `{"text":"Server is busy","code":9}`, 503, "retry", true},
		{"shutting down", `{"text":"Server is shutting down","code":23}`, 503, "retry", true},
		{"too many", `{"text":"HEC ACK channel is at capacity","code":27}`, 429, "retry", true},
		{"a page", `<html>`, 200, "retry", true},
		{"a bad gateway", `<html>`, 502, "retry", true},
		{"no such thing", `{"acks":null}`, 200, "retry", true},
		{"another list", `{"acks":[0]}`, 200, "retry", true},
		{"another id", `{"acks":{"1":true}}`, 200, "retry", true},
		{"invalid token", `{"text":"Invalid token","code":4}`, 403, "blocked", false},
		{"no channel", `{"text":"Data channel is missing","code":10}`, 400, "blocked", false},
		{"bad channel", `{"text":"Invalid data channel","code":11}`, 400, "blocked", false},
		{"nothing there", `<html>`, 404, "blocked", false},
		{"disabled", `{"text":"ACK is disabled","code":14}`, 400, "retry", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := acknowledged(splunkConfig("http://hec"))
				s := newSplunk(t, cfg, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if strings.HasSuffix(r.URL.Path, "/ack") {
						hecAnswers(tt.status, nil, tt.body).ServeHTTP(w, r)
						return
					}
					_, _ = io.WriteString(w, `{"text":"Success","code":0,"ackId":0}`)
				}), io.Discard)
				start := time.Now()
				results, err := s.Deliver(t.Context(), numbered(1, 2))
				judge(t, tt.want, results, err)
				if whole := time.Since(start) == cfg.AckTimeout; whole != tt.whole {
					t.Errorf("it took %v", time.Since(start))
				}
			})
		})
	}
}

// TestSplunkPollFaults: a question that fails is asked again.
func TestSplunkPollFaults(t *testing.T) {
	for _, f := range []siem.Fault{siem.Refuse, siem.Throttle, siem.Reset, siem.Stall} {
		t.Run(f.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := newCollector(true)
				server.Polls.Next(f, f)
				start := time.Now()
				s := newSplunk(t, acknowledged(splunkConfig("http://hec")), server, io.Discard)
				deliver(t, s, numbered(1, 9))
				if took := time.Since(start); f == siem.Throttle && took < 2*time.Second {
					t.Errorf("asked to wait twice, and it took %v", took)
				}
			})
		})
	}
	t.Run("lie", func(t *testing.T) { // the acknowledgements were given, and didn't come
		synctest.Test(t, func(t *testing.T) {
			server := newCollector(true)
			server.Polls.Next(siem.Lie)
			s := newSplunk(t, acknowledged(splunkConfig("http://hec")), server, io.Discard)
			results, err := s.Deliver(t.Context(), numbered(1, 2))
			judge(t, "retry", results, err)
			deliver(t, s, numbered(1, 2))
		})
	})
}

// TestSplunkWithoutAcknowledgements: a token that gives none is said so, and the collector's word is taken.
func TestSplunkWithoutAcknowledgements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		server := newCollector(false)
		s := newSplunk(t, acknowledged(splunkConfig("http://hec")), server, &log)
		deliver(t, s, numbered(1, 9))
		deliver(t, s, numbered(10, 12))
		if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), "gives no acknowledgements") {
			t.Errorf("%d warnings:\n%s", n, &log)
		}
		time.Sleep(remindAfter)
		deliver(t, s, numbered(13, 13))
		if n := strings.Count(log.String(), "level=WARN"); n != 2 {
			t.Errorf("%d warnings an hour later:\n%s", n, &log)
		}
	})
}

// TestSplunkUnasked: a token that gives acknowledgements nobody asks for fills the collector up.
func TestSplunkUnasked(t *testing.T) {
	var log bytes.Buffer
	s := newSplunk(t, splunkConfig("http://hec"), newCollector(true), &log)
	deliver(t, s, numbered(1, 9))
	if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), "set acknowledgement: true") {
		t.Errorf("%d warnings:\n%s", n, &log)
	}
}

// TestSplunkDisabled: "ACK is disabled" for numbers that were given costs one more delivery, not one an
// hour for ever, and acknowledgements are waited for when there are some again.
func TestSplunkDisabled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		server := newCollector(true)
		off := true
		s := newSplunk(t, acknowledged(splunkConfig("http://hec")), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if off && strings.HasSuffix(r.URL.Path, "/ack") {
				hecAnswers(400, nil, `{"text":"ACK is disabled","code":14}`).ServeHTTP(w, r)
				return
			}
			server.ServeHTTP(w, r)
		}), &log)
		results, err := s.Deliver(t.Context(), numbered(1, 2))
		judge(t, "retry", results, err)
		deliver(t, s, numbered(1, 2))
		deliver(t, s, numbered(3, 4))
		if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), "is disabled for the token") {
			t.Errorf("%d warnings:\n%s", n, &log)
		}
		off = false
		server.Delay = time.Minute
		time.Sleep(remindAfter)
		start := time.Now()
		deliver(t, s, numbered(5, 6))
		if took := time.Since(start); took < server.Delay {
			t.Errorf("the acknowledgement came after %v", took)
		}
	})
}

// TestSplunkPoisonAmongAcknowledged: a collector gives no acknowledgement for what it took before it
// stopped, so that is sent again.
func TestSplunkPoisonAmongAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newCollector(true)
		server.Delay = 10 * time.Second
		s := newSplunk(t, acknowledged(splunkConfig("http://hec")), server, io.Discard)
		start := time.Now()
		results, err := s.Deliver(t.Context(), poisonedAt(9, []int{4}))
		want := repeat(Delivered, 9)
		want[4] = Rejected
		if diff := cmp.Diff(want, results); diff != "" {
			t.Errorf("results (-want +got):\n%s\n%v", diff, err)
		}
		if time.Since(start) < server.Delay {
			t.Errorf("delivered before the indexer had it")
		}
		if diff := cmp.Diff([]string{"k0001", "k0002", "k0003", "k0004", "k0004", "k0006", "k0007", "k0008", "k0009"}, server.Keys()); diff != "" {
			t.Errorf("the collector has (-want +got):\n%s", diff)
		}
	})
}

// TestSplunkSlowsDown: requests keep apart while the collector says that it is nearly full.
func TestSplunkSlowsDown(t *testing.T) {
	for _, code := range []int{24, 25} {
		synctest.Test(t, func(t *testing.T) {
			server := newCollector(false)
			server.Say(code, code, code, 0)
			var sent []time.Duration
			start := time.Now()
			s := newSplunk(t, splunkConfig("http://hec"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				sent = append(sent, time.Since(start))
				server.ServeHTTP(w, r)
			}), io.Discard)
			deliver(t, s, numbered(1, 15))
			want := []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second, 7 * time.Second}
			if diff := cmp.Diff(want, sent); diff != "" {
				t.Errorf("code %d: requests after (-want +got):\n%s", code, diff)
			}
		})
	}
}

// TestSplunkStops: Deliver returns when its context ends, whatever it waits for.
func TestSplunkStops(t *testing.T) {
	for _, what := range []string{"acknowledgement", "pace", "answer", "question"} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := newCollector(true)
				server.Delay = time.Minute
				switch what {
				case "pace":
					server.Say(24, 24)
				case "answer":
					server.Next(siem.Stall)
				case "question":
					server.Polls.Next(siem.Stall)
				}
				s := newSplunk(t, acknowledged(splunkConfig("http://hec")), server, io.Discard)
				ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
				defer cancel()
				start := time.Now()
				results, err := s.Deliver(ctx, numbered(1, 2))
				judge(t, "retry", results, err)
				results, err = s.Deliver(ctx, numbered(1, 2))
				judge(t, "retry", results, err)
				if took := time.Since(start); took > 500*time.Millisecond {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// TestSplunkSticksToAnIndexer: behind a load balancer the question goes to the indexer that was given the
// events.
func TestSplunkSticksToAnIndexer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newCollector(true)
		server.Indexers = 3
		s := newSplunk(t, acknowledged(splunkConfig("http://hec")), server, io.Discard)
		for from := 1; from < 20; from += 5 {
			deliver(t, s, numbered(from, from+4))
		}
		if n := len(server.Keys()); n != 20 {
			t.Errorf("the indexers have %d events", n)
		}
	})
}

// TestCookiesStayFew: a server that gives a new cookie with each answer doesn't grow us or our requests.
func TestCookiesStayFew(t *testing.T) {
	c := newCookies()
	at := &url.URL{Scheme: "http", Host: "hec", Path: "/services/collector/event"}
	for i := range 1000 {
		c.SetCookies(at, []*http.Cookie{
			{Name: fmt.Sprint("new", i), Value: "x", Path: fmt.Sprint("/", i)},
			{Name: "lb", Value: fmt.Sprint(i)},
			{Name: fmt.Sprint("long", i), Value: strings.Repeat("x", 5000)},
		})
		if got := c.Cookies(at); len(got) != 1 || got[0].Value != fmt.Sprint(i) {
			t.Fatalf("Cookies() = %v at %d", got, i)
		}
		if len(c.have) > mostCookies {
			t.Fatalf("%d cookies are kept", len(c.have))
		}
	}
}
