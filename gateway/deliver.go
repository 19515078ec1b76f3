package gateway

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/sluice-siem/sluice/gateway/stream"
	"github.com/sluice-siem/sluice/gateway/target"
)

// delivery is one target's way along the stream. It delays no other: its cursor stays where the
// target stands, over restarts, and it tries again for ever.
type delivery struct {
	name    string
	target  Target
	reader  *stream.Reader
	stream  *stream.Stream
	log     *slog.Logger
	metrics *metrics

	finishing chan struct{} // closed when nothing more will be appended
	once      sync.Once
}

// Limits of delivering.
const (
	deliverEntries = 512
	firstBackoff   = 250 * time.Millisecond
	longestBackoff = 30 * time.Second
)

func newDelivery(name string, t Target, r *stream.Reader, s *stream.Stream, log *slog.Logger, m *metrics) *delivery {
	return &delivery{
		name: name, target: t, reader: r, stream: s, log: log.With("target", name), metrics: m,
		finishing: make(chan struct{}),
	}
}

// finish makes run return when the target has everything there is.
func (d *delivery) finish() { d.once.Do(func() { close(d.finishing) }) }

// run delivers until ctx ends, or after finish until everything is delivered.
func (d *delivery) run(ctx context.Context) error {
	idle, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, cancel)
	defer stop()
	go func() {
		select {
		case <-d.finishing:
			cancel()
		case <-idle.Done():
		}
	}()
	var pause backoff
	for ctx.Err() == nil {
		wait := idle
		if _, last := d.stream.Bounds(); d.reader.Committed().Sequence < last {
			wait = ctx
		}
		entries, err := d.reader.Next(wait, deliverEntries)
		switch {
		case err == nil:
			pause = backoff{}
			d.deliver(ctx, entries)
		case wait.Err() != nil:
			return nil
		default:
			d.log.Error("the stream can't be read, trying again", "err", err)
			pause.wait(ctx)
		}
	}
	return nil
}

// deliver tries until the target has every entry that is for it, moving the cursor along.
func (d *delivery) deliver(ctx context.Context, entries []stream.Entry) {
	batch := wanted(make([]stream.Entry, 0, len(entries)), entries)
	var pause backoff
	for len(batch) > 0 && ctx.Err() == nil {
		results, err := d.attempt(ctx, &batch, &entries)
		left := d.settle(batch, results, err)
		if len(left) == 0 {
			break
		}
		if len(left) < len(batch) {
			pause = backoff{} // something got through
			d.commitBefore(entries, left[0].At)
		}
		batch = left
		d.metrics.retried.WithLabelValues(d.name).Inc()
		if pause.tries == 0 || pause.tries%10 == 9 {
			d.log.Warn("delivery failed, trying again", "attempt", pause.tries+1, "waiting_entries", len(left), "err", err)
		}
		pause.wait(ctx)
	}
	if ctx.Err() == nil || len(batch) == 0 {
		d.commit(entries[len(entries)-1].At)
	}
}

// attempt delivers the batch once. Where the target sends on while it waits, what was appended meanwhile
// is added to the batch, and to entries.
func (d *delivery) attempt(ctx context.Context, batch, entries *[]stream.Entry) ([]target.Result, error) {
	t, ok := d.target.(eager)
	if !ok {
		return d.target.Deliver(ctx, *batch)
	}
	return t.DeliverMore(ctx, *batch, func() []stream.Entry {
		room := 2*deliverEntries - len(*entries)
		if room <= 0 {
			return nil
		}
		ready := d.reader.Ready(room)
		*entries = append(*entries, ready...)
		from := len(*batch)
		*batch = wanted(*batch, ready)
		return (*batch)[from:]
	})
}

// wanted adds those of the entries to batch that targets get.
func wanted(batch, entries []stream.Entry) []stream.Entry {
	for i := range entries {
		if entries[i].Delivered() {
			batch = append(batch, entries[i])
		}
	}
	return batch
}

// settle counts what became of the batch and gives what is to be delivered again.
func (d *delivery) settle(batch []stream.Entry, results []target.Result, err error) []stream.Entry {
	now := time.Now()
	var left []stream.Entry
	for i := range batch {
		e := &batch[i]
		if i >= len(results) || results[i] == target.Retry {
			left = append(left, *e)
			continue
		}
		d.metrics.delivered.WithLabelValues(d.name, results[i].String()).Inc()
		switch {
		case results[i] == target.Rejected:
			d.log.Error("the target refuses an event for good", "event_key", e.Key, "sequence", e.At.Sequence, "err", err)
		case e.Kind == stream.Notification:
			d.metrics.latency.WithLabelValues(d.name).Observe(now.Sub(e.Notification.Arrived).Seconds())
		}
	}
	return left
}

// commitBefore moves the cursor to the last entry before at.
func (d *delivery) commitBefore(entries []stream.Entry, at stream.Position) {
	for _, e := range slices.Backward(entries) {
		if e.At.Less(at) {
			d.commit(e.At)
			return
		}
	}
}

func (d *delivery) commit(at stream.Position) {
	if err := d.reader.Commit(at); err != nil && !errors.Is(err, stream.ErrClosed) {
		d.log.Error("the cursor can't be moved; events may be delivered twice", "err", err)
	}
}

// backoff waits longer each time, with jitter, so that targets that failed together don't come back
// together.
type backoff struct{ tries int }

func (b *backoff) wait(ctx context.Context) {
	d := longestBackoff
	if b.tries < 7 {
		d = min(firstBackoff<<b.tries, longestBackoff)
	}
	b.tries++
	timer := time.NewTimer(d/2 + rand.N(d/2))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
