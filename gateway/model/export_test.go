package model

import (
	"context"
	"time"
)

// AlertsSQL is the query of a page of the queue, where that many alerts are few.
func (m *Model) AlertsSQL(ctx context.Context, q Query, few int) (string, []any, error) {
	o, err := alertOrderOf(q.Sort)
	if err != nil {
		return "", nil, err
	}
	w, err := m.alertsWhere(ctx, q.Filter, o, few)
	if err == nil && q.Cursor != "" {
		err = o.after(w, q.Cursor)
	}
	if err != nil {
		return "", nil, err
	}
	return "SELECT a.n, a.data FROM alerts a" + w.sql() + o.sql(w) + " LIMIT 51", w.args, nil
}

// Path is the file of the tables.
func (m *Model) Path() string { return m.path() }

// Snapshot copies the model now.
func (m *Model) Snapshot(ctx context.Context) error { return m.copyOnce(ctx, time.Now()) }

// IndexPath is the file of the index of the log.
func (m *Model) IndexPath() string { return m.indexPath() }
