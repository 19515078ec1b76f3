package gateway

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/deadletter"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// TestDeadLetterIsShownAsItWasSent: who asks why a target refuses an event must see what it gets.
func TestDeadLetterIsShownAsItWasSent(t *testing.T) {
	for format, want := range map[string]string{"ecs": `"rule":{"name":"Boil over"}`, "leef2": "LEEF:2.0|", "cef_rendered": "|Boil over|"} {
		letters, err := deadletter.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		l := deadletter.Letter{Target: "siem", Reply: "no", Entry: stream.Entry{
			Kind: stream.Notification, Key: "k1", At: stream.Position{Sequence: 1},
			Notification: formats.Notification{Service: formats.DefenderForIdentity, Kind: formats.Alert, Title: "Boil over", Parsed: true},
		}}
		if err := letters.Put(&l); err != nil {
			t.Fatal(err)
		}
		c := &control{g: &Gateway{
			config:  config.Config{Targets: []config.Target{{Name: "other", Format: "json"}, {Name: "siem", Format: format}}},
			letters: letters, deliveries: []*delivery{{name: "siem"}},
		}}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.SetPathValue("target", "siem")
		r.SetPathValue("id", l.ID())
		w := httptest.NewRecorder()
		c.show(w, r)
		var got struct{ Format, Document, Reply string }
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
		if got.Format != format || !strings.Contains(got.Document, want) || got.Reply != "no" {
			t.Errorf("%s: %+v, want %s in the document", format, got, want)
		}
	}
}

// TestTheSocketTellsWhatIsWrong: another method is told which ones there are, and another path that nothing is there, as a
// problem document like everywhere.
func TestTheSocketTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	socket := (&control{g: &Gateway{}}).serve()
	for _, tt := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{http.MethodPost, "/reconcile", http.StatusMethodNotAllowed, "GET, HEAD"},
		{http.MethodGet, "/deadletters/siem/1/retry", http.StatusMethodNotAllowed, http.MethodPost},
		{http.MethodGet, "/reconciled", http.StatusNotFound, ""},
	} {
		w := httptest.NewRecorder()
		socket.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), tt.method, tt.path, nil))
		if w.Code != tt.status || w.Header().Get("Allow") != tt.allow || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %d, %v, %s", tt.method, tt.path, w.Code, w.Header(), w.Body)
		}
	}
}
