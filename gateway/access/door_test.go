package access_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/access"
)

// house is a door with what is behind it, on a real socket.
type house struct {
	*httptest.Server
	t       *testing.T
	door    *access.Door
	issuer  *provider
	options access.Options

	mu     sync.Mutex // guards what follows
	now    time.Time
	log    bytes.Buffer
	events []access.Event
}

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// Write takes the log.
func (h *house) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log.Write(p)
}

func (h *house) logged() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log.String()
}

func (h *house) noted(what string) (out []access.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		if e.What == what {
			out = append(out, e)
		}
	}
	return out
}

const (
	teamGroup = "11112222-bbbb-3333-cccc-4444dddd5555"
	adminRole = "Sluice.Admin"
)

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, now: time.Now()}
	h.issuer = newProvider(t, h.clock)
	h.Server = httptest.NewUnstartedServer(nil)
	h.URL = "http://" + h.Listener.Addr().String()
	h.options = access.Options{
		Rounds: 1000, DataDir: t.TempDir(), Log: slog.New(slog.NewJSONHandler(h, &slog.HandlerOptions{Level: slog.LevelDebug})), Now: h.clock,
		Access: config.Access{
			LocalAdmin: true, URL: h.URL, Sessions: config.Sessions{Idle: 30 * time.Minute, Length: 8 * time.Hour},
			Issuers: []config.Issuer{{Name: "entra", Issuer: h.issuer.URL, ClientID: h.issuer.client, ClientSecret: config.Secret(h.issuer.secret), Skew: time.Minute}},
			Roles: []config.Grant{
				{User: "o1", Role: "viewer"},
				{Group: teamGroup, Role: "operator", Services: []string{"defender_for_identity"}},
				{AppRole: adminRole, Role: "admin", Issuer: "entra"},
			},
		},
		Note: func(_ context.Context, e access.Event) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.events = append(h.events, e)
		},
	}
	h.open()
	mux := http.NewServeMux()
	mux.Handle("/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.door.Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p, _ := access.From(r.Context())
			_, _ = io.WriteString(w, p.By()+"|"+p.Role.String()+"|"+p.Scope.String())
		})).ServeHTTP(w, r)
	}))
	through := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.door.Handler().ServeHTTP(w, r) })
	mux.Handle("/login/", through)
	mux.Handle("/logout", through)
	h.Config.Handler = mux
	h.URL = ""
	h.Start()
	t.Cleanup(h.Close)
	return h
}

