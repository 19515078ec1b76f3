// Package ledger accounts for every notification. Two equations hold exactly, by service and hour of
// receipt, across crashes:
//
//	received = forwarded + suppressed + dropped + held
//	forwarded = delivered + filtered + queued + dead-lettered, for each target
//
// Every term is counted where it happens: what was received and decided by the ledger, which is a
// reader of the stream; what waits in the state; what a target got by its delivery; what is queued in
// the stream itself. No term is a difference of others, so an entry that is lost anywhere shows.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// The terms of the equations.
const (
	Received     = "received"      // notifications, and events of our own
	Forwarded    = "forwarded"     // for the targets
	Suppressed   = "suppressed"    // something else stands for it
	Dropped      = "dropped"       // by policy
	Held         = "held"          // until its hold ends
	Delivered    = "delivered"     // the target has it
	Filtered     = "filtered"      // not for this target
	DeadLettered = "dead_lettered" // refused for good, and kept
	Queued       = "queued"        // after the target's cursor

	// StoodIn counts, beside the equations, what was suppressed and went to one target all the same: only with
	// it does the alert fit what that target gets.
	StoodIn = "stood_in"

	// Earlier counts, with a target's cursor, what was forwarded before the place where its account begins: the second
	// equation leaves it out of what was forwarded.
	Earlier = "earlier"
)

// CursorName is the ledger's among the stream's cursors. It is no target's: their names have no line end.
const CursorName = "ledger\n"

// Ledger counts what the stream records.
type Ledger struct {
	stream *stream.Stream
	reader *stream.Reader
	dir    string // data_dir
	log    *slog.Logger
	noted  int // of the reader's gaps; Run's
}

// Open opens the ledger's cursor on the stream; where there is none it counts from the oldest entry. In dir, which is
// data_dir, it puts on record what the stream has lost of what was counted.
func Open(ctx context.Context, s *stream.Stream, dir string, log *slog.Logger) (*Ledger, error) {
	r, err := s.Reader(ctx, CursorName, stream.Oldest)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	l := &Ledger{stream: s, reader: r, dir: dir, log: log}
	err = l.mendLosses()
	if err == nil {
		err = l.note(time.Now())
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return l, nil
}

// Close closes the cursor.
func (l *Ledger) Close() error { return l.reader.Close() }

const (
	batchEntries = 4096                  // are counted with one commit, at most
	fewEntries   = 256                   // behind so few it waits
	pause        = 50 * time.Millisecond // so long, because a commit costs as much as counting hundreds
	troubled     = time.Second           // until it tries again
)

// Run counts until ctx ends.
func (l *Ledger) Run(ctx context.Context) error {
	for {
		entries, err := l.reader.Next(ctx, batchEntries)
		if err == nil {
			err = l.note(time.Now()) // before the cursor is behind it
		}
		if err == nil {
			err = l.count(entries)
		}
		wait := time.Duration(0)
		switch {
		case ctx.Err() != nil, errors.Is(err, stream.ErrClosed):
			return nil
		case err != nil:
			l.log.Error("the ledger can't go on, trying again", "err", err)
			l.reader.Rewind()
			wait = troubled
		case len(entries) < fewEntries:
			wait = pause
		}
		if wait > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
		}
	}
}

// note puts on record what was passed over.
func (l *Ledger) note(now time.Time) error {
	gaps := l.reader.Gaps()
	for _, g := range gaps[l.noted:] {
		l.log.Error("batches of the stream are lost, and nothing accounts for them: sluice reconcile tells of them from now on",
			"first_batch", g.First, "last_batch", g.Last, "entries", g.Entries)
		if err := Note(l.dir, Loss{g.First, g.Last, g.Entries, now}); err != nil {
			return err
		}
		l.noted++
	}
	return nil
}

func (l *Ledger) count(entries []*stream.Entry) error {
	t := stream.Tally{}
	for _, e := range entries {
		count(t, e, 1)
	}
	return l.reader.Commit(entries[len(entries)-1].At, t)
}

// count counts an entry n times; minus once takes it back.
func count(t stream.Tally, e *stream.Entry, n int64) {
	terms := Terms(e)
	for _, term := range terms {
		t.Add(term, e, n)
	}
	if e.Kind == stream.Release && len(terms) > 0 {
		t.Add(Held, e, -n)
	}
}

// Terms are those of the first equation under which an entry counts.
func Terms(e *stream.Entry) []string {
	var became string
	switch e.Decision.Action {
	case dedup.Forward:
		became = Forwarded
	case dedup.Suppress:
		became = Suppressed
	case dedup.Drop:
		became = Dropped
	case dedup.Hold:
		became = Held
	}
	switch {
	case e.Kind != stream.Release:
		return []string{Received, became}
	case e.Decision.Action == dedup.Suppress && e.Decision.StandsFor == e.Key:
		return nil // it was forwarded when it arrived, in shadow mode
	}
	return []string{became}
}

// Tally is what was counted, with the position up to which it was.
func (l *Ledger) Tally() (t stream.Tally, at stream.Position, since int64) { return l.reader.Tally() }

// deep is how many entries are read for the beginning of an account, at most.
const deep = 200_000

// Begin has a target's account speak from its first entry on, and not from the next full hour, where it has counted nothing yet:
// what the ledger counts up to there is noted with the cursor, in one write, so a crash changes nothing of it. Where that
// would take long, as the cursor or the ledger is far behind, it stays as it is.
func (l *Ledger) Begin(ctx context.Context, r *stream.Reader) error {
	have, at, since := r.Tally()
	if since == 0 || len(have) > 0 {
		return nil
	}
	for _, behind := range []*stream.Reader{r, l.reader} {
		if lag, err := behind.Lag(ctx, time.Now()); err != nil || lag.Entries > deep {
			return err
		}
	}
	counted, _, err := l.upTo(ctx, at)
	if err != nil {
		return fmt.Errorf("begin the account: %w", err)
	}
	t := stream.Tally{}
	for cell, c := range counted {
		if cell.Term == Forwarded {
			cell.Term = Earlier
			t[cell] = c
		}
	}
	return r.Account(t)
}

// upTo is what would have been counted up to that position.
func (l *Ledger) upTo(ctx context.Context, at stream.Position) (stream.Tally, int64, error) {
	t, have, since := l.reader.Tally()
	err := l.between(ctx, have, at, func(e *stream.Entry) { count(t, e, 1) })
	if err == nil {
		err = l.between(ctx, at, have, func(e *stream.Entry) { count(t, e, -1) })
	}
	return t, since, err
}

// between visits what lies after from, up to and including to.
func (l *Ledger) between(ctx context.Context, from, to stream.Position, visit func(*stream.Entry)) error {
	if !from.Less(to) {
		return nil
	}
	first, _ := l.stream.Bounds()
	for m, err := range l.stream.Salvage(ctx, max(from.Sequence, first)) {
		switch {
		case m == nil:
			return err
		case err != nil:
			l.log.Warn("a batch of the stream can't be read, and isn't accounted for", "batch", m.Sequence, "err", err)
			continue
		}
		for _, e := range m.Entries {
			if to.Less(e.At) {
				return nil
			}
			if from.Less(e.At) {
				visit(e)
			}
		}
	}
	return nil
}
