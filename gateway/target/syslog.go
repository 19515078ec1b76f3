package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/stream"
)

const (
	// patience is how long a SIEM may take to accept a connection, to take some bytes, or to
	// acknowledge some.
	patience = time.Minute
	// chunkBytes are written at once and confirmed together.
	chunkBytes = 64 << 10
)

// Syslog sends entries to a SIEM over TCP (RFC 6587) or TLS (RFC 5425), on one connection, which it
// opens when there is something to deliver. For UDP see [Datagrams].
type Syslog struct {
	address  string
	way      via
	secure   *config.TLS // nil: no TLS
	envelope *envelope
	log      *slog.Logger
	count    counters
	link     *link // nil: to be dialled
	recent   recent
	again    []sentChunk // to be sent first on the next connection
	room     []byte      // in which frames are put together
}

// NewSyslog makes a target of cfg.Address, tcp:// or tls://, without dialling. host is what the
// messages' header names as their sender. It fails for settings it doesn't know; the files that
// cfg.TLS names are read with each connection, so they may change and may come later.
func NewSyslog(cfg config.Target, host string, log *slog.Logger, m *Metrics) (*Syslog, error) {
	v, err := newEnvelope(cfg.Format, cfg.Header, host)
	if err != nil {
		return nil, err
	}
	v.limit = int(cfg.MaxMessage)
	switch cfg.Framing {
	case "", "octet":
		v.counted = true
	case "newline":
	default:
		return nil, fmt.Errorf("framing %q: want octet or newline", cfg.Framing)
	}
	way, err := newVia(cfg.Proxy)
	if err != nil {
		return nil, err
	}
	scheme, address, _ := strings.Cut(cfg.Address, "://")
	s := &Syslog{address: address, way: way, envelope: v, log: log.With("target", cfg.Name), count: m.of(cfg.Name)}
	switch scheme {
	case "tcp":
	case "tls":
		s.secure = &cfg.TLS
	default:
		return nil, fmt.Errorf("address %q: want tcp:// or tls://", cfg.Address)
	}
	return s, nil
}

// Deliver is [Syslog.DeliverMore] for a batch and nothing else.
func (s *Syslog) Deliver(ctx context.Context, batch []*stream.Entry) ([]Result, error) {
	return s.DeliverMore(ctx, batch, func() []*stream.Entry { return nil })
}

// DeliverMore sends the batch and returns when the peer's kernel has acknowledged all of it, or the
// connection has broken, or ctx has ended. While it waits it sends what more gives, too, which then is
// part of the batch. What was acknowledged is delivered; but if the peer
// reset the connection, its kernel threw away what the SIEM had not read, so nothing of the batch
// counts as delivered, and what was delivered in the seconds before is sent again, first, on the next
// connection. Through a proxy, whose kernel acknowledges in the peer's place, every end of the connection counts as a
// reset. After any error the connection is closed. Nobody may call Deliver while it runs.
func (s *Syslog) DeliverMore(ctx context.Context, batch []*stream.Entry, more func() []*stream.Entry) ([]Result, error) {
	results := make([]Result, len(batch))
	if len(batch) == 0 {
		return results, nil
	}
	if err := s.connect(ctx); err != nil {
		return results, err
	}
	defer context.AfterFunc(ctx, s.link.interrupt)()

	rejected, sent, err := s.send(batch, results)
	if err == nil {
		err = s.link.confirm(ctx, func() (bool, error) {
			next := more()
			if len(next) == 0 {
				return false, nil
			}
			from := len(results)
			results = append(results, make([]Result, len(next))...)
			refused, spans, err := s.send(next, results[from:])
			for _, c := range spans {
				c.from, c.to = c.from+from, c.to+from
				sent = append(sent, c)
			}
			rejected = errors.Join(rejected, refused)
			return true, err
		})
	}
	if err == nil {
		return s.settle(results, sent, s.link.acknowledged), rejected
	}
	acknowledged := s.link.acknowledged
	if s.hangUp() {
		acknowledged = 0
	}
	err = fmt.Errorf("send to %s: %w", s.address, ended(ctx, err))
	return s.settle(results, sent, acknowledged), errors.Join(rejected, err)
}

