package model

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// turn is what a goroutine holds of [Options.Processors] while it computes. It is one goroutine's.
type turn struct {
	of   *semaphore.Weighted // nil where nobody waits for anybody
	held bool
}

// take waits for a processor, where none is held.
func (t *turn) take() {
	if t.of == nil || t.held {
		return
	}
	_ = t.of.Acquire(context.Background(), 1) // no error without an end; who holds it gives it back behind a message or a transaction
	t.held = true
}

// give gives it back, where one is held.
func (t *turn) give() {
	if t.held {
		t.of.Release(1)
	}
	t.held = false
}

// without does what waits for others, who may need the processor that is held.
func (t *turn) without(do func()) {
	if t.held {
		t.give()
		defer t.take()
	}
	do()
}
