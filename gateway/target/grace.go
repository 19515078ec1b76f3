package target

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/sluice-siem/sluice/config"
)

// grace is how long something may be missing on the other side, such as a topic that is just being made or
// a stream that elects its leader, before it takes somebody to mend it. The zero value has missed nothing.
type grace struct {
	first time.Time // when it was missing first; zero where it isn't
}

// missing is the error for what is missing now: blocked, when it has been missing for that long.
func (g *grace) missing(now time.Time, most time.Duration, err error) error {
	if g.first.IsZero() {
		g.first = now
	}
	if now.Sub(g.first) >= most {
		return blocked(err)
	}
	return err
}

// found says that it is there.
func (g *grace) found() { g.first = time.Time{} }

// distrusted says whether an error is about the other side's certificate, or about ours: an alert of TLS
// has no type of its own in Go, but all that come from the other side are marked in this way.
func distrusted(err error) bool {
	if untrusted(err) {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error"
}

// handshake begins TLS with a server at that address. Files that can't be read are for somebody to mend.
func handshake(ctx context.Context, conn net.Conn, cfg config.TLS, address string) (net.Conn, error) {
	settings, err := clientTLS(cfg, address)
	if err != nil {
		return nil, blocked(err)
	}
	secure := tls.Client(conn, settings)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return heard{secure}, nil
}

// heard is a TLS connection whose failing writes tell what the other side has said: with TLS 1.3 it
// refuses our certificate when the handshake is over for us, and closes the connection.
type heard struct{ *tls.Conn }

// Write writes, and looks for an alert where that fails.
func (h heard) Write(b []byte) (int, error) {
	n, err := h.Conn.Write(b)
	if err != nil {
		_ = h.SetReadDeadline(time.Now().Add(time.Second))
		if _, said := h.Read(make([]byte, 1)); said != nil && distrusted(said) {
			err = errors.Join(said, err)
		}
	}
	return n, err
}
