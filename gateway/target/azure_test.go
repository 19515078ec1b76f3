package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/test/siem"
)

func TestAzureTokensAreKeptAndRenewed(t *testing.T) {
	a := newAzure(t, nil)
	step := func(after time.Duration, issued int, want string) {
		t.Helper()
		a.clock.turn(after)
		if got, err := attempt(t, a.target, numbered(1, 1)); got.results != want {
			t.Errorf("after %v: %+v, want %s: %v", after, got, want, err)
		}
		if a.Issued() != issued {
			t.Errorf("after %v: %d tokens were asked for, want %d", after, a.Issued(), issued)
		}
	}
	step(0, 1, "d")
	step(54*time.Minute, 1, "d")
	step(time.Minute, 2, "d") // five minutes before it expires
	a.Revoke()
	step(0, 3, "d") // once, at status 401
	down := siem.SentinelReply{Status: 503}
	a.AnswerToken(down, down, down)
	step(55*time.Minute, 4, "d") // the last token is good still
	step(29*time.Second, 4, "d")
	step(time.Second, 5, "d")
	step(5*time.Minute, 6, "r") // it has expired
	step(0, 7, "d")
	a.Last(time.Minute)
	step(time.Hour, 8, "d")
	step(47*time.Second, 8, "d")
	step(time.Second, 9, "d") // a fifth of its time before
}

func TestAzureTokensThatDoNotCountBlock(t *testing.T) {
	a := newAzure(t, func(_ *config.Target, fake *siem.Sentinel) { fake.Audience = "https://monitor.azure.us" })
	got, err := attempt(t, a.target, numbered(1, 1))
	if want := (verdict{results: "r", blocked: true}); got != want || !strings.Contains(err.Error(), "InvalidAudience") || a.Issued() != 2 {
		t.Errorf("after %d tokens: %+v, want %+v: %v", a.Issued(), got, want, err)
	}
}

func TestAzureClouds(t *testing.T) {
	for cloud, audience := range map[string]string{
		"public": "https://monitor.azure.com", "government": "https://monitor.azure.us", "china": "https://monitor.azure.cn",
	} {
		a := newAzure(t, func(cfg *config.Target, fake *siem.Sentinel) { cfg.Cloud, fake.Audience = cloud, audience })
		deliver(t, a.target, numbered(1, 1))
	}
	authorities := map[string]string{
		"": "https://login.microsoftonline.com/t/oauth2/v2.0/token", "government": "https://login.microsoftonline.us/t/oauth2/v2.0/token",
		"china": "https://login.chinacloudapi.cn/t/oauth2/v2.0/token",
	}
	for cloud, want := range authorities {
		target := openSentinel(t, config.Target{Format: "json", Cloud: cloud, Tenant: "t"}, nil, &hands{})
		if got := target.tokens.issuer.(*azureApplication).config.TokenURL; got != want {
			t.Errorf("cloud %q: tokens from %s, want %s", cloud, got, want)
		}
	}
	if _, err := NewSentinel(config.Target{Format: "json", Cloud: "moon"}, os.Getenv, time.Now, NewMetrics(nil)); err == nil {
		t.Error("NewSentinel(cloud: moon) = nil, want an error")
	}
}

