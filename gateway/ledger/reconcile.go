package ledger

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// Account is one target's side of the second equation.
type Account struct {
	Target string
	Tally  stream.Tally
	At     stream.Position
	Since  int64
}

// State is what the state of recognition holds, and the position that it has seen.
type State struct {
	Held []*stream.Entry // as they were recorded; key, service and receipt count
	At   uint64          // sequence of the last batch folded
}

// Report says whether the equations hold.
type Report struct {
	First   uint64        `json:"first_batch"` // of what the stream has
	Last    uint64        `json:"last_batch"`
	Stream  []Line        `json:"stream"`  // received and what became of it
	Targets []TargetLines `json:"targets"` // forwarded and what became of it
	Unequal []Difference  `json:"unequal"` // where an equation doesn't hold; empty where all do
	Lost    []Loss        `json:"lost"`    // what no equation speaks of; empty where nothing is lost
}

// TargetLines are the second equation for one target.
type TargetLines struct {
	Target string `json:"target"`
	Lines  []Line `json:"lines"`
}

// Line is one equation for one service and hour.
type Line struct {
	Service formats.Service  `json:"service"`
	Hour    time.Time        `json:"hour"`
	Terms   map[string]int64 `json:"terms"`
}

// Difference is an equation that doesn't hold.
type Difference struct {
	Target  string          `json:"target,omitempty"` // empty: the first equation
	Service formats.Service `json:"service"`
	Hour    time.Time       `json:"hour"`
	Left    int64           `json:"left"`  // received, or forwarded
	Right   int64           `json:"right"` // the sum of what became of it
	Events  []Event         `json:"events"`
}

// Event is an entry that differs.
type Event struct {
	Key string `json:"event_key"`
	Why string `json:"why"`
}

// Reconcile compares. Each equation is that of the moment in which its state or target was read, which
// is before the call. With a deep backlog it takes as long as reading that.
func (l *Ledger) Reconcile(ctx context.Context, s State, targets []Account) (Report, error) {
	first, last := l.stream.Bounds()
	r := Report{First: first, Last: last, Stream: []Line{}, Targets: []TargetLines{}, Unequal: []Difference{}}
	var err error
	if r.Lost, err = l.lost(ctx, time.Now()); err != nil {
		return r, err
	}
	if err := l.first(ctx, &r, s); err != nil {
		return r, err
	}
	for _, a := range targets {
		if err := l.second(ctx, &r, a); err != nil {
			return r, err
		}
	}
	return r, nil
}

// first is the equation of what was received.
func (l *Ledger) first(ctx context.Context, r *Report, s State) error {
	sum, since, err := l.upTo(ctx, stream.Position{Sequence: s.At, Index: stream.MaxEntries})
	if err != nil {
		return err
	}
	for cell := range sum {
		if cell.Term == Held {
			delete(sum, cell) // what should be held; what is held counts
		}
	}
	for _, e := range s.Held {
		sum.Add(Held, e, 1)
	}
	lines, unequal := equate(sum, since, Received, Forwarded, Suppressed, Dropped, Held)
	r.Stream = lines
	return l.name(ctx, r, unequal, "", s.Held, "it is neither decided nor held")
}

// second is the equation of what was forwarded, for one target.
func (l *Ledger) second(ctx context.Context, r *Report, a Account) error {
	end := stream.Position{Sequence: r.Last, Index: stream.MaxEntries}
	counted, since, err := l.upTo(ctx, end)
	if err != nil {
		return err
	}
	sum := a.Tally.Clone()
	for cell, c := range counted {
		if cell.Term == Forwarded {
			sum.Merge(stream.Tally{cell: c})
		}
	}
	for cell, c := range a.Tally {
		if cell.Term == Earlier {
			delete(sum, cell)
			cell.Term, c.N = Forwarded, -c.N
			sum.Merge(stream.Tally{cell: c})
		}
	}
	err = l.between(ctx, a.At, end, func(e *stream.Entry) {
		if e.Delivered() {
			sum.Add(Queued, e, 1)
		}
	})
	if err != nil {
		return err
	}
	lines, unequal := equate(sum, max(since, a.Since), Forwarded, Delivered, Filtered, Queued, DeadLettered)
	r.Targets = append(r.Targets, TargetLines{a.Target, lines})
	return l.name(ctx, r, unequal, a.Target, nil, "the target passed it and neither got nor refused it")
}

