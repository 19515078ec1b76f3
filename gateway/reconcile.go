package gateway

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-siem/sluice/gateway/ledger"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// Report is what the control socket answers to /reconcile.
type Report = ledger.Report

// reconcile compares what was received with what became of it, and for each target what was forwarded.
func (g *Gateway) reconcile(ctx context.Context) (ledger.Report, error) {
	var accounts []ledger.Account
	for _, d := range g.deliveries {
		t, at, since := d.reader.Tally()
		accounts = append(accounts, ledger.Account{Target: d.name, Tally: t, At: at, Since: since})
	}
	held, mark, err := g.index.Holding()
	if err != nil {
		return ledger.Report{}, err
	}
	s := ledger.State{At: mark.Sequence}
	for _, h := range held {
		if !h.Delivered { // in shadow mode it was forwarded when it arrived
			s.Held = append(s.Held, &stream.Entry{Kind: stream.Notification, Key: h.Key, Notification: h.Notification})
		}
	}
	return g.ledger.Reconcile(ctx, s, accounts)
}

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

// books shows the terms of the equations to Prometheus.
type books struct {
	g                            *Gateway
	entries, delivered, unequal  *prometheus.Desc
	unequalTargets, looked, kept *prometheus.Desc
}

func newBooks(g *Gateway) *books {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &books{
		g: g,
		entries: desc("sluice_ledger_entries",
			"Entries of the last 90 days by what became of them: received = forwarded + suppressed + dropped + held.", "service", "term"),
		delivered: desc("sluice_ledger_target_entries",
			"Forwarded entries of the last 90 days by what became of them at the target; what is missing is queued.", "target", "service", "term"),
		unequal: desc("sluice_ledger_unequal_hours",
			"Service hours at the last look in which received is not forwarded + suppressed + dropped + held."),
		unequalTargets: desc("sluice_ledger_target_unequal_hours",
			"Service hours at the last look in which forwarded is not delivered + filtered + queued + dead-lettered.", "target"),
		looked: desc("sluice_ledger_checked_timestamp_seconds", "When the equations were last looked at; 0 before the first time."),
		kept:   desc("sluice_dead_letters", "Dead letters that are kept.", "target"),
	}
}

// Describe implements [prometheus.Collector].
func (b *books) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(b, ch) }

// Collect implements [prometheus.Collector].
func (b *books) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	totals := func(d *prometheus.Desc, t stream.Tally, labels ...string) {
		sums := map[[2]string]int64{}
		for cell, c := range t {
			sums[[2]string{string(cell.Service), cell.Term}] += c.N
		}
		for key, n := range sums {
			gauge(d, float64(n), append(append([]string{}, labels...), key[0], key[1])...)
		}
	}
	t, _, _ := b.g.ledger.Tally()
	totals(b.entries, t)
	for _, d := range b.g.deliveries {
		t, _, _ := d.reader.Tally()
		totals(b.delivered, t, d.name)
		ids, err := b.g.letters.List(d.name)
		if err != nil {
			ch <- prometheus.NewInvalidMetric(b.kept, err)
			continue
		}
		gauge(b.kept, float64(len(ids)), d.name)
	}
	b.g.balance.mu.Lock()
	defer b.g.balance.mu.Unlock()
	at := 0.0
	if !b.g.balance.at.IsZero() {
		at = float64(b.g.balance.at.Unix())
	}
	gauge(b.looked, at)
	for target, n := range b.g.balance.unequal {
		if target == "" {
			gauge(b.unequal, float64(n))
		} else {
			gauge(b.unequalTargets, float64(n), target)
		}
	}
}