// TestEntraAnswers has a row for each of the token service's failures.
func TestEntraAnswers(t *testing.T) {
	says := func(status int, body string, header ...string) func(*config.Target, *siem.Sentinel) {
		r := siem.SentinelReply{Status: status, Body: body, Header: map[string]string{"Content-Type": "application/json"}}
		for i := 0; i < len(header); i += 2 {
			r.Header[header[i]] = header[i+1]
		}
		return func(_ *config.Target, fake *siem.Sentinel) { fake.AnswerToken(r) }
	}
	blocked := verdict{results: "r", blocked: true}
	tests := []struct {
		name  string
		set   func(*config.Target, *siem.Sentinel)
		want  verdict
		words string
	}{
		{"invalid_client: bad secret", func(cfg *config.Target, _ *siem.Sentinel) { cfg.ClientSecret = "sesame-sesame" }, blocked, "invalid_client: AADSTS7000215: Invalid client secret provided. Trace ID"},
		{"invalid_client: expired secret", says(401, `{"error":"invalid_client","error_description":"AADSTS7000222: expired"}`), blocked, "AADSTS7000222"},
		{"unauthorized_client: unknown app", func(cfg *config.Target, _ *siem.Sentinel) { cfg.ClientID = "nobody" }, blocked, "unauthorized_client: AADSTS700016"},
		{"unknown tenant", func(cfg *config.Target, _ *siem.Sentinel) { cfg.Tenant = "nowhere" }, blocked, "AADSTS90002"},
		{"invalid_resource", says(400, `{"error":"invalid_resource","error_description":"AADSTS500011: not found"}`), blocked, "AADSTS500011"},
		{"error with status 200", says(200, `{"error":"invalid_client","error_description":"AADSTS7000215"}`), blocked, "AADSTS7000215"},
		{"429 Retry-After", says(429, `{"error":"throttled"}`, "Retry-After", "21"), verdict{results: "r", after: 21 * time.Second}, "throttled"},
		{"500", says(500, ""), verdict{results: "r"}, "500"},
		{"503 Retry-After", says(503, "<html>", "Retry-After", "5"), verdict{results: "r", after: 5 * time.Second}, "<html>"},
		{"temporarily_unavailable", says(400, `{"error":"temporarily_unavailable","error_description":"busy"}`), verdict{results: "r"}, "busy"},
		{"302", says(302, "", "Location", "https://login.example/"), blocked, "302"},
		{"404", says(404, "nothing here"), blocked, "nothing here"},
		{"200 but a page", says(200, "<html>sign in</html>", "Content-Type", "text/html"), verdict{results: "r"}, "cannot parse json"},
		{"200 but no token", says(200, "{}"), verdict{results: "r"}, "access_token"},
		{"200 but a token of two lines", says(200, `{"access_token":"a\r\nX-Evil: 1","expires_in":3600}`), verdict{results: "r"}, "no token"},
		{"other types", says(200, `{"access_token":{"a":1}}`), verdict{results: "r"}, "json"},
		{"time as text", says(200, `{"access_token":"x","expires_in":"3599"}`), verdict{results: "d"}, ""},
		{"no time", says(200, `{"access_token":"x"}`), verdict{results: "d"}, ""},
		{"a time in the past", says(200, `{"access_token":"x","expires_in":-9}`), verdict{results: "d"}, ""},
		{"a time too long", says(200, `{"access_token":"x","expires_in":9007199254740993}`), verdict{results: "d"}, ""},
		{"our secret", says(401, `{"error":"invalid_client","error_description":"is Zq8~hush.hush-hush_hush yours?"}`), blocked, "is (secret) yours?"},
		{"our secret, raw", says(403, `nope: client_secret=Zq8~hush.hush-hush_hush`), blocked, "client_secret=(secret)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newAzure(t, tt.set)
			if tt.want.results == "d" { // with a token that is not the fake's
				a.Answer(siem.SentinelReply{Status: 204})
			}
			got, err := attempt(t, a.target, numbered(1, 1))
			if got != tt.want {
				t.Errorf("verdict %+v, want %+v: %v", got, tt.want, err)
			}
			text := fmt.Sprint(err)
			if !strings.Contains(text, tt.words) || strings.Contains(text, "hush") || strings.Contains(text, "sesame") || strings.ContainsAny(text, "\r\n") {
				t.Errorf("Deliver() = %q, want the words %q and no secret", text, tt.words)
			}
		})
	}
}