// open opens the door, as a start of the gateway does.
func (h *house) open() {
	h.t.Helper()
	var err error
	if h.door, err = access.Open(h.options); err == nil {
		err = h.door.Welcome()
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// password is the one-time password that the log says.
func (h *house) password() string {
	_, rest, _ := strings.Cut(h.logged(), `"password":"`)
	text, _, _ := strings.Cut(rest, `"`)
	return text
}

// browser is somebody with cookies.
type browser struct {
	*http.Client
	h *house
}

func (h *house) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return &browser{&http.Client{Jar: jar}, h}
}

func (b *browser) get(path string) (int, string) { return b.do(http.MethodGet, path, nil, nil) }

func (b *browser) do(method, path string, form url.Values, header http.Header) (int, string) {
	b.h.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = b.h.URL + path
	}
	r, err := http.NewRequestWithContext(b.h.t.Context(), method, path, strings.NewReader(form.Encode()))
	if err != nil {
		b.h.t.Fatal(err)
	}
	if header != nil {
		r.Header = header
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := b.Do(r)
	if err != nil {
		b.h.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		b.h.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// wants expects an answer.
func (b *browser) wants(status int, text string, got int, body string) {
	b.h.t.Helper()
	if got != status || !strings.Contains(body, text) {
		b.h.t.Errorf("the answer is %d %s, want %d with %q", got, body, status, text)
	}
}

func (b *browser) session() string {
	u, _ := url.Parse(b.h.URL)
	for _, c := range b.Jar.Cookies(u) {
		if c.Name == "sluice" {
			return c.Value
		}
	}
	return ""
}

func TestLogInByOpenID(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	status, body := b.get("/me")
	b.wants(http.StatusUnauthorized, "no session", status, body)
	status, body = b.get("/login/entra?to=/me")
	b.wants(http.StatusOK, "anna@fernweh.example (entra/o1)|admin|everything", status, body)
	if e := h.noted("log_in"); len(e) != 1 || e[0].From != "127.0.0.1" || !strings.Contains(e[0].Text, "as an admin who sees everything") {
		t.Errorf("the audit log has %+v", e)
	}
	// Log-out ends the session here, and leads to where the issuer ends its own.
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	old := b.session()
	r, _ := b.PostForm(h.URL+"/logout", nil)
	if to := r.Header.Get("Location"); !strings.HasPrefix(to, h.issuer.URL+"/leave?") || !strings.Contains(to, url.QueryEscape(h.URL+"/login")) {
		t.Errorf("log-out leads to %s", to)
	}
	status, body = b.do(http.MethodGet, "/me", nil, http.Header{"Cookie": {"sluice=" + old}})
	b.wants(http.StatusUnauthorized, "", status, body)
	// A browser is led there by a page: a redirection is held against the form-action of the page with the form.
	b = h.browser()
	_, _ = b.get("/login/entra?to=/me")
	status, body = b.do(http.MethodPost, "/logout", nil, http.Header{"Accept": {"text/html"}})
	b.wants(http.StatusOK, `http-equiv="refresh" content="0; url=`+h.issuer.URL+"/leave?", status, body)
}

// TestRolesByClaims: app roles first, then groups, then users; groups that aren't known are no groups that aren't there.
func TestRolesByClaims(t *testing.T) {
	h := newHouse(t)
	none := map[string]any{"roles": nil, "groups": nil, "hasgroups": nil, "_claim_names": nil, "_claim_sources": nil, "oid": "o9"}
	names, sources := map[string]string{"groups": "src1"}, map[string]any{"src1": map[string]string{"endpoint": "https://graph.windows.net/t/users/o1/getMemberObjects"}}
	for _, tt := range []struct {
		name   string
		claims map[string]any
		status int
		want   string
	}{
		{"app role before group and user", map[string]any{"roles": []string{"x", adminRole}, "groups": []string{teamGroup}, "oid": "o1"}, 200, "|admin|everything"},
		{"group before user", map[string]any{"groups": []string{teamGroup}, "oid": "o1"}, 200, "|operator|what defender_for_identity says"},
		{"user", map[string]any{"oid": "o1"}, 200, "(entra/o1)|viewer|everything"},
		{"nobody", map[string]any{}, 403, "nothing in access.roles fits user o9 of entra"},
		{"a name is no user", map[string]any{"preferred_username": "o1"}, 403, "nothing in access.roles"},
		{"overage with an app role", map[string]any{"roles": []string{adminRole}, "_claim_names": names, "_claim_sources": sources}, 200, "|admin|"},
		{"overage", map[string]any{"oid": "o1", "_claim_names": names, "_claim_sources": sources}, 403, "too many for a token"},
		{"overage, as the implicit flow says it", map[string]any{"oid": "o1", "hasgroups": true}, 403, "give an app role instead"},
	} {
		h.issuer.says(none)
		h.issuer.says(map[string]any{"preferred_username": "anna@fernweh.example"})
		h.issuer.says(tt.claims)
		b := h.browser()
		if status, body := b.get("/login/entra?to=/me"); status != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("%s: %d %s, want %d %s", tt.name, status, body, tt.status, tt.want)
		}
	}
}

// TestForgedTokens: whatever isn't right of an ID token lets nobody in.
func TestForgedTokens(t *testing.T) {
	h := newHouse(t)
	claim := func(key string, v any) func(header, claims map[string]any) {
		return func(_, claims map[string]any) { claims[key] = v }
	}
	alg := func(name string) func(header, claims map[string]any) {
		return func(header, _ map[string]any) { header["alg"] = name }
	}
	for name, lie := range map[string]struct {
		forge func(header, claims map[string]any)
		sign  func([]byte) []byte
	}{
		"nonce":                    {claim("nonce", "another"), nil},
		"no nonce":                 {func(_, c map[string]any) { delete(c, "nonce") }, nil},
		"audience":                 {claim("aud", "another-client"), nil},
		"several audiences":        {claim("aud", []string{"sluice-client", "another"}), nil},
		"asked for by another":     {claim("azp", "another-client"), nil},
		"no subject":               {func(_, c map[string]any) { delete(c, "sub") }, nil},
		"issuer":                   {claim("iss", "https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000/v2.0"), nil},
		"expired":                  {claim("exp", h.clock().Add(-2*time.Minute).Unix()), nil},
		"of a time to come":        {claim("iat", h.clock().Add(time.Hour).Unix()), nil},
		"not yet valid":            {claim("nbf", h.clock().Add(time.Hour).Unix()), nil},
		"never valid":              {claim("nbf", 1e300), nil},
		"none":                     {alg("none"), func([]byte) []byte { return nil }},
		"HS256 by the public key":  {alg("HS256"), h.issuer.withPublicKey},
		"unknown key":              {func(header, _ map[string]any) { header["kid"] = "k9" }, func([]byte) []byte { return make([]byte, 256) }},
		"signature of another":     {nil, func([]byte) []byte { return make([]byte, 256) }},
		"roles that are no list":   {claim("roles", "Sluice.Admin"), nil},
		"what is no JSON web sign": {func(header, _ map[string]any) { clear(header) }, nil},
	} {
		h.issuer.lies(lie.forge, lie.sign)
		b := h.browser()
		if status, body := b.get("/login/entra?to=/me"); status != http.StatusUnauthorized || !strings.Contains(body, "not valid") {
			t.Errorf("%s: %d %s, want 401", name, status, body)
		}
		if b.session() != "" {
			t.Errorf("%s: there is a session", name)
		}
	}
	h.issuer.lies(claim("exp", h.clock().Add(-30*time.Second).Unix()), nil) // within the skew
	b := h.browser()
	if status, body := b.get("/login/entra?to=/me"); status != http.StatusOK {
		t.Errorf("a clock that differs by less than skew: %d %s", status, body)
	}
}

// TestClocksThatDiffer by no more than skew, either way, keep nobody out: skew is for the beginning of a token and for its end.
func TestClocksThatDiffer(t *testing.T) {
	h := newHouse(t)
	h.options.Access.Issuers[0].Skew = 10 * time.Minute
	h.open()
	for ahead, want := range map[time.Duration]int{
		0: http.StatusOK, 9 * time.Minute: http.StatusOK, 11 * time.Minute: http.StatusUnauthorized,
		-9 * time.Minute: http.StatusOK, -71 * time.Minute: http.StatusUnauthorized,
	} {
		at := h.clock().Add(ahead)
		h.issuer.lies(func(_, claims map[string]any) {
			claims["iat"], claims["nbf"], claims["exp"] = at.Unix(), at.Unix(), at.Add(time.Hour).Unix()
		}, nil)
		if status, body := h.browser().get("/login/entra?to=/me"); status != want {
			t.Errorf("the issuer's clock is ahead by %v: %d %s, want %d", ahead, status, body, want)
		}
	}
	if log := h.logged(); !strings.Contains(log, "one of the clocks is wrong by more than skew") {
		t.Errorf("the log doesn't say that it is the clocks: %s", log)
	}
}

// TestASlowIssuerHoldsUpNobodyElse: who logs in while somebody waits for its metadata.
func TestASlowIssuerHoldsUpNobodyElse(t *testing.T) {
	h := newHouse(t)
	asked, goOn := make(chan struct{}), make(chan struct{})
	var requests atomic.Int32
	metadata := h.issuer.Config.Handler
	h.issuer.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 1 {
			close(asked)
			<-goOn
		}
		metadata.ServeHTTP(w, r)
	})
	first := make(chan int)
	go func() {
		status, _ := h.browser().get("/login/entra?to=/me")
		first <- status
	}()
	<-asked
	if status, body := h.browser().get("/login/entra?to=/me"); status != http.StatusOK {
		t.Errorf("the second: %d %s", status, body)
	}
	close(goOn)
	if status := <-first; status != http.StatusOK {
		t.Errorf("the first: %d", status)
	}
}

