package portal

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// engine is a gateway that stands as a test says.
type engine struct {
	Gateway
	status Status
}

func (e engine) Status(context.Context) (Status, error) { return e.status, nil }

func (e engine) Tail(context.Context, filter.Filter, int) ([]*stream.Entry, error) { return nil, nil }

// ajar is a door that lets everybody in as p.
type ajar struct {
	Door
	p access.Principal
}

func (a ajar) Principal(*http.Request) (access.Principal, error) { return a.p, nil }

func (a ajar) Denied(context.Context, access.Principal, string, string) {}

func firstPage(t *testing.T, s Status, headers ...string) string {
	t.Helper()
	h := New(Options{
		Model: func(access.Scope) (*model.Model, error) { return nil, nil }, Door: ajar{p: access.Local()}, Gateway: engine{status: s},
		Config: config.Default(), Log: slog.New(slog.DiscardHandler),
	})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// TestStaticFilesAreNotListed.
func TestStaticFilesAreNotListed(t *testing.T) {
	h := New(Options{Door: ajar{p: access.Local()}, Model: func(access.Scope) (*model.Model, error) { return nil, nil }, Log: slog.New(slog.DiscardHandler)})
	for path, want := range map[string]int{"/static/": http.StatusNotFound, "/static/../": http.StatusTemporaryRedirect, "/static/sluice.css": http.StatusOK, "/static/none.css": http.StatusNotFound} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want || strings.Contains(w.Body.String(), "htmx.min.js\">") {
			t.Errorf("%s: %d, want %d: %s", path, w.Code, want, w.Body)
		}
	}
}

// TestAFilterThatIsNoText is told of, and nothing of it is in the page that isn't text.
func TestAFilterThatIsNoText(t *testing.T) {
	v := &visit{r: httptest.NewRequest(http.MethodGet, "/alerts?filter=user+%3D+%ff%3C", nil)}
	l := v.newList(filter.Alerts())
	if l.Text != "user = \ufffd<" || !strings.Contains(l.Wrong, "expected text in UTF-8") {
		t.Errorf("%q: %s", l.Text, l.Wrong)
	}
}

func TestOneLookSaysWhetherItWorks(t *testing.T) {
	now := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	heard := Service{Name: formats.DefenderForIdentity, Enabled: true, Last: now, Received: 400, Forwarded: 300, Suppressed: 100}
	takes := Target{Name: "siem", Delivered: 300, Kept: "whole lines"}
	silent, off, blocked, refused := heard, Service{Name: formats.IdentityProtection}, takes, takes
	heard.Rate, takes.Rate = Rate{In: 12.5, Out: 2, Suppressed: 0.05}, 1234.5
	silent.Silent, silent.Last = now, now.Add(-time.Hour)
	blocked.Blocked, blocked.Trouble = true, "401: <b>token</b> expired"
	refused.Letters = 2
	unknown := Service{Name: formats.UnknownService, Enabled: true, Received: 3}
	for _, tt := range []struct {
		name   string
		status Status
		has    []string
		hasNot []string
	}{
		{"all is well", Status{Services: []Service{heard, off}, Targets: []Target{takes}}, []string{"It works", "25 % of 400", "not licensed here"}, []string{"Look here", "silent:"}},
		{"by rate", Status{Services: []Service{heard, heard}, Targets: []Target{takes}}, []string{
			"<b>25.0/s</b> <small>came in the last minute: 4.0/s forwarded, 0.1/s suppressed", "400 came, 12.5/s", "300 delivered, 1\u202f234/s",
			`100 <small class="rate">0.05/s</small>`,
		}, nil},
		{"numbers, which no line ends within", Status{Targets: []Target{{Name: "siem", Delivered: 22989, Waiting: 26590}}}, []string{
			"<td class=\"nowrap\">22\u202f989 ", "<td class=\"nowrap\">26\u202f590</td>",
		}, nil},
		{"nobody's messages", Status{Services: []Service{unknown}}, []string{`<span class="none">not kept</span>`}, []string{"never"}},
		{"silent", Status{Services: []Service{silent}}, []string{"Look here", "Defender for Identity has gone silent"}, []string{"It works"}},
		{"blocked", Status{Targets: []Target{blocked}}, []string{"Look here", "siem takes nothing until somebody mends it: 401: &lt;b&gt;token"}, []string{"It works", "<b>token"}},
		{"refused", Status{Targets: []Target{refused}}, []string{"Look here", "refused 2 events for good"}, []string{"It works"}},
		{"full", Status{Full: true}, []string{"Look here", "senders wait"}, []string{"It works"}},
		{"held", Status{Now: now, HeldAll: 1, Held: []Held{{Title: "T", Service: formats.CloudAppSecurity, Due: now.Add(90 * time.Second)}}}, []string{"It works", "1 min 30 s"}, nil},
		{"nothing yet", Status{Inputs: []Route{{Name: "tcp", Via: "tcp://127.0.0.1:5514"}}}, []string{"Nothing was received yet", "tcp://127.0.0.1:5514"}, nil},
	} {
		page := firstPage(t, tt.status)
		for _, s := range tt.has {
			if !strings.Contains(page, s) {
				t.Errorf("%s: no %q in\n%s", tt.name, s, page)
			}
		}
		for _, s := range tt.hasNot {
			if strings.Contains(page, s) {
				t.Errorf("%s: %q is there, too", tt.name, s)
			}
		}
	}
}

func TestAScriptGetsThePartItAsksFor(t *testing.T) {
	whole := firstPage(t, Status{})
	part := firstPage(t, Status{}, "HX-Request", "true", "HX-Target", "now")
	if !strings.Contains(whole, "<!doctype html>") || strings.Contains(part, "<!doctype html>") || !strings.Contains(part, `id="now"`) || strings.Contains(part, `id="tail"`) {
		t.Errorf("the part is\n%s", part)
	}
}

func TestWhereLogInLeads(t *testing.T) {
	for header, want := range map[string]string{"": "/login?to=%2Falerts%3Fopen%3Da1", "http://x.example/alerts?filter=f": "/login?to=%2Falerts%3Ffilter%3Df"} {
		r, w := httptest.NewRequest(http.MethodGet, "/alerts?open=a1", nil), httptest.NewRecorder()
		if header != "" {
			r.Header.Set("HX-Request", "true")
			r.Header.Set("HX-Current-URL", header)
		}
		toLogin(w, r)
		if got := w.Header().Get("Location") + w.Header().Get("HX-Redirect"); got != want {
			t.Errorf("from %q it leads to %s, want %s", header, got, want)
		}
	}
}
