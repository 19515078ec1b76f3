package siem

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const guid = "11111111-2222-4333-8444-555555555555"

func newSplunk() *Splunk {
	return NewSplunk(map[string]SplunkToken{
		"plain": {Indexes: []string{"main"}}, "acks": {Acks: true}, "off": {Disabled: true}, "query": {Query: true},
	})
}

// ask sends a request and gives the status and the answer without its line end.
func ask(s *Splunk, path, body string, header ...string) string {
	method := http.MethodPost
	if strings.Contains(path, "/health") {
		method = http.MethodGet
	}
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return fmt.Sprint(w.Code, " ", strings.TrimSpace(w.Body.String()))
}

// TestSplunkRefuses: the codes that a collector finds for itself. The order of the checks of the token is
// one that was measured.
func TestSplunkRefuses(t *testing.T) {
	const event = `{"event":"a","fields":{"event_key":"k"}}`
	plain := []string{"Authorization", "Splunk plain"}
	with := func(more ...string) []string { return append([]string{"Authorization", "Splunk acks"}, more...) }
	for _, tt := range []struct {
		name, path, body string
		header           []string
		want             string
		taken            int
	}{
		{"success", "event", event, plain, `200 {"text":"Success","code":0}`, 1},
		{"short path", "", event, plain, `200 {"text":"Success","code":0}`, 1},
		{"versioned path", "event/1.0", event, plain, `200 {"text":"Success","code":0}`, 1},
		{"basic", "event", event, []string{"Authorization", "Basic eDpwbGFpbg=="}, `200 {"text":"Success","code":0}`, 1},
		{"disabled", "event", event, []string{"Authorization", "Splunk off"}, `403 {"text":"Token disabled","code":1}`, 0},
		{"no token", "event", event, nil, `401 {"text":"Token is required","code":2}`, 0},
		{"bearer", "event", event, []string{"Authorization", "Bearer plain"}, `401 {"text":"Invalid authorization","code":3}`, 0},
		{"unknown", "event", event, []string{"Authorization", "Splunk x"}, `403 {"text":"Invalid token","code":4}`, 0},
		{"unknown in the query", "event?token=x", event, nil, `403 {"text":"Invalid token","code":4}`, 0},
		{"in the query", "event?token=plain", event, nil, `400 {"text":"Query string authorization is not enabled","code":16}`, 0},
		{"in the query, allowed", "event?token=query", event, nil, `200 {"text":"Success","code":0}`, 1},
		{"nothing", "event", "", plain, `400 {"text":"No data","code":5}`, 0},
		{"blanks", "event", " \n", plain, `400 {"text":"No data","code":5}`, 0},
		{"syntax", "event", event + event + `{"event":`, plain, `400 {"text":"Invalid data format","code":6,"invalid-event-number":2}`, 2},
		{"syntax at once", "event", `{]` + event, plain, `400 {"text":"Invalid data format","code":6,"invalid-event-number":0}`, 0},
		{"no object", "event", event + `7`, plain, `400 {"text":"Invalid data format","code":6,"invalid-event-number":1}`, 1},
		{"time", "event", `{"time":"noon","event":1}`, plain, `400 {"text":"Invalid data format","code":6,"invalid-event-number":0}`, 0},
		{"host", "event", `{"host":1,"event":1}`, plain, `400 {"text":"Invalid data format","code":6,"invalid-event-number":0}`, 0},
		{"fields no object", "event", `{"event":1,"fields":[]}`, plain, `400 {"text":"Invalid data format","code":6,"invalid-event-number":0}`, 0},
		{"poison", "event", event + "\n" + `{"event":{"a":"` + Poison + `"}}`, plain, `400 {"text":"Invalid data format","code":6,"invalid-event-number":1}`, 1},
		{"index", "event", event + `{"index":"x","event":1}` + event, plain, `400 {"text":"Incorrect index","code":7,"invalid-event-number":2}`, 1},
		{"allowed index", "event", `{"index":"main","event":1}`, plain, `200 {"text":"Success","code":0}`, 1},
		{"no channel", "event", event, with(), `400 {"text":"Data channel is missing","code":10}`, 0},
		{"bad channel", "event", event, with("X-Splunk-Request-Channel", "7"), `400 {"text":"Invalid data channel","code":11}`, 0},
		{"no event", "event", event + `{"time":1}`, plain, `400 {"text":"Event field is required","code":12,"invalid-event-number":1}`, 1},
		{"null", "event", `{"event":null}`, plain, `400 {"text":"Event field is required","code":12,"invalid-event-number":0}`, 0},
		{"blank", "event", event + `{"event":" "}`, plain, `400 {"text":"Event field cannot be blank","code":13,"invalid-event-number":1}`, 1},
		{"ack for a token without", "ack", `{"acks":[0]}`, append(plain, "X-Splunk-Request-Channel", guid), `400 {"text":"ACK is disabled","code":14}`, 0},
		{"ack without a channel", "ack", `{"acks":[0]}`, with(), `400 {"text":"Data channel is missing","code":10}`, 0},
		{"ack for nothing", "ack?channel=" + guid, `{}`, with(), `400 {"text":"Invalid data format","code":6}`, 0},
		{"nested fields", "event", event + `{"event":1,"fields":{"a":{"b":1}}}`, plain, `400 {"text":"Error in handling indexed fields","code":15,"invalid-event-number":1}`, 1},
		{"fields with a list", "event", `{"event":1,"fields":{"a":["b",1]}}`, plain, `200 {"text":"Success","code":0}`, 1},
		{"unknown key", "event", event + `{"events":1,"event":1}` + event, plain, `200 {"text":"Success","code":0}`, 1},
		{"only an unknown key", "event", `{"alert":1,"event":1}`, plain, `400 {"text":"No data","code":5}`, 0},
		{"healthy", "health", "", nil, `200 {"text":"HEC is healthy","code":17}`, 0},
		{"elsewhere", "raw/x", event, plain, `404 {"text":"The requested URL was not found on this server.","code":404}`, 0},
		{"deflate", "event", event, append(plain, "Content-Encoding", "deflate"), `415 <!doctype html><title>415 Unsupported Media Type</title>`, 0},
		{"no gzip", "event", event, append(plain, "Content-Encoding", "gzip"), `400 <!doctype html><title>400 Bad Request</title>`, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSplunk()
			path := strings.TrimSuffix("/services/collector/"+tt.path, "/")
			if diff := cmp.Diff(tt.want, ask(s, path, tt.body, tt.header...)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if n := len(s.Keys()); n != tt.taken {
				t.Errorf("%d events are taken, want %d", n, tt.taken)
			}
		})
	}
}