// TestKeysRotate: a key that wasn't there at the first log-in is fetched when a token names it.
func TestKeysRotate(t *testing.T) {
	h := newHouse(t)
	for _, kid := range []string{"k1", "k2", "k3"} {
		if kid != "k1" {
			h.issuer.rotate(kid)
		}
		if status, body := h.browser().get("/login/entra?to=/me"); status != http.StatusOK {
			t.Errorf("with key %s: %d %s", kid, status, body)
		}
	}
}

// TestCallbacksNobodyAskedFor: each answer of an issuer is good once, for the browser that was sent away.
func TestCallbacksNobodyAskedFor(t *testing.T) {
	h := newHouse(t)
	stop := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	away := func(b *browser) (callback string) { // as far as the issuer, and back with its answer
		b.CheckRedirect = stop
		r, err := b.Get(h.URL + "/login/entra?to=/me")
		if err == nil {
			r, err = b.Get(r.Header.Get("Location"))
		}
		if err != nil {
			t.Fatal(err)
		}
		return r.Header.Get("Location")
	}
	anna, eve := h.browser(), h.browser()
	callback := away(anna)
	status, body := eve.get(callback)
	eve.wants(http.StatusUnauthorized, "not begun here", status, body) // somebody is sent an answer that isn't theirs
	status, body = anna.get(callback)
	anna.wants(http.StatusUnauthorized, "", status, body) // and it is used up by that

	callback = away(anna)
	status, body = anna.get(strings.Replace(callback, "state=", "state=x", 1))
	anna.wants(http.StatusUnauthorized, "not begun here", status, body)

	callback = away(anna)
	status, body = anna.get(callback)
	anna.wants(http.StatusSeeOther, "", status, body)
	status, body = anna.get(callback)
	anna.wants(http.StatusUnauthorized, "not begun here", status, body) // a re-used state

	used := regexpCode(callback)
	callback = away(eve)
	status, body = eve.get(strings.Replace(callback, regexpCode(callback), used, 1))
	eve.wants(http.StatusUnauthorized, "not valid", status, body) // a re-used code: the issuer refuses it

	callback = away(eve)
	h.pass(11 * time.Minute)
	status, body = eve.get(callback)
	eve.wants(http.StatusUnauthorized, "is over", status, body)

	callback = away(eve)
	status, body = eve.get(strings.Replace(callback, "code=", "error=access_denied&x=", 1))
	eve.wants(http.StatusUnauthorized, "refused the log-in", status, body)
	if e := h.noted("log_in_failed"); len(e) < 6 {
		t.Errorf("the audit log has %d failures", len(e))
	}
}

