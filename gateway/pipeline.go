package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/input"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// ErrStopping is what inputs are told when the gateway takes nothing more.
var ErrStopping = errors.New("the gateway is stopping")

// pipeline is the way from an accepted message to its durable, decided entry. One goroutine decides:
// it matches and decides a batch on an overlay of the state, appends it to the stream, and only then
// makes the overlay the state and tells the senders.
type pipeline struct {
	log      *slog.Logger
	waiting  rate.Sometimes // says that senders wait
	broken   rate.Sometimes // says that a message breaks a parser
	index    *dedup.Index
	decider  decider
	stream   *stream.Stream
	metrics  *metrics
	requests chan *request   // what inputs have ready, in order
	orders   chan *request   // what operators and Sluice itself want recorded; nobody's until it is taken
	ended    chan struct{}   // closed when nobody decides any more
	stopping <-chan struct{} // closed when nothing new is coming: who waits for room waits no longer
	full     chan struct{}   // has one when senders wait for room in the stream, for whoever makes it
	room     chan struct{}   // has one when there is some again

	clock   clock
	now     func() time.Time // the wall clock with its monotonic reading
	quiet   time.Time        // until then nothing is released: the inputs have only begun to listen
	space   space
	silent  silences
	decided func(Decided) // Options'
	overlay *dedup.Batch
	batch   stream.Batch
	pending []*incoming // what the batch holds, in order
	pressed atomic.Bool
}

// request is what an input hands over: messages of which it wants to know when the last is durable.
type request struct {
	messages []*incoming
	left     int // messages that are not durable yet
	done     chan error
}

// incoming is one parsed message on its way: the entry that will record it, of which input, part and
// notification are known. Or it is an order, which is no message and is decided in its own way.
type incoming struct {
	of    *request
	entry stream.Entry
	order func(*dedup.Batch, *stream.Entry, time.Time) ([]*stream.Entry, error) // nil for a message
}

// entryOf is the entry that will record what came in on that input.
func entryOf(input string, n formats.Notification) stream.Entry {
	return stream.Entry{Kind: stream.Notification, Input: input, Notification: n}
}

// ready is how many requests may wait for the decider: enough for a batch to be full, and few enough that
// what a sender can leave in our memory stays small.
const ready = 8

// accept is what inputs call: done when every message is durable in the stream. Parsing happens here, in
// the input's own goroutine.
func (p *pipeline) accept(ctx context.Context, messages []input.Message) input.Receipt {
	r := &request{messages: make([]*incoming, len(messages)), left: len(messages), done: make(chan error, 1)}
	var z normalizer
	room := make([]incoming, len(messages)) // of all of them at once
	for i, m := range messages {
		n := z.normalize(m.Raw, m.Received)
		if err := z.broke; err != nil {
			z.broke = nil
			p.broken.Do(func() {
				p.log.Error("a message breaks a parser, which is a mistake of Sluice's: it is kept as one that isn't understood", "input", m.Input, "err", err)
			})
		}
		if !m.Granted.Allows(n.Service) {
			n = disbelieve(&n)
		}
		n.Truncated = m.Truncated
		room[i] = incoming{of: r, entry: entryOf(m.Input, n)}
		room[i].entry.Part = (*dedup.Part)(m.Part)
		r.messages[i] = &room[i]
	}
	select {
	case p.requests <- r:
		select {
		case <-p.ended: // maybe after the last look at what waits
			p.answerLeft()
		default:
		}
	case <-p.ended:
		r.done <- ErrStopping
	case <-ctx.Done():
		r.done <- ErrStopping
	}
	// Once it is taken an answer comes for sure, as the pipeline drains its channel before it ends, but maybe
	// only when the stream has room again.
	return input.Receipt{Done: r.done, Until: ctx.Done()}
}

// run decides until ctx ends and everything accepted before that is answered. The error is that the
// stream or the state is broken beyond what a retry can mend.
func (p *pipeline) run(ctx context.Context) error {
	defer p.turnAway()
	var felt pressure
	for {
		var timer <-chan time.Time
		due, err := p.nextDue()
		if err != nil {
			return err
		}
		if !due.IsZero() {
			timer = time.After(max(due.Sub(p.now()), 0))
		}
		var messages []*incoming
		select {
		case <-ctx.Done():
			return p.drain(context.WithoutCancel(ctx))
		case <-timer:
		case r := <-p.requests:
			messages = p.gather(r)
		case r := <-p.orders:
			messages = p.gather(r)
		}
		if err := p.decide(ctx, messages); err != nil {
			return err
		}
		p.pressed.Store(felt.feel(len(messages), len(p.requests) > 0, p.now()))
	}
}

// isPressed says whether the forwarding needs all there is to work with.
func (p *pipeline) isPressed() bool { return p.pressed.Load() }

