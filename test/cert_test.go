package test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdCert makes an authority in a directory, ca.pem, with server.pem, server.key for 127.0.0.1 and
// client.pem, client.key. What is there already is replaced.
//
//	cert DIR
func cmdCert(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: cert DIR")
	}
	ts.Check(makeCerts(ts.MkAbs(args[0])))
}

func makeCerts(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	authority := certificate("an authority of " + filepath.Base(dir))
	authority.IsCA, authority.BasicConstraintsValid, authority.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, authority, authority, &key.PublicKey, key)
	if err != nil {
		return err
	}
	return errors.Join(
		writePEM(filepath.Join(dir, "ca.pem"), "CERTIFICATE", der),
		issue(dir, "server", x509.ExtKeyUsageServerAuth, authority, key),
		issue(dir, "client", x509.ExtKeyUsageClientAuth, authority, key),
	)
}

func certificate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 1, 0),
	}
}

func issue(dir, name string, use x509.ExtKeyUsage, authority *x509.Certificate, by *ecdsa.PrivateKey) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	c := certificate(name)
	c.ExtKeyUsage, c.KeyUsage = []x509.ExtKeyUsage{use}, x509.KeyUsageDigitalSignature
	c.IPAddresses, c.DNSNames = []net.IP{net.IPv4(127, 0, 0, 1)}, []string{"localhost"}
	der, err := x509.CreateCertificate(rand.Reader, c, authority, &key.PublicKey, by)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		writePEM(filepath.Join(dir, name+".pem"), "CERTIFICATE", der),
		writePEM(filepath.Join(dir, name+".key"), "PRIVATE KEY", private),
	)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

func serverTLS(ts *testscript.TestScript, dir string, clients bool) *tls.Config {
	dir = ts.MkAbs(dir)
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key"))
	ts.Check(err)
	c := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if clients {
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, authorities(ts, dir)
	}
	return c
}

// clientTLS trusts the authority of dir. as is the path of a certificate and its key, without .pem.
func clientTLS(ts *testscript.TestScript, dir, as string) *tls.Config {
	c := &tls.Config{RootCAs: authorities(ts, ts.MkAbs(dir)), ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
	if as != "" {
		pair, err := tls.LoadX509KeyPair(ts.MkAbs(as+".pem"), ts.MkAbs(as+".key"))
		ts.Check(err)
		// Offered whatever authorities the server names, as a stranger does.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return c
}

func authorities(ts *testscript.TestScript, dir string) *x509.CertPool {
	text, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	ts.Check(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return pool
}
