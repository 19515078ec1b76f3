package gateway

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// TestDirectoryIsGone: nothing is accepted where the directory of the stream or of the state has no name any more, as what
// is written there would end with the process, however much is free.
func TestDirectoryIsGone(t *testing.T) {
	t.Parallel()
	for _, gone := range []string{"", "stream", "state"} {
		c := with(func(c *config.Config) { c.DataDir = filepath.Join(t.TempDir(), "data") })
		for _, dir := range []string{"stream", "state"} {
			if err := os.MkdirAll(filepath.Join(c.DataDir, dir), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		s := newSpace(c)
		if free, _, err := s.least(); free == 0 || err != nil {
			t.Errorf("free %d, %v, and all is there", free, err)
		}
		if err := os.RemoveAll(filepath.Join(c.DataDir, gone)); err != nil {
			t.Fatal(err)
		}
		for what, err := range map[string]error{"enough": s.enough(), "forModel": s.forModel()} {
			if !errors.Is(err, stream.ErrNotStored) || !errors.Is(err, os.ErrNotExist) {
				t.Errorf("without %q %s is %v, want %v and %v", gone, what, err, stream.ErrNotStored, os.ErrNotExist)
			}
		}
	}
}

// TestWhatIsToldWithoutDirectory: Prometheus gets everything that can be told, and /readyz says why senders wait.
func TestWhatIsToldWithoutDirectory(t *testing.T) {
	t.Parallel()
	c := frontDoor(t, func(c *config.Config) { c.Model.Enabled, c.HTTP.Listen = false, "127.0.0.1:0" })
	g := startTimed(t, c, 0)
	eventually(t, "the gateway is ready", func() bool { return g.unready() == "" })
	state, away := stateDir(c), filepath.Join(c.DataDir, "away")
	if err := os.Rename(state, away); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path       string
		status     int
		with, sans string
	}{
		{"/readyz", http.StatusServiceUnavailable, "senders wait", "the log"},
		{"/metrics", http.StatusOK, "\nsluice_ready 0\n", "\nsluice_disk_free_bytes "},
		{"/healthz", http.StatusOK, "alive", "not"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.watch.urls[0]+tt.path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil || answer.StatusCode != tt.status || !strings.Contains(string(text), tt.with) || strings.Contains(string(text), tt.sans) {
			t.Errorf("%s: %d, %v, want %d with %q and without %q:\n%s", tt.path, answer.StatusCode, err, tt.status, tt.with, tt.sans, text)
		}
	}
	if err := os.Rename(away, state); err != nil {
		t.Fatal(err)
	}
	if why := g.unready(); why != "" {
		t.Errorf("the directory is back, and not ready: %s", why)
	}
}
