package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// ErrUndecided is what [Gateway.Record] and the like return when their context ends while the append is under
// way: what was asked for may be recorded yet.
var ErrUndecided = errors.New("nobody knows yet whether it is recorded")

// refusalError is that an order can't be carried out, which is its giver's affair and nobody else's.
type refusalError struct{ cause error }

func (e *refusalError) Error() string { return e.cause.Error() }

// give has an order decided in its turn among the messages, and returns its place in the stream when it is durable.
func (p *pipeline) give(ctx context.Context, m *incoming) (stream.Position, error) {
	m.of = &request{messages: []*incoming{m}, left: 1, done: make(chan error, 1)}
	select {
	case p.orders <- m.of:
	case <-p.ended:
		return stream.Position{}, ErrStopping
	case <-ctx.Done():
		return stream.Position{}, fmt.Errorf("nothing is recorded: %w", context.Cause(ctx))
	}
	var err error
	select {
	case err = <-m.of.done:
	case <-ctx.Done():
		select {
		case err = <-m.of.done: // it was there in time
		default:
			err = fmt.Errorf("%w: %w", ErrUndecided, context.Cause(ctx))
		}
	}
	if err != nil {
		return stream.Position{}, err
	}
	return m.entry.At, nil
}

// Limits of an act, in bytes.
const (
	maxArgs = 256 << 10
	maxVerb = 128
	maxBy   = 512
)

// Record appends what an operator did to the stream, in the decider's order. When it returns nil the act is durable,
// and the position is its entry's. It doesn't wait for room: with [stream.ErrFull] or [stream.ErrNotStored] nothing
// is recorded, and it may be asked again; nor is it with [ErrStopping]. An act that is too large is
// [stream.ErrTooLarge]. Where ctx ends first, the error says whether it may be recorded yet ([ErrUndecided]).
func (g *Gateway) Record(ctx context.Context, a stream.Act) (stream.Position, error) {
	if err := checkAct(&a); err != nil {
		return stream.Position{}, err
	}
	args, err := asked(ctx, a.Args)
	if err != nil {
		return stream.Position{}, err
	}
	a.Args = args // the entry keeps it
	return g.pipeline.give(ctx, &incoming{order: func(_ *dedup.Batch, e *stream.Entry, t time.Time) ([]*stream.Entry, error) {
		acted(e, &a, t)
		return []*stream.Entry{e}, nil
	}})
}

// asked is a copy of an act's arguments that tells, before them, from which address it was asked for: the audit log shows them
// as they are, and long ones cut. Who reaches the control socket has none.
func asked(ctx context.Context, args []byte) ([]byte, error) {
	who, _ := access.From(ctx)
	if who.From == "" || !bytes.HasPrefix(args, []byte("{")) {
		return bytes.Clone(args), nil
	}
	from, err := json.Marshal(struct {
		From string `json:"from"`
	}{who.From})
	if err != nil {
		return nil, fmt.Errorf("encode the address of who asks: %w", err)
	}
	if bytes.Equal(args, []byte("{}")) {
		return from, nil
	}
	return append(append(from[:len(from)-1], ','), args[1:]...), nil
}

func checkAct(a *stream.Act) error {
	switch {
	case a.Verb == "":
		return errors.New("an act without a verb says nothing")
	case len(a.Verb) > maxVerb:
		return fmt.Errorf("the verb of an act has %d bytes, more than %d: %w", len(a.Verb), maxVerb, stream.ErrTooLarge)
	case len(a.By) > maxBy:
		return fmt.Errorf("the operator's name has %d bytes, more than %d: %w", len(a.By), maxBy, stream.ErrTooLarge)
	case len(a.Args) > maxArgs:
		return fmt.Errorf("the arguments of %s have %d bytes, more than %d: %w", a.Verb, len(a.Args), maxArgs, stream.ErrTooLarge)
	}
	return nil
}

// acted makes e the entry that records an act.
func acted(e *stream.Entry, a *stream.Act, t time.Time) {
	h := sha256.New()
	for _, part := range [][]byte{[]byte(a.By), []byte(a.Verb), a.Args} {
		_, _ = fmt.Fprintf(h, "%d:%s", len(part), part) // a hash never fails
	}
	n := formats.Notification{
		Service: formats.Sluice, Kind: formats.Act, Channel: "sluice", Origin: formats.Sluice, Type: a.Verb,
		Title: "An operator did something", Severity: formats.Informational, Arrived: t, Content: [16]byte(h.Sum(nil)),
	}
	*e = stream.Entry{
		Kind: stream.Acted, Time: t, Key: dedup.Key(&n, t), Notification: n, Act: a,
		Decision: policy.Decision{Action: dedup.Drop, Reason: policy.Operated},
	}
}
