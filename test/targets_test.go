package test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sluice-siem/sluice/test/siem"
)

// server is one a target is tried against: the lines of its configuration, what it has taken, and how it is
// made to fail.
type server struct {
	yaml  string
	keys  func() []string
	next  func(...siem.Fault)
	exact bool // it knows an event again by its key, and takes it once whatever happens
}

func newServer(r *siem.Record, exact bool, format string, args ...any) server {
	return server{fmt.Sprintf(format, args...), r.Keys, r.Next, exact}
}

// servers are the kinds of targets that have a server to be tried against.
func servers() map[string]func(t *testing.T) server {
	return map[string]func(t *testing.T) server{
		"splunk": func(t *testing.T) server {
			s := siem.NewSplunk(map[string]siem.SplunkToken{"a-token": {Acks: true}})
			return newServer(&s.Record, false, "type: splunk_hec, url: %q, token: a-token, acknowledgement: true", serve(t, s))
		},
		"elasticsearch": func(t *testing.T) server {
			s := &siem.Elastic{Index: "logs-sluice.alert-default", DataStream: true, APIKey: "aWQ6a2V5"}
			return newServer(&s.Record, true, "type: elasticsearch, url: %q, api_key: aWQ6a2V5", serve(t, s))
		},
		"sentinel": func(t *testing.T) server {
			s := siem.NewSentinel(time.Now)
			url := serve(t, s)
			return newServer(&s.Record, false,
				"type: sentinel, url: %q, authority: %q, rule: %s, stream: %s, tenant: %s, client_id: %s, client_secret: %q",
				url, url, s.Rule, s.Streams[0], s.Tenant, s.ClientID, s.ClientSecret)
		},
		"kafka": func(t *testing.T) server {
			s, err := siem.NewKafka(siem.KafkaOptions{Topic: "sluice.alerts", Partitions: 1})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Stop)
			return newServer(&s.Record, false, "type: kafka, brokers: [%q], topic: sluice.alerts", "tcp://"+s.Addresses()[0])
		},
		"nats": natsServer,
		"http": func(t *testing.T) server {
			s := &siem.Webhook{Token: "a-bearer-token", Lines: true, KeyField: "event_key"}
			return newServer(&s.Record, false, "type: http, url: %q, token: a-bearer-token, body: ndjson", serve(t, s))
		},
		"relp": func(t *testing.T) server {
			s, err := siem.NewRELP(nil, false)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return newServer(&s.Record, false, `type: syslog, address: "relp://%s"`, s.Addr())
		},
	}
}

// natsServer is a real one, whose connections break.
func natsServer(t *testing.T) server {
	s, err := siem.NewNATS(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	st, err := s.Stream(t.Context(), jetstream.StreamConfig{Name: "ALERTS", Subjects: []string{"sluice.alerts"}})
	if err != nil {
		t.Fatal(err)
	}
	keys := func() []string {
		info, err := st.Info(t.Context())
		if err != nil {
			t.Error(err)
			return nil
		}
		var out []string
		for i := max(1, info.State.FirstSeq); i <= info.State.LastSeq; i++ {
			m, err := st.GetMsg(t.Context(), i)
			if err != nil {
				t.Error(err)
				return out
			}
			out = append(out, m.Header.Get("Nats-Msg-Id"))
		}
		return out
	}
	yaml := fmt.Sprintf("type: nats, url: \"nats://%s\", subject: sluice.alerts, stream: ALERTS", s.Address())
	return server{yaml, keys, func(...siem.Fault) { s.Disconnect() }, true}
}

// serve serves a fake over HTTP.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// TestNoTargetLosesAnything kills the gateway with SIGKILL again and again while it delivers to a server that
// refuses, throttles, resets and lies, for every kind of target. In the end the server has every event that
// the gateway acknowledged, and twice only what a protocol can't know again.
func TestNoTargetLosesAnything(t *testing.T) {
	t.Parallel()
	for name, open := range servers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			losesNothing(t, open(t))
		})
	}
}

func losesNothing(t *testing.T, s server) {
	const rounds, each = 4, 150
	g := newStorm(t)
	config := fmt.Sprintf(`data_dir: data
inputs: [{name: push, type: http, listen: "tcp://127.0.0.1:0"}]
targets:
  - {name: siem, %s, batch: {entries: 40}}
  - {name: json, type: file, path: stream.jsonl}
http: {listen: "127.0.0.1:0"}
`, s.yaml)
	if err := os.WriteFile(filepath.Join(g.dir, "gw.yaml"), []byte(config), 0o666); err != nil {
		t.Fatal(err)
	}
	lies := 0
	for round := range rounds {
		d := g.start(t)
		// The gateway pauses for each: few, so that the test ends soon.
		faults := []siem.Fault{siem.None, siem.Refuse, siem.Reset, siem.Lie}
		rand.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
		s.next(faults[:3]...)
		lies += 40
		push(t, d, round*each, each)
		want := len(s.keys()) + rand.IntN(each)
		_ = poll(func() error { // it is killed in any case
			if len(s.keys()) >= want {
				return nil
			}
			return errors.New("too early to crash")
		})
		d.kill()
	}
	d := g.start(t)
	if err := poll(func() error {
		text, err := get("http://" + d.http + "/metrics")
		if err == nil && (!strings.Contains(text, `sluice_target_lag_entries{target="siem"} 0`+"\n") ||
			!strings.Contains(text, `sluice_target_lag_entries{target="json"} 0`+"\n")) {
			err = fmt.Errorf("not drained:\n%s", sluiceLines(text))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if status, err := d.end(); err != nil || status != 0 {
		t.Fatalf("stop: status %d, %v", status, err)
	}
	events, _, err := readTorn(filepath.Join(g.dir, "stream.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var sent []string
	for _, e := range events {
		sent = append(sent, e.Key)
	}
	slices.Sort(sent)
	sent = slices.Compact(sent)
	got := s.keys()
	slices.Sort(got)
	once := slices.Compact(slices.Clone(got))
	if len(sent) != rounds*each || !slices.Equal(sent, once) {
		t.Errorf("of %d messages that were acknowledged %d events are in the file and %d in the SIEM", rounds*each, len(sent), len(once))
	}
	// A lie and a kill each leave one request whose outcome nobody knows.
	if twice, most := len(got)-len(once), lies+rounds*2*40; twice > 0 && s.exact || twice > most {
		t.Errorf("%d events are in the SIEM again, at most %d are explained", twice, most)
	}
}

// push posts activities, each of which the gateway acknowledges.
func push(t *testing.T, d *daemon, from, n int) {
	t.Helper()
	var body bytes.Buffer
	for i := from; i < from+n; i++ {
		fmt.Fprintln(&body, activity(i))
	}
	url := strings.Replace(d.inputs["push"], "tcp://", "http://", 1) + "/api/v1/ingest"
	response, err := http.Post(url, "text/plain", &body)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if answer, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("push: %s %s, %v", response.Status, answer, err)
	}
}
