package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/sluice-siem/sluice/config"
)

// TestStopWhileFull: a gateway whose stream is full, and whose sender waits for room, stops when it is
// told to, and has everything that it recorded.
func TestStopWhileFull(t *testing.T) {
	t.Parallel()
	c := with(func(c *config.Config) {
		c.DataDir = t.TempDir()
		c.Inputs = c.Inputs[:1]
		c.Inputs[0].Listen = "tcp://127.0.0.1:0"
		c.Targets = []config.Target{{Name: "dead", Type: "syslog", Address: "tcp://127.0.0.1:1", Format: "cef"}}
		c.Stream.MaxDisk = 1 << 20
		c.HTTP.Listen = ""
	})
	run := func() (g *Gateway, stop func() error) {
		t.Helper()
		reg := prometheus.NewRegistry()
		g, err := New(t.Context(), Options{
			Config: c, Log: slog.New(slog.DiscardHandler), Metrics: reg, Gatherer: reg, Stdout: io.Discard, Hostname: "h",
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- g.Run(ctx) }()
		return g, func() error {
			cancel()
			return <-done
		}
	}
	g, stop := run()
	_, address, _ := strings.Cut(g.Listeners()[0].Address, "://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // the gateway may have closed it
	go func() {
		for i := 0; ; i++ {
			if _, err := fmt.Fprintln(conn, activity(i)+strings.Repeat(" filler", 500)); err != nil {
				return
			}
		}
	}()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for testutil.ToFloat64(g.pipeline.metrics.full) == 0 {
		<-tick.C
	}
	if err := stop(); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Run() = %v, want nil", err)
	}
	// Not before it stopped: what waits behind the batch that found no room is asked once more, and may fit.
	_, last := g.stream.Bounds()
	if last == 0 {
		t.Fatal("nothing is recorded")
	}
	g, stop = run()
	if _, again := g.stream.Bounds(); again != last {
		t.Errorf("the stream ends at %d after the restart, want %d", again, last)
	}
	if err := stop(); err != nil {
		t.Errorf("Run() = %v, want nil", err)
	}
}