func regexpCode(callback string) string {
	u, _ := url.Parse(callback)
	return u.Query().Get("code")
}

// TestOneTimePassword lets in once, to choose another one.
func TestOneTimePassword(t *testing.T) {
	h := newHouse(t)
	once, b := h.password(), h.browser()
	form := url.Values{"name": {"admin"}, "password": {once}, "to": {"/me"}}
	status, body := b.do(http.MethodPost, "/login/local", form, nil)
	b.wants(http.StatusUnprocessableEntity, "choose one of your own", status, body)
	form.Set("new_password", once)
	status, body = b.do(http.MethodPost, "/login/local", form, nil)
	b.wants(http.StatusUnprocessableEntity, "choose one of your own", status, body)
	form.Set("new_password", "four words that nobody knows")
	status, body = b.do(http.MethodPost, "/login/local", form, nil)
	b.wants(http.StatusOK, "admin|admin|everything", status, body)
	h.open() // a restart keeps it, and says no other one
	b = h.browser()
	form.Del("new_password")
	status, body = b.do(http.MethodPost, "/login/local", form, nil)
	b.wants(http.StatusUnauthorized, "the name or the password is wrong", status, body)
	form.Set("password", "four words that nobody knows")
	status, body = b.do(http.MethodPost, "/login/local", form, nil)
	b.wants(http.StatusOK, "admin|admin|everything", status, body)
	if n := strings.Count(h.logged(), `"password":`); n != 1 {
		t.Errorf("a password was said %d times", n)
	}
	h.options.Access.LocalAdmin = false
	h.open()
	status, body = b.do(http.MethodPost, "/login/local", form, nil)
	b.wants(http.StatusUnauthorized, "switched off", status, body)
}

