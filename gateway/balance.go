package gateway

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sluice-siem/sluice/gateway/stream"
)

// reconcileEvery is how often the equations are looked at for the metrics.
const reconcileEvery = time.Minute

// balance is what the last look at the equations found.
type balance struct {
	mu      sync.Mutex // guards what follows
	at      time.Time
	unequal map[string]int // service hours, by target; "" is the first equation
}

// balanceBooks looks at the equations now and then. A backlog is read each time, so a deep one is left to
// whoever asks for it.
func (g *Gateway) balanceBooks(ctx context.Context) {
	ticker := time.NewTicker(reconcileEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			if err := g.balanceOnce(ctx, now); err != nil && ctx.Err() == nil && !errors.Is(err, stream.ErrClosed) {
				g.log.Error("the equations can't be looked at", "err", err)
			}
		}
	}
}

const deepBacklog = 200_000 // entries

func (g *Gateway) balanceOnce(ctx context.Context, now time.Time) error {
	for _, d := range g.deliveries {
		if lag, err := d.reader.Lag(ctx, now); err != nil || lag.Entries > deepBacklog {
			return err
		}
	}
	r, err := g.reconcile(ctx)
	if err != nil {
		return err
	}
	unequal := map[string]int{"": 0}
	for _, t := range r.Targets {
		unequal[t.Target] = 0
	}
	for _, u := range r.Unequal {
		unequal[u.Target]++
		g.log.Error("an equation doesn't hold: entries are lost or counted twice; sluice reconcile names them",
			"target", u.Target, "service", u.Service, "hour", u.Hour, "left", u.Left, "right", u.Right)
	}
	g.balance.mu.Lock()
	defer g.balance.mu.Unlock()
	g.balance.at, g.balance.unequal = now, unequal
	return nil
}
