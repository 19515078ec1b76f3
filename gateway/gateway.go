// Package gateway wires the way of a notification and runs it: received, parsed, matched, decided,
// recorded in the one stream, delivered.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/deadletter"
	"github.com/sluice-siem/sluice/gateway/input"
	"github.com/sluice-siem/sluice/gateway/ledger"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
	"github.com/sluice-siem/sluice/gateway/target"
)

// Input is a way in. Run hands what it receives to accept, in order, until ctx ends; the receipt tells when the
// batch is durable. Run returns when nothing more will be handed over.
type Input interface {
	Run(ctx context.Context, accept input.Accept) error
}

// Target is a way out. Deliver tries to deliver the batch, in order, and tells for each entry what
// became of it; the error says why for those that are to be delivered again. It returns at the latest
// when ctx ends. Whoever has the turn uses a target: its delivery, or an operator who sends a dead letter again.
type Target interface {
	Deliver(ctx context.Context, batch []*stream.Entry) ([]target.Result, error)
	Close() error
}

// eager is a target that can send on while it waits for an acknowledgement. DeliverMore is Deliver for
// the batch and whatever more gave until it returned; the results are those of all.
type eager interface {
	DeliverMore(ctx context.Context, batch []*stream.Entry, more func() []*stream.Entry) ([]target.Result, error)
}

// Gateway is the daemon: everything it needs is open and listening.
type Gateway struct {
	config     config.Config
	log        *slog.Logger
	stream     *stream.Stream
	index      *dedup.Index
	pipeline   *pipeline
	inputs     []Input
	addrs      []Listener
	deliveries []*delivery
	ledger     *ledger.Ledger
	letters    *deadletter.Store
	balance    balance
	watch      *watch
	show       *show
	door       *access.Door
	watched    []formats.Service // for silence
	control    *control
	closers    []func() error // in the order of opening

	retention retention
}

// Listener says where an input listens.
type Listener struct {
	Input   string
	Type    string
	Address string // with scheme, as in the configuration, and the port that was found for port 0
}

// Times of starting and stopping.
const (
	// grace is how long the inputs listen after a start before anything held is released: the
	// notification it waits for may have waited for us.
	grace = time.Minute
	// drain is how long targets may take to deliver what is left when the gateway stops; the rest
	// stays in the stream.
	drain = 5 * time.Second
)

// New opens everything: the stream, the state, which it brings to the end of the stream, targets, and
// then the inputs, so that a taken port fails at once. What it opened is closed again where it fails.
func New(ctx context.Context, o Options) (g *Gateway, err error) {
	g = &Gateway{config: o.Config, log: o.Log}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.close())
			g = nil
		}
	}()
	c := o.Config
	g.stream, err = stream.Open(ctx, stream.Options{
		Dir: streamDir(c), Cursors: filepath.Join(c.DataDir, "cursors"),
		Synced: c.Stream.Durability == "synced", MaxDisk: int64(c.Stream.MaxDisk), Log: o.Log.With("component", "stream"),
	})
	if err != nil {
		return g, fmt.Errorf("open the stream in %s: %w", c.DataDir, err)
	}
	g.closers = append(g.closers, g.stream.Close)
	if g.index, err = openState(ctx, c, g.stream, o.Log); err != nil {
		return g, err
	}
	g.closers = append(g.closers, g.index.Close)
	if g.ledger, err = ledger.Open(ctx, g.stream, c.DataDir, o.Log); err != nil {
		return g, err
	}
	g.closers = append(g.closers, g.ledger.Close)
	if g.letters, err = deadletter.Open(filepath.Join(c.DataDir, "deadletters")); err != nil {
		return g, err
	}
	m := newMetrics(o.Metrics)
	m.expect(c)
	if o.Now == nil {
		o.Now = time.Now
	}
	if g.pipeline, err = newPipeline(g, m, o.Now()); err != nil {
		return g, err
	}
	g.pipeline.decided = o.Decided
	g.watched = g.pipeline.silent.names()
	outputs := target.NewMetrics(o.Metrics)
	for _, t := range c.Targets {
		if err := g.openTarget(ctx, t, o, m, outputs); err != nil {
			return g, err
		}
	}
	if g.door, err = openDoor(g); err != nil {
		return g, err
	}
	inputs := input.NewMetrics(o.Metrics)
	for _, i := range c.Inputs {
		if err := g.openInput(i, inputs); err != nil {
			return g, err
		}
	}
	g.show = newShow(g)
	if g.watch, err = newWatch(g, o.Metrics, o.Gatherer); err != nil {
		return g, err
	}
	if g.control, err = newControl(g); err != nil {
		return g, err
	}
	g.closers = append(g.closers, func() error { _ = g.control.listener.Close(); return nil }) // run has closed it already
	if c.HTTP.Listen != "" {
		err = g.door.Welcome()
	}
	return g, err
}

