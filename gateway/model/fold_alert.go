package model

import (
	"context"
	"fmt"
	"slices"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// alert folds a notification, release, link or undo of an alert.
func (f *folder) alert(ctx context.Context, e *stream.Entry) error {
	switch e.Kind {
	case stream.Notification:
		return f.notified(ctx, e)
	case stream.Release:
		return f.released(ctx, e)
	case stream.Undo:
		return f.separated(ctx, e)
	}
	return nil // a link tells a SIEM what the entries before it told us
}

// notified folds a notification of an alert, which may be a new one.
func (f *folder) notified(ctx context.Context, e *stream.Entry) error {
	a, err := f.alertBy(ctx, string(e.Match.Alert))
	if err != nil {
		return err
	}
	isNew := a == nil
	if isNew {
		if e.Notification.Service == formats.Sluice {
			if err := f.ours(ctx, &e.Notification, e.Time); err != nil {
				return err
			}
		}
		if a, err = f.newAlert(ctx, string(e.Match.Alert)); err != nil {
			return err
		}
	}
	wasClosed := a.closed()
	if err := f.sight(ctx, a, e); err != nil {
		return err
	}
	if err := f.notify(ctx, a.n, e); err != nil {
		return err
	}
	also := a.spread(f.m.options.Config.Closure)
	if e.Match.Relation != dedup.Resend {
		if err := f.news(ctx, a, e, wasClosed, also); err != nil {
			return err
		}
	}
	if isNew {
		if err := f.shown(ctx, a, e); err != nil {
			return err
		}
	}
	return f.save(ctx, a, e.Time)
}

// shown has an alert appear in the activity log, as the notification that e was.
func (f *folder) shown(ctx context.Context, a *row, e *stream.Entry) error {
	if s := a.sighting(e.Notification.Service); s != nil {
		s.Logged = append(s.Logged, e.Key)
	}
	sum := a.alert(f.m.catalog)
	return f.logAlert(ctx, e, a.n, &sum)
}

// sight adds what a notification says to its service's part of the alert, which begins with it where there is none.
func (f *folder) sight(ctx context.Context, a *row, e *stream.Entry) error {
	n := &e.Notification
	s := a.sighting(n.Service)
	if s == nil {
		a.Sightings = append(a.Sightings, sighting{Service: n.Service, Key: e.Key, First: e.Time})
		s = a.sighting(n.Service)
	}
	s.Last, s.Count = e.Time, s.Count+1
	if e.Match.Type != "" && a.Type == "" {
		a.Type = e.Match.Type
	}
	a.decided(e)
	if e.Match.Relation == dedup.Resend && s.Count > 1 {
		return nil // it says nothing new, unless what it repeats is in a part of the stream that is gone
	}
	if e.Match.Relation == dedup.Update {
		s.Updates++
	}
	s.hear(n, f.m.catalog.Attack(n, e.Match.Type), e.Time)
	a.Last = later(a.Last, e.Time)
	for _, account := range n.Accounts {
		if account.Name == "" {
			continue
		}
		name, err := f.name(ctx, e, account.Name)
		if err != nil {
			return err
		}
		s.name(spelling{account.Name, name})
	}
	return nil
}

// decided takes over where the alert is handled now, and what proved the pairing.
func (r *alertRecord) decided(e *stream.Entry) {
	if e.Decision.ManagedIn != "" {
		r.ManagedIn = e.Decision.ManagedIn
	}
	if e.Decision.Rule != "" {
		r.Rule = e.Decision.Rule
	}
	if e.Match.RunnerUp != nil {
		r.RunnerUp = e.Match.RunnerUp
	}
	// A further detection behind one risky sign-in is an update with points.
	if e.Match.Relation == dedup.Twin || e.Match.Points > 0 && e.Match.Relation == dedup.Update {
		for _, v := range e.Match.Evidence {
			if len(r.Evidence) < mostEvidence && !slices.Contains(r.Evidence, v) {
				r.Evidence = append(r.Evidence, v)
			}
		}
	}
}

// news marks an alert unread of which a service said something new, and tells in the history of one that was closed
// what that did. also are services in which the rule closed it just now.
//
// An update of a closed alert leaves it closed: the one who closed it knew the alert, and services send updates of
// old alerts for days. But nobody has read it, so it is unread again.
func (f *folder) news(ctx context.Context, a *row, e *stream.Entry, wasClosed bool, also []formats.Service) error {
	if !wasClosed {
		if e.Match.Relation == dedup.Update {
			a.Read = false
		}
		return nil
	}
	service, what := e.Notification.Service.Title(), "notified something new of it"
	if e.Match.Relation != dedup.Update {
		what = "reports it too"
	}
	l := change{By: string(formats.Sluice), What: "notified", Text: fmt.Sprintf("%s %s; it stays closed", service, what)}
	switch {
	case !a.closed():
		l.What, l.Text = "reopened", fmt.Sprintf("%s %s, where it is managed and open", service, what)
	case len(also) > 0:
		l.Text += ", and by that in " + allCalled(also)
	case !a.Read:
		return nil // it says so already
	}
	a.Read = false
	return f.note(ctx, a, e, l)
}

// released folds the end of a hold: it changes what was decided for the notification, and the alert that it is of
// where it turned out to be another's.
func (f *folder) released(ctx context.Context, e *stream.Entry) error {
	n, err := f.notifiedAs(ctx, e.Key)
	if err != nil {
		return err
	}
	a, err := f.alertBy(ctx, string(e.Match.Alert))
	if err != nil {
		return err
	}
	if a == nil && n == 0 || a != nil && n == 0 && a.sighting(e.Notification.Service) == nil {
		return f.notified(ctx, e) // that it was held is in a part of the stream that is gone
	}
	if err := f.decidedLater(ctx, e); err != nil {
		return err
	}
	if a == nil { // its first notification is in that part
		if a, err = f.newAlert(ctx, string(e.Match.Alert)); err != nil {
			return err
		}
	}
	wasClosed := a.closed()
	var also []formats.Service
	if n != 0 && n != a.n {
		from, err := f.alertAt(ctx, n)
		if err != nil {
			return err
		}
		if err := f.join(ctx, a, from, e); err != nil {
			return err
		}
		also = a.spread(f.m.options.Config.Closure)
	}
	a.decided(e)
	if wasClosed {
		if err := f.news(ctx, a, e, wasClosed, also); err != nil {
			return err
		}
	}
	return f.save(ctx, a, e.Time)
}