// TestBruteForce: from one address only so much can be tried, from others it still can.
func TestBruteForce(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	var got []int
	for range 8 {
		status, _ := b.do(http.MethodPost, "/login/local", url.Values{"name": {"admin"}, "password": {"wrong"}}, nil)
		got = append(got, status)
	}
	want := []int{401, 401, 401, 401, 401, 429, 429, 429}
	if !slices.Equal(got, want) {
		t.Errorf("the answers are %v, want %v", got, want)
	}
	right := url.Values{"name": {"admin"}, "password": {h.password()}, "new_password": {"four words that nobody knows"}, "to": {"/me"}}
	if status, _ := b.do(http.MethodPost, "/login/local", right, nil); status != http.StatusTooManyRequests {
		t.Errorf("the right password after too many tries: %d", status)
	}
	h.pass(31 * time.Second)
	if status, body := b.do(http.MethodPost, "/login/local", right, nil); status != http.StatusOK {
		t.Errorf("the right password later: %d %s", status, body)
	}
	for range 200 { // and nobody fills the stream with it
		_, _ = b.do(http.MethodGet, "/login/entra/callback?state=x", nil, nil)
	}
	if n := len(h.noted("log_in_failed")); n > 60 {
		t.Errorf("%d failures are in the audit log", n)
	}
}

// TestLogInWithoutAPassword: a log-in that isn't a form, such as JSON, is no wrong password, and counts as no try.
func TestLogInWithoutAPassword(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	for range 8 {
		status, body := b.do(http.MethodPost, "/login/local", nil, http.Header{"Content-Type": {"application/json"}})
		b.wants(http.StatusUnprocessableEntity, "as a form", status, body)
	}
	status, body := b.do(http.MethodPost, "/login/local", url.Values{"name": {"admin"}, "password": {""}}, nil)
	b.wants(http.StatusUnauthorized, "the name or the password is wrong", status, body)
	if n := len(h.noted("log_in_failed")); n != 1 {
		t.Errorf("%d failures are in the audit log, want 1", n)
	}
}

// TestSessionFixation: what was planted before a log-in is worth nothing after it.
func TestSessionFixation(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	u, _ := url.Parse(h.URL)
	b.Jar.SetCookies(u, []*http.Cookie{{Name: "sluice", Value: "planted", Path: "/"}})
	status, body := b.get("/login/entra?to=/me")
	b.wants(http.StatusOK, "|admin|", status, body)
	first := b.session()
	status, body = b.get("/login/entra?to=/me")
	b.wants(http.StatusOK, "|admin|", status, body)
	for _, old := range []string{"planted", first, ""} {
		if old == b.session() {
			t.Fatalf("the session is %q still", old)
		}
		status, body = h.browser().do(http.MethodGet, "/me", nil, http.Header{"Cookie": {"sluice=" + old}})
		b.wants(http.StatusUnauthorized, "", status, body)
	}
}

// TestSessionsEnd: after a while without a request, and after the whole length in any case.
func TestSessionsEnd(t *testing.T) {
	h := newHouse(t)
	idle, busy := h.browser(), h.browser()
	for _, b := range []*browser{idle, busy} {
		if status, body := b.get("/login/entra?to=/me"); status != http.StatusOK {
			t.Fatal(status, body)
		}
	}
	for range 23 {
		h.pass(20 * time.Minute)
		if status, _ := busy.get("/me"); status != http.StatusOK {
			t.Fatal("a session that is used ends early")
		}
	}
	if status, _ := idle.get("/me"); status != http.StatusUnauthorized {
		t.Error("an idle session lasts")
	}
	h.pass(21 * time.Minute)
	if status, _ := busy.get("/me"); status != http.StatusUnauthorized {
		t.Error("a session lasts for longer than its length")
	}
}

