package input

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-siem/sluice/config"
)

// certs is what an input's PEM files say. The files are looked at when somebody connects, at most
// once a second, and by an input once a minute, and read again when they have changed; while what they
// hold is unusable, the last usable certificates serve.
type certs struct {
	cfg     config.TLS
	auth    tls.ClientAuthType
	log     *slog.Logger
	expires prometheus.Gauge // nil where nobody watches it

	mu      sync.Mutex // guards what follows
	looked  time.Time
	files   [3]stamp // as they were when last read
	current *tls.Config
}

// stamp tells one state of a file from another.
type stamp struct {
	modified time.Time
	size     int64
}

// openCerts reads the files for the first time; here an unusable one is an error.
func openCerts(cfg config.TLS, log *slog.Logger) (*certs, error) {
	c := &certs{cfg: cfg, log: log}
	switch cfg.ClientAuth {
	case "", "off":
		c.auth = tls.NoClientCert
	case "optional":
		c.auth = tls.VerifyClientCertIfGiven
	case "required":
		c.auth = tls.RequireAndVerifyClientCert
	default:
		return nil, fmt.Errorf("client_auth %q: want off, optional or required", cfg.ClientAuth)
	}
	if c.auth != tls.NoClientCert && cfg.ClientCA == "" {
		return nil, fmt.Errorf("client_auth %s needs client_ca", cfg.ClientAuth)
	}
	var err error
	if c.files, err = c.stamps(); err != nil {
		return nil, err
	}
	c.looked = time.Now()
	c.current, err = c.load()
	return c, err
}

// HTTPS is the configuration of a server that shows the certificate and asks for none. The files are read again when
// they change.
func HTTPS(c config.HTTPS, log *slog.Logger) (*tls.Config, error) {
	files, err := openCerts(config.TLS{Cert: c.Cert, Key: c.Key}, log)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return files.server(), nil },
	}, nil
}

// server is the configuration of one handshake. Sessions aren't resumed: connections are few and
// long, and a client certificate is to be judged by the authorities of today.
func (c *certs) server() *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Sub(c.looked) < time.Second {
		return c.current
	}
	c.looked = now
	files, err := c.stamps()
	if err == nil && files == c.files {
		return c.current
	}
	// Stamped before reading: a file that changes meanwhile is read again next time. Where a file is
	// missing its stamp is zero, so the same trouble is logged once.
	changed := files != c.files
	c.files = files
	if err == nil {
		var fresh *tls.Config
		if fresh, err = c.load(); err == nil {
			c.current = fresh
			c.watch()
			c.tell(now)
			return c.current
		}
	}
	if changed {
		c.log.Warn("changed certificates can't be used, the previous ones stay", "err", err)
	}
	return c.current
}

// tell says that the files were read again, and warns where our certificate is of another time: the one before is gone from
// the file, and may be over as well.
func (c *certs) tell(now time.Time) {
	leaf := c.current.Certificates[0].Leaf
	log := c.log.With("cert", c.cfg.Cert, "good_from", leaf.NotBefore.UTC(), "good_until", leaf.NotAfter.UTC())
	log.Info("certificates were read again")
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		log.Warn("the certificate isn't good now: senders refuse it")
	}
}

// watch says until when the certificate is good. In the end no sender connects any more, and none says why.
func (c *certs) watch() {
	if c.expires != nil {
		c.expires.Set(float64(c.current.Certificates[0].Leaf.NotAfter.Unix()))
	}
}

// keep looks at the files until ctx ends, for senders stay connected longer than a certificate is good.
func (c *certs) keep(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.server()
		case <-ctx.Done():
			return
		}
	}
}

// stamps looks at all files. Those that can't be looked at have the zero stamp.
func (c *certs) stamps() (files [3]stamp, err error) {
	for i, name := range [...]string{c.cfg.Cert, c.cfg.Key, c.cfg.ClientCA} {
		if name == "" {
			continue
		}
		info, statErr := os.Stat(name)
		if statErr != nil {
			err = errors.Join(err, statErr)
			continue
		}
		files[i] = stamp{modified: info.ModTime(), size: info.Size()}
	}
	return files, err
}

// load reads all files.
func (c *certs) load() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(c.cfg.Cert, c.cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("read %s and %s: %w", c.cfg.Cert, c.cfg.Key, err)
	}
	t := &tls.Config{
		MinVersion:             tls.VersionTLS12,
		Certificates:           []tls.Certificate{pair},
		ClientAuth:             c.auth,
		SessionTicketsDisabled: true,
	}
	if c.auth != tls.NoClientCert {
		pem, err := os.ReadFile(c.cfg.ClientCA)
		if err != nil {
			return nil, fmt.Errorf("read client_ca: %w", err)
		}
		t.ClientCAs = x509.NewCertPool()
		if !t.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read client_ca %s: no certificate in it", c.cfg.ClientCA)
		}
	}
	return t, nil
}