// gap is an equation that doesn't hold: by how much, and the digests of the entries that make it.
type gap struct {
	Difference
	keys uint64
}

// equate writes an equation for every service and hour after since.
func equate(sum stream.Tally, since int64, left string, right ...string) ([]Line, []gap) {
	type box struct {
		service formats.Service
		hour    int64
	}
	boxes := map[box]bool{}
	for cell := range sum { // hours that one side may have forgotten already
		since = max(since, cell.Hour-stream.HoursKept)
	}
	for cell := range sum {
		if cell.Hour > since {
			boxes[box{cell.Service, cell.Hour}] = true
		}
	}
	sorted := slices.SortedFunc(maps.Keys(boxes), func(a, b box) int {
		return cmp.Or(cmp.Compare(a.hour, b.hour), cmp.Compare(a.service, b.service))
	})
	lines := make([]Line, 0, len(sorted))
	var unequal []gap
	for _, b := range sorted {
		line := Line{b.service, time.Unix(b.hour*3600, 0).UTC(), map[string]int64{}}
		whole := sum[stream.Cell{Term: left, Service: b.service, Hour: b.hour}]
		line.Terms[left] = whole.N
		d := gap{Difference{Service: b.service, Hour: line.Hour, Left: whole.N, Events: []Event{}}, whole.Keys}
		for _, term := range right {
			c := sum[stream.Cell{Term: term, Service: b.service, Hour: b.hour}]
			line.Terms[term] = c.N
			d.Right += c.N
			d.keys ^= c.Keys
		}
		lines = append(lines, line)
		if d.Left != d.Right || d.keys != 0 {
			unequal = append(unequal, d)
		}
	}
	return lines, unequal
}

// name finds the entries that make the differences.
func (l *Ledger) name(ctx context.Context, r *Report, unequal []gap, target string, held []*stream.Entry, why string) error {
	for _, g := range unequal {
		g.Target = target
		events, err := l.suspects(ctx, g, held, target == "", why)
		if err != nil {
			return err
		}
		g.Events = append(g.Events, events...)
		r.Unequal = append(r.Unequal, g.Difference)
	}
	return nil
}

// suspects are, of the entries of that service and hour that the stream still has, the one whose digest
// is the difference, and where holds are accounted for, those that should be held and aren't.
func (l *Ledger) suspects(ctx context.Context, g gap, held []*stream.Entry, holds bool, why string) ([]Event, error) {
	waiting := map[string]bool{}
	for i := range held {
		waiting[string(held[i].Key)] = true
	}
	open := map[string]bool{}
	var out []Event
	_, last := l.stream.Bounds()
	err := l.between(ctx, stream.Position{}, stream.Position{Sequence: last, Index: stream.MaxEntries}, func(e *stream.Entry) {
		service, hour := e.Account()
		if service != g.Service || hour*3600 != g.Hour.Unix() {
			return
		}
		key := string(e.Key)
		switch {
		case e.Kind == stream.Release:
			delete(open, key)
		case e.Decision.Action == dedup.Hold && !waiting[key]:
			open[key] = true
		}
		if stream.Digest(key) == g.keys && !slices.ContainsFunc(out, func(o Event) bool { return o.Key == key }) {
			out = append(out, Event{key, why})
		}
	})
	if err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(open)) {
		if holds && !slices.ContainsFunc(out, func(o Event) bool { return o.Key == key }) {
			out = append(out, Event{key, "it was held, was never released, and doesn't wait"})
		}
	}
	if len(out) == 0 && g.keys != 0 {
		out = append(out, Event{"", fmt.Sprintf("the stream has no entry whose digest is %016x: more than one differs, or it is gone", g.keys)})
	}
	return out, nil
}
