package stream

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
)

// Errors of [Stream.Append].
var (
	// ErrFull: the size limit is reached. Nothing is stored; append again when something was purged.
	ErrFull = errors.New("the stream is full")
	// ErrNotStored: nothing is stored, the cause is with it; the next append may succeed.
	ErrNotStored = errors.New("not stored")
	// ErrConflict: another writer appended to the stream since it was opened.
	ErrConflict = errors.New("the stream was changed by another writer")
	// ErrUnknown: ctx ended before it could be found out whether the batch is stored.
	ErrUnknown = errors.New("unknown whether it is stored")
)

// Appended says where a batch was stored.
type Appended struct {
	Sequence uint64
	Hash     Hash // proof of the sequence
	Size     int  // bytes of the message, not packed
}

// Append stores the batch as one message after the last one, sets the positions of its entries and
// wakes the readers. When it returns nil the batch survives the end of the process and, where
// Synced, a power cut. The batch must hold an entry and is not changed by anyone afterwards; take a
// new one by Reset.
//
// An error means that nothing is stored, whatever went wrong: after an unknown outcome Append opens
// the stream anew and compares the last message with the batch, again and again until it knows or ctx
// ends. What was decided on top of a batch that wasn't stored is void. Only two errors are the end of
// this Stream, and every later append returns them too: ErrUnknown, when ctx ended first, and
// ErrConflict. Then close, open, and fold anew. Appending itself is not broken off by ctx.
func (s *Stream) Append(ctx context.Context, b *Batch) (Appended, error) {
	s.appending.Lock()
	defer s.appending.Unlock()
	switch {
	case s.isClosed():
		return Appended{}, ErrClosed
	case s.broken != nil:
		return Appended{}, s.broken
	case b.Len() == 0:
		return Appended{}, errors.New("append: no entries")
	}
	if err := s.current().log.failure(); err != nil { // between appends; the store may refuse everything from now on
		if err := s.reopen(context.WithoutCancel(ctx)); err != nil {
			return Appended{}, fmt.Errorf("append: %w: %w", ErrNotStored, err)
		}
	}
	s.mu.Lock()
	last, total := s.last, s.total
	s.mu.Unlock()
	data := b.seal(total)
	sequence, err := s.publish(context.WithoutCancel(ctx), data, last)
	switch {
	case err == nil && sequence == last+1:
	case err == nil:
		return Appended{}, s.breakOff(fmt.Errorf("append: acknowledged as %d instead of %d: %w", sequence, last+1, ErrConflict))
	case errors.Is(err, ErrFull):
		return Appended{}, err
	case errors.Is(err, errSequence):
		return Appended{}, s.breakOff(fmt.Errorf("append after %d: %w: %w", last, ErrConflict, err))
	case errors.Is(err, errRefused):
		return Appended{}, fmt.Errorf("append: %w: %w", ErrNotStored, err)
	default:
		if err := s.settle(ctx, data, last, err); err != nil {
			return Appended{}, err
		}
	}
	return s.stored(b, data, last+1), nil
}

// settle returns nil when the message turns out to be stored.
func (s *Stream) settle(ctx context.Context, data []byte, last uint64, cause error) error {
	s.log.Warn("append without an answer, opening the stream anew", "sequence", last+1, "err", cause)
	for delay := 50 * time.Millisecond; ; delay = min(2*delay, 5*time.Second) {
		stored, err := s.look(context.WithoutCancel(ctx), data, last)
		switch {
		case err == nil && stored:
			s.log.Warn("the append was stored", "sequence", last+1)
			return nil
		case err == nil:
			return fmt.Errorf("append: %w: %w", ErrNotStored, cause)
		case errors.Is(err, ErrConflict):
			return s.breakOff(err)
		}
		s.log.Warn("the stream doesn't open", "err", err)
		if wait(ctx, delay); ctx.Err() != nil {
			return s.breakOff(fmt.Errorf("append: %w: %w", ErrUnknown, err))
		}
	}
}

// look opens the stream anew and compares its last message with data.
func (s *Stream) look(ctx context.Context, data []byte, last uint64) (stored bool, err error) {
	if err := s.reopen(ctx); err != nil {
		return false, err
	}
	e := s.current()
	state, err := e.state(ctx)
	if err != nil {
		return false, err
	}
	if state.LastSeq == last {
		return false, nil
	}
	conflict := fmt.Errorf("append: the stream ends at %d instead of %d: %w", state.LastSeq, last+1, ErrConflict)
	if state.LastSeq != last+1 {
		return false, conflict
	}
	ms, err := e.fetch(ctx, request{Sequence: last + 1, Batch: 1})
	if err != nil {
		return false, err
	}
	if len(ms) == 0 {
		s.phantom = true
		return false, fmt.Errorf("sequence %d was given to a message that is not there", last+1)
	}
	if sha256.Sum256(ms[0].data) != sha256.Sum256(data) {
		return false, conflict
	}
	return true, nil
}

// stored makes the batch known.
func (s *Stream) stored(b *Batch, data []byte, sequence uint64) Appended {
	for i := range b.entries {
		b.entries[i].At = Position{Sequence: sequence, Index: i}
	}
	m := &Message{Sequence: sequence, Hash: sha256.Sum256(data), Stored: time.Now(), Size: b.Size(), Entries: b.entries}
	s.mu.Lock()
	defer s.mu.Unlock()
	m.Before = s.total
	s.last, s.total, s.hash, s.count = sequence, m.end(), m.Hash, len(m.Entries)
	s.bytes += int64(len(data) + overhead)
	if len(s.readers) > 0 {
		s.head.push(m)
		s.trim()
	}
	if !s.closed {
		close(s.changed)
		s.changed = make(chan struct{})
	}
	return Appended{Sequence: sequence, Hash: m.Hash, Size: m.Size}
}

// overhead is what JetStream adds to a message, more or less; measuring corrects it.
const overhead = 34 + len(subject) + len("NATS/1.0\r\nNats-Expected-Last-Sequence: 000000\r\n\r\n")

func (s *Stream) breakOff(err error) error {
	s.broken = err
	return err
}
