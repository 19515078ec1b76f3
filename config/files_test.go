package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/config"
)

// makePair writes a certificate and its key, and gives their files.
func makePair(t *testing.T, name string) (cert, key string) {
	t.Helper()
	return pairUntil(t, name, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
}

func pairUntil(t *testing.T, name string, begin, end time.Time) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: begin, NotAfter: end, DNSNames: []string{name}}
	certDER, err := x509.CreateCertificate(rand.Reader, &template, &template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(file, kind string, der []byte) string {
		file = filepath.Join(t.TempDir(), file)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	return write("cert.pem", "CERTIFICATE", certDER), write("key.pem", "PRIVATE KEY", keyDER)
}

func TestCertificatesAreReadByLoadAndNotByParse(t *testing.T) {
	cert, key := makePair(t, "gw.fernweh.example")
	other, _ := makePair(t, "other.fernweh.example")
	tests := []struct {
		name, cert, clientCA, want string
	}{
		{"a pair and an authority", cert, other, ""},
		{"the key of another certificate", other, cert, "private key does not match public key"},
		{"no authority", cert, key, "found no certificate in"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := "inputs: [{name: a, listen: 'tls://127.0.0.1:6514', tls: {cert: " + tt.cert + ", key: " + key +
				", client_auth: required, client_ca: " + tt.clientCA + "}}]\n"
			parse(t, text)
			file := filepath.Join(t.TempDir(), "sluice.yaml")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := config.Load(file)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("Load = %v, want %q", err, tt.want)
			}
		})
	}
}

// TestACertificateThatEndsIsTold: senders leave a gateway whose certificate is over, or not good yet, and its log can't tell why.
func TestACertificateThatEndsIsTold(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	const day = 24 * time.Hour
	until := func(end time.Time) string {
		return "which is good until " + end.Format(time.RFC3339) + "; expected a certificate that is good for two weeks more"
	}
	for _, tt := range []struct {
		name       string
		begin, end time.Time
		told       string // what is wrong
	}{
		{"over", now.Add(-day), now.Add(-time.Hour), until(now.Add(-time.Hour))},
		{"over soon", now.Add(-day), now.Add(13 * day), until(now.Add(13 * day))},
		{"good for long", now.Add(-day), now.Add(15 * day), ""},
		{"not yet good", now.Add(time.Hour), now.Add(90 * day), "which is good from " + now.Add(time.Hour).Format(time.RFC3339) + " only"},
	} {
		cert, key := pairUntil(t, "gw.fernweh.example", tt.begin, tt.end)
		dir := t.TempDir()
		file := filepath.Join(dir, "sluice.yaml")
		pair := "tls: {cert: " + cert + ", key: " + key + "}"
		text := "data_dir: " + dir + "\ninputs: [{name: a, listen: 'tls://127.0.0.1:6514', " + pair + "}]\nhttp: {" + pair + "}\n" +
			"targets: [{name: b, type: syslog, address: 'tls://siem.fernweh.example:6514', " + pair + "}]\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		found, err := config.Machine(file)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		if tt.told != "" {
			for i, key := range []string{"inputs[0]", "http", "targets[0]"} {
				want = append(want, fmt.Sprintf("%s:%d: %s.tls.cert: on this machine: found %q, %s", file, i+2, key, cert, tt.told))
			}
		}
		var got []string
		for _, e := range found {
			says, _, _ := strings.Cut(e.Error(), ", and the clock says ")
			got = append(got, says)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: it says\n%s\nwant\n%s", tt.name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}
