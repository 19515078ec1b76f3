package stream

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Reader hands out the entries of the stream in order and keeps, durably, how far its user got. Next
// and Rewind are for one goroutine; Commit and the others may be called from any.
type Reader struct {
	stream *Stream
	name   string
	log    *slog.Logger
	taken  uint64 // sequence of the next message, for Stream.trim; guarded by Stream.mu

	taking  sync.Mutex // guards backlog; one Next at a time, taken before mu
	backlog []raw      // read ahead from the stream

	mu     sync.Mutex // guards what follows
	cursor *cursor
	shutUp bool
	next   Position // of the next entry; index 0 of the message after the last one at the end
	total  uint64   // entries in the stream before next
	out    []passed // messages handed out and not wholly committed, oldest first
	missed uint64
	gaps   []Gap
	aged   aged // the last answer of the stream to Lag
}

// Gap is a run of messages that a reader never gets.
type Gap struct {
	First   uint64
	Last    uint64
	Entries uint64 // in them; 0 where nothing says how many they were
}

// passed is what a commit must know of a message.
type passed struct {
	sequence uint64
	hash     Hash
	before   uint64
	count    int
}

// Next returns the entries after those it returned before, at least one and at most limit, waiting
// for one where the reader is at the end. Entries are shared with other readers: nobody may change
// them. What was appended a moment ago comes from memory, older messages are read from the stream.
//
// It returns the cause of ctx when that ends, ErrClosed when the stream closes, and the errors of
// [Stream.Read] where the stream can't be read; the reader then stands where it stood. Messages that
// were purged under the reader or that the store has lost are passed over, counted by Missed and listed by Gaps.
func (r *Reader) Next(ctx context.Context, limit int) ([]*Entry, error) {
	if limit < 1 {
		return nil, fmt.Errorf("read %s: a limit of %d", r.name, limit)
	}
	r.taking.Lock()
	defer r.taking.Unlock()
	for {
		m, changed, err := r.message(ctx)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", r.name, err)
		}
		if m != nil {
			if got := r.take(m, limit); len(got) > 0 {
				return r.fill(got, limit), nil
			}
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Ready returns up to limit of the entries that come next, as [Reader.Next] does, but only what lies in
// memory and without waiting for any.
func (r *Reader) Ready(limit int) []*Entry {
	r.taking.Lock()
	defer r.taking.Unlock()
	return r.fill(nil, limit)
}

// fill adds what lies ready in memory, decoded or not, to a short answer, so that a target which was busy
// for a moment gets one batch and not a hundred.
func (r *Reader) fill(got []*Entry, limit int) []*Entry {
	for len(got) < limit {
		r.mu.Lock()
		next := r.next
		r.mu.Unlock()
		s := r.stream
		s.mu.Lock()
		m := s.head.at(next.Sequence)
		s.mu.Unlock()
		if m == nil && len(r.backlog) > 0 && r.backlog[0].sequence == next.Sequence {
			m, _ = decode(r.backlog[0]) // the next Next meets the error again, and tells it
		}
		if m == nil {
			break
		}
		got = append(got, r.take(m, limit-len(got))...) // the capacity is cut, so this copies
	}
	return got
}

// message returns the message that the next entry is in or, at the end, what is closed by an append.
func (r *Reader) message(ctx context.Context) (*Message, <-chan struct{}, error) {
	r.mu.Lock()
	next := r.next.Sequence
	r.mu.Unlock()
	s := r.stream
	s.mu.Lock()
	m, last, changed, closed := s.head.at(next), s.last, s.changed, s.closed
	s.mu.Unlock()
	switch {
	case closed:
		return nil, nil, ErrClosed
	case m != nil:
		r.backlog = nil
		return m, nil, nil
	case next > last:
		return nil, changed, nil
	}
	if len(r.backlog) == 0 || r.backlog[0].sequence < next {
		ms, err := s.fetch(ctx, request{Sequence: max(next, 1), Batch: fetchMessages, MaxBytes: fetchBytes})
		if err != nil {
			return nil, nil, err
		}
		if len(ms) == 0 { // the end is lost: it goes on with what is appended behind it
			return nil, changed, nil
		}
		r.backlog = ms
	}
	m, err := decode(r.backlog[0])
	return m, nil, err
}

// take hands out of m what comes next, and notes what was passed over before it.
func (r *Reader) take(m *Message, limit int) []*Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.Sequence > r.next.Sequence {
		r.gaps = append(r.gaps, Gap{First: r.next.Sequence, Last: m.Sequence - 1, Entries: max(m.Before, r.total) - r.total})
		r.next = Position{Sequence: m.Sequence}
	}
	from := min(r.next.Index, len(m.Entries))
	if at := m.Before + uint64(from); at > r.total {
		r.missed += at - r.total
		r.log.Error("entries are gone from the stream before they were read",
			"entries", at-r.total, "next_sequence", m.Sequence)
	}
	to := min(from+limit, len(m.Entries))
	if n := len(r.out); n == 0 || r.out[n-1].sequence != m.Sequence {
		r.out = append(r.out, passed{sequence: m.Sequence, hash: m.Hash, before: m.Before, count: len(m.Entries)})
	}
	r.total = m.Before + uint64(to)
	r.next.Index = to
	if to == len(m.Entries) {
		r.next = Position{Sequence: m.Sequence + 1}
		if len(r.backlog) > 0 && r.backlog[0].sequence == m.Sequence {
			r.backlog[0] = raw{}
			r.backlog = r.backlog[1:]
		}
		r.stream.took(r, r.next.Sequence)
	}
	return m.Entries[from:to:to]
}

// Commit says that everything up to and including at is delivered for good: after a restart the
// reader goes on behind it. The process may be killed after Commit returns; a power cut may take the
// commits of the last second, or of half a minute where the stream isn't synced, and what they were
// about is delivered again. Positions before the cursor change nothing; one that Next hasn't handed
// out is an error.
//
// t says what became of the entries from the last commit to this one; it is kept with the cursor, see
// [Reader.Tally]. With an error nothing is committed.
func (r *Reader) Commit(at Position, t Tally) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.shutUp:
		return fmt.Errorf("commit %s: %w", r.name, ErrClosed)
	case !r.cursor.record.At.Less(at):
		return nil
	case !at.Less(r.next):
		return fmt.Errorf("commit %s: position %d.%d was not handed out", r.name, at.Sequence, at.Index)
	}
	done := 0
	for done < len(r.out) && r.out[done].sequence < at.Sequence {
		done++
	}
	if done == len(r.out) || r.out[done].sequence != at.Sequence || at.Index < 0 || at.Index >= r.out[done].count {
		return fmt.Errorf("commit %s: there is no position %d.%d", r.name, at.Sequence, at.Index)
	}
	p := r.out[done]
	if at.Index == p.count-1 {
		done++
	}
	m := mark{At: at, Hash: p.hash, Total: p.before + uint64(at.Index) + 1}
	if err := r.cursor.move(m, t, time.Now()); err != nil {
		return fmt.Errorf("commit %s: %w", r.name, err)
	}
	r.out = append(r.out[:0], r.out[done:]...)
	return nil
}

