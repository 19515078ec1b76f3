package main

import (
	"context"
	"runtime/debug"
	"testing"
)

func TestMemoryLimit(t *testing.T) {
	const mib = 1 << 20
	for _, test := range []struct {
		what                string
		live, scanned, want uint64
	}{
		{"at rest", 0, 0, 280 * mib},
		{"a usual flood", 150 * mib, 60 * mib, 280 * mib},
		{"a great table that isn't scanned", 1124 * mib, 60 * mib, 1254 * mib},
		{"much to scan", 600 * mib, 500 * mib, 850 * mib},
	} {
		if got := memoryLimit(test.live, test.scanned); got != int64(test.want) {
			t.Errorf("%s: memoryLimit(%d, %d) = %d, want %d", test.what, test.live, test.scanned, got, test.want)
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
