package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats"
)

// The closure rule. Every service has its own status of an alert, and the alert has that of the service it is
// managed in. Where that service has never spoken of it, nobody can close it there but by hand, so the alert is
// closed too when all that did speak have it closed; should the managing service speak after all, it is open
// there, and so is the alert.

// standings are the services in which an alert can be closed: those that reported it and the one it is managed in.
func (r *alertRecord) standings() []formats.Service {
	var out []formats.Service
	for _, s := range r.ordered() {
		out = append(out, s.Service)
	}
	if r.ManagedIn != "" && !slices.Contains(out, r.ManagedIn) {
		out = append(out, r.ManagedIn)
	}
	return out
}

func (r *alertRecord) status() string {
	if r.closed() {
		return "closed"
	}
	return "open"
}

func (r *alertRecord) closed() bool {
	if _, ok := r.Closures[r.ManagedIn]; ok {
		return true
	}
	return r.sighting(r.ManagedIn) == nil && len(r.Sightings) > 0 && len(r.openIn()) == 0
}

// openIn lists the services that reported the alert and have it open.
func (r *alertRecord) openIn() []formats.Service {
	var out []formats.Service
	for _, s := range r.Sightings {
		if _, ok := r.Closures[s.Service]; !ok {
			out = append(out, s.Service)
		}
	}
	return out
}

// closure is that of the alert as a whole, nil while it is open: the managing service's, or else the last one.
func (r *alertRecord) closure() *Closure {
	if !r.closed() {
		return nil
	}
	if c, ok := r.Closures[r.ManagedIn]; ok {
		return &c
	}
	var last *Closure
	for _, s := range slices.Sorted(maps.Keys(r.Closures)) {
		if c := r.Closures[s]; last == nil || c.Time.After(last.Time) {
			last = &c
		}
	}
	return last
}

// settle notes since when the services differ.
func (r *alertRecord) settle(at time.Time) {
	switch differ := len(r.Closures) > 0 && len(r.openIn()) > 0; {
	case !differ:
		r.Drift = time.Time{}
	case r.Drift.IsZero():
		r.Drift = at
	}
}

// close closes the alert in a service, and by the table in others that have it.
func (r *alertRecord) close(in formats.Service, c Closure, table config.Closure) (also []formats.Service) {
	c.In = string(in)
	if r.Closures == nil {
		r.Closures = map[formats.Service]Closure{}
	}
	r.Closures[in] = c
	return r.spread(table)
}

// spread closes the alert where it is open and by the table closed, as it is in another service. Only what somebody
// closed spreads: the table has said already where that leads.
func (r *alertRecord) spread(table config.Closure) (also []formats.Service) {
	for _, in := range slices.Sorted(maps.Keys(r.Closures)) {
		c := r.Closures[in]
		if c.In != string(in) {
			continue
		}
		for _, name := range table.Of(string(in)) {
			other := formats.Service(name)
			if _, closed := r.Closures[other]; !closed && slices.Contains(r.standings(), other) {
				r.Closures[other] = c
				also = append(also, other)
			}
		}
	}
	return also
}

// reopen opens the alert in a service, and where it was closed only because it was closed there.
func (r *alertRecord) reopen(in formats.Service) (also []formats.Service) {
	delete(r.Closures, in)
	for _, s := range slices.Sorted(maps.Keys(r.Closures)) {
		if r.Closures[s].In == string(in) {
			delete(r.Closures, s)
			also = append(also, s)
		}
	}
	return also
}

// leave takes what a service says out of the alert, with its closures. What was closed in one of them because it was
// closed in the other isn't any more: it was another alert that somebody closed.
func (r *alertRecord) leave(s formats.Service) (part sighting, closure *Closure) {
	i := slices.IndexFunc(r.Sightings, func(g sighting) bool { return g.Service == s })
	part = r.Sightings[i]
	r.Sightings = slices.Delete(r.Sightings, i, i+1)
	if c, ok := r.Closures[s]; ok && c.In == string(s) {
		closure = &c
	}
	r.reopen(s)
	return part, closure
}

// checkClass says what is wrong with a classification.
func checkClass(why string) error {
	switch why {
	case "true_positive", "benign", "false_positive":
		return nil
	}
	return fmt.Errorf("%w: a closure is true_positive, benign or false_positive, not %q", ErrRefused, why)
}

// allCalled lists services: a, b and c.
func allCalled(services []formats.Service) string {
	var out []string
	for _, s := range services {
		out = append(out, s.Title())
	}
	if last := len(out) - 1; last > 0 {
		return strings.Join(out[:last], ", ") + " and " + out[last]
	}
	return strings.Join(out, "")
}
