package portal_test

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/test/browser"
)

// TestASavedQuery is kept, used and forgotten, by keyboard.
func TestASavedQuery(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.send(morning(time.Now())...)
	b := browser.Open(t)
	p := g.login(b)
	g.await(p, 5)
	for _, list := range []struct {
		path, filter, says string
		lines              int
	}{
		{"/alerts", "user contains mara", "Suspected DCSync attack", 2},
		{"/activities", "user contains nina and action = delete", "Delete file: notes.docx", 1},
	} {
		p.Go(g.url + list.path)
		p.Keys("/")
		p.Type(list.filter)
		p.Keys("Enter")
		p.Wait(fmt.Sprintf(`document.querySelectorAll("[data-line]").length === %d && document.querySelector(".keep")`, list.lines))
		p.Tab(".keep [name=name]")
		p.Type("mine of " + list.path[1:])
		p.Keys("Enter")
		p.WaitText(".toast", "Saved.")
		p.Wait(`!document.querySelector(".keep")`) // it is one of those that are kept

		p.Go(g.url + list.path)
		p.Tab("details:has(.queries) summary")
		p.Keys("Enter")
		p.WaitText(".queries", "mine of "+list.path[1:])
		p.Tab(".queries a") // one's own stand first
		p.Keys("Enter")
		p.Wait(fmt.Sprintf(`location.search.includes("filter=") && document.querySelectorAll("[data-line]").length === %d`, list.lines))
		p.WaitText(".lines", list.says)

		p.Tab("details:has(.queries) summary")
		p.Keys("Enter")
		p.Tab(`.queries button[value=drop_query]`)
		p.Keys("Enter")
		p.WaitText(".toast", "Removed.")
		p.Wait(`document.querySelector(".keep") && !document.querySelector(".queries").innerText.includes("mine")`)
		p.Wait(`location.search.includes("filter=")`)
	}
	for _, problem := range p.Problems() {
		t.Error(problem)
	}
}

// TestFromALineOfTheLog goes on to what belongs to it.
func TestFromALineOfTheLog(t *testing.T) {
	t.Parallel()
	g := start(t)
	now := time.Now()
	old := activity(now.Add(-72*time.Hour), 9, "EVENT_CATEGORY_LOGIN", "Log on long ago", "mara.winter@fjordwerk.example", "Office 365", "203.0.113.5")
	g.send(append(morning(now), old)...)
	b := browser.Open(t)
	p := g.login(b)
	g.await(p, 5)
	open := func(filter string) {
		p.Go(g.url + "/activities" + filter)
		p.Wait(`document.querySelector("[data-open]")`)
		p.Keys("j", "Enter")
		p.WaitText("#drawer", "Download file: Plans Q3.xlsx")
	}
	const download = "?filter=action+%3D+download"
	for _, lead := range []struct {
		name        string
		has, hasNot []string
	}{
		{"Same user", []string{"Log on", "Log on long ago", "Download file", "Mass download"}, []string{"notes.docx"}},
		{"Same IP address", []string{"Log on", "Download file"}, []string{"Log on long ago", "notes.docx"}},
		{"Same type", []string{"Download file"}, []string{"Log on", "notes.docx"}},
		{"48 hours before and after", []string{"Log on", "Download file", "Mass download"}, []string{"Log on long ago", "notes.docx"}},
	} {
		open(download)
		p.Tab("#drawer .tools a")
		var leads []string
		p.Eval(`Array.from(document.querySelectorAll("#drawer .tools a")).map((a) => a.innerText)`, &leads)
		for _, l := range leads {
			if l == lead.name {
				break
			}
			p.Keys("Tab")
		}
		p.Keys("Enter")
		p.Wait(`document.querySelector("#drawer").hidden && document.querySelector(".lines")`)
		for _, text := range lead.has {
			p.WaitText(".lines", text)
		}
		for _, text := range lead.hasNot {
			p.Wait(fmt.Sprintf(`!document.querySelector(".lines").innerText.includes(%q)`, text+"\n") + fmt.Sprintf(` && !Array.from(document.querySelectorAll(".title a")).some((a) => a.innerText === %q)`, text))
		}
	}

	// Add to filter: what was asked for stays.
	open(download)
	p.Tab(`#drawer a[aria-label="Add IP address to the filter"]`)
	p.Keys("Enter")
	p.Wait(`document.querySelectorAll(".chips li").length === 2`)
	p.WaitText(".chips", "ip = 192.0.2.17")
	p.WaitText(".lines", "Download file: Plans Q3.xlsx")
	for _, problem := range p.Problems() {
		t.Error(problem)
	}
}

