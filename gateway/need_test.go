package gateway

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/stream"
	"github.com/sluice-siem/sluice/test/company"
)

// needed is what one kind of notification takes, in bytes each.
type needed struct{ stream, state, paired, checkpoint float64 }

// measureNeed sends n messages of passing through a pipeline, those for which take is true, so many at once, and looks at
// what they leave behind.
func measureNeed(t testing.TB, n, once int, take func(i int) bool) needed {
	t.Helper()
	dir := t.TempDir()
	p, closes := newPipelineIn(t, dir, with(), slog.New(slog.DiscardHandler), monday)
	index := p.index
	var messages []*incoming
	taken := 0
	for i := 0; taken < n; i++ {
		if !take(i) {
			continue
		}
		taken++
		m := &incoming{of: &request{left: 1 << 30}, entry: entryOf("bench", normalize([]byte(passing(i)), longAfter))}
		messages = append(messages, m)
		if len(messages) < once && taken < n {
			continue
		}
		if done, err := p.attempt(t.Context(), messages); err != nil || done != len(messages) {
			t.Fatal(done, err)
		}
		messages = messages[:0]
	}
	each := func(bytes int64) float64 { return float64(bytes) / float64(n) }
	out := needed{stream: each(p.stream.Bytes())}
	whole, paired := int64(0), int64(0)
	err := index.Each(func(key, value []byte) error {
		whole += int64(len(key) + len(value))
		if key[0] == 'n' || key[0] == 't' {
			paired += int64(len(key) + len(value))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := index.Checkpoint(filepath.Join(dir, "checkpoint")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	closes()
	out.checkpoint = each(info.Size())
	if index, err = dedup.Open(filepath.Join(dir, "state"), with()); err != nil {
		t.Fatal(err)
	}
	size, err := index.Bytes()
	if err := errors.Join(err, index.Close()); err != nil {
		t.Fatal(err)
	}
	out.paired = each(size) * float64(paired) / float64(whole)
	out.state = each(size) - out.paired
	return out
}

func isActivity(i int) bool { return i%20 != 7 && i%20 != 13 }

// measureModel is what the tables and the index of a model take of what happens in a company, and a copy of its tables,
// in bytes for each of n messages.
func measureModel(t testing.TB, size company.Size, n int) (files, copied float64) {
	t.Helper()
	dir := t.TempDir()
	s := week(t, size)
	m, err := model.Open(t.Context(), model.Options{Dir: dir, Stream: s, Config: config.Default(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	_, last := s.Bounds()
	err = m.Wait(ctx, stream.Position{Sequence: last})
	stop()
	if err = errors.Join(err, <-done, m.Close()); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "model.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), "VACUUM INTO ?", filepath.Join(dir, "copy.db"))
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	each := func(name string) float64 {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return float64(info.Size()) / float64(n)
	}
	return each("model.db") + each("model-index.db"), each("copy.db")
}

// BenchmarkNeed measures what need.go computes with.
func BenchmarkNeed(b *testing.B) {
	for _, kind := range []struct {
		name string
		n    int
		take func(int) bool
	}{
		{"activity", 200_000, isActivity},
		{"alert", 50_000, func(i int) bool { return !isActivity(i) }},
	} {
		b.Run(kind.name, func(b *testing.B) {
			for b.Loop() {
				n := measureNeed(b, kind.n, 100, kind.take)
				b.ReportMetric(measureNeed(b, kind.n/50, 1, kind.take).stream, "stream-B")
				b.ReportMetric(n.stream, "stream-at-once-B")
				b.ReportMetric(n.state, "state-B")
				b.ReportMetric(n.paired, "paired-B")
				b.ReportMetric(n.checkpoint, "checkpoint-B")
			}
		})
	}
	for _, of := range []struct {
		name string
		size company.Size
		n    int
	}{
		{"model's activity", company.Size{People: 5000, Activities: 400_000, Alerts: 1, Days: 7}, 400_000},
		{"model's alert", company.Size{People: 5000, Activities: 1, Alerts: 4000, Days: 7}, 2 * 4000},
	} {
		b.Run(of.name, func(b *testing.B) {
			for b.Loop() {
				files, copied := measureModel(b, of.size, of.n)
				b.ReportMetric(files, "model-B")
				b.ReportMetric(copied/files, "copy")
			}
		})
	}
}

// TestNeedIsWhatWasMeasured: sluice check computes with figures that are still true.
func TestNeedIsWhatWasMeasured(t *testing.T) {
	near := func(what string, measured, figure float64) {
		t.Helper()
		if measured < 0.75*figure || measured > 1.1*figure {
			t.Errorf("%s: measured %.0f bytes, need.go computes with %.0f; see BenchmarkNeed", what, measured, figure)
		}
	}
	a := measureNeed(t, 20_000, 100, isActivity)
	near("an activity alone in a message of the stream", measureNeed(t, 1_000, 1, isActivity).stream, streamEntry)
	near("an activity in the state", a.state, stateActivity)
	near("an activity in the checkpoint", a.checkpoint, stateActivity)
	isAlert := func(i int) bool { return !isActivity(i) }
	n := measureNeed(t, 4_000, 100, isAlert)
	near("an alert alone in a message of the stream", measureNeed(t, 1_000, 1, isAlert).stream, streamEntry)
	near("an alert in the state", n.state, stateAlert)
	near("an alert in the state while it can be paired", n.paired, statePaired)
	near("an alert in the checkpoint", n.checkpoint, stateAlert+statePaired)
	files, copied := measureModel(t, company.Size{People: 100, Activities: 40_000, Alerts: 1, Days: 7}, 40_000)
	near("an activity in the model", files, modelActivity)
	near("an activity in the model's snapshot", copied, modelCopy*modelActivity)
	files, copied = measureModel(t, company.Size{People: 100, Activities: 1, Alerts: 1000, Days: 7}, 2*1000)
	near("an alert in the model", files, modelAlert)
	near("an alert in the model's snapshot", copied, modelCopy*modelAlert)
}

// TestNeed: what a load needs, and what it means where the disk limit comes before the retention.
func TestNeed(t *testing.T) {
	c := config.Default()
	c.Access.Roles = []config.Grant{{Role: "viewer", Services: []string{"defender_for_identity"}}, {Role: "admin"}}
	n := NeedOf(c, Load{Rate: 10, Alerts: 0})
	want := Need{
		Stream: 10 * streamEntry * 72 * 3600, State: 10 * stateActivity * 120 * 3600,
		Model: int64(c.Model.MaxDisk), Views: 1, Shown: n.Shown,
		Memory: atWork + 10*dedup.ActivityMemory*72*3600, Remembered: 72 * time.Hour, Kept: 72 * time.Hour, Buffer: n.Buffer,
	}
	n.Model = (n.Model + 1<<10) >> 20 << 20 // seconds are cut off
	if diff := cmp.Diff(want, n); diff != "" {
		t.Errorf("NeedOf at 10/s (-want +got):\n%s", diff)
	}
	if shown := n.Shown.Hours(); shown < 300 || shown > 320 {
		t.Errorf("at 10/s activities are shown for %.0f hours, want as many as model.max_disk has room for", shown)
	}
	models := n.Disk() - n.Stream - 2*n.State - 2*n.Checkpoint() - reserve - spare
	if want := 2 * int64(2.8*float64(c.Model.MaxDisk)); models != want {
		t.Errorf("two models and their snapshots take %d bytes, want %d", models, want)
	}
	n = NeedOf(c, Load{Rate: 1000, Alerts: 0.01})
	if kept := n.Kept.Round(time.Minute); kept < 4*time.Hour || kept > 6*time.Hour {
		t.Errorf("at 1000/s the stream reaches back %s, want some five hours", kept)
	}
	if limit := int64(c.Stream.MaxDisk); n.Stream > limit || n.Buffer <= n.Kept {
		t.Errorf("at 1000/s the stream takes %d of %d, a target may be down for %s", n.Stream, limit, n.Buffer)
	}
	if most := int64(atWork + dedup.MaxActivities*dedup.ActivityMemory); n.Memory != most || n.Remembered > 10*time.Hour || n.Remembered < 9*time.Hour {
		t.Errorf("at 1000/s the memory is %d, want %d, and activities are known for %s", n.Memory, most, n.Remembered)
	}
	if n := NeedOf(c, Load{Rate: 1e-9}); n.Buffer < 10*365*24*time.Hour {
		t.Errorf("at nearly nothing a target may be down for %s", n.Buffer)
	}
}

// TestTheReadmeAgrees: the README's table has the guarantees in the words that sluice check prints.
func TestTheReadmeAgrees(t *testing.T) {
	data, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(data), "\n## The guarantees of each route\n")
	text, _, _ = strings.Cut(text, "\n## ")
	var got []Guarantee
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) == 3 && strings.HasPrefix(line, "|") && !strings.HasPrefix(line, "| |") && !strings.HasPrefix(line, "|-") {
			got = append(got, Guarantee{strings.TrimSpace(cells[0]), strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2])})
		}
	}
	if diff := cmp.Diff(Guarantees(), got); diff != "" {
		t.Errorf("README.md (-gateway.Guarantees +table):\n%s", diff)
	}
}

// TestEveryRouteHasAGuarantee: whatever an input or a target may be, it is one of the table's.
func TestEveryRouteHasAGuarantee(t *testing.T) {
	c := config.Default()
	c.Inputs = []config.Input{
		{Name: "a", Type: "syslog", Listen: "udp://:1"},
		{Name: "b", Type: "syslog", Listen: "tls://:1"},
		{Name: "c", Type: "relp", Listen: "tcp://:2"},
		{Name: "d", Type: "http", Listen: "tls://:3"},
	}
	c.Targets = []config.Target{
		{Name: "e", Type: "syslog", Address: "udp://h:1"},
		{Name: "f", Type: "syslog", Address: "tls://h:1"},
		{Name: "g", Type: "file", Path: "x"},
		{Name: "h", Type: "stdout"},
		{Name: "i", Type: "syslog", Address: "relp+tls://h:1"},
		{Name: "j", Type: "splunk_hec", URL: "https://h"},
		{Name: "k", Type: "elasticsearch", URL: "https://h"},
		{Name: "l", Type: "sentinel", URL: "https://h"},
		{Name: "m", Type: "kafka", Brokers: []string{"tcp://h:1"}},
		{Name: "n", Type: "nats", URL: "nats://h"},
		{Name: "o", Type: "http", URL: "https://h"},
		{Name: "p", Type: "syslog", Address: "tls://h:1", Proxy: "http://p:3128"},
		{Name: "q", Type: "syslog", Address: "relp://h:1", Proxy: "http://p:3128"},
		{Name: "r", Type: "syslog", Address: "tcp://h:1", Proxy: "none"},
	}
	var got []string
	for _, l := range Route(c) {
		if l.Kept == "" || l.Lost == "" {
			t.Errorf("%s %s has no guarantee", l.Role, l.Name)
		}
		got = append(got, l.Role+" "+l.Name+": "+l.Part)
	}
	want := []string{
		"input a: UDP in", "input b: TCP and TLS in", "input c: RELP in", "input d: HTTP in",
		"stream : the stream, `durability: synced`", "hold : what is held",
		"target e: UDP out", "target f: TCP and TLS out", "target g: file", "target h: stdout",
		"target i: RELP out", "target j: splunk_hec", "target k: elasticsearch", "target l: sentinel", "target m: kafka",
		"target n: nats", "target o: http", "target p: TCP and TLS out through a proxy", "target q: RELP out", "target r: TCP and TLS out",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestRouteWarnsOfBareEvents: who chooses cef_original is told where it has nothing of ours.
func TestRouteWarnsOfBareEvents(t *testing.T) {
	for _, tt := range []struct {
		target config.Target
		want   bool
	}{
		{config.Target{Type: "syslog", Address: "tls://h:1", Header: "rfc5424"}, false},
		{config.Target{Type: "syslog", Address: "relp://h:1", Header: "rfc3164"}, true},
		{config.Target{Type: "file", Path: "x"}, true},
		{config.Target{Type: "stdout"}, true},
		{config.Target{Type: "http", URL: "https://h", Body: "one"}, false},
		{config.Target{Type: "http", URL: "https://h", Body: "ndjson"}, true},
		{config.Target{Type: "kafka", Brokers: []string{"tcp://h:1"}}, false},
		{config.Target{Type: "nats", URL: "nats://h"}, false},
		{config.Target{Type: "splunk_hec", URL: "https://h"}, false},
	} {
		for _, format := range []string{"cef", "cef_original"} {
			c := config.Default()
			tt.target.Format = format
			c.Targets = []config.Target{tt.target}
			legs := Route(c)
			if note := legs[len(legs)-1].Note; (note != "") != (tt.want && format == "cef_original") {
				t.Errorf("%s, %s%s%s: note %q, want one: %t", format, tt.target.Type, tt.target.Header, tt.target.Body, note, tt.want)
			}
		}
	}
}
