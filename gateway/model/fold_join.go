package model

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/risk"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// join makes from, which was held under an ID of its own, a part of a: with its notifications, its history and what
// operators made of it. Where both have something of the kind, that of a counts: it is the alert that was told of.
func (f *folder) join(ctx context.Context, a, from *row, e *stream.Entry) error {
	table := f.m.options.Config.Closure
	to := a.n
	if slices.ContainsFunc(a.Sightings, func(s sighting) bool { return len(s.Logged) > 0 }) {
		to = noAlert // an alert is in the log once
	}
	for _, s := range from.Sightings {
		if err := f.relogAlert(ctx, s.Logged, from.n, to); err != nil {
			return err
		}
		if to == noAlert {
			s.Logged = nil
		}
		if have := a.sighting(s.Service); have != nil {
			have.join(&s)
			continue
		}
		a.Sightings = append(a.Sightings, s)
		if c, closed := from.Closures[s.Service]; closed && c.In == string(s.Service) {
			if _, have := a.Closures[s.Service]; !have {
				a.close(s.Service, c, table)
			}
		}
	}
	a.Type, a.ManagedIn = cmp.Or(a.Type, from.Type), cmp.Or(a.ManagedIn, from.ManagedIn)
	a.Assigned = cmp.Or(a.Assigned, from.Assigned)
	a.Last = later(a.Last, from.Last)
	a.Comments = append(a.Comments, from.Comments...)
	slices.SortStableFunc(a.Comments, func(x, y Comment) int { return x.Time.Compare(y.Time) })
	a.Revision = max(a.Revision, from.Revision)
	for _, table := range []string{"alert_ids", "alert_streamed", "alert_notices", "alert_history"} {
		if err := f.exec(ctx, "UPDATE "+table+" SET alert = ? WHERE alert = ?", a.n, from.n); err != nil {
			return err
		}
	}
	if err := f.dropAlert(ctx, from.n); err != nil {
		return err
	}
	f.priority.tell(risk.Event{Gone: from.ID})
	return f.note(ctx, a, e, change{
		By: string(formats.Sluice), What: "joined", Text: "what was held as alert " + from.ID + " turned out to be this one",
	})
}

// separated folds a pairing that is taken back, or a notification that was suppressed for another reason and went out
// after all. What the service of the notification says leaves the alert and is one of its own.
func (f *folder) separated(ctx context.Context, e *stream.Entry) error {
	a, err := f.alertBy(ctx, string(e.Match.Alert))
	if err != nil {
		return err
	}
	if a != nil {
		return f.sentAfterAll(ctx, a, e)
	}
	var old *row
	if r := e.Match.RunnerUp; r != nil {
		if old, err = f.alertBy(ctx, string(r.Alert)); err != nil {
			return err
		}
	}
	if old == nil || old.sighting(e.Notification.Service) == nil {
		return f.notified(ctx, e) // that they were one is in a part of the stream that is gone
	}
	if a, err = f.newAlert(ctx, string(e.Match.Alert)); err != nil {
		return err
	}
	if s := old.sighting(e.Notification.Service); s.Key == e.Key && len(old.Sightings) > 1 {
		f.divide(old, a, e)
		err = f.exec(ctx, "UPDATE alert_notices SET alert = ? WHERE alert = ? AND service = ?", a.n, old.n, string(e.Notification.Service))
	} else { // it wasn't the first that the service said of the alert
		s.Count = max(1, s.Count-1)
		err = errors.Join(f.sight(ctx, a, e), f.exec(ctx, "UPDATE alert_notices SET alert = ? WHERE alert = ? AND key = ?", a.n, old.n, string(e.Key)))
	}
	if err != nil {
		return err
	}
	return f.apart(ctx, old, a, e)
}

// apart writes two alerts that were taken for one.
func (f *folder) apart(ctx context.Context, old, a *row, e *stream.Entry) error {
	if err := f.decidedLater(ctx, e); err != nil {
		return err
	}
	by, what, why := takenBack(e)
	service := e.Notification.Service.Title()
	if err := f.note(ctx, old, e, change{By: by, What: what, Text: "what " + service + " reports is alert " + a.ID + " of its own" + why}); err != nil {
		return err
	}
	if err := f.note(ctx, a, e, change{By: by, What: what, Text: "was taken for a part of alert " + old.ID + why}); err != nil {
		return err
	}
	if err := f.divideLog(ctx, old, a, e); err != nil {
		return err
	}
	for _, x := range []*row{old, a} {
		if err := f.save(ctx, x, e.Time); err != nil {
			return err
		}
	}
	return nil
}

// sentAfterAll notes that a suppressed notification went out, and stays the alert's.
func (f *folder) sentAfterAll(ctx context.Context, a *row, e *stream.Entry) error {
	if err := f.decidedLater(ctx, e); err != nil {
		return err
	}
	by, what, why := takenBack(e)
	text := "what " + e.Notification.Service.Title() + " notified later is forwarded after all" + why
	if err := f.note(ctx, a, e, change{By: by, What: what, Text: text}); err != nil {
		return err
	}
	return f.save(ctx, a, e.Time)
}

// takenBack says who took something back, by which verb, and why, as the end of a sentence.
func takenBack(e *stream.Entry) (by, what, why string) {
	if e.Act == nil {
		return string(formats.Sluice), "separated", ""
	}
	var args struct {
		Why string `json:"why"`
	}
	if err := json.Unmarshal(e.Act.Args, &args); err != nil || args.Why == "" {
		return e.Act.By, e.Act.Verb, ", by hand"
	}
	return e.Act.By, e.Act.Verb, ", by hand: " + args.Why
}

// divide moves the service's part from old to a. Both are unread: what was read was something else.
func (f *folder) divide(old, a *row, e *stream.Entry) {
	part, closure := old.leave(e.Notification.Service)
	a.Sightings, a.Type, a.ManagedIn = []sighting{part}, e.Match.Type, e.Notification.Service
	a.Last = part.News
	a.decided(e)
	if closure != nil {
		a.close(part.Service, *closure, f.m.options.Config.Closure)
	}
	old.Evidence, old.Read = nil, false
	old.Last = old.Sightings[0].News
	for _, s := range old.Sightings {
		old.Last = later(old.Last, s.News)
	}
}

// divideLog gives a its lines of the activity log, and a line to whichever of the two has none now.
func (f *folder) divideLog(ctx context.Context, old, a *row, e *stream.Entry) error {
	if err := f.relogAlert(ctx, a.Sightings[0].Logged, old.n, a.n); err != nil {
		return err
	}
	for _, x := range []*row{old, a} {
		if slices.ContainsFunc(x.Sightings, func(s sighting) bool { return len(s.Logged) > 0 }) {
			continue
		}
		first, err := f.firstNotice(ctx, x.n)
		if err != nil {
			return err
		}
		if first == nil {
			first = e
		}
		if err := f.shown(ctx, x, first); err != nil {
			return err
		}
	}
	return nil
}
