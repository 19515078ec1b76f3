package portal_test

import (
	"testing"
	"time"

	"github.com/sluice-siem/sluice/test/browser"
)

// TestTwoTabs close the same alert: the second is told who was faster, a reload acts no second time, and the way back
// leads to a page that works.
func TestTwoTabs(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.send(morning(time.Now())...)
	b := browser.Open(t)
	first, second := g.login(b), g.login(b)
	g.await(first, 5)
	var at string
	first.Go(g.url + "/alerts?filter=title+contains+DCSync")
	first.Keys("j", "Enter")
	first.WaitText("#drawer", "Why it is one alert")
	first.Eval("location.href", &at)
	second.Go(at)
	second.WaitText("#drawer", "Why it is one alert")
	for _, tab := range []struct {
		page       *browser.Page
		says, told string
	}{{first, "the first tab", "Closed the alert."}, {second, "the second tab", "is closed in Defender for Identity already, by admin"}} {
		tab.page.Tab("#comment")
		tab.page.Type(tab.says)
		tab.page.Tab("#drawer button[value=benign]")
		tab.page.Keys("Enter")
		tab.page.WaitText("body", tab.told)
	}
	second.Reload()
	second.WaitText("#drawer .history", "the first tab")
	var acts int
	if second.Eval(`document.querySelectorAll("#drawer .history li").length`, &acts); acts != 1 {
		t.Errorf("the history has %d acts: %s", acts, second.Text("#drawer .history"))
	}
	first.Eval("history.back()", nil)
	first.Wait(`document.readyState === "complete" && document.querySelectorAll("[data-line]").length === 1`)
	first.Keys("j", "Enter")
	first.WaitText("#drawer .history", "the first tab")
	for _, problem := range first.Problems() {
		t.Error(problem)
	}
}
