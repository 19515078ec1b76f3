package input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats/relp"
)

const hello = "relp_version=0\nrelp_software=test\ncommands=syslog"

// relpClient is the sending side of a session.
type relpClient struct {
	t       *testing.T
	conn    net.Conn
	answers *relp.Reader
}

func newRELPClient(t *testing.T, conn net.Conn) relpClient {
	return relpClient{t, conn, relp.NewReader(conn, 1000)}
}

func (c relpClient) send(number int, command, data string) {
	c.t.Helper()
	write(c.t, c.conn, string(relp.Append(nil, number, command, data)))
}

// read gives the next n answers in short: their number, command and the first line of their data.
func (c relpClient) read(n int) []string {
	c.t.Helper()
	var out []string
	for range n {
		f, err := c.answers.Next()
		if err != nil {
			c.t.Errorf("answers %q: %v", out, err)
			return out
		}
		line, _, _ := strings.Cut(string(f.Data), "\n")
		out = append(out, strings.TrimSpace(fmt.Sprintf("%d %s %s", f.Number, f.Command, line)))
	}
	return out
}

// rest reads to the end.
func (c relpClient) rest() []string {
	c.t.Helper()
	var out []string
	for {
		f, err := c.answers.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				c.t.Errorf("after %q: %v, want the end", out, err)
			}
			return out
		}
		out = append(out, strings.TrimSpace(fmt.Sprintf("%d %s %s", f.Number, f.Command, f.Data)))
	}
}

func startRELP(t *testing.T, cfg config.Input, accept Accept, m *Metrics) (addr string, stop func() error) {
	t.Helper()
	in, err := ListenRELP(cfg, quiet(), m)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, in, accept)
}

func TestRELPAnswersWhatIsDurable(t *testing.T) {
	b := newBox()
	addr, _ := startRELP(t, settings("tcp://127.0.0.1:0"), b.accept, NewMetrics(nil))
	c := newRELPClient(t, dial(t, "tcp", addr))
	c.send(1, "open", hello)
	f, err := c.answers.Next()
	if want := "200 OK\nrelp_version=0\nrelp_software=sluice\ncommands=syslog"; err != nil || f.Number != 1 || string(f.Data) != want {
		t.Fatalf("open: %d %s %q, %v; want 1 rsp %q", f.Number, f.Command, f.Data, err, want)
	}
	c.send(2, "syslog", "<13>one\n")
	c.send(3, "syslog", "") // nothing to keep, and no reason to send it for ever
	c.send(4, "syslog", "<13>two\nlines")
	if diff := cmp.Diff([]string{"2 rsp 200 OK", "3 rsp 200 OK", "4 rsp 200 OK"}, c.read(3)); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	c.send(5, "close", "")
	if diff := cmp.Diff([]string{"5 rsp", "0 serverclose"}, c.rest()); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"<13>one", "<13>two\nlines"}, b.wait(2)); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

func TestRELPAgreesOnAVersion(t *testing.T) {
	for theirs, want := range map[string]string{"0": "relp_version=0", "1": "relp_version=1", "7": "relp_version=1"} {
		addr, _ := startRELP(t, settings("tcp://127.0.0.1:0"), newBox().accept, NewMetrics(nil))
		c := newRELPClient(t, dial(t, "tcp", addr))
		c.send(1, "open", "relp_version="+theirs+"\ncommands=eventlog,syslog\n")
		if f, err := c.answers.Next(); err != nil || !strings.Contains(string(f.Data), want) {
			t.Errorf("version %s: %q, %v; want %s", theirs, f.Data, err, want)
		}
	}
}

// A batch that isn't durable is not answered, and nothing of the answers comes before it.
func TestRELPKeepsItsAnswersUntilTheBatchIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newRELP(&server{name: "front", max: 100, idle: time.Hour, log: quiet(), count: NewMetrics(nil).of("front")})
		near, far := net.Pipe()
		durable := make(chan error)
		go in.serve(t.Context(), near, func(context.Context, []Message) Receipt { return Receipt{Done: durable} })
		c := newRELPClient(t, far)
		c.send(1, "open", hello)
		c.read(1)
		go write(t, far, "2 syslog 5 <13>a\n3 syslog 5 <13>b\n4 close 0\n") // in one write, so in one batch
		answered := make(chan []string)
		go func() { answered <- c.rest() }()
		synctest.Wait()
		select {
		case got := <-answered:
			t.Fatalf("answers before the batch is durable: %q", got)
		default:
		}
		durable <- nil
		if diff := cmp.Diff([]string{"2 rsp 200 OK", "3 rsp 200 OK", "4 rsp", "0 serverclose"}, <-answered); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
	})
}

