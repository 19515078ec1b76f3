package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Options say where the stream lives. Only Dir is needed.
type Options struct {
	Dir     string       // directory of the stream; made if missing
	Cursors string       // directory of the readers' cursors; Dir/cursors where empty
	Synced  bool         // every append survives a power cut, not only the end of the process
	MaxDisk int64        // bytes of messages at which Append returns ErrFull; no limit where zero
	Log     *slog.Logger // nothing is logged where nil
}

// Errors of reading and of closing.
var (
	ErrPurged   = errors.New("the message is not there any more")         // it is older than what is retained
	ErrNotYet   = errors.New("the stream doesn't reach that far")         // its sequence is after the last one
	ErrLost     = errors.New("the message is lost")                       // retained, but the store can't produce it
	ErrMismatch = errors.New("the message is another one than was there") // Prove: the stream's history is not ours
	ErrClosed   = errors.New("the stream is closed")
	ErrOpening  = errors.New("the stream is being opened anew") // after a write that failed, for as long as its disk takes nothing
)

// Stream is the one durable stream. One goroutine appends; readers, and whoever looks, run beside it.
//
// Locks are taken in the order appending, Reader.taking, Reader.mu, mu.
type Stream struct {
	options Options
	log     *slog.Logger
	locked  *os.File
	missing [2]uint64 // first and last message that couldn't be found at the opening, though they had been there

	appending sync.Mutex // one append, reopening or measuring at a time; guards broken and phantom
	broken    error      // why no append is possible before the stream is opened anew
	phantom   bool       // JetStream counts a message that it couldn't write
	publish   func(ctx context.Context, data []byte, last uint64) (uint64, error)

	mu      sync.Mutex // guards what follows
	engine  *engine
	closed  bool
	first   uint64 // sequence of the oldest message; last+1 while there is none
	last    uint64 // sequence of the newest message, 0 before the first
	total   uint64 // entries ever appended
	hash    Hash   // of the last message
	count   int    // entries in the last message
	bytes   int64  // that the messages take
	head    head   // newest messages, decoded, for the readers that are at the end
	readers map[string]*Reader
	changed chan struct{} // closed, and made anew, when an append or Close wakes the readers
}

// Open opens or makes the stream in o.Dir, starting the embedded server. It returns [ErrLocked] while
// another process has the directory open, and an error rather than an empty stream when the files are
// there but can't be read. After kill -9 it takes as long as JetStream needs to read the newest files.
func Open(ctx context.Context, o Options) (*Stream, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Cursors == "" {
		o.Cursors = filepath.Join(o.Dir, "cursors")
	}
	for _, dir := range []string{o.Dir, o.Cursors} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make directory: %w", err)
		}
	}
	locked, err := lock(o.Dir)
	if err != nil {
		return nil, err
	}
	s := &Stream{
		options: o, log: o.Log, locked: locked,
		readers: map[string]*Reader{}, changed: make(chan struct{}),
	}
	s.publish = func(ctx context.Context, data []byte, last uint64) (uint64, error) {
		return s.current().publish(ctx, data, last)
	}
	if o.Synced {
		err = syncBlocks(o.Dir)
	}
	var e *engine
	if err == nil {
		e, s.missing, err = startWhole(ctx, o)
	}
	if err != nil {
		_ = locked.Close()
		return nil, fmt.Errorf("open %s: %w", o.Dir, err)
	}
	s.engine = e
	if err := s.measure(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", o.Dir, err), e.stop(), locked.Close())
	}
	return s, nil
}

// startWhole starts a server that is of one mind about where the stream ends. Behind a message whose length is damaged it
// reads nothing, but expects what its notes say; started once more it has the notes' end, and what is missing is lost.
func startWhole(ctx context.Context, o Options) (e *engine, missing [2]uint64, err error) {
	if e, err = start(ctx, o, o.Log); err != nil {
		return nil, missing, err
	}
	state, err := e.state(ctx)
	if err != nil {
		return nil, missing, errors.Join(err, e.stop())
	}
	if expected := e.expected(ctx, state.LastSeq); expected != state.LastSeq {
		o.Log.Error("a file of the stream is damaged: messages behind it can't be found",
			"files", filepath.Join(streamDir(o.Dir), "msgs"), "found_to", state.LastSeq, "noted_to", expected)
		missing = [2]uint64{state.LastSeq + 1, expected}
		if err := e.stop(); err != nil {
			return nil, missing, err
		}
		e, err = start(ctx, o, o.Log)
	}
	return e, missing, err
}

