package stream

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// Start says where a reader begins that has no cursor yet: with the first message of that time, in
// nanoseconds since 1970, or later.
type Start int64

// The starts that are no time.
const (
	Oldest Start = 0             // with the oldest message there is
	Now    Start = math.MaxInt64 // with the next append
)

// Since is the start at t.
func Since(t time.Time) Start { return Start(t.UnixNano()) }

// Reader opens the cursor of that name, which may be any text of up to 500 bytes, and makes it at
// start where there is none. A name has one open reader.
//
// A cursor is believed only as far as the stream proves it. One that can't be read starts with the
// oldest message there is; one that is ahead of the stream, or that stands on another message than
// it did, goes back to its newest earlier mark that can be proved, else to the oldest message. So
// entries may come twice, but none is left out; the log warns of it. One that is older than the
// oldest message goes on there, and [Reader.Missed] counts what it didn't get.
func (s *Stream) Reader(ctx context.Context, name string, start Start) (*Reader, error) {
	if name == "" || len(name) > 500 {
		return nil, fmt.Errorf("open reader: a name of %d bytes, want 1 to 500", len(name))
	}
	r := &Reader{stream: s, name: name, log: s.log.With("reader", strings.TrimSpace(name))}
	if err := s.enter(r); err != nil {
		return nil, fmt.Errorf("open reader %s: %w", name, err)
	}
	if err := r.open(ctx, start); err != nil {
		s.leave(r)
		return nil, fmt.Errorf("open reader %s: %w", name, err)
	}
	return r, nil
}

func (s *Stream) enter(r *Reader) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return ErrClosed
	case s.readers[r.name] != nil:
		return errors.New("it is open already")
	}
	s.readers[r.name] = r
	return nil
}

func (s *Stream) leave(r *Reader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readers[r.name] == r {
		delete(s.readers, r.name)
	}
	if len(s.readers) == 0 {
		s.head = head{}
	}
}

// open finds the place and starts the cursor's file there.
func (r *Reader) open(ctx context.Context, start Start) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	path := r.stream.options.cursorPath(r.name)
	rec, err := loadCursor(path)
	switch {
	case missing(err):
		rec, err = r.begin(ctx, start)
	case errors.Is(err, errDamaged):
		r.log.Warn("the cursor is damaged: starting with the oldest message, so entries may be delivered twice", "err", err)
		rec, err = r.stream.beginning(ctx, Oldest)
	case err == nil:
		rec, err = r.prove(ctx, rec)
	}
	if err != nil {
		return err
	}
	rec.Name = r.name
	counted, err := loadBase(path, rec.Base)
	if err != nil {
		r.log.Error("the tally is damaged: what is counted is whole again from the next hour on", "err", err)
		rec = record{Number: rec.Number, Name: rec.Name, mark: rec.mark, Since: hour(time.Now()), Doubt: rec.Doubt}
	}
	if r.cursor, err = openCursor(path, rec, counted, r.stream.options.Synced); err != nil {
		return err
	}
	r.rewind()
	return nil
}

// begin is a record for a name that has none. The stream can't know whether it is new, or its file lost: in a stream
// that isn't new, either comes with many entries again or leaves many out, so that it is told.
func (r *Reader) begin(ctx context.Context, start Start) (rec record, err error) {
	end := r.stream.end()
	if start == Now {
		rec = record{mark: end, Since: hour(time.Now())}
	} else if rec, err = r.stream.beginning(ctx, start); err != nil {
		return record{}, err
	}
	if end.Total > 0 {
		r.log.Warn("there is no cursor of that name: it is new, or its file is gone, and then entries may be delivered twice or left out",
			"after_batch", rec.At.Sequence, "passed_over", rec.Total, "to_come", end.Total-rec.Total)
	}
	return rec, nil
}

// end is the mark on the last entry.
func (s *Stream) end() mark {
	s.mu.Lock()
	defer s.mu.Unlock()
	return mark{At: Position{Sequence: s.last, Index: max(s.count-1, 0)}, Hash: s.hash, Total: s.total}
}

// beginning is a record before the first entry of start or later, with the proof of the message before, if that
// is there. Some of what was received in the hour of that entry may be before it.
func (s *Stream) beginning(ctx context.Context, start Start) (record, error) {
	first, last := s.Bounds()
	if first > last {
		return record{}, nil
	}
	if start != Oldest {
		var err error
		if first, err = s.search(ctx, first, last, time.Unix(0, int64(start))); err != nil {
			return record{}, err
		}
	}
	if first == 1 {
		return record{}, nil
	}
	for m, err := range s.Salvage(ctx, first) {
		switch {
		case m == nil:
			return record{}, err
		case err != nil:
			continue // lost: it begins behind that
		}
		r := record{mark: mark{At: Position{Sequence: first - 1, Index: lastIndex}, Total: m.Before}} // what is lost before m is a gap
		if start != Oldest {
			r.At.Sequence = m.Sequence - 1
			r.Hash = s.hashOf(ctx, m.Sequence-1)
		}
		for _, e := range m.Entries {
			r.Since = max(r.Since, hour(e.Notification.Arrived), hour(e.Time))
		}
		return r, nil
	}
	if start != Oldest {
		return record{mark: s.end(), Since: hour(time.Now())}, nil
	}
	return record{mark: mark{At: Position{Sequence: last, Index: lastIndex}}, Since: hour(time.Now())}, nil
}

