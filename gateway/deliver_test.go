package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/deadletter"
	"github.com/sluice-siem/sluice/gateway/ledger"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
	"github.com/sluice-siem/sluice/gateway/target"
)

// picky is a target that asks a function what becomes of each entry.
type picky struct {
	mu   sync.Mutex // guards what follows
	take func(key string) target.Result
	got  []string
}

func (p *picky) Deliver(_ context.Context, batch []*stream.Entry) ([]target.Result, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	results := make([]target.Result, len(batch))
	for i := range batch {
		key := string(batch[i].Key)
		if results[i] = p.take(key); results[i] == target.Retry {
			return results, errors.New("the line is dead")
		}
		if results[i] == target.Delivered {
			p.got = append(p.got, key)
		}
	}
	return results, errors.New("400: no such index")
}

func (p *picky) Close() error { return nil }

// deliveryTo is a delivery of n entries, every third of them suppressed, to a target.
func deliveryTo(t *testing.T, to Target, n int) *delivery {
	t.Helper()
	dir := t.TempDir()
	s, err := stream.Open(t.Context(), stream.Options{Dir: filepath.Join(dir, "stream")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	b := new(stream.Batch)
	for i := range n {
		e := &stream.Entry{
			Kind: stream.Notification, Key: dedup.EventKey(fmt.Sprint(i)), Time: monday,
			Notification: formats.Notification{Service: formats.DefenderForIdentity, Kind: formats.Alert, Arrived: monday, Title: "T"},
			Decision:     policy.Decision{Action: dedup.Forward},
		}
		if i%3 == 2 {
			e.Decision.Action = dedup.Suppress
		}
		if ok, err := b.Add(e); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	r, err := s.Reader(t.Context(), "siem", stream.Oldest)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	g := &Gateway{stream: s, log: slog.New(slog.DiscardHandler)}
	if g.letters, err = deadletter.Open(filepath.Join(dir, "deadletters")); err != nil {
		t.Fatal(err)
	}
	return newDelivery(config.Target{Name: "siem"}, to, r, g, newMetrics(prometheus.NewRegistry()))
}

// hanging is a target that takes nothing until it is told to stop.
type hanging struct{ asked chan struct{} }

func (h hanging) Deliver(ctx context.Context, batch []*stream.Entry) ([]target.Result, error) {
	close(h.asked)
	<-ctx.Done()
	return make([]target.Result, len(batch)), ctx.Err()
}

func (hanging) Close() error { return nil }

// TestAStopIsNoFailedDelivery: what the stop itself ended is no failure of the target, and isn't tried again.
func TestAStopIsNoFailedDelivery(t *testing.T) {
	var log strings.Builder
	slow := hanging{make(chan struct{})}
	d := deliveryTo(t, slow, 2)
	d.log = slog.New(slog.NewTextHandler(&log, nil))
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		<-slow.asked
		stop()
	}()
	if err := d.run(ctx); err != nil {
		t.Error(err)
	}
	if n := testutil.ToFloat64(d.metrics.retried.WithLabelValues("siem")); n != 0 || log.Len() > 0 {
		t.Errorf("%v retries, and the log says: %s", n, &log)
	}
	if got := terms(d); len(got) > 0 {
		t.Errorf("counted: %v", got)
	}
}

// terms are the sums of what a delivery committed.
func terms(d *delivery) map[string]int64 {
	t, _, _ := d.reader.Tally()
	out := map[string]int64{}
	for cell, c := range t {
		out[cell.Term] += c.N
	}
	return out
}

func TestWhatIsRefusedIsKept(t *testing.T) {
	fussy := &picky{take: func(key string) target.Result {
		if key == "3" || key == "4" {
			return target.Rejected
		}
		return target.Delivered
	}}
	d := deliveryTo(t, fussy, 9)
	d.finish()
	if err := d.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"0", "1", "6", "7"}, fussy.got); diff != "" {
		t.Errorf("delivered (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int64{ledger.Delivered: 4, ledger.DeadLettered: 2}, terms(d)); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
	ids, err := d.letters.List("siem")
	if diff := cmp.Diff([]string{"1.3", "1.4"}, ids); diff != "" || err != nil {
		t.Fatalf("kept: %v (-want +got):\n%s", err, diff)
	}
	letter := func(id string) *deadletter.Letter {
		t.Helper()
		l, err := d.letters.Read("siem", id)
		if err != nil {
			t.Fatal(err)
		}
		return &l
	}
	if l := letter("1.3"); l.Reply != "400: no such index" || l.Attempts != 1 || l.Entry.Key != "3" || l.Entry.Notification.Title != "T" {
		t.Errorf("the letter says %+v", l)
	}

	retry := func() error {
		_, err := d.letter(t.Context(), "1.3", d.retry)
		return err
	}
	// Refused again, not to be had, and then taken.
	if err := retry(); !errors.Is(err, errRefused) || letter("1.3").Attempts != 2 {
		t.Errorf("retry() = %v, %d attempts", err, letter("1.3").Attempts)
	}
	fussy.take = func(string) target.Result { return target.Retry }
	if err := retry(); !errors.Is(err, errRefused) || letter("1.3").Attempts != 2 {
		t.Errorf("retry() = %v, %d attempts", err, letter("1.3").Attempts)
	}
	fussy.take = func(string) target.Result { return target.Delivered }
	if err := retry(); err != nil {
		t.Errorf("retry() = %v", err)
	}
	if _, err := d.letters.Read("siem", "1.3"); !errors.Is(err, deadletter.ErrNotFound) {
		t.Errorf("Read() of what was delivered = %v", err)
	}
	if diff := cmp.Diff(map[string]int64{ledger.Delivered: 5, ledger.DeadLettered: 1}, terms(d)); diff != "" {
		t.Errorf("counted after the retry (-want +got):\n%s", diff)
	}
}

// TestDeadLettersDoNotFillTheLog: the first ten are told of; all are kept.
func TestDeadLettersDoNotFillTheLog(t *testing.T) {
	d := deliveryTo(t, &picky{take: func(string) target.Result { return target.Rejected }}, 30)
	var log bytes.Buffer
	d.log = slog.New(slog.NewTextHandler(&log, nil))
	d.finish()
	if err := d.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	ids, err := d.letters.List("siem")
	if told := strings.Count(log.String(), "kept as a dead letter"); told != 10 || len(ids) != 20 || err != nil {
		t.Errorf("%d are told of and %d kept, want 10 and 20: %v", told, len(ids), err)
	}
}

// TestWhatCannotBeKeptIsTriedAgain: the cursor doesn't pass what is refused and not kept.
func TestWhatCannotBeKeptIsTriedAgain(t *testing.T) {
	tries := 0
	var d *delivery
	fussy := &picky{take: func(key string) target.Result {
		if key != "1" {
			return target.Delivered
		}
		if tries++; tries == 2 { // there is room again
			if err := os.Remove(filepath.Join(d.letters.Dir(), "t-siem")); err != nil {
				t.Error(err)
			}
		}
		return target.Rejected
	}}
	d = deliveryTo(t, fussy, 5)
	if err := os.WriteFile(filepath.Join(d.letters.Dir(), "t-siem"), nil, 0o600); err != nil { // where its folder has to be
		t.Fatal(err)
	}
	d.finish()
	if err := d.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int64{ledger.Delivered: 3, ledger.DeadLettered: 1}, terms(d)); diff != "" || tries != 2 {
		t.Errorf("counted after %d tries (-want +got):\n%s", tries, diff)
	}
}

// TestPartsAreCountedOnce: a target that takes some, breaks off, and takes the rest.
func TestPartsAreCountedOnce(t *testing.T) {
	broken := true
	fussy := &picky{take: func(key string) target.Result {
		if key == "4" && broken {
			broken = false
			return target.Retry
		}
		return target.Delivered
	}}
	d := deliveryTo(t, fussy, 12)
	d.finish()
	if err := d.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"0", "1", "3", "4", "6", "7", "9", "10"}, fussy.got); diff != "" {
		t.Errorf("delivered (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int64{ledger.Delivered: 8}, terms(d)); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
}

// TestATargetIsCountedFromTheStart: a series that comes with a failure says nothing of deliveries.
func TestATargetIsCountedFromTheStart(t *testing.T) {
	m := newMetrics(prometheus.NewRegistry())
	newDelivery(config.Target{Name: "siem"}, &picky{}, nil, &Gateway{log: slog.New(slog.DiscardHandler)}, m)
	if n := testutil.CollectAndCount(m.latency); n != 1 {
		t.Errorf("sluice_delivery_latency_seconds has %d series, want 1", n)
	}
}

// TestPausesAreAsLongAsAskedFor: a target that asks to wait is not asked again before, and one that waits for
// an operator is tried slowly, and for ever.
func TestPausesAreAsLongAsAskedFor(t *testing.T) {
	refused := errors.New("403: no such token")
	tests := []struct {
		name        string
		err         error
		tries       int
		least, most time.Duration
		blocked     float64
	}{
		{"the first failure", refused, 0, firstBackoff / 2, firstBackoff, 0},
		{"the hundredth", refused, 99, longestBackoff / 2, longestBackoff, 0},
		{"asked to wait", &target.PauseError{After: time.Minute, Err: refused}, 0, time.Minute, 67 * time.Second, 0},
		{"asked to wait, deep in others", errors.Join(refused, fmt.Errorf("x: %w", &target.PauseError{After: time.Minute, Err: refused})), 0, time.Minute, 67 * time.Second, 0},
		{"blocked", &target.PauseError{Blocked: true, Err: refused}, 0, longestBackoff, 34 * time.Second, 1},
		{"blocked for long", &target.PauseError{Blocked: true, Err: refused}, 5000, probe, probe * 12 / 10, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &delivery{name: "siem", log: slog.New(slog.DiscardHandler), metrics: newMetrics(prometheus.NewRegistry())}
				start := time.Now()
				d.pause(t.Context(), &backoff{tries: tt.tries}, func(context.Context) []any { return nil }, tt.err)
				if got := time.Since(start); got < tt.least || got > tt.most {
					t.Errorf("paused for %v, want %v to %v", got, tt.least, tt.most)
				}
				gauge := d.metrics.blocked.WithLabelValues("siem")
				if got := testutil.ToFloat64(gauge); got != tt.blocked {
					t.Errorf("sluice_target_blocked = %v, want %v", got, tt.blocked)
				}
				if d.unblock(); testutil.ToFloat64(gauge) != 0 {
					t.Error("sluice_target_blocked stays when something got through")
				}
			})
		})
	}
}

