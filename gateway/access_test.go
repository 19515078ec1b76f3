package gateway

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/access"
)

// caller asks the API of a running gateway with a token.
type caller struct {
	g     *timed
	token string
}

func (g *timed) caller(role access.Role, services ...string) caller {
	g.t.Helper()
	_, token, err := g.door.Create(access.Local(), role.String(), role, access.Scope{Services: services}, time.Now().Add(time.Hour))
	if err != nil {
		g.t.Fatal(err)
	}
	return caller{g, token}
}

// ask gives the answer, whose status has to be that.
func (c caller) ask(status int, method, path, body string) string {
	c.g.t.Helper()
	return c.send(status, method, path, body, "")
}

// tagged asks on the condition of an entity tag.
func (c caller) tagged(status int, method, path, tag string) string {
	c.g.t.Helper()
	return c.send(status, method, path, "", tag)
}

func (c caller) send(status int, method, path, body, ifMatch string) string {
	c.g.t.Helper()
	r, err := http.NewRequestWithContext(c.g.t.Context(), method, "http://"+c.g.watch.listeners[0].Addr().String()+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		c.g.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if ifMatch != "" {
		r.Header.Set("If-Match", ifMatch)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		c.g.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != status {
		c.g.t.Fatalf("%s %s answers %d %s (%v), want %d", method, path, answer.StatusCode, text, err, status)
	}
	return string(text)
}

// seen is an alert as the list shows it.
type seen struct {
	ID, Status string
	Sightings  []struct{ Service, Status string }
	Comments   []struct{ By, Text string }
}

func (c caller) alerts(filter string) []seen {
	c.g.t.Helper()
	var page struct{ Items []seen }
	if err := json.Unmarshal([]byte(c.ask(http.StatusOK, http.MethodGet, "/alerts?sort=time&filter="+strings.ReplaceAll(filter, " ", "+"), "")), &page); err != nil {
		c.g.t.Fatal(err)
	}
	return page.Items
}

// until waits for so many alerts, and gives them.
func (c caller) until(n int) []seen {
	c.g.t.Helper()
	var got []seen
	eventually(c.g.t, fmt.Sprintf("%d alerts", n), func() bool { got = c.alerts(""); return len(got) == n })
	return got
}

// TestALimitedOperator works in the whole gateway as the table says: sees one service's part of what two report, and
// what is done there is everybody's.
func TestALimitedOperator(t *testing.T) {
	t.Parallel()
	c := frontDoor(t, func(c *config.Config) {
		c.Model.Enabled, c.HTTP.Listen = true, "127.0.0.1:0"
	})
	g := startTimed(t, c, 0)
	eventually(t, "the model is open", func() bool { return g.show.model.Load() != nil })
	admin, team := g.caller(access.Admin), g.caller(access.Operator, "defender_for_identity")
	both, alone := incident{number: 1, user: "ida.brook", host: "WS-17"}, incident{number: 2, user: "max.field", host: "WS-18"}
	g.send(both.mcas(), both.mdi(), alone.mcas())
	whole, part := admin.until(2), team.until(1)
	if len(whole[0].Sightings) != 2 || len(part[0].Sightings) != 1 || part[0].Sightings[0].Service != "defender_for_identity" {
		t.Fatalf("the admin sees %+v, the team %+v", whole, part)
	}
	// The ID that others know is no ID here.
	team.ask(http.StatusNotFound, http.MethodGet, "/alerts/"+whole[0].ID, "")
	team.ask(http.StatusNotFound, http.MethodGet, "/alerts/"+whole[1].ID, "")
	team.ask(http.StatusNotFound, http.MethodPost, "/alerts/comment", `{"alerts":["`+whole[1].ID+`"],"text":"x"}`)

	// What fits a filter is what is seen.
	done := team.ask(http.StatusOK, http.MethodPost, "/alerts/close", `{"filter":"status = open","classification":"benign"}`)
	if !strings.Contains(done, `"alerts":1`) {
		t.Errorf("closed: %s", done)
	}
	for _, who := range []caller{admin, team} {
		eventually(t, "it is closed for all", func() bool { return who.alerts("")[0].Status == "closed" })
	}
	if whole = admin.alerts(""); whole[1].Status != "open" || whole[0].Sightings[0].Status != "closed" || whole[0].Sightings[1].Status != "closed" {
		t.Errorf("the admin sees %+v: the closure rule closes the twin, and nothing else is closed", whole)
	}
	var act struct{ Act string }
	if err := json.Unmarshal([]byte(done), &act); err != nil {
		t.Fatal(err)
	}
	team.ask(http.StatusOK, http.MethodPost, "/alerts/undo", `{"act":"`+act.Act+`"}`)
	if err := json.Unmarshal([]byte(admin.ask(http.StatusOK, http.MethodPost, "/alerts/comment", `{"filter":"status is set","text":"from the admin"}`)), &act); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the team reads the comment", func() bool { return len(team.alerts("")[0].Comments) == 1 })
	team.ask(http.StatusConflict, http.MethodPost, "/alerts/undo", `{"act":"`+act.Act+`"}`) // it was on more than is seen here
	if text := team.ask(http.StatusOK, http.MethodGet, "/alerts/"+part[0].ID+"/history", ""); !strings.Contains(text, `"text":"from the admin","can_undo":false`) {
		t.Errorf("the team can't undo what the admin did, and is told %s", text)
	}

	// Closed in the cloud alone is nothing that is seen here; closed where the rule leads here, it is.
	admin.ask(http.StatusOK, http.MethodPost, "/alerts/close", `{"alerts":["`+whole[0].ID+`"],"in":"cloud_app_security","classification":"benign"}`)
	admin.ask(http.StatusOK, http.MethodPost, "/alerts/assign", `{"alerts":["`+whole[0].ID+`"],"to":"ida"}`)
	eventually(t, "the team sees the assignment", func() bool { return len(team.alerts("assigned = ida")) == 1 })
	if team.alerts("")[0].Status != "open" || len(team.alerts("drift = yes")) != 0 {
		t.Error("the team sees what is closed in the cloud")
	}

	if text := team.ask(http.StatusForbidden, http.MethodGet, "/alerts?filter=service+%3D+cloud_app_security", ""); !strings.Contains(text, "a role without that limit") {
		t.Error(text)
	}
	if text := team.ask(http.StatusForbidden, http.MethodGet, "/policies", ""); !strings.Contains(text, "without a limit") {
		t.Error(text)
	}
	if text := team.ask(http.StatusForbidden, http.MethodPost, "/tokens", `{"name":"x","role":"viewer"}`); !strings.Contains(text, "log in") {
		t.Error(text)
	}
	if text := team.ask(http.StatusOK, http.MethodGet, "/me", ""); strings.Contains(text, "create-token") || !strings.Contains(text, "list-tokens") {
		t.Errorf("a token makes no other tokens, and may %s", text)
	}
	g.caller(access.Ingest).ask(http.StatusForbidden, http.MethodGet, "/me", "")
	audit := ""
	eventually(t, "the audit log has what was refused", func() bool {
		audit = admin.ask(http.StatusOK, http.MethodGet, "/audit?limit=500", "")
		return strings.Contains(audit, `"act":"denied"`)
	})
	for _, what := range []string{`"act":"close"`, `"act":"undo"`, `"act":"comment"`, "from the admin"} {
		if !strings.Contains(audit, what) {
			t.Errorf("the audit log has no %s: %.2000s", what, audit)
		}
	}
	restarted(t, g, c, whole, part)
}

// certificate writes the lender's into files.
func certificate(t *testing.T, lender *httptest.Server) config.HTTPS {
	t.Helper()
	dir := t.TempDir()
	files := config.HTTPS{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	pair := lender.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err == nil {
		err = errors.Join(os.WriteFile(files.Cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}), 0o600),
			os.WriteFile(files.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestOverTLS: passwords and sessions travel encrypted, with the certificate of the configuration, and the cookie is one
// that browsers take over TLS alone.
func TestOverTLS(t *testing.T) {
	t.Parallel()
	lender := httptest.NewTLSServer(http.NotFoundHandler()) // its certificate is for 127.0.0.1, and its client trusts it
	defer lender.Close()
	files := certificate(t, lender)
	var log bytes.Buffer
	c := frontDoor(t, func(c *config.Config) { c.HTTP = config.HTTP{Listen: "127.0.0.1:0", TLS: files} })
	door, err := access.Open(access.Options{Access: c.Access, DataDir: c.DataDir, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err == nil {
		err = door.Welcome()
	}
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(log.String(), " password=")
	password, _, _ := strings.Cut(rest, " ")
	g := startTimed(t, c, 0)
	client := lender.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := client.PostForm(g.watch.urls[0]+"/login/local", url.Values{"name": {"admin"}, "password": {password}, "new_password": {"four words that nobody knows"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if cookies := answer.Cookies(); answer.StatusCode != http.StatusSeeOther || len(cookies) != 1 || cookies[0].Name != "__Host-sluice" || !cookies[0].Secure || !cookies[0].HttpOnly {
		t.Errorf("the log-in answers %s with %v", answer.Status, cookies)
	}
	if answer, err := http.Get(strings.Replace(g.watch.urls[0], "https://", "http://", 1) + "/readyz"); err == nil && answer.StatusCode == http.StatusOK {
		t.Error("it answers in clear too")
	}
}

// restarted stops the gateway and looks whether all is as it was.
func restarted(t *testing.T, g *timed, c config.Config, whole, part []seen) {
	t.Helper()
	g.stop()
	g = startTimed(t, c, 0)
	eventually(t, "the model is open", func() bool { return g.show.model.Load() != nil })
	admin, team := g.caller(access.Admin), g.caller(access.Viewer, "defender_for_identity")
	if got := admin.until(2); got[0].ID != whole[0].ID {
		t.Errorf("after a restart the admin sees %+v", got)
	}
	if got := team.until(1); got[0].ID != part[0].ID || len(got[0].Comments) != 1 {
		t.Errorf("after a restart the team sees %+v", got)
	}
}

// TestTokensTakeNoPlaceOfRoles: however many limits the tokens have, the roles of the configuration are served, and a
// token that is revoked makes place for another one.
func TestTokensTakeNoPlaceOfRoles(t *testing.T) {
	t.Parallel()
	team := access.Scope{Services: []string{"defender_for_identity"}}
	c := frontDoor(t, func(c *config.Config) {
		c.Model.Enabled, c.HTTP.Listen = true, "127.0.0.1:0"
		c.Access.Roles = []config.Grant{{Role: "viewer", User: "oid-1", Services: team.Services}}
	})
	g := startTimed(t, c, 0)
	eventually(t, "the model is open", func() bool { return g.show.model.Load() != nil })
	const most = 4
	g.show.views.mu.Lock()
	g.show.views.most = most
	g.show.views.mu.Unlock()
	g.send(incident{number: 1, user: "ida.brook", host: "WS-17"}.mdi())
	g.caller(access.Admin).until(1)
	if text := g.caller(access.Viewer, "defender_for_identity", "sluice").ask(http.StatusOK, http.MethodGet, "/alerts/total", ""); !strings.Contains(text, `"count":1`) {
		t.Errorf("the first answer with a new limit: %s", text)
	}
	status := func(scope access.Scope) (int, access.Token) {
		token, secret, err := g.door.Create(access.Local(), "x", access.Viewer, scope, time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+g.watch.listeners[0].Addr().String()+"/api/v1/alerts/total", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+secret)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		return answer.StatusCode, token
	}
	of := func(i int) access.Scope { return access.Scope{Applications: []string{fmt.Sprint("app ", i)}} }
	var last access.Token
	for i := range most - 2 { // one is the role's, one has been asked for
		code, token := status(of(i))
		if code != http.StatusOK {
			t.Fatalf("token %d: %d", i, code)
		}
		last = token
	}
	if code, _ := status(of(100)); code != http.StatusServiceUnavailable {
		t.Errorf("one limit too many: %d", code)
	}
	if code, _ := status(team); code != http.StatusOK {
		t.Errorf("the role's limit: %d", code)
	}
	if _, ok, err := g.door.Revoke(access.Local(), last.ID); err != nil || !ok {
		t.Fatal(ok, err)
	}
	eventually(t, "there is place for another limit", func() bool {
		code, _ := status(of(100))
		return code == http.StatusOK
	})
	g.show.views.mu.Lock()
	g.show.views.open[team.Key()].ended = true
	g.show.views.mu.Unlock()
	if code, _ := status(team); code != http.StatusServiceUnavailable {
		t.Errorf("while the files of a view are closed: %d", code)
	}
}

// TestAViewEndsAfterItsRequests: a request that is under way when a view ends is told to come again, and meets no closed file.
func TestAViewEndsAfterItsRequests(t *testing.T) {
	t.Parallel()
	team := access.Scope{Services: []string{"defender_for_identity"}}
	c := frontDoor(t, func(c *config.Config) {
		c.Model.Enabled, c.HTTP.Listen = true, "127.0.0.1:0"
		c.Access.Roles = []config.Grant{{Role: "viewer", User: "oid-1", Services: team.Services}}
	})
	g := startTimed(t, c, 0)
	var v *view
	eventually(t, "the view is open", func() (ok bool) {
		var err error
		v, err = g.show.views.of(team)
		return err == nil
	})
	answer := httptest.NewRecorder()
	served := v.use.serve(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/alerts/total", nil), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.end()
		<-r.Context().Done()
		if _, err := v.model.Policies(context.WithoutCancel(r.Context())); err != nil {
			t.Errorf("its files are closed under a request: %v", err)
		}
		v.handler.ServeHTTP(w, r.WithContext(access.With(r.Context(), access.Local())))
	}))
	if !served || answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") == "" {
		t.Errorf("served %v: %d %v %s", served, answer.Code, answer.Header(), answer.Body)
	}
}

// TestTheAuditLogSaysFromWhere: of what is done, exported and refused, by whatever way, except over the control socket, which
// is on this machine.
func TestTheAuditLogSaysFromWhere(t *testing.T) {
	t.Parallel()
	c := frontDoor(t, func(c *config.Config) {
		c.Model.Enabled, c.HTTP.Listen = true, "127.0.0.1:0"
	})
	g := startTimed(t, c, 0)
	eventually(t, "the model is open", func() bool { return g.show.model.Load() != nil })
	admin, viewer := g.caller(access.Admin), g.caller(access.Viewer)
	one := incident{number: 1, user: "ida.brook", host: "WS-17"}
	g.send(one.mcas(), one.mdi())
	alert := admin.until(1)[0].ID
	eventually(t, "both services tell of it", func() bool { return len(admin.alerts("")[0].Sightings) == 2 })
	admin.ask(http.StatusOK, http.MethodPost, "/alerts/close", `{"alerts":["`+alert+`"],"classification":"benign"}`)
	admin.ask(http.StatusOK, http.MethodGet, "/alerts/export", "")
	viewer.ask(http.StatusForbidden, http.MethodGet, "/audit", "")
	var whole struct {
		Sightings []struct {
			Notifications []struct {
				Key    string `json:"event_key"`
				Action string
			}
		}
	}
	if err := json.Unmarshal([]byte(admin.ask(http.StatusOK, http.MethodGet, "/alerts/"+alert, "")), &whole); err != nil {
		t.Fatal(err)
	}
	for _, s := range whole.Sightings {
		for _, n := range s.Notifications {
			if n.Action == "suppress" {
				admin.ask(http.StatusOK, http.MethodPost, "/alerts/"+alert+"/notifications/"+n.Key+"/forward", `{}`)
			}
		}
	}
	overSocket(t, c.DataDir, http.StatusOK, http.MethodPost, "/alerts/comment", `{"alerts":["`+alert+`"],"text":"here"}`)
	for act, want := range map[string]string{
		"close": `{"from":"127.0.0.1","alerts":`, "export": `{"from":"127.0.0.1","text":"alerts as ndjson: all"}`, "denied": `{"from":"127.0.0.1","text":`,
		"forward_after_all": `{"from":"127.0.0.1","why":""}`, "comment": `{"alerts":["` + alert + `"],"text":"here"}`,
	} {
		eventually(t, act+" is in the audit log with "+want, func() bool {
			return strings.Contains(admin.ask(http.StatusOK, http.MethodGet, "/audit?filter=act+%3D+"+act, ""), want)
		})
	}
}

// TestATokenThatIsNotMadeIsNotInTheAuditLog as if it were: who asks for more than they have is there as refused.
func TestATokenThatIsNotMadeIsNotInTheAuditLog(t *testing.T) {
	t.Parallel()
	c := frontDoor(t, func(c *config.Config) {
		c.Model.Enabled, c.HTTP.Listen = true, "127.0.0.1:0"
	})
	g := startTimed(t, c, 0)
	eventually(t, "the model is open", func() bool { return g.show.model.Load() != nil })
	admin := g.caller(access.Admin)
	text := overSocket(t, c.DataDir, http.StatusUnprocessableEntity, http.MethodPost, "/tokens", `{"name":"typo","role":"viewer","services":["defender"]}`)
	if !strings.Contains(text, "expected one of defender_for_identity") {
		t.Error(text)
	}
	overSocket(t, c.DataDir, http.StatusCreated, http.MethodPost, "/tokens", `{"name":"mended","role":"viewer","services":["defender_for_identity"]}`)
	audit := ""
	eventually(t, "the token that was made is in the audit log", func() bool {
		audit = admin.ask(http.StatusOK, http.MethodGet, "/audit", "")
		return strings.Contains(audit, "mended: viewer")
	})
	if strings.Contains(audit, "typo") {
		t.Errorf("the audit log has a token that wasn't made: %s", audit)
	}
}

// overSocket asks the API over the control socket.
func overSocket(t *testing.T, dataDir string, status int, method, path, body string) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return DialControl(ctx, dataDir) },
	}}
	r, err := http.NewRequestWithContext(t.Context(), method, "http://sluice/api/v1"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != status {
		t.Fatalf("%s %s answers %d %s (%v), want %d", method, path, answer.StatusCode, text, err, status)
	}
	return string(text)
}

// TestAnswersAreKeptNowhere, by browsers and proxies, and are no pages for them.
func TestAnswersAreKeptNowhere(t *testing.T) {
	t.Parallel()
	c := frontDoor(t, func(c *config.Config) {
		c.Model.Enabled, c.HTTP.Listen = true, "127.0.0.1:0"
	})
	g := startTimed(t, c, 0)
	eventually(t, "the model is open", func() bool { return g.show.model.Load() != nil })
	viewer := g.caller(access.Viewer)
	for _, path := range []string{"/alerts", "/alerts/export?format=csv", "/activities/export", "/users", "/audit", "/nowhere"} {
		for _, token := range []string{viewer.token, ""} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.watch.urls[0]+"/api/v1"+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+token)
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			if answer.Header.Get("Cache-Control") != "no-store" || answer.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: %d with %v", path, answer.StatusCode, answer.Header)
			}
		}
	}
}
