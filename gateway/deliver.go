package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/deadletter"
	"github.com/sluice-siem/sluice/gateway/ledger"
	"github.com/sluice-siem/sluice/gateway/stream"
	"github.com/sluice-siem/sluice/gateway/target"
)

// delivery is one target's way along the stream. It delays no other: its cursor stays where the
// target stands, over restarts, and it tries again for ever.
type delivery struct {
	name    string
	target  Target
	filter  filter
	batch   config.Batch
	limiter *rate.Limiter // nil: any rate
	reader  *stream.Reader
	stream  *stream.Stream
	letters *deadletter.Store
	log     *slog.Logger
	telling rate.Sometimes // of dead letters
	metrics *metrics
	turn    chan struct{} // holds one value: who takes it uses the target
	doubts  doubts
	blocked atomic.Bool
	trouble atomic.Pointer[trouble] // nil while it takes what it is given

	reached stream.Position // where the cursor is to stand; it is behind that where it couldn't be written
	owed    stream.Tally    // what became of the entries between the two

	finishing chan struct{} // closed when nothing more will be appended
	once      sync.Once
}

// trouble is why a target took nothing the last time.
type trouble struct {
	at  time.Time
	why string
}

// Limits of delivering.
const (
	deliverEntries = 512 // at once, where the configuration doesn't say
	firstBackoff   = 250 * time.Millisecond
	longestBackoff = 30 * time.Second
	probe          = 2 * time.Minute // how often a target is tried that waits for an operator, at most
)

func newDelivery(c config.Target, t Target, r *stream.Reader, g *Gateway, m *metrics) *delivery {
	d := &delivery{
		name: c.Name, target: t, filter: newFilter(c.When, g.score), batch: c.Batch, reader: r, stream: g.stream, letters: g.letters,
		log: g.log.With("target", c.Name), telling: rate.Sometimes{First: 10, Interval: time.Minute}, metrics: m, turn: make(chan struct{}, 1), finishing: make(chan struct{}), owed: stream.Tally{},
	}
	if d.batch.Entries == 0 {
		d.batch.Entries = deliverEntries
	}
	if c.RateLimit > 0 { // what goes out at once is no more than what may in a second
		d.batch.Entries = min(d.batch.Entries, c.RateLimit)
		d.limiter = rate.NewLimiter(rate.Limit(c.RateLimit), d.batch.Entries)
	}
	d.doubts.target, _ = t.(doubtful)
	d.turn <- struct{}{}
	m.blocked.WithLabelValues(c.Name).Set(0)
	m.latency.WithLabelValues(c.Name) // it is there from the start, and not from the first try
	return d
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
	d.recall(idle)
	defer d.part(ctx)
	var pause, tending backoff
	for ctx.Err() == nil {
		wait := idle
		if !d.reader.Done() {
			wait = ctx
		}
		entries, err := d.next(wait)
		switch {
		case err == nil:
			pause = backoff{}
			d.deliver(ctx, d.gather(idle, entries))
		case wait.Err() != nil:
			return nil
		case errors.Is(err, errTend):
			d.catchUp()
			if d.inDoubt() {
				d.tend(wait, &tending)
			}
		default:
			d.log.Error("the stream can't be read, trying again", "err", err)
			pause.wait(ctx, 0)
		}
	}
	return nil
}

// gather waits for the batch to fill, for as long as the configuration allows.
func (d *delivery) gather(ctx context.Context, entries []*stream.Entry) []*stream.Entry {
	if d.batch.Wait <= 0 {
		return entries
	}
	ctx, cancel := context.WithTimeout(ctx, d.batch.Wait)
	defer cancel()
	for len(entries) < d.batch.Entries {
		more, err := d.reader.Next(ctx, d.batch.Entries-len(entries))
		if err != nil {
			break // what is wrong with the stream shows at the next read
		}
		entries = append(entries, more...)
	}
	return entries
}

// deliver tries until the target has every entry that is for it, or has refused it for good, moving the
// cursor along.
func (d *delivery) deliver(ctx context.Context, entries []*stream.Entry) {
	done := make(ends, len(entries))
	batch := d.wanted(make([]*stream.Entry, 0, len(entries)), entries, done)
	var pause backoff
	var out outage
	for len(batch) > 0 && d.throttle(ctx, len(batch)) {
		results, err := d.attempt(ctx, &batch, &entries, done)
		left := d.settle(batch, results, err, done)
		if len(left) < len(batch) {
			d.unblock()
		}
		if len(left) == 0 {
			out.over(ctx, d)
			batch = nil
			break
		}
		if len(left) < len(batch) {
			pause = backoff{} // something got through
			d.commitBefore(entries, left[0].At, done)
		}
		batch = left
		if ctx.Err() != nil { // that is why it failed, and it isn't tried again
			break
		}
		out.failed()
		d.metrics.retried.WithLabelValues(d.name).Inc()
		d.pause(ctx, &pause, d.waiting, err)
	}
	if len(batch) == 0 {
		last := entries[len(entries)-1].At
		d.doubts.repeated(last)
		d.commit(last, done)
	}
}

