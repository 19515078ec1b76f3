package model

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/sluice-siem/sluice/config/filter"
)

// What one answer holds.
const (
	mostTotal   = 10_000 // from there on a total is "at least"
	mostFacets  = 100    // values of one field
	mostHistory = 1000   // lines
)

// Alerts gives a page of the queue, without the notifications. It is sorted by time (last seen), first_seen or
// severity, rising or, with a minus, falling; -time where nothing is said. An alert of which something new is
// notified meanwhile moves to its new place.
func (m *Model) Alerts(ctx context.Context, q Query) (Page[Alert], error) {
	o, err := alertOrderOf(q.Sort)
	if err != nil {
		return Page[Alert]{}, err
	}
	w, err := m.alertsWhere(ctx, q.Filter, o, fewAlerts)
	if err != nil {
		return Page[Alert]{}, err
	}
	if q.Cursor != "" {
		if err := o.after(w, q.Cursor); err != nil {
			return Page[Alert]{}, err
		}
	}
	limit := limitOf(q.Limit)
	numbers, records, err := m.records(ctx, "SELECT a.n, a.data FROM alerts a"+w.sql()+o.sql(w)+" LIMIT ?", append(w.args, limit+1)...)
	if err != nil {
		return Page[Alert]{}, err
	}
	page := Page[Alert]{}
	if len(records) > limit {
		page.Next = o.cursor(numbers[limit-1], records[limit-1])
		records = records[:limit]
	}
	page.Items, err = m.sums(ctx, records)
	return page, err
}

// EachAlert gives every alert that fits, the newest ID last, without the notifications. It may be stopped at any time.
func (m *Model) EachAlert(ctx context.Context, f filter.Filter) iter.Seq2[Alert, error] {
	return func(yield func(Alert, error) bool) {
		after := int64(0)
		for {
			w, err := m.alertsWhere(ctx, f, alertOrder{columns: []string{"n"}}, fewAlerts)
			if err != nil {
				yield(Alert{}, err)
				return
			}
			// In pages, so that a slow reader holds no transaction open; n never changes, so nothing is doubled.
			w.add("a.n > ?", after)
			numbers, records, err := m.records(ctx, "SELECT a.n, a.data FROM alerts a"+w.sql()+" ORDER BY a.n LIMIT ?", append(w.args, mostLimit)...)
			var alerts []Alert
			if err == nil {
				alerts, err = m.sums(ctx, records)
			}
			if err != nil {
				yield(Alert{}, err)
				return
			}
			for i := range alerts {
				if !yield(alerts[i], nil) {
					return
				}
				after = numbers[i]
			}
			if len(alerts) < mostLimit {
				return
			}
		}
	}
}

// Alert gives one alert with its notifications, by its ID or that of one that became part of it.
func (m *Model) Alert(ctx context.Context, id string) (Alert, error) {
	n, r, err := m.recordBy(ctx, id)
	if err != nil {
		return Alert{}, err
	}
	all, err := m.sums(ctx, []*alertRecord{r})
	if err != nil {
		return Alert{}, err
	}
	return all[0], m.notices(ctx, n, &all[0])
}

