package model

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// What is kept of an alert's notifications: of each service the first, and of all the newest. A storm of updates
// doesn't fill the disk; the stream has them all.
const (
	mostNotices     = 20
	mostNoticeBytes = 256 << 10
)

// row is an alert while it is folded.
type row struct {
	n int64
	alertRecord
	had tabled // of it, when it was read
}

// tabled is what the tables have beside the record.
type tabled struct {
	texts []fielded
	names []int64
	words string
}

func (f *folder) tabled(r *alertRecord) tabled {
	t := tabled{texts: r.texts(f.m.catalog), words: r.words()}
	for _, u := range r.users() {
		if u.Name != 0 && !slices.Contains(t.names, u.Name) {
			t.names = append(t.names, u.Name)
		}
	}
	return t
}

// alertBy reads an alert by any of its IDs, nil where there is none.
func (f *folder) alertBy(ctx context.Context, id string) (*row, error) {
	var n int64
	if ok, err := f.row(ctx, "SELECT alert FROM alert_ids WHERE id = ?", []any{id}, &n); err != nil || !ok {
		return nil, err
	}
	return f.alertAt(ctx, n)
}

func (f *folder) alertAt(ctx context.Context, n int64) (*row, error) {
	a := &row{n: n}
	var data []byte
	if ok, err := f.row(ctx, "SELECT data FROM alerts WHERE n = ?", []any{n}, &data); err != nil || !ok {
		return nil, err
	}
	if err := f.m.codec.dec.Unmarshal(data, &a.alertRecord); err != nil {
		return nil, fmt.Errorf("read alert %d: %w", n, err)
	}
	a.had = f.tabled(&a.alertRecord)
	return a, nil
}

// newAlert makes an alert that nothing is said of yet.
func (f *folder) newAlert(ctx context.Context, id string) (*row, error) {
	a := &row{alertRecord: alertRecord{ID: id}}
	var err error
	a.n, err = f.insert(ctx, "INSERT INTO alerts (id, revision, closed, severity, first, last, seen, folded, data) VALUES (?, 0, 0, 0, 0, 0, 0, 0, x'')", id)
	if err != nil {
		return nil, err
	}
	return a, f.exec(ctx, "INSERT INTO alert_ids (id, alert) VALUES (?, ?)", id, a.n)
}

// save writes what an entry of that time made of the alert.
func (f *folder) save(ctx context.Context, a *row, at time.Time) error {
	a.Revision++
	a.settle(at)
	data, err := f.m.codec.enc.Marshal(&a.alertRecord)
	if err != nil {
		return fmt.Errorf("write alert %s: %w", a.ID, err)
	}
	var drift any
	if !a.Drift.IsZero() {
		drift = millis(a.Drift)
	}
	err = f.exec(ctx, "UPDATE alerts SET revision = ?, closed = ?, severity = ?, first = ?, last = ?, drift = ?, seen = ?, folded = ?, data = ? WHERE n = ?",
		a.Revision, rank(a.closed()), int(a.severity()), millis(a.first()), millis(a.Last), drift, rank(a.Read), millis(at), data, a.n)
	if err != nil {
		return err
	}
	has := f.tabled(&a.alertRecord)
	if !slices.Equal(has.texts, a.had.texts) {
		err = f.saveTexts(ctx, a.n, has.texts)
	}
	if err == nil && !slices.Equal(has.names, a.had.names) {
		err = f.saveNames(ctx, a.n, has.names)
	}
	if err == nil && has.words != a.had.words {
		err = f.saveWords(ctx, a.n, has.words)
	}
	a.had = has
	if err != nil {
		return err
	}
	return f.priority.alert(ctx, a)
}

func (f *folder) saveTexts(ctx context.Context, n int64, texts []fielded) error {
	if err := f.exec(ctx, "DELETE FROM alert_terms WHERE alert = ?", n); err != nil {
		return err
	}
	for _, t := range texts {
		var term int64
		if t.text != "" {
			var err error
			if term, err = f.number(ctx, t.field, t.text); err != nil {
				return err
			}
		}
		at := t.field
		if t.also {
			at = -at
		}
		if err := f.exec(ctx, "INSERT OR IGNORE INTO alert_terms (field, term, alert) VALUES (?, ?, ?)", at, term, n); err != nil {
			return err
		}
	}
	return nil
}

func (f *folder) saveNames(ctx context.Context, n int64, names []int64) error {
	if err := f.exec(ctx, "DELETE FROM alert_names WHERE alert = ?", n); err != nil {
		return err
	}
	for _, name := range names {
		if err := f.exec(ctx, "INSERT INTO alert_names (name, alert) VALUES (?, ?)", name, n); err != nil {
			return err
		}
	}
	return nil
}

func (f *folder) saveWords(ctx context.Context, n int64, words string) error {
	if err := f.exec(ctx, "DELETE FROM alert_text WHERE rowid = ?", n); err != nil {
		return err
	}
	return f.exec(ctx, "INSERT INTO alert_text (rowid, text) VALUES (?, ?)", n, words)
}

// dropAlert deletes an alert with all that is kept of it. Lines of the activity log stay.
func (f *folder) dropAlert(ctx context.Context, n int64) error {
	for _, table := range []string{"alert_ids", "alert_streamed", "alert_notices", "alert_terms", "alert_names", "alert_history"} {
		if err := f.exec(ctx, "DELETE FROM "+table+" WHERE alert = ?", n); err != nil {
			return err
		}
	}
	if err := f.exec(ctx, "DELETE FROM alert_text WHERE rowid = ?", n); err != nil {
		return err
	}
	return f.exec(ctx, "DELETE FROM alerts WHERE n = ?", n)
}

