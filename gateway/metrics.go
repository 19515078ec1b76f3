package gateway

import (
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/ledger"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/stream"
	"github.com/sluice-siem/sluice/gateway/target"
)

// metrics counts what becomes durable and what is delivered. Labels come from the configuration or
// from closed sets: never a user, an alert or an address.
type metrics struct {
	received      *prometheus.CounterVec // by input, service, kind
	decisions     *prometheus.CounterVec // by service, decision, reason
	notUnderstood *prometheus.CounterVec // by input
	impostors     *prometheus.CounterVec // by input, service
	delivered     *prometheus.CounterVec // by target, result
	retried       *prometheus.CounterVec // by target
	latency       *prometheus.HistogramVec
	full          prometheus.Counter
	blocked       *prometheus.GaugeVec // by target
	modelDamaged  prometheus.Counter
	minute        minute
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		received: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_notifications_received_total",
			Help: "Notifications received, counted when they are durable in the stream.",
		}, []string{"input", "service", "kind"}),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_decisions_total",
			Help: "Decisions recorded in the stream. A held notification counts again when it is released.",
		}, []string{"service", "decision", "reason"}),
		notUnderstood: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_parse_failures_total",
			Help: "Messages that are no notification of a known service; they are kept and follow policy.unknown. Impostors are counted apart.",
		}, []string{"input"}),
		impostors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_input_impostors_total",
			Help: "Messages that claim a service which their sender may not speak for; they are kept as unknown.",
		}, []string{"input", "service"}),
		delivered: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_deliveries_total",
			Help: "Events by what became of them at the target.",
		}, []string{"target", "result"}),
		retried: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_delivery_retries_total",
			Help: "Attempts to deliver a batch that failed and are made again.",
		}, []string{"target"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "sluice_delivery_latency_seconds",
			Help:    "Time from the receipt of a notification to its delivery; what was held is not counted.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
		}, []string{"target"}),
		full: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_stream_full_total",
			Help: "Appends refused because stream.max_disk is reached; senders wait.",
		}),
		modelDamaged: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_model_damaged_total",
			Help: "Times that a file of the model, or of a limited role's, was found damaged and made anew.",
		}),
	}
	m.blocked = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "sluice_target_blocked",
		Help: "1 while a target takes nothing until somebody mends it, such as a token that is refused.",
	}, []string{"target"})
	reg.MustRegister(m.received, m.decisions, m.notUnderstood, m.impostors, m.delivered, m.retried, m.latency, m.full, m.blocked, m.modelDamaged)
	return m
}

// expect has what is known beforehand counted from 0 on: a counter that appears with its first count is no increase for
// Prometheus.
func (m *metrics) expect(c config.Config) {
	for _, i := range c.Inputs {
		m.notUnderstood.WithLabelValues(i.Name)
		if i.Speakers == nil {
			continue
		}
		for _, service := range c.Services.Order() {
			m.impostors.WithLabelValues(i.Name, service)
		}
	}
	for _, t := range c.Targets {
		m.retried.WithLabelValues(t.Name)
		for _, result := range []string{target.Delivered.String(), target.Rejected.String(), ledger.Filtered} {
			m.delivered.WithLabelValues(t.Name, result)
		}
	}
}

// decided counts a batch that is durable at now.
func (m *metrics) decided(entries []*stream.Entry, now time.Time) {
	m.minute.decided(entries, now)
	for _, e := range entries {
		n := &e.Notification
		if e.Kind == stream.Notification {
			m.received.WithLabelValues(e.Input, string(n.Service), string(n.Kind)).Inc()
			switch {
			case n.Claims != "":
				m.impostors.WithLabelValues(e.Input, string(n.Claims)).Inc()
			case n.Kind == formats.Unknown:
				m.notUnderstood.WithLabelValues(e.Input).Inc()
			}
		}
		m.decisions.WithLabelValues(string(n.Service), participle(e.Decision.Action), string(e.Decision.Reason)).Inc()
	}
}

// modelEnded counts it where it was for damage.
func (m *metrics) modelEnded(why error) {
	if errors.Is(why, model.ErrDamaged) {
		m.modelDamaged.Inc()
	}
}

func participle(a dedup.Action) string {
	switch a {
	case dedup.Forward:
		return "forwarded"
	case dedup.Suppress:
		return "suppressed"
	case dedup.Hold:
		return "held"
	case dedup.Drop:
		return "dropped"
	}
	return strconv.Quote(string(a))
}