func TestRELPAnswersNothingThatWasNotAccepted(t *testing.T) {
	full := errors.New("the disk is full")
	b := newBox()
	b.fail = full
	in, err := ListenRELP(settings("tcp://127.0.0.1:0"), quiet(), NewMetrics(nil))
	if err != nil {
		t.Fatal(err)
	}
	c := newRELPClient(t, dial(t, "tcp", in.Addr().String()))
	c.send(1, "open", hello)
	c.send(2, "syslog", "<13>lost?")
	if got := in.Run(t.Context(), b.accept); !errors.Is(got, full) {
		t.Errorf("Run() = %v, want %v", got, full)
	}
	if got := c.rest(); slices.Contains(got, "2 rsp 200 OK") || len(got) == 0 || got[len(got)-1] != "0 serverclose" {
		t.Errorf("answers %q, want no answer to the message, and a serverclose", got)
	}
}

// The window is a batch: of a peer that waits for no answer, no more than that is taken.
func TestRELPBoundsWhatIsUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newRELP(&server{name: "front", max: 1 << 20, idle: time.Hour, log: quiet(), count: NewMetrics(nil).of("front")})
		near, far := net.Pipe()
		const sent = 1000
		go func() {
			write(t, far, string(relp.Append(nil, 1, "open", hello)))
			for i := range sent {
				write(t, far, string(relp.Append(nil, i+2, "syslog", fmt.Sprintf("<13>%d", i))))
			}
			write(t, far, "1002 close 0\n")
		}()
		answered := make(chan []string)
		go func() { answered <- newRELPClient(t, far).rest() }()
		total := 0
		in.serve(t.Context(), near, func(_ context.Context, batch []Message) Receipt {
			if len(batch) > batchMessages {
				t.Errorf("a batch has %d messages", len(batch))
			}
			for _, m := range batch {
				if want := fmt.Sprintf("<13>%d", total); string(m.Raw) != want {
					t.Errorf("message %q, want %q", m.Raw, want)
				}
				total++
			}
			return replied(nil)
		})
		if got := <-answered; len(got) != sent+3 || total != sent {
			t.Errorf("%d messages and %d answers, want %d and %d", total, len(got), sent, sent+3)
		}
	})
}

func TestRELPCutsLongMessages(t *testing.T) {
	cfg := settings("tcp://127.0.0.1:0")
	cfg.MaxMessage = 64
	m := NewMetrics(nil)
	b := newBox()
	addr, _ := startRELP(t, cfg, b.accept, m)
	c := newRELPClient(t, dial(t, "tcp", addr))
	long := "<13>" + strings.Repeat("x", 100_000)
	c.send(1, "open", hello)
	c.send(2, "syslog", long)
	c.send(3, "syslog", "<13>short")
	if diff := cmp.Diff([]string{"1 rsp 200 OK", "2 rsp 200 OK", "3 rsp 200 OK"}, c.read(3)); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{long[:64] + "~", "<13>short"}, b.wait(2)); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if got := testutil.ToFloat64(m.of("front").truncated); got != 1 {
		t.Errorf("truncated = %v, want 1", got)
	}
}

func TestRELPClosesWhatMakesNoSense(t *testing.T) {
	open := string(relp.Append(nil, 1, "open", hello))
	tests := []struct {
		name, sent string
		want       []string // after the answer to open
		messages   []string
	}{
		{"not RELP", "<13>plain syslog\n", []string{"0 serverclose"}, nil},
		{"a bad frame", open + "2 syslog 5 <13>a\n3 syslog x\n", []string{"2 rsp 200 OK", "0 serverclose"}, []string{"<13>a"}},
		{"nothing is open", "1 syslog 5 <13>a\n", []string{"1 rsp 500 not expected here", "0 serverclose"}, nil},
		{"opened twice", open + "2 open 0\n", []string{"2 rsp 500 not expected here", "0 serverclose"}, nil},
		{"another command", open + "2 eventlog 1 x\n", []string{"2 rsp 500 not expected here", "0 serverclose"}, nil},
		{"a hint", open + "0 serverclose 0\n", []string{"0 serverclose"}, nil},
		{"no syslog", "1 open 29 relp_version=0\ncommands=event\n", []string{"1 rsp 500 relp_version and commands=syslog are required", "0 serverclose"}, nil},
		{"no version", "1 open 15 commands=syslog\n", []string{"1 rsp 500 relp_version and commands=syslog are required", "0 serverclose"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := NewMetrics(nil)
			b := newBox()
			addr, stop := startRELP(t, settings("tcp://127.0.0.1:0"), b.accept, m)
			c := newRELPClient(t, dial(t, "tcp", addr))
			write(t, c.conn, tt.sent)
			if strings.HasPrefix(tt.sent, open) {
				c.read(1)
			}
			if diff := cmp.Diff(tt.want, c.rest()); diff != "" {
				t.Errorf("answers (-want +got):\n%s", diff)
			}
			c.conn.Close()
			stop()
			if got := b.texts(); !slices.Equal(got, tt.messages) {
				t.Errorf("messages %q, want %q", got, tt.messages)
			}
			if got := testutil.ToFloat64(m.of("front").bad); got != 1 {
				t.Errorf("bad = %v, want 1", got)
			}
		})
	}
}