// settle marks what is delivered, and remembers it for a while.
func (s *Syslog) settle(results []Result, sent []span, acknowledged int64) []Result {
	now := time.Now()
	for _, c := range sent {
		if c.end > acknowledged {
			break
		}
		s.recent.add(sentChunk{frames: c.frames, from: c.first, at: now, route: c.route})
		for i := c.from; i < c.to; i++ {
			if results[i] == Retry {
				results[i] = Delivered
			}
		}
	}
	return results
}

// connect sees to a connection that is open, with what a reset may have cost sent again on it.
func (s *Syslog) connect(ctx context.Context) error {
	if s.link != nil && s.link.ended() {
		s.log.Info("the connection to the SIEM is over", "err", s.link.why)
		s.hangUp()
	}
	if s.link != nil {
		return nil
	}
	l, err := dialLink(ctx, s.way, s.address, s.secure)
	if err != nil {
		return err
	}
	s.link = l
	s.count.connections.Inc()
	s.log.Info("connected to the SIEM", "address", s.address)
	if len(s.again) == 0 {
		return nil
	}
	defer context.AfterFunc(ctx, l.interrupt)()
	size := 0
	for _, c := range s.again {
		size += len(c.frames)
		if err = l.write(c.frames); err != nil {
			break
		}
	}
	s.log.Warn("the SIEM had reset the connection, what it may not have read is sent again", "bytes", size)
	if err == nil {
		err = l.confirm(ctx, noMore)
	}
	if err != nil {
		s.hangUp()
		return fmt.Errorf("send again to %s: %w", s.address, err)
	}
	s.count.resent.Add(float64(size))
	for _, c := range s.again {
		c.at, c.route = time.Now(), l.route
		s.recent.add(c)
	}
	s.again = nil
	return nil
}

// hangUp closes a connection that has failed and tells whether the peer may have lost something. Where it
// was us who gave up, the peer may read on, so that nothing is sent again but after a kill.
func (s *Syslog) hangUp() (lost bool) {
	when, lost := s.link.wasReset()
	switch {
	case lost:
		s.again = append(s.again, s.recent.before(when)...)
		s.recent = recent{}
	case s.link.inOrder():
		s.recent.arrived(s.link.route)
	}
	s.link.close(false)
	s.link = nil
	return lost
}

// span is the entries from to to, whose last byte is the end-th of the connection.
type span struct {
	from, to int
	end      int64
	frames   []byte
	first    stream.Position // of the entry from
	route    string
}

// send writes the batch and says which entries went how far. It marks those that can't be sent.
func (s *Syslog) send(batch []*stream.Entry, results []Result) (rejected error, sent []span, err error) {
	chunk, from := s.room[:0], 0
	for i := range batch {
		longer, failed := s.envelope.frame(chunk, batch[i])
		if failed != nil {
			results[i] = Rejected
			rejected = errors.Join(rejected, reject(batch[i], failed))
		} else {
			chunk = longer
		}
		if len(chunk) < chunkBytes && i < len(batch)-1 {
			continue
		}
		if err := s.link.write(chunk); err != nil {
			return rejected, sent, err
		}
		s.count.bytes.Add(float64(len(chunk)))
		sent = append(sent, span{
			from: from, to: i + 1, end: s.link.written(), frames: bytes.Clone(chunk), first: batch[from].At, route: s.link.route,
		})
		s.room, from, chunk = chunk, i+1, chunk[:0]
	}
	return rejected, sent, nil
}

// Close closes the connection in order; Deliver would open another one.
func (s *Syslog) Close() error {
	if s.link != nil {
		s.link.close(true)
		s.link = nil
	}
	return nil
}
