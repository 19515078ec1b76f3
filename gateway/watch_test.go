package gateway

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/time/rate"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/problem"
)

// TestAnotherMethod: what is there by another method says by which (RFC 9110, section 15.5.6), and what isn't there is not found.
func TestAnotherMethod(t *testing.T) {
	t.Parallel()
	g := startTimed(t, frontDoor(t, func(c *config.Config) {
		c.Model.Enabled, c.HTTP.Listen, c.Metrics.Listen = true, "127.0.0.1:0", "127.0.0.1:0"
	}), 0)
	eventually(t, "the model is open", func() bool { return g.show.model.Load() != nil })
	_, token, err := g.door.Create(access.Local(), "x", access.Admin, access.Scope{}, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		server       int
		method, path string
		allow        string // nothing: it isn't there
		page         bool   // an HTML page
	}{
		{0, http.MethodPost, "/api/v1/state", "GET, HEAD", false},
		{0, http.MethodDelete, "/api/v1/alerts/a1", "GET, HEAD", false},
		{0, http.MethodGet, "/api/v1/alerts/undo/", "", false},
		{0, http.MethodDelete, "/api/v1/alerts/undo", "GET, HEAD, POST", false}, // a1 might be called undo
		{0, http.MethodPatch, "/api/v1/queries/q1", "GET, HEAD, PUT, DELETE", false},
		{0, http.MethodOptions, "/api/v1/users/u1/join", "POST", false},
		{0, http.MethodPost, "/api/v1/openapi.json", "GET, HEAD", false},
		{0, http.MethodPost, "/api/v1/nothing", "", false},
		{0, http.MethodPost, "/metrics", "GET, HEAD", false},
		{1, http.MethodPost, "/metrics", "GET, HEAD", false},
		{0, http.MethodPut, "/healthz/services", "GET, HEAD", false},
		{1, http.MethodDelete, "/readyz", "GET, HEAD", false},
		{1, http.MethodGet, "/nothing", "", false},
		{0, http.MethodGet, "/logout", "POST", false},
		{0, http.MethodPut, "/login/local", "GET, HEAD, POST", false},
		{0, http.MethodPost, "/users", "GET, HEAD", true},
		{0, http.MethodGet, "/nothing", "", true},
	} {
		r, err := http.NewRequestWithContext(t.Context(), tt.method, g.watch.urls[tt.server]+tt.path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		status := http.StatusMethodNotAllowed
		if tt.allow == "" {
			status = http.StatusNotFound
		}
		if allow := answer.Header.Get("Allow"); err != nil || answer.StatusCode != status || allow != tt.allow {
			t.Errorf("%s %s: %d with Allow: %s, want %d with %s", tt.method, tt.path, answer.StatusCode, allow, status, tt.allow)
		}
		media, _, _ := strings.Cut(answer.Header.Get("Content-Type"), ";")
		var p problem.Document
		switch {
		case tt.page && media != "text/html":
			t.Errorf("%s %s is %s, want a page", tt.method, tt.path, media)
		case !tt.page && (media != "application/problem+json" || json.Unmarshal(text, &p) != nil || p.Status != status || p.Detail == ""):
			t.Errorf("%s %s: %s %s, want a problem document", tt.method, tt.path, media, text)
		}
	}
}

// TestWhatCannotBeReadHidesNothingElse: a number that can't be read is left out of /metrics, counted and told.
func TestWhatCannotBeReadHidesNothingElse(t *testing.T) {
	t.Parallel()
	c := frontDoor(t, func(c *config.Config) { c.HTTP.Listen = "127.0.0.1:0" })
	g := startTimed(t, c, 0)
	metrics := func() string {
		t.Helper()
		answer, err := http.Get(g.watch.urls[0] + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("/metrics: %d, %v: %s", answer.StatusCode, err, text)
		}
		return string(text)
	}
	const letters, ready, lag, times = "\nsluice_dead_letters{", "\nsluice_ready ", "\nsluice_target_lag_entries{", "\nsluice_metrics_left_out_total "
	if text := metrics(); !strings.Contains(text, letters) || !strings.Contains(text, times+"0\n") {
		t.Errorf("before: %s", text)
	}
	dir := filepath.Join(c.DataDir, "deadletters")
	if err := errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if text := metrics(); strings.Contains(text, letters) || !strings.Contains(text, ready) || !strings.Contains(text, lag) {
		t.Errorf("while the dead letters can't be read: %s", text)
	}
	if text := metrics(); !strings.Contains(text, times+"1\n") {
		t.Errorf("it isn't counted: %s", text)
	}
}

// TestLeftOutIsToldOnceAMinute: the log doesn't grow by each question for what can't be read; the counter does.
func TestLeftOutIsToldOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told strings.Builder
		l := &leftOut{
			log: slog.New(slog.NewTextHandler(&told, nil)), telling: rate.Sometimes{Interval: time.Minute},
			times: prometheus.NewCounter(prometheus.CounterOpts{Name: "times"}),
		}
		for range 9 { // in two minutes
			l.Println("error gathering metrics:", os.ErrNotExist)
			time.Sleep(15 * time.Second)
		}
		if lines := strings.Count(told.String(), "\n"); lines != 3 || testutil.ToFloat64(l.times) != 9 {
			t.Errorf("%d lines, counted %v, want 3 and 9:\n%s", lines, testutil.ToFloat64(l.times), told.String())
		}
	})
}
