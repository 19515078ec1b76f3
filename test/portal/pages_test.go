package portal_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/test/browser"
)

// axe is the accessibility check of Deque, which .ci/install gets.
func axe(t *testing.T) string {
	t.Helper()
	dir, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "sluice-ci", "axe", "axe-4.10.3.min.js"))
	if err == nil {
		return string(text)
	}
	const hint = "axe-core is missing: .ci/install ~/.cache/sluice-ci"
	if os.Getenv("CI") != "" || os.Getenv("SLUICE_TEST_STRICT") == "1" {
		t.Fatal(hint)
	}
	t.Skip(hint)
	return ""
}

// violations are those of the rules of WCAG 2.2 A and AA, and of good practice, on the page as it stands.
func violations(t *testing.T, p *browser.Page, check string) []string {
	t.Helper()
	p.Eval(check+"\n;0", nil)
	var found []struct {
		ID, Help string
		Nodes    []struct{ HTML, FailureSummary string }
	}
	p.Eval(`axe.run().then((r) => r.violations)`, &found)
	var held int
	p.Eval(`axe.run({runOnly: ["wcag2a", "wcag2aa", "wcag22aa"]}).then((r) => r.passes.length)`, &held)
	var out []string
	if held < 5 {
		out = append(out, fmt.Sprintf("only %d rules were looked at", held))
	}
	for _, f := range found {
		for _, n := range f.Nodes {
			out = append(out, fmt.Sprintf("%s: %s: %.300s\n\t%s", f.ID, f.Help, n.HTML, n.FailureSummary))
		}
	}
	return out
}

// hostile are what an attacker makes names of. Each has the mark that would show that a script ran.
func hostile() []string {
	return []string{
		`<script>document.title="owned"</script>`,
		`"><img src=x onerror="document.title='owned'">`,
		`'; document.title='owned'; //`,
		`</title></textarea></style><svg onload="document.title='owned'">`,
		`{{.Title}}${7*7}`,
		"\u202egnp.exe \u2066eve\u2069 \u200f שלום",
		"🦀👩\u200d👩\u200d👧 " + strings.Repeat("A", 10<<10),
		`javascript:document.title="owned"`,
	}
}

// evil are alerts and activities that say such things everywhere, and one that both services tell.
func evil(now time.Time) []string {
	escape := strings.NewReplacer(`\`, `\\`, `|`, `\|`, `=`, `\=`).Replace
	header := strings.NewReplacer(`\`, `\\`, `|`, `\|`).Replace
	var out []string
	for i, name := range hostile() {
		at, text, title := now.Add(-time.Duration(60+i)*time.Minute), escape(name), header(name)
		line := cloud(at, 100+i, "ALERT_CABINET_EVENT_MATCH_AUDIT", title, text, text, text)
		line = strings.Replace(line, "https://fjordwerk.portal.cloudappsecurity.com/#/alerts/", `javascript:document.title\="owned"//`, 1)
		out = append(out, line, activity(at, 100+i, title, title, text, text, text))
	}
	return out
}

// pages are all there are, with what makes each of them full.
func pages(g *gateway, p *browser.Page) []string {
	var alert, line, user string
	first := func(path, attribute string) string {
		p.Go(g.url + path)
		p.Wait("document.querySelector('[data-open]')")
		var href string
		p.Eval("document.querySelector('[data-open]').getAttribute('href')", &href)
		u, err := url.Parse(href)
		if err != nil {
			g.t.Fatal(err)
		}
		if attribute == "" {
			return u.Path
		}
		return u.Query().Get(attribute)
	}
	alert, line, user = first("/alerts?filter="+url.QueryEscape(`title contains DCSync`), "open"), first("/activities?filter=kind+%3D+activity", "open"), first("/users", "")
	return []string{
		"/admin", "/", "/alerts", "/alerts?open=" + alert, "/alerts?filter=" + url.QueryEscape(`application = "Active Directory" and user contains mara`),
		"/alerts?filter=nonsense", "/alerts?open=nothing", "/alerts?filter=title+%3D+nowhere", "/activities", "/activities?open=" + line, "/users", "/users?sort=-display", user,
		"/policies", "/policies/new?filter=action+%3D+download&name=Downloads&severity=low&times=1&within=1h&enabled=1&do=preview", "/policies/builtin-mass-deletion", "/policies/try",
		"/admin/tokens", "/admin/audit", "/admin/licences", "/nowhere",
	}
}

func TestEveryPageIsAccessibleAndSafe(t *testing.T) {
	t.Parallel()
	check := axe(t)
	g := start(t)
	g.send(append(morning(time.Now()), evil(time.Now())...)...)
	b := browser.Open(t)
	p := g.login(b)
	p.Prefer("light")
	g.await(p, 5+len(hostile()))
	for _, path := range pages(g, p) {
		p.Size(1440, 900)
		p.Go(g.url + path)
		p.Wait("!document.querySelector('.htmx-request')")
		g.look(p, path, check)
	}
}

// TestPagesStandStillOnASlowLine is of lists that come in pieces, by which columns would grow, and of the script that
// writes times in the reader's zone.
func TestPagesStandStillOnASlowLine(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.send(append(morning(time.Now()), evil(time.Now())...)...)
	b := browser.Open(t)
	p := g.login(b)
	g.await(p, 5+len(hostile()))
	p.Slow()
	for _, path := range []string{"/", "/alerts", "/activities", "/users"} {
		p.Go(g.url + path)
		p.Wait("!document.querySelector('.htmx-request')")
		g.settled(p, path)
	}
}

