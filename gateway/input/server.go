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
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/time/rate"

	"github.com/sluice-siem/sluice/config"
)

// server accepts connections, no more of them at once than it may, makes them TLS connections where it
// has certificates, and has each read to its end. Keepalive is Go's: probes after 15 s of silence, the
// connection ends after nine without an answer.
type server struct {
	name     string
	max      int           // bytes of a message
	limit    int           // connections
	idle     time.Duration // without a complete message
	listener net.Listener
	certs    *certs // nil: no TLS
	speakers speakers
	log      *slog.Logger
	count    counters
	warn     struct{ refused, handshake, accept, bad rate.Sometimes } // strangers must not fill the log

	// read hands over the messages of one connection. A nil error is an orderly end.
	read func(ctx context.Context, conn net.Conn, accept Accept) error
}

// listen opens the socket that cfg.Listen names: tcp:// or tls:// with host and port.
func listen(cfg config.Input, log *slog.Logger, m *Metrics) (*server, error) {
	s := &server{
		name: cfg.Name, max: int(cfg.MaxMessage), limit: cfg.MaxConnections, idle: cfg.IdleTimeout,
		log: log, count: m.of(cfg.Name),
	}
	for _, w := range []*rate.Sometimes{&s.warn.refused, &s.warn.handshake, &s.warn.accept, &s.warn.bad} {
		w.Interval = time.Minute
	}
	scheme, address, _ := strings.Cut(cfg.Listen, "://")
	var err error
	if s.speakers, err = newSpeakers(cfg.Speakers); err != nil {
		return nil, fmt.Errorf("read who may speak: %w", err)
	}
	err = errors.New("want tcp:// or tls://")
	switch {
	case s.max <= 0 || s.limit <= 0 || s.idle <= 0:
		err = errors.New("max_message, max_connections and idle_timeout must be positive")
	case scheme == "tls":
		if s.certs, err = openCerts(cfg.TLS, log); err != nil {
			break
		}
		s.certs.expires = m.expires.WithLabelValues(cfg.Name)
		s.certs.watch()
		s.listener, err = net.Listen(Family("tcp", address), address)
	case scheme == "tcp":
		s.listener, err = net.Listen(Family("tcp", address), address)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", cfg.Listen, Forbidden(err))
	}
	return s, nil
}

// run accepts connections until ctx is done.
func (s *server) run(ctx context.Context, accept Accept) error {
	stop := context.AfterFunc(ctx, func() { _ = s.listener.Close() })
	defer stop()
	defer func() { _ = s.listener.Close() }()
	var peers sync.WaitGroup
	defer peers.Wait()
	if s.certs != nil {
		keeping, done := context.WithCancel(ctx)
		defer done()
		peers.Go(func() { s.certs.keep(keeping) })
	}
	slots := make(chan struct{}, s.limit)
	for {
		conn, err := s.listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept on %s: %w", s.listener.Addr(), err)
		case err != nil: // too many open files, a peer that went at once: it passes
			s.warn.accept.Do(func() { s.log.Warn("a connection can't be accepted", "err", err) })
			pause(ctx, 100*time.Millisecond)
			continue
		}
		select {
		case slots <- struct{}{}:
		default:
			s.refuse(conn)
			continue
		}
		peers.Go(func() {
			defer func() { <-slots }()
			s.serve(ctx, conn, accept)
		})
	}
}

// refuse closes a connection that is one too many.
func (s *server) refuse(conn net.Conn) {
	s.count.refused.Inc()
	s.warn.refused.Do(func() {
		s.log.Warn("connections are refused: max_connections are open",
			"max_connections", s.limit, "peer", conn.RemoteAddr().String())
	})
	_ = conn.Close()
}

// serve reads one connection to its end and closes it. It owns conn, which needn't be a socket.
func (s *server) serve(ctx context.Context, conn net.Conn, accept Accept) {
	defer func() { _ = conn.Close() }()
	s.count.connections.Inc()
	defer s.count.connections.Dec()
	log := s.log.With("peer", conn.RemoteAddr().String())
	if s.certs != nil {
		secure, err := s.handshake(ctx, conn)
		if err != nil {
			switch {
			case errors.Is(err, context.Canceled): // we stop: not the peer's failure
			case errors.Is(err, errSilent):
				log.Debug("connection closed by its peer before it said anything")
			default:
				s.count.handshakes.Inc()
				s.warn.handshake.Do(func() { log.Warn("a TLS handshake failed", "err", err) })
			}
			return
		}
		defer func() { _ = secure.Close() }()
		conn = secure
	}
	log.Debug("connection opened")
	switch err := s.read(ctx, conn, accept); {
	case err == nil:
		log.Debug("connection closed by its peer")
	case ctx.Err() != nil:
		log.Debug("connection closed: the input stops")
	case errors.Is(err, os.ErrDeadlineExceeded):
		log.Debug("connection closed: it was idle", "idle_timeout", s.idle)
	default:
		log.Debug("connection broke", "err", err)
	}
}

// errSilent is that a peer left without a word of TLS, as the probes of load balancers do: no failure, and not to hide one.
var errSilent = errors.New("the peer said nothing")

// handshake makes conn a TLS connection. It ends with ctx.
func (s *server) handshake(ctx context.Context, conn net.Conn) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	peer := &heard{Conn: conn}
	secure := tls.Server(peer, s.certs.server())
	err := secure.HandshakeContext(ctx)
	switch {
	case err == nil:
		return secure, nil
	case !peer.any && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)):
		return nil, errSilent
	}
	return nil, err
}

// heard is a connection that knows whether its peer has said anything.
type heard struct {
	net.Conn
	any bool
}

func (h *heard) Read(b []byte) (int, error) {
	n, err := h.Conn.Read(b)
	h.any = h.any || n > 0
	return n, err
}

// feed is what stands between a connection of the server and what cuts messages out of it.
func (s *server) feed(p *peer, hand func(batch []Message) error) *feed {
	return &feed{
		input: s.name, peer: p, may: s.speakers.grant(identify(p.Conn)), idle: s.idle, count: s.count, until: time.Now().Add(s.idle), hand: hand,
	}
}
