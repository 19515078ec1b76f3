package dedup

import (
	"errors"
	"slices"
	"time"

	"github.com/sluice-siem/sluice/formats"
)

// Why a notification can't be forwarded after all.
var (
	ErrNoAlert        = errors.New("no such alert")
	ErrNoNotification = errors.New("the alert has no such notification")
	ErrNotSuppressed  = errors.New("it is not suppressed")
	ErrResend         = errors.New("the same bytes under the same ID were handled before: there is nothing to forward after all")
	ErrForgotten      = errors.New("it is no longer known")
)

// separate takes a pairing back: the notification becomes an alert of its own and is never again a
// twin of the other, nor the other of it.
func (b *Batch) separate(o *Outcome) error {
	n := o.Notification
	apart, err := b.takeOut(o)
	if err != nil {
		return err
	}
	p := prior{Content: n.Content, Key: o.Key, Alert: o.Match.Alert, Time: o.Time}
	if err := b.putPrior(n, p); err != nil {
		return err
	}
	a := Alert{
		ID: o.Match.Alert, Type: o.Match.Type, ManagedIn: o.ManagedIn, Forwarded: o.Key, ForwardedBy: n.Service, Apart: apart,
		Sightings: []Sighting{{
			Service: n.Service, Channel: n.Channel, ID: n.ID, URL: n.URL, Key: o.Key, First: o.Time, Last: o.Time, Count: 1,
		}},
	}
	first := sighted{o.Key, o.Input, *n, true} // now, or when it arrived
	if err := b.list(&first, a.ID, 0, o.Time); err != nil {
		return err
	}
	return b.store(&a)
}

// takeOut takes a service's first notification out of the alert that it was taken for, and gives those that
// remain.
func (b *Batch) takeOut(o *Outcome) (remain []EventKey, err error) {
	n := o.Notification
	if o.Match.RunnerUp == nil {
		return nil, nil
	}
	old, err := b.alert(o.Match.RunnerUp.Alert)
	if err != nil {
		return nil, err
	}
	if g := old.Sighting(n.Service); g == nil || g.Key != o.Key {
		return nil, nil // it is forgotten
	}
	old.Sightings = slices.DeleteFunc(old.Sightings, func(g Sighting) bool { return g.Service == n.Service })
	for _, g := range old.Sightings {
		remain = append(remain, g.Key)
	}
	old.Apart = append(old.Apart, o.Key)
	old.Points = 0
	return remain, errors.Join(b.unlist(n, o.Key, old.ID), b.relist(&old, ""), b.store(&old))
}

// GivenBack builds the outcome that takes the pairing of a suppressed notification back. Nil where that isn't
// the first notification of a service, or not known whole any more.
func (b *Batch) GivenBack(alert AlertID, key EventKey, now time.Time) (*Outcome, error) {
	a, err := b.alert(alert)
	if err != nil {
		return nil, err
	}
	for _, g := range a.Sightings {
		if g.Key != key {
			continue
		}
		var s sighted
		if ok, err := b.get(firstKey(a.ID, g.Service), &s); err != nil || !ok || s.Key != key {
			return nil, err
		}
		o := b.Alone(&s.Notification, &a, now)
		o.Key, o.Input, o.Delivered = key, s.Input, s.Delivered
		return o, nil
	}
	return nil, nil
}

// Alone builds the outcome by which a notification that was taken for a's is an alert of its own. The caller
// adds its key and the like.
func (b *Batch) Alone(n *formats.Notification, a *Alert, now time.Time) *Outcome {
	m := Match{
		Alert: newAlertID(n, now), Relation: First, Type: b.x.scale.catalog.Resolve(n).Type(),
		RunnerUp: &Candidate{Alert: a.ID, Points: a.Points, Why: "was taken for one; another notification fits far better"},
	}
	return &Outcome{Time: now, Notification: n, Match: m, Action: Forward, ManagedIn: n.Service, Undone: true}
}
