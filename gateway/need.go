package gateway

import (
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
)

// What a message of some 600 bytes takes, in bytes. They were measured, and are held against what is
// measured now, by BenchmarkNeed and its test in need_test.go:
//
//	go test -run '^$' -bench BenchmarkNeed -benchtime 1x ./gateway
const (
	streamEntry    = 950  // in the stream, whatever its kind, alone in its message: many at once take less than half of it
	stateActivity  = 60   // in the state on disk, while it is remembered
	stateAlert     = 720  // the same for an alert's notification
	statePaired    = 750  // beside that, while another service may still report the alert
	copiedActivity = 65   // in the checkpoint of the state
	copiedAlert    = 3150 // the same for an alert's notification, paired or not
)

// atWork is the memory that the gateway takes at work, in bytes, measured in a flood, beside the table of the
// activities that are remembered. What is remembered of alerts adds nothing to it: the state's files are
// mapped, and the system keeps of them as much as it has room for.
const atWork = 224 << 20

// cleanedUpWithin is how long after its end what is remembered may still be there: Badger's TTL in dedup.
const cleanedUpWithin = 48 * time.Hour

// Load is what comes in, on the average of days.
type Load struct {
	Rate   float64 // messages in a second
	Alerts float64 // the part of them that are notifications of alerts, 0 to 1; the others are activities
}

// Need is what remember and retention need under a load, when everything has been kept for as long as
// it may be.
type Need struct {
	Stream     int64         // bytes on disk, at most stream.max_disk
	State      int64         // bytes on disk, as long as nothing waits to be cleaned up
	Checkpoint int64         // bytes on disk
	Memory     int64         // bytes, at most
	Remembered time.Duration // how far back activities are known: dedup.remember.activities, or less where those are too many
	Kept       time.Duration // how far back the stream reaches: stream.retention, or less where max_disk is reached
	Buffer     time.Duration // how long a target may be down before senders wait
}

// Disk is what all files take: the stream, the state and as much again for what Badger cleans up later,
// the checkpoint and the one that replaces it.
func (n Need) Disk() int64 { return n.Stream + 2*n.State + 2*n.Checkpoint + reserve }

// NeedOf computes what a checked configuration needs.
func NeedOf(c config.Config, l Load) Need {
	kept := func(share float64, d time.Duration) float64 { return l.Rate * share * (d + cleanedUpWithin).Seconds() }
	activities := kept(1-l.Alerts, c.Dedup.Remember.Activities)
	alerts := kept(l.Alerts, c.Dedup.Remember.Alerts+c.Dedup.Window)
	paired := kept(l.Alerts, 2*c.Dedup.Window)
	known := min(l.Rate*(1-l.Alerts)*c.Dedup.Remember.Activities.Seconds(), dedup.MaxActivities)
	n := Need{
		Memory:     int64(atWork + known*dedup.ActivityMemory),
		Remembered: min(c.Dedup.Remember.Activities, after(dedup.MaxActivities, l.Rate*(1-l.Alerts))),
		State:      int64(activities*stateActivity + alerts*stateAlert + paired*statePaired),
		Checkpoint: int64(activities*copiedActivity + alerts*copiedAlert),
		Kept:       c.Stream.Retention,
	}
	flow := l.Rate * streamEntry // bytes in a second
	n.Buffer = after(float64(c.Stream.MaxDisk), flow)
	n.Stream = int64(flow * n.Kept.Seconds())
	// What every target has goes earlier where the disk limit nears; see retain.
	if limit := nearlyFull * float64(c.Stream.MaxDisk); float64(n.Stream) > limit {
		n.Kept, n.Stream = after(limit, flow), int64(limit)
	}
	return n
}

// after is how long so many bytes take at so many in a second, a hundred years at most.
func after(bytes, flow float64) time.Duration {
	const most = 100 * 365 * 24 * time.Hour
	if seconds := bytes / flow; seconds < most.Seconds() {
		return time.Duration(seconds * float64(time.Second))
	}
	return most
}