func TestEntraIsOutOfReach(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	a := newAzure(t, func(cfg *config.Target, _ *siem.Sentinel) { cfg.Authority = server.URL })
	if got, err := attempt(t, a.target, numbered(1, 1)); got != (verdict{results: "r"}) {
		t.Errorf("nobody there: %+v, want retry: %v", got, err)
	}
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	a = newAzure(t, func(cfg *config.Target, _ *siem.Sentinel) { cfg.Authority = secure.URL })
	if got, err := attempt(t, a.target, numbered(1, 1)); got != (verdict{results: "r", blocked: true}) {
		t.Errorf("a stranger's certificate: %+v, want blocked: %v", got, err)
	}
	a = newAzure(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if results, err := a.target.Deliver(ctx, numbered(1, 1)); results[0] != Retry || !errors.Is(err, context.Canceled) {
		t.Errorf("Deliver() = %v, %v, want retry when it is stopped", results, err)
	}
}

// machine sets a target up for a managed identity.
func machine(cfg *config.Target) {
	cfg.ManagedIdentity, cfg.Tenant, cfg.ClientID, cfg.ClientSecret = true, "", "", ""
}

// newMachine opens a target on a virtual machine, whose metadata service is the fake's.
func newMachine(t *testing.T, set func(*config.Target, *siem.Sentinel)) azure {
	t.Helper()
	a := newAzure(t, func(cfg *config.Target, fake *siem.Sentinel) {
		machine(cfg)
		if set != nil {
			set(cfg, fake)
		}
	})
	id := a.target.tokens.issuer.(*azureIdentity)
	const imds = "http://169.254.169.254/metadata/"
	if !strings.HasPrefix(id.url, imds) || id.client.Transport.(*http.Transport).Proxy != nil {
		t.Fatalf("tokens from %s, want %s and no proxy", id.url, imds)
	}
	id.url = strings.Replace(id.url, "http://169.254.169.254", a.url, 1)
	return a
}

func TestManagedIdentityOfAMachine(t *testing.T) {
	a := newMachine(t, nil)
	deliver(t, a.target, numbered(1, 1))
	a.clock.turn(54 * time.Minute)
	deliver(t, a.target, numbered(2, 2))
	if a.Issued() != 1 {
		t.Errorf("%d tokens, want one", a.Issued())
	}
	a.clock.turn(time.Minute)
	deliver(t, a.target, numbered(3, 3))
	if a.Issued() != 2 {
		t.Errorf("%d tokens, want two", a.Issued())
	}
	named := newMachine(t, func(cfg *config.Target, fake *siem.Sentinel) { cfg.ClientID = fake.ClientID })
	deliver(t, named.target, numbered(1, 1))
}

// TestManagedIdentityAnswers has a row for each error in the document on tokens of virtual machines.
func TestManagedIdentityAnswers(t *testing.T) {
	says := func(status int, body, after string) func(*config.Target, *siem.Sentinel) {
		r := siem.SentinelReply{Status: status, Body: body}
		if after != "" {
			r.Header = map[string]string{"Retry-After": after}
		}
		return func(_ *config.Target, fake *siem.Sentinel) { fake.AnswerToken(r) }
	}
	blocked := verdict{results: "r", blocked: true}
	tests := []struct {
		name  string
		set   func(*config.Target, *siem.Sentinel)
		want  verdict
		words string
	}{
		{"400 identity not found", func(cfg *config.Target, _ *siem.Sentinel) { cfg.ClientID = "nobody" }, blocked, "Identity not found"},
		{"401", says(401, `{"error":"unknown_source"}`, ""), blocked, "unknown_source"},
		{"403", says(403, "no", ""), blocked, "no"},
		{"404 updating", says(404, "", ""), verdict{results: "r", after: time.Second}, "404"},
		{"410 updating", says(410, "", ""), verdict{results: "r", after: 10 * time.Second}, "410"},
		{"429", says(429, "", ""), verdict{results: "r", after: time.Second}, "429"},
		{"429 Retry-After", says(429, "", "40"), verdict{results: "r", after: 40 * time.Second}, "429"},
		{"500", says(500, "", ""), verdict{results: "r", after: time.Second}, "500"},
		{"504", says(504, "", ""), verdict{results: "r", after: time.Second}, "504"},
		{"302", says(302, "", ""), blocked, "302"},
		{"200 but a page", says(200, "<html>", ""), verdict{results: "r"}, "not the JSON of a token"},
		{"200 but no token", says(200, "{}", ""), verdict{results: "r"}, "no token"},
		{"null", says(200, "null", ""), verdict{results: "r"}, "no token"},
		{"other types", says(200, `{"access_token":"x","expires_in":["a"],"expires_on":"01/01/2031"}`, ""), verdict{results: "d"}, ""},
		{"numbers", says(200, `{"access_token":"x","expires_in":99999999999999999999,"expires_on":1}`, ""), verdict{results: "d"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newMachine(t, tt.set)
			if tt.want.results == "d" {
				a.Answer(siem.SentinelReply{Status: 204})
			}
			got, err := attempt(t, a.target, numbered(1, 1))
			if got != tt.want || !strings.Contains(fmt.Sprint(err), tt.words) {
				t.Errorf("verdict %+v, want %+v with the words %q: %v", got, tt.want, tt.words, err)
			}
		})
	}
}

// elsewhere opens a target with a managed identity that the environment tells of.
func elsewhere(t *testing.T, fake *siem.Sentinel, clock *hands, url string, env map[string]string, set func(*config.Target)) (*Sentinel, error) {
	t.Helper()
	cfg := config.Target{
		URL: url, Format: "json", Rule: fake.Rule, Stream: fake.Streams[0], Cloud: "public", Timeout: time.Minute,
		Proxy: "http://127.0.0.1:1", // the identity is not asked for through it
	}
	machine(&cfg)
	if set != nil {
		set(&cfg)
	}
	target, err := NewSentinel(cfg, func(key string) string { return env[key] }, clock.now, NewMetrics(nil))
	if err == nil {
		t.Cleanup(func() { target.Close() })
	}
	return target, err
}

func TestManagedIdentityOfAppService(t *testing.T) {
	a := newAzure(t, func(_ *config.Target, fake *siem.Sentinel) { fake.IdentityHeader = "hush-header" })
	env := map[string]string{"IDENTITY_ENDPOINT": a.url + "/msi/token", "IDENTITY_HEADER": "hush-header", "IMDS_ENDPOINT": "ignored"}
	target, err := elsewhere(t, a.Sentinel, a.clock, a.url, env, func(cfg *config.Target) { cfg.ClientID = a.ClientID })
	if err != nil {
		t.Fatal(err)
	}
	a.Last(10 * time.Minute)
	if _, lasts, err := target.tokens.issuer.issue(t.Context()); err != nil || lasts > 10*time.Minute || lasts < 9*time.Minute {
		t.Errorf("a token for %v, want ten minutes by its expires_on: %v", lasts, err)
	}
	a.AnswerToken(siem.SentinelReply{Status: 400, Body: "you sent hush-header"})
	if got, err := attempt(t, target, numbered(1, 1)); got != (verdict{results: "r", blocked: true}) || strings.Contains(err.Error(), "hush") {
		t.Errorf("verdict %+v, want blocked and no secret: %v", got, err)
	}
	target.web.proxy = nil
	deliver(t, target, numbered(1, 1))
	env["IDENTITY_HEADER"] = "wrong"
	if target, err = elsewhere(t, a.Sentinel, a.clock, a.url, env, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := attempt(t, target, numbered(1, 1)); got != (verdict{results: "r", blocked: true}) {
		t.Errorf("verdict %+v, want blocked: %v", got, err)
	}
}

func TestManagedIdentityOfAzureArc(t *testing.T) {
	dir := t.TempDir()
	key := filepath.Join(dir, "0f3a.key")
	put(t, key, []byte("c2VjcmV0\n"))
	put(t, filepath.Join(dir, "long.key"), make([]byte, 5<<10))
	put(t, filepath.Join(dir, "other.txt"), []byte("c2VjcmV0"))
	if err := os.Mkdir(filepath.Join(dir, "dir.key"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("0f3a.key", filepath.Join(dir, "link.key")); err != nil {
		t.Fatal(err)
	}
	a := newAzure(t, func(_ *config.Target, fake *siem.Sentinel) { fake.ArcKey, fake.ArcSecret = key, "c2VjcmV0" })
	env := map[string]string{"IDENTITY_ENDPOINT": a.url + "/arc/metadata/identity/oauth2/token", "IMDS_ENDPOINT": a.url}
	target, err := elsewhere(t, a.Sentinel, a.clock, a.url, env, nil)
	if err != nil {
		t.Fatal(err)
	}
	target.web.proxy = nil
	id := target.tokens.issuer.(*azureIdentity)
	if id.keys != "/var/opt/azcmagent/tokens" {
		t.Errorf("keys are read from %s", id.keys)
	}
	id.keys = dir
	deliver(t, target, numbered(1, 1))
	for _, file := range []string{
		filepath.Join(dir, "other.txt"), filepath.Join(dir, "long.key"), filepath.Join(dir, "dir.key"), filepath.Join(dir, "link.key"),
		filepath.Join(dir, "missing.key"), "/etc/shadow", "/etc/x.key", dir + "/../x.key", dir + "/./../../etc/x.key", "0f3a.key", "", dir + "/.key",
	} {
		a.ArcKey = file
		target.tokens.forget()
		asked := a.Issued()
		if got, err := attempt(t, target, numbered(2, 2)); got != (verdict{results: "r", blocked: true}) || a.Issued() != asked+1 {
			t.Errorf("challenge %q: %+v after %d requests, want blocked after one: %v", file, got, a.Issued()-asked, err)
		}
	}
	env["IDENTITY_ENDPOINT"] = "http://192.0.2.1/token"
	if _, err := elsewhere(t, a.Sentinel, a.clock, a.url, env, nil); err == nil {
		t.Error("an agent on another machine is believed")
	}
	env["IDENTITY_ENDPOINT"] = a.url
	if _, err := elsewhere(t, a.Sentinel, a.clock, a.url, env, func(cfg *config.Target) { cfg.ClientID = "named" }); err == nil {
		t.Error("an identity of Azure Arc has a name")
	}
}
