package model

import (
	"context"
	"fmt"
	"slices"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/formats"
)

// AlertFacets counts for each field how many of the alerts that fit have each of its values, the most frequent first:
// any field of the dictionary, user, status, read, drift or severity.
func (m *Model) AlertFacets(ctx context.Context, f filter.Filter, fields []string) (map[string][]ValueCount, error) {
	out := map[string][]ValueCount{}
	for _, name := range fields {
		w, err := m.alertsWhere(ctx, f, alertOrder{}, fewAlerts)
		if err != nil {
			return nil, err
		}
		query, args, err := alertFacet(w, name)
		if err != nil {
			return nil, err
		}
		if out[name], err = m.counts(ctx, query, args...); err != nil {
			return nil, err
		}
		if name == "severity" {
			for i := range out[name] {
				s := formats.Severity(out[name][i].Value[0] - '0')
				out[name][i].Value = s.String()
			}
		}
	}
	return out, nil
}

// alertFacet is the query for one field.
func alertFacet(w *alertWhere, name string) (string, []any, error) {
	fit := ""
	if len(w.parts) > 0 {
		fit = " AND x.alert IN (SELECT a.n FROM alerts a" + w.sql() + ")"
	}
	const most = " GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?"
	if at, ok := alertFields(name); ok {
		if at == fieldPolicy { // an alert of our own is found by its policy's ID, too, and counts under the name
			fit += " AND coalesce(t.value, '') NOT IN (SELECT policy FROM raised)"
		}
		return "SELECT coalesce(t.value, ''), count(*) FROM alert_terms x LEFT JOIN terms t ON t.n = x.term WHERE x.field = ?" + fit +
			" GROUP BY x.term ORDER BY 2 DESC, 1 LIMIT ?", slices.Concat([]any{at}, w.args, []any{mostFacets}), nil
	}
	column := map[string]string{
		"status": "CASE a.closed WHEN 1 THEN 'closed' ELSE 'open' END", "read": "CASE a.seen WHEN 1 THEN 'yes' ELSE 'no' END",
		"drift": "CASE WHEN a.drift IS NULL THEN 'no' ELSE 'yes' END", "severity": "CAST(a.severity AS TEXT)",
	}[name]
	switch {
	case name == "user":
		return "SELECT p.display, count(DISTINCT x.alert) FROM alert_names x JOIN names s ON s.n = x.name JOIN persons p ON p.n = s.person WHERE TRUE" + fit +
			" GROUP BY p.n ORDER BY 2 DESC, 1 LIMIT ?", slices.Concat(w.args, []any{mostFacets}), nil
	case column != "":
		return "SELECT " + column + ", count(*) FROM alerts a" + w.sql() + most, slices.Concat(w.args, []any{mostFacets}), nil
	}
	return "", nil, fmt.Errorf("%w: alerts aren't counted by %s", ErrFacet, name)
}

func (m *Model) counts(ctx context.Context, query string, args ...any) ([]ValueCount, error) {
	rows, err := m.reader.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("count: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	out := []ValueCount{}
	for rows.Next() {
		var c ValueCount
		if err := rows.Scan(&c.Value, &c.Count); err != nil {
			return nil, fmt.Errorf("count: %w", err)
		}
		out = append(out, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("count: %w", err)
	}
	return out, nil
}