// drain answers what inputs handed over before they stopped, and who asks now.
func (p *pipeline) drain(ctx context.Context) error {
	for {
		var r *request
		select {
		case r = <-p.requests:
		case r = <-p.orders:
		default:
			return nil
		}
		if err := p.decide(ctx, p.gather(r)); err != nil {
			return err
		}
	}
}

// turnAway answers requests that nobody will decide any more.
func (p *pipeline) turnAway() {
	close(p.ended)
	p.answerLeft()
}

func (p *pipeline) answerLeft() {
	for {
		select {
		case r := <-p.requests:
			refuse(r.messages, ErrStopping)
		default:
			return
		}
	}
}

// gather adds what others have ready, so that one append carries it all.
func (p *pipeline) gather(r *request) []*incoming {
	out := r.messages
	for len(out) < stream.MaxEntries {
		select {
		case r = <-p.requests:
		case r = <-p.orders:
		default:
			return out
		}
		out = append(out, r.messages...)
	}
	return out
}

// nextDue is when something is to be done without a message: a hold ends, or a service may be silent.
func (p *pipeline) nextDue() (time.Time, error) {
	b := p.index.Begin()
	defer b.Discard()
	due, ok, err := b.NextDue()
	if err != nil {
		return time.Time{}, err
	}
	if ok && due.Before(p.quiet) {
		due = p.quiet
	}
	if look := p.silent.next; !ok || !look.IsZero() && look.Before(due) {
		due = look
	}
	return due, nil
}

// retryAppend is how long senders wait before the stream is tried again, unless it is known to have room.
const retryAppend = time.Second

// decide takes the messages in order; their senders are answered when their last one is durable.
func (p *pipeline) decide(ctx context.Context, messages []*incoming) error {
	for {
		durable, err := p.attempt(ctx, messages)
		messages = messages[durable:]
		switch {
		case err == nil:
			if err := p.silent.heard(p.now()); err != nil {
				p.log.Warn("a pause is forgotten with a restart: a service may be called silent for it", "err", err)
			}
			return nil
		case errors.Is(err, stream.ErrFull):
			p.metrics.full.Inc()
			signal(p.full)
		case errors.Is(err, stream.ErrNotStored):
			p.waiting.Do(func() { p.log.Error("the stream takes nothing, senders wait", "err", err) })
		default:
			refuse(messages, err)
			return err
		}
		p.silent.stopped(p.now())
		messages = withoutOrders(messages, err)
		// Nothing of the failed batch happened: its overlay is gone, and it is decided anew. UDP meanwhile
		// fills the kernel's buffer, TCP its sender's.
		if !p.pause(ctx, err) {
			refuse(messages, ErrStopping)
			return nil
		}
	}
}

// withoutOrders tells those who gave an order that it is not recorded, and why: they are not to wait for room.
func withoutOrders(messages []*incoming, why error) []*incoming {
	return slices.DeleteFunc(messages, func(m *incoming) bool {
		if m.order != nil {
			refuse([]*incoming{m}, why)
		}
		return m.order != nil
	})
}

// pause waits until the stream may be tried again, or says that nobody waits any more.
func (p *pipeline) pause(ctx context.Context, why error) bool {
	over := time.After(retryAppend)
	for {
		select {
		case <-ctx.Done():
			return false
		case <-p.stopping:
			return false
		case r := <-p.orders:
			withoutOrders(r.messages, why)
		case <-p.room:
			return true
		case <-over:
			return true
		}
	}
}

// signal leaves a sign for who waits or will wait; several are as one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// refuse tells the senders of messages that are not durable.
func refuse(messages []*incoming, err error) {
	for _, m := range messages {
		if m.of.left > 0 {
			m.of.left = 0
			m.of.done <- err
		}
	}
}

// attempt decides and appends the messages and what is due, until an append fails. It says how many of
// the messages are durable.
func (p *pipeline) attempt(ctx context.Context, messages []*incoming) (durable int, err error) {
	p.overlay, p.pending = p.index.Begin(), p.pending[:0]
	p.batch.Reset()
	defer func() { p.overlay.Discard() }()
	flush := func() error {
		n := len(p.pending)
		err := p.flush(ctx)
		if err == nil {
			durable += n
		}
		return err
	}
	if err := p.release(p.clock.next(p.now()), flush); err != nil {
		return durable, err
	}
	for _, m := range messages {
		t := p.clock.next(p.now())
		if err := p.release(t, flush); err != nil {
			return durable, err
		}
		if known, err := p.known(m, t); err != nil {
			return durable, err
		} else if known {
			p.pending = append(p.pending, m) // durable when what was recorded of it is
			continue
		}
		// A great message begins a batch of its own: with what the state keeps of it, more would not fit
		// into one of Badger's transactions.
		if p.batch.Size()+2*len(m.entry.Notification.Raw) > stream.MaxBytes/2 {
			if err := flush(); err != nil {
				return durable, err
			}
		}
		if err := p.step(t, flush, func() ([]*stream.Entry, error) {
			entries, err := p.take(m, t)
			if err == nil {
				// Before what follows from it, which may fill the batch and have it appended.
				p.pending = append(p.pending, m)
			}
			return entries, err
		}); err != nil {
			return durable, err
		}
	}
	if err := p.listen(flush); err != nil {
		return durable, err
	}
	return durable, flush()
}

