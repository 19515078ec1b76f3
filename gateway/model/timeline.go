package model

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"
)

const (
	mostTokens  = 250     // that one expression of the index has
	mostNaming  = 2000    // alerts whose lines are looked for because they name somebody: the newest
	mostCounted = 100_000 // lines of one user
)

// Timeline gives a page of all that is known of a user, under all names and in all services: the lines of the log
// that are the user's, and those of the alerts that name the user beside somebody else. The filter is one of the
// log's. It is sorted as the log is, the newest first or by time rising.
func (m *Model) Timeline(ctx context.Context, id string, q Query) (Page[Activity], error) {
	return m.logPage(ctx, q, func(tx *sql.Tx, rising bool, limit int) (sqlText, error) {
		return timeline(ctx, tx, id, q, rising, limit)
	})
}

// timeline is the query that gives the numbers of a user's lines. Each of its parts walks through the index from
// where the page begins, and ends where it is full, so that it takes no longer for somebody who does much.
func timeline(ctx context.Context, q querier, id string, asked Query, rising bool, limit int) (sqlText, error) {
	person, err := userBy(ctx, q, id)
	if err != nil {
		return sqlText{}, err
	}
	plans, err := plansOf(ctx, q, person, asked)
	if err != nil {
		return sqlText{}, err
	}
	parts := make([]sqlText, len(plans))
	for i := range plans {
		if err := plans[i].after(asked.Cursor, rising); err != nil {
			return sqlText{}, err
		}
		parts[i] = plans[i].numbers(rising, limit)
		parts[i].text = "SELECT n FROM (" + parts[i].text + ")"
	}
	direction := " DESC"
	if rising {
		direction = ""
	}
	all := join(parts, " UNION ")
	return say("SELECT n FROM ("+all.text+") ORDER BY n"+direction+" LIMIT ?", append(all.args, limit)...), nil
}

// plansOf are the plans that together find a user's lines which fit the filter.
func plansOf(ctx context.Context, q querier, person int64, query Query) ([]plan, error) {
	conditions, err := asked(ctx, q, query.Filter, time.Now())
	if err != nil {
		return nil, err
	}
	base, find, not := together(conditions)
	names, err := readNumbers(q.QueryContext(ctx, "SELECT n FROM names WHERE person = ? ORDER BY n", person))
	if err != nil {
		return nil, err
	}
	alerts, err := readNumbers(q.QueryContext(ctx, "SELECT DISTINCT y.alert FROM names x JOIN alert_names y ON y.name = x.n WHERE x.person = ? ORDER BY y.alert DESC LIMIT ?",
		person, mostNaming))
	if err != nil {
		return nil, err
	}
	var out []plan
	add := func(letter byte, numbers []int64, more ...string) {
		for some := range slices.Chunk(numbers, mostTokens) {
			p := base
			p.match = []string{expression(slices.Concat(find, more, []string{either(tokensOf(letter, some))}), not)}
			out = append(out, p)
		}
	}
	add(letterName, names)
	add(letterAlert, alerts, phrase(tokensOf(letterKind, []int64{1})...)) // what others did and belongs to an alert isn't the user's
	return out, nil
}

// countLines counts the lines of a user's names, up to a bound.
func (m *Model) countLines(ctx context.Context, person int64) (n int64, err error) {
	names, err := readNumbers(m.reader.QueryContext(ctx, "SELECT n FROM names WHERE person = ? ORDER BY n LIMIT ?", person, mostTokens))
	if err != nil || len(names) == 0 {
		return 0, err
	}
	err = m.reader.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM activity_index WHERE activity_index MATCH ? LIMIT ?)",
		either(tokensOf(letterName, names)), mostCounted).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count the activities of a user: %w", err)
	}
	return n, nil
}
