package main

import (
	"context"
	"runtime/debug"
	"testing"
)

func TestMemoryLimit(t *testing.T) {
	for live, want := range map[uint64]int64{0: 280 << 20, 100 << 20: 280 << 20, 400 << 20: 600 << 20} {
		if got := memoryLimit(live); got != want {
			t.Errorf("memoryLimit(%d) = %d, want %d", live, got, want)
		}
	}
}

func TestSpareMemoryLeavesALimitAlone(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "1TiB")
	before := debug.SetMemoryLimit(1 << 40)
	defer debug.SetMemoryLimit(before)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	spareMemory(ctx)
	if got := debug.SetMemoryLimit(-1); got != 1<<40 {
		t.Errorf("limit = %d, want the one that was there", got)
	}
}
