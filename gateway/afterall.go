package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// maxWhy is how long an operator's reason may be, in bytes.
const maxWhy = 4 << 10

// ForwardAfterAll forwards a suppressed notification of an alert after all, because an operator says so. A twin
// becomes an alert of its own, and the two are never taken for one again; an update goes out as one. The entry is an
// undo with the operator's act; when it is returned it is durable, and targets get it once. What shadow mode let
// through doesn't go out again, but is taken apart all the same.
//
// The errors are [dedup.ErrNoAlert], [dedup.ErrNoNotification], [dedup.ErrNotSuppressed], which says what became of
// it instead, [dedup.ErrResend] and, where neither the state nor the stream has it whole any more,
// [dedup.ErrForgotten]; and those of [Gateway.Record]. What the state doesn't have is looked for in the stream, which
// may take as long as reading that takes.
func (g *Gateway) ForwardAfterAll(ctx context.Context, alert dedup.AlertID, key dedup.EventKey, by, why string) (stream.Position, error) {
	if len(why) > maxWhy {
		return stream.Position{}, fmt.Errorf("the reason has %d bytes, more than %d: %w", len(why), maxWhy, stream.ErrTooLarge)
	}
	args, err := model.Args(struct {
		Why string `json:"why"`
	}{why})
	if err != nil {
		return stream.Position{}, fmt.Errorf("encode the reason: %w", err)
	}
	if args, err = asked(ctx, args); err != nil {
		return stream.Position{}, err
	}
	act := &stream.Act{By: by, Verb: "forward_after_all", Args: args}
	if err := checkAct(act); err != nil {
		return stream.Position{}, err
	}
	a := &afterAll{pipeline: g.pipeline, alert: alert, key: key, act: act}
	at, err := g.pipeline.give(ctx, &incoming{order: a.byState})
	if !errors.Is(err, errAskTheStream) {
		return at, err
	}
	if err := a.look(ctx); err != nil {
		return stream.Position{}, err
	}
	return g.pipeline.give(ctx, &incoming{order: func(b *dedup.Batch, e *stream.Entry, t time.Time) ([]*stream.Entry, error) {
		return a.byStream(ctx, b, e, t)
	}})
}

// afterAll is one notification that is to be forwarded after all.
type afterAll struct {
	pipeline *pipeline
	alert    dedup.AlertID
	key      dedup.EventKey
	act      *stream.Act

	since time.Time // when the alert was first heard of; zero where the state doesn't know that
	seen  sighted
}

// sighted is what the stream says of one notification.
type sighted struct {
	last      *stream.Entry // the last word on it; nil for none
	alerts    []dedup.AlertID
	delivered bool   // targets have had it, if only in shadow mode
	from, to  uint64 // sequences that were looked at
}

// errAskTheStream is that the state doesn't know a notification whole.
var errAskTheStream = errors.New("the stream has to be asked")

func refusef(format string, args ...any) error { return &refusalError{fmt.Errorf(format, args...)} }

// byState is an order that is carried out by what the state has: the first notification of a service, as long as it
// can be paired.
func (a *afterAll) byState(b *dedup.Batch, e *stream.Entry, t time.Time) ([]*stream.Entry, error) {
	alert, err := b.Alert(a.alert)
	if err != nil {
		return nil, err
	}
	if err := standing(&alert, a.key); err != nil {
		return nil, err
	}
	back, err := b.GivenBack(alert.ID, a.key, t)
	if err != nil {
		return nil, err
	}
	if back == nil {
		for _, g := range alert.Sightings {
			if a.since.IsZero() || g.First.Before(a.since) {
				a.since = g.First
			}
		}
		return nil, &refusalError{errAskTheStream}
	}
	return a.apart(b, e, back)
}

// standing refuses what the state knows not to be suppressed.
func standing(a *dedup.Alert, key dedup.EventKey) error {
	if a.Forwarded == key {
		return refusef("%w: it was forwarded, and stands for the alert", dedup.ErrNotSuppressed)
	}
	for _, h := range a.Held {
		if h.Key == key {
			return refusef("%w: it is held until %s at the latest", dedup.ErrNotSuppressed, h.Due.Format(time.RFC3339))
		}
	}
	return nil
}

// apart makes a twin an alert of its own.
func (a *afterAll) apart(b *dedup.Batch, e *stream.Entry, o *dedup.Outcome) ([]*stream.Entry, error) {
	o.Match.RunnerUp.Why = "was taken for one; an operator says that they are two"
	*e = a.pipeline.decider.alone(o)
	e.Act = a.act
	return a.take(b, e)
}

// take makes it so, unless it is more than there is room for in any batch.
func (a *afterAll) take(b *dedup.Batch, e *stream.Entry) ([]*stream.Entry, error) {
	if data, err := stream.EncodeEntry(e); err != nil || len(data) > stream.MaxBytes {
		return nil, refusef("it can't be recorded again, with %d bytes: %w", len(data), cmp.Or(err, stream.ErrTooLarge))
	}
	return []*stream.Entry{e}, b.Apply(outcome(e))
}

