package main

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	usualMemory = 280 << 20 // bytes that Go's memory may take, whatever lives in it
	sparing     = 1.5       // times what lives, where that is more
	spareEvery  = time.Second
)

// spareMemory has the garbage collector run earlier than when the heap is twice what lives in it, until ctx ends: in a
// flood that would take 150 MiB more. Whoever sets GOMEMLIMIT decides for himself.
func spareMemory(ctx context.Context) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	defer debug.SetMemoryLimit(math.MaxInt64)
	tick := time.NewTicker(spareEvery)
	defer tick.Stop()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for {
		metrics.Read(live)
		debug.SetMemoryLimit(memoryLimit(live[0].Value.Uint64()))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// memoryLimit is in bytes, as what lives is: so much more than that that the collector has a pause between two runs.
func memoryLimit(live uint64) int64 {
	return int64(max(usualMemory, sparing*float64(live)))
}