// take decides one message or order. An order that can't be carried out is answered and leaves nothing.
func (p *pipeline) take(m *incoming, t time.Time) ([]*stream.Entry, error) {
	if m.order == nil {
		return p.decider.notification(p.overlay, &m.entry, t)
	}
	entries, err := m.order(p.overlay, &m.entry, t)
	if no, ok := errors.AsType[*refusalError](err); ok {
		refuse([]*incoming{m}, no.cause)
		return nil, nil
	}
	return entries, err
}

// listen records which services have gone silent, when it is time to look. It comes after the messages, of
// which one may be what was waited for.
func (p *pipeline) listen(flush func() error) error {
	if now := p.now(); p.silent.next.IsZero() || now.Before(p.silent.next) {
		return nil
	}
	t := p.clock.next(p.now())
	for {
		some := false
		err := p.step(t, flush, func() ([]*stream.Entry, error) {
			entries, err := p.silent.fallen(p.overlay, &p.decider, t)
			some = len(entries) > 0
			return entries, err
		})
		if err != nil {
			return err
		}
		if !some {
			break
		}
	}
	if err := flush(); err != nil {
		return err // looked at again
	}
	p.silent.plan(p.index, t)
	return nil
}

// known says whether a message needs no decision: it was recorded when its request came before, or that
// was another request, which its sender is told.
func (p *pipeline) known(m *incoming, t time.Time) (bool, error) {
	if m.entry.Part == nil {
		return false, nil
	}
	done, other, err := p.overlay.Recorded(m.entry.Part, t)
	if other {
		refuse([]*incoming{m}, input.ErrReused)
	}
	return done || other, err
}

// release ends the holds that are over by t.
func (p *pipeline) release(t time.Time, flush func() error) error {
	if t.Before(p.quiet) {
		return nil
	}
	for {
		some := false
		err := p.step(t, flush, func() ([]*stream.Entry, error) {
			entries, err := p.decider.due(p.overlay, t)
			some = len(entries) > 0
			return entries, err
		})
		if err != nil || !some {
			return err
		}
	}
}

// step takes one decision and what follows from it into the batch, appending that when it has no room.
func (p *pipeline) step(t time.Time, flush func() error, decide func() ([]*stream.Entry, error)) error {
	for {
		if p.batch.Len() >= stream.MaxEntries-8 || p.batch.Size() >= stream.MaxBytes/2 {
			if err := flush(); err != nil {
				return err
			}
		}
		entries, err := decide()
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			return nil
		}
		for _, e := range entries {
			if ok, err := p.batch.Add(e); err != nil || !ok {
				return fmt.Errorf("a decision doesn't fit into a batch of %d entries and %d bytes: %w",
					p.batch.Len(), p.batch.Size(), errors.Join(err))
			}
		}
		last := entries[len(entries)-1]
		decide = func() ([]*stream.Entry, error) { return p.decider.follow(p.overlay, last, t) }
	}
}

// flush appends the batch and makes the overlay the state.
func (p *pipeline) flush(ctx context.Context) error {
	if p.batch.Len() == 0 {
		p.acknowledge() // what was recorded before
		return nil
	}
	if err := p.space.enough(); err != nil {
		return err
	}
	stored, err := p.stream.Append(ctx, &p.batch)
	if err != nil {
		return err
	}
	mark := dedup.Mark{Sequence: stored.Sequence, Hash: stored.Hash, Time: p.clock.last}
	if err := p.overlay.Commit(mark); err != nil {
		return err
	}
	p.metrics.decided(p.batch.Entries(), time.Now())
	p.tell(p.batch.Entries())
	for _, s := range p.silent.back(p.index) {
		p.log.Info("the service is heard again", "service", s)
	}
	p.acknowledge()
	p.overlay = p.index.Begin()
	p.batch.Reset()
	return nil
}

// acknowledge tells the senders whose last message is durable.
func (p *pipeline) acknowledge() {
	for _, m := range p.pending {
		if m.of.left--; m.of.left == 0 {
			m.of.done <- nil
		}
	}
	clear(p.pending)
	p.pending = p.pending[:0]
}