// Recount changes the tally and nothing else: what became of entries that the cursor has passed.
func (r *Reader) Recount(t Tally) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shutUp {
		return fmt.Errorf("commit %s: %w", r.name, ErrClosed)
	}
	if err := r.cursor.move(r.cursor.record.mark, t, time.Now()); err != nil {
		return fmt.Errorf("commit %s: %w", r.name, err)
	}
	return nil
}

// Account has the tally speak of every hour: t is what others counted up to the cursor, under terms of their own. It is for
// a reader that has counted nothing yet; with an error nothing has changed.
func (r *Reader) Account(t Tally) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.cursor
	before, trailed := c.record, c.trailed
	c.record.Since, c.trailed = 0, time.Now() // no step before it has its mark and not what it counts
	if n := len(before.Trail); n > 0 {        // whichever step it goes back to, nothing was counted after the first
		c.record.Trail = slices.Clone(before.Trail)
		first := &c.record.Trail[n-1]
		first.Tally = first.Tally.Clone()
		first.Tally.Merge(t)
		t = nil
	}
	err := c.move(before.mark, t, time.Now())
	c.trailed = trailed
	if err != nil {
		c.record = before
		return fmt.Errorf("account %s: %w", r.name, err)
	}
	return nil
}

// Tally is everything that was committed with the cursor, and where that stands. It is whole for the
// hours after since, in hours since 1970: what was received before that may have been counted when the
// cursor was not there yet.
func (r *Reader) Tally() (t Tally, at Position, since int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cursor == nil { // it didn't open
		return nil, Position{}, 0
	}
	return r.cursor.tallied(), r.cursor.record.At, r.cursor.record.Since
}

// Committed is the position of the cursor: everything up to and including it is delivered.
func (r *Reader) Committed() Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cursor == nil { // it didn't open
		return Position{}
	}
	return r.cursor.record.At
}

// Done says whether everything that the stream has is committed. Where its end is lost, nothing of that is awaited.
func (r *Reader) Done() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	total := r.cursor.record.Total
	r.stream.mu.Lock()
	defer r.stream.mu.Unlock()
	return total >= r.stream.total
}

// Missed is the number of entries that this reader will never get, since it was opened: they were
// purged before it came to them, or the store lost them.
func (r *Reader) Missed() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.missed
}

// Gaps are what was passed over since the reader was opened, and what it had committed that the stream has lost since.
func (r *Reader) Gaps() []Gap {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.gaps)
}

// Rewind makes Next begin again behind the last commit, for a target whose connection broke.
func (r *Reader) Rewind() {
	r.taking.Lock()
	defer r.taking.Unlock()
	r.backlog = nil
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rewind()
}

func (r *Reader) rewind() {
	m := r.cursor.record.mark
	r.next = Position{Sequence: m.At.Sequence, Index: m.At.Index + 1}
	if m.Hash == (Hash{}) { // before the oldest message, or the first of all
		r.next = Position{Sequence: m.At.Sequence + 1}
	}
	r.total = m.Total
	r.out = nil
	r.stream.took(r, r.next.Sequence)
}

// Close syncs the cursor and ends the reader; its name may be opened again. A Next that waits is
// ended by its own context.
func (r *Reader) Close() error {
	r.stream.leave(r)
	return r.shut()
}

func (r *Reader) shut() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shutUp || r.cursor == nil {
		return nil
	}
	r.shutUp = true
	if err := r.cursor.close(); err != nil {
		return fmt.Errorf("close %s: %w", r.name, err)
	}
	return nil
}