// TestOtherSites: a page of another site changes nothing with somebody's session, nor logs anybody in.
func TestOtherSites(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	if status, _ := b.get("/login/entra?to=/me"); status != http.StatusOK {
		t.Fatal(status)
	}
	for _, tt := range []struct {
		header http.Header
		want   int
	}{
		{http.Header{"Sec-Fetch-Site": {"cross-site"}}, http.StatusForbidden},
		{http.Header{"Sec-Fetch-Site": {"same-site"}}, http.StatusForbidden},
		{http.Header{"Origin": {"https://evil.example"}}, http.StatusForbidden},
		{http.Header{"Sec-Fetch-Site": {"same-origin"}}, http.StatusOK},
		{http.Header{}, http.StatusOK}, // no browser; those that send no such header get no cookie from elsewhere: SameSite
	} {
		if status, body := b.do(http.MethodPost, "/me", nil, tt.header.Clone()); status != tt.want {
			t.Errorf("POST with %v: %d %s, want %d", tt.header, status, body, tt.want)
		}
	}
	if status, _ := b.do(http.MethodPost, "/login/local", url.Values{"name": {"admin"}}, http.Header{"Origin": {"https://evil.example"}}); status != http.StatusForbidden {
		t.Errorf("a log-in from another site: %d", status)
	}
}

// TestCookies are no script's, no other site's, and over TLS no other way's.
func TestCookies(t *testing.T) {
	h := newHouse(t)
	h.options.Proxies = []string{"127.0.0.1/32"}
	h.open()
	b := h.browser()
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, secure := range []bool{false, true} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, h.URL+"/login/entra", http.NoBody)
		if secure {
			r.Header.Set("X-Forwarded-Proto", "https")
			r.Header.Set("X-Forwarded-For", "203.0.113.9")
		}
		answer, err := b.Do(r)
		if err != nil || len(answer.Cookies()) != 1 {
			t.Fatal(err, answer)
		}
		c := answer.Cookies()[0]
		if c.Secure != secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || strings.HasPrefix(c.Name, "__Host-") != secure {
			t.Errorf("the cookie is %v", c)
		}
	}
	// A proxy that is believed and was asked without TLS gets nothing.
	if status, body := b.do(http.MethodGet, "/me", nil, http.Header{"X-Forwarded-For": {"203.0.113.9"}}); status != http.StatusForbidden || !strings.Contains(body, "encrypted") {
		t.Errorf("in clear over a proxy: %d %s", status, body)
	}
	// Nor where the browser put an empty line before the proxy's.
	if status, body := b.do(http.MethodGet, "/me", nil, http.Header{"X-Forwarded-For": {"", "203.0.113.9"}}); status != http.StatusForbidden || !strings.Contains(body, "encrypted") {
		t.Errorf("in clear over a proxy, with an empty line: %d %s", status, body)
	}
}

// TestNobodyHidesBehindAProxy: what a client itself says of its address is no reason to take it for another's.
func TestNobodyHidesBehindAProxy(t *testing.T) {
	h := newHouse(t)
	h.options.Proxies = []string{"10.1.2.0/24"}
	h.open()
	_, secret, err := h.door.Create(access.Local(), "deploy", access.Viewer, access.Scope{}, h.now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		peer string
		said []string
		want string
	}{
		{"203.0.113.9:4711", []string{"127.0.0.1"}, "203.0.113.9"}, // no proxy of ours
		{"10.1.2.3:4711", []string{"203.0.113.9"}, "203.0.113.9"},
		{"10.1.2.3:4711", []string{"127.0.0.1, 203.0.113.9"}, "203.0.113.9"},
		{"10.1.2.3:4711", []string{"127.0.0.1", "203.0.113.9, 10.1.2.4"}, "203.0.113.9"},
		{"10.1.2.3:4711", []string{"", "203.0.113.9"}, "203.0.113.9"},
		{"10.1.2.3:4711", []string{"203.0.113.9:50123"}, "203.0.113.9"},
		{"10.1.2.3:4711", []string{"203.0.113.9:50123, [2001:db8::7]:443"}, "2001:db8::7"},
		{"10.1.2.3:4711", []string{"nonsense"}, "10.1.2.3"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		r.RemoteAddr, r.Header["X-Forwarded-For"] = tt.peer, tt.said
		r.Header.Set("X-Forwarded-Proto", "https")
		r.Header.Set("Authorization", "Bearer "+secret)
		if tt.peer == "203.0.113.9:4711" {
			r.TLS = &tls.ConnectionState{}
		}
		if p, err := h.door.Principal(r); err != nil || p.From != tt.want {
			t.Errorf("%s that says %q asks from %q (%v), want %s", tt.peer, tt.said, p.From, err, tt.want)
		}
	}
}

// TestBeyondLoopback: in clear, whoever asks from another machine is told nothing.
func TestBeyondLoopback(t *testing.T) {
	h := newHouse(t)
	ctx := context.WithValue(t.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 8514})
	for _, handler := range []http.Handler{h.door.Guard(http.NotFoundHandler()), h.door.Handler()} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/login/local", http.NoBody))
		if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "https://") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
}

