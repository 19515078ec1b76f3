// Package model holds what people ask for: the alerts queue, the activity log and the users. It is a fold of
// the stream, kept in SQLite, in whose transactions the place in the stream is kept too.
//
// # Decisions
//
// The model is no reader of the stream with a cursor, because the stream keeps what a cursor hasn't passed: a
// model that lags or is broken would fill the disk and stop the forwarding. It reads what is there, and where
// the stream has been purged before it came by, it notes the gap and says so with its answers.
//
// One connection writes; the others read what was committed last. Filters of the log find lines by an index in a file of
// its own, which follows the tables a transaction behind, see index.go. Everything an operator does is an entry
// of the stream first, so that a model made anew from a snapshot and the stream has it. Who is who follows from
// the stream and from the configuration of today, see people.go.
package model

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/catalog"
	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/risk"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// Options are what a model is made of.
type Options struct {
	Dir    string         // for its files; made where it isn't there
	Stream *stream.Stream //
	Config config.Config  // services, organisation, closure, retention of the model
	Log    *slog.Logger   //
	Scope  access.Scope   // of what is folded; see inside.go
	Whole  func() *Model  // with a scope: what knows the past that the stream has no more; it gives nil while that isn't open

	// Raise puts an alert of our own, of an activity policy, into the stream. One that is there already, by its ID,
	// is no error.
	Raise func(ctx context.Context, n formats.Notification) error

	// Pressed says whether the forwarding needs all there is to work with, so that the model makes way; nil where it
	// never does.
	Pressed func() bool

	// Processors are those that the goroutines of models may take, so that one is left to the forwarding: where all are
	// taken the Go runtime looks for what came by the network every ten milliseconds only. Nil where nothing is forwarded.
	Processors *semaphore.Weighted

	// Room is an error while the model may write nothing, because others will need what is left of the disk; nil where
	// it always may.
	Room func() error
}

// Model is the open model. Its methods may be called from any goroutine.
type Model struct {
	options Options
	log     *slog.Logger
	catalog *catalog.Catalog
	codec   codec
	writer  *sql.DB       // one connection
	reader  *sql.DB       // some, read only
	mover   *sql.DB       // one connection, for checkpoints
	index   *index        // of the log
	written chan struct{} // has one when there is something for them
	unmoved int           // entries since; the fold's
	scores  scoreboard
	daily   func(ctx context.Context, day time.Time, ranking []risk.Score) error // of a Scoring; else nil
	mend    func() error                                                         // after damage for which Run ended, or Open: Close's

	mu    sync.Mutex // guards at, moved
	at    stream.Position
	moved chan struct{} // closed when at moves
}

// Open opens the model, or makes it anew where it is damaged, of another version, or not of this stream:
// from the snapshot where there is one that fits, else from what the stream has. After [ErrDamaged] it does so the next time.
func Open(ctx context.Context, o Options) (*Model, error) {
	c, err := catalog.New()
	if err != nil {
		return nil, err
	}
	records, err := newCodec()
	if err != nil {
		return nil, err
	}
	m := &Model{options: o, log: o.Log, catalog: c, codec: records, moved: make(chan struct{}), written: make(chan struct{}, 1)}
	if err := m.open(ctx); err != nil {
		return nil, fmt.Errorf("open the model in %s: %w", o.Dir, err)
	}
	return m, nil
}

// Close closes the files; Run must have returned. Where it returned [ErrDamaged] the damaged one is looked for and taken
// out of the way, until the context of Run ends.
func (m *Model) Close() error {
	err := errors.Join(m.reader.Close(), m.mover.Close(), m.writer.Close(), m.index.close())
	if m.mend != nil {
		err = errors.Join(err, m.mend())
	}
	return err
}

func (m *Model) turn() turn { return turn{of: m.options.Processors} }

func (m *Model) path() string { return filepath.Join(m.options.Dir, "model.db") }

func (m *Model) indexPath() string { return filepath.Join(m.options.Dir, "model-index.db") }

// Run follows the stream until ctx ends. What goes wrong is logged and tried again: the model never stops
// anything else. Only [ErrDamaged] it returns, as that stays.
func (m *Model) Run(ctx context.Context) error {
	const pause = time.Second
	whole := ctx
	ctx, end := context.WithCancelCause(ctx)
	var copying sync.WaitGroup
	defer copying.Wait()
	defer end(nil)
	copying.Go(func() { end(m.keep(ctx)) })
	copying.Go(func() { m.checkpoints(ctx) })
	for {
		err := m.follow(ctx)
		if cause := context.Cause(ctx); isDamage(cause) {
			err = cause
		}
		switch {
		case isDamage(err):
			m.mend = func() error { return m.takeAway(whole, err) }
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		case ctx.Err() != nil, errors.Is(err, stream.ErrClosed):
			return nil
		}
		m.log.Error("the model can't go on, trying again", "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// Wait returns nil when what is at that position has been folded, and the cause of ctx where that ends first.
func (m *Model) Wait(ctx context.Context, at stream.Position) error {
	for {
		m.mu.Lock()
		have, moved := m.at, m.moved
		m.mu.Unlock()
		if !have.Less(at) {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("the model is at %d of the stream and hasn't come to %d: %w", have.Sequence, at.Sequence, context.Cause(ctx))
		}
	}
}

// Lag is how far the model is behind the stream.
func (m *Model) Lag(ctx context.Context, now time.Time) (stream.Lag, error) {
	m.mu.Lock()
	seen := m.at.Sequence
	m.mu.Unlock()
	return m.options.Stream.Behind(ctx, seen, now)
}

// arrived makes a new place known.
func (m *Model) arrived(at stream.Position) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at = at
	close(m.moved)
	m.moved = make(chan struct{})
}
