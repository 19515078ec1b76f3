package model

import (
	"testing"

	"golang.org/x/sync/semaphore"
)

func TestTurn(t *testing.T) {
	t.Parallel()
	processors := semaphore.NewWeighted(1)
	free := func() bool {
		ok := processors.TryAcquire(1)
		if ok {
			processors.Release(1)
		}
		return ok
	}
	held := turn{of: processors}
	for _, step := range []struct {
		name string
		do   func()
		free bool // behind it
	}{
		{"take", held.take, false},
		{"take what is held", held.take, false},
		{"wait for others", func() {
			held.without(func() {
				if !free() {
					t.Error("it is held while others are waited for")
				}
			})
		}, false},
		{"give", held.give, true},
		{"give what isn't held", held.give, true},
		{"wait for others with nothing", func() { held.without(func() {}) }, true},
		{"where nobody waits", func() { new(turn).take() }, true},
	} {
		step.do()
		if got := free(); got != step.free {
			t.Errorf("%s: a processor is free: %v, want %v", step.name, got, step.free)
		}
	}
}
