package gateway

import (
	"context"
	"time"
)

// retain removes from the stream what is older than stream.retention and needed by nobody, and, when
// the disk limit nears, younger entries too, as long as every target has them and a checkpoint of the
// state has seen them.
func (g *Gateway) retain(ctx context.Context) {
	ticker := time.NewTicker(retainEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := g.retainOnce(ctx, time.Now()); err != nil && ctx.Err() == nil {
				g.log.Error("old entries can't be removed from the stream", "err", err)
			}
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
	limit := float64(g.config.Stream.MaxDisk) * nearlyFull
	crowded := float64(g.stream.Bytes()) > limit
	if !crowded {
		if old, err := g.outlived(ctx, now); err != nil || !old || now.Sub(g.checkpointed) < checkpointEvery {
			return err
		}
	}
	sequence, err := g.index.Checkpoint(checkpointPath(g.config))
	if err != nil {
		return err
	}
	g.checkpointed = now
	for age := g.config.Stream.Retention; ; age /= 2 {
		if err := g.stream.Retain(ctx, now.Add(-age), sequence); err != nil {
			return err
		}
		if float64(g.stream.Bytes()) <= limit {
			return nil
		}
		if age < time.Minute {
			g.log.Warn("stream.max_disk nears and targets still need what is there; senders will have to wait",
				"bytes", g.stream.Bytes(), "max_disk", int64(g.config.Stream.MaxDisk))
			return nil
		}
	}
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
