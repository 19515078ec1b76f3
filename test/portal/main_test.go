// Package portal_test shows the portal of the real binary to a real Chromium.
package portal_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/test/browser"
)

// deadline is how long a condition may take to come true.
const deadline = 60 * time.Second

func TestMain(m *testing.M) {
	if os.Getenv("SLUICE") == "" {
		dir, err := os.MkdirTemp("", "sluice-portal-")
		if err != nil {
			panic(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		path := filepath.Join(dir, "sluice")
		if out, err := exec.Command("go", "build", "-o", path, "../../cmd/sluice").CombinedOutput(); err != nil {
			panic(fmt.Sprintf("go build: %v\n%s", err, out))
		}
		if err := os.Setenv("SLUICE", path); err != nil {
			panic(err)
		}
	}
	m.Run()
}

// gateway is a running one, with the local admin's own password.
type gateway struct {
	t          *testing.T
	dir        string
	url, input string
	once       string // the one-time password
	mu         sync.Mutex
	log        []string
	ready      chan struct{}
}

const password = "correct horse battery"

const configuration = `
data_dir: data
inputs: [{name: tcp, type: syslog, listen: "tcp://127.0.0.1:0"}]
organisation: {domains: [{netbios: FJORDWERK, dns: corp.fjordwerk.example, upn_suffixes: [fjordwerk.example]}]}
policy:
  hold: 5s
  rules:
    - {name: the cloud team handles travel, when: {title: ["Impossible travel*"]}, manage_in: cloud_app_security}
model: {enabled: true, retention: {activities: 3650d}}
http: {listen: "127.0.0.1:0"}
targets:
  - {name: archive, type: file, path: out.jsonl, format: json}
  - {name: siem, type: file, path: out.cef, format: cef}
`

// start runs a gateway until the test ends, with more lines of configuration; those that begin like a list are targets.
func start(t *testing.T, more ...string) *gateway {
	t.Helper()
	g := &gateway{t: t, dir: t.TempDir(), ready: make(chan struct{})}
	if err := os.WriteFile(filepath.Join(g.dir, "gw.yaml"), []byte(configuration+strings.Join(more, "\n")), 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Getenv("SLUICE"), "run", "--config", "gw.yaml")
	cmd.Dir = g.dir
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); g.follow(bufio.NewReader(stderr)) }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		<-ended
		if err := cmd.Wait(); err != nil {
			t.Errorf("the gateway: %v\n%s", err, strings.Join(g.log, ""))
		}
	})
	select {
	case <-g.ready:
	case <-ended:
		t.Fatalf("the gateway ended\n%s", strings.Join(g.log, ""))
	case <-time.After(deadline):
		t.Fatal("the gateway doesn't listen")
	}
	g.poll("the model is open", func() bool {
		r, err := http.Get(g.url + "/metrics")
		if err != nil {
			return false
		}
		defer func() { _ = r.Body.Close() }()
		var text strings.Builder
		_, _ = bufio.NewReader(r.Body).WriteTo(&text)
		return strings.Contains(text.String(), "\nsluice_model_open 1\n")
	})
	return g
}

// follow reads the log for what the tests need to know.
func (g *gateway) follow(r *bufio.Reader) {
	done := false
	for {
		line, err := r.ReadString('\n')
		g.mu.Lock()
		g.log = append(g.log, line)
		g.mu.Unlock()
		var e struct{ Msg, Input, Address, URL, Password string }
		if json.Unmarshal([]byte(line), &e) == nil {
			switch {
			case e.Password != "":
				g.once = e.Password
			case e.Msg == "listening for notifications" && e.Input != "":
				g.input = strings.TrimPrefix(e.Address, "tcp://")
			case e.Msg == "the portal":
				g.url = strings.TrimSuffix(e.URL, "/")
			}
		}
		if !done && g.url != "" && g.input != "" && g.once != "" {
			done = true
			close(g.ready)
		}
		if err != nil {
			return
		}
	}
}

func (g *gateway) poll(what string, ok func() bool) {
	g.t.Helper()
	until := time.Now().Add(deadline)
	for wait := time.Millisecond; !ok(); wait = min(2*wait, 50*time.Millisecond) {
		if time.Now().After(until) {
			g.t.Fatalf("never: %s", what)
		}
		<-time.After(wait)
	}
}

// send gives the gateway messages, and waits until the model has them.
func (g *gateway) send(lines ...string) {
	g.t.Helper()
	c, err := net.Dial("tcp", g.input)
	if err != nil {
		g.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	for _, line := range lines {
		if _, err := fmt.Fprintf(c, "%d %s", len(line), line); err != nil { // counted, so that a line may hold anything
			g.t.Fatal(err)
		}
	}
}

// login is a page on which the admin is logged in.
func (g *gateway) login(b *browser.Browser) *browser.Page {
	g.t.Helper()
	p := b.Page(g.url)
	p.Go(g.url + "/alerts")
	p.Wait("location.pathname === '/login'")
	p.Eval("document.querySelector('details').open = true", nil)
	p.Tab("[name=name]")
	p.Type("admin")
	p.Tab("[name=password]")
	if g.once != "" {
		p.Type(g.once)
		p.Tab("[name=new_password]")
	}
	p.Type(password)
	g.once = ""
	p.Keys("Enter")
	p.Wait("location.pathname === '/alerts'")
	return p
}
