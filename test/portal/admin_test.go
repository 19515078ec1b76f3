package portal_test

import (
	"debug/buildinfo"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/test/browser"
)

// TestATokensLife makes one by keyboard, asks the API with it, and ends it.
func TestATokensLife(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.send(morning(time.Now())...)
	b := browser.Open(t)
	p := g.login(b)
	g.await(p, 5)
	p.Go(g.url + "/admin")
	p.Tab(`main a[href="/admin/tokens"]`)
	p.Keys("Enter")
	p.WaitText("main .empty", "There is no token yet.")
	p.Tab("main [name=name]")
	p.Type("nightly report")
	p.Tab("main [name=role]")
	p.Keys("v") // viewer
	p.Tab("main button[value=create]")
	p.Keys("Enter")
	p.WaitText("main [role=status]", "shown this once: sluice_")
	p.WaitText("main tbody", "nightly report")
	text := p.Text("main [role=status]")
	token := strings.TrimSpace(text[strings.Index(text, "sluice_"):])

	if status, body, _ := g.ask(token, http.MethodGet, "/api/v1/alerts/total", nil); status != http.StatusOK || !strings.Contains(body, `"count":5`) {
		t.Errorf("the token: %d %s", status, body)
	}
	if status, _, _ := g.ask(token, http.MethodPost, "/alerts", url.Values{"do": {"benign"}, "fitting": {"1"}}); status != http.StatusForbidden {
		t.Errorf("a viewer's token closes alerts: %d", status)
	}
	p.Reload()
	p.Wait(`!document.querySelector("main [role=status]") && document.querySelector("main tbody")`)
	p.Wait(`!document.body.innerText.includes("sluice_")`)
	p.Wait(`!document.querySelector("main tbody").innerText.includes("never")`) // it was used

	p.Tab("main button[value=revoke]")
	p.Keys("Enter")
	p.WaitText("main .empty", "There is no token yet.")
	if status, body, _ := g.ask(token, http.MethodGet, "/api/v1/alerts/total", nil); status != http.StatusUnauthorized {
		t.Errorf("the token was revoked: %d %s", status, body)
	}
	p.Go(g.url + "/admin/audit")
	p.WaitText("main table", "nightly report")
	for _, problem := range p.Problems() {
		t.Error(problem)
	}
}

// receiver is a target that refuses what it gets until it takes it.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	takes bool
	taken []string
}

func receive(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		if err != nil || !r.takes {
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = io.WriteString(w, "the playbook <b>doesn't</b> know this kind") // who asked may be gone
			return
		}
		r.taken = append(r.taken, string(body))
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) take() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.takes = true
}

func (r *receiver) has(text string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Count(strings.Join(r.taken, "\n"), text)
}

// TestWhatATargetRefusedForGood sees dead letters, sends one again until it is taken, and gives the other up.
func TestWhatATargetRefusedForGood(t *testing.T) {
	t.Parallel()
	soar := receive(t)
	g := start(t, `  - {name: soar, type: http, url: "`+soar.URL+`", format: json, when: {title: ["Suspicious service*", "Mass download*"]}}`)
	g.send(morning(time.Now())...)
	b := browser.Open(t)
	p := g.login(b)
	g.await(p, 5)
	p.Go(g.url + "/")
	p.WaitText("#now", "soar has refused 2 events for good")
	p.Tab(`#now a[href="/admin#letters"]`)
	p.Keys("Enter")
	p.WaitText("main", "the playbook <b>doesn't</b> know this kind")
	p.WaitText("main", "Suspicious service creation")
	again := `section[aria-labelledby=letters] button[value=retry]`

	p.Tab(again)
	p.Keys("Enter")
	p.WaitText("main .problem", "the playbook")
	p.Wait(`document.querySelectorAll("section[aria-labelledby=letters] tbody tr").length === 2`)

	soar.take()
	p.Tab(again)
	p.Keys("Enter")
	p.WaitText(".toast", "The target has it now.")
	p.Wait(`document.querySelectorAll("section[aria-labelledby=letters] tbody tr").length === 1`)
	left := "Mass download"
	if strings.Contains(p.Text("section[aria-labelledby=letters]"), "Suspicious") {
		left = "Suspicious service"
	}
	if soar.has("Mass download by a single user")+soar.has("Suspicious service creation") == 0 || soar.has(left) != 0 {
		t.Errorf("the target has %q", soar.taken)
	}

	p.Tab("section[aria-labelledby=letters] summary") // it can't be taken back: one press does nothing
	p.Keys("Enter")
	p.Tab("section[aria-labelledby=letters] button[value=drop]")
	p.Keys("Enter")
	p.WaitText(".toast", "Given up: the target will never get it.")
	p.WaitText("section[aria-labelledby=letters]", "No target has refused anything for good.")
	if soar.has(left) != 0 {
		t.Errorf("what was given up was sent: %q", soar.taken)
	}
	p.Go(g.url + "/admin/audit")
	p.WaitText("main table", "retry_dead_letter")
	p.WaitText("main table", "drop_dead_letter")
	for _, problem := range p.Problems() {
		t.Error(problem)
	}
}