// TestARateIsALimit: what goes out in a minute is no more than the rate and one batch.
func TestARateIsALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDelivery(config.Target{Name: "siem", RateLimit: 100, Batch: config.Batch{Entries: 50}}, &picky{}, nil,
			&Gateway{log: slog.New(slog.DiscardHandler)}, newMetrics(prometheus.NewRegistry()))
		start, sent := time.Now(), 0
		for time.Since(start) < time.Minute {
			if !d.throttle(t.Context(), 50) {
				t.Fatal("throttled for ever")
			}
			sent += 50
		}
		if sent < 5900 || sent > 6100 {
			t.Errorf("%d entries in a minute, want 6000 and a batch", sent)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if d.throttle(ended, 50) {
			t.Error("throttle lets something through when the gateway stops")
		}
	})
}

// greedy is a target that asks for more, as one that is to see what comes behind an entry does.
type greedy struct {
	picky
	asked int
}

func (g *greedy) DeliverMore(ctx context.Context, batch []*stream.Entry, more func() []*stream.Entry) ([]target.Result, error) {
	g.asked++
	batch = append(batch, more()...)
	return g.Deliver(ctx, batch)
}

// TestARateKeepsATargetsOwnWay: with a limit nothing more comes while a target waits, but it is still asked in its
// own way; and no more goes out at once than may in a second.
func TestARateKeepsATargetsOwnWay(t *testing.T) {
	g := &greedy{picky: picky{take: func(string) target.Result { return target.Delivered }}}
	d := deliveryTo(t, g, 9)
	limited := newDelivery(config.Target{Name: "siem", RateLimit: 1000, Batch: config.Batch{Entries: 2}}, g, d.reader,
		&Gateway{stream: d.stream, letters: d.letters, log: d.log}, newMetrics(prometheus.NewRegistry()))
	limited.finish()
	if err := limited.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if g.asked < 3 || len(g.got) != 6 {
		t.Errorf("asked %d times for %d entries, want batches of two, six entries", g.asked, len(g.got))
	}
	if d := newDelivery(config.Target{RateLimit: 5, Batch: config.Batch{Entries: 1000}}, g, nil, &Gateway{log: d.log}, newMetrics(prometheus.NewRegistry())); d.batch.Entries != 5 {
		t.Errorf("%d entries go out at once at 5 a second", d.batch.Entries)
	}
}
