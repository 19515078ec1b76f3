package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// requirement is one figure that must hold.
type requirement struct {
	what    string
	value   float64 // NaN: not measured
	atLeast float64 // 0: see atMost
	atMost  float64
}

// holds says so; what was not measured doesn't.
func (r requirement) holds() bool {
	if r.atLeast > 0 {
		return r.value >= r.atLeast
	}
	return r.value <= r.atMost
}

func (r requirement) String() string {
	mark, bound := "holds", fmt.Sprintf("≤ %g", r.atMost)
	if r.atLeast > 0 {
		bound = fmt.Sprintf("≥ %g", r.atLeast)
	}
	switch {
	case math.IsNaN(r.value):
		return fmt.Sprintf("| %s | %s | %s | not measured |", r.what, bound, gap)
	case !r.holds():
		mark = "**does not hold**"
	}
	return fmt.Sprintf("| %s | %s | %.3g | %s |", r.what, bound, r.value, mark)
}

// requirements are what Sluice promises about its speed, as ratios within this run.
func requirements(rows []row) []requirement {
	var out []requirement
	for _, d := range []struct {
		name                                          string
		relay, reliable, queue, syncedQueue, cpu, p99 float64
	}{
		{synced, .08, 2, 2, 30, 10, 10},
		{unsynced, .12, 3, 3, 0, 8, 5},
	} {
		r := named(rows, d.name)
		if r == nil {
			r = &row{}
		}
		least := func(what string, v, bound float64) {
			out = append(out, requirement{what: d.name + ": " + what, value: v, atLeast: bound})
		}
		most := func(what string, v, bound float64) {
			out = append(out, requirement{what: d.name + ": " + what, value: v, atMost: bound})
		}
		least("throughput against the bare relay, 1 connection", against(rows, d.name, bare, one), d.relay)
		least("against syslog-ng disk-buffer reliable", against(rows, d.name, reliable, one), d.reliable)
		least("against rsyslog disk queue", against(rows, d.name, diskQueue, one), d.queue)
		if d.syncedQueue > 0 {
			least("against rsyslog disk queue, synced", against(rows, d.name, syncedQueue, one), d.syncedQueue)
		}
		most("CPU µs per event at saturation", median(column(r.one, cpu)), d.cpu)
		most("p99 ms at the constant rate", median(column(r.pace, p99)), d.p99)
		most("RSS MiB at saturation", highest(column(append(append([]sample(nil), r.one...), r.eight...), peak)), 400)
		most("RSS MiB idle", median(column(r.one, idle)), 80)
	}
	return out
}

// printRequirements says which hold. The error says that some don't, or were not measured.
func printRequirements(w io.Writer, rows []row) error { return report(w, requirements(rows)) }

func report(w io.Writer, all []requirement) error {
	lines := []string{"", "| must hold | bound | measured | |", "|---|---|---:|---|"}
	failed := 0
	for _, r := range all {
		lines = append(lines, r.String())
		if !r.holds() {
			failed++
		}
	}
	if _, err := fmt.Fprintln(w, strings.Join(lines, "\n")); err != nil {
		return err
	}
	if failed > 0 {
		return errors.New(fmt.Sprint(failed, " of ", len(all), " requirements don't hold"))
	}
	return nil
}
