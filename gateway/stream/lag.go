package stream

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Lag is how far a cursor is behind the end of the stream.
type Lag struct {
	Entries uint64        // appended and not committed, whatever is done with them
	Age     time.Duration // since the oldest message after the cursor was stored; 0 where there is none
}

// Behind measures the delay of somebody who has seen the stream up to and including that message. Like [Reader.Lag] it
// returns [ErrOpening] at once.
func (s *Stream) Behind(ctx context.Context, seen uint64, now time.Time) (Lag, error) {
	s.mu.Lock()
	first, last := s.first, s.last
	s.mu.Unlock()
	if seen >= last {
		return Lag{}, nil
	}
	m, err := s.readBy(ctx, max(first, seen+1), s.glance)
	if err != nil {
		return Lag{}, fmt.Errorf("measure a delay: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return Lag{Entries: s.total - m.Before, Age: max(now.Sub(m.Stored), 0)}, nil
}

// aged is when a message was stored.
type aged struct {
	sequence uint64
	stored   time.Time
}

// Lag measures the reader's delay at that time. The number of entries is exact and costs nothing,
// because every message says how many were before it. The age may need the oldest message from the
// stream: one read each time the cursor has moved in a backlog. With [ErrOpening], for which it doesn't wait, the
// number is there and the age isn't.
func (r *Reader) Lag(ctx context.Context, now time.Time) (Lag, error) {
	r.mu.Lock()
	m, known := r.cursor.record.mark, r.aged
	r.mu.Unlock()
	s := r.stream
	s.mu.Lock()
	total, sequence := s.total, max(s.first, min(m.At.Sequence+1, s.last))
	head := s.head.at(sequence)
	s.mu.Unlock()
	switch {
	case total <= m.Total:
		return Lag{}, nil
	case head != nil:
		known = aged{sequence, head.Stored}
	case known.sequence != sequence:
		ms, err := s.glance(ctx, request{Sequence: sequence, Batch: 1})
		if err != nil {
			return Lag{Entries: total - m.Total}, fmt.Errorf("measure lag of %s: %w", r.name, err)
		}
		if len(ms) > 0 {
			known = aged{sequence, ms[0].stored}
		}
	}
	r.mu.Lock()
	r.aged = known
	r.mu.Unlock()
	return Lag{Entries: total - m.Total, Age: max(now.Sub(known.stored), 0)}, nil
}

// Left is the cursor of a reader that was here before and isn't open.
type Left struct {
	Name, File string
	Entries    uint64 // appended and not committed; they are kept for it no longer than for nobody
}

// Left lists them. What can't be read is no cursor of anybody.
func (s *Stream) Left() ([]Left, error) {
	files, err := os.ReadDir(s.options.Cursors)
	if err != nil {
		return nil, fmt.Errorf("list cursors: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Left
	for _, f := range files {
		path := filepath.Join(s.options.Cursors, f.Name())
		if !strings.HasSuffix(path, cursorSuffix) {
			continue
		}
		if r, err := loadCursor(path); err == nil && s.readers[r.Name] == nil {
			out = append(out, Left{r.Name, path, s.total - min(r.Total, s.total)})
		}
	}
	return out, nil
}
