package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// Replay runs captured messages through the pipeline's own steps, on a state in memory, and forwards
// nothing. The clock is the caller's: the arrival of each message.
type Replay struct {
	index   *dedup.Index
	decider decider
	clock   clock
	lines   []Verdict
	byKey   map[dedup.EventKey]int
	scores  *model.Scoring // nil where nobody asks
	latest  time.Time      // arrival of the last message
}

// Verdict is what became of one message when everything was decided.
type Verdict struct {
	Kind           formats.Kind
	Service        formats.Service
	NotificationID string
	Alert          dedup.AlertID
	Action         dedup.Action // Forward, Suppress or Drop
	Reason         policy.Reason
	Evidence       []dedup.Evidence // never nil
}

// Decision is forwarded, suppressed or dropped: nothing is held when the clock has run out.
func (v *Verdict) Decision() string { return participle(v.Action) }

// NewReplay starts from an empty state. c is a checked configuration; nothing of it is opened.
func NewReplay(c config.Config) (*Replay, error) {
	index, err := dedup.Open("", c)
	if err != nil {
		return nil, err
	}
	return &Replay{
		index: index, decider: decider{policy: policy.New(c)}, byKey: map[dedup.EventKey]int{},
	}, nil
}

// UserScore is a user's investigation priority at the end of a day.
type UserScore = model.UserScore

// Score has the users' investigation priority written, for every day of the clock that is over, highest first. It
// reads the files that the configuration names, and is called before the first message.
func (r *Replay) Score(c config.Config, write func(UserScore) error) (err error) {
	r.scores, err = model.NewScoring(context.Background(), c, write)
	return err
}

// Close frees the state.
func (r *Replay) Close() error {
	err := r.index.Close()
	if r.scores != nil {
		err = errors.Join(err, r.scores.Close())
	}
	return err
}

// HeaderTime reads the time of a message's syslog header, zero where it has none. A header without a
// year is read as near to reference as can be.
func HeaderTime(raw []byte, reference time.Time) time.Time {
	n := normalize(raw, reference)
	return n.Sent
}

// Message takes the next message. at is never before the arrival of the one before it; an earlier
// time counts as that.
func (r *Replay) Message(raw []byte, at time.Time) error {
	t := r.clock.next(at)
	if err := r.release(t); err != nil {
		return err
	}
	r.latest = t
	n := normalize(raw, at)
	r.byKey[dedup.Key(&n, t)] = len(r.lines)
	r.lines = append(r.lines, Verdict{Kind: n.Kind, Service: n.Service, NotificationID: n.ID, Evidence: []dedup.Evidence{}})
	_, err := r.step(t, func(b *dedup.Batch) ([]*stream.Entry, error) {
		return r.decider.notification(b, new(entryOf("replay", n)), t)
	})
	if err != nil {
		return fmt.Errorf("message %d: %w", len(r.lines), err)
	}
	return nil
}

// Finish lets the clock run on until nothing is held and gives the verdicts in the order of the
// messages.
func (r *Replay) Finish() ([]Verdict, error) {
	for {
		b := r.index.Begin()
		due, ok, err := b.NextDue()
		b.Discard()
		if err != nil {
			return nil, err
		}
		if !ok {
			if r.scores != nil && len(r.lines) > 0 {
				if err := r.scores.Until(context.Background(), r.latest.AddDate(0, 0, 1)); err != nil {
					return nil, err
				}
			}
			return r.lines, r.resolve()
		}
		if err := r.release(r.clock.next(due)); err != nil {
			return nil, err
		}
	}
}

// resolve gives the messages of one ID, resends among them, the alert they have in the end.
func (r *Replay) resolve() error {
	b := r.index.Begin()
	defer b.Discard()
	latest := map[string]dedup.AlertID{}
	for i := range r.lines {
		v := &r.lines[i]
		if v.Alert == "" {
			continue
		}
		a, err := b.Alert(v.Alert)
		if err != nil {
			return err
		}
		if a.ID != "" {
			v.Alert = a.ID
		}
		if v.Reason != policy.IsResend {
			latest[string(v.Service)+" "+v.NotificationID] = v.Alert
		}
	}
	for i := range r.lines {
		v := &r.lines[i]
		if id, ok := latest[string(v.Service)+" "+v.NotificationID]; ok && v.NotificationID != "" {
			v.Alert = id
		}
	}
	return nil
}

// release ends the holds that are over by t.
func (r *Replay) release(t time.Time) error {
	for {
		some, err := r.step(t, func(b *dedup.Batch) ([]*stream.Entry, error) { return r.decider.due(b, t) })
		if err != nil || !some {
			return err
		}
	}
}

// step takes one decision and what follows from it.
func (r *Replay) step(t time.Time, decide func(*dedup.Batch) ([]*stream.Entry, error)) (bool, error) {
	b := r.index.Begin()
	defer b.Discard()
	entries, err := decide(b)
	if err != nil || len(entries) == 0 {
		return false, err
	}
	for len(entries) > 0 {
		r.record(entries)
		if r.scores != nil {
			if err := r.scores.Entries(context.Background(), entries); err != nil {
				return false, err
			}
		}
		if entries, err = r.decider.follow(b, entries[len(entries)-1], t); err != nil {
			return false, err
		}
	}
	return true, b.Commit(dedup.Mark{})
}

func (r *Replay) record(entries []*stream.Entry) {
	for _, e := range entries {
		i, ok := r.byKey[e.Key]
		if !ok {
			continue // an event of our own
		}
		v := &r.lines[i]
		if e.Match.Alert != "" {
			v.Alert = e.Match.Alert
		}
		if len(e.Match.Evidence) > 0 || e.Kind == stream.Undo {
			v.Evidence = append([]dedup.Evidence{}, e.Match.Evidence...)
		}
		if e.Kind != stream.Notification && e.Decision.Would != "" {
			continue // shadow mode: it went out when it arrived
		}
		v.Action, v.Reason = e.Decision.Action, e.Decision.Reason
	}
}
