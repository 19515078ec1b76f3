package gateway

import (
	"context"
	"slices"
	"time"
)

// retention is what retain remembers of what it did.
type retention struct {
	checkpoint   uint64    // the sequence that the newest checkpoint of the state has seen
	checkpointed time.Time // when it was written
	told         time.Time // when the log was told that targets need what is there; zero while they don't
	toldFull     bool      // and that senders wait for it
}

// retain removes from the stream what is older than stream.retention and needed by nobody, and, when
// the disk limit nears, younger entries too, as long as every target has them and a checkpoint of the
// state has seen them. While senders wait for room they ask for it, so that they have what a target leaves at once.
func (g *Gateway) retain(ctx context.Context) {
	ticker := time.NewTicker(retainEvery)
	defer ticker.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			err = g.retainOnce(ctx, time.Now())
		case <-g.pipeline.full:
			err = g.makeRoom(ctx, time.Now())
		}
		if err != nil && ctx.Err() == nil {
			g.log.Error("old entries can't be removed from the stream", "err", err)
		}
	}
}

const (
	retainEvery = time.Minute
	// A checkpoint is written at most this often, unless the disk limit nears.
	checkpointEvery = time.Hour
	nearlyFull      = 0.8 // of stream.max_disk
)

func (g *Gateway) retainOnce(ctx context.Context, now time.Time) error {
	crowded := g.crowded()
	if !crowded {
		g.retention.told = time.Time{}
		if old, err := g.outlived(ctx, now); err != nil || !old || now.Sub(g.retention.checkpointed) < checkpointEvery {
			return err
		}
	}
	if err := g.checkpoint(now); err != nil {
		return err
	}
	if err := g.shrink(ctx, now); err != nil {
		return err
	}
	if g.crowded() {
		g.tellCrowded(now, false)
	}
	return nil
}

// makeRoom removes what it may while the stream is full, and has senders wait no longer where that was something.
func (g *Gateway) makeRoom(ctx context.Context, now time.Time) error {
	first, last := g.stream.Bounds()
	if _, needed := g.stream.Hindmost(); needed > first { // else it is to no avail
		// The state stands still while nothing is recorded: one checkpoint serves until the stream is full once more.
		if g.retention.checkpoint < min(needed, last) {
			if err := g.checkpoint(now); err != nil {
				return err
			}
		}
		if err := g.shrink(ctx, now); err != nil {
			return err
		}
	}
	if after, _ := g.stream.Bounds(); after > first {
		signal(g.pipeline.room)
		return nil
	}
	g.tellCrowded(now, true)
	return nil
}

func (g *Gateway) crowded() bool {
	return float64(g.stream.Bytes()) > nearlyFull*float64(g.config.Stream.MaxDisk)
}

// checkpoint copies the state beside the stream.
func (g *Gateway) checkpoint(now time.Time) error {
	sequence, err := g.index.Checkpoint(checkpointPath(g.config))
	if err != nil {
		return err
	}
	g.retention.checkpoint, g.retention.checkpointed = sequence, now
	return nil
}

// youngest is how old entries are, at least, that go before stream.retention: the model is no reader that the stream waits
// for, and shall come by them.
const youngest = time.Minute

// shrink removes what is older than stream.retention, and where that leaves too much, younger entries.
func (g *Gateway) shrink(ctx context.Context, now time.Time) error {
	for age := g.config.Stream.Retention; ; age = max(age/2, youngest) {
		if err := g.stream.Retain(ctx, now.Add(-age), g.retention.checkpoint); err != nil {
			return err
		}
		if age <= youngest || !g.crowded() {
			return nil
		}
	}
}

// tellCrowded says which targets still need the oldest entries, why they have not taken them, and what to do, or what else
// keeps them: at once, and then once a minute.
func (g *Gateway) tellCrowded(now time.Time, full bool) {
	if now.Sub(g.retention.told) < retainEvery && (g.retention.toldFull || !full) {
		return
	}
	g.retention.told, g.retention.toldFull = now, full
	targets, why := g.oldestNeeded()
	attrs := []any{"why", why, "targets", targets, "bytes", g.stream.Bytes(), "max_disk", int64(g.config.Stream.MaxDisk)}
	if full {
		g.log.Error("stream.max_disk is reached and senders wait: raise stream.max_disk, or where targets are named, mend them or "+
			"take them out of the configuration", attrs...)
		return
	}
	g.log.Warn("stream.max_disk nears, and then senders will have to wait: raise stream.max_disk, or where targets are named, mend "+
		"them or take them out of the configuration", attrs...)
}

// oldestNeeded says why the oldest entries are kept, and which targets have not taken them, and why.
func (g *Gateway) oldestNeeded() (targets map[string]string, why string) {
	targets = map[string]string{}
	first, _ := g.stream.Bounds()
	readers, needed := g.stream.Hindmost()
	switch {
	case needed > first && g.retention.checkpoint <= first:
		return targets, "the newest checkpoint of the state has not seen more than the oldest entries"
	case needed > first:
		return targets, "what came within the last minute is kept"
	}
	for _, d := range g.deliveries {
		if !slices.Contains(readers, d.name) {
			continue
		}
		targets[d.name] = "it takes them more slowly than they come"
		if t := d.trouble.Load(); t != nil {
			targets[d.name] = t.why
		}
	}
	if len(targets) == 0 {
		return targets, "the ledger still has to count the oldest entries"
	}
	return targets, "targets still need the oldest entries"
}

// outlived says whether the oldest batch of the stream is older than stream.retention.
func (g *Gateway) outlived(ctx context.Context, now time.Time) (bool, error) {
	first, last := g.stream.Bounds()
	if first >= last {
		return false, nil
	}
	oldest, err := g.stream.Read(ctx, first)
	if err != nil {
		return false, err
	}
	return now.Sub(oldest.Stored) > g.config.Stream.Retention, nil
}
