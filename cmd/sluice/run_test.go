package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-siem/sluice/gateway"
)

// TestStoppedBeforeItHasStarted: a gateway that is told to stop while it starts has done as it was told.
func TestStoppedBeforeItHasStarted(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "gw.yaml")
	if err := os.WriteFile(path, fmt.Appendf(nil, `data_dir: %s
inputs: [{name: tcp, type: syslog, listen: "tcp://127.0.0.1:0"}]
targets: [{name: out, type: stdout, format: json}]
http: {listen: "127.0.0.1:0"}
`, filepath.Join(dir, "data")), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var out, log bytes.Buffer
	if err := run(ctx, []string{"run", "--config", path}, strings.NewReader(""), &out, &log); err != nil {
		t.Errorf("run() = %v\n%s", err, log.String())
	}
	if !strings.Contains(log.String(), "stopped before it had started") {
		t.Errorf("it started:\n%s", log.String())
	}
}

// TestAReceiverThatSaysTooMuch writes nothing into our log: a library would, a line for each answer and as it is.
func TestAReceiverThatSaysTooMuch(t *testing.T) {
	closed := make(chan struct{})
	receiver, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer receiver.Close()
	go func() {
		defer close(closed)
		c, err := receiver.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err == nil {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}\x1b[2Jforged")
		_, _ = io.Copy(io.Discard, c) // until they close, having said what they have to say
	}()
	dir := t.TempDir()
	path := filepath.Join(dir, "gw.yaml")
	if err := os.WriteFile(path, fmt.Appendf(nil, `data_dir: %s
inputs: [{name: tcp, type: syslog, listen: "tcp://127.0.0.1:0"}]
targets: [{name: out, type: http, url: "http://%s/"}]
http: {listen: "127.0.0.1:0"}
`, filepath.Join(dir, "data"), receiver.Addr()), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	log := &lines{found: make(chan string, 1)}
	stdlog.SetOutput(log) // as standard error is for libraries
	defer stdlog.SetOutput(os.Stderr)
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"run", "--config", path}, strings.NewReader(""), io.Discard, log) }()
	sender, err := net.Dial("tcp", <-log.found)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(sender, "<13>one\n"); err != nil {
		t.Fatal(err)
	}
	<-closed
	_ = sender.Close()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for line := range strings.Lines(log.text.String()) {
		if !json.Valid([]byte(line)) || strings.Contains(line, "forged") {
			t.Errorf("logged: %q", line)
		}
	}
}

// lines is a log that finds the address of the first input in it.
type lines struct {
	mu    sync.Mutex // guards text
	text  bytes.Buffer
	found chan string
}

func (l *lines) Write(p []byte) (int, error) {
	var said struct{ Address string }
	_ = json.Unmarshal(p, &said) // what isn't JSON has none
	if address, ok := strings.CutPrefix(said.Address, "tcp://"); ok {
		select {
		case l.found <- address:
		default:
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// TestAStartThatHangsIsStopped: a signal ends a start that hangs where no context reaches.
func TestAStartThatHangsIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		released := make(chan struct{})
		defer close(released)
		time.AfterFunc(time.Minute, stop)
		begun := time.Now()
		_, err := openOrStop(ctx, func() (*gateway.Gateway, error) {
			<-released
			return nil, nil
		})
		if took := time.Since(begun); !errors.Is(err, context.Canceled) || took != time.Minute+patience {
			t.Errorf("after %s: %v", took, err)
		}
	})
}
