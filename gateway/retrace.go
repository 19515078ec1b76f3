package gateway

import (
	"bytes"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// Retrace decides once more what a stream says was received, with its bytes and times, on a state in
// memory that nothing ever disturbed, and compares. Holds end when the stream says they ended: how long
// the gateway was down is no decision. What operators did comes from outside and is taken as it is recorded.
// Everything else must come out as it was recorded, to the byte.
type Retrace struct {
	index   *dedup.Index
	decider decider
	last    *stream.Entry // what was decided last, of which a release may follow
	cuts    int
}

// Deviation is what was recorded and what is decided instead, which is nothing where no hold was over.
type Deviation struct {
	At                stream.Position
	Recorded, Decided []*stream.Entry
}

// NewRetrace starts from an empty state, as the stream must have. c is the configuration with which the
// stream was recorded; nothing of it is opened.
func NewRetrace(c config.Config) (*Retrace, error) {
	index, err := dedup.Open("", c)
	if err != nil {
		return nil, err
	}
	return &Retrace{index: index, decider: decider{policy: policy.New(c)}}, nil
}

// Close frees the state.
func (r *Retrace) Close() error { return r.index.Close() }

// Cuts is how often a release that follows from a decision was not recorded with it, because the
// gateway died between two batches; the hold then ended in its time.
func (r *Retrace) Cuts() int { return r.cuts }

// Message takes the next message of the stream and gives what deviates. After a deviation it goes on with
// what is recorded.
func (r *Retrace) Message(m *stream.Message) ([]Deviation, error) {
	var out []Deviation
	for rest := m.Entries; len(rest) > 0; {
		cause := causeOf(rest)
		decided, batch, err := r.decide(rest[cause])
		if err != nil {
			return out, err
		}
		if missed, err := r.missed(rest[cause]); err != nil {
			batch.Discard()
			return out, err
		} else if len(missed) > 0 && rest[0].At.Index > 0 {
			out = append(out, Deviation{At: rest[0].At, Decided: missed})
		} else if len(missed) > 0 {
			r.cuts++
		}
		n := len(decided)
		if n == 0 || n > len(rest) || !same(decided, rest[:n]) {
			batch.Discard()
			n = cause + 1
			if n < len(rest) && rest[n].Kind == stream.Link {
				n++
			}
			out = append(out, Deviation{At: rest[0].At, Recorded: rest[:n], Decided: decided})
			batch = r.index.Begin()
			for i := range rest[:n] {
				if folds(rest[i]) && err == nil {
					err = batch.Apply(outcome(rest[i]))
				}
			}
		}
		if err == nil {
			err = batch.Commit(dedup.Mark{})
		}
		batch.Discard()
		if err != nil {
			return out, err
		}
		r.last, rest = rest[n-1], rest[n:]
	}
	return out, nil
}

// causeOf is the index of the entry for which those before it were made: a pairing is taken back before
// the notification that shows it to be wrong, and before the release that does, unless an operator took it back.
func causeOf(entries []*stream.Entry) int {
	for i, e := range entries {
		if e.Kind != stream.Undo || e.Act != nil {
			return i
		}
	}
	return len(entries) - 1
}

// decide takes the decision that e records, on an overlay.
func (r *Retrace) decide(e *stream.Entry) ([]*stream.Entry, *dedup.Batch, error) {
	if e.Act != nil {
		b := r.index.Begin()
		if !folds(e) {
			return []*stream.Entry{e}, b, nil
		}
		return discard([]*stream.Entry{e}, b, b.Apply(outcome(e)))
	}
	if e.Kind == stream.Notification {
		b := r.index.Begin()
		decided, err := r.decider.notification(b, asReceived(e), e.Time)
		return discard(decided, b, err)
	}
	if decided, b, err := r.follow(e.Time); err != nil || len(decided) > 0 && decided[0].Key == e.Key {
		return decided, b, err
	} else if b != nil {
		b.Discard()
	}
	b := r.index.Begin()
	decided, err := r.decider.due(b, e.Time)
	return discard(decided, b, err)
}

// follow takes the decision that follows from the last one, if that was at t.
func (r *Retrace) follow(t time.Time) ([]*stream.Entry, *dedup.Batch, error) {
	if r.last == nil || !r.last.Time.Equal(t) {
		return nil, nil, nil
	}
	b := r.index.Begin()
	decided, err := r.decider.follow(b, r.last, t)
	return discard(decided, b, err)
}

// missed is what should have followed from the last decision and is not what e records.
func (r *Retrace) missed(e *stream.Entry) ([]*stream.Entry, error) {
	if r.last == nil {
		return nil, nil
	}
	decided, b, err := r.follow(r.last.Time)
	if err != nil {
		return nil, err
	}
	b.Discard()
	if len(decided) > 0 && e.Kind == stream.Release && e.Time.Equal(r.last.Time) && decided[0].Key == e.Key {
		return nil, nil
	}
	return decided, nil
}

// discard gives up the overlay of a decision that failed.
func discard(decided []*stream.Entry, b *dedup.Batch, err error) ([]*stream.Entry, *dedup.Batch, error) {
	if err != nil {
		b.Discard()
		return nil, nil, err
	}
	return decided, b, nil
}

// asReceived is the message of an entry as it came, without what was decided.
func asReceived(e *stream.Entry) *stream.Entry {
	if e.Notification.Service == formats.Sluice { // nobody sent it: it is our own word, and no sender can be taken for us
		return &stream.Entry{Kind: stream.Notification, Notification: e.Notification}
	}
	n := normalize(e.Notification.Raw, e.Notification.Arrived)
	if e.Notification.Claims != "" {
		n = disbelieve(&n)
	}
	n.Truncated = e.Notification.Truncated
	return &stream.Entry{Kind: stream.Notification, Input: e.Input, Part: e.Part, Notification: n}
}

// same compares as the stream would write them, in which equal entries have equal bytes.
func same(a, b []*stream.Entry) bool {
	for i := range a {
		x, err := stream.EncodeEntry(a[i])
		if err != nil {
			return false
		}
		y, err := stream.EncodeEntry(b[i])
		if err != nil || !bytes.Equal(x, y) {
			return false
		}
	}
	return true
}