// TestTheTestOfATarget asks one that refuses, and then takes, what is wrong with it.
func TestTheTestOfATarget(t *testing.T) {
	t.Parallel()
	soar := receive(t)
	g := start(t, `  - {name: soar, type: http, url: "`+soar.URL+`", format: json, when: {title: [nothing]}}`)
	b := browser.Open(t)
	p := g.login(b)
	p.Go(g.url + "/admin")
	test := `tr:has(input[value=soar]) button[value=test]`
	p.Tab(test)
	p.Keys("Enter")
	p.WaitText("main [role=status]", "soar refuses the test event for good")
	p.WaitText("main [role=status]", "the playbook <b>doesn't</b> know this kind")
	soar.take()
	p.Tab(test)
	p.Keys("Enter")
	p.WaitText("main [role=status]", "soar took the test event")
	if soar.has("event_key") != 1 {
		t.Errorf("the target has %q", soar.taken)
	}
	p.Go(g.url + "/admin/audit")
	p.WaitText("main table", "test_target")
	for _, problem := range p.Problems() {
		t.Error(problem)
	}
}

// TestAboutNamesWhatIsInTheBinary asks the binary itself what it was built of.
func TestAboutNamesWhatIsInTheBinary(t *testing.T) {
	t.Parallel()
	info, err := buildinfo.ReadFile(os.Getenv("SLUICE"))
	if err != nil || len(info.Deps) == 0 {
		t.Fatalf("the binary doesn't tell: %v", err)
	}
	g := start(t)
	token := g.token("a", "--role", "admin")
	_, about, _ := g.ask(token, http.MethodGet, "/admin", nil)
	_, texts, _ := g.ask(token, http.MethodGet, "/admin/licences", nil)
	about, texts = html.UnescapeString(about), html.UnescapeString(texts)
	if !strings.Contains(about, info.GoVersion) || !strings.Contains(texts, "Apache License") || !strings.Contains(texts, "Zero-Clause BSD") {
		t.Errorf("it doesn't tell of Go %s, or has no texts", info.GoVersion)
	}
	for _, m := range info.Deps {
		if part := m.Path + " " + m.Version; !strings.Contains(about, part) || !strings.Contains(texts, part) {
			t.Errorf("%s is in the binary, and not on the page", part)
		}
	}
}

// TestAServiceWithoutLicence is named on every page, and where its numbers would stand.
func TestAServiceWithoutLicence(t *testing.T) {
	t.Parallel()
	g := start(t, "services: {identity_protection: {enabled: false}}")
	g.send(morning(time.Now())...)
	b := browser.Open(t)
	p := g.login(b)
	g.await(p, 5)
	for _, path := range []string{"/", "/alerts", "/activities", "/users", "/policies", "/admin"} {
		p.Go(g.url + path)
		p.WaitText("main .bar", "Identity Protection is not licensed here")
	}
	p.Go(g.url + "/")
	p.Wait(`Array.from(document.querySelectorAll("#now tr")).some((r) => r.innerText.includes("Identity Protection") && r.innerText.includes("not licensed here"))`)
	p.Wait(`Array.from(document.querySelectorAll(".box.off")).some((b) => b.textContent.includes("not licensed"))`)

	// What the others send has a rate.
	p.WaitText("#now", "came in the last minute")
	p.Wait(`Array.from(document.querySelectorAll("#now tr")).some((r) => r.innerText.includes("Cloud App Security") && /\s7\s0\.1\/s/.test(r.innerText))`)

	// What is guaranteed stays unfolded, and the focus on it, when the page asks again by itself.
	p.Eval(`void document.querySelector("section[aria-labelledby=ways] summary").focus()`, nil)
	p.Keys("Enter")
	p.WaitText("section[aria-labelledby=ways]", "Lost or doubled can be")
	p.Eval(`void document.getElementById("now").setAttribute("data-old", "")`, nil)
	p.Wait(`!document.querySelector("#now[data-old]")`)
	p.Wait(`document.activeElement.matches("section[aria-labelledby=ways] details[open] > summary")`)
	for _, problem := range p.Problems() {
		t.Error(problem)
	}
}
