package model

import (
	"context"
	"time"
)

// steps bound what one commit deletes, so that none takes long.
const (
	mostLines  = 400 // of the log
	mostAlerts = 50
	nearly     = 0.95 // of model.max_disk, from where on the oldest lines make room
)

// retain deletes what is older than model.retention by the fold's time, so that a model made anew deletes the same:
// lines of the logs, and alerts that are closed and of which nothing was heard since. Where the file nears
// model.max_disk the oldest lines go too. What is left over the next commit deletes.
func (f *folder) retain(ctx context.Context) error {
	c := f.m.options.Config.Model
	before := f.place.time.Add(-c.Retention.Activities).UnixMilli() << serialBits // numbers are in the order of time
	if crowded, err := f.crowded(ctx, int64(c.MaxDisk)); err != nil {
		return err
	} else if crowded {
		before = 1<<63 - 1
	}
	if err := f.deleteLines(ctx, before); err != nil {
		return err
	}
	if err := f.exec(ctx, "DELETE FROM audit WHERE time < ?", millis(f.place.time.Add(-c.Retention.Alerts))); err != nil {
		return err
	}
	return f.deleteAlerts(ctx, f.place.time.Add(-c.Retention.Alerts))
}

// crowded says whether what the files hold nears the limit. Pages that are free are used again.
func (f *folder) crowded(ctx context.Context, limit int64) (bool, error) {
	var held int64
	for _, file := range []string{"main", indexName} {
		var pages, free, size int64
		for pragma, into := range map[string]*int64{"page_count": &pages, "freelist_count": &free, "page_size": &size} {
			if err := f.conn.QueryRowContext(ctx, "PRAGMA "+file+"."+pragma).Scan(into); err != nil {
				return false, err
			}
		}
		held += (pages - free) * size
	}
	return float64(held) > nearly*float64(limit), nil
}

func (f *folder) deleteLines(ctx context.Context, before int64) error {
	s, err := f.stmt(ctx, "SELECT n FROM activities WHERE n < ? ORDER BY n LIMIT ?")
	if err != nil {
		return err
	}
	old, err := readNumbers(s.QueryContext(ctx, before, mostLines))
	if err != nil {
		return err
	}
	for _, n := range old {
		l, err := f.readLine(ctx, n)
		if err == nil {
			err = f.deleteLine(ctx, l)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// deleteAlerts deletes closed alerts that nothing has changed since then. Open ones stay, however old.
func (f *folder) deleteAlerts(ctx context.Context, before time.Time) error {
	s, err := f.stmt(ctx, "SELECT n FROM alerts WHERE closed = 1 AND folded < ? ORDER BY folded LIMIT ?")
	if err != nil {
		return err
	}
	old, err := readNumbers(s.QueryContext(ctx, millis(before), mostAlerts))
	if err != nil {
		return err
	}
	for _, n := range old {
		if err := f.dropAlert(ctx, n); err != nil {
			return err
		}
	}
	return nil
}
