package stream

import (
	"context"
	"errors"
	"fmt"
	"iter"
)

// What one round trip of reading forward may bring.
const (
	fetchMessages = 256
	fetchBytes    = 2 << 20
)

// Read returns the message of that sequence. It returns ErrPurged, ErrNotYet, ErrLost or ErrFormat
// where there is none to be had.
func (s *Stream) Read(ctx context.Context, sequence uint64) (*Message, error) {
	return s.readBy(ctx, sequence, s.fetch)
}

// readBy is Read with fetch, which waits while the stream is opened anew, or glance, which doesn't.
func (s *Stream) readBy(ctx context.Context, sequence uint64, fetch func(context.Context, request) ([]raw, error)) (*Message, error) {
	s.mu.Lock()
	m, first, last := s.head.at(sequence), s.first, s.last
	s.mu.Unlock()
	switch {
	case m != nil:
		return m, nil
	case sequence < first:
		return nil, fmt.Errorf("read message %d, the oldest is %d: %w", sequence, first, ErrPurged)
	case sequence > last:
		return nil, fmt.Errorf("read message %d, the newest is %d: %w", sequence, last, ErrNotYet)
	}
	ms, err := fetch(ctx, request{Sequence: sequence, Batch: 1})
	if err != nil {
		return nil, fmt.Errorf("read message %d: %w", sequence, err)
	}
	if len(ms) == 0 || ms[0].sequence != sequence {
		return nil, fmt.Errorf("read message %d: %w", sequence, s.absent(sequence))
	}
	return decode(ms[0])
}

// absent says why the store doesn't have a message that was there a moment ago.
func (s *Stream) absent(sequence uint64) error {
	if first, _ := s.Bounds(); sequence < first {
		return ErrPurged
	}
	return ErrLost
}

// Scan yields the messages from that sequence on, up to what is the last one now, reading ahead in
// large steps. It ends after an error: those of [Stream.Read], also for a message missing in between.
func (s *Stream) Scan(ctx context.Context, from uint64) iter.Seq2[*Message, error] {
	return func(yield func(*Message, error) bool) {
		_, last := s.Bounds()
		for next := from; next <= last; {
			if first, _ := s.Bounds(); next < first {
				yield(nil, fmt.Errorf("read message %d, the oldest is %d: %w", next, first, ErrPurged))
				return
			}
			ms, err := s.fetch(ctx, request{Sequence: next, Batch: fetchMessages, MaxBytes: fetchBytes})
			if err == nil && len(ms) == 0 {
				err = s.absent(next)
			}
			if err != nil {
				yield(nil, fmt.Errorf("read message %d: %w", next, err))
				return
			}
			for _, r := range ms {
				if r.sequence != next {
					yield(nil, fmt.Errorf("read message %d: %w", next, s.absent(next)))
					return
				}
				if next > last {
					return
				}
				m, err := decode(r)
				if !yield(m, err) || err != nil {
					return
				}
				next++
			}
		}
	}
}

// Salvage yields what [Stream.Scan] does, and goes on behind what is lost or can't be read: that comes as
// a message of which only the sequence is known, with ErrLost or ErrFormat. Any other error ends it.
func (s *Stream) Salvage(ctx context.Context, from uint64) iter.Seq2[*Message, error] {
	return func(yield func(*Message, error) bool) {
		first, last := s.Bounds()
		for next := max(from, first); next <= last; {
			ms, err := s.fetch(ctx, request{Sequence: next, Batch: fetchMessages, MaxBytes: fetchBytes})
			if err != nil {
				yield(nil, fmt.Errorf("read message %d: %w", next, err))
				return
			}
			if len(ms) == 0 {
				ms = []raw{{sequence: last + 1}} // nothing of the rest is there
			}
			for _, r := range ms {
				for ; next < min(r.sequence, last+1); next++ {
					if !yield(&Message{Sequence: next}, fmt.Errorf("read message %d: %w", next, ErrLost)) {
						return
					}
				}
				if next > last {
					return
				}
				m, err := decode(r)
				if err != nil {
					m = &Message{Sequence: next}
				}
				if !yield(m, err) {
					return
				}
				next++
			}
		}
	}
}

// Prove compares the hash that was kept with a sequence with that message's. It returns nil when they
// are equal and for sequence 0, which needs no proof; [ErrMismatch] when they differ, and the errors
// of [Stream.Read]. ErrMismatch and ErrNotYet mean that the keeper knows things that the stream
// doesn't, so it must be rebuilt or pulled back.
func (s *Stream) Prove(ctx context.Context, sequence uint64, hash Hash) error {
	if sequence == 0 {
		return nil
	}
	s.mu.Lock()
	last, known := s.last, s.hash
	s.mu.Unlock()
	if sequence != last {
		m, err := s.Read(ctx, sequence)
		if err != nil {
			return err
		}
		known = m.Hash
	}
	if known != hash {
		return fmt.Errorf("message %d: %w", sequence, ErrMismatch)
	}
	return nil
}

// fetch asks the server, and its successor where the stream is being opened anew. What lies after the
// last acknowledged message is left out.
func (s *Stream) fetch(ctx context.Context, q request) ([]raw, error) {
	for {
		ms, e, err := s.ask(ctx, q)
		if !errors.Is(err, ErrOpening) {
			return ms, err
		}
		select {
		case <-e.replaced:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// glance is fetch for who doesn't wait: a stream that can't be opened anew, as its disk takes nothing, stays so until
// somebody mends that.
func (s *Stream) glance(ctx context.Context, q request) ([]raw, error) {
	ms, _, err := s.ask(ctx, q)
	return ms, err
}

// ask asks the server that there is, once.
func (s *Stream) ask(ctx context.Context, q request) ([]raw, *engine, error) {
	s.mu.Lock()
	e, last, closed := s.engine, s.last, s.closed
	s.mu.Unlock()
	if closed {
		return nil, e, ErrClosed
	}
	ms, err := e.fetch(ctx, q)
	switch {
	case err == nil:
		for i := range ms {
			if ms[i].sequence > last {
				return ms[:i], e, nil
			}
		}
		return ms, e, nil
	case ctx.Err() != nil || !e.stopping.Load():
		return nil, e, err
	}
	return nil, e, ErrOpening
}

// Opened says whether the stream can be read and written: it can't while it is opened anew after a write that failed.
func (s *Stream) Opened() bool { return !s.current().stopping.Load() }

// one reads and decodes a message that must be there.
func one(ctx context.Context, e *engine, sequence uint64) (*Message, error) {
	ms, err := e.fetch(ctx, request{Sequence: sequence, Batch: 1})
	if err != nil {
		return nil, err
	}
	if len(ms) != 1 || ms[0].sequence != sequence {
		return nil, fmt.Errorf("read message %d: %w", sequence, ErrLost)
	}
	return decode(ms[0])
}