// Whoever breaks off within a frame has no answer and sends it again: its beginning is no message.
func TestRELPForgetsWhatBreaksOff(t *testing.T) {
	m := NewMetrics(nil)
	b := newBox()
	addr, stop := startRELP(t, settings("tcp://127.0.0.1:0"), b.accept, m)
	c := newRELPClient(t, dial(t, "tcp", addr))
	c.send(1, "open", hello)
	c.send(2, "syslog", "<13>whole")
	write(t, c.conn, "3 syslog 100 <13>beginn")
	if err := c.conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"2 rsp 200 OK", "0 serverclose"}, c.rest()[1:]); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	stop()
	if diff := cmp.Diff([]string{"<13>whole"}, b.texts()); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if got := testutil.ToFloat64(m.of("front").bad); got != 0 {
		t.Errorf("bad = %v, want 0: it broke", got)
	}
}

func TestRELPAnswersBeforeItStops(t *testing.T) {
	b := newBox()
	addr, stop := startRELP(t, settings("tcp://127.0.0.1:0"), b.accept, NewMetrics(nil))
	c := newRELPClient(t, dial(t, "tcp", addr))
	c.send(1, "open", hello)
	c.send(2, "syslog", "<13>first")
	c.read(2)
	write(t, c.conn, "3 syslog 100 <13>never finis")
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	if diff := cmp.Diff([]string{"0 serverclose"}, c.rest()); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	c.conn.Close()
	if err := <-stopped; err != nil {
		t.Errorf("Run() = %v, want nil", err)
	}
	if diff := cmp.Diff([]string{"<13>first"}, b.texts()); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

func TestRELPClosesIdleConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newRELP(&server{name: "front", max: 100, idle: 15 * time.Minute, log: quiet(), count: NewMetrics(nil).of("front")})
		near, far := net.Pipe()
		begun := time.Now()
		var sender sync.WaitGroup
		defer sender.Wait()
		defer far.Close()
		sender.Go(func() {
			write(t, far, string(relp.Append(nil, 1, "open", hello)))
			time.Sleep(10 * time.Minute) // the bubble's clock
			write(t, far, "2 syslog 5 <13>a\n3 syslog 2147483648 ")
			for err := error(nil); err == nil; _, err = far.Write([]byte("x")) {
				time.Sleep(time.Minute)
			}
		})
		sender.Go(func() {
			if got := newRELPClient(t, far).rest(); len(got) != 3 || got[2] != "0 serverclose" {
				t.Errorf("answers %q, want three", got)
			}
		})
		in.serve(t.Context(), near, newBox().accept)
		if lived := time.Since(begun).Truncate(time.Second); lived != 25*time.Minute {
			t.Errorf("the connection lived %v, want 25m", lived)
		}
	})
}

func TestRELPOverTLSWithClientCertificates(t *testing.T) {
	s := newShop(t)
	cfg := settings("tls://127.0.0.1:0")
	cfg.TLS = s.files
	cfg.TLS.ClientAuth = "required"
	b := newBox()
	m := NewMetrics(nil)
	addr, _ := startRELP(t, cfg, b.accept, m)
	c := newRELPClient(t, dialTLS(t, addr, s.client(t, &s.clients)))
	c.send(1, "open", hello)
	c.send(2, "syslog", "<13>secret")
	c.send(3, "close", "")
	if diff := cmp.Diff([]string{"2 rsp 200 OK", "3 rsp", "0 serverclose"}, c.rest()[1:]); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"<13>secret"}, b.wait(1)); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}