func (m *Model) notices(ctx context.Context, n int64, a *Alert) error {
	rows, err := m.reader.QueryContext(ctx, "SELECT data FROM alert_notices WHERE alert = ? ORDER BY n", n)
	if err != nil {
		return fmt.Errorf("read notifications: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	for rows.Next() {
		var data []byte
		var notice Notice
		if err := rows.Scan(&data); err != nil {
			return fmt.Errorf("read notifications: %w", err)
		}
		if err := m.codec.dec.Unmarshal(data, &notice); err != nil {
			return fmt.Errorf("read notifications: %w", err)
		}
		notice.Told = toldBy(&notice.Said)
		i := slices.IndexFunc(a.Sightings, func(s Sighting) bool { return s.Service == notice.Said.Service })
		if i >= 0 {
			a.Sightings[i].Notices = append(a.Sightings[i].Notices, notice)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read notifications: %w", err)
	}
	return nil
}

// AlertHistory lists what operators and the services did to an alert, the newest last, and what of it by could take back.
func (m *Model) AlertHistory(ctx context.Context, id, by string) ([]Change, error) {
	n, r, err := m.recordBy(ctx, id)
	if err != nil {
		return nil, err
	}
	now, err := m.now(ctx)
	if err != nil {
		return nil, err
	}
	// What was another alert's history came in between.
	lines, err := history(ctx, m.reader, m.codec, "SELECT alert, time, key, data FROM alert_history WHERE alert = ? ORDER BY time DESC, n DESC LIMIT ?", n, mostHistory)
	if err != nil {
		return nil, err
	}
	out := make([]Change, 0, len(lines))
	for _, l := range slices.Backward(lines) {
		out = append(out, Change{
			Act: l.key, Time: l.time, By: l.By, What: l.What, Text: l.Text,
			Undo: l.undoable(r, m.codec) && now.Sub(l.time) <= m.options.Config.UndoWindow && m.mayUndo(&l, by) == nil,
		})
	}
	return out, nil
}

// Changed is how many alerts an act on alerts has changed.
func (m *Model) Changed(ctx context.Context, act string) (n int, err error) {
	if err := m.reader.QueryRowContext(ctx, "SELECT count(DISTINCT alert) FROM alert_history WHERE key = ?", act).Scan(&n); err != nil {
		return 0, fmt.Errorf("count what act %.50s changed: %w", act, err)
	}
	return n, nil
}

// AlertTotal counts the alerts that fit, up to a bound.
func (m *Model) AlertTotal(ctx context.Context, f filter.Filter) (Total, error) {
	w, err := m.alertsWhere(ctx, f, alertOrder{}, fewAlerts)
	if err != nil {
		return Total{}, err
	}
	var t Total
	err = m.reader.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM alerts a"+w.sql()+" LIMIT ?)", append(w.args, mostTotal+1)...).Scan(&t.Count)
	if err != nil {
		return Total{}, fmt.Errorf("count alerts: %w", err)
	}
	if t.Count > mostTotal {
		t = Total{Count: mostTotal, AtLeast: true}
	}
	return t, nil
}

// alertIDs lists the alerts that fit, the newest first.
func (m *Model) alertIDs(ctx context.Context, f filter.Filter, limit int) ([]string, error) {
	o, err := alertOrderOf("")
	if err != nil {
		return nil, err
	}
	w, err := m.alertsWhere(ctx, f, o, fewAlerts)
	if err != nil {
		return nil, err
	}
	_, records, err := m.records(ctx, "SELECT a.n, a.data FROM alerts a"+w.sql()+o.sql(w)+" LIMIT ?", append(w.args, limit)...)
	var ids []string
	for _, r := range records {
		ids = append(ids, r.ID)
	}
	return ids, err
}

func (m *Model) recordBy(ctx context.Context, id string) (int64, *alertRecord, error) {
	var n int64
	err := m.reader.QueryRowContext(ctx, "SELECT alert FROM alert_ids WHERE id = ?", id).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil, fmt.Errorf("alert %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return 0, nil, fmt.Errorf("look for alert %s: %w", id, err)
	}
	r, err := m.recordAt(ctx, n)
	return n, r, err
}

func (m *Model) recordAt(ctx context.Context, n int64) (*alertRecord, error) {
	_, records, err := m.records(ctx, "SELECT n, data FROM alerts WHERE n = ?", n)
	if err == nil && len(records) == 0 {
		err = fmt.Errorf("alert: %w", ErrNotFound) // it was deleted since its number was read
	}
	if err != nil {
		return nil, err
	}
	return records[0], nil
}

func (m *Model) records(ctx context.Context, query string, args ...any) ([]int64, []*alertRecord, error) {
	rows, err := m.reader.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, nil, fmt.Errorf("read alerts: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	var numbers []int64
	var records []*alertRecord
	for rows.Next() {
		var n int64
		var data []byte
		r := &alertRecord{}
		if err := rows.Scan(&n, &data); err != nil {
			return nil, nil, fmt.Errorf("read alerts: %w", err)
		}
		if err := m.codec.dec.Unmarshal(data, r); err != nil {
			return nil, nil, fmt.Errorf("read alert %d: %w", n, err)
		}
		numbers, records = append(numbers, n), append(records, r)
	}
	if err := rows.Err(); err != nil {
		return nil, nil, fmt.Errorf("read alerts: %w", err)
	}
	return numbers, records, nil
}

// sums sums records up, with who the names belong to.
func (m *Model) sums(ctx context.Context, records []*alertRecord) ([]Alert, error) {
	var names []int64
	for _, r := range records {
		for _, u := range r.users() {
			names = append(names, u.Name)
		}
	}
	known, err := m.named(ctx, names)
	if err != nil {
		return nil, err
	}
	out := make([]Alert, len(records))
	for i, r := range records {
		out[i] = r.alert(m.catalog)
		for j, u := range r.users() {
			out[i].Users[j].User, out[i].Users[j].Display = known[u.Name].User, known[u.Name].Display
		}
	}
	return out, nil
}

// named gives the users of names.
func (m *Model) named(ctx context.Context, names []int64) (map[int64]Named, error) {
	if len(names) == 0 {
		return nil, nil
	}
	list, err := json.Marshal(names)
	if err != nil {
		return nil, fmt.Errorf("look for users: %w", err)
	}
	rows, err := m.reader.QueryContext(ctx, "SELECT x.n, p.id, p.display FROM json_each(?) j CROSS JOIN names x ON x.n = j.value JOIN persons p ON p.n = x.person", string(list))
	if err != nil {
		return nil, fmt.Errorf("look for users: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	out := map[int64]Named{}
	for rows.Next() {
		var n int64
		var u Named
		if err := rows.Scan(&n, &u.User, &u.Display); err != nil {
			return nil, fmt.Errorf("look for users: %w", err)
		}
		out[n] = u
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("look for users: %w", err)
	}
	return out, nil
}
