package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/input"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// wrong is an input of a machine whose wall clock is wrong.
type wrong struct {
	Input
	by *atomic.Int64
}

func (w wrong) Run(ctx context.Context, accept input.Accept) error {
	return w.Input.Run(ctx, func(ctx context.Context, batch []input.Message) input.Receipt {
		for i := range batch {
			batch[i].Received = batch[i].Received.Add(time.Duration(w.by.Load()))
		}
		return accept(ctx, batch)
	})
}

// timed is a gateway whose wall clock steps.
type timed struct {
	*Gateway
	t    *testing.T
	by   atomic.Int64
	stop func()
}

// startTimed runs a gateway whose clock is wrong by that much.
func startTimed(t *testing.T, c config.Config, by time.Duration) *timed {
	t.Helper()
	g := &timed{t: t}
	g.by.Store(int64(by))
	reg := prometheus.NewRegistry()
	var err error
	if g.Gateway, err = New(t.Context(), Options{
		Config: c, Log: slog.New(slog.DiscardHandler), Metrics: reg, Gatherer: reg, Stdout: io.Discard, Hostname: "h",
		Now: func() time.Time { return time.Now().Add(by) },
	}); err != nil {
		t.Fatal(err)
	}
	for i := range g.inputs {
		g.inputs[i] = wrong{g.inputs[i], &g.by}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	stopped := false
	g.stop = func() {
		if cancel(); !stopped {
			stopped = true
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(g.stop)
	return g
}

// send sends lines in a connection of their own.
func (g *timed) send(lines ...string) {
	g.t.Helper()
	_, address, _ := strings.Cut(g.Listeners()[0].Address, "://")
	conn, err := net.Dial("tcp", address)
	if err == nil {
		_, err = io.WriteString(conn, strings.Join(lines, "\n")+"\n")
	}
	if err != nil {
		g.t.Fatal(err)
	}
	_ = conn.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, conn) // to its end, when everything is durable
	_ = conn.Close()
}

// until waits for an entry of the stream.
func (g *timed) until(want func(*stream.Entry) bool) *stream.Entry {
	g.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(time.Minute); ; {
		entries := entriesOf(g.t, g.stream)
		for _, e := range entries {
			if want(e) {
				return e
			}
		}
		select {
		case <-tick.C:
		case <-limit:
			g.t.Fatalf("it doesn't come:\n%s", strings.Join((&story{entries: entries}).tell(), "\n"))
		}
	}
}

// TestTheWallClockSteps: the wall clock steps by two days while a gateway runs and, for it and for the next, between
// two of them. Twins and resends are known, holds end in time, no service is called silent, the equations hold, and
// nothing that is owed is removed.
func TestTheWallClockSteps(t *testing.T) {
	for _, step := range []struct{ before, after time.Duration }{{days, 0}, {0, days}, {-days, 0}, {0, -days}} {
		t.Run(fmt.Sprintf("from %s to %s", step.before, step.after), func(t *testing.T) {
			t.Parallel()
			stepped(t, step.before, step.after)
		})
	}
}

// days are by how much the clock steps.
const days = 48 * time.Hour

func stepped(t *testing.T, before, after time.Duration) {
	t.Helper()
	const hold = 4 * time.Second
	c := with(limits(config.Quiet(h), config.Quiet(h), true), func(c *config.Config) {
		c.DataDir = t.TempDir()
		c.Inputs = []config.Input{c.Inputs[0]}
		c.Inputs[0].Listen = "tcp://127.0.0.1:0"
		c.Targets = []config.Target{{Name: "file", Type: "file", Path: filepath.Join(c.DataDir, "out.jsonl"), Format: "json"}}
		*c.Policy.Hold = hold
		c.Stream.Retention = h
		c.HTTP.Listen = ""
	})
	one := func(n int) incident {
		return incident{number: n, start: time.Duration(n) * 9 * h, user: fmt.Sprintf("user.no%d", n), host: fmt.Sprintf("WS-%d", n)}
	}
	g := startTimed(t, c, before)
	g.send(one(1).mdi(), one(2).mcas(), one(3).mcas(), one(4).mcas())
	g.by.Store(int64(after))
	g.send(one(4).mdi())
	g.stop()

	second := c // with a target that gets nothing
	second.Targets = append(slices.Clone(c.Targets), config.Target{Name: "dead", Type: "syslog", Address: "tcp://127.0.0.1:1", Format: "cef"})
	g = startTimed(t, second, after)
	g.send(one(2).mdi(), one(1).mdi())
	released := g.until(func(e *stream.Entry) bool { return e.Kind == stream.Release && e.Decision.Reason == "hold_expired" })
	want := []string{
		"notification mdi alert 1 forwarded managed_here",
		"notification mcas alert 2 held waiting",
		"notification mcas alert 3 held waiting",
		"notification mcas alert 4 held waiting",
		"notification mdi alert 4 forwarded managed_here",
		"release mcas alert 4 suppressed twin_forwarded",
		"notification mdi alert 2 forwarded managed_here",
		"release mcas alert 2 suppressed twin_forwarded",
		"notification mdi alert 1 suppressed resend",
		"release mcas alert 3 forwarded hold_expired",
	}
	entries := entriesOf(t, g.stream)
	if diff := cmp.Diff(want, (&story{entries: entries}).tell()); diff != "" {
		t.Errorf("the stream (-want +got):\n%s", diff)
	}
	if held := released.Time.Sub(entries[2].Time); held < hold || held > max(after-before, 0)+time.Minute {
		t.Errorf("it was held for %s", held)
	}
	if err := g.retainOnce(t.Context(), time.Now().Add(days)); err != nil {
		t.Error(err)
	}
	g.stop()

	g = startTimed(t, c, before)
	if first, _ := g.stream.Bounds(); first != 1 {
		t.Errorf("the stream begins at %d, and a target has nothing of it", first)
	}
	report, err := g.reconcile(t.Context())
	if err != nil || len(report.Unequal) > 0 {
		t.Errorf("the equations: %+v, %v", report.Unequal, err)
	}
	finally := entriesOf(t, g.stream)
	g.stop()
	if diff := cmp.Diff(want, (&story{entries: finally}).tell()); diff != "" {
		t.Errorf("the stream in the end (-want +got):\n%s", diff)
	}
	var forwarded []string
	for i := range entries {
		if entries[i].Delivered() {
			forwarded = append(forwarded, string(entries[i].Key))
		}
	}
	if diff := cmp.Diff(forwarded, delivered(t, c.Targets[0].Path)); diff != "" {
		t.Errorf("the file (-want +got):\n%s", diff)
	}
}

// delivered lists the keys in a file of events.
func delivered(t *testing.T, path string) (keys []string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var e struct {
			Key string `json:"event_key"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, e.Key)
	}
	return keys
}
