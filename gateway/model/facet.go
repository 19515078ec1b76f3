package model

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/formats"
)

const (
	facetValues = 20     // of a field
	facetLines  = 20_000 // that are counted through, the newest
)

// ErrFacet says that a list can't be counted by a field.
var ErrFacet = errors.New("no facet")

// ActivityFacets says of each field how many lines of the log that fit have each value, the most frequent ones
// first. Of more than 20,000 that fit the newest 20,000 are counted; but the empty filter counts all, except of users
// and of fields with several values, which have too many.
func (m *Model) ActivityFacets(ctx context.Context, f filter.Filter, fields []string) (map[string][]ValueCount, error) {
	out := make(map[string][]ValueCount, len(fields))
	err := m.view(ctx, func(tx *sql.Tx) error {
		p, err := planOf(ctx, tx, f, time.Now(), facetLines)
		if err != nil {
			return err
		}
		for _, name := range fields {
			facet, err := facetOf(name)
			if err != nil {
				return err
			}
			q := facet.among(p)
			if len(f) == 0 && facet.of.text != "" {
				q = facet.of
			}
			if out[name], err = valueCounts(ctx, tx, q); err != nil {
				return fmt.Errorf("count the values of %s: %w", name, err)
			}
		}
		return nil
	})
	return out, err
}

// facet is how the values of a field are counted.
type facet struct {
	of    sqlText              // of all lines; empty where they are too many
	among func(p plan) sqlText // of those that fit
}

func facetOf(name string) (facet, error) {
	for i, n := range [...]string{"service", "application", "type", "action", "title", "source"} {
		if n == name {
			return combinedFacet([...]string{"service", "app", "type", "action", "title", "input"}[i]), nil
		}
	}
	for _, n := range [...]string{"ip", "device", "object", "policy"} {
		if n == name {
			return facet{among: amongTerms("activities a ON a.n = f.n CROSS JOIN json_each(a."+n+") j", "j.value")}, nil
		}
	}
	switch name {
	case "user":
		return userFacet(), nil
	case "user_agent":
		return facet{
			of:    say("SELECT value, count FROM terms WHERE field = ? AND count > 0", fieldAgent),
			among: amongTerms("activities a ON a.n = f.n", "a.agent"),
		}, nil
	case "kind":
		return wordFacet("a.kind", "activity", letterKind, "alert"), nil
	case "failed":
		return wordFacet("a.failed", "no", letterFailed, "yes"), nil
	case "administrative":
		return wordFacet("a.admin", "no", letterAdmin, "yes"), nil
	case "severity":
		return severityFacet(), nil
	}
	return facet{}, fmt.Errorf("%q isn't counted by its values: %w", name, ErrFacet)
}

// amongTerms counts the terms of those that fit.
func amongTerms(from, term string) func(p plan) sqlText {
	return func(p plan) sqlText {
		q := p.numbers(false, facetLines)
		return say("SELECT t.value, c.count FROM (SELECT "+term+" AS term, count(*) AS count FROM ("+q.text+") f CROSS JOIN "+from+
			" GROUP BY 1) c CROSS JOIN terms t ON t.n = c.term", q.args...)
	}
}

// combinedFacet counts by a column of combinations.
func combinedFacet(column string) facet {
	return facet{
		of:    say("SELECT t.value, c.count FROM (SELECT " + column + " AS term, sum(count) AS count FROM combinations GROUP BY 1) c CROSS JOIN terms t ON t.n = c.term WHERE c.count > 0"),
		among: amongTerms("activities a ON a.n = f.n CROSS JOIN combinations k ON k.n = a.combination", "k."+column),
	}
}

// userFacet counts by people, not by what they are called.
func userFacet() facet {
	const display = "SELECT coalesce(p.display, ''), sum(c.count) FROM (%s) c LEFT JOIN names s ON s.n = c.name LEFT JOIN persons p ON p.n = s.person GROUP BY p.n"
	return facet{
		among: func(p plan) sqlText {
			q := p.numbers(false, facetLines)
			return say(fmt.Sprintf(display, "SELECT a.name, count(*) AS count FROM ("+q.text+") f CROSS JOIN activities a ON a.n = f.n GROUP BY a.name"), q.args...)
		},
	}
}

// wordFacet counts by one of two words. Few lines have the second, which the index counts.
func wordFacet(column, usual string, letter byte, other string) facet {
	return facet{
		of: say("SELECT ?, count(*) AS count FROM activity_index WHERE activity_index MATCH ? GROUP BY 1 UNION ALL SELECT ?, "+
			"(SELECT sum(count) FROM combinations) - (SELECT count(*) FROM activity_index WHERE activity_index MATCH ?) AS count WHERE count > 0",
			other, phrase(tokensOf(letter, []int64{1})...), usual, phrase(tokensOf(letter, []int64{1})...)),
		among: func(p plan) sqlText {
			q := p.numbers(false, facetLines)
			return say("SELECT iif("+column+", ?, ?), count(*) FROM ("+q.text+") f CROSS JOIN activities a ON a.n = f.n GROUP BY 1", append([]any{other, usual}, q.args...)...)
		},
	}
}

func severityFacet() facet {
	const word = "CASE %s WHEN 1 THEN 'informational' WHEN 2 THEN 'low' WHEN 3 THEN 'medium' WHEN 4 THEN 'high' ELSE 'unknown' END"
	tokens := map[string]string{}
	for s := formats.NoSeverity; s <= formats.High; s++ {
		if s == usualSeverity {
			continue
		}
		tokens[fmt.Sprint(int(s))] = phrase(tokensOf(letterSeverity, []int64{int64(s)})...)
	}
	const counted = "WITH c AS (SELECT CAST(j.key AS INTEGER) AS severity, (SELECT count(*) FROM activity_index WHERE activity_index MATCH j.value) AS count FROM json_each(?) j) "
	return facet{
		of: say(counted+"SELECT "+fmt.Sprintf(word, "severity")+", count FROM c WHERE count > 0 UNION ALL "+
			"SELECT 'informational', (SELECT sum(count) FROM combinations) - (SELECT sum(count) FROM c) AS count WHERE count > 0", jsonOf(tokens)),
		among: func(p plan) sqlText {
			q := p.numbers(false, facetLines)
			return say("SELECT "+fmt.Sprintf(word, "a.severity")+", count(*) FROM ("+q.text+") f CROSS JOIN activities a ON a.n = f.n GROUP BY 1", q.args...)
		},
	}
}

func valueCounts(ctx context.Context, q querier, counts sqlText) ([]ValueCount, error) {
	rows, err := q.QueryContext(ctx, counts.text+" ORDER BY 2 DESC, 1 LIMIT ?", append(counts.args, facetValues)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // what is wrong, Err says
	out := []ValueCount{}
	for rows.Next() {
		var v ValueCount
		if err := rows.Scan(&v.Value, &v.Count); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}
