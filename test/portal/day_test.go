package portal_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/test/browser"
)

// TestAnAnalystsDay is what somebody does from the log-in to the evening, by keyboard alone.
func TestAnAnalystsDay(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.send(morning(time.Now())...)
	b := browser.Open(t)
	p := g.login(b)
	g.await(p, 5)

	// The queue is filtered in the search field; what is asked for stands in the URL, and is there after a reload.
	p.Go(g.url + "/alerts")
	p.Keys("/")
	p.Type(`title contains DCSync`)
	p.Keys("Enter")
	p.Wait(`location.search.includes("filter=") && document.querySelectorAll("[data-line]").length === 1`)
	p.Reload()
	p.Wait(`document.readyState === "complete" && document.querySelectorAll("[data-line]").length === 1 && document.querySelector(".chips li")`)

	// Fields are counted when they are opened, and a value that is chosen is a condition.
	p.Wait(`document.querySelector(".facets details[open] li a")`)
	p.Tab(".facets details:not([open]) summary")
	p.Keys("Enter")
	p.Wait(`document.querySelector(".facets details[hx-get] li")`)
	p.Tab(".facets details[open] a")
	p.Keys("Enter")
	p.Wait(`document.querySelectorAll(".chips li").length === 2`)
	p.Go(g.url + "/alerts?filter=title+contains+DCSync")

	// Open it, and read what made it one.
	p.Keys("j", "Enter")
	p.WaitText("#drawer", "Why it is one alert")
	p.WaitText("#drawer .evidence", "type")
	p.WaitText("#drawer .side", "mara.winter@fjordwerk.example")
	p.WaitText("#drawer .side .differ", "differs")
	p.Wait(`document.activeElement.closest("#drawer")`)

	// Close it where it isn't managed: it is drift, by the closure rule.
	p.Tab("#comment")
	p.Type("a test of the red team")
	p.Tab("#drawer [name=in]")
	p.Keys("C") // Cloud App Security
	p.Tab("#drawer button[value=benign]")
	p.Keys("Enter")
	p.WaitText(".toast", "Closed the alert.")
	p.WaitText("#drawer", "Closed in one service and open in another")
	p.WaitText("#drawer .history", "a test of the red team")
	p.Reload()
	p.WaitText("#drawer", "Closed in one service and open in another")

	// Undo, and close it where it is managed: both are closed.
	p.Keys("u")
	p.WaitText(".toast", "Took it back.")
	p.Wait(`!document.querySelector("#drawer").innerText.includes("Closed in one service")`)
	p.Keys("c")
	p.Wait(`document.activeElement.matches("#drawer [data-close]")`)
	p.Keys("Enter")
	p.Wait(`Array.from(document.querySelectorAll("#drawer .plain-table .status")).filter((s) => s.innerText === "closed").length === 2`)
	p.Keys("Escape")
	p.Wait(`document.querySelector("#drawer").hidden && !location.search.includes("open=")`)

	// The whole morning: two selected, and marked as read at once.
	p.Go(g.url + "/alerts?filter=status+%3D+open")
	p.Keys("j", "x", "j", "x")
	p.WaitText(".bulk", "With the 2 selected:")
	p.Tab(".bulk button[value=read]")
	p.Keys("Enter")
	p.WaitText(".toast", "Marked 2 alerts.")
	p.Wait(`document.querySelectorAll("tr.read").length === 2`)

	// A suppressed notification is forwarded after all, and goes to the targets.
	before := g.lines("out.jsonl")
	p.Go(g.url + "/alerts?filter=title+contains+ticket")
	p.Keys("j", "Enter")
	p.Wait(`document.querySelector("#drawer .notices .suppress")`)
	p.Tab("#drawer .notices input[name=comment]")
	p.Type("another person")
	p.Tab("#drawer button[value=forward]")
	p.Keys("Enter")
	p.WaitText(".toast", "Forwarded it after all")
	p.Wait(`document.querySelectorAll("[data-line]").length === 2`)
	g.poll("the target has it", func() bool { return g.lines("out.jsonl") == before+1 })

	// A search of the log becomes a policy.
	p.Go(g.url + "/activities")
	p.Keys("/")
	p.Type("action = download and user contains mara")
	p.Keys("Enter")
	p.Wait(`location.search.includes("filter=")`)
	p.Tab(`a[href^="/policies/new"]`)
	p.Keys("Enter")
	p.Wait(`location.pathname === "/policies/new" && document.querySelector("[name=filter]").value.includes("mara")`)
	p.Tab("form.policy [name=name]")
	p.Type("Mara downloads")
	p.Tab("button[value=preview]")
	p.Keys("Enter")
	p.WaitText("#preview", "it would have raised 1 alert")
	p.Tab("button[value=save]")
	p.Keys("Enter")
	p.WaitText(".toast", "Saved.")
	p.WaitText("main", "Mara downloads")

	// The first page tells of it, and leads to the alert.
	p.Go(g.url + "/")
	p.Tab(`#tail a[href^="/alerts?open="]`)
	p.Keys("Enter")
	p.Wait(`location.pathname === "/alerts" && !document.querySelector("#drawer").hidden`)

	// From the queue to the person.
	p.Go(g.url + "/alerts?filter=user+contains+nina")
	p.Tab("td.people a")
	p.Keys("Enter")
	p.Wait(`location.pathname.startsWith("/users/")`)
	p.WaitText("main", "Delete file: notes.docx")
	p.WaitText("main", "Impossible travel activity")

	// Help, and the end of the day.
	p.Keys("?")
	p.Wait(`document.querySelector("#help").open`)
	p.Keys("Escape")
	p.Wait(`!document.querySelector("#help").open`)
	p.Tab(`form[action="/logout"] button`)
	p.Keys("Enter")
	p.Wait(`location.pathname === "/login"`)
	p.Go(g.url + "/alerts")
	p.Wait(`location.pathname === "/login"`)
	for _, problem := range p.Problems() {
		t.Error(problem)
	}
}

// lines is how many a file has.
func (g *gateway) lines(name string) int {
	data, err := os.ReadFile(filepath.Join(g.dir, name))
	if err != nil {
		return 0
	}
	return strings.Count(string(data), "\n")
}
