package gateway

import (
	"crypto/sha256"
	"slices"
	"time"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// decider is steps 4 and 5 of the way: match, then decide. It works on an overlay of the state and
// gives the entries that record what it decided; whoever calls it appends them before anything else
// happens.
type decider struct {
	policy *policy.Policy
}

// notification decides one notification that arrived at t, and completes the entry that records it. What follows
// from it is asked of follow.
func (d *decider) notification(b *dedup.Batch, entry *stream.Entry, t time.Time) ([]*stream.Entry, error) {
	n := &entry.Notification
	match, err := d.match(b, n, t)
	if err != nil {
		return nil, err
	}
	entries, err := d.separate(b, &match, t)
	if err != nil {
		return nil, err
	}
	alert, err := d.alert(b, match.Alert)
	if err != nil {
		return nil, err
	}
	decision := d.policy.Decide(&alert, n, &match, t)
	entry.Time, entry.Key = t, dedup.Key(n, t)
	entry.Match, entry.Decision, entry.Twins, entry.Said = match, decision, alert.Others(n.Service), alert.Said()
	if err := b.Apply(outcome(entry)); err != nil {
		return nil, err
	}
	entries = append(entries, entry)
	if decision.Reason == policy.LateTwin && d.policy.LateTwinLinks(&alert, n, &match) {
		if entries, err = d.link(b, entries, match.Alert, t); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// alert reads an alert with its facts, by which the policy and the targets judge it.
func (d *decider) alert(b *dedup.Batch, id dedup.AlertID) (dedup.Alert, error) {
	a, err := b.Alert(id)
	if err == nil {
		err = b.Facts(&a)
	}
	return a, err
}

// match takes a pairing that is plausible but not certain only where it is now or never: n can't wait
// for better evidence, because it would go out, and the other was forwarded. Where the other is held
// it asks again when its hold ends.
func (d *decider) match(b *dedup.Batch, n *formats.Notification, t time.Time) (dedup.Match, error) {
	match, tentative, err := b.Match(n, t)
	if err != nil || tentative == nil {
		return match, err
	}
	if decision := d.policy.Decide(&dedup.Alert{}, n, &match, t); decision.Enforced() == dedup.Hold {
		return match, nil
	}
	other, err := b.Alert(tentative.Alert)
	if err != nil || other.Forwarded == "" {
		return match, err
	}
	return *tentative, nil
}

// separate gives back the notification that a match shows to have been paired wrongly.
func (d *decider) separate(b *dedup.Batch, m *dedup.Match, t time.Time) ([]*stream.Entry, error) {
	if m.Undoes == "" {
		return nil, nil
	}
	back, err := b.GivenBack(m.From, m.Undoes, t)
	if err != nil || back == nil {
		return nil, err
	}
	entry := new(d.alone(back))
	return []*stream.Entry{entry}, b.Apply(outcome(entry))
}

// alone is the entry that makes a notification an alert of its own again.
func (d *decider) alone(o *dedup.Outcome) stream.Entry {
	return stream.Entry{
		Kind: stream.Undo, Time: o.Time, Key: o.Key, Input: o.Input, Notification: *o.Notification, Match: o.Match,
		Decision: d.policy.Separate(o),
	}
}

// due ends the earliest hold that is over by t; no entries mean that none is.
func (d *decider) due(b *dedup.Batch, t time.Time) ([]*stream.Entry, error) {
	// One at a time: what follows from the first may settle the next.
	held, err := b.Due(t, 1)
	if err != nil || len(held) == 0 {
		return nil, err
	}
	match, err := b.Settle(held[0], t)
	if err != nil {
		return nil, err
	}
	entries, err := d.separate(b, &match, t)
	if err != nil {
		return nil, err
	}
	entry, err := d.release(b, &held[0], match, t)
	return append(entries, entry), err
}

func (d *decider) release(b *dedup.Batch, h *dedup.Held, m dedup.Match, t time.Time) (*stream.Entry, error) {
	alert, err := d.alert(b, m.Alert)
	if err != nil {
		return nil, err
	}
	entry := &stream.Entry{
		Kind: stream.Release, Time: t, Key: h.Key, Input: h.Input, Notification: h.Notification, Match: m,
		Decision: d.policy.Release(&alert, h, &m), Twins: alert.Others(h.Service), Said: alert.Said(),
	}
	return entry, b.Apply(outcome(entry))
}

// follow ends one hold that is pointless now that something was decided for its alert: the alert was
// forwarded, or the held notification is, by what is known now, the managing service's. No entries
// mean that nothing more follows. A crash in between loses nothing: what is held then ends in time.
func (d *decider) follow(b *dedup.Batch, after *stream.Entry, t time.Time) ([]*stream.Entry, error) {
	if after.Match.Alert == "" || after.Match.Relation == dedup.Resend || after.Kind == stream.Link {
		return nil, nil
	}
	alert, err := b.Alert(after.Match.Alert)
	if err != nil || len(alert.Held) == 0 {
		return nil, err
	}
	next := alert.Held[0]
	if i := slices.IndexFunc(alert.Held, func(o dedup.Owed) bool { return o.Service == alert.ManagedIn }); i >= 0 {
		next = alert.Held[i]
	} else if alert.Forwarded == "" {
		return nil, nil
	}
	held, err := b.Held(next)
	if err != nil {
		return nil, err
	}
	match := held.Match
	match.Alert = alert.ID
	if after.Match.Relation == dedup.Twin && match.Relation == dedup.First {
		// What proved the pairing is this one's proof too.
		match.Evidence, match.Points = after.Match.Evidence, after.Match.Points
	}
	entry, err := d.release(b, &held, match, t)
	return []*stream.Entry{entry}, err
}

// link adds the small event that tells a SIEM that two notifications are one alert.
func (d *decider) link(b *dedup.Batch, entries []*stream.Entry, id dedup.AlertID, t time.Time) ([]*stream.Entry, error) {
	alert, err := d.alert(b, id)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(id))
	n := formats.Notification{
		Service: formats.Sluice, Kind: formats.Link, Channel: "sluice", Origin: formats.Sluice,
		Title: "Two notifications are one alert", Type: "link", Severity: formats.Informational, Arrived: t,
		Content: [16]byte(sum[:16]),
	}
	entry := &stream.Entry{
		Kind: stream.Link, Time: t, Key: dedup.Key(&n, t), Notification: n,
		Match:    dedup.Match{Alert: id, Relation: dedup.Twin, Type: alert.Type},
		Decision: d.policy.Link(&alert), Twins: alert.Sightings, Said: alert.Said(),
	}
	return append(entries, entry), nil
}

// outcome is what the fold takes of an entry.
func outcome(e *stream.Entry) *dedup.Outcome {
	return &dedup.Outcome{
		Key: e.Key, Time: e.Time, Input: e.Input, Part: e.Part, Notification: &e.Notification, Match: e.Match,
		Action: e.Decision.Enforced(), ManagedIn: e.Decision.ManagedIn, Until: e.Decision.Until,
		Delivered: e.Delivered(), Released: e.Kind == stream.Release, Undone: e.Kind == stream.Undo,
	}
}