func newPipeline(g *Gateway, m *metrics, start time.Time) (*pipeline, error) {
	mark, err := g.index.Mark()
	if err != nil {
		return nil, err
	}
	p := &pipeline{
		log: g.log, waiting: rate.Sometimes{Interval: time.Minute}, broken: rate.Sometimes{Interval: time.Minute}, index: g.index, stream: g.stream, metrics: m, requests: make(chan *request, ready), orders: make(chan *request),
		ended: make(chan struct{}), full: make(chan struct{}, 1), room: make(chan struct{}, 1),
		space: newSpace(g.config), decider: decider{policy: policy.New(g.config)}, clock: clock{last: mark.Time}, now: elapsed(mark.Time, start),
	}
	if p.silent, err = newSilences(g.config, g.index, mark.Time, p.now()); err != nil {
		g.log.Warn("pauses are forgotten: a service may be called silent for the time in which nobody listened", "err", err)
	}
	p.quiet = p.now().Add(min(grace, *g.config.Policy.Hold))
	return p, nil
}

// elapsed is the clock of the decider: the wall clock at the start, or the last recorded time where
// that is later, and from there on the time that really passed. A step of the wall clock ends no hold
// early and freezes none.
func elapsed(last, start time.Time) func() time.Time {
	begun := time.Now()
	base := start.Round(0).UTC()
	if last.After(base) {
		base = last
	}
	return func() time.Time { return base.Add(time.Since(begun)) }
}

// Listeners says where the inputs listen.
func (g *Gateway) Listeners() []Listener { return g.addrs }

// Run works until ctx ends, then stops in the order of the data and closes everything. The error is
// the reason why it had to stop by itself, or what went wrong in stopping.
func (g *Gateway) Run(ctx context.Context) error {
	g.announce()
	run, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	later := context.WithoutCancel(ctx)
	g.pipeline.stopping = run.Done()

	deciding, stopDeciding := context.WithCancel(later)
	defer stopDeciding()
	var decide, deliver, side errgroup.Group
	decide.Go(func() error {
		err := g.pipeline.run(deciding)
		if err != nil {
			fail(fmt.Errorf("decide: %w", err))
		}
		return err
	})
	delivering, stopDelivering := context.WithCancel(later)
	defer stopDelivering()
	for _, d := range g.deliveries {
		deliver.Go(func() error { return d.run(delivering) })
	}
	watching, stopWatching := context.WithCancel(later)
	defer stopWatching()
	side.Go(func() error { return g.watch.run(watching) })
	side.Go(func() error { g.retain(watching); return nil })
	side.Go(func() error { return g.ledger.Run(watching) })
	side.Go(func() error { g.balanceBooks(watching); return nil })
	side.Go(func() error { return g.control.run(watching) })
	side.Go(func() error { return g.show.run(watching) })

	var receive errgroup.Group
	for _, i := range g.inputs {
		receive.Go(func() error {
			err := i.Run(run, g.pipeline.accept)
			if err != nil {
				fail(fmt.Errorf("receive: %w", err))
			}
			return err
		})
	}
	g.watch.ready.Store(true)
	<-run.Done()
	g.watch.ready.Store(false)
	g.log.Info("stopping: inputs close, what was accepted is decided")
	err := receive.Wait()
	stopDeciding()
	err = errors.Join(err, decide.Wait())
	g.log.Info("stopping: targets get what is left", "at_most", drain.String())
	for _, d := range g.deliveries {
		d.finish()
	}
	timer := time.AfterFunc(drain, stopDelivering)
	err = errors.Join(err, deliver.Wait())
	timer.Stop()
	left := g.waiting(later)
	stopWatching()
	err = errors.Join(err, side.Wait(), g.close())
	g.log.Info("stopped", "waiting_entries", left)
	if cause := context.Cause(run); ctx.Err() == nil && cause != nil {
		return cause
	}
	return err
}

// waiting is what is kept for each target until the next start, as sluice_target_lag_entries counts it.
func (g *Gateway) waiting(ctx context.Context) map[string]uint64 {
	out := map[string]uint64{}
	for _, d := range g.deliveries {
		if lag, err := d.reader.Lag(ctx, time.Now()); err == nil || errors.Is(err, stream.ErrOpening) {
			out[d.name] = lag.Entries
		}
	}
	return out
}

// close closes what is open, the last opened first.
func (g *Gateway) close() error {
	var err error
	for _, c := range slices.Backward(g.closers) {
		err = errors.Join(err, c())
	}
	g.closers = nil
	return err
}
