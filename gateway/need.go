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
	streamEntry   = 950  // in the stream, whatever its kind, alone in its message: many at once take less than half of it
	stateActivity = 60   // in the state on disk, and in its checkpoint, while it is remembered
	stateAlert    = 1000 // the same for an alert's notification
	statePaired   = 880  // beside that, while another service may still report the alert
)

// What the model takes for each, with the index of its log, in bytes, measured likewise: for a week of 5,000 people with
// 400,000 activities, and for one with 8,000 notifications of alerts. The fewer there are, the more the people count; a
// copy of the tables takes nine tenths.
const (
	modelActivity = 950
	modelAlert    = 5100
	modelCopy     = 0.9
)

// atWork is the memory that the gateway takes at work, in bytes, measured in a flood of a million messages of which a tenth
// are alerts, beside the table of the activities that are remembered. What is remembered of alerts adds nothing to it: the
// state's files are mapped, and the system keeps of them as much as it has room for.
const atWork = 512 << 20

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
	Model      int64         // bytes on disk, at most model.max_disk; 0 where there is none
	Views      int           // models of limited roles, each as large as Model at most
	Memory     int64         // bytes, at most
	Remembered time.Duration // how far back activities are known: dedup.remember.activities, or less where those are too many
	Shown      time.Duration // how far back activities are shown: model.retention, or less where model.max_disk is reached
	Kept       time.Duration // how far back the stream reaches: stream.retention, or less where max_disk is reached
	Buffer     time.Duration // how long a target may be down before senders wait
}

// Disk is what all files take: the stream, the state and as much again for what Badger cleans up later,
// the checkpoint and the one that replaces it, the models with their snapshots, and what has to stay free.
func (n Need) Disk() int64 {
	sum := n.Stream + 2*n.State + 2*n.Checkpoint() + reserve
	if n.Model > 0 {
		sum += int64(1+n.Views)*(n.Model+n.Snapshots()) + spare
	}
	return sum
}

// Checkpoint is what the copy of the state takes on disk: as much as the state.
func (n Need) Checkpoint() int64 { return n.State }

// Snapshots is what the copy of a model takes on disk, and the one that replaces it.
func (n Need) Snapshots() int64 { return int64(2 * modelCopy * float64(n.Model)) }

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
		Kept:       c.Stream.Retention,
	}
	flow := l.Rate * streamEntry // bytes in a second
	n.Buffer = after(float64(c.Stream.MaxDisk), flow)
	n.Stream = int64(flow * n.Kept.Seconds())
	// What every target has goes earlier where the disk limit nears; see retain.
	if limit := nearlyFull * float64(c.Stream.MaxDisk); float64(n.Stream) > limit {
		n.Kept, n.Stream = after(limit, flow), int64(limit)
	}
	if c.Model.Enabled {
		n.ofModel(c, l)
	}
	return n
}

// ofModel computes what people are shown. Of what nears model.max_disk the oldest activities make room; alerts never do.
func (n *Need) ofModel(c config.Config, l Load) {
	limit := float64(c.Model.MaxDisk)
	alerts := l.Rate * l.Alerts * c.Model.Retention.Alerts.Seconds() * modelAlert
	flow := l.Rate * (1 - l.Alerts) * modelActivity
	n.Shown = min(c.Model.Retention.Activities, after(max(limit-alerts, 0), flow))
	n.Model = int64(alerts + flow*n.Shown.Seconds())
	n.Views = len(limitsOf(c))
}

// after is how long so many bytes take at so many in a second, a hundred years at most.
func after(bytes, flow float64) time.Duration {
	const most = 100 * 365 * 24 * time.Hour
	if seconds := bytes / flow; seconds < most.Seconds() {
		return time.Duration(seconds * float64(time.Second))
	}
	return most
}