// look reads what the stream has: at first since the alert was heard of, and if that is in vain everything.
func (a *afterAll) look(ctx context.Context) error {
	s := a.pipeline.stream
	first, last := s.Bounds()
	a.seen = sighted{from: first, to: last}
	from := first
	if !a.since.IsZero() {
		var err error
		if from, err = s.Find(ctx, a.since); err != nil {
			return fmt.Errorf("look for it in the stream: %w", err)
		}
	}
	err := a.read(ctx, from, last)
	if err == nil && a.seen.last == nil {
		err = a.read(ctx, first, from-1)
	}
	// What was recorded meanwhile is left to the decider, but not so much that it would keep others waiting.
	for err == nil {
		if _, last = s.Bounds(); last <= a.seen.to+lookBehind {
			break
		}
		err = a.read(ctx, a.seen.to+1, last)
		a.seen.to = last
	}
	return err
}

// lookBehind is how many batches of the stream the decider may look at for one order.
const lookBehind = 8

// read notes what the stream says between two sequences. What can't be read says nothing.
func (a *afterAll) read(ctx context.Context, from, to uint64) error {
	if from > to {
		return nil
	}
	for m, err := range a.pipeline.stream.Salvage(ctx, from) {
		switch {
		case m == nil:
			return fmt.Errorf("look for it in the stream: %w", err)
		case m.Sequence > to:
			return nil
		}
		a.note(m.Entries)
	}
	return nil
}

func (a *afterAll) note(entries []*stream.Entry) {
	for _, e := range entries {
		if e.Key == a.key {
			a.seen.last = e
			a.seen.alerts = append(a.seen.alerts, e.Match.Alert)
			a.seen.delivered = a.seen.delivered || e.Delivered()
		}
	}
}

// byStream is an order that is carried out by what the stream has.
func (a *afterAll) byStream(ctx context.Context, b *dedup.Batch, e *stream.Entry, t time.Time) ([]*stream.Entry, error) {
	// And by what was recorded since it was looked at, and what is about to be: another operator may want the same.
	_, last := a.pipeline.stream.Bounds()
	if err := a.read(ctx, a.seen.to+1, last); err != nil {
		return nil, &refusalError{err}
	}
	a.note(a.pipeline.batch.Entries())
	alert, err := b.Alert(a.alert)
	if err != nil {
		return nil, err
	}
	if err := standing(&alert, a.key); err != nil {
		return nil, err
	}
	if a.seen.last == nil {
		return nil, a.unknown(&alert)
	}
	if ours, err := a.ours(b, &alert); err != nil {
		return nil, err
	} else if !ours {
		return nil, refusef("%w: it is another alert's", dedup.ErrNoNotification)
	}
	if err := a.became(); err != nil {
		return nil, err
	}
	known := a.seen.last
	if known.Decision.Reason == policy.UpdatesOff {
		return a.update(b, e, &alert, t)
	}
	if alert.ID == "" {
		alert.ID = known.Match.Alert
	}
	o := b.Alone(&known.Notification, &alert, t)
	o.Key, o.Input, o.Delivered = known.Key, known.Input, a.seen.delivered
	return a.apart(b, e, o)
}

// unknown is why nothing is known of it.
func (a *afterAll) unknown(alert *dedup.Alert) error {
	switch {
	case alert.ID == "":
		return refusef("%w, or none that is known still", dedup.ErrNoAlert)
	case a.seen.from == 1:
		return &refusalError{dedup.ErrNoNotification}
	}
	return refusef("%w: the stream has nothing of it and begins with batch %d", dedup.ErrForgotten, a.seen.from)
}

// ours says whether it is a notification of the alert that was named.
func (a *afterAll) ours(b *dedup.Batch, alert *dedup.Alert) (bool, error) {
	for _, id := range a.seen.alerts {
		if id == a.alert && id != "" {
			return true, nil
		}
		if id == "" || alert.ID == "" {
			continue
		}
		if its, err := b.Alert(id); err != nil || its.ID == alert.ID {
			return err == nil, err
		}
	}
	return false, nil
}

// became refuses what is not suppressed, and what says nothing.
func (a *afterAll) became() error {
	last := a.seen.last
	d := last.Decision
	switch {
	case last.Kind == stream.Undo:
		return refusef("%w: it went out after all at %s", dedup.ErrNotSuppressed, last.Time.Format(time.RFC3339))
	case d.Reason == policy.IsResend:
		return &refusalError{dedup.ErrResend}
	case d.Enforced() == dedup.Hold:
		return refusef("%w: it is held until %s at the latest", dedup.ErrNotSuppressed, d.Until.Format(time.RFC3339))
	case d.Enforced() != dedup.Suppress:
		return refusef("%w: it was %s", dedup.ErrNotSuppressed, participle(d.Enforced()))
	case d.Reason == policy.UpdatesOff && a.seen.delivered:
		return refusef("%w: it went out in shadow mode", dedup.ErrNotSuppressed)
	}
	return nil
}

// update forwards an update, which remains its alert's.
func (a *afterAll) update(b *dedup.Batch, e *stream.Entry, alert *dedup.Alert, t time.Time) ([]*stream.Entry, error) {
	known := a.seen.last
	if err := b.Facts(alert); err != nil {
		return nil, err
	}
	n := known.Notification
	m := known.Match
	m.Relation, m.Undoes, m.From = dedup.Update, "", ""
	twins, said := known.Twins, known.Said // as they were then, where the alert is forgotten
	if alert.ID != "" {
		m.Alert, twins, said = alert.ID, alert.Others(n.Service), alert.Said()
	}
	*e = stream.Entry{
		Kind: stream.Undo, Time: t, Key: known.Key, Input: known.Input, Notification: n, Match: m,
		Decision: a.pipeline.decider.policy.AfterAll(alert, &n, &m), Twins: twins, Said: said, Act: a.act,
	}
	return a.take(b, e)
}
