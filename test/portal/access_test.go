package portal_test

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/test/browser"
)

// token makes one, as an operator of the machine does.
func (g *gateway) token(args ...string) string {
	g.t.Helper()
	cmd := exec.Command(os.Getenv("SLUICE"), append(append([]string{"token", "create"}, args...), "--config", "gw.yaml")...)
	cmd.Dir = g.dir
	out, err := cmd.CombinedOutput()
	found := regexp.MustCompile(`sluice_[A-Z0-9]+`).Find(out)
	if err != nil || found == nil {
		g.t.Fatalf("sluice token create %s: %v\n%s", args, err, out)
	}
	return string(found)
}

// ask sends a request with a token, and doesn't follow where it leads.
func (g *gateway) ask(token, method, path string, form url.Values, headers ...string) (status int, body string, header http.Header) {
	g.t.Helper()
	r, err := http.NewRequestWithContext(g.t.Context(), method, g.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		g.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	a, err := client.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer func() { _ = a.Body.Close() }()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return a.StatusCode, string(text), a.Header
}

// TestWhoMayDoWhat asks for every page as everybody, and acts as who may not.
func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.send(morning(time.Now())...)
	viewer, operator, admin := g.token("v", "--role", "viewer"), g.token("o", "--role", "operator"), g.token("a", "--role", "admin")
	limited := g.token("l", "--role", "operator", "--service", "cloud_app_security")
	g.poll("the alerts are there", func() bool {
		_, body, _ := g.ask(limited, http.MethodGet, "/alerts", nil)
		_, all, _ := g.ask(viewer, http.MethodGet, "/alerts", nil)
		return strings.Contains(all, "Suspicious service creation") && strings.Contains(body, "Mass download")
	})
	const refused, elsewhere = http.StatusForbidden, http.StatusSeeOther
	for _, tt := range []struct {
		path                             string
		viewer, operator, admin, limited int
	}{
		{"/", 200, 200, 200, elsewhere},
		{"/alerts", 200, 200, 200, 200},
		{"/activities", 200, 200, 200, 200},
		{"/users", 200, 200, 200, 200},
		{"/policies", 200, 200, 200, refused},
		{"/policies/try", 200, 200, 200, refused},
		{"/policies/builtin-mass-deletion", 200, 200, 200, refused},
		{"/admin", refused, refused, 200, refused},
		{"/admin/audit", refused, refused, 200, refused},
		{"/admin/tokens", 200, 200, 200, 200},
		{"/alerts/facets", 200, 200, 200, 200},
		{"/nowhere", 404, 404, 404, 404},
	} {
		for _, as := range []struct {
			token string
			want  int
		}{{viewer, tt.viewer}, {operator, tt.operator}, {admin, tt.admin}, {limited, tt.limited}, {"", elsewhere}} {
			if status, body, header := g.ask(as.token, http.MethodGet, tt.path, nil); status != as.want || !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") {
				t.Errorf("%s as %.12s: %d, want %d\n%.300s", tt.path, as.token, status, as.want, body)
			}
		}
	}
	for _, tt := range []struct{ token, path, words string }{
		{viewer, "/admin/audit", "Your role (viewer) may not see the audit log: that needs the role admin."},
		{operator, "/admin", "Your role (operator) may not see the administration: that needs the role admin."},
		{limited, "/policies", "Your role (operator, limited to what cloud_app_security says) may not see the policies: that needs the role viewer, operator or admin without a limit."},
		{limited, "/alerts?filter=service+%3D+defender_for_identity", "Your role is limited: you see what cloud_app_security says, and nothing else."},
		{limited, "/activities?filter=service+%3D+defender_for_identity", "Your role is limited: you see what cloud_app_security says, and nothing else."},
	} {
		if _, body, _ := g.ask(tt.token, http.MethodGet, tt.path, nil); !strings.Contains(body, tt.words) {
			t.Errorf("%s doesn't say %q:\n%s", tt.path, tt.words, body)
		}
	}
	_, queue, _ := g.ask(viewer, http.MethodGet, "/alerts", nil)
	id := regexp.MustCompile(`open=([0-9a-f]{32})`).FindStringSubmatch(queue)
	if id == nil || strings.Contains(queue, `name="do"`) || strings.Contains(queue, "Administration") {
		t.Fatalf("a viewer is offered what viewers may not:\n%s", queue)
	}
	closing := url.Values{"do": {"benign"}, "alert": {id[1]}}
	if status, body, _ := g.ask(viewer, http.MethodPost, "/alerts", closing); status != refused || !strings.Contains(body, "needs the role operator or admin") {
		t.Errorf("a viewer closes an alert: %d %.500s", status, body)
	}
	if status, _, header := g.ask(operator, http.MethodPost, "/alerts", closing); status != elsewhere || !strings.Contains(header.Get("Location"), "did=close") {
		t.Errorf("an operator doesn't close an alert: %d %v", status, header)
	}
	if status, _, _ := g.ask(operator, http.MethodPost, "/admin", url.Values{"do": {"test"}, "target": {"archive"}}); status != refused {
		t.Errorf("an operator tests a target: %d", status)
	}
	_, seen, _ := g.ask(limited, http.MethodGet, "/alerts", nil)
	if strings.Contains(seen, "Suspicious service creation") || !strings.Contains(seen, "You see what cloud_app_security says") {
		t.Errorf("a limited role sees what is outside, or isn't told of its limit:\n%s", seen)
	}
}

// TestAnotherSitesPageActsForNobody forges requests in a browser that is logged in.
func TestAnotherSitesPageActsForNobody(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.send(morning(time.Now())...)
	b := browser.Open(t)
	p := g.login(b)
	g.await(p, 5)
	var cookies string
	p.Eval("document.cookie", &cookies)
	if cookies != "" {
		t.Errorf("scripts can read %q", cookies)
	}
	session := p.Cookie("sluice")
	closing := url.Values{"do": {"benign"}, "fitting": {"1"}}
	status, _, _ := g.ask("", http.MethodPost, "/alerts?filter=status+%3D+open", closing, "Cookie", "sluice="+session, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")
	if status != http.StatusForbidden {
		t.Errorf("a page of another site closes alerts: %d", status)
	}
	if status, _, _ := g.ask("", http.MethodPost, "/alerts?filter=status+%3D+open", closing, "Cookie", "sluice="+session, "Sec-Fetch-Site", "same-origin"); status != http.StatusSeeOther {
		t.Errorf("one's own page doesn't: %d", status)
	}
}

// TestWhoIsAwayIsLoggedOut leaves a page alone that asks for news by itself.
func TestWhoIsAwayIsLoggedOut(t *testing.T) {
	t.Parallel()
	g := start(t, "access: {sessions: {idle: 4s}}")
	b := browser.Open(t)
	p := g.login(b)
	p.Go(g.url + "/")
	session := p.Cookie("sluice")
	p.Wait(`location.pathname === "/login" && location.search === "?to=%2F"`)
	if status, _, _ := g.ask("", http.MethodGet, "/alerts", nil, "Cookie", "sluice="+session); status != http.StatusSeeOther {
		t.Errorf("the session goes on: %d", status)
	}
}
