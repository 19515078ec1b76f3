package model

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config/filter"
)

// plan is how lines of the log are found: by the index, by the index once for each part of a large set of
// tokens, or one after the other.
type plan struct {
	from, to int64     // numbers, to not among them
	match    []string  // expressions of the index, each of which finds lines
	checks   []sqlText // of what is found
	lines    int64     // how many there are, where the dictionary tells exactly; else unknown
}

// planOf chooses what finds and what is checked, for so many lines as are wanted of it.
func planOf(ctx context.Context, q querier, f filter.Filter, now time.Time, want int64) (plan, error) {
	conditions, err := asked(ctx, q, f, now)
	if err != nil {
		return plan{}, err
	}
	p, find, not := together(conditions)
	if len(conditions) == 1 {
		p.lines = conditions[0].lines
	}
	if len(find)+len(not) > 0 {
		p.match = []string{expression(find, not)}
	}
	for i, w := range conditions {
		if w.set == nil {
			continue
		}
		rare, err := w.set.rare(ctx, q, p, want)
		if err != nil {
			return p, err
		}
		if rare {
			p.match = w.set.expressions(find, not)
			p.checks = checksBut(conditions, i)
			break
		}
	}
	return p, nil
}

// together is a plan of all conditions but for what the index finds: expressions that a line has all of, and those
// of which it has none.
func together(conditions []wanted) (p plan, find, not []string) {
	p = plan{to: math.MaxInt64, lines: unknown}
	for _, w := range conditions {
		p.from, p.to = max(p.from, w.from), min(p.to, w.to)
		switch {
		case w.match != "" && w.not:
			not = append(not, w.match)
		case w.match != "":
			find = append(find, w.match)
		}
		if w.check.text != "" {
			p.checks = append(p.checks, w.check)
		}
	}
	return p, find, not
}

// checksBut are the checks of all conditions but that one.
func checksBut(conditions []wanted, but int) []sqlText {
	var out []sqlText
	for i, w := range conditions {
		if i != but && w.check.text != "" {
			out = append(out, w.check)
		}
	}
	return out
}

// rare says whether looking each of the set up is faster than checking what the plan finds, by what either costs
// about, in microseconds, and by how many lines some of the set have.
func (s *set) rare(ctx context.Context, q querier, p plan, want int64) (bool, error) {
	const lookUp, check, sample = 20, 3, 64
	count := func(numbers sqlText) (n int64, err error) {
		err = q.QueryRowContext(ctx, "SELECT count(*) FROM ("+numbers.text+")", numbers.args...).Scan(&n)
		return n, err
	}
	worth := len(s.numbers) * lookUp / check // lines, to be checked
	p.checks = nil
	found, err := count(p.numbers(false, worth))
	if err != nil || found < int64(worth) {
		return false, err
	}
	all, err := linesOf(ctx, q)
	if err != nil {
		return false, err
	}
	step := len(s.numbers) / sample
	var some []int64
	for i := range sample {
		some = append(some, s.numbers[i*step])
	}
	p.match = []string{either(tokensOf(s.letter, some))}
	if found, err = count(p.numbers(false, 100*sample)); err != nil {
		return false, err
	}
	return want*all/max(1, found*int64(step)) > int64(worth), nil
}

// expressions finds what has any of the set, a part of it at a time.
func (s *set) expressions(find, not []string) []string {
	const atOnce = 32
	var out []string
	for some := range slices.Chunk(s.numbers, atOnce) {
		out = append(out, expression(append(slices.Clone(find), either(tokensOf(s.letter, some))), not))
	}
	return out
}

// expression is one that finds all of these and none of those.
func expression(find, not []string) string {
	if len(find) == 0 {
		find = []string{phrase("#")} // every line has one
	}
	e := strings.Join(find, " AND ")
	if len(not) > 0 {
		e = "(" + e + ") NOT (" + strings.Join(not, " OR ") + ")"
	}
	return e
}

// numbers is the query that gives the numbers, n, of as many lines, in their order.
func (p plan) numbers(rising bool, limit int) sqlText {
	within := func(column string) sqlText { return say(column+" >= ? AND "+column+" < ?", p.from, p.to) }
	from, column := say("activities a"), "a.n"
	var where []sqlText
	switch len(p.match) {
	case 0:
		where = []sqlText{within(column)}
	case 1:
		from, column = say("activity_index i"), "i.rowid"
		where = []sqlText{say("i.activity_index MATCH ?", p.match[0]), within(column)}
	default:
		in := within("i.rowid")
		from, column = say("(SELECT DISTINCT i.rowid AS n FROM json_each(?) t CROSS JOIN activity_index i WHERE i.activity_index MATCH t.value AND "+
			in.text+") f", append([]any{jsonOf(p.match)}, in.args...)...), "f.n"
	}
	if len(p.checks) > 0 && len(p.match) > 0 {
		from.text += " CROSS JOIN activities a ON a.n = " + column
	}
	q := say("SELECT "+column+" AS n FROM "+from.text, from.args...)
	if where = append(where, p.checks...); len(where) > 0 {
		q = join([]sqlText{q, join(where, " AND ")}, " WHERE ")
	}
	direction := " DESC"
	if rising {
		direction = ""
	}
	return join([]sqlText{q, say(column+direction+" LIMIT ?", limit)}, " ORDER BY ")
}
