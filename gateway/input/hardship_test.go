package input

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats/relp"
)

// pipes is a listener of connections in memory.
type pipes struct {
	conns  chan net.Conn
	closed context.Context //nolint:containedctx // what a listener has that can be closed
	cancel context.CancelFunc
}

func newPipes() *pipes {
	p := &pipes{conns: make(chan net.Conn)}
	p.closed, p.cancel = context.WithCancel(context.Background())
	return p
}

// Accept implements [net.Listener].
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed.Done():
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (p *pipes) Close() error { p.cancel(); return nil }

// Addr implements [net.Listener].
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// TestOneByteASecond: a message that comes slowly is a message; a connection whose message takes longer than its time
// is closed, and a request that does is none.
func TestOneByteASecond(t *testing.T) {
	const request = "POST /api/v1/ingest HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"
	slow := func(n int) string { return "<13>" + strings.Repeat("s", n) }
	tests := []struct {
		name, input string
		at          string // once
		slowly      string
		want        []string
		answer      string // its last line
		lives       time.Duration
	}{
		{"tcp", "tcp", "", slow(50) + "\n" + slow(3) + "\n", []string{slow(50), slow(3)}, "", 63 * time.Second},
		{"tcp, counted", "tcp", "", "54 " + slow(50), []string{slow(50)}, "", 57 * time.Second},
		{"tcp, for ever", "tcp", "", slow(200), []string{slow(87) + "~"}, "", 90 * time.Second},
		{"tcp, two gigabytes", "tcp", "", "2147483647 " + slow(200), []string{"2147483647 " + slow(76) + "~"}, "", 90 * time.Second},
		{"relp", "relp", string(relp.Append(nil, 1, "open", hello)), string(relp.Append(nil, 2, "syslog", slow(50))), []string{slow(50)}, "200 OK", 70 * time.Second},
		{"relp, two gigabytes", "relp", string(relp.Append(nil, 1, "open", hello)), "2 syslog 2147483647 " + slow(200), nil, "0 serverclose 0", 90 * time.Second},
		{"http", "http", fmt.Sprintf(request, 30), slow(26), []string{slow(26)}, `{"accepted":1}`, 29 * time.Second},
		{"http, for ever", "http", fmt.Sprintf(request, 200), slow(196), nil, `"status":408,"detail":"the body didn't come in time`, 60 * time.Second},
		{"http, the header", "http", "", fmt.Sprintf(request, 1), nil, "", 10 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { oneByteASecond(t, tt.input, tt.at, tt.slowly, tt.want, tt.answer, tt.lives) })
		})
	}
}

func oneByteASecond(t *testing.T, kind, at, slowly string, want []string, answer string, most time.Duration) {
	t.Helper()
	p, b, m := newPipes(), newBox(), NewMetrics(nil)
	s := &server{name: "front", max: 4096, limit: 10, idle: 90*time.Second + time.Second/2, log: quiet(), count: m.of("front"), listener: p}
	var run func(context.Context, Accept) error
	switch kind {
	case "tcp":
		run = newTCP(s).run
	case "relp":
		run = newRELP(s).run
	case "http":
		run = (&web{server: s, maxBody: 1 << 20, bodies: budget{left: bodyBytes}, requests: m.requests}).run
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, b.accept) }()
	near, far := net.Pipe()
	p.conns <- near
	begun := time.Now()
	answered := make(chan string)
	go func() {
		text, _ := io.ReadAll(far)
		answered <- string(text)
	}()
	_, err := io.WriteString(far, at)
	for i := 0; err == nil && i < len(slowly); i++ {
		if _, err = io.WriteString(far, slowly[i:i+1]); err == nil {
			time.Sleep(time.Second) // the bubble's clock
		}
	}
	if err == nil && kind == "tcp" {
		far.Close() // a pipe can't be half closed
	}
	if lived := time.Since(begun); lived > most+2*time.Second {
		t.Errorf("it was read from for %s, want %s", lived, most)
	}
	synctest.Wait()
	if got := b.texts(); !slices.Equal(got, want) {
		t.Errorf("messages %q, want %q", got, want)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	far.Close()
	if got := <-answered; !strings.Contains(got, answer) {
		t.Errorf("answer %q, want %q in it", got, answer)
	}
}

// kinds are the inputs of connections, with the way in which a message is sent on each and the beginning of the answer.
var kinds = []struct {
	name   string
	config config.Input
	listen func(*testing.T, config.Input, Accept) string
	text   func(number int, message string) string
	answer string // line
}{
	{"tcp", settings("tcp://127.0.0.1:0"), startSyslog, lineOf, ""},
	{"tls", settings("tls://127.0.0.1:0"), startSyslog, lineOf, ""},
	{"relp", settings("tcp://127.0.0.1:0"), startRELPAt, transaction, "200 OK"},
	{"relp over tls", settings("tls://127.0.0.1:0"), startRELPAt, transaction, "200 OK"},
	{"http", push(), startHTTPAt, posting, `{"accepted":1}`},
	{"https", func() config.Input { c := push(); c.Listen = "tls://127.0.0.1:0"; return c }(), startHTTPAt, posting, `{"accepted":1}`},
}

