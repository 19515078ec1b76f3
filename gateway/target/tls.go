package target

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/sluice-siem/sluice/config"
)

// untrusted says whether an error is about the other side's certificate, or about ours, which takes somebody
// to mend it.
func untrusted(err error) bool {
	if _, verify := errors.AsType[*tls.CertificateVerificationError](err); verify {
		return true
	}
	// An alert of TLS has no type of its own where it comes from the other side, but all are marked so.
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error"
}

// unhidden adds to the error of a request what the other side of its connection complains about, which
// HTTP/2 keeps to itself where it comes before all else. The connection is of no use after it.
func unhidden(ctx context.Context, err error, conn net.Conn) error {
	secure, ok := conn.(*tls.Conn)
	if !ok || ctx.Err() != nil || untrusted(err) {
		return err
	}
	_ = secure.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if _, said := secure.Read(make([]byte, 1)); said != nil && untrusted(said) {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // the URL may be a secret
		}
		return errors.Join(said, err)
	}
	return err
}

// clientTLS reads the files that cfg names. The server's name is that of the address unless cfg
// gives another; without an authority of its own the system's count.
func clientTLS(cfg config.TLS, address string) (*tls.Config, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if cfg.ServerName != "" {
		t.ServerName = cfg.ServerName
	}
	if cfg.CA != "" {
		pem, err := os.ReadFile(cfg.CA)
		if err != nil {
			return nil, fmt.Errorf("read ca: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read ca %s: no certificate in it", cfg.CA)
		}
	}
	if cfg.Cert != "" {
		pair, err := tls.LoadX509KeyPair(cfg.Cert, cfg.Key)
		if err != nil {
			return nil, fmt.Errorf("read %s and %s: %w", cfg.Cert, cfg.Key, err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

// opinion is how long a server has to refuse our certificate.
const opinion = time.Second

// lateAlert is the alert of a server that refuses our certificate, or nil where none comes within [opinion].
func lateAlert(c *tls.Conn) error {
	_ = c.SetReadDeadline(time.Now().Add(opinion))
	_, err := c.Read(make([]byte, 1))
	_ = c.SetReadDeadline(time.Time{})
	if untrusted(err) {
		return err
	}
	return nil // another error shows again when something is written
}

// noteAsked has asked tell whether the server asks for our certificate.
func noteAsked(t *tls.Config, asked *bool) {
	t.GetClientCertificate = func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		*asked = true
		for i := range t.Certificates {
			if r.SupportsCertificate(&t.Certificates[i]) == nil {
				return &t.Certificates[i], nil
			}
		}
		return new(tls.Certificate), nil // none, as without this function
	}
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
		if said := lateAlert(h.Conn); said != nil {
			err = errors.Join(said, err)
		}
	}
	return n, err
}
