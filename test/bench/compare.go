package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
)

// row is a program with what was measured of it, a sample a round.
type row struct {
	program program
	found   string
	one     []sample // as fast as it goes, on one connection
	eight   []sample
	pace    []sample // at the constant rate
}

// compare measures every row in every round and prints the table.
func (b *bench) compare(ctx context.Context, stdout io.Writer) error {
	rows, err := b.rows()
	if err != nil {
		return err
	}
	all := newWork(0, max(b.events, b.rate*b.seconds))
	var failed error
	for round := range b.rounds {
		for i := range rows {
			r := &rows[i]
			if err := b.round(ctx, r, all); err != nil {
				failed = errors.Join(failed, fmt.Errorf("round %d, %s: %w", round+1, r.program.name, err))
			}
			_, _ = fmt.Fprintf(b.log, "round %d of %d, %s: %s and %s events/s, p99 %s ms\n", round+1, b.rounds, r.program.name,
				whole(r.one[round].rate), whole(r.eight[round].rate), decimal(r.pace[round].p99))
			if ctx.Err() != nil {
				return errors.Join(ctx.Err(), failed)
			}
		}
	}
	if err := printTable(stdout, rows); err != nil {
		return err
	}
	if err := b.footer(ctx, stdout, rows); err != nil {
		return err
	}
	if b.require {
		failed = errors.Join(failed, printRequirements(stdout, rows))
	}
	return failed
}

// rows are the programs that were asked for and are there.
func (b *bench) rows() ([]row, error) {
	var out []row
	var missing error
	for _, p := range programs() {
		if len(b.only) > 0 && !slices.Contains(b.only, p.name) {
			continue
		}
		r := row{program: p}
		if p.needs != "" {
			var err error
			if r.found, err = find(p.needs); err != nil {
				missing = errors.Join(missing, fmt.Errorf("row %s: %w; %s", p.name, err, p.install))
				continue
			}
		}
		out = append(out, r)
	}
	if missing != nil {
		if b.strict {
			return nil, missing
		}
		_, _ = fmt.Fprintln(b.log, "going on without", missing)
	}
	return out, nil
}

// round measures a row once. What fails leaves a gap.
func (b *bench) round(ctx context.Context, r *row, all work) error {
	n := int(math.Min(r.program.share, 1) * float64(b.events))
	n = max(n-n%cycle, minEvents)
	t := task{program: r.program, found: r.found, work: all.lines(0, n), times: max(int(r.program.share), 1), conns: 1}
	one, err := b.measure(ctx, t)
	r.one = append(r.one, one)
	t.conns = maxSendLimit
	eight, err8 := b.measure(ctx, t)
	r.eight = append(r.eight, eight)
	pace, errPace := nothing(), error(nil)
	if one.rate > 1.2*float64(b.rate) { // what can't keep up has no latency to speak of
		n := b.rate * b.seconds
		t.work, t.times, t.conns, t.rate = all.lines(0, n-n%cycle), 1, 1, b.rate
		pace, errPace = b.measure(ctx, t)
	}
	r.pace = append(r.pace, pace)
	return errors.Join(err, err8, errPace)
}

// column takes one figure of every round.
func column(samples []sample, of func(sample) float64) []float64 {
	out := make([]float64, 0, len(samples))
	for _, s := range samples {
		out = append(out, of(s))
	}
	return out
}

func rate(s sample) float64 { return s.rate }
func cpu(s sample) float64  { return s.cpu }
func idle(s sample) float64 { return s.idle }
func peak(s sample) float64 { return s.peak }
func p50(s sample) float64  { return s.p50 }
func p99(s sample) float64  { return s.p99 }

// named finds a row; nil where it was not measured.
func named(rows []row, name string) *row {
	for i := range rows {
		if rows[i].program.name == name {
			return &rows[i]
		}
	}
	return nil
}

// against is a row's throughput on one connection against another's; NaN where one is missing.
func against(rows []row, name, other string, of func(*row) []sample) float64 {
	a, b := named(rows, name), named(rows, other)
	if a == nil || b == nil {
		return math.NaN()
	}
	return median(ratios(column(of(a), rate), column(of(b), rate)))
}

func one(r *row) []sample   { return r.one }
func eight(r *row) []sample { return r.eight }
