package target

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics are what syslog targets count, by target. Deliveries, retries and the lag are counted by
// the gateway.
type Metrics struct {
	bytes       *prometheus.CounterVec
	connections *prometheus.CounterVec
	resent      *prometheus.CounterVec
}

// NewMetrics registers them with reg; a nil reg registers them nowhere. It panics if they are
// registered already.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	labels := []string{"target"}
	with := promauto.With(reg)
	return &Metrics{
		bytes: with.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_target_bytes_total",
			Help: "Bytes sent, with framing, before encryption.",
		}, labels),
		connections: with.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_target_connections_total",
			Help: "Connections opened.",
		}, labels),
		resent: with.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_target_resent_bytes_total",
			Help: "Bytes sent again because the SIEM reset the connection soon after they were acknowledged.",
		}, labels),
	}
}

// counters are the metrics of one target.
type counters struct{ bytes, connections, resent prometheus.Counter }

func (m *Metrics) of(target string) counters {
	return counters{
		bytes:       m.bytes.WithLabelValues(target),
		connections: m.connections.WithLabelValues(target),
		resent:      m.resent.WithLabelValues(target),
	}
}
