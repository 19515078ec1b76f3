package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/config"
	language "github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
	"github.com/sluice-siem/sluice/test/company"
)

// BenchmarkWeek loads a company's week, a million activities and 2,000 alerts, into the model, and asks it:
//
//	go test ./gateway -run '^$' -bench Week -benchtime 1x -timeout 30m
//
// It prints how fast the week was folded and, for each filter, how many of all activities fit and how long a page of
// 50 took. SLUICE_WEEK makes another number of activities, for a first look.
func BenchmarkWeek(b *testing.B) {
	size := company.Week()
	if s := os.Getenv("SLUICE_WEEK"); s != "" {
		if _, err := fmt.Sscan(s, &size.Activities); err != nil {
			b.Fatal(err)
		}
		size.Alerts = max(size.Activities/500, 1)
	}
	for b.Loop() {
		s := week(b, size)
		before := spent(b)
		m, rate := load(b, s)
		cpu := spent(b) - before
		b.ReportMetric(rate, "entries/s")
		b.ReportMetric(float64(cpu.Microseconds())/float64(size.Activities), "cpu-µs/entry")
		b.Logf("%.0f entries/s folded", rate)
		ask(b, m)
	}
}

// week records what the gateway decides on the company's lines.
func week(b testing.TB, size company.Size) *stream.Stream {
	b.Helper()
	c := config.Default()
	s, err := stream.Open(b.Context(), stream.Options{Dir: filepath.Join(b.TempDir(), "stream"), Cursors: b.TempDir(), MaxDisk: 1 << 40, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	index, err := dedup.Open("", c)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = index.Close() })
	d := decider{policy: policy.New(c)}
	var batch stream.Batch
	batch.Reset()
	overlay := index.Begin()
	flush := func() {
		if _, err := s.Append(b.Context(), &batch); err != nil {
			b.Fatal(err)
		}
		if err := overlay.Commit(dedup.Mark{}); err != nil {
			b.Fatal(err)
		}
		batch.Reset()
		overlay = index.Begin()
	}
	start := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -size.Days)
	var last time.Time
	for line := range company.New(1, size, start).Lines() {
		last = latest(last.Add(time.Nanosecond), line.Sent)
		e := &stream.Entry{Kind: stream.Notification, Input: "tcp", Notification: normalize([]byte(line.Text), line.Sent)}
		entries, err := d.notification(overlay, e, last)
		if err != nil {
			b.Fatal(err)
		}
		for _, e := range entries {
			if _, err := batch.Add(e); err != nil {
				b.Fatal(err)
			}
		}
		if batch.Full() {
			flush()
		}
	}
	if batch.Len() > 0 {
		flush()
	}
	overlay.Discard()
	return s
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// load opens a model on the stream and says how many entries it folded in a second.
func load(b testing.TB, s *stream.Stream) (*model.Model, float64) {
	b.Helper()
	m, err := model.Open(b.Context(), model.Options{
		Dir: b.TempDir(), Stream: s, Config: config.Default(), Log: slog.New(slog.DiscardHandler),
		Raise: func(context.Context, formats.Notification) error { return nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan error, 1)
	begun := time.Now()
	go func() { done <- m.Run(ctx) }()
	b.Cleanup(func() {
		stop()
		<-done
		_ = m.Close()
	})
	_, last := s.Bounds()
	newest, err := s.Read(b.Context(), last)
	if err != nil {
		b.Fatal(err)
	}
	if err := m.Wait(b.Context(), stream.Position{Sequence: last}); err != nil {
		b.Fatal(err)
	}
	return m, float64(newest.Before+uint64(len(newest.Entries))) / time.Since(begun).Seconds()
}

// ask times a page of each filter, and the timelines of users.
func ask(b *testing.B, m *model.Model) {
	b.Helper()
	all, err := m.State(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for _, text := range filters() {
		f, err := language.Activities().Parse(text)
		if err != nil {
			b.Fatal(text, err)
		}
		total, err := m.ActivityTotal(b.Context(), f)
		if err != nil {
			b.Fatal(text, err)
		}
		p50, p95 := times(b, func() error {
			_, err := m.Activities(b.Context(), model.Query{Filter: f, Limit: 50})
			return err
		})
		fmt.Fprintf(os.Stderr, "%-60s %8.4f %%  p50 %8v  p95 %8v\n", text, 100*float64(total.Count)/float64(all.Activities), p50, p95)
	}
	users, err := m.Users(b.Context(), model.Query{Limit: 200})
	if err != nil {
		b.Fatal(err)
	}
	i := 0
	p50, p95 := times(b, func() error {
		_, err := m.Timeline(b.Context(), users.Items[i%len(users.Items)].ID, model.Query{Limit: 50})
		i++
		return err
	})
	fmt.Fprintf(os.Stderr, "%-60s %10s  p50 %8v  p95 %8v\n", "timelines of users", "", p50, p95)
}

// times runs do 40 times.
func times(b *testing.B, do func() error) (p50, p95 time.Duration) {
	b.Helper()
	var took []time.Duration
	for range 40 {
		begun := time.Now()
		if err := do(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begun).Round(10*time.Microsecond))
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*95/100]
}

// filters are of every field and operator, most of which fit few activities.
func filters() []string {
	return []string{
		`user = aberg@nordhavn.example`, `user contains berg7`, `user starts with zrask`, `user_domain != nordhavn.example`,
		`ip = 10.21.3.17`, `ip = 198.51.4.0/24`, `ip starts with 10.22.11.`, `ip is not set`,
		`action = create`, `administrative = yes`, `failed = yes and application = Box`, `type contains PASSWORD`, `type starts with EVENT_CATEGORY_DELETE_U`,
		`object = hull-0042.pdf`, `object contains keel-0017`, `object is set and action = create`, `device is set`, `user_agent contains iPhone and failed = yes`,
		`kind = alert`, `severity >= high`, `alert is set`, `service = defender_for_identity`, `source != tcp`, `application != "Office 365" and action = create`,
		`time >= -1h`, `text contains "hull 0042"`, `text contains honeytoken`, `action = login`, `application = Box`,
	}
}
