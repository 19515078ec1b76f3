package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway/input"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// newPipelineIn makes a pipeline as New does at that time, on a real stream and state in dir, save that it needn't
// have listened for a minute before it releases anything. Its user moves it. closes may be called before the test
// ends, so that dir can be opened again.
func newPipelineIn(t testing.TB, dir string, c config.Config, log *slog.Logger, start time.Time) (p *pipeline, closes func()) {
	t.Helper()
	c.DataDir = dir
	g := &Gateway{config: c, log: log}
	closes = func() {
		if err := g.close(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(closes)
	var err error
	if g.stream, err = stream.Open(t.Context(), stream.Options{Dir: filepath.Join(dir, "stream")}); err != nil {
		t.Fatal(err)
	}
	g.closers = append(g.closers, g.stream.Close)
	if g.index, err = openState(t.Context(), c, g.stream, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	g.closers = append(g.closers, g.index.Close)
	if p, err = newPipeline(g, newMetrics(prometheus.NewRegistry()), start); err != nil {
		t.Fatal(err)
	}
	p.quiet = time.Time{}
	return p, closes
}

// openPipeline is such a pipeline that runs until the test ends.
func openPipeline(t *testing.T, dir string, c config.Config) *pipeline {
	t.Helper()
	p, _ := newPipelineIn(t, dir, c, slog.New(slog.DiscardHandler), time.Now())
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return p
}

// TestGreatMessagesAreAnswered: every batch of messages of the greatest size is accepted, whatever of
// it is held, and every sender gets its answer.
func TestGreatMessagesAreAnswered(t *testing.T) {
	p := openPipeline(t, t.TempDir(), with())
	long := strings.Repeat("x1 ", 250<<10/3)
	var batch []input.Message
	for n := range 12 {
		in := incident{number: n, start: time.Duration(n) * s, user: "ida.brook", host: "WS-17", detail: long}
		for _, line := range []string{in.mcas(), in.mdi(), in.mdi(" More.")} {
			batch = append(batch, input.Message{Input: "test", Received: monday, Raw: []byte(line)})
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	answer := make(chan error, 1)
	go func() { answer <- p.accept(ctx, batch).Wait() }()
	select {
	case err := <-answer:
		if err != nil {
			t.Fatal(err)
		}
	case <-ctx.Done():
		t.Fatal("no answer")
	}
	entries := 0
	for m, err := range p.stream.Scan(t.Context(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range m.Entries {
			if e.Kind == stream.Notification {
				entries++
			}
		}
	}
	if entries != len(batch) {
		t.Errorf("%d notifications in the stream, want %d", entries, len(batch))
	}
}

// TestStateIsRebuilt: a state that is lost, and one that is ahead of the stream, are rebuilt from the
// checkpoint and the stream and are what they were.
func TestStateIsRebuilt(t *testing.T) {
	c := with()
	c.DataDir = t.TempDir()
	log := slog.New(slog.DiscardHandler)
	lived := map[string]string{}
	t.Run("live", func(t *testing.T) {
		p := openPipeline(t, c.DataDir, c)
		for i, one := range aBusyDay(7)[:120] {
			if err := p.accept(t.Context(), []input.Message{{Input: "test", Received: monday.Add(one.after), Raw: []byte(one.line)}}).Wait(); err != nil {
				t.Fatal(err)
			}
			if i == 60 {
				if _, err := p.index.Checkpoint(checkpointPath(c)); err != nil {
					t.Fatal(err)
				}
			}
		}
		lived = dump(t, p.index)
	})
	s, err := stream.Open(t.Context(), stream.Options{Dir: filepath.Join(c.DataDir, "stream")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	for name, spoil := range map[string]func(*dedup.Index) error{
		"ahead of the stream": func(x *dedup.Index) error {
			b := x.Begin()
			defer b.Discard()
			return b.Commit(dedup.Mark{Sequence: 1 << 40})
		},
		"another stream's": func(x *dedup.Index) error {
			b := x.Begin()
			defer b.Discard()
			return b.Commit(dedup.Mark{Sequence: 3, Hash: [32]byte{1}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			index, err := openState(t.Context(), c, s, log)
			if err != nil {
				t.Fatal(err)
			}
			if err := spoil(index); err != nil {
				t.Fatal(err)
			}
			if err := index.Close(); err != nil {
				t.Fatal(err)
			}
			var said bytes.Buffer
			if index, err = openState(t.Context(), c, s, slog.New(slog.NewTextHandler(&said, nil))); err != nil {
				t.Fatal(err)
			}
			if ahead := name == "ahead of the stream"; strings.Contains(said.String(), "has lost its end") != ahead {
				t.Errorf("what was lost is said wrongly:\n%s", said.String())
			}
			defer func() {
				if err := index.Close(); err != nil {
					t.Error(err)
				}
			}()
			got := dump(t, index)
			for k, v := range lived {
				if got[k] != v {
					t.Errorf("key %s differs after the rebuild", k)
				}
			}
			if len(got) != len(lived) {
				t.Errorf("%d keys after the rebuild, want %d", len(got), len(lived))
			}
		})
	}
}

// TestARepeatedRequestChangesNothing: what is recorded of a request is acknowledged and recorded no second
// time, whatever part of it comes again and however it is cut; another one under its key is refused.
func TestARepeatedRequestChangesNothing(t *testing.T) {
	p := openPipeline(t, t.TempDir(), with())
	request := func(body byte, n int) []input.Message {
		out := make([]input.Message, n)
		for i := range out {
			out[i] = input.Message{
				Input: "test", Received: monday, Raw: fmt.Appendf(nil, "noise %d", i),
				Part: &input.Part{Of: [16]byte{1}, Index: i, Body: [16]byte{body}},
			}
		}
		return out
	}
	if err := p.accept(t.Context(), request(7, 1000)[:700]).Wait(); err != nil { // more than one batch of the stream
		t.Fatal(err)
	}
	for _, size := range []int{1000, 128} {
		for batch := range slices.Chunk(request(7, 1000), size) {
			if err := p.accept(t.Context(), batch).Wait(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := p.accept(t.Context(), request(8, 10)).Wait(); !errors.Is(err, input.ErrReused) {
		t.Errorf("accept = %v, want %v", err, input.ErrReused)
	}
	entries := 0
	for m, err := range p.stream.Scan(t.Context(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		entries += len(m.Entries)
	}
	if entries != 1000 {
		t.Errorf("%d entries in the stream, want 1000", entries)
	}
}

// TestAcceptGivesUpWithItsContext: nobody waits for ever for a stream that takes nothing.
func TestAcceptGivesUpWithItsContext(t *testing.T) {
	p := &pipeline{requests: make(chan *request)}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-p.requests; cancel() }() // it is in the decider's hands
	if err := p.accept(ctx, []input.Message{{Raw: []byte("noise")}}).Wait(); !errors.Is(err, input.ErrUndecided) {
		t.Errorf("accept = %v, want %v", err, input.ErrUndecided)
	}
	if err := p.accept(ctx, nil).Wait(); !errors.Is(err, ErrStopping) {
		t.Errorf("accept = %v, want %v", err, ErrStopping)
	}
}

// TestHardPressed: it is while somebody waits behind every batch, not before that has gone on for a while, and not where
// it is the disk that is slow.
func TestHardPressed(t *testing.T) {
	for _, c := range []struct {
		name     string
		messages int
		each     time.Duration
		want     bool
	}{
		{"a flood", 500, 20 * time.Millisecond, true},
		{"small batches, one upon the other", 8, 2 * time.Millisecond, true},
		{"a slow disk", 30, 60 * time.Millisecond, false},
		{"a slow disk and a flood", 500, 300 * time.Millisecond, true},
	} {
		var p pressure
		now := monday
		for i := range hardPressed {
			if p.feel(c.messages, true, now) && i < hardPressed-1 {
				t.Errorf("%s: pressed by %d batches", c.name, i+1)
			}
			now = now.Add(c.each)
		}
		if got := p.feel(c.messages, true, now); got != c.want {
			t.Errorf("%s: pressed = %t", c.name, got)
		}
		if p.feel(c.messages, false, now) {
			t.Errorf("%s: pressed though nobody waits", c.name)
		}
		if p.feel(c.messages, true, now) {
			t.Errorf("%s: pressed at once", c.name)
		}
	}
}

// TestTheLogSaysOnceThatSendersWait: however often the stream is tried again, for the log may be on the same disk.
func TestTheLogSaysOnceThatSendersWait(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	p, _ := newPipelineIn(t, t.TempDir(), with(), slog.New(slog.NewTextHandler(&log, nil)), time.Now())
	p.space.dirs = []string{filepath.Join(t.TempDir(), "gone")}
	ctx, stop := context.WithCancel(t.Context())
	waits := &incoming{of: &request{left: 1, done: make(chan error, 1)}, entry: entryOf("test", normalize([]byte("noise"), monday))}
	done := make(chan error, 1)
	go func() { done <- p.decide(ctx, []*incoming{waits}) }()
	for range 5 {
		p.room <- struct{}{} // which has room for one: the others are taken when it was tried in vain
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := <-waits.of.done; !errors.Is(err, ErrStopping) {
		t.Errorf("who waited is told %v, want %v", err, ErrStopping)
	}
	if n := strings.Count(log.String(), "senders wait"); n != 1 {
		t.Errorf("the log says %d times that senders wait, want once:\n%s", n, log.String())
	}
}