func TestSplunkCommands(t *testing.T) {
	s := newSplunk()
	s.Largest, s.Health = 200, 18
	s.Say(9, 23, 26, 24)
	const event = "/services/collector/event"
	for _, want := range []string{
		`503 {"text":"Server is busy","code":9}`,
		`503 {"text":"Server is shutting down","code":23}`,
		`429 {"text":"HEC queue is at capacity and cannot process any more requests","code":26}`,
		`200 {"text":"HEC queue is approaching its capacity limit","code":24}`,
		`200 {"text":"Success","code":0}`,
	} {
		if got := ask(s, event, `{"event":1}`, "Authorization", "Splunk plain"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := ask(s, event, strings.Repeat(`{"event":1}`, 50), "Authorization", "Splunk plain"); !strings.HasPrefix(got, "413 <") {
		t.Errorf("a long body: %s", got)
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(strings.Repeat(`{"event":1}`, 50)))
	_ = z.Close()
	if got := ask(s, event, zipped.String(), "Authorization", "Splunk plain", "Content-Encoding", "gzip"); !strings.HasPrefix(got, "200") {
		t.Errorf("compressed: %s", got)
	}
	if n := len(s.Keys()); n != 52 {
		t.Errorf("%d events are taken", n)
	}
	if got := ask(s, "/services/collector/health", ""); got != `503 {"text":"HEC is unhealthy, queues are full","code":18}` {
		t.Errorf("health: %s", got)
	}
}

// TestSplunkAcknowledges: numbers are a channel's own, from nought; each acknowledgement is given once, when
// it is time; a restart forgets them.
func TestSplunkAcknowledges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSplunk()
		s.Delay = time.Second
		post := func(channel string) string {
			return ask(s, "/services/collector/event", `{"event":1}`, "Authorization", "Splunk acks", "X-Splunk-Request-Channel", channel)
		}
		acks := func(channel string) string {
			return ask(s, "/services/collector/ack?channel="+channel, `{"acks":[0,1,5]}`, "Authorization", "Splunk acks")
		}
		other := strings.Replace(guid, "1", "9", 1)
		steps := []struct{ got, want string }{
			{post(guid), `200 {"text":"Success","code":0,"ackId":0}`},
			{post(guid), `200 {"text":"Success","code":0,"ackId":1}`},
			{post(other), `200 {"text":"Success","code":0,"ackId":0}`},
			{acks(guid), `200 {"acks":{"0":false,"1":false,"5":false}}`},
		}
		time.Sleep(time.Second)
		steps = append(steps, []struct{ got, want string }{
			{acks(strings.ToUpper(guid)), `200 {"acks":{"0":true,"1":true,"5":false}}`},
			{acks(guid), `200 {"acks":{"0":false,"1":false,"5":false}}`},
			{acks(other), `200 {"acks":{"0":true,"1":false,"5":false}}`},
			{post(guid), `200 {"text":"Success","code":0,"ackId":2}`},
		}...)
		s.Restart()
		steps = append(steps, struct{ got, want string }{post(guid), `200 {"text":"Success","code":0,"ackId":0}`})
		for i, step := range steps {
			if step.got != step.want {
				t.Errorf("step %d: %s, want %s", i, step.got, step.want)
			}
		}
	})
}
