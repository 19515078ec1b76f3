package model

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/formats"
)

// mostAudits is how many of the activities that led to an alert of our own it names.
const mostAudits = 20

// raising is an alert of our own that a policy wants.
type raising struct {
	start, end int64
	count      int
	keys       []string // of the activities
	why        string
}

// hit counts an activity that a policy fits, and raises an alert when there are enough.
func (j *judgement) hit(ctx context.Context, why string) error {
	j.counts = true
	if j.p.Times > 1 && j.name == 0 {
		return nil // nobody's, so they can't be counted
	}
	if told, err := j.toldLately(ctx); err != nil || told {
		return err
	}
	r := raising{start: j.at, end: j.at, count: 1, keys: []string{string(j.a.Event)}, why: why}
	if j.p.Times > 1 {
		err := j.f.exec(ctx, "INSERT OR IGNORE INTO policy_hits (policy, name, time, key) VALUES (?, ?, ?, ?)", j.p.ID, j.name, j.at, string(j.a.Event))
		if err != nil {
			return err
		}
		enough, err := j.enough(ctx, &r)
		if err != nil || !enough {
			return err
		}
	}
	return j.want(ctx, r)
}

// enough says whether the activity is one of so many of the user's in so long, and which these are.
func (j *judgement) enough(ctx context.Context, r *raising) (bool, error) {
	within := j.p.Within.Milliseconds()
	s, err := j.f.stmt(ctx, "SELECT time, key FROM policy_hits WHERE policy = ? AND name IN "+theirNames+" AND time > ? AND time < ? ORDER BY time, key")
	if err != nil {
		return false, err
	}
	rows, err := s.QueryContext(ctx, j.p.ID, j.name, j.at-within, j.at+within)
	if err != nil {
		return false, fmt.Errorf("count: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	var times []int64
	var keys []string
	for rows.Next() {
		var t int64
		var key string
		if err := rows.Scan(&t, &key); err != nil {
			return false, fmt.Errorf("count: %w", err)
		}
		times, keys = append(times, t), append(keys, key)
	}
	if err := rows.Err(); err != nil {
		return false, fmt.Errorf("count: %w", err)
	}
	for i := range len(times) - j.p.Times + 1 {
		last := i + j.p.Times - 1
		if times[last]-times[i] < within {
			r.start, r.end, r.count, r.keys = times[i], times[last], j.p.Times, keys[i:last+1]
			r.why = cmp.Or(r.why, fmt.Sprintf("%d activities within %s", j.p.Times, j.p.Within))
			return true, nil
		}
	}
	return false, nil
}

// user is whom an alert is about: the ID of the user, or what one who isn't known is called.
func (j *judgement) user(ctx context.Context) (id string, err error) {
	if j.name != 0 {
		_, err = j.f.row(ctx, "SELECT p.id FROM names n JOIN persons p ON p.n = n.person WHERE n.n = ?", []any{j.name}, &id)
	} else if j.a.User != nil {
		id = idOf(filter.Fold(j.a.User.Spelling))
	}
	return cmp.Or(id, "nobody"), err
}

// id is that of the alert of a window.
func (j *judgement) id(ctx context.Context, start int64) (string, error) {
	user, err := j.user(ctx)
	return fmt.Sprintf("%s:%s:%d", j.p.ID, user, start), err
}

// toldLately says whether the user was told of within the time of the policy.
func (j *judgement) toldLately(ctx context.Context) (bool, error) {
	if j.p.Within == 0 {
		return false, nil
	}
	user, err := j.user(ctx)
	if err != nil {
		return false, err
	}
	within := j.p.Within.Milliseconds()
	return j.f.row(ctx, "SELECT 1 FROM raised WHERE policy = ? AND user = ? AND start > ? AND start < ? LIMIT 1",
		[]any{j.p.ID, user, j.at - within, j.at + within}, new(int))
}

// want notes that an alert is to be raised, unless that was noted before or the policy has raised too many.
func (j *judgement) want(ctx context.Context, r raising) error {
	f := j.f
	user, err := j.user(ctx)
	if err != nil {
		return err
	}
	id, err := j.id(ctx, r.start)
	if err != nil || f.policies.told[id] {
		return err
	}
	now := millis(f.place.time)
	var lately int
	if _, err := f.row(ctx, "SELECT count(*) FROM raised WHERE policy = ? AND noted > ?", []any{j.p.ID, now - day}, &lately); err != nil {
		return err
	}
	if lately >= mostRaised {
		if f.policies.warned[j.p.ID] != now/day {
			f.policies.warned[j.p.ID] = now / day
			f.m.log.Warn("an activity policy raises too many alerts, and no more today", "policy", j.p.ID, "most", mostRaised)
		}
		return nil
	}
	data, err := f.m.codec.enc.Marshal(j.notification(id, r))
	if err != nil {
		return fmt.Errorf("write alert %s: %w", id, err)
	}
	if len(f.policies.told) >= mostCached {
		clear(f.policies.told)
	}
	f.policies.told[id] = true
	return f.exec(ctx, "INSERT INTO raised (id, policy, user, start, noted, done, data) VALUES (?, ?, ?, ?, ?, 0, ?) ON CONFLICT (id) DO NOTHING",
		id, j.p.ID, user, r.start, now, data)
}

// notification is the alert as it goes into the stream. What isn't said here the gateway says.
func (j *judgement) notification(id string, r raising) *formats.Notification {
	a, p := j.a, j.p
	n := &formats.Notification{
		Service: formats.Sluice, Kind: formats.Alert, Origin: formats.Sluice, ID: id, Type: "activity_policy", Title: p.Name, Severity: p.Severity,
		Addresses: a.Addresses, App: a.App, Start: instant(r.start), End: instant(r.end), Count: r.count,
		Message: strings.Join(slices.DeleteFunc([]string{r.why, p.Description}, func(s string) bool { return s == "" }), "\n"),
		Extra: map[string]string{
			"policy": p.Name, "policyIDs": p.ID, "relatedAudits": strings.Join(r.keys[max(0, len(r.keys)-mostAudits):], ","),
		},
	}
	if p.Category != "" {
		n.Extra["category"] = p.Category
	}
	if a.User != nil {
		n.Accounts = []formats.Entity{{Name: a.User.Spelling, Key: "user"}}
	}
	for _, d := range a.Devices {
		n.Devices = append(n.Devices, formats.Entity{Name: d, Key: "device"})
	}
	return n
}

// raise asks the gateway for the alerts of our own that the policies want and that the stream doesn't have. It is
// called when the fold has come to the end of the stream, so that a model that is made anew has seen by then what was
// raised before. What the gateway refuses is asked for again, each time something is folded.
func (m *Model) raise(ctx context.Context, f *folder) error {
	if m.limited() {
		return nil // the whole model does
	}
	var due []formats.Notification
	rows, err := f.conn.QueryContext(ctx, "SELECT data FROM raised WHERE done = 0 ORDER BY id")
	if err != nil {
		return fmt.Errorf("list the alerts to raise: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	for rows.Next() {
		var data []byte
		var n formats.Notification
		if err := rows.Scan(&data); err != nil {
			return fmt.Errorf("list the alerts to raise: %w", err)
		}
		if err := m.codec.dec.Unmarshal(data, &n); err != nil {
			return fmt.Errorf("read an alert to raise: %w", err)
		}
		if !f.asked[n.ID] {
			due = append(due, n)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("list the alerts to raise: %w", err)
	}
	for _, n := range due {
		if err := m.options.Raise(ctx, n); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			m.log.Warn("an alert of an activity policy isn't raised yet", "alert", n.ID, "err", err)
			return nil
		}
		f.asked[n.ID] = true
	}
	return nil
}

// ours ticks an alert of our own off: the stream has it.
func (f *folder) ours(ctx context.Context, n *formats.Notification, at time.Time) error {
	return f.exec(ctx, "INSERT INTO raised (id, policy, user, start, noted, done, data) VALUES (?, ?, '', ?, ?, 1, x'') ON CONFLICT (id) DO UPDATE SET done = 1",
		n.ID, n.Extra["policyIDs"], millis(n.Start), millis(at))
}
