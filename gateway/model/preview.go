package model

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/formats"
)

// What a preview looks at, and shows.
const (
	mostPreviewed = 500_000 // activities
	mostSamples   = 20
)

// Preview is what a policy would have raised.
type Preview struct {
	From    time.Time    `json:"from"`
	Judged  int64        `json:"activities"`        // that its filter fits, of the past that it learns from too
	Partial bool         `json:"partial,omitempty"` // there were more than are looked at: the newest are missing
	Alerts  int          `json:"alerts"`
	Days    []DayCount   `json:"days"`    // those with alerts, in their order
	Users   []ValueCount `json:"users"`   // with the most alerts
	Samples []Sample     `json:"samples"` // the newest
}

// DayCount is how many alerts a day would have had.
type DayCount struct {
	Day   string `json:"day"` // 2026-11-24, UTC
	Count int    `json:"count"`
}

// Sample is an alert that would have been raised.
type Sample struct {
	User    string    `json:"user,omitempty"`
	Start   time.Time `json:"start"`
	End     time.Time `json:"end"`
	Count   int       `json:"count"`
	Message string    `json:"message"`
}

// Preview says what a policy would have raised in the last days, by the activities that the log has. It may take as
// long as judging them all again takes, and ends with ctx.
func (m *Model) Preview(ctx context.Context, p ActivityPolicy, days int) (Preview, error) {
	if err := cmp.Or(p.check(), p.checkKind()); err != nil {
		return Preview{}, err
	}
	if days < 1 || days > mostPast {
		return Preview{}, fmt.Errorf("%w: a preview is of 1 to %d days, not %d", ErrInvalid, mostPast, days)
	}
	now, err := m.now(ctx)
	if err != nil {
		return Preview{}, err
	}
	p.ID, p.Enabled = cmp.Or(p.ID, "preview"), true
	out := Preview{From: now.Add(-time.Duration(days) * 24 * time.Hour)}
	conn, err := m.reader.Conn(ctx)
	if err != nil {
		return Preview{}, fmt.Errorf("preview: %w", err)
	}
	f := &folder{m: m, conn: conn, statements: map[string]*sql.Stmt{}}
	err = f.pretend(ctx, p)
	if err == nil {
		err = f.previewed(ctx, &out, now)
	}
	if err == nil {
		err = f.summed(ctx, &out)
	}
	return out, errors.Join(err, f.pretended())
}

// pretend makes the tables that the fold of policies writes anew, as temporary ones of the connection: they stand
// before those of the file, of which the connection can read only. Since when people are known they know from it.
func (f *folder) pretend(ctx context.Context, p ActivityPolicy) error {
	for _, query := range []string{
		"BEGIN",
		"CREATE TEMP TABLE policy_hits AS SELECT * FROM main.policy_hits WHERE FALSE",
		"CREATE UNIQUE INDEX temp.policy_hits_one ON policy_hits (policy, name, time, key)",
		"CREATE TEMP TABLE policy_past AS SELECT * FROM main.policy_past WHERE FALSE",
		"CREATE UNIQUE INDEX temp.policy_past_one ON policy_past (policy, name, value)",
		"CREATE INDEX temp.policy_past_value ON policy_past (policy, value, first)",
		"CREATE TEMP TABLE policy_usual AS SELECT * FROM main.policy_usual WHERE FALSE",
		"CREATE TEMP TABLE raised AS SELECT * FROM main.raised WHERE FALSE",
		"CREATE UNIQUE INDEX temp.raised_one ON raised (id)",
		"CREATE INDEX temp.raised_policy ON raised (policy, user, start)",
		"CREATE INDEX temp.raised_noted ON raised (policy, noted)",
		"CREATE TEMP TABLE policy_seen AS SELECT name, first, 0 AS last FROM main.policy_seen",
		"CREATE UNIQUE INDEX temp.policy_seen_one ON policy_seen (name)",
	} {
		if _, err := f.conn.ExecContext(ctx, query); err != nil {
			return fmt.Errorf("preview: %s: %w", query, err)
		}
	}
	j, err := newJudged(p)
	f.policies = newBook()
	f.policies.policies = []judged{j}
	return err
}

