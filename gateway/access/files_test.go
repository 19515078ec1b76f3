package access_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/gateway/access"
)

// TestADamagedFileLetsNobodyIn, and doesn't keep the door shut to those who log in anew: what can't be understood is set
// aside as it is. What can't be read now may be sound, so that nothing is made in its place.
func TestADamagedFileLetsNobodyIn(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]string{"empty": "", "cut short": `{"salt":"AAAA","tokens":[`, "zeros": "\x00\x00\x00\x00", "of another kind": `{"rounds":"many","tokens":7}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			form := url.Values{"name": {"admin"}, "password": {h.password()}, "new_password": {"four words that nobody knows"}, "to": {"/me"}}
			b := h.browser()
			status, body := b.do(http.MethodPost, "/login/local", form, nil)
			b.wants(http.StatusOK, "admin|admin|everything", status, body)
			_, token, err := h.door.Create(access.Local(), "sender", access.Ingest, access.Scope{}, h.clock().Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(h.options.DataDir, "access")
			for _, file := range []string{"admin", "tokens"} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(damage), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if found := access.Check(h.options.DataDir); len(found) != 2 {
				t.Errorf("found damaged: %v", found)
			}
			h.mu.Lock()
			h.log.Reset()
			h.mu.Unlock()
			h.open()
			for _, file := range []string{"admin", "tokens"} {
				if kept, err := os.ReadFile(filepath.Join(dir, file+".damaged")); err != nil || string(kept) != damage {
					t.Errorf("kept of %s: %q, %v", file, kept, err)
				}
			}
			if n := strings.Count(h.logged(), "is damaged, and set aside"); n != 2 {
				t.Errorf("the log says %d times that a file is damaged: %s", n, h.logged())
			}
			form = url.Values{"name": {"admin"}, "password": {"four words that nobody knows"}, "to": {"/me"}}
			status, body = h.browser().do(http.MethodPost, "/login/local", form, nil)
			b.wants(http.StatusUnauthorized, "the name or the password is wrong", status, body)
			if _, ok := h.door.Sender(token); ok {
				t.Error("a token of a damaged list lets in")
			}
			form.Set("password", h.password())
			form.Set("new_password", "four other words of mine")
			status, body = h.browser().do(http.MethodPost, "/login/local", form, nil)
			b.wants(http.StatusOK, "admin|admin|everything", status, body)
			if found := access.Check(h.options.DataDir); found != nil {
				t.Errorf("still damaged: %v", found)
			}
		})
	}
	t.Run("not to be read", func(t *testing.T) {
		t.Parallel()
		for _, file := range []string{"admin", "tokens"} {
			h := newHouse(t)
			path := filepath.Join(h.options.DataDir, "access", file)
			_ = os.Remove(path)
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
			if _, err := access.Open(h.options); err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: %v", file, err)
			}
		}
	})
}