// Missing are the first and the last message that couldn't be found when the stream was opened, behind one whose length is
// damaged: 0 where none is missing. It is told once, as the next opening knows nothing of them.
func (s *Stream) Missing() (first, last uint64) { return s.missing[0], s.missing[1] }

// measure learns the bounds and, from the last message, what was counted.
func (s *Stream) measure(ctx context.Context) error {
	e := s.current()
	state, err := e.state(ctx)
	if err != nil {
		return err
	}
	last, err := s.newest(ctx, e, max(state.FirstSeq, 1), state.LastSeq)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.first, s.last, s.bytes = max(state.FirstSeq, 1), state.LastSeq, int64(state.Bytes)
	s.total, s.hash, s.count = last.end(), last.Hash, len(last.Entries)
	return nil
}

// newest reads the last message, or where the end of the files is damaged, tells how much is lost: then the
// stream goes on behind what it had, and nobody can prove the lost sequences.
func (s *Stream) newest(ctx context.Context, e *engine, first, last uint64) (*Message, error) {
	for sequence := last; sequence >= first; sequence-- {
		m, err := one(ctx, e, sequence)
		switch {
		case err == nil && sequence == last:
			return m, nil
		case err == nil:
			s.log.Error("the stream is damaged at its end: what its last messages recorded is lost",
				"files", filepath.Join(streamDir(s.options.Dir), "msgs"), "lost_from", sequence+1, "lost_to", last)
			return &Message{Before: m.end()}, nil
		case !errors.Is(err, ErrLost) && !errors.Is(err, ErrFormat):
			return nil, err
		case sequence == last && errors.Is(err, ErrFormat):
			return nil, err // a newer program's, most likely: it is all there
		}
	}
	if last > 0 {
		s.log.Error("no message of the stream can be read", "files", filepath.Join(streamDir(s.options.Dir), "msgs"), "lost_to", last)
	}
	return &Message{}, nil
}

// Bounds are the sequences of the oldest and the newest message. Where there is no message, first is
// last + 1. The newest message is never purged, so this is so only before the first append.
func (s *Stream) Bounds() (first, last uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first, s.last
}

// Await returns nil when the stream has a message after that sequence, the cause of ctx where that ends first,
// and ErrClosed.
func (s *Stream) Await(ctx context.Context, after uint64) error {
	for {
		s.mu.Lock()
		last, changed, closed := s.last, s.changed, s.closed
		s.mu.Unlock()
		switch {
		case closed:
			return ErrClosed
		case last > after:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Bytes is what the stream's messages take on disk, as MaxDisk counts it; the files may be larger by
// one block of 8 MiB and by what was purged but not yet rewritten.
func (s *Stream) Bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

// Close syncs and closes the readers and stops the server. It waits for a running append, and at
// most 15 seconds for the disk. A second Close does nothing.
func (s *Stream) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.changed)
	readers := s.readers
	s.readers = nil
	s.mu.Unlock()

	var errs []error
	for _, r := range readers {
		errs = append(errs, r.shut())
	}
	s.appending.Lock()
	defer s.appending.Unlock()
	e := s.current()
	err := e.stop()
	close(e.replaced)
	if err == nil {
		err = s.locked.Close() // not while the server may still write
	}
	if err = errors.Join(append(errs, err)...); err != nil {
		return fmt.Errorf("close stream: %w", err)
	}
	return nil
}

func (s *Stream) current() *engine {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.engine
}

func (s *Stream) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// reopen stops the server and starts another one on the same files, which is the only way out of a
// write error and the only proof of an unknown outcome: the old server may have a message in hand.
func (s *Stream) reopen(ctx context.Context) error {
	old := s.current()
	if err := old.stop(); err != nil {
		return err
	}
	if s.phantom {
		if err := forgetPhantom(s.options.Dir); err != nil {
			return err
		}
		s.phantom = false
	}
	if s.options.Synced {
		if err := rewriteNewest(s.options.Dir); err != nil {
			return err
		}
	}
	e, err := start(ctx, s.options, s.log)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.engine = e
	s.mu.Unlock()
	close(old.replaced)
	return nil
}

// wait is a pause that ends early with ctx.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