// pretended takes the tables away.
func (f *folder) pretended() error {
	for _, s := range f.statements {
		_ = s.Close() // with the connection
	}
	_, err := f.conn.ExecContext(context.Background(), "ROLLBACK")
	return errors.Join(err, f.conn.Close())
}

// previewed judges the activities in the order of time. Those before the preview are for learning only.
func (f *folder) previewed(ctx context.Context, out *Preview, now time.Time) error {
	p := &f.policies.policies[0]
	from := out.From
	if p.Beyond != nil {
		from = from.Add(-time.Duration(p.Beyond.Days) * 24 * time.Hour)
	}
	q := Query{Sort: "time", Limit: mostLimit, Filter: append(slices.Clone(p.filter), // what is an alert is no policy's business
		filter.Condition{Field: "time", Op: filter.AtLeast, Values: []string{from.Format(time.RFC3339)}},
		filter.Condition{Field: "kind", Op: filter.Equals, Values: []string{string(formats.Activity)}})}
	f.policies.retained = millis(now) / day // nothing is too old
	for {
		page, err := f.m.Activities(ctx, q)
		if err != nil {
			return err
		}
		for i := range page.Items {
			a := &page.Items[i]
			p.Enabled = !a.Time.Before(out.From)
			f.place.time = later(f.place.time, a.Time)
			f.policies.retained = millis(f.place.time) / day
			name, err := f.nameOf(ctx, a)
			if err != nil {
				return err
			}
			if _, err := f.judge(ctx, name, a); err != nil {
				return err
			}
		}
		out.Judged += int64(len(page.Items))
		if out.Partial = out.Judged >= mostPreviewed && page.Next != ""; out.Partial || page.Next == "" {
			return nil
		}
		q.Cursor = page.Next
	}
}

// nameOf finds the name of whom an activity names.
func (f *folder) nameOf(ctx context.Context, a *Activity) (n int64, err error) {
	if a.User != nil {
		_, err = f.row(ctx, "SELECT n FROM names WHERE folded = ?", []any{filter.Fold(cleanName(a.User.Spelling))}, &n)
	}
	return n, err
}

// summed reads what was raised.
func (f *folder) summed(ctx context.Context, out *Preview) error {
	rows, err := f.conn.QueryContext(ctx, "SELECT data FROM raised ORDER BY start, id")
	if err != nil {
		return fmt.Errorf("preview: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	users := map[string]int64{}
	out.Days, out.Users, out.Samples = []DayCount{}, []ValueCount{}, []Sample{}
	for rows.Next() {
		var data []byte
		var n formats.Notification
		if err := rows.Scan(&data); err != nil {
			return fmt.Errorf("preview: %w", err)
		}
		if err := f.m.codec.dec.Unmarshal(data, &n); err != nil {
			return fmt.Errorf("preview: %w", err)
		}
		out.Alerts++
		name := n.Start.Format(time.DateOnly)
		if last := len(out.Days) - 1; last >= 0 && out.Days[last].Day == name {
			out.Days[last].Count++
		} else {
			out.Days = append(out.Days, DayCount{name, 1})
		}
		s := Sample{Start: n.Start, End: n.End, Count: n.Count, Message: n.Message}
		if len(n.Accounts) > 0 {
			s.User = n.Accounts[0].Name
			users[s.User]++
		}
		out.Samples = append(out.Samples, s)
	}
	slices.Reverse(out.Samples)
	out.Samples = out.Samples[:min(len(out.Samples), mostSamples)]
	for u, n := range users {
		out.Users = append(out.Users, ValueCount{u, n})
	}
	slices.SortFunc(out.Users, func(a, b ValueCount) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value)) })
	out.Users = out.Users[:min(len(out.Users), mostSamples)]
	return rows.Err()
}
