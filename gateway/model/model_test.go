package model_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// world is a stream with a model that follows it.
type world struct {
	t      *testing.T
	stream *stream.Stream
	model  *model.Model
	raised chan formats.Notification
	hurry  atomic.Bool // of the forwarding
	full   atomic.Bool // the disk
	looked chan bool   // has one when it was found full
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	dir := t.TempDir()
	s, err := stream.Open(ctx, stream.Options{Dir: dir + "/stream", Cursors: dir + "/cursors", MaxDisk: 1 << 30, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, stream: s, raised: make(chan formats.Notification, 100), looked: make(chan bool, 1)}
	w.model, err = model.Open(ctx, model.Options{
		Dir: dir + "/model", Stream: s, Config: config.Default(), Log: slog.New(slog.DiscardHandler),
		Raise:   func(_ context.Context, n formats.Notification) error { w.raised <- n; return nil },
		Pressed: w.hurry.Load, Processors: semaphore.NewWeighted(1), Room: w.room,
	})
	if err != nil {
		t.Fatal(err)
	}
	stop := follow(t, w.model)
	t.Cleanup(func() {
		stop()
		cancel()
		if err := w.model.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// room is the model's.
func (w *world) room() error {
	if !w.full.Load() {
		return nil
	}
	select {
	case w.looked <- true:
	default:
	}
	return errors.New("the disk is full")
}

// follow runs the model until stop is called.
func follow(tb testing.TB, m *model.Model) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("Run() = %v", err)
		}
	}
}

// append records the entries and waits until the model has them.
func (w *world) append(entries ...*stream.Entry) {
	w.t.Helper()
	if err := w.model.Wait(w.t.Context(), w.record(entries...)); err != nil {
		w.t.Fatal(err)
	}
}

// record puts the entries into the stream, and says where the last is.
func (w *world) record(entries ...*stream.Entry) stream.Position {
	w.t.Helper()
	var b stream.Batch
	b.Reset()
	for _, e := range entries {
		if _, err := b.Add(e); err != nil {
			w.t.Fatal(err)
		}
	}
	at, err := w.stream.Append(w.t.Context(), &b)
	if err != nil {
		w.t.Fatal(err)
	}
	return stream.Position{Sequence: at.Sequence, Index: len(entries) - 1}
}

// TestFollows: what is appended arrives, and the model knows where it stands after it is opened again.
func TestFollows(t *testing.T) {
	w := newWorld(t)
	w.append(&stream.Entry{Kind: stream.Notification, Key: "1", Notification: formats.Notification{Service: formats.CloudAppSecurity, Kind: formats.Activity, Raw: []byte("x")}, Decision: policy.Decision{Action: "forward"}})
}

// TestGoesOnInAFlood: while the forwarding is hard pressed the model makes way, and still gets on.
func TestGoesOnInAFlood(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hurry.Store(true)
	for i := range 3 {
		w.append(&stream.Entry{
			Kind: stream.Notification, Key: dedup.EventKey(fmt.Sprint(i)), Time: time.Now(), Input: "tcp", Match: dedup.Match{Relation: dedup.First},
			Notification: formats.Notification{Service: formats.CloudAppSecurity, Kind: formats.Activity, Title: "Log on", Start: time.Now()},
		})
	}
	state, err := w.model.State(t.Context())
	if err != nil || state.Activities != 3 {
		t.Errorf("State() = %+v, %v", state, err)
	}
}

// TestLeavesTheDiskToTheStream: the model takes in nothing while there is no room for it, and goes on by itself.
func TestLeavesTheDiskToTheStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.full.Store(true)
	at := w.record(&stream.Entry{
		Kind: stream.Notification, Key: "1", Time: time.Now(), Input: "tcp", Match: dedup.Match{Relation: dedup.First},
		Notification: formats.Notification{Service: formats.CloudAppSecurity, Kind: formats.Activity, Title: "Log on", Start: time.Now()},
	})
	for range 2 {
		<-w.looked
	}
	if state, err := w.model.State(t.Context()); err != nil || state.Activities != 0 {
		t.Errorf("without room, State() = %+v, %v", state, err)
	}
	w.full.Store(false)
	if err := w.model.Wait(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	if state, err := w.model.State(t.Context()); err != nil || state.Activities != 1 {
		t.Errorf("with room again, State() = %+v, %v", state, err)
	}
}
