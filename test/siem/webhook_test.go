package siem

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestWebhookRefusesWhatACarefulReceiverRefuses(t *testing.T) {
	now := time.Unix(1700000000, 0)
	sign := func(at time.Time, body string) string {
		mac := hmac.New(sha256.New, []byte("secret"))
		fmt.Fprintf(mac, "%d.%s", at.Unix(), body)
		return fmt.Sprintf("t=%d,v1=00,v1=%s", at.Unix(), hex.EncodeToString(mac.Sum(nil)))
	}
	const good = `{"event_key":"a"}` + "\n"
	tests := []struct {
		name, method, content, encoding, id, signature, body string
		status                                               int
	}{
		{"good", "POST", "application/x-ndjson", "", "1", sign(now, good), good, 202},
		{"the same again", "POST", "application/x-ndjson", "", "1", sign(now, good), good, 409},
		{"get", "GET", "application/x-ndjson", "", "2", sign(now, good), good, 405},
		{"content type", "POST", "application/json", "", "2", sign(now, good), good, 415},
		{"content encoding", "POST", "application/x-ndjson", "gzip", "2", sign(now, good), good, 415},
		{"no id", "POST", "application/x-ndjson", "", "", sign(now, good), good, 400},
		{"no signature", "POST", "application/x-ndjson", "", "2", "", good, 401},
		{"another body", "POST", "application/x-ndjson", "", "2", sign(now, good), good + good, 401},
		{"old", "POST", "application/x-ndjson", "", "2", sign(now.Add(-6*time.Minute), good), good, 401},
		{"of tomorrow", "POST", "application/x-ndjson", "", "2", sign(now.Add(24*time.Hour), good), good, 401},
		{"no line end", "POST", "application/x-ndjson", "", "2", sign(now, "{}"), "{}", 400},
		{"no object", "POST", "application/x-ndjson", "", "2", sign(now, "1\n"), "1\n", 400},
		{"no key", "POST", "application/x-ndjson", "", "2", sign(now, "{}\n"), "{}\n", 422},
		{"too long", "POST", "application/x-ndjson", "", "2", "", strings.Repeat("x", 101), 413},
	}
	s := &Webhook{
		Signature: "timestamped", Secrets: [][]byte{[]byte("another"), []byte("secret")}, Now: func() time.Time { return now },
		Lines: true, KeyField: "event_key", Conflict: true, Limit: 100,
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, "/", strings.NewReader(tt.body))
			for name, value := range map[string]string{
				"Content-Type": tt.content, "Content-Encoding": tt.encoding, "Webhook-Id": tt.id, "X-Sluice-Signature": tt.signature,
			} {
				r.Header.Set(name, value)
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != tt.status {
				t.Errorf("%d %s, want %d", w.Code, w.Body, tt.status)
			}
		})
	}
	s.Answer(HTTPAnswer{Status: http.StatusTeapot})
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", http.NoBody))
	if got := s.Keys(); len(got) != 1 || w.Code != http.StatusTeapot {
		t.Errorf("taken: %v; said: %d", got, w.Code)
	}
}
