package input

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/sluice-siem/sluice/config"
)

// authority signs certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T, name string) authority {
	t.Helper()
	a := authority{}
	a.cert, a.pem, a.key = sign(t, name, nil)
	return a
}

// issue writes a certificate and its key to files.
func (a authority) issue(t *testing.T, name, certFile, keyFile string) {
	t.Helper()
	_, cert, key := sign(t, name, &a)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	put(t, certFile, cert)
	put(t, keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// sign makes a certificate for name, by the authority or, if that is nil, for one.
func sign(t *testing.T, name string, by *authority) (*x509.Certificate, []byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Unix(0, 0), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := template, key
	if by == nil {
		template.IsCA, template.BasicConstraintsValid = true, true
		template.ExtKeyUsage = nil
	} else {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key
}

func put(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// shop is a directory with a server's certificate and an authority for clients.
type shop struct {
	servers, clients authority
	files            config.TLS
}

func newShop(t *testing.T) shop {
	t.Helper()
	dir := t.TempDir()
	s := shop{servers: newAuthority(t, "servers"), clients: newAuthority(t, "clients")}
	s.files = config.TLS{
		Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), ClientCA: filepath.Join(dir, "ca.pem"),
	}
	s.servers.issue(t, "sluice.test", s.files.Cert, s.files.Key)
	put(t, s.files.ClientCA, s.clients.pem)
	return s
}

// client is a configuration that trusts the server and shows a certificate by the given authority.
func (s shop) client(t *testing.T, by *authority) *tls.Config {
	t.Helper()
	c := &tls.Config{ServerName: "sluice.test", RootCAs: x509.NewCertPool()}
	c.RootCAs.AddCert(s.servers.cert)
	if by != nil {
		dir := t.TempDir()
		cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
		by.issue(t, "sensor.test", cert, key)
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c
}

// dialTLS connects, and shakes hands with the first write.
func dialTLS(t *testing.T, addr string, c *tls.Config) net.Conn {
	t.Helper()
	return tls.Client(dial(t, "tcp", addr), c)
}

func TestTLSAsksForClientCertificates(t *testing.T) {
	s := newShop(t)
	stranger := newAuthority(t, "clients") // of the same name
	tests := []struct {
		auth string
		by   *authority
		ok   bool
	}{
		{"off", nil, true},
		{"off", &stranger, true},
		{"optional", nil, true},
		{"optional", &s.clients, true},
		{"optional", &stranger, false},
		{"required", nil, false},
		{"required", &s.clients, true},
		{"required", &stranger, false},
	}
	for _, tt := range tests {
		name := tt.auth + " and none"
		switch tt.by {
		case &stranger:
			name = tt.auth + " and a stranger's"
		case &s.clients:
			name = tt.auth + " and a good one"
		}
		t.Run(name, func(t *testing.T) {
			cfg := settings("tls://127.0.0.1:0")
			cfg.TLS = s.files
			cfg.TLS.ClientAuth = tt.auth
			m := NewMetrics(nil)
			b := newBox()
			addr, stop := start(t, cfg, b.accept, m)
			client := s.client(t, tt.by)
			if tt.by != nil { // also where the server doesn't name its authority
				client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					return &client.Certificates[0], nil
				}
			}
			socket := dial(t, "tcp", addr)
			conn := tls.Client(socket, client)
			_, err := conn.Write([]byte("<13>secret\n"))
			if err == nil {
				conn.CloseWrite()
				_, err = conn.Read(make([]byte, 1)) // the server's verdict comes after our half of the handshake
			}
			_, _ = io.Copy(io.Discard, socket) // the input closes it when it has counted
			stop()
			if got := len(b.texts()) == 1; got != tt.ok {
				t.Errorf("message accepted: %t (%v), want %t", got, err, tt.ok)
			}
			if failed := testutil.ToFloat64(m.of("front").handshakes) == 1; failed == tt.ok {
				t.Errorf("handshake failed: %t, want %t", failed, !tt.ok)
			}
		})
	}
}

func TestTLSRefusesOldVersions(t *testing.T) {
	s := newShop(t)
	cfg := settings("tls://127.0.0.1:0")
	cfg.TLS = s.files
	addr, _ := start(t, cfg, newBox().accept, NewMetrics(nil))
	client := s.client(t, nil)
	client.MinVersion, client.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if err := tls.Client(dial(t, "tcp", addr), client).Handshake(); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
}

func TestTLSEndsHandshakesThatDoNotCome(t *testing.T) {
	s := newShop(t)
	synctest.Test(t, func(t *testing.T) {
		kept, err := openCerts(s.files, quiet())
		if err != nil {
			t.Fatal(err)
		}
		in := newTCP(&server{name: "front", max: 100, idle: time.Hour, log: quiet(), certs: kept, count: NewMetrics(nil).of("front")})
		near, far := net.Pipe()
		defer far.Close()
		begun := time.Now()
		in.serve(t.Context(), near, newBox().accept)
		if lived := time.Since(begun); lived != 10*time.Second {
			t.Errorf("the connection lived %v, want 10s", lived)
		}
	})
}

// TestAProbeIsNoFailedHandshake: load balancers connect and leave every few seconds. It is once a minute that the log tells of
// failed handshakes, and theirs would hide those of senders.
func TestAProbeIsNoFailedHandshake(t *testing.T) {
	s := newShop(t)
	cfg := settings("tls://127.0.0.1:0")
	cfg.TLS = s.files
	m := NewMetrics(nil)
	addr, stop := start(t, cfg, newBox().accept, m)
	for _, tt := range []struct {
		says   string
		failed float64 // so far
	}{{"", 0}, {"<13>no TLS at all\n", 1}, {"\x16\x03\x01", 2}, {"", 2}, {"\x16\x03\x01\x00\x05\x01\x00\x02\x00\x03", 3}} {
		conn := dial(t, "tcp", addr)
		_, _ = io.WriteString(conn, tt.says)
		_ = conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, conn) // the input closes it when it has counted
		if got := testutil.ToFloat64(m.of("front").handshakes); got != tt.failed {
			t.Errorf("%q: %.0f handshakes have failed, want %.0f", tt.says, got, tt.failed)
		}
	}
	stop()
}

// TestARenewedCertificateIsSeenWithoutSenders: they stay connected for weeks, in which the alarm must not go on.
func TestARenewedCertificateIsSeenWithoutSenders(t *testing.T) {
	s := newShop(t)
	synctest.Test(t, func(t *testing.T) {
		m := NewMetrics(nil)
		certs, err := openCerts(s.files, quiet())
		if err != nil {
			t.Fatal(err)
		}
		certs.expires = m.expires.WithLabelValues("front")
		front := &server{name: "front", limit: 1, log: quiet(), count: m.of("front"), listener: newPipes(), certs: certs}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- front.run(ctx, nil) }()
		s.servers.issue(t, "renewed.test", s.files.Cert, s.files.Key)
		pair, err := tls.LoadX509KeyPair(s.files.Cert, s.files.Key)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute + time.Second)
		if got, want := testutil.ToFloat64(m.expires), float64(pair.Leaf.NotAfter.Unix()); got != want {
			t.Errorf("it ends at %.0f, want %.0f", got, want)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestCertificatesAreReadAgainWhenTheyChange(t *testing.T) {
	s := newShop(t)
	synctest.Test(t, func(t *testing.T) {
		s.files.ClientAuth = "required"
		var logged bytes.Buffer
		kept, err := openCerts(s.files, slog.New(slog.NewTextHandler(&logged, nil)))
		if err != nil {
			t.Fatal(err)
		}
		kept.expires = NewMetrics(nil).expires.WithLabelValues("front")
		kept.watch()
		ends := testutil.ToFloat64(kept.expires)
		first := kept.server()
		if kept.server() != first {
			t.Error("unchanged files were read again")
		}

		put(t, s.files.Key, []byte("broken"))
		if kept.server() != first {
			t.Error("the files were looked at twice in a second")
		}
		for range 3 {
			time.Sleep(2 * time.Second)
			if kept.server() != first {
				t.Error("broken files replaced good ones")
			}
		}
		if n := strings.Count(logged.String(), "level=WARN"); n != 1 {
			t.Errorf("%d warnings about the broken file, want 1:\n%s", n, logged.String())
		}

		s.servers.issue(t, "renewed.test", s.files.Cert, s.files.Key)
		time.Sleep(2 * time.Second)
		second := kept.server()
		if second == first {
			t.Fatal("renewed files were not read")
		}
		leaf := second.Certificates[0].Leaf
		if leaf.Subject.CommonName != "renewed.test" {
			t.Errorf("serves %s, want renewed.test", leaf.Subject.CommonName)
		}
		if got := testutil.ToFloat64(kept.expires); got == ends || got != float64(leaf.NotAfter.Unix()) {
			t.Errorf("it ends at %.0f, want %v, as the metric says; the one before at %.0f", got, leaf.NotAfter, ends)
		}

		put(t, s.files.ClientCA, newAuthority(t, "other clients, and a longer name").pem)
		time.Sleep(2 * time.Second)
		third := kept.server()
		if third == second || third.ClientCAs.Equal(second.ClientCAs) {
			t.Error("the renewed client authority was not read")
		}

		if strings.Contains(logged.String(), "isn't good now") {
			t.Errorf("a certificate that is good is warned of:\n%s", logged.String())
		}
		time.Sleep(25 * time.Hour)
		put(t, s.files.ClientCA, newAuthority(t, "clients of tomorrow").pem)
		third = kept.server()
		if want := "level=WARN msg=\"the certificate isn't good now: senders refuse it\""; strings.Count(logged.String(), want) != 1 {
			t.Errorf("no warning of a certificate that was over when it was read:\n%s", logged.String())
		}

		if err := os.Remove(s.files.Cert); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if kept.server() != third {
			t.Error("a missing file replaced a good one")
		}
	})
}

func TestOpenCertsExplainsWhatIsMissing(t *testing.T) {
	s := newShop(t)
	empty := filepath.Join(t.TempDir(), "empty.pem")
	put(t, empty, nil)
	tests := []struct {
		name   string
		change func(*config.TLS)
		want   string
	}{
		{"unknown word", func(c *config.TLS) { c.ClientAuth = "maybe" }, "want off, optional or required"},
		{"no authority", func(c *config.TLS) { c.ClientAuth, c.ClientCA = "required", "" }, "needs client_ca"},
		{"empty authority", func(c *config.TLS) { c.ClientAuth, c.ClientCA = "required", empty }, "no certificate in it"},
		{"empty certificate", func(c *config.TLS) { c.Cert = empty }, "empty.pem"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := s.files
			tt.change(&files)
			if _, err := openCerts(files, quiet()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("openCerts() = %v, want an error with %q", err, tt.want)
			}
		})
	}
}
