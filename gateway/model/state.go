package model

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// State says how the model stands to the stream, and what it holds.
func (m *Model) State(ctx context.Context) (State, error) {
	out := State{Gaps: []Gap{}, Missing: m.Missing()}
	tx, err := m.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return out, fmt.Errorf("read the state: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // it only read
	p, err := placeOf(ctx, tx)
	if err != nil {
		return out, fmt.Errorf("read the state: %w", err)
	}
	out.Sequence = p.sequence
	if _, last := m.options.Stream.Bounds(); last > p.sequence {
		out.Behind = last - p.sequence
	}
	var alerts, lines sql.NullInt64
	for _, one := range []struct {
		query string
		into  any
	}{
		{"SELECT count(*) FROM alerts", &out.Alerts},
		{"SELECT coalesce(sum(count), 0) FROM combinations", &out.Activities},
		{"SELECT count(*) FROM persons WHERE into_n IS NULL", &out.Users},
		{"SELECT min(first) FROM alerts", &alerts},
		{"SELECT min(n) FROM activities", &lines},
	} {
		if err := tx.QueryRowContext(ctx, one.query).Scan(one.into); err != nil {
			return out, fmt.Errorf("read the state: %w", err)
		}
	}
	out.Oldest.Alerts = instant(alerts.Int64)
	if lines.Valid {
		out.Oldest.Activities = timeOf(lines.Int64)
	}
	if err := m.gaps(ctx, tx, &out); err != nil {
		return out, err
	}
	if m.limited() { // how much there is beside says something too
		out.Sequence, out.Behind = 0, min(out.Behind, 1)
		for i := range out.Gaps {
			out.Gaps[i].First, out.Gaps[i].Last = 0, 0
		}
	}
	return out, nil
}

func (m *Model) gaps(ctx context.Context, q querier, out *State) (err error) {
	rows, err := q.QueryContext(ctx, "SELECT first, last, noticed FROM gaps ORDER BY first")
	if err != nil {
		return fmt.Errorf("read the gaps: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var g Gap
		var noticed int64
		if err := rows.Scan(&g.First, &g.Last, &noticed); err != nil {
			return fmt.Errorf("read the gaps: %w", err)
		}
		g.Noticed = instant(noticed)
		out.Gaps = append(out.Gaps, g)
	}
	return rows.Err()
}

// Missing lists the services without licence: what only they could tell isn't there, which is not to say that it
// didn't happen.
func (m *Model) Missing() []string {
	out := []string{}
	services := m.options.Config.Services
	for _, name := range services.Order() {
		if !services.Enabled(name) {
			out = append(out, name)
		}
	}
	return out
}
