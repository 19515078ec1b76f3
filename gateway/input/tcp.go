package input

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats/syslog"
)

// tcp takes syslog over TCP (RFC 6587), and over TLS where it has certificates (RFC 5425). Keepalive
// is Go's: probes after 15 s of silence, the connection ends after nine without an answer.
type tcp struct {
	name     string
	max      int           // bytes of a message
	limit    int           // connections
	idle     time.Duration // without a complete message
	listener net.Listener
	certs    *certs // nil: no TLS
	log      *slog.Logger
	count    counters
	warn     struct{ refused, handshake, accept rate.Sometimes } // strangers must not fill the log
}

func listenTCP(cfg config.Input, address string, secure bool, log *slog.Logger, m *Metrics) (*tcp, error) {
	t := &tcp{
		name: cfg.Name, max: int(cfg.MaxMessage), limit: cfg.MaxConnections, idle: cfg.IdleTimeout,
		log: log, count: m.of(cfg.Name),
	}
	if t.limit <= 0 || t.idle <= 0 {
		return nil, errors.New("max_connections and idle_timeout must be positive")
	}
	for _, s := range []*rate.Sometimes{&t.warn.refused, &t.warn.handshake, &t.warn.accept} {
		s.Interval = time.Minute
	}
	var err error
	if secure {
		if t.certs, err = openCerts(cfg.TLS, log); err != nil {
			return nil, err
		}
	}
	if t.listener, err = net.Listen("tcp", address); err != nil {
		return nil, err
	}
	return t, nil
}

// run accepts connections until ctx is done.
func (t *tcp) run(ctx context.Context, accept Accept) error {
	stop := context.AfterFunc(ctx, func() { _ = t.listener.Close() })
	defer stop()
	defer func() { _ = t.listener.Close() }()
	var peers sync.WaitGroup
	defer peers.Wait()
	slots := make(chan struct{}, t.limit)
	for {
		conn, err := t.listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept on %s: %w", t.listener.Addr(), err)
		case err != nil: // too many open files, a peer that went at once: it passes
			t.warn.accept.Do(func() { t.log.Warn("a connection can't be accepted", "err", err) })
			pause(ctx, 100*time.Millisecond)
			continue
		}
		select {
		case slots <- struct{}{}:
		default:
			t.refuse(conn)
			continue
		}
		peers.Go(func() {
			defer func() { <-slots }()
			t.serve(ctx, conn, accept)
		})
	}
}

// refuse closes a connection that is one too many.
func (t *tcp) refuse(conn net.Conn) {
	t.count.refused.Inc()
	t.warn.refused.Do(func() {
		t.log.Warn("connections are refused: max_connections are open",
			"max_connections", t.limit, "peer", conn.RemoteAddr().String())
	})
	_ = conn.Close()
}

// serve reads one connection to its end and closes it. It owns conn, which needn't be a socket.
func (t *tcp) serve(ctx context.Context, conn net.Conn, accept Accept) {
	defer func() { _ = conn.Close() }()
	t.count.connections.Inc()
	defer t.count.connections.Dec()
	log := t.log.With("peer", conn.RemoteAddr().String())
	if t.certs != nil {
		secure, err := t.handshake(ctx, conn)
		if err != nil {
			if !errors.Is(err, context.Canceled) { // we stop: not the peer's failure
				t.count.handshakes.Inc()
				t.warn.handshake.Do(func() { log.Warn("a TLS handshake failed", "err", err) })
			}
			return
		}
		defer func() { _ = secure.Close() }()
		conn = secure
	}
	log.Debug("connection opened")
	switch err := t.read(ctx, conn, accept); {
	case err == nil:
		log.Debug("connection closed by its peer")
	case ctx.Err() != nil:
		log.Debug("connection closed: the input stops")
	case errors.Is(err, os.ErrDeadlineExceeded):
		log.Debug("connection closed: it was idle", "idle_timeout", t.idle)
	default:
		log.Debug("connection broke", "err", err)
	}
}

// read hands over the messages of one connection. A nil error is an orderly end.
func (t *tcp) read(ctx context.Context, conn net.Conn, accept Accept) error {
	p := &peer{Conn: conn}
	defer context.AfterFunc(ctx, p.end)()
	f := &feed{
		input: t.name, peer: p, idle: t.idle, count: t.count, until: time.Now().Add(t.idle),
		hand: func(batch []Message) error { return accept(ctx, batch) },
	}
	messages := syslog.NewSplitter(f, t.max)
	for f.err == nil {
		raw, truncated, err := messages.Next()
		switch {
		case err == nil:
			f.add(raw, truncated)
			continue
		case errors.Is(err, io.EOF):
			return f.flush()
		}
		return errors.Join(f.flush(), err)
	}
	return f.err
}

// handshake makes conn a TLS connection. It ends with ctx.
func (t *tcp) handshake(ctx context.Context, conn net.Conn) (*tls.Conn, error) {
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	secure := tls.Server(conn, t.certs.server())
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return secure, nil
}
