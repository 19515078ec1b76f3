package model

import (
	"context"
	"errors"
	"slices"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// streamed is an alert of a limited model as the stream knows it.
type streamed struct {
	id, managed string // the stream's ID; where it is managed, be that inside or not
}

// limit makes of an entry what it is to a limited model, and says whether there is anything to fold. was is the alert
// as the stream knows it, for settle.
func (f *folder) limit(ctx context.Context, e *stream.Entry) (was streamed, fold bool, err error) {
	was = streamed{string(e.Match.Alert), string(e.Decision.ManagedIn)}
	switch {
	case e.Kind == stream.Acted:
		fold, err = f.limitAct(ctx, e)
	case e.Match.Alert == "":
		fold = e.Kind == stream.Notification
	case e.Kind == stream.Notification:
		fold, err = true, f.limitNotified(ctx, e)
	case e.Kind == stream.Release:
		fold, err = f.limitReleased(ctx, e)
	case e.Kind == stream.Undo:
		fold, err = f.limitUndone(ctx, e)
	}
	return was, fold, err
}

// own finds the alert that the stream knows by that ID: nil where the model has none.
func (f *folder) own(ctx context.Context, id dedup.AlertID) (*row, error) {
	var n int64
	if ok, err := f.row(ctx, "SELECT alert FROM alert_streamed WHERE id = ?", []any{string(id)}, &n); err != nil || !ok {
		return nil, err
	}
	return f.alertAt(ctx, n)
}

// settle remembers by which ID the stream knows an alert.
func (f *folder) settle(ctx context.Context, was streamed, own dedup.AlertID) error {
	if was.id == "" {
		return nil
	}
	return f.exec(ctx, "INSERT OR REPLACE INTO alert_streamed (id, alert, managed_in) SELECT ?, alert, ? FROM alert_ids WHERE id = ?", was.id, was.managed, string(own))
}

// limitNotified says how a notification stands to what the model has.
func (f *folder) limitNotified(ctx context.Context, e *stream.Entry) error {
	a, err := f.own(ctx, e.Match.Alert)
	if err != nil {
		return err
	}
	e.Kind = stream.Notification
	if a == nil {
		e.Match.Alert, e.Match.Relation, e.Match.Evidence, e.Said = ownID(e.Key, ""), dedup.First, nil, nil
		e.Decision.ManagedIn = e.Notification.Service
		return nil
	}
	e.Match.Alert = dedup.AlertID(a.ID)
	switch {
	case a.sighting(e.Notification.Service) == nil:
		e.Match.Relation = dedup.Twin
	case e.Match.Relation != dedup.Resend:
		e.Match.Relation, e.Match.Evidence = dedup.Update, nil
	}
	e.Decision.ManagedIn = f.managed(a, e)
	return nil
}

// managed is where the alert is managed as far as the model knows: where the stream says, if that service has spoken
// of it here, and else where it was.
func (f *folder) managed(a *row, e *stream.Entry) formats.Service {
	if in := e.Decision.ManagedIn; in == e.Notification.Service || a.sighting(in) != nil {
		return in
	}
	return a.ManagedIn
}

// limitReleased: that something was held is about what others said. It counts here where it joins two alerts.
func (f *folder) limitReleased(ctx context.Context, e *stream.Entry) (fold bool, err error) {
	n, err := f.notifiedAs(ctx, e.Key)
	if err != nil {
		return false, err
	}
	if n == 0 {
		return true, f.limitNotified(ctx, e) // that it was held is in a part of the stream that is gone
	}
	a, err := f.own(ctx, e.Match.Alert)
	if err != nil || a != nil && a.n == n {
		return false, err
	}
	if a == nil {
		return false, f.exec(ctx, "INSERT INTO alert_streamed (id, alert, managed_in) VALUES (?, ?, ?)", string(e.Match.Alert), n, string(e.Decision.ManagedIn))
	}
	e.Match.Alert, e.Match.Relation, e.Decision.ManagedIn = dedup.AlertID(a.ID), dedup.Twin, f.managed(a, e)
	return true, nil
}

// limitUndone: a pairing that is taken back counts here where both were inside.
func (f *folder) limitUndone(ctx context.Context, e *stream.Entry) (fold bool, err error) {
	n, err := f.notifiedAs(ctx, e.Key)
	if err != nil {
		return false, err
	}
	if n == 0 {
		return true, f.limitNotified(ctx, e)
	}
	if a, err := f.own(ctx, e.Match.Alert); err != nil || a != nil {
		return false, err // it was forwarded after all, and stays the alert's
	}
	a, err := f.alertAt(ctx, n)
	if err != nil || a == nil {
		return false, err
	}
	s := a.sighting(e.Notification.Service)
	if s == nil || s.Key == e.Key && len(a.Sightings) == 1 { // what leaves is all that there is here
		return false, errors.Join(f.exec(ctx, "DELETE FROM alert_streamed WHERE alert = ?", n),
			f.exec(ctx, "INSERT INTO alert_streamed (id, alert, managed_in) VALUES (?, ?, ?)", string(e.Match.Alert), n, string(e.Decision.ManagedIn)))
	}
	e.Match.RunnerUp = &dedup.Candidate{Alert: dedup.AlertID(a.ID)}
	e.Match.Alert, e.Match.Relation, e.Match.Evidence = ownID(e.Key, "apart"), dedup.First, nil
	e.Decision.ManagedIn = e.Notification.Service
	return true, nil
}

// limitAct makes of an act what it does inside.
func (f *folder) limitAct(ctx context.Context, e *stream.Entry) (fold bool, err error) {
	if e.Act == nil {
		return false, nil
	}
	act, err := read(e.Act)
	if err != nil {
		return false, nil //nolint:nilerr // the whole model says so
	}
	switch a := act.(type) {
	case Close, Reopen:
		return false, f.limitStatus(ctx, e, act)
	case Assign:
		a.Alerts, err = f.owns(ctx, a.Alerts)
		return f.instead(e, a, a.Alerts, err)
	case Write:
		a.Alerts, err = f.owns(ctx, a.Alerts)
		return f.instead(e, a, a.Alerts, err)
	case Mark:
		a.Alerts, err = f.owns(ctx, a.Alerts)
		return f.instead(e, a, a.Alerts, err)
	case Undo, Tag, Join, Split:
		return true, nil
	case ResetScore: // its reason may name what is outside; what a limited role sees stands on its own
		return false, nil
	case SaveQuery: // what others keep may name what they see
		return e.Act.Scope == f.m.options.Scope.Key(), nil
	case DropQuery:
		return a.Shared || e.Act.Scope == f.m.options.Scope.Key(), nil
	}
	return false, nil
}

func (f *folder) instead(e *stream.Entry, a Act, on []string, err error) (fold bool, _ error) {
	if err != nil || len(on) == 0 {
		return false, err
	}
	act, err := Record(e.Act.By, a)
	e.Act = &act
	return err == nil, err
}

// owns are the alerts of which the model has something.
func (f *folder) owns(ctx context.Context, ids []string) (own []string, err error) {
	for _, id := range ids {
		a, err := f.own(ctx, dedup.AlertID(id))
		if err != nil {
			return nil, err
		}
		if a != nil && !slices.Contains(own, a.ID) {
			own = append(own, a.ID)
		}
	}
	return own, nil
}

// limitStatus closes or opens alerts in the services inside: in the one that the act is about, or else where the
// closure rule leads from there.
func (f *folder) limitStatus(ctx context.Context, e *stream.Entry, act Act) error {
	var asked formats.Service
	ids, _ := alertsOf(act)
	switch a := act.(type) {
	case Close:
		asked = a.In
	case Reopen:
		asked = a.In
	}
	by := map[formats.Service][]string{}
	for _, id := range ids {
		a, err := f.own(ctx, dedup.AlertID(id))
		if err != nil {
			return err
		}
		if a == nil {
			continue
		}
		in := asked
		var managed string
		if _, err := f.row(ctx, "SELECT managed_in FROM alert_streamed WHERE id = ?", []any{id}, &managed); err != nil {
			return err
		}
		if in == "" {
			in = formats.Service(managed)
		}
		for _, s := range reached(a, in, f.m.options.Config.Closure) {
			by[s] = append(by[s], a.ID)
		}
	}
	for _, s := range slices.Sorted(func(yield func(formats.Service) bool) {
		for s := range by {
			if !yield(s) {
				return
			}
		}
	}) {
		if err := f.actOnAlerts(ctx, e, statusIn(act, s, by[s])); err != nil {
			return err
		}
	}
	return nil
}

// statusIn is the act in one service, on those alerts.
func statusIn(act Act, s formats.Service, alerts []string) Act {
	if a, ok := act.(Close); ok {
		a.In, a.Alerts = s, alerts
		return a
	}
	a, _ := act.(Reopen)
	a.In, a.Alerts = s, alerts
	return a
}

// reached are the services of the alert in which something done in another one counts.
func reached(a *row, in formats.Service, table config.Closure) []formats.Service {
	if slices.Contains(a.standings(), in) {
		return []formats.Service{in}
	}
	var out []formats.Service
	for _, name := range table.Of(string(in)) {
		if s := formats.Service(name); slices.Contains(a.standings(), s) {
			out = append(out, s)
		}
	}
	return out
}
