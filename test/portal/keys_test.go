package portal_test

import (
	"testing"
	"time"

	"github.com/sluice-siem/sluice/test/browser"
)

// TestKeysCanBeSwitchedOff is for who dictates to the machine: a spoken word must press nothing (WCAG 2.2, 2.1.4).
func TestKeysCanBeSwitchedOff(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.send(morning(time.Now())...)
	b := browser.Open(t)
	p := g.login(b)
	g.await(p, 5)
	p.Go(g.url + "/alerts")
	toggle := func() {
		p.Tab("[data-help]")
		p.Keys("Enter")
		p.Wait(`document.querySelector("#help").open`)
		p.Tab("#help [data-keys]")
		p.Keys("Space", "Escape")
		p.Wait(`!document.querySelector("#help").open`)
	}
	toggle()
	for range 2 { // and after a reload
		p.Keys("j", "x", "/", "?", "g", "u")
		p.Wait(`document.querySelector("#help") && !document.querySelector("#help").open && location.pathname === "/alerts"`)
		p.Wait(`!document.activeElement.matches("[data-open], #filter") && !document.querySelector("[data-line] input:checked")`)
		p.Reload()
	}

	// Everything goes without them, and Escape is no letter.
	p.Tab("[data-open]")
	p.Keys("Enter")
	p.WaitText("#drawer", "Where it stands")
	p.Keys("Escape")
	p.Wait(`document.querySelector("#drawer").hidden`)

	toggle()
	p.Keys("/")
	p.Wait(`document.activeElement.id === "filter"`)
	for _, problem := range p.Problems() {
		t.Error(problem)
	}
}