// hashOf is the proof of a message, or none where it isn't there or can't be read: then nobody can take the
// cursor for one of another stream either.
func (s *Stream) hashOf(ctx context.Context, sequence uint64) Hash {
	for m, err := range s.Salvage(ctx, sequence) {
		if err == nil && m != nil && m.Sequence == sequence {
			return m.Hash
		}
		break
	}
	return Hash{}
}

// Find gives the sequence of the first message with an entry of that time or later, which is the one after the
// last where there is none.
func (s *Stream) Find(ctx context.Context, t time.Time) (uint64, error) {
	first, last := s.Bounds()
	return s.search(ctx, first, last, t)
}

// search finds the first message, from first to last, with an entry of that time or later, or the end: the
// decider's clock never goes back. A message that can't be read is taken for an earlier one.
func (s *Stream) search(ctx context.Context, first, last uint64, t time.Time) (uint64, error) {
	for first <= last {
		middle := first + (last-first)/2
		found := last + 1 // of the first message there, from middle on, that can be read
		late := false
		for m, err := range s.Salvage(ctx, middle) {
			if m == nil {
				return 0, err
			}
			if err != nil {
				continue
			}
			found, late = m.Sequence, !m.Entries[len(m.Entries)-1].Time.Before(t)
			break
		}
		switch {
		case found > last:
			last = middle - 1
		case late:
			last = middle - 1
		default:
			first = found + 1
		}
	}
	return first, nil
}

// lastIndex is the index of a mark behind a whole message, whatever its number of entries.
const lastIndex = MaxEntries - 1

// prove returns rec with the newest of its marks that the stream still bears out.
func (r *Reader) prove(ctx context.Context, rec record) (record, error) {
	first, _ := r.stream.Bounds()
	if rec.At.Sequence < first { // nobody can prove it; what follows is there
		return rec, nil
	}
	if end := r.stream.end(); rec.At.Sequence > end.At.Sequence {
		r.gaps = append(r.gaps, Gap{First: end.At.Sequence + 1, Last: rec.At.Sequence, Entries: max(rec.Total, end.Total) - end.Total})
	}
	var why error
	for i, m := range append([]step{{rec.mark, rec.Tally}}, rec.Trail...) {
		err := r.stream.Prove(ctx, m.At.Sequence, m.Hash)
		switch {
		case err == nil && i == 0:
			return rec, nil
		case err == nil:
			r.log.Warn("the cursor isn't borne out by the stream: going back, so entries may be delivered twice",
				"sequence", rec.At.Sequence, "back_to", m.At.Sequence, "err", why)
			return record{
				Number: rec.Number, mark: m.mark, Since: rec.Since, Base: rec.Base, Tally: m.Tally, Trail: rec.Trail[i:],
				Doubt: rec.Doubt,
			}, nil
		case errors.Is(err, ErrNotYet), errors.Is(err, ErrMismatch), errors.Is(err, ErrPurged), errors.Is(err, ErrLost):
		default:
			return record{}, err
		}
		if why == nil {
			why = err
		}
	}
	r.log.Warn("the cursor isn't borne out by the stream: starting with the oldest message, so entries may be delivered twice",
		"sequence", rec.At.Sequence, "back_to", first, "err", why)
	back, err := r.stream.beginning(ctx, Oldest)
	back.Number = rec.Number
	return back, err
}

// Cursor says where the cursor of that name stands, without opening it. The error is one of the file
// system, [fs.ErrNotExist] where there is no cursor yet, or says that the file is damaged, or that the stream
// doesn't bear the cursor out: opening its reader mends all of them, at the price of entries that come twice.
func (s *Stream) Cursor(ctx context.Context, name string) (Position, error) {
	path := s.options.cursorPath(name)
	r, err := loadCursor(path)
	if err != nil {
		return Position{}, err
	}
	if _, err := loadBase(path, r.Base); missing(err) {
		return r.At, fmt.Errorf("%w: %v", errDamaged, err) //nolint:errorlint // the cursor itself is there
	} else if err != nil {
		return r.At, err
	}
	if first, _ := s.Bounds(); r.At.Sequence < first {
		return r.At, nil
	}
	return r.At, s.Prove(ctx, r.At.Sequence, r.Hash)
}
