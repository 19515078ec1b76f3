package input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/sluice-siem/sluice/config"
)

// quiet is a log for tests that don't look at it.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// settings are an input's, with limits that no test reaches by accident.
func settings(listen string) config.Input {
	return config.Input{
		Name: "front", Type: "syslog", Listen: listen,
		MaxMessage: 4096, MaxConnections: 100, IdleTimeout: time.Hour,
	}
}

// box keeps what was accepted.
type box struct {
	mu       sync.Mutex // guards what follows
	changed  *sync.Cond
	messages []Message
	fail     error // returned by accept, if set
}

func newBox() *box {
	b := &box{}
	b.changed = sync.NewCond(&b.mu)
	return b
}

// replied is the receipt of a batch of which the answer is known already.
func replied(err error) Receipt {
	done := make(chan error, 1)
	done <- err
	return Receipt{Done: done}
}

func (b *box) accept(_ context.Context, batch []Message) Receipt { return replied(b.take(batch)) }

func (b *box) take(batch []Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.changed.Broadcast()
	if b.fail != nil {
		return b.fail
	}
	b.messages = append(b.messages, batch...)
	return nil
}

// wait returns the texts of the messages when there are n of them. A cut one ends in a tilde.
func (b *box) wait(n int) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.messages) < n {
		b.changed.Wait()
	}
	return b.texts()
}

func (b *box) texts() []string {
	texts := make([]string, 0, len(b.messages))
	for _, m := range b.messages {
		text := string(m.Raw)
		if m.Truncated {
			text += "~"
		}
		texts = append(texts, text)
	}
	return texts
}

// start runs an input until the test ends or stop is called; stop returns what Run did.
func start(t *testing.T, cfg config.Input, accept Accept, m *Metrics) (addr string, stop func() error) {
	t.Helper()
	in, err := ListenSyslog(cfg, quiet(), m)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, in, accept)
}

func run(t *testing.T, in *Socket, accept Accept) (addr string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx, accept) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() { stop() })
	return in.Addr().String(), stop
}

func dial(t *testing.T, network, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func write(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Error(err)
	}
}

func TestListenRefusesWhatItCannotServe(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	tests := []struct {
		name   string
		listen string
		change func(*config.Input)
		want   string
	}{
		{"taken port", "tcp://" + taken.Addr().String(), nil, "address already in use"},
		{"other scheme", "relp://127.0.0.1:0", nil, "want tcp:// or tls://"},
		{"no certificate", "tls://127.0.0.1:0", func(c *config.Input) { c.TLS.Cert = "none.pem" }, "none.pem"},
		{"bad address", "udp://127.0.0.1:notaport", nil, "notaport"},
		{"no limit", "tcp://127.0.0.1:0", func(c *config.Input) { c.MaxConnections = 0 }, "max_connections"},
		{"no length", "udp://127.0.0.1:0", func(c *config.Input) { c.MaxMessage = 0 }, "max_message"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := settings(tt.listen)
			if tt.change != nil {
				tt.change(&cfg)
			}
			in, err := ListenSyslog(cfg, quiet(), NewMetrics(nil))
			if err == nil {
				in.Close()
				t.Fatalf("ListenSyslog(%s) = nil, want an error with %q", tt.listen, tt.want)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("ListenSyslog(%s) = %v, want an error with %q", tt.listen, err, tt.want)
			}
		})
	}
}

func TestRunEndsWithTheErrorOfAccept(t *testing.T) {
	for _, scheme := range []string{"tcp", "udp"} {
		t.Run(scheme, func(t *testing.T) {
			in, err := ListenSyslog(settings(scheme+"://127.0.0.1:0"), quiet(), NewMetrics(nil))
			if err != nil {
				t.Fatal(err)
			}
			full := fmt.Errorf("the disk is full")
			b := newBox()
			b.fail = full
			conn := dial(t, scheme, in.Addr().String())
			write(t, conn, "<13>one\n")
			if got := in.Run(t.Context(), b.accept); !errors.Is(got, full) {
				t.Errorf("Run() = %v, want %v", got, full)
			}
		})
	}
}

func TestMetricsAreNamedByConvention(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	NewMetrics(reg).of("front")
	problems, err := testutil.GatherAndLint(reg)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(0, len(problems)); diff != "" {
		t.Errorf("promlint: %v", problems)
	}
}
