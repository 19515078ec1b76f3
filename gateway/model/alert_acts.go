package model

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// deed is an act on one alert: by whom and when, and what it did, for the history.
type deed struct {
	act   Act
	id    string // the act's
	by    string
	at    time.Time
	table config.Closure
}

// What an act changes, so that it can be taken back where that is as the act left it.
const (
	ofStatus   = "status"
	ofAssigned = "assigned"
	ofRead     = "read"
	ofComment  = "comment"
)

// errNothing: the act would leave the alert as it is, as it should be.
var errNothing = errors.New("nothing to do")

// on does it, or says why it can't be done. An error leaves the alert as it was.
func (d deed) on(r *alertRecord) (change, error) {
	l := change{By: d.by, What: d.act.verb(), Before: r.work()}
	var err error
	switch a := d.act.(type) {
	case Close:
		l.Of = ofStatus
		l.Text, err = d.close(r, a)
	case Reopen:
		l.Of = ofStatus
		l.Text, err = d.reopen(r, a)
	case Assign:
		l.Of, l.Text = ofAssigned, "assigned to "+a.To
		if a.To == "" {
			l.Text = "assigned to nobody"
		}
		if r.Assigned == a.To {
			err = errNothing
		}
		r.Assigned = a.To
	case Mark:
		l.Of, l.Text = ofRead, map[bool]string{true: "marked read", false: "marked unread"}[a.Read]
		if r.Read == a.Read {
			err = errNothing
		}
		r.Read = a.Read
	case Write:
		l.Of, l.Text = ofComment, a.Text
		l.Comment, l.There = &Comment{Act: d.id, By: d.by, Time: d.at, Text: a.Text}, true
		if len(r.Comments) >= mostComments {
			return l, fmt.Errorf("%w: alert %s has %d comments already, and may have no more", ErrRefused, r.ID, mostComments)
		}
		r.Comments = append(r.Comments, *l.Comment)
	default:
		err = fmt.Errorf("%w: %s is no act on alerts", ErrRefused, d.act.verb())
	}
	l.After = r.work()
	return l, err
}

// work is a copy of what operators made of the alert.
func (r *alertRecord) work() work {
	return work{Closures: maps.Clone(r.Closures), Assigned: r.Assigned, Read: r.Read}
}

// close marks the alert read too: who closes it has dealt with it, and what a service says afterwards shows.
func (d deed) close(r *alertRecord, a Close) (string, error) {
	in := a.In
	if in == "" {
		in = r.ManagedIn
	}
	if !slices.Contains(r.standings(), in) {
		return "", fmt.Errorf("%w: %s doesn't know alert %s, which is %s's", ErrRefused, in.Title(), r.ID, allCalled(r.standings()))
	}
	if c, closed := r.Closures[in]; closed {
		return "", fmt.Errorf("%w: alert %s is closed in %s already, by %s", ErrRefused, r.ID, in.Title(), c.By)
	}
	also := r.close(in, Closure{By: d.by, Time: d.at, Why: a.Why, Comment: a.Comment}, d.table)
	r.Read = true
	text := "closed in " + in.Title()
	if len(also) > 0 {
		text += ", and by that in " + allCalled(also)
	}
	return withComment(text+", as "+inWords(a.Why), a.Comment), nil
}

func (d deed) reopen(r *alertRecord, a Reopen) (string, error) {
	in := []formats.Service{a.In}
	if a.In == "" {
		in = []formats.Service{r.ManagedIn}
		if _, closed := r.Closures[r.ManagedIn]; !closed && r.closed() {
			in = slices.Sorted(maps.Keys(r.Closures)) // the managing service never spoke of it
		}
	}
	if !slices.Contains(r.standings(), in[0]) {
		return "", fmt.Errorf("%w: %s doesn't know alert %s, which is %s's", ErrRefused, in[0].Title(), r.ID, allCalled(r.standings()))
	}
	if _, closed := r.Closures[in[0]]; !closed {
		return "", fmt.Errorf("%w: alert %s is open in %s", ErrRefused, r.ID, in[0].Title())
	}
	var also []formats.Service
	for _, s := range in {
		also = append(also, r.reopen(s)...)
	}
	also = slices.DeleteFunc(also, func(s formats.Service) bool { return slices.Contains(in, s) })
	text := "reopened in " + allCalled(in)
	if len(also) > 0 {
		text += ", and by that in " + allCalled(also)
	}
	return withComment(text, a.Comment), nil
}

// unseen says whether the alert would be taken from somebody of whom whoever takes it didn't know.
func (a Assign) unseen(by, id string, r *alertRecord) bool {
	return a.Seen != nil && !slices.Contains([]string{"", by, a.To, a.Seen[id]}, r.Assigned)
}

func inWords(why string) string {
	return map[string]string{"true_positive": "true positive", "benign": "benign", "false_positive": "false positive"}[why]
}

func withComment(text, comment string) string {
	if comment == "" {
		return text
	}
	return text + ": " + comment
}

// alertsOf lists the alerts that an act is on, each once; false where it is on none.
func alertsOf(a Act) ([]string, bool) {
	var ids []string
	switch a := a.(type) {
	case Close:
		ids = a.Alerts
	case Reopen:
		ids = a.Alerts
	case Assign:
		ids = a.Alerts
	case Mark:
		ids = a.Alerts
	case Write:
		ids = a.Alerts
	default:
		return nil, false
	}
	var out []string
	seen := map[string]bool{}
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out, true
}

