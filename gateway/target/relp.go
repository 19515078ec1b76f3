package target

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// RELP sends entries to a SIEM over RELP, plain or over TLS, as librelp's doc/relp.html describes it, on one
// session, which it opens when there is something to deliver.
//
// # Decisions
//
// An entry is delivered when the receiver has answered its frame with 200. A kernel's acknowledgement counts
// for nothing here, so nothing is in doubt after a reset: what was not answered is sent again, with the same
// event key. Of what was answered the receiver has taken charge; rsyslog has it in its queue.
//
// The document says in one place that answers come in the order of the frames and in another that they may
// come in any. Any order is understood.
//
// A code other than 200 is an error, and the document knows one for all, 500. librelp answers it when it
// wants no syslog at all and closes, rsyslog's imrelp never does for a message, and other receivers do when
// they are in trouble themselves. So a refusal says nothing about the message, and it is tried again, before
// anything that comes after it. Only if the receiver refuses it three times, and takes another one between
// them, it is the message, which is refused for good. A receiver that refuses everything is in trouble, and
// loses nothing.
type RELP struct {
	address  string
	secure   *config.TLS // nil: no TLS
	way      via
	envelope *envelope
	log      *slog.Logger
	count    counters
	window   int           // frames without an answer, at most
	patience time.Duration // for an answer, and for the receiver to take some frames
	session  *relpSession  // nil: to be opened
	frames   []byte        // room for frames to be written
	message  []byte        // room for a message

	taken    int                           // messages, in all
	suspects map[dedup.EventKey]relpDoubts // those that were refused and are still to be delivered
}

// relpDoubts are what speaks against a message that was refused.
type relpDoubts struct {
	taken int // messages when it was refused first
	times int // it was refused
}

const (
	// relpWindow is what librelp has for a window.
	relpWindow = 128
	// maxRELP is what a frame of version 1 holds. rsyslog shortens what is longer than its own maxMessageSize.
	maxRELP = 128 << 10
	// enoughRefusals decide about a message where the receiver has taken another one since the first.
	enoughRefusals = 3
	// mostRefusals decide about a message where no other can come to show that the receiver is well.
	mostRefusals = 8
)

// NewRELP makes a target of cfg.Address, relp:// or relp+tls://, without dialling. host is what the messages'
// header names as their sender. It fails for settings it doesn't know; the files that cfg.TLS names are read
// with each session.
func NewRELP(cfg config.Target, host string, log *slog.Logger, m *Metrics) (*RELP, error) {
	v, err := newEnvelope(cfg.Format, cfg.Header, host)
	if err != nil {
		return nil, err
	}
	v.limit = within(maxRELP, cfg.MaxMessage)
	way, err := newVia(cfg.Proxy)
	if err != nil {
		return nil, err
	}
	scheme, address, _ := strings.Cut(cfg.Address, "://")
	r := &RELP{
		way:     way,
		address: address, envelope: v, log: log.With("target", cfg.Name), count: m.of(cfg.Name), patience: patience,
		window: relpWindow, suspects: map[dedup.EventKey]relpDoubts{},
	}
	if cfg.Batch.Entries > 0 {
		r.window = min(r.window, cfg.Batch.Entries)
	}
	switch scheme {
	case "relp":
	case "relp+tls":
		r.secure = &cfg.TLS
	default:
		return nil, fmt.Errorf("address %q: want relp:// or relp+tls://", cfg.Address)
	}
	return r, nil
}

// Deliver is [RELP.DeliverMore] for a batch and nothing else. Where a message is alone, so that no other can
// show that the receiver is well, it is refused for good at the eighth time.
func (r *RELP) Deliver(ctx context.Context, batch []*stream.Entry) ([]Result, error) {
	return r.deliver(ctx, &shipment{batch: batch})
}

// DeliverMore sends the batch, with a window of frames that wait for their answer, and returns when all are
// answered, or the session has broken, or ctx has ended. When the batch is through it sends what more gives,
// too, which then is part of the batch. Nobody may call Deliver while it runs.
func (r *RELP) DeliverMore(ctx context.Context, batch []*stream.Entry, more func() []*stream.Entry) ([]Result, error) {
	return r.deliver(ctx, &shipment{batch: batch, more: more})
}

func (r *RELP) deliver(ctx context.Context, s *shipment) ([]Result, error) {
	s.RELP, s.results = r, make([]Result, len(s.batch))
	if len(s.batch) == 0 {
		return s.results, nil
	}
	var err error
	if _, suspect := r.suspects[s.batch[0].Key]; suspect {
		err = s.single(ctx)
	}
	if err == nil {
		err = s.stream(ctx)
	}
	if err != nil {
		r.hangUp()
		err = fmt.Errorf("send to %s: %w", r.address, err)
	}
	return s.results, errors.Join(s.rejected, err)
}

// connect sees to a session that is open.
func (r *RELP) connect(ctx context.Context) error {
	if r.session != nil && r.session.over() {
		r.log.Info("the RELP session is over", "err", r.session.why)
		r.hangUp()
	}
	if r.session != nil {
		return nil
	}
	s, err := openRELP(ctx, r.way, r.address, r.secure, r.patience)
	if err != nil {
		return err
	}
	r.session = s
	r.count.connections.Inc()
	r.log.Info("a RELP session with the SIEM is open", "address", r.address)
	return nil
}

func (r *RELP) hangUp() {
	if r.session != nil {
		r.session.hangUp()
		r.session = nil
	}
}

// Close closes the session in order; Deliver would open another one.
func (r *RELP) Close() error {
	if r.session != nil {
		r.session.part()
		r.session = nil
	}
	return nil
}