// notify keeps a notification of the alert.
func (f *folder) notify(ctx context.Context, n int64, e *stream.Entry) error {
	data, err := f.m.codec.enc.Marshal(noticeOf(e))
	if err != nil {
		return fmt.Errorf("write notification %s: %w", e.Key, err)
	}
	if err := f.exec(ctx, "INSERT INTO alert_notices (alert, service, key, size, data) VALUES (?, ?, ?, ?, ?)",
		n, string(e.Notification.Service), string(e.Key), len(data), data); err != nil {
		return err
	}
	return f.trimNotices(ctx, n)
}

func noticeOf(e *stream.Entry) *Notice {
	n := &Notice{Key: e.Key, At: e.At, Input: e.Input, Time: e.Time, Said: e.Notification}
	n.decide(e)
	return n
}

func (n *Notice) decide(e *stream.Entry) {
	d := e.Decision
	n.Kind, n.Relation, n.Action, n.Would, n.Reason, n.Rule = e.Kind, e.Match.Relation, d.Action, d.Would, d.Reason, d.Rule
	n.StandsFor, n.Decided = d.StandsFor, e.Time
	if !d.Until.IsZero() {
		n.Until = d.Until
	}
}

// trimNotices deletes the oldest, but for each service's first.
func (f *folder) trimNotices(ctx context.Context, alert int64) error {
	s, err := f.stmt(ctx, "SELECT n, service, size FROM alert_notices WHERE alert = ? ORDER BY n")
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(ctx, alert)
	if err != nil {
		return fmt.Errorf("list notifications: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	type kept struct{ n, size int64 }
	var later []kept
	firsts := map[string]bool{}
	for rows.Next() {
		var k kept
		var service string
		if err := rows.Scan(&k.n, &service, &k.size); err != nil {
			return fmt.Errorf("list notifications: %w", err)
		}
		if firsts[service] {
			later = append(later, k)
		}
		firsts[service] = true
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("list notifications: %w", err)
	}
	room := int64(mostNoticeBytes)
	for i, k := range slices.Backward(later) {
		room -= k.size
		newest := len(later) - 1 - i
		if newest > 0 && (room < 0 || newest >= mostNotices) {
			if err := f.exec(ctx, "DELETE FROM alert_notices WHERE n = ?", k.n); err != nil {
				return err
			}
		}
	}
	return nil
}

// notifiedAs finds the alert under which a notification is kept, 0 for none.
func (f *folder) notifiedAs(ctx context.Context, key dedup.EventKey) (n int64, err error) {
	_, err = f.row(ctx, "SELECT alert FROM alert_notices WHERE key = ? ORDER BY n DESC LIMIT 1", []any{string(key)}, &n)
	return n, err
}

// decidedLater notes at a notification that is kept what was decided for it later.
func (f *folder) decidedLater(ctx context.Context, e *stream.Entry) error {
	var n int64
	var data []byte
	ok, err := f.row(ctx, "SELECT n, data FROM alert_notices WHERE key = ? ORDER BY n DESC LIMIT 1", []any{string(e.Key)}, &n, &data)
	if err != nil || !ok {
		return err
	}
	var notice Notice
	if err := f.m.codec.dec.Unmarshal(data, &notice); err != nil {
		return fmt.Errorf("read notification %s: %w", e.Key, err)
	}
	notice.decide(e)
	if data, err = f.m.codec.enc.Marshal(&notice); err != nil {
		return fmt.Errorf("write notification %s: %w", e.Key, err)
	}
	return f.exec(ctx, "UPDATE alert_notices SET size = ?, data = ? WHERE n = ?", len(data), data, n)
}

// firstNotice is the first notification that is kept of an alert, as the entry that it was.
func (f *folder) firstNotice(ctx context.Context, alert int64) (*stream.Entry, error) {
	var data []byte
	ok, err := f.row(ctx, "SELECT data FROM alert_notices WHERE alert = ? ORDER BY n LIMIT 1", []any{alert}, &data)
	if err != nil || !ok {
		return nil, err
	}
	var notice Notice
	if err := f.m.codec.dec.Unmarshal(data, &notice); err != nil {
		return nil, fmt.Errorf("read a notification of alert %d: %w", alert, err)
	}
	return &stream.Entry{
		At: notice.At, Kind: stream.Notification, Time: notice.Time, Key: notice.Key, Input: notice.Input, Notification: notice.Said,
	}, nil
}

// change is an entry of an alert's history.
type change struct {
	By   string `cbor:"1,keyasint"`
	What string `cbor:"2,keyasint"`
	Text string `cbor:"3,keyasint"`

	// What the act changed, as it was before and after; nothing for what can't be undone.
	Of      string   `cbor:"4,keyasint,omitempty"` // status, assigned, read, comment
	Before  work     `cbor:"5,keyasint,omitzero"`
	After   work     `cbor:"6,keyasint,omitzero"`
	Comment *Comment `cbor:"7,keyasint,omitempty"`
	There   bool     `cbor:"8,keyasint,omitempty"` // the comment, afterwards
}

// work is what operators make of an alert, but for the comments.
type work struct {
	Closures map[formats.Service]Closure `cbor:"1,keyasint,omitempty"`
	Assigned string                      `cbor:"2,keyasint,omitempty"`
	Read     bool                        `cbor:"3,keyasint,omitempty"`
}

// note adds a line to the history of an alert.
func (f *folder) note(ctx context.Context, a *row, e *stream.Entry, l change) error {
	data, err := f.m.codec.enc.Marshal(&l)
	if err != nil {
		return fmt.Errorf("write the history of alert %s: %w", a.ID, err)
	}
	return f.exec(ctx, "INSERT INTO alert_history (alert, time, key, data) VALUES (?, ?, ?, ?)", a.n, millis(e.Time), string(e.Key), data)
}