// TestTheBytesOfAnActivity are those that were received, for whoever may see the activity.
func TestTheBytesOfAnActivity(t *testing.T) {
	t.Parallel()
	g := start(t)
	lines := append(morning(time.Now()), activity(time.Now(), 9, "EVENT_CATEGORY_LOGIN", "Log on \xff\xfe", "otto.lind@fjordwerk.example", "Office 365", "192.0.2.3"))
	g.send(lines...)
	b := browser.Open(t)
	p := g.login(b)
	g.await(p, 5)
	show := func(filter string) string {
		p.Go(g.url + "/activities?filter=" + url.QueryEscape(filter))
		p.Wait(`document.querySelectorAll("[data-line]").length === 1`)
		p.Keys("j", "Enter")
		p.Tab("#drawer details summary")
		p.Keys("Enter")
		p.Wait(`document.querySelector("#drawer details").open`)
		return p.Text("#drawer details pre")
	}
	if got, want := show("action = download"), lines[8]; got != want {
		t.Errorf("the bytes are\n%q, want\n%q", got, want)
	}
	if got := show("user contains otto and kind = activity"); !strings.Contains(got, "20 ff fe") {
		t.Errorf("bytes that are no text are\n%s", got)
	}

	// Who sees the service alone sees the bytes it sent, and not what others said.
	cloud, defender := g.token("c", "--role", "viewer", "--service", "cloud_app_security"), g.token("d", "--role", "viewer", "--service", "defender_for_identity")
	var open []string
	g.poll("the limited role sees the line", func() bool {
		_, list, _ := g.ask(cloud, http.MethodGet, "/activities?filter=action+%3D+download", nil)
		open = regexp.MustCompile(`href="(/activities\?[^"]*open=[^"]*)"`).FindStringSubmatch(list)
		return open != nil
	})
	path := html.UnescapeString(open[1])
	if _, drawer, _ := g.ask(cloud, http.MethodGet, path, nil); !strings.Contains(html.UnescapeString(drawer), lines[8]) {
		t.Errorf("a limited role doesn't see the bytes:\n%s", drawer)
	}
	for _, token := range []string{defender, g.token("a", "--role", "viewer", "--service", "identity_protection")} {
		if _, drawer, _ := g.ask(token, http.MethodGet, path, nil); strings.Contains(html.UnescapeString(drawer), "SIEM_Agent") {
			t.Errorf("a limited role sees what is outside of its limit:\n%s", drawer)
		}
	}
	if status, part, _ := g.ask(cloud, http.MethodGet, "/alerts/sent?alert=whatever&key=whatever", nil); status != http.StatusOK || !strings.Contains(part, "tells of other services too, and you see what cloud_app_security says") {
		t.Errorf("what a limited role gets of what was sent: %d\n%s", status, part)
	}
	for _, problem := range p.Problems() {
		t.Error(problem)
	}
}

// TestTryALine pastes what a service would send, and reads every step; nothing is left of it.
func TestTryALine(t *testing.T) {
	t.Parallel()
	g := start(t)
	now := time.Now()
	g.send(morning(now)[0])
	b := browser.Open(t)
	p := g.login(b)
	g.await(p, 1)
	p.Go(g.url + "/policies")
	p.Tab(`a[href="/policies/try"]`)
	p.Keys("Enter")
	p.Wait(`location.pathname === "/policies/try"`)
	twin := morning(now)[1]
	p.Tab("textarea")
	p.Type(twin)
	p.Tab("main form button")
	p.Keys("Enter")
	for _, text := range []string{
		"Syslog header", "MCAS01", "Device Vendor", "MCAS", "Normal form", "Cloud App Security", "an alert that is known", "account", "suppressed: the other service's notification was forwarded",
		"managed in Defender for Identity", "archive", "It is not forwarded, so this target doesn't get it.",
	} {
		p.WaitText(".steps", text)
	}
	p.Tab("textarea")
	p.Eval(`document.querySelector("textarea").value = ""`, nil)
	p.Type("what is this?")
	p.Tab("main form button")
	p.Keys("Enter")
	p.WaitText(".steps", "Its content is no CEF event.")
	p.WaitText(".steps", "Unknown")
	g.await(p, 1)
	p.Go(g.url + "/alerts")
	p.WaitText("[data-line]", "Identity")
	p.Wait(`!document.querySelector("[data-line]").innerText.includes("Cloud")`)
	for _, problem := range p.Problems() {
		t.Error(problem)
	}
}
