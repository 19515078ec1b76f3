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
		c.Stream.MaxDisk = 1 << 20
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
