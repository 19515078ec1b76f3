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
	"syscall"
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
	s := newPushed(t)
	var body bytes.Buffer
	for i := range messages {
		fmt.Fprintf(&body, "message %d without an ID\n", i)
	}
	send := func(d *daemon) (string, error) {
		_, answer, err := pushKeyed(d, body.Bytes())
		return answer, err
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
	onceEach(t, s, messages, crashes)
}

// TestPushIsPutOffWhileTheDiskIsFull: the sender isn't kept waiting for ever, and what it sends again
// when there is room is recorded once, whatever became of its first try.
func TestPushIsPutOffWhileTheDiskIsFull(t *testing.T) {
	t.Parallel()
	s := newPushed(t)
	data := filepath.Join(s.dir, "data")
	if err := os.Mkdir(data, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", data, "tmpfs", 0, "size=256m"); err != nil {
		t.Skipf("a small file system is needed, which only root may mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(data, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	d := s.start(t)
	filler := filepath.Join(data, "filler")
	fill(t, filler, 32<<20) // less than Sluice wants to be free
	body := []byte("one without an ID\nand another\n")
	response, answer, err := pushKeyed(d, body)
	if err != nil || response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
		t.Fatalf("%v, %s, %v; want 503 with Retry-After", response, answer, err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if _, answer, err := pushKeyed(d, body); err != nil || answer != "{\"accepted\":2}\n" {
		t.Fatalf("%s, %v; want both accepted", answer, err)
	}
	s.finish(t, d)
	onceEach(t, s, 2, 0)
}

// newPushed is a storm whose gateway takes HTTP.
func newPushed(t *testing.T) *storm {
	t.Helper()
	s := newStorm(t)
	config := `data_dir: data
inputs: [{name: push, type: http, listen: "tcp://127.0.0.1:0"}]
targets: [{name: json, type: file, path: stream.jsonl, format: json}]
http: {listen: "127.0.0.1:0"}
`
	if err := os.WriteFile(filepath.Join(s.dir, "gw.yaml"), []byte(config), 0o666); err != nil {
		t.Fatal(err)
	}
	return s
}

// pushKeyed posts a body under the one key of a test.
func pushKeyed(d *daemon, body []byte) (*http.Response, string, error) {
	url := strings.Replace(d.inputs["push"], "tcp://", "http://", 1) + "/api/v1/ingest"
	request, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	request.Header.Set("Idempotency-Key", "one of its kind")
	response, err := (&http.Client{Timeout: deadline, Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	return response, string(answer), err
}

// onceEach wants as many different messages in the file, each of them one event. The target may have
// written an event again after a crash, and each crash may have cut one line short, whose entry comes again whole.
func onceEach(t *testing.T, s *storm, messages, crashes int) {
	t.Helper()
	events, torn, err := readTorn(filepath.Join(s.dir, "stream.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if len(torn) > crashes {
		t.Errorf("%d crashes left %d lines cut short, such as %.200q", crashes, len(torn), torn[0])
	}
	keys := map[string]string{}
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