// throttle waits until n more entries may go out, or ctx ends.
func (d *delivery) throttle(ctx context.Context, n int) bool {
	if d.limiter == nil {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d.limiter.ReserveN(time.Now(), n).Delay())
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// pause says why a delivery failed and what waits for the target, and waits until it is tried again.
func (d *delivery) pause(ctx context.Context, pause *backoff, waiting func(context.Context) []any, err error) {
	p := target.PauseOf(err)
	d.trouble.Store(&trouble{time.Now(), fmt.Sprint(err)})
	attrs := func() []any { return append([]any{"attempt", pause.tries + 1, "err", err}, waiting(ctx)...) }
	switch tell := pause.tries == 0 || pause.tries%10 == 9; {
	case p.Blocked:
		if d.blocked.CompareAndSwap(false, true) || tell {
			d.log.Error("the target takes nothing until somebody mends it; everything for it is kept, and it is tried again", attrs()...)
		}
		d.metrics.blocked.WithLabelValues(d.name).Set(1)
		p.After = max(p.After, min(longestBackoff<<min(pause.tries, 2), probe))
	case tell:
		d.log.Warn("delivery failed, trying again", attrs()...)
	}
	pause.wait(ctx, p.After)
}

// waiting is for the log how much waits for the target; nothing where that can't be told now.
func (d *delivery) waiting(ctx context.Context) []any {
	lag, err := d.reader.Lag(ctx, time.Now())
	if err != nil && !errors.Is(err, stream.ErrOpening) {
		return nil
	}
	return []any{"waiting_entries", lag.Entries}
}

// unblock notes that the target takes something again.
func (d *delivery) unblock() {
	d.trouble.Store(nil)
	if d.blocked.CompareAndSwap(true, false) {
		d.metrics.blocked.WithLabelValues(d.name).Set(0)
	}
}

// ends says how it ended, for the entries that the cursor has not passed yet.
type ends map[stream.Position]end

type end struct {
	entry *stream.Entry
	term  string // of the ledger
}

// upTo counts what lies up to that position.
func (e ends) upTo(at stream.Position) stream.Tally {
	t := stream.Tally{}
	for p, one := range e {
		if !at.Less(p) {
			count(t, one.term, one.entry, 1)
		}
	}
	return t
}

// count counts what became of an entry. One that was not forwarded is none of the equations'.
func count(t stream.Tally, term string, e *stream.Entry, n int64) {
	if !e.Delivered() {
		term = ledger.StoodIn
	}
	t.Add(term, e, n)
}

// forget drops what lies up to that position: it is committed.
func (e ends) forget(at stream.Position) {
	maps.DeleteFunc(e, func(p stream.Position, _ end) bool { return !at.Less(p) })
}

// attempt delivers the batch once. Where the target sends on while it waits, what was appended meanwhile
// is added to the batch, and to entries.
func (d *delivery) attempt(ctx context.Context, batch, entries *[]*stream.Entry, done ends) ([]target.Result, error) {
	select {
	case <-d.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { d.turn <- struct{}{} }()
	defer d.doubts.ask()
	t, ok := d.target.(eager)
	if !ok {
		return d.target.Deliver(ctx, *batch)
	}
	return t.DeliverMore(ctx, *batch, func() []*stream.Entry {
		room := 2*d.batch.Entries - len(*entries)
		if room <= 0 || d.limiter != nil {
			return nil
		}
		ready := d.reader.Ready(room)
		*entries = append(*entries, ready...)
		from := len(*batch)
		*batch = d.wanted(*batch, ready, done)
		return (*batch)[from:]
	})
}

// wanted adds those of the entries to batch that this target gets, and notes in done which it doesn't.
func (d *delivery) wanted(batch, entries []*stream.Entry, done ends) []*stream.Entry {
	counted := d.reader.Committed()
	for _, e := range entries {
		switch d.filter.judge(e) {
		case forwarded, standingIn:
			batch = append(batch, d.filter.stamped(e))
		case filtered:
			if counted.Less(e.At) {
				done[e.At] = end{e, ledger.Filtered}
				d.metrics.delivered.WithLabelValues(d.name, ledger.Filtered).Inc()
			}
		case notForTargets:
		}
	}
	return batch
}

// settle notes what became of the batch and gives what is to be delivered again: what the target didn't
// take, and what it refuses for good while that can't be kept. What was delivered before a kill is not
// counted again.
func (d *delivery) settle(batch []*stream.Entry, results []target.Result, err error, done ends) []*stream.Entry {
	now, counted, latency := time.Now(), d.reader.Committed(), d.metrics.latency.WithLabelValues(d.name)
	var left []*stream.Entry
	again, refused, took := 0, 0, 0
	for i, e := range batch {
		switch {
		case i >= len(results) || results[i] == target.Retry, results[i] == target.Rejected && !d.keep(e, err, now):
			left = append(left, e)
			continue
		case !counted.Less(e.At):
			again++
		case results[i] == target.Rejected:
			done[e.At] = end{e, ledger.DeadLettered}
			refused++
		default:
			done[e.At] = end{e, ledger.Delivered}
			took++
			if e.Kind == stream.Notification {
				latency.Observe(now.Sub(e.Notification.Arrived).Seconds())
			}
		}
	}
	for result, n := range map[string]int{"again": again, target.Rejected.String(): refused, target.Delivered.String(): took} {
		if n > 0 {
			d.metrics.delivered.WithLabelValues(d.name, result).Add(float64(n))
		}
	}
	d.metrics.minute.delivered(d.name, took, now)
	return left
}

// keep makes a dead letter of an entry that the target refuses for good.
func (d *delivery) keep(e *stream.Entry, reply error, now time.Time) bool {
	l := deadletter.Letter{Target: d.name, Refused: now, Attempts: 1, Reply: target.Reply(reply, e.Key), Entry: *e}
	if err := d.letters.Put(&l); err != nil {
		d.log.Error("a dead letter can't be kept, trying again", "event_key", e.Key, "err", err)
		return false
	}
	d.telling.Do(func() {
		d.log.Error("the target refuses an event for good: it is kept as a dead letter; after the first ten, one a minute is told of",
			"event_key", e.Key, "dead_letter", l.ID(), "reply", l.Reply)
	})
	return true
}

// commitBefore moves the cursor to the last entry before at.
func (d *delivery) commitBefore(entries []*stream.Entry, at stream.Position, done ends) {
	for _, e := range slices.Backward(entries) {
		if e.At.Less(at) {
			d.commit(e.At, done)
			return
		}
	}
}

func (d *delivery) commit(at stream.Position, done ends) {
	if !d.reader.Committed().Less(at) {
		return
	}
	d.reached = at
	d.owed.Merge(done.upTo(at))
	done.forget(at)
	d.catchUp()
}

// behind says that the cursor couldn't be written.
func (d *delivery) behind() bool { return d.reader.Committed().Less(d.reached) }

// catchUp moves the cursor to where it is to stand. Where it can't, the next commit does, or the next time to tend.
func (d *delivery) catchUp() {
	if !d.behind() {
		return
	}
	d.reader.Suspect(d.doubts.now()) // before what it is about is behind the cursor
	switch err := d.reader.Commit(d.reached, d.owed); {
	case err == nil:
		d.owed = stream.Tally{}
	case !errors.Is(err, stream.ErrClosed):
		d.log.Error("the cursor can't be moved, trying again; events may be delivered twice after a kill", "err", err)
	}
}

// errRefused: a dead letter was sent again and refused again, or didn't get through.
var errRefused = errors.New("not delivered")

// letter reads a dead letter when it is this operator's turn with the target, and does something with it.
func (d *delivery) letter(ctx context.Context, id string, do func(context.Context, *deadletter.Letter) error) (deadletter.Letter, error) {
	select {
	case <-d.turn:
	case <-ctx.Done():
		return deadletter.Letter{}, fmt.Errorf("wait for the target's turn: %w", ctx.Err())
	}
	defer func() { d.turn <- struct{}{} }()
	l, err := d.letters.Read(d.name, id)
	if err == nil {
		err = do(ctx, &l)
	}
	return l, err
}

// retry sends a dead letter again, now.
func (d *delivery) retry(ctx context.Context, l *deadletter.Letter) error {
	e := *d.filter.stamped(&l.Entry)
	e.At = stream.Position{} // what comes after it in the stream is not in doubt with it
	results, err := d.target.Deliver(ctx, []*stream.Entry{&e})
	switch {
	case len(results) == 1 && results[0] == target.Delivered:
		if err := d.letters.Remove(d.name, l.ID()); err != nil {
			return err
		}
		t := stream.Tally{}
		count(t, ledger.DeadLettered, &l.Entry, -1)
		count(t, ledger.Delivered, &l.Entry, 1)
		d.metrics.delivered.WithLabelValues(d.name, results[0].String()).Inc()
		d.metrics.minute.delivered(d.name, 1, time.Now())
		return d.reader.Recount(t)
	case len(results) == 1 && results[0] == target.Rejected:
		l.Attempts, l.Refused, l.Reply = l.Attempts+1, time.Now(), target.Reply(err, l.Entry.Key)
		if kept := d.letters.Put(l); kept != nil {
			return kept
		}
		return fmt.Errorf("%w: refused again: %s", errRefused, l.Reply)
	}
	return fmt.Errorf("%w: the target is not to be had: %w", errRefused, err)
}

// giveUp forgets a dead letter. It stays counted as dead-lettered.
func (d *delivery) giveUp(_ context.Context, l *deadletter.Letter) error {
	err := d.letters.Remove(d.name, l.ID())
	if err == nil {
		d.log.Warn("a dead letter was given up by an operator", "dead_letter", l.ID(), "event_key", l.Entry.Key)
	}
	return err
}

// backoff waits longer each time, with jitter, so that targets that failed together don't come back
// together.
type backoff struct{ tries int }

// wait waits, and at least for as long as the other side asked for.
func (b *backoff) wait(ctx context.Context, least time.Duration) {
	d := longestBackoff
	if b.tries < 7 {
		d = min(firstBackoff<<b.tries, longestBackoff)
	}
	b.tries++
	timer := time.NewTimer(max(d/2+rand.N(d/2), least+rand.N(least/10+1)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
