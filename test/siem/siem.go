// Package siem has fakes of the servers that targets talk to. Each is written from its protocol's public
// documents and not from our renderers: it refuses what the real server refuses, and can delay, refuse,
// reset, lie and throttle on command.
package siem

import (
	"slices"
	"sync"
)

// Fault is what a server does to a request instead of what it does when all is well.
type Fault uint8

// The faults.
const (
	None     Fault = iota
	Refuse         // takes nothing and says that it can't now
	Throttle       // takes nothing and asks to wait
	Reset          // takes nothing and breaks the connection
	Lie            // takes everything and breaks the connection instead of saying so
	Stall          // takes nothing and says nothing, until the client has gone
)

// String names the fault.
func (f Fault) String() string {
	return [...]string{"none", "refuse", "throttle", "reset", "lie", "stall"}[f]
}

// Poison in an event makes a server refuse it for good, where the protocol has a way to.
const Poison = "poison-for-the-siem"

// Event is what a server has taken.
type Event struct {
	Key  string // the event key, by which the protocol or a search knows the event again
	Body []byte // as it came, decompressed
}

// Record is what a server has taken and is to do next. The zero value has taken nothing, and does what a
// server does when all is well.
type Record struct {
	mu     sync.Mutex // guards what follows
	events []Event
	faults []Fault
	more   chan struct{} // closed when something is taken
	stalls chan struct{} // closed when a request stalls
}

// Next sets what is done to the requests that come next, one fault each.
func (r *Record) Next(faults ...Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, faults...)
}

// Fault is what is to be done to a request that has come.
func (r *Record) Fault() Fault {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.faults) == 0 {
		return None
	}
	f := r.faults[0]
	r.faults = r.faults[1:]
	if f == Stall && r.stalls != nil {
		close(r.stalls)
		r.stalls = nil
	}
	return f
}

// Stalls is closed when a request begins to stall that hadn't when it was asked for.
func (r *Record) Stalls() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stalls == nil {
		r.stalls = make(chan struct{})
	}
	return r.stalls
}

// Take notes an event.
func (r *Record) Take(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, Event{e.Key, slices.Clone(e.Body)})
	if r.more != nil {
		close(r.more)
		r.more = nil
	}
}

// Events lists what was taken, in order.
func (r *Record) Events() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// Keys lists the keys of what was taken, in order.
func (r *Record) Keys() []string {
	var keys []string
	for _, e := range r.Events() {
		keys = append(keys, e.Key)
	}
	return keys
}

// More is closed when something more is taken than had been when it was asked for.
func (r *Record) More() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.more == nil {
		r.more = make(chan struct{})
	}
	return r.more
}
