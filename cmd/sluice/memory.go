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
	leastPause  = 130 << 20 // bytes made between two runs of the collector: 20,000 messages
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
	now := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/heap:bytes"}}
	for {
		metrics.Read(now)
		debug.SetMemoryLimit(memoryLimit(now[0].Value.Uint64(), now[1].Value.Uint64()))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// memoryLimit is in bytes, as what lives and what of the heap has to be scanned: so much more than lives that the collector
// has a pause between two runs, which is measured by what a run costs. The table of a million remembered activities lives, and is
// never scanned.
func memoryLimit(live, scanned uint64) int64 {
	return int64(max(usualMemory, live+max(leastPause, scanned/2)))
}
