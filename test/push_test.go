package test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdPush posts a file to an HTTP input. The answer must have the status; its body is looked at with stdout.
//
//	push [-gzip] [-header 'NAME: VALUE']... STATUS ADDRESS FILE
func cmdPush(ts *testscript.TestScript, neg bool, args []string) {
	f := flag.NewFlagSet("push", flag.ContinueOnError)
	header := http.Header{}
	f.Func("header", "", func(s string) error {
		name, value, _ := strings.Cut(s, ": ")
		header.Set(name, value)
		return nil
	})
	zip := f.Bool("gzip", false, "")
	ts.Check(f.Parse(args))
	if neg || f.NArg() != 3 {
		ts.Fatalf("usage: push [-gzip] [-header 'NAME: VALUE']... STATUS ADDRESS FILE")
	}
	body := []byte(ts.ReadFile(f.Arg(2)))
	if *zip {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, err := w.Write(body)
		ts.Check(err)
		ts.Check(w.Close())
		body = b.Bytes()
		header.Set("Content-Encoding", "gzip")
	}
	url := strings.Replace(f.Arg(1), "tcp://", "http://", 1) + "/api/v1/ingest"
	request, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	ts.Check(err)
	request.Header = header
	client := http.Client{Timeout: deadline, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	ts.Check(err)
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	ts.Check(err)
	_, err = ts.Stdout().Write(answer)
	ts.Check(err)
	if want := number(ts, f.Arg(0)); response.StatusCode != want {
		ts.Fatalf("%s, want %d: %s", response.Status, want, answer)
	}
}

// TestAKeyMakesARequestExact kills the gateway with SIGKILL in the middle of a request, again and again.
// Its sender repeats it whole, under its key, until it is answered. What it sends has no ID by which it
// could be known; still each message is one event in the end.
func TestAKeyMakesARequestExact(t *testing.T) {
	t.Parallel()
	const messages, crashes = 20_000, 5
	s := newStorm(t)
	config := `data_dir: data
inputs: [{name: push, type: http, listen: "tcp://127.0.0.1:0"}]
targets: [{name: json, type: file, path: stream.jsonl, format: json}]
http: {listen: "127.0.0.1:0"}
`
	if err := os.WriteFile(filepath.Join(s.dir, "gw.yaml"), []byte(config), 0o666); err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	for i := range messages {
		fmt.Fprintf(&body, "message %d without an ID\n", i)
	}
	send := func(d *daemon) (string, error) {
		request, err := http.NewRequest(http.MethodPost, "http://"+strings.TrimPrefix(d.inputs["push"], "tcp://")+"/api/v1/ingest", bytes.NewReader(body.Bytes()))
		if err != nil {
			return "", err
		}
		request.Header.Set("Idempotency-Key", "one of its kind")
		response, err := (&http.Client{Timeout: deadline, Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
		if err != nil {
			return "", err
		}
		defer func() { _ = response.Body.Close() }()
		answer, err := io.ReadAll(response.Body)
		return string(answer), err
	}
	for crash := range crashes {
		d := s.start(t)
		done := make(chan error, 1)
		go func() { _, err := send(d); done <- err }()
		want := s.size() + 1 + rand.Int64N(1<<20)
		if err := poll(func() error {
			if len(done) > 0 || s.size() >= want {
				return nil
			}
			return errors.New("too early to crash")
		}); err != nil {
			t.Fatal(err)
		}
		d.kill()
		t.Logf("crash %d at %d bytes ends the sender: %v", crash, s.size(), <-done)
	}
	d := s.start(t)
	for range 2 {
		if answer, err := send(d); err != nil || answer != fmt.Sprintf("{\"accepted\":%d}\n", messages) {
			t.Fatalf("answer %q, %v; want all %d accepted", answer, err, messages)
		}
	}
	s.finish(t, d)
	events, err := readEvents(filepath.Join(s.dir, "stream.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{} // the target may have written an event again after a crash
	for _, e := range events {
		if key, ok := keys[*e.Raw]; ok && key != e.Key {
			t.Fatalf("%s went out as two events", *e.Raw)
		}
		keys[*e.Raw] = e.Key
	}
	if len(keys) != messages {
		t.Errorf("%d messages went out, want %d", len(keys), messages)
	}
}