// TestWhereTo: nobody is sent to another site.
func TestWhereTo(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	b.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host != strings.TrimPrefix(h.URL, "http://") && r.URL.Host != strings.TrimPrefix(h.issuer.URL, "http://") {
			t.Errorf("sent to %s", r.URL)
		}
		return nil
	}
	for _, to := range []string{"https://evil.example/", "//evil.example/", `/\evil.example`, `\\evil.example`, "javascript:alert(1)", "/\t/evil.example"} {
		if status, body := b.get("/login/entra?to=" + url.QueryEscape(to)); status != http.StatusOK {
			t.Errorf("to %q: %d %s", to, status, body)
		}
	}
}

// TestNoSecretIsLogged goes through everything once and looks for every secret in the log and the audit log.
func TestNoSecretIsLogged(t *testing.T) {
	h := newHouse(t)
	once, b := h.password(), h.browser()
	for _, form := range []url.Values{
		{"name": {"admin"}, "password": {"a wrong password, as people type"}},
		{"name": {"admin"}, "password": {once}, "new_password": {"four words that nobody knows"}, "to": {"/me"}},
		{"name": {"admin"}, "password": {"four words that nobody knows"}, "to": {"/me"}},
	} {
		_, _ = b.do(http.MethodPost, "/login/local", form, nil)
	}
	secrets := []string{"a wrong password", "four words", h.issuer.secret, b.session()}
	_, _ = b.get("/login/entra?to=/me")
	secrets = append(secrets, b.session())
	admin := access.Principal{ID: "admin", Name: "admin", Role: access.Admin, How: access.ByPassword}
	_, secret, err := h.door.Create(admin, "ci", access.Viewer, access.Scope{}, h.clock().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	secrets = append(secrets, secret, "wrong-token-wrong-token")
	for _, s := range []string{secret, "wrong-token-wrong-token"} {
		_, _ = h.browser().do(http.MethodGet, "/me", nil, http.Header{"Authorization": {"Bearer " + s}})
	}
	for _, claim := range []string{"nonce", "aud", "iss"} {
		h.issuer.lies(func(_, c map[string]any) { c[claim] = "forged" }, nil)
		_, _ = h.browser().get("/login/entra")
	}
	_, _ = h.browser().get("/login/entra/callback?code=stolen-code&state=stolen-state")
	_, _ = b.do(http.MethodPost, "/logout", url.Values{}, nil)
	h.issuer.mu.Lock()
	secrets = append(append(secrets, h.issuer.seen...), "stolen-code", "stolen-state")
	h.issuer.mu.Unlock()
	all := h.logged()
	for _, e := range append(h.noted("log_in"), append(h.noted("log_in_failed"), h.noted("denied")...)...) {
		all += e.By + e.Text + e.From
	}
	for _, s := range secrets {
		if len(s) < 8 || strings.Contains(all, s) {
			t.Errorf("the logs have the secret %q", s)
		}
	}
	if strings.Count(all, once) != 1 {
		t.Error("the one-time password isn't said once")
	}
	if len(secrets) < 12 {
		t.Errorf("only %d secrets were looked for", len(secrets))
	}
}
