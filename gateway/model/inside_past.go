package model

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/risk"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// A limit that is new finds a stream whose beginning is gone. The whole model has the past still: the notifications of
// alerts as they came, what operators did, and the log. They are folded again as they would have been, by the same code,
// as far as the whole model keeps them: of an alert's many updates the newest.

// learnPast gives a new limited model the past, up to where the whole model stands. It waits for that to be open.
func (f *folder) learnPast(ctx context.Context) error {
	first, _ := f.m.options.Stream.Bounds()
	if !f.m.limited() || f.m.options.Whole == nil || f.place.sequence > 0 || first <= 1 {
		return nil
	}
	whole := f.m.options.Whole()
	for ; whole == nil; whole = f.m.options.Whole() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
	defer f.rollback()
	err := whole.view(ctx, func(tx *sql.Tx) error {
		at, err := placeOf(ctx, tx)
		if err != nil || at.sequence == 0 {
			return err
		}
		if err := f.begin(ctx); err != nil {
			return err
		}
		if err := errors.Join(f.pastAlerts(ctx, whole, tx), f.pastActivities(ctx, tx)); err != nil {
			return err
		}
		f.place = at
		return errors.Join(f.commit(ctx), f.followed())
	})
	if err != nil {
		return fmt.Errorf("learn the past from the whole model: %w", err)
	}
	return nil
}

// pastAlerts folds the notifications in the order of the stream, and the acts between them.
func (f *folder) pastAlerts(ctx context.Context, whole *Model, tx *sql.Tx) error {
	acts, err := pastActs(ctx, tx)
	if err != nil {
		return err
	}
	rows, err := tx.QueryContext(ctx, "SELECT a.id, a.n, a.data, x.data FROM alert_notices x JOIN alerts a ON a.n = x.alert ORDER BY x.n")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	for rows.Next() {
		var id string
		var n int64
		var data, said []byte
		var r alertRecord
		var notice Notice
		err := rows.Scan(&id, &n, &data, &said)
		if err == nil {
			err = errors.Join(whole.codec.dec.Unmarshal(data, &r), whole.codec.dec.Unmarshal(said, &notice))
		}
		if err != nil {
			return err
		}
		for len(acts) > 0 && acts[0].Time.Before(notice.Time) {
			if err := f.past(ctx, acts[0]); err != nil {
				return err
			}
			acts = acts[1:]
		}
		if err := f.pastNotice(ctx, tx, &r, n, &notice); err != nil {
			return err
		}
	}
	for _, e := range acts {
		if err := f.past(ctx, e); err != nil {
			return err
		}
	}
	return rows.Err()
}

// pastNotice folds a notification of an alert, by all the IDs that the stream has for it.
func (f *folder) pastNotice(ctx context.Context, tx *sql.Tx, r *alertRecord, n int64, notice *Notice) error {
	e := &stream.Entry{
		Kind: stream.Notification, Time: notice.Time, Key: notice.Key, Input: notice.Input, Notification: notice.Said,
		Match: dedup.Match{Alert: dedup.AlertID(r.ID), Relation: notice.Relation}, Decision: policy.Decision{ManagedIn: r.ManagedIn},
	}
	if err := f.past(ctx, e); err != nil {
		return err
	}
	rows, err := tx.QueryContext(ctx, "SELECT id FROM alert_ids WHERE alert = ? AND id <> ?", n, r.ID)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	for rows.Next() {
		var other string
		if err := rows.Scan(&other); err != nil {
			return err
		}
		if err := f.settle(ctx, streamed{other, string(r.ManagedIn)}, e.Match.Alert); err != nil { // nothing, where the alert isn't inside
			return err
		}
	}
	return rows.Err()
}

// past folds an entry that is made anew.
func (f *folder) past(ctx context.Context, e *stream.Entry) error {
	if !f.m.sees(e) {
		return nil
	}
	f.m.strip(e)
	f.place.time = later(f.place.time, e.Time)
	return f.entry(ctx, e, nil)
}

// pastActs are the acts in their order.
func pastActs(ctx context.Context, tx *sql.Tx) ([]*stream.Entry, error) {
	rows, err := tx.QueryContext(ctx, "SELECT key, time, who, act, details, scope FROM audit ORDER BY n")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	var out []*stream.Entry
	for rows.Next() {
		var ms int64
		var details string
		e := &stream.Entry{Kind: stream.Acted, Act: &stream.Act{}, Notification: formats.Notification{Service: formats.Sluice, Kind: formats.Act}}
		if err := rows.Scan(&e.Key, &ms, &e.Act.By, &e.Act.Verb, &details, &e.Act.Scope); err != nil {
			return nil, err
		}
		e.Time, e.Act.Args = instant(ms), json.RawMessage(details)
		if act, err := read(e.Act); err == nil && act != nil {
			if _, noted := act.(Noted); !noted {
				out = append(out, e)
			}
		}
	}
	return out, rows.Err()
}

// pastActivities writes the lines of the log that are inside, with numbers of their own.
func (f *folder) pastActivities(ctx context.Context, tx *sql.Tx) error {
	f.locate(time.Now())
	rows, err := tx.QueryContext(ctx, "SELECT n, data FROM activities WHERE kind = 0 ORDER BY n")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	for rows.Next() {
		var n int64
		var data []byte
		var r record
		if err := rows.Scan(&n, &data); err != nil {
			return err
		}
		if err := cbor.Unmarshal(data, &r); err != nil {
			return err
		}
		e := &stream.Entry{Time: timeOf(n), Key: r.Event, Notification: formats.Notification{Service: r.Service, App: r.App, Start: timeOf(n)}}
		if !f.m.sees(e) {
			continue
		}
		f.m.strip(e)
		l := &line{record: record{Activity: r.Activity}}
		l.Matched = nil // policies are nothing that a limited role knows of
		l.Time, l.At, l.n = timeOf(n), e.At, number(timeOf(n), e.At)
		if r.Spelling != "" {
			l.User = &Named{Spelling: r.Spelling}
		}
		if err := f.called(ctx, e, l); err != nil {
			return err
		}
		f.write(l)
		l.deed = pastDeed(&r, timeOf(n), f.scribe.locate)
		if err := f.priority.activity(ctx, l); err != nil {
			return err
		}
		if len(f.log.lines) >= rowsAtOnce {
			if err := f.insertRows(ctx); err != nil {
				return err
			}
		}
		if len(f.log.rows) >= batchEntries {
			f.log.leave()
		}
	}
	return rows.Err()
}

// pastDeed is an activity of the log as investigation priority takes it. Habits are learnt behind the alerts here, so
// that scores come out as those of a model that was always there only by and by.
func pastDeed(r *record, at time.Time, locate func(netip.Addr) risk.Network) *risk.Activity {
	n := formats.Notification{
		ID: r.ID, Class: r.Type, App: r.App, Title: r.Title, Message: r.Message, Addresses: r.Addresses, Start: at,
		Extra: map[string]string{"requestClientApplication": r.Agent},
	}
	deed := risk.ActivityOf(&n, "", at, locate)
	return &deed
}
