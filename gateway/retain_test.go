package gateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/input"
	"github.com/sluice-siem/sluice/gateway/ledger"
)

// said is a log that can be read while it is written.
type said struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// TestRoomIsMadeAtOnce: senders that wait because a target filled the stream are let in when that target has caught up,
// and not when old entries are removed anyway. The log says which target it was, and why.
func TestRoomIsMadeAtOnce(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing")
	c := frontDoor(t, func(c *config.Config) {
		c.Stream.MaxDisk, c.Stream.Retention = 1<<20, time.Millisecond // else the youngest stay
		c.Targets = append(c.Targets, config.Target{Name: "gone", Type: "file", Path: filepath.Join(missing, "out.jsonl"), Format: "json"})
	})
	var log said
	reg := prometheus.NewRegistry()
	g, err := New(t.Context(), Options{
		Config: c, Log: slog.New(slog.NewTextHandler(&log, nil)), Metrics: reg, Gatherer: reg, Stdout: io.Discard, Hostname: "h",
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := 0; ctx.Err() == nil && testutil.ToFloat64(g.pipeline.metrics.full) == 0; i++ { // the last one waits
			noise := make([]byte, 30000) // packing makes it no smaller
			_, _ = rand.Read(noise)      // never an error
			line := activity(i) + " " + base64.StdEncoding.EncodeToString(noise)
			_ = g.pipeline.accept(ctx, []input.Message{{Input: "file", Received: time.Now(), Raw: []byte(line)}}).Wait()
		}
	}()
	eventually(t, "the log says what to do", func() bool {
		return strings.Contains(log.String(), "raise stream.max_disk") && strings.Contains(log.String(), "map[gone:open: ")
	})
	select {
	case <-sent:
		t.Error("nobody waits")
	default:
	}
	if err := os.Mkdir(missing, 0o700); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the target has everything that was taken", func() bool { return g.waiting(ctx)["gone"] == 0 })
	begun := time.Now()
	<-sent
	if waited := time.Since(begun); waited > retainEvery/4 {
		t.Errorf("the sender waited for %v after the target had caught up", waited)
	}
}

// TestTheYoungestStay: however full the stream is, the model, for which it doesn't wait, has a minute to come by. The log
// says what keeps the oldest entries where no target does.
func TestTheYoungestStay(t *testing.T) {
	t.Parallel()
	c := with()
	p := openPipeline(t, t.TempDir(), c)
	for i := range 3 {
		if err := p.accept(t.Context(), []input.Message{{Input: "file", Received: time.Now(), Raw: []byte(activity(i))}}).Wait(); err != nil {
			t.Fatal(err)
		}
	}
	c.DataDir, c.Stream.MaxDisk = t.TempDir(), 1
	var log said
	g := &Gateway{pipeline: p, stream: p.stream, index: p.index, config: c, log: slog.New(slog.NewTextHandler(&log, nil))}
	makeRoom := func(now time.Time, said string) uint64 {
		t.Helper()
		if err := g.makeRoom(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(log.String(), said) {
			t.Errorf("the log says %s, want %q", log.String(), said)
		}
		first, _ := g.stream.Bounds()
		return first
	}
	l, err := ledger.Open(t.Context(), p.stream, c.DataDir, g.log)
	if err != nil {
		t.Fatal(err)
	}
	makeRoom(time.Now(), "the ledger still has to count")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	g.retention.told = time.Time{}
	if first := makeRoom(time.Now(), "within the last minute is kept"); first != 1 {
		t.Errorf("the stream begins at %d", first)
	}
	if first := makeRoom(time.Now().Add(2*youngest), ""); first == 1 {
		t.Error("nothing is removed after its time")
	}
}
