// Package browser drives a real Chromium for tests, by its DevTools protocol over the two pipes of
// --remote-debugging-pipe.
//
// # Decisions
//
// It is these few hundred lines and no library: the libraries generate thousands of types of which the tests need
// ten, and would be the largest dependency of all.
package browser

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// patience is how long anything may take. It is generous: a loaded machine is slow, and only a failing test waits.
const patience = 60 * time.Second

// Browser is a running Chromium.
type Browser struct {
	t   testing.TB
	cmd *exec.Cmd
	to  *os.File

	mu    sync.Mutex // guards what follows, and writing
	last  int
	waits map[int]chan message
	pages map[string]*Page // by session
	ended error
}

// message is one of the protocol: a command, its answer, or an event.
type message struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// Open starts a Chromium that ends with the test. Where there is none the test is skipped, or fails where tests are
// strict.
func Open(t testing.TB) *Browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		const hint = "chromium is missing: apt-get install chromium"
		if os.Getenv("CI") != "" || os.Getenv("SLUICE_TEST_STRICT") == "1" {
			t.Fatal(hint)
		}
		t.Skip(hint)
	}
	args := []string{
		"--headless=new", "--remote-debugging-pipe", "--user-data-dir=" + t.TempDir(), "--no-first-run", "--disable-gpu", "--disable-extensions",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--lang=en",
	}
	if os.Geteuid() == 0 {
		args = append(args, "--no-sandbox") // it refuses to run as root with one
	}
	b := &Browser{t: t, cmd: exec.Command(path, append(args, "about:blank")...), waits: map[int]chan message{}, pages: map[string]*Page{}}
	b.cmd.Env = append(os.Environ(), "TZ=Pacific/Auckland") // far from UTC, so that a time in the wrong zone shows
	in, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	b.to, b.cmd.ExtraFiles = to, []*os.File{in, out}
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = in.Close(), out.Close()
	read := make(chan struct{})
	go func() { defer close(read); b.read(from) }()
	t.Cleanup(func() {
		_, _ = b.send("", "Browser.close", nil)
		_ = b.to.Close()
		stop := time.AfterFunc(5*time.Second, func() { _ = b.cmd.Process.Kill() })
		_ = b.cmd.Wait() // how it ends is nobody's concern
		stop.Stop()
		<-read
	})
	return b
}

// read hands out what the browser says until it ends.
func (b *Browser) read(from *os.File) {
	defer func() { _ = from.Close() }()
	r := bufio.NewReaderSize(from, 1<<20)
	for {
		data, err := r.ReadBytes(0)
		if err != nil {
			b.end(fmt.Errorf("the browser has ended: %w", err))
			return
		}
		var m message
		if err := json.Unmarshal(data[:len(data)-1], &m); err != nil {
			b.end(fmt.Errorf("the browser says what can't be read: %w", err))
			return
		}
		b.mu.Lock()
		wait, page := b.waits[m.ID], b.pages[m.Session]
		if m.ID != 0 {
			delete(b.waits, m.ID)
		}
		b.mu.Unlock()
		switch {
		case m.ID != 0 && wait != nil:
			wait <- m
		case page != nil:
			page.happened(m)
		}
	}
}

func (b *Browser) end(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = err
	for _, wait := range b.waits {
		close(wait)
	}
	b.waits = map[int]chan message{}
}

// send sends a command and waits for the answer.
func (b *Browser) send(session, method string, params any) (json.RawMessage, error) {
	body, err := json.Marshal(params)
	if err != nil {
		return nil, err
	}
	if params == nil {
		body = []byte("{}")
	}
	wait := make(chan message, 1)
	b.mu.Lock()
	if b.ended != nil {
		b.mu.Unlock()
		return nil, b.ended
	}
	b.last++
	id := b.last
	b.waits[id] = wait
	data, err := json.Marshal(message{ID: id, Session: session, Method: method, Params: body})
	if err == nil {
		_, err = b.to.Write(append(data, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return nil, err
	}
	select {
	case m, ok := <-wait:
		switch {
		case !ok:
			return nil, errors.New("the browser has ended")
		case m.Error != nil:
			return nil, fmt.Errorf("%s: %s", method, m.Error.Message)
		}
		return m.Result, nil
	case <-time.After(patience):
		return nil, fmt.Errorf("%s: no answer", method)
	}
}

// call is send, into out; the test fails where it fails.
func (b *Browser) call(session, method string, params, out any) {
	b.t.Helper()
	result, err := b.send(session, method, params)
	if err == nil && out != nil {
		err = json.Unmarshal(result, out)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}
