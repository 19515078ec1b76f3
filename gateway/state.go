package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-siem/sluice/gateway/stream"
)

// state tells Prometheus what is, rather than what happened: it is asked when /metrics is.
type state struct {
	g                              *Gateway
	held, size, streamSize, limit  *prometheus.Desc
	lagEvents, lagSeconds, readyTo *prometheus.Desc
	silent, last, free, missed     *prometheus.Desc
	open, modelEvents, modelAge    *prometheus.Desc
	known, scores, profiles        *prometheus.Desc
}

func newState(g *Gateway) *state {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &state{
		g:           g,
		held:        desc("sluice_held_notifications", "Notifications that are held now."),
		size:        desc("sluice_state_bytes", "Size of the state of recognition on disk."),
		streamSize:  desc("sluice_stream_bytes", "Size of the stream on disk."),
		free:        desc("sluice_disk_free_bytes", "What is free where data_dir is: the less of what the stream and the state have. With less than 64 MiB senders wait, with less than 256 MiB the model takes in nothing more."),
		limit:       desc("sluice_stream_limit_bytes", "stream.max_disk: where the stream is as large, senders wait."),
		lagEvents:   desc("sluice_target_lag_entries", "Entries of the stream that the target has not passed yet, those included that are suppressed, held or dropped and that it never gets.", "target"),
		lagSeconds:  desc("sluice_target_lag_seconds", "Age of the oldest entry that the target has not passed yet, whatever is done with it.", "target"),
		missed:      desc("sluice_target_missed_entries", "Entries of the stream that the target will never get, since the start: they can't be read any more.", "target"),
		silent:      desc("sluice_service_silent", "1 while the service has been quiet for longer than it usually is, or than configured.", "service"),
		last:        desc("sluice_service_last_notification_timestamp_seconds", "When the service's last notification was decided.", "service"),
		open:        desc("sluice_model_open", "1 while alerts, activities and users can be asked for."),
		modelEvents: desc("sluice_model_lag_entries", "Entries of the stream that alerts, activities and users don't show yet."),
		modelAge:    desc("sluice_model_lag_seconds", "Age of the oldest of them."),
		known:       desc("sluice_users", "Users that are known, of whom some have an investigation priority."),
		scores:      desc("sluice_user_scores", "Investigation priority of the users that have one, now."),
		profiles:    desc("sluice_user_profiles_bytes", "What the profiles take of memory, about."),
		readyTo:     desc("sluice_ready", "1 while the inputs listen and stream and state are open."),
	}
}

// Describe implements [prometheus.Collector].
func (s *state) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(s, ch) }

// Collect implements [prometheus.Collector].
func (s *state) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(s.held, float64(s.g.index.Held()))
	if size, err := s.g.index.Bytes(); err != nil {
		ch <- prometheus.NewInvalidMetric(s.size, err)
	} else {
		gauge(s.size, float64(size))
	}
	gauge(s.streamSize, float64(s.g.stream.Bytes()))
	if free, _, err := s.g.pipeline.space.least(); err != nil {
		ch <- prometheus.NewInvalidMetric(s.free, err)
	} else {
		gauge(s.free, float64(free))
	}
	gauge(s.limit, float64(s.g.config.Stream.MaxDisk))
	for _, d := range s.g.deliveries {
		gauge(s.missed, float64(d.reader.Missed()), d.name)
		lag, err := d.reader.Lag(context.Background(), time.Now())
		opening := errors.Is(err, stream.ErrOpening) // then sluice_ready is 0, and nobody knows how old the oldest is
		if err != nil && !opening {
			ch <- prometheus.NewInvalidMetric(s.lagEvents, err)
			continue
		}
		gauge(s.lagEvents, float64(lag.Entries), d.name)
		if !opening {
			gauge(s.lagSeconds, lag.Age.Seconds(), d.name)
		}
	}
	for _, name := range s.g.watched {
		r := s.g.index.Rhythm(name)
		silent := 0.0
		if !r.Silent.IsZero() {
			silent = 1
		}
		gauge(s.silent, silent, string(name))
		if !r.Last.IsZero() {
			gauge(s.last, float64(r.Last.UnixMilli())/1000, string(name))
		}
	}
	s.model(ch, gauge)
	ready := 0.0
	if s.g.watch != nil && s.g.unready() == "" {
		ready = 1
	}
	gauge(s.readyTo, ready)
}

// model tells how far the model has come, where there is to be one.
func (s *state) model(ch chan<- prometheus.Metric, gauge func(*prometheus.Desc, float64, ...string)) {
	if !s.g.config.Model.Enabled {
		return
	}
	m := s.g.show.model.Load()
	if m == nil {
		gauge(s.open, 0)
		return
	}
	gauge(s.open, 1)
	d := m.Distribution()
	gauge(s.known, float64(d.Users))
	gauge(s.profiles, float64(d.Bytes))
	ch <- distribution(s.scores, d.Scores)
	lag, err := m.Lag(context.Background(), time.Now())
	if errors.Is(err, stream.ErrOpening) {
		return
	}
	if err != nil {
		ch <- prometheus.NewInvalidMetric(s.modelEvents, err)
		return
	}
	gauge(s.modelEvents, float64(lag.Entries))
	gauge(s.modelAge, lag.Age.Seconds())
}

// distribution is how values lie, as a histogram.
func distribution(desc *prometheus.Desc, values []float64) prometheus.Metric {
	buckets, sum := map[float64]uint64{1: 0, 2.5: 0, 5: 0, 10: 0, 25: 0, 50: 0, 100: 0, 250: 0}, 0.0
	for _, v := range values {
		sum += v
		for most := range buckets {
			if v <= most {
				buckets[most]++
			}
		}
	}
	return prometheus.MustNewConstHistogram(desc, uint64(len(values)), sum, buckets)
}