// TestHostileNamesStayNames opens every alert, activity and user there is, and tries the lines that brought them.
func TestHostileNamesStayNames(t *testing.T) {
	t.Parallel()
	g := start(t)
	lines := evil(time.Now())
	g.send(append(lines, cloud(time.Now(), 1, "ALERT_CABINET_EVENT_MATCH_AUDIT", "harmless", "anna", "Box", "text"))...)
	b := browser.Open(t)
	p := g.login(b)
	g.await(p, 1+len(hostile()))
	made := "" // of all scores
	for list, key := range map[string]struct{ field, page string }{"alerts": {"id", "/alerts?open="}, "activities": {"key", "/activities?open="}, "users": {"id", "/users/"}} {
		var all []string
		p.Eval("fetch('/api/v1/"+list+"').then((r) => r.json()).then((r) => r.items.map((i) => i."+key.field+"))", &all)
		if len(all) < len(hostile()) {
			t.Errorf("%d %s, want %d at least", len(all), list, len(hostile()))
		}
		for _, id := range all {
			p.Go(g.url + key.page + url.PathEscape(id))
			p.Wait("!document.querySelector('.htmx-request')")
			p.Eval("for (const d of document.querySelectorAll('details')) d.open = true", nil)
			p.Wait("!document.querySelector('.htmx-request')")
			g.harmless(p, key.page+id)
			made += p.Text(".made")
		}
	}
	for _, title := range []string{`<script>document.title="owned"</script>`, `javascript:document.title="owned"`, "{{.Title}}${7*7}"} {
		if !strings.Contains(made, title) {
			t.Errorf("no part of a score is called %q: %q", title, made)
		}
	}
	for _, line := range lines {
		p.Go(g.url + "/policies/try")
		p.Tab("textarea")
		p.Type(line)
		p.Tab("main form button")
		p.Keys("Enter")
		p.WaitText(".steps", "What the targets get")
		g.harmless(p, "try "+line)
	}
	var all int
	p.Eval("fetch('/api/v1/alerts/total').then((r) => r.json()).then((r) => r.count)", &all)
	if all != 1+len(hostile()) {
		t.Errorf("%d alerts: a trial left one", all)
	}
}

// await waits until the model shows so many alerts.
func (g *gateway) await(p *browser.Page, alerts int) {
	g.t.Helper()
	g.poll(fmt.Sprint(alerts, " alerts"), func() bool {
		var got json.RawMessage
		p.Eval("fetch('/api/v1/alerts/total').then((r) => r.text())", &got)
		return strings.Contains(string(got), fmt.Sprintf(`\"count\":%d`, alerts))
	})
}

// look judges a page in light and dark, and narrow.
func (g *gateway) look(p *browser.Page, path, check string) {
	g.t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		p.Prefer(scheme)
		for _, v := range violations(g.t, p, check) {
			g.t.Errorf("%s in %s: %s", path, scheme, v)
		}
		p.Shot(strings.NewReplacer("?", "-", "=", "-", "%", "").Replace(fmt.Sprintf("page%.40s-%s", path, scheme)))
	}
	g.settled(p, path)
	p.Size(320, 844) // the least that has to do without scrolling sideways: WCAG 2.2, 1.4.10
	var wide float64
	p.Eval(`for (const d of document.querySelectorAll("details.more")) d.open = true; document.documentElement.scrollWidth`, &wide)
	if wide > 320 {
		var by []string
		p.Eval(`Array.from(document.querySelectorAll("main *")).filter((e) => e.getBoundingClientRect().right > 321 && !e.closest(".scroll")).map((e) => e.outerHTML.slice(0, 120))`, &by)
		g.t.Errorf("%s is %v wide in a window of 320, by %q", path, wide, by)
	}
	p.Shot(strings.NewReplacer("?", "-", "=", "-", "%", "").Replace(fmt.Sprintf("page%.40s-narrow", path)))
	g.harmless(p, path)
}

// settled says whether what is shown stays where it is, and when it came.
func (g *gateway) settled(p *browser.Page, path string) {
	g.t.Helper()
	var seen struct {
		Moved, First, Painted float64
		What                  []string
	}
	p.Wait(`performance.getEntriesByName("first-contentful-paint").length`)
	p.Eval(`new Promise((done) => {
		let moved = 0, what = [];
		new PerformanceObserver((list) => { for (const e of list.getEntries()) {
			moved += e.value;
			for (const s of e.sources) what.push(s.node ? (s.node.outerHTML || s.node.textContent).slice(0, 80) : "what is gone");
		} }).observe({ type: "layout-shift", buffered: true });
		requestAnimationFrame(() => requestAnimationFrame(() => done({
			moved, what, first: performance.getEntriesByType("navigation")[0].responseStart, painted: performance.getEntriesByName("first-contentful-paint")[0].startTime,
		})));
	})`, &seen)
	if seen.Moved > 0.02 { // of the window; what people call steady is 0.1
		g.t.Errorf("%s jumps by %v: %q", path, seen.Moved, seen.What)
	}
	g.t.Logf("%s: first byte after %.0f ms, painted after %.0f ms", path, seen.First, seen.Painted)
}

// harmless says whether no words became markup or were run, and nothing was asked of others.
func (g *gateway) harmless(p *browser.Page, path string) {
	g.t.Helper()
	var title string
	p.Eval("document.title", &title)
	if title == "owned" {
		g.t.Errorf("%s: a script that an alert's words brought along ran", path)
	}
	var links int
	p.Eval(`document.querySelectorAll('a[href^="javascript:"], img[src="x"], main script, svg[onload]').length`, &links)
	if links > 0 {
		g.t.Errorf("%s: words became markup", path)
	}
	for _, problem := range p.Problems() {
		g.t.Errorf("%s: %s", path, problem)
	}
}
