package model

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
)

// learns says whether a policy has to know what was usual.
func (p *ActivityPolicy) learns() bool {
	return p.Enabled && p.Beyond != nil && p.Beyond.What != beyondDormant // who was active when is known of all
}

// relearn has a policy that is new, or on again, learn from the log what it would know had it been on all along. One that
// is off learns nothing: it would cost more than the rest of most activities. Of more than 500,000 activities that its
// filter fits it learns the newest.
func (f *folder) relearn(ctx context.Context, p ActivityPolicy) error {
	if err := f.insertRows(ctx); err != nil { // so that the log is whole
		return err
	}
	p.Enabled = false
	j, err := newJudged(p)
	if err != nil {
		return fmt.Errorf("policy %s: %w", p.ID, err)
	}
	f.policies = newBook()
	f.policies.policies, f.policies.retained = []judged{j}, millis(f.place.time)/day
	numbers, err := f.fitting(ctx, j)
	if err != nil {
		return fmt.Errorf("policy %s: %w", p.ID, err)
	}
	for some := range slices.Chunk(numbers, mostLimit) {
		if err := f.rejudge(ctx, some); err != nil {
			return err
		}
	}
	err = f.flushPolicies(ctx)
	f.policies = nil // they are read again
	return err
}

// fitting are the numbers of the lines from which a policy learns, in the order of time.
func (f *folder) fitting(ctx context.Context, j judged) ([]int64, error) {
	since := f.place.time.Add(-time.Duration(j.Beyond.Days) * 24 * time.Hour)
	p, err := planOf(ctx, f.conn, append(slices.Clone(j.filter),
		filter.Condition{Field: "time", Op: filter.AtLeast, Values: []string{since.Format(time.RFC3339)}},
		filter.Condition{Field: "kind", Op: filter.Equals, Values: []string{string(formats.Activity)}}), f.place.time, mostPreviewed)
	if err != nil {
		return nil, err
	}
	q := p.numbers(false, mostPreviewed)
	numbers, err := readNumbers(f.conn.QueryContext(ctx, q.text, q.args...))
	if err != nil {
		return nil, err
	}
	for _, lately := range []map[dedup.EventKey]*line{f.log.before, f.log.events} { // the index may not have them yet
		for _, l := range lately {
			if l.Kind != formats.Activity || l.Time.Before(since) {
				continue
			}
			fits, err := (&judgement{f: f, p: &j, name: l.name, a: &l.Activity}).fits(ctx)
			if err != nil {
				return nil, err
			}
			if fits {
				numbers = append(numbers, l.n)
			}
		}
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	return numbers[max(0, len(numbers)-mostPreviewed):], nil
}

// rejudge has the policies of the book judge lines of the log.
func (f *folder) rejudge(ctx context.Context, numbers []int64) error {
	s, err := f.stmt(ctx, "SELECT a.n, a.name, a.data FROM json_each(?) j CROSS JOIN activities a ON a.n = j.value ORDER BY j.key")
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(ctx, jsonOf(numbers))
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	defer rows.Close() //nolint:errcheck // what is wrong, Err says
	var lines []line
	for rows.Next() {
		var l line
		var data []byte
		if err := rows.Scan(&l.n, &l.name, &data); err != nil {
			return err
		}
		if err := l.decode(data); err != nil {
			return err
		}
		lines = append(lines, l)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for i := range lines {
		if _, err := f.judge(ctx, lines[i].name, &lines[i].Activity); err != nil {
			return err
		}
	}
	return nil
}
