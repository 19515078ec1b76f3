package gateway

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-siem/sluice/gateway/ledger"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// books shows the terms of the equations to Prometheus.
type books struct {
	g                            *Gateway
	entries, delivered, unequal  *prometheus.Desc
	unequalTargets, looked, kept *prometheus.Desc
	lost                         *prometheus.Desc
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
			"Forwarded entries of the last 90 days by what became of them at the target: forwarded = delivered + filtered + queued + dead_lettered. "+
				"Of a target that was added later, earlier is what was forwarded before it and is left out. "+
				"Queued is as of the last look, and not there while a backlog is too deep for one.", "target", "service", "term"),
		unequal: desc("sluice_ledger_unequal_hours",
			"Service hours at the last look in which received is not forwarded + suppressed + dropped + held."),
		unequalTargets: desc("sluice_ledger_target_unequal_hours",
			"Service hours at the last look in which forwarded is not delivered + filtered + queued + dead-lettered.", "target"),
		lost: desc("sluice_ledger_lost_batches",
			"Batches of the stream, at the last look, that are lost and of which no equation speaks, of the last 90 days."),
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
		gauge(b.lost, float64(b.g.balance.lost)) // no 0 that nobody has seen: the alarm is for what comes
	}
	gauge(b.looked, at)
	for _, q := range b.g.balance.queued {
		gauge(b.delivered, float64(q.entries), q.target, string(q.service), ledger.Queued)
	}
	for target, n := range b.g.balance.unequal {
		if target == "" {
			gauge(b.unequal, float64(n))
		} else {
			gauge(b.unequalTargets, float64(n), target)
		}
	}
}