// actOnAlerts folds an act. What no longer fits, because something else came first, is left as it is.
func (f *folder) actOnAlerts(ctx context.Context, e *stream.Entry, act Act) error {
	d := deed{act: act, id: string(e.Key), by: e.Act.By, at: e.Time, table: f.m.options.Config.Closure}
	ids, _ := alertsOf(act)
	for _, id := range ids {
		a, err := f.alertBy(ctx, id)
		if err != nil {
			return err
		}
		if a == nil {
			f.m.log.Warn("an act is on an alert that isn't there", "act", d.id, "verb", act.verb(), "alert", id)
			continue
		}
		l, err := d.on(&a.alertRecord)
		if errors.Is(err, errNothing) {
			continue
		}
		if err != nil {
			f.m.log.Info("an act no longer fits", "act", d.id, "verb", act.verb(), "alert", id, "err", err)
			continue
		}
		if err := errors.Join(f.note(ctx, a, e, l), f.save(ctx, a, e.Time)); err != nil {
			return err
		}
	}
	return nil
}

// undo folds an Undo: each alert that the act changed is as it was before, if that is as the act left it. To undo an
// undo does it again.
func (f *folder) undo(ctx context.Context, e *stream.Entry, u Undo) error {
	done, err := deedsOf(ctx, f.conn, f.m.codec, u.Act)
	if err != nil {
		return err
	}
	for _, was := range done {
		if e.Time.Sub(was.time) > f.m.options.Config.UndoWindow {
			f.m.log.Info("an act is too old to be undone", "act", u.Act)
			return nil
		}
		a, err := f.alertAt(ctx, was.alert)
		if err != nil {
			return err
		}
		if a == nil || !was.undoable(&a.alertRecord, f.m.codec) {
			f.m.log.Info("an act can't be undone on an alert that has changed since", "act", u.Act)
			continue
		}
		l := was.undo(&a.alertRecord)
		l.By = e.Act.By
		a.spread(f.m.options.Config.Closure) // to who reported it since
		if err := errors.Join(f.note(ctx, a, e, l), f.save(ctx, a, e.Time)); err != nil {
			return err
		}
	}
	return nil
}

// done is a line of an alert's history, and when it was.
type done struct {
	change
	alert int64
	key   string
	time  time.Time
}

// deedsOf lists what an act did, to each alert.
func deedsOf(ctx context.Context, q querier, c codec, act string) ([]done, error) {
	return history(ctx, q, c, "SELECT alert, time, key, data FROM alert_history WHERE key = ? ORDER BY n", act)
}

func history(ctx context.Context, q querier, c codec, query string, args ...any) ([]done, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read the history of alerts: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	var out []done
	for rows.Next() {
		var d done
		var ms int64
		var data []byte
		if err := rows.Scan(&d.alert, &ms, &d.key, &data); err != nil {
			return nil, fmt.Errorf("read the history of alerts: %w", err)
		}
		if err := c.dec.Unmarshal(data, &d.change); err != nil {
			return nil, fmt.Errorf("read the history of alerts: %w", err)
		}
		d.time = instant(ms)
		out = append(out, d)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the history of alerts: %w", err)
	}
	return out, nil
}

// undoable says whether what the line changed is as it left it.
func (l *change) undoable(r *alertRecord, c codec) bool {
	now := r.work()
	switch l.Of {
	case ofStatus:
		return sameClosures(now.Closures, l.After.Closures, c)
	case ofAssigned:
		return now.Assigned == l.After.Assigned
	case ofRead:
		return now.Read == l.After.Read
	case ofComment:
		there := slices.ContainsFunc(r.Comments, func(x Comment) bool { return x.Act == l.Comment.Act })
		return there == l.There
	}
	return false
}

func sameClosures(a, b map[formats.Service]Closure, c codec) bool {
	if len(a) == 0 && len(b) == 0 {
		return true
	}
	x, errA := c.enc.Marshal(a)
	y, errB := c.enc.Marshal(b)
	return errA == nil && errB == nil && bytes.Equal(x, y)
}

// undo takes back what the line changed.
func (l *change) undo(r *alertRecord) change {
	out := change{What: Undo{}.verb(), Of: l.Of, Before: r.work(), Text: "took back: " + l.Text}
	switch l.Of {
	case ofStatus:
		r.Closures = maps.Clone(l.Before.Closures)
		if r.Read == l.After.Read {
			r.Read = l.Before.Read
		}
	case ofAssigned:
		r.Assigned = l.Before.Assigned
	case ofRead:
		r.Read = l.Before.Read
	case ofComment:
		out.Comment, out.There = l.Comment, !l.There
		if i := slices.IndexFunc(r.Comments, func(x Comment) bool { return x.Act == l.Comment.Act }); i >= 0 {
			r.Comments = slices.Delete(r.Comments, i, i+1)
		} else {
			r.Comments = append(r.Comments, *l.Comment)
			slices.SortStableFunc(r.Comments, func(x, y Comment) int { return x.Time.Compare(y.Time) })
		}
	}
	out.After = r.work()
	return out
}
