package target

import (
	"crypto/tls"
	"io"
	"log"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/test/siem"
)

// A server that refuses our certificate is for somebody to mend, whichever way it says so: TLS 1.2 refuses in
// the handshake, TLS 1.3 after it.
func TestHTTPServersThatRefuseOurCertificate(t *testing.T) {
	server, client, stranger := newCerts(t, "hook.example"), newCerts(t, "sluice"), newCerts(t, "stranger")
	tests := []struct {
		name  string
		tls   uint16
		http2 bool
		ours  config.TLS
		words string
	}{
		{"none, TLS 1.2", tls.VersionTLS12, false, config.TLS{}, "handshake failure"},
		{"none, TLS 1.3", tls.VersionTLS13, false, config.TLS{}, "certificate required"},
		{"none, TLS 1.3, HTTP/2", tls.VersionTLS13, true, config.TLS{}, "certificate required"},
		{"a stranger's, TLS 1.2", tls.VersionTLS12, false, config.TLS{Cert: stranger.cert, Key: stranger.key}, "handshake failure"},
		{"a stranger's, TLS 1.3", tls.VersionTLS13, false, config.TLS{Cert: stranger.cert, Key: stranger.key}, "certificate required"},
		{"a stranger's, TLS 1.3, HTTP/2", tls.VersionTLS13, true, config.TLS{Cert: stranger.cert, Key: stranger.key}, "certificate required"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := httptest.NewUnstartedServer(&siem.Webhook{})
			s.Config.ErrorLog = log.New(io.Discard, "", 0)
			s.EnableHTTP2 = tt.http2
			s.TLS = &tls.Config{
				Certificates: []tls.Certificate{server.pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: client.pool,
				MinVersion: tt.tls, MaxVersion: tt.tls,
			}
			s.StartTLS()
			t.Cleanup(s.Close)
			cfg := webhookConfig(s.URL)
			cfg.Timeout, cfg.TLS = 10*time.Second, tt.ours
			cfg.TLS.CA, cfg.TLS.ServerName = server.ca, "hook.example"
			w := openWebhook(t, cfg, time.Now)
			var results []Result
			var err error
			for range 20 { // where the server has gone before we write, HTTP/2 says no more than that
				if results, err = w.Deliver(t.Context(), numbered(1, 1)); PauseOf(err).Blocked || !tt.http2 {
					break
				}
			}
			madeOf{results: repeat(Retry, 1), blocked: true, words: tt.words}.check(t, results, err)
		})
	}
}
