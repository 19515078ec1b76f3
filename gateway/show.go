package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/api"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/problem"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// show runs the model and answers the API. What is wrong with the model is told and tried again, and never
// keeps the gateway from its work.
type show struct {
	g       *Gateway
	model   atomic.Pointer[model.Model] // while it is open
	answers atomic.Pointer[answers]
	turn    sync.Locker // one act at a time, whoever asks
	views   *views

	processors *semaphore.Weighted // for all models together: all but one
}

// answers are those of a model that is open.
type answers struct {
	http.Handler
	use *use
}

func newShow(g *Gateway) *show {
	turn := &sync.Mutex{}
	processors := semaphore.NewWeighted(int64(max(runtime.GOMAXPROCS(0)-1, 1)))
	return &show{g: g, turn: turn, views: newViews(g, turn), processors: processors}
}

// run opens the model, follows the stream, and begins anew where that fails, until ctx ends.
func (s *show) run(ctx context.Context) error {
	const pause = 10 * time.Second
	if !s.g.config.Model.Enabled {
		return nil
	}
	var following sync.WaitGroup
	defer following.Wait()
	following.Go(func() { s.views.run(ctx) })
	for {
		err := s.once(ctx)
		s.g.pipeline.metrics.modelEnded(err)
		if ctx.Err() != nil {
			return nil
		}
		s.g.log.Error("alerts, activities and users can't be shown, trying again; nothing else is touched", "err", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

func (s *show) once(ctx context.Context) (err error) {
	m, err := model.Open(ctx, model.Options{
		Dir: filepath.Join(s.g.config.DataDir, "model"), Stream: s.g.stream, Config: s.g.config, Log: s.g.log.With("component", "model"), Raise: s.g.Raise,
		Pressed: s.g.pipeline.isPressed, Processors: s.processors, Room: s.g.pipeline.space.forModel,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	whole := &answers{use: newUse(ctx)}
	defer whole.use.finish()
	whole.Handler = api.New(api.Options{Model: m, Recorder: recorder{s.g}, Version: Version(), Log: s.g.log.With("component", "api"), Door: s.g.door, Turn: s.turn})
	s.model.Store(m)
	defer s.model.Store(nil)
	s.answers.Store(whole)
	defer s.answers.Store(nil)
	return m.Run(ctx)
}

// ServeHTTP answers what the API is asked.
func (s *show) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p, _ := access.From(r.Context())
	if s.g.config.Model.Enabled && !p.Scope.Whole() {
		s.views.serve(w, r, p.Scope)
		return
	}
	if a := s.answers.Load(); a != nil && a.use.serve(w, r, a) {
		return
	}
	if !s.g.config.Model.Enabled {
		problem.Write(w, http.StatusNotFound, problem.New(http.StatusNotFound, "nothing is kept to be asked for: model.enabled is false"))
		return
	}
	notNow(w, "the model isn't open: the gateway's log says why")
}

// Version is the program's, as it was built.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// recorder records acts for the API, which knows package model's errors.
type recorder struct{ g *Gateway }

func (r recorder) Record(ctx context.Context, a stream.Act) (*stream.Entry, error) {
	return r.entry(ctx)(r.g.Record(ctx, a))
}

func (r recorder) ForwardAfterAll(ctx context.Context, alert dedup.AlertID, key dedup.EventKey, by, why string) (*stream.Entry, error) {
	return r.entry(ctx)(r.g.ForwardAfterAll(ctx, alert, key, by, why))
}

// entry reads what was recorded.
func (r recorder) entry(ctx context.Context) func(stream.Position, error) (*stream.Entry, error) {
	return func(at stream.Position, err error) (*stream.Entry, error) {
		switch {
		case errors.Is(err, dedup.ErrNoAlert), errors.Is(err, dedup.ErrNoNotification):
			return nil, fmt.Errorf("%w: %w", model.ErrNotFound, err)
		case errors.Is(err, dedup.ErrNotSuppressed), errors.Is(err, dedup.ErrResend), errors.Is(err, dedup.ErrForgotten), errors.Is(err, stream.ErrTooLarge):
			return nil, fmt.Errorf("%w: %w", model.ErrRefused, err)
		case errors.Is(err, stream.ErrFull), errors.Is(err, stream.ErrNotStored), errors.Is(err, ErrStopping), errors.Is(err, ErrUndecided):
			return nil, fmt.Errorf("%w: %w", model.ErrUnavailable, err)
		case err != nil:
			return nil, err
		}
		m, err := r.g.stream.Read(ctx, at.Sequence)
		if err != nil {
			return nil, fmt.Errorf("it is recorded, but can't be read back: %w", err)
		}
		return m.Entries[at.Index], nil
	}
}