func startSyslog(t *testing.T, c config.Input, accept Accept) string {
	t.Helper()
	addr, _ := start(t, c, accept, NewMetrics(nil))
	return addr
}

func startRELPAt(t *testing.T, c config.Input, accept Accept) string {
	t.Helper()
	addr, _ := startRELP(t, c, accept, NewMetrics(nil))
	return addr
}

func startHTTPAt(t *testing.T, c config.Input, accept Accept) string {
	t.Helper()
	url, _ := startHTTP(t, c, accept, NewMetrics(nil))
	return strings.Split(url, "/")[2]
}

func lineOf(_ int, message string) string { return message + "\n" }

func transaction(number int, message string) string {
	text := string(relp.Append(nil, number+1, "syslog", message))
	if number == 1 {
		text = string(relp.Append(nil, 1, "open", hello)) + text
	}
	return text
}

func posting(_ int, message string) string {
	return fmt.Sprintf("POST /api/v1/ingest HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(message), message)
}

// await reads lines until one has the answer.
func await(r *bufio.Reader, answer string) error {
	for answer != "" {
		line, err := r.ReadString('\n')
		if err != nil {
			return fmt.Errorf("%q instead of the answer %q: %w", line, answer, err)
		}
		if strings.Contains(line, answer) {
			break
		}
	}
	return nil
}

// TestHalfClosed: whoever has said everything and closes its side is served to the end, though it takes us a while.
func TestHalfClosed(t *testing.T) {
	s := newShop(t)
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			k.config.TLS = s.files
			b, closed := newBox(), make(chan struct{})
			addr := k.listen(t, k.config, func(ctx context.Context, batch []Message) Receipt {
				select {
				case <-closed:
				case <-ctx.Done():
					return replied(ctx.Err())
				}
				return b.accept(ctx, batch)
			})
			conn := dial(t, "tcp", addr)
			if strings.HasPrefix(k.config.Listen, "tls") {
				conn = tls.Client(conn, s.client(t, nil))
			}
			write(t, conn, k.text(1, "<13>the last"))
			if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			close(closed)
			r := bufio.NewReader(conn)
			if err := await(r, k.answer); err != nil {
				t.Error(err)
			}
			if _, err := io.Copy(io.Discard, r); err != nil {
				t.Errorf("the other side ends with %v", err)
			}
			if diff := cmp.Diff([]string{"<13>the last"}, b.wait(1)); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCertificatesAreReplacedUnderConnections: whoever is connected goes on, also with a client certificate of an
// authority that is trusted no more; who comes after that meets the new ones.
func TestCertificatesAreReplacedUnderConnections(t *testing.T) {
	for _, k := range kinds {
		if !strings.HasPrefix(k.config.Listen, "tls") {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			s, b := newShop(t), newBox()
			k.config.TLS = s.files
			k.config.TLS.ClientAuth = "required"
			addr := k.listen(t, k.config, b.accept)
			old := dialTLS(t, addr, s.client(t, &s.clients))
			r := bufio.NewReader(old)
			say := func(number int, message string) {
				t.Helper()
				write(t, old, k.text(number, message))
				if err := await(r, k.answer); err != nil {
					t.Fatal(err)
				}
			}
			say(1, "<13>before")
			stranger := s.client(t, &s.clients)
			s.servers, s.clients = newAuthority(t, "new servers"), newAuthority(t, "new clients")
			s.servers.issue(t, "sluice.test", s.files.Cert, s.files.Key)
			put(t, s.files.ClientCA, s.clients.pem)
			renewed := s.client(t, &s.clients)
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			for tls.Client(dial(t, "tcp", addr), renewed).Handshake() != nil { // they are looked at once in a second
				<-tick.C
			}
			if err := tls.Client(dial(t, "tcp", addr), stranger).Handshake(); err == nil {
				t.Error("the old certificate is still served")
			}
			say(2, "<13>after")
			if diff := cmp.Diff([]string{"<13>before", "<13>after"}, b.wait(2)); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTwoGigabytesAreNotRead: a body that announces too much is refused before any of it has come.
func TestTwoGigabytesAreNotRead(t *testing.T) {
	addr := startHTTPAt(t, push(), newBox().accept)
	conn := dial(t, "tcp", addr)
	write(t, conn, "POST /api/v1/ingest HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2147483647\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("%s, want 413", answer.Status)
	}
}
