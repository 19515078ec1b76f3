package input

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics are what the inputs count, by input. Messages are counted by the gateway, when they are
// durable.
type Metrics struct {
	bytes       *prometheus.CounterVec
	truncated   *prometheus.CounterVec
	connections *prometheus.GaugeVec
	refused     *prometheus.CounterVec
	handshakes  *prometheus.CounterVec
	expires     *prometheus.GaugeVec // of inputs with TLS
	dropped     *prometheus.CounterVec
	bad         *prometheus.CounterVec
	requests    *prometheus.CounterVec // by input, status
}

// NewMetrics registers them with reg; a nil reg registers them nowhere. It panics if they are
// registered already.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	labels := []string{"input"}
	with := promauto.With(reg)
	return &Metrics{
		bytes: with.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_input_bytes_total",
			Help: "Bytes read from senders, after decryption.",
		}, labels),
		truncated: with.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_input_truncated_messages_total",
			Help: "Messages that were longer than max_message and cut, or that a broken connection cut.",
		}, labels),
		connections: with.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sluice_input_connections",
			Help: "Connections open now.",
		}, labels),
		refused: with.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_input_refused_connections_total",
			Help: "Connections closed at once because max_connections were open.",
		}, labels),
		handshakes: with.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_input_failed_handshakes_total",
			Help: "Connections that never completed their TLS handshake; not those that ended before it began.",
		}, labels),
		expires: with.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sluice_input_certificate_expires_timestamp_seconds",
			Help: "When the input's own certificate ends, as it was last read.",
		}, labels),
		dropped: with.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_input_dropped_datagrams_total",
			Help: "Datagrams that the kernel dropped because its buffer was full (Linux only).",
		}, labels),
		bad: with.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_input_protocol_errors_total",
			Help: "Connections closed because what came on them is not their input's protocol.",
		}, labels),
		requests: with.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_input_http_requests_total",
			Help: "Requests by the status of their answer.",
		}, []string{"input", "status"}),
	}
}

// counters are the metrics of one input.
type counters struct {
	bytes, truncated, refused, handshakes, dropped, bad prometheus.Counter
	connections                                         prometheus.Gauge
}

func (m *Metrics) of(input string) counters {
	return counters{
		bytes:       m.bytes.WithLabelValues(input),
		truncated:   m.truncated.WithLabelValues(input),
		refused:     m.refused.WithLabelValues(input),
		handshakes:  m.handshakes.WithLabelValues(input),
		dropped:     m.dropped.WithLabelValues(input),
		bad:         m.bad.WithLabelValues(input),
		connections: m.connections.WithLabelValues(input),
	}
}
