package gateway

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/ledger"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// reconcileEvery is how often the equations are looked at for the metrics.
const reconcileEvery = time.Minute

// balance is what the last look at the equations found.
type balance struct {
	told map[equation]logged // by the log; balanceBooks'

	mu      sync.Mutex // guards what follows
	at      time.Time
	unequal map[string]int // service hours, by target; "" is the first equation
	lost    uint64         // batches
	queued  []queue        // what waits for each target; nil where a backlog is too deep to be counted
}

// equation is one of those that can differ.
type equation struct {
	target  string // "": the first equation
	service formats.Service
	hour    time.Time
}

// logged is what the log has of a difference, and when.
type logged struct {
	left, right int64
	at          time.Time
}

// tellAgain is how often a difference is logged that stays as it is.
const tellAgain = time.Hour

// news gives the differences that are new, have changed or were last told an hour ago, and the equations that
// hold again.
func (b *balance) news(found []ledger.Difference, now time.Time) (tell []ledger.Difference, mended []equation) {
	standing := make(map[equation]logged, len(found))
	for _, d := range found {
		key := equation{d.Target, d.Service, d.Hour}
		last, known := b.told[key]
		if !known || last.left != d.Left || last.right != d.Right || now.Sub(last.at) >= tellAgain {
			tell, last = append(tell, d), logged{d.Left, d.Right, now}
		}
		standing[key] = last
	}
	for key := range b.told {
		if _, ok := standing[key]; !ok {
			mended = append(mended, key)
		}
	}
	b.told = standing
	return tell, mended
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

// queue is how many entries of a service are queued for a target.
type queue struct {
	target  string
	service formats.Service
	entries int64
}

// queues adds up what was counted behind the targets' cursors.
func queues(r *ledger.Report) []queue {
	out := []queue{}
	for _, t := range r.Targets {
		sums := map[formats.Service]int64{}
		for _, l := range t.Lines {
			sums[l.Service] += l.Terms[ledger.Queued]
		}
		for service, n := range sums {
			out = append(out, queue{t.Target, service, n})
		}
	}
	return out
}

func (g *Gateway) balanceOnce(ctx context.Context, now time.Time) error {
	for _, d := range g.deliveries {
		if lag, err := d.reader.Lag(ctx, now); err != nil || lag.Entries > deepBacklog {
			g.balance.mu.Lock()
			defer g.balance.mu.Unlock()
			g.balance.queued = nil // what it was then says nothing of now
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
	}
	lost := uint64(0)
	for _, l := range r.Lost {
		lost += l.Last - l.First + 1
	}
	tell, mended := g.balance.news(r.Unequal, now)
	for _, u := range tell {
		g.log.Error("an equation doesn't hold: entries are lost or counted twice; sluice reconcile names them",
			"target", u.Target, "service", u.Service, "hour", u.Hour, "left", u.Left, "right", u.Right)
	}
	for _, e := range mended {
		g.log.Info("an equation holds again, or its hour is no longer accounted for",
			"target", e.target, "service", e.service, "hour", e.hour)
	}
	g.balance.mu.Lock()
	defer g.balance.mu.Unlock()
	g.balance.at, g.balance.unequal, g.balance.lost, g.balance.queued = now, unequal, lost, queues(&r)
	return nil
}
