package stream

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// Purge removes the messages before keepFrom, whoever may still need them; the last message always
// stays, as the proof of where the stream stands. See [Stream.Retain] for the careful way.
func (s *Stream) Purge(ctx context.Context, keepFrom uint64) error {
	first, last := s.Bounds()
	keepFrom = min(keepFrom, last)
	if keepFrom <= first {
		return nil
	}
	if err := s.current().purge(ctx, keepFrom); err != nil {
		return fmt.Errorf("purge before %d: %w", keepFrom, err)
	}
	s.appending.Lock() // so that no append changes what is measured
	defer s.appending.Unlock()
	state, err := s.current().state(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.first, s.bytes = state.FirstSeq, int64(state.Bytes)
	return nil
}

// Hindmost names the open readers that stand furthest back, and gives the oldest message that they need: none before
// that is kept for any reader. Without readers it is math.MaxUint64.
func (s *Stream) Hindmost() (readers []string, needs uint64) {
	s.mu.Lock()
	open := slices.Collect(maps.Values(s.readers))
	s.mu.Unlock()
	needs = math.MaxUint64
	for _, r := range open {
		n := r.needs()
		if n < needs {
			readers, needs = nil, n
		}
		if n == needs {
			readers = append(readers, r.name)
		}
	}
	return readers, needs
}

// Retain removes the messages that were stored before olderThan, but none that an open reader
// hasn't committed or that it doubts, nor the one its cursor stands on, nor notPast and those after it: the oldest
// message that an owed hold or the newest checkpoint needs. With notPast 0 nothing is removed;
// math.MaxUint64 sets no bound.
func (s *Stream) Retain(ctx context.Context, olderThan time.Time, notPast uint64) error {
	_, needed := s.Hindmost()
	keep := min(notPast, needed)
	if first, _ := s.Bounds(); keep <= first {
		return nil
	}
	ms, err := s.fetch(ctx, request{Start: &olderThan, Batch: 1})
	if err != nil {
		return fmt.Errorf("find the oldest message to retain: %w", err)
	}
	if len(ms) > 0 {
		keep = min(keep, ms[0].sequence)
	}
	return s.Purge(ctx, keep)
}
