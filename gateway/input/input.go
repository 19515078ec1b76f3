// Package input takes messages from sockets and hands them to the gateway in batches, one file per
// protocol.
//
// # Decisions
//
// A batch is what could be cut from one read; nobody waits for it to fill. A sender isn't read from
// again before its batch was taken: that is the back-pressure, and it bounds the memory of a connection
// to one batch, one message of the greatest length, and some batches that were taken and are not durable yet. Where
// the sender waits for an answer, or can't be stopped from sending, we wait until it is durable.
//
// A connection is idle when no complete message came for idle_timeout, whatever trickled in. Time
// spent waiting for durability doesn't count.
//
// At the end of Run the peers are told (half-close), what they had sent by then is still read for a
// moment and handed over, as is the beginning of a message that never became whole: marked as
// truncated, for nobody will send it again.
package input

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config"
)

// Message is one message after unframing, before anything is made of it.
type Message struct {
	Input     string    // name of the input
	Received  time.Time // wall clock when its last byte was read
	Truncated bool      // longer than max_message and cut, or the connection broke off inside it
	Raw       []byte    // without framing; the receiver may keep it
	Granted   *Grant    // what its sender may speak for
	Part      *Part     // of which request; nil where its sender can't repeat it
}

// Part is the place of a message in a request that its sender may repeat. What was recorded of it is not
// recorded again.
type Part struct {
	Of    [16]byte // digest of the input and the sender's key
	Index int      // among the request's messages
	Body  [16]byte // digest of the whole request
}

// ErrReused is what Accept returns for a request whose key was used for another one.
var ErrReused = errors.New("the key was used for another request")

// ErrUndecided is what a receipt says when nobody waits any longer: the batch may become durable yet.
var ErrUndecided = errors.New("the batch isn't durable yet")

// Accept takes a batch, in the order of its arrival, and may block until ctx ends. The batch belongs to
// Accept. Inputs call it from many goroutines.
type Accept func(ctx context.Context, batch []Message) Receipt

// Receipt tells what became of a batch.
type Receipt struct {
	// Done, which has room for it, gives one value: nil when the batch is durable. An error means that the gateway
	// is stopping, or it is [ErrReused]. Nothing of the batch is durable then but what was before.
	Done <-chan error
	// Until ends the waiting.
	Until <-chan struct{}

	failed func(error) // told of the error, if there is one
}

// Wait returns what Done gives, or [ErrUndecided].
func (r Receipt) Wait() error {
	var err error
	select {
	case err = <-r.Done:
	case <-r.Until:
		select {
		case err = <-r.Done: // it was there in time
		default:
			err = ErrUndecided
		}
	}
	if err != nil && r.failed != nil {
		r.failed(err)
	}
	return err
}

// ready says whether Wait returns at once.
func (r Receipt) ready() bool {
	select {
	case <-r.Until:
		return true
	default:
		return len(r.Done) > 0
	}
}

// durably waits until a batch is durable.
func (a Accept) durably(ctx context.Context, batch []Message) error { return a(ctx, batch).Wait() }

const (
	batchMessages = 128
	batchBytes    = 128 << 10 // of Raw; a batch ends with the message that reaches it

	// patience is for what a peer must do at once: complete a handshake, take an answer.
	patience = 10 * time.Second
	// linger is how long a peer may still deliver after it was told that we stop.
	linger = 500 * time.Millisecond
	// handover is how long Accept may take for what was read when Run's context ended.
	handover = 10 * time.Second
)

// Socket is an open way in.
type Socket struct {
	addr  net.Addr
	run   func(context.Context, Accept) error
	close func() error
}

// ListenSyslog opens the socket that cfg.Listen names: udp://, tcp:// or tls:// with host and port (RFC
// 5426, 6587, 5425). It fails if the port is taken or a certificate can't be read.
func ListenSyslog(cfg config.Input, log *slog.Logger, m *Metrics) (*Socket, error) {
	log = log.With("input", cfg.Name)
	if scheme, address, _ := strings.Cut(cfg.Listen, "://"); scheme == "udp" {
		u, err := listenUDP(cfg, address, log, m)
		if err != nil {
			return nil, fmt.Errorf("listen on %s: %w", cfg.Listen, Forbidden(err))
		}
		return &Socket{addr: u.conn.LocalAddr(), run: untilRefused(u.run), close: u.conn.Close}, nil
	}
	s, err := listen(cfg, log, m)
	if err != nil {
		return nil, err
	}
	return &Socket{addr: s.listener.Addr(), run: untilRefused(newTCP(s).run), close: s.listener.Close}, nil
}

// Family is the network on which to listen at address: protocol, which is tcp or udp, and for an IPv4 address such
// as 0.0.0.0 that alone, where Go would listen for IPv6 too. [::] is for both.
func Family(protocol, address string) string {
	host, _, err := net.SplitHostPort(address)
	if ip, bad := netip.ParseAddr(host); err == nil && bad == nil && ip.Is4() {
		return protocol + "4"
	}
	return protocol
}

// Forbidden is an error of listening, which says what to do about a port that isn't for everybody, such as syslog's 514.
func Forbidden(err error) error {
	if !errors.Is(err, os.ErrPermission) {
		return err
	}
	return fmt.Errorf("%w; take a port from 1024 on, or give Sluice the capability CAP_NET_BIND_SERVICE (in a container "+
		"--sysctl net.ipv4.ip_unprivileged_port_start=0)", err)
}

// Addr is the address the socket is bound to, with the port that was found for port 0.
func (s *Socket) Addr() net.Addr { return s.addr }

// Close closes a socket that Run was never called for.
func (s *Socket) Close() error { return s.close() }

// Run takes messages until ctx is done, hands over what was received by then, closes the socket and
// all connections, and returns when its goroutines have ended: nil, or the error of accept or of the
// socket if one of them was the reason. accept's context outlives ctx by some seconds.
func (s *Socket) Run(ctx context.Context, accept Accept) error { return s.run(ctx, accept) }

// untilRefused has run end when accept fails, and gives accept the context that outlives run's.
func untilRefused(run func(context.Context, Accept) error) func(context.Context, Accept) error {
	return func(ctx context.Context, accept Accept) error {
		inner, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		late, stop := outlive(ctx)
		defer stop()
		err := run(inner, func(_ context.Context, batch []Message) Receipt {
			r := accept(late, batch)
			r.failed = cancel
			return r
		})
		if ctx.Err() != nil {
			return nil
		}
		if cause := context.Cause(inner); cause != nil {
			return cause
		}
		return err
	}
}

// outlive gives a context that ends some time after ctx, or when stop is called.
func outlive(ctx context.Context) (late context.Context, stop func()) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	forget := context.AfterFunc(ctx, func() { time.AfterFunc(handover, cancel) })
	return late, func() { forget(); cancel() }
}
