package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ackTimeout bounds the wait for an acknowledgement. A disk that takes longer is treated as broken:
// the stream is opened anew to learn what became of the message.
const ackTimeout = 10 * time.Second

// Numbers of JetStream's errors that the client has no names for.
const (
	codeStoreFailed   = 10077
	codeWrongSequence = jetstream.JSErrCodeStreamWrongLastSequence
	textMaxBytes      = "maximum bytes exceeded"
)

// errSequence: the stream's last sequence isn't the expected one.
var errSequence = errors.New("another writer appended")

// errRefused: the server answered that it didn't store the message.
var errRefused = errors.New("refused")

// raw is a message as it lies in the stream.
type raw struct {
	sequence uint64
	stored   time.Time
	data     []byte
}

// publish stores data as the message after sequence last. The errors ErrFull, errSequence and
// errRefused mean that it was not stored; after any other one nobody knows.
func (e *engine) publish(ctx context.Context, data []byte, last uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	ctx, fail := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-e.log.fails():
			fail(e.log.failure())
		case <-ctx.Done():
		}
	})
	defer watch.Wait()
	defer fail(nil)
	ack, err := e.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: data},
		jetstream.WithExpectLastSequence(last), jetstream.WithRetryAttempts(0))
	if err != nil {
		return 0, publishError(ctx, err)
	}
	return ack.Sequence, nil
}

// expected is the sequence behind which the server would store a message. It is asked by way of one that it can't take:
// nothing else tells it. Without an answer that says so it is as the state has it.
func (e *engine) expected(ctx context.Context, state uint64) uint64 {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := e.js.PublishMsg(ctx, &nats.Msg{Subject: subject}, jetstream.WithExpectLastSequence(math.MaxUint64), jetstream.WithRetryAttempts(0))
	var api *jetstream.APIError
	var last uint64
	if !errors.As(err, &api) || api.ErrorCode != codeWrongSequence {
		return state
	}
	if _, err := fmt.Sscanf(api.Description, "wrong last sequence: %d", &last); err != nil {
		return state
	}
	return last
}

func publishError(ctx context.Context, err error) error {
	var api *jetstream.APIError
	switch {
	case errors.As(err, &api) && api.ErrorCode == codeStoreFailed && api.Description == textMaxBytes:
		return ErrFull
	case errors.As(err, &api) && api.ErrorCode == codeWrongSequence:
		return fmt.Errorf("%w: %w", errSequence, err)
	case errors.As(err, &api), errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("%w: %w", errRefused, err)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return err
}

// request is what JetStream's direct get takes (ADR-31).
type request struct {
	Sequence uint64     `json:"seq,omitempty"`
	Start    *time.Time `json:"start_time,omitempty"`
	Batch    int        `json:"batch"`
	MaxBytes int        `json:"max_bytes,omitempty"`
}

// fetch reads the messages that q asks for, in one round trip: at least one if there is any, and no
// more after MaxBytes. What was purged or lost is passed over. None is no error.
func (e *engine) fetch(ctx context.Context, q request) ([]raw, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	body, err := json.Marshal(q)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	inbox := e.read.NewInbox()
	sub, err := e.read.SubscribeSync(inbox)
	if err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }() // it fails only with the connection
	if err := e.read.PublishRequest("$JS.API.DIRECT.GET."+streamName, inbox, body); err != nil {
		return nil, fmt.Errorf("request messages: %w", err)
	}
	var out []raw
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return nil, fmt.Errorf("receive messages: %w", err)
		}
		switch status := m.Header.Get("Status"); status {
		case "":
			r, err := message(m)
			if err != nil {
				return nil, err
			}
			out = append(out, r)
		case "204", "404": // the end of the batch; nothing there
			return out, nil
		default:
			return nil, fmt.Errorf("request messages: status %s %s", status, m.Header.Get("Description"))
		}
	}
}

func message(m *nats.Msg) (raw, error) {
	seq, err := strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64)
	if err != nil {
		return raw{}, fmt.Errorf("message's sequence: %w", err)
	}
	stored, err := time.Parse(time.RFC3339Nano, m.Header.Get(jetstream.TimeStampHeaer))
	if err != nil {
		return raw{}, fmt.Errorf("message's time: %w", err)
	}
	return raw{sequence: seq, stored: stored, data: m.Data}, nil
}

// state asks for the bounds and the size of the stream.
func (e *engine) state(ctx context.Context) (jetstream.StreamState, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	info, err := e.stream.Info(ctx)
	if err != nil {
		return jetstream.StreamState{}, fmt.Errorf("read state: %w", err)
	}
	return info.State, nil
}

// purge removes the messages before keepFrom.
func (e *engine) purge(ctx context.Context, keepFrom uint64) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := e.stream.Purge(ctx, jetstream.WithPurgeSequence(keepFrom)); err != nil {
		return fmt.Errorf("purge: %w", err)
	}
	return nil
}
