package portal_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/test/browser"
)

// TestAScoreExplainedAndReset goes from the users to who stands highest, from a part of the score to its alert, which
// turns out to be nothing, and begins the score anew, by keyboard alone.
func TestAScoreExplainedAndReset(t *testing.T) {
	t.Parallel()
	check := axe(t)
	g := start(t)
	g.send(morning(time.Now())...)
	b := browser.Open(t)
	p := g.login(b)
	g.await(p, 5)

	// Who stands highest stands first; other orders are there, and in the address.
	p.Go(g.url + "/users")
	p.WaitText("main h1", "by investigation priority")
	var scores []float64
	p.Eval(`Array.from(document.querySelectorAll("[data-line] b.points")).map((b) => Number(b.innerText))`, &scores)
	if len(scores) < 4 || scores[0] <= scores[len(scores)-1] {
		t.Errorf("scores %v, want those of four users, the highest first", scores)
	}
	p.WaitText("[data-line] .red", "▲ 100")
	g.look(p, "users by score", check)
	p.Size(1440, 900)
	p.Tab(`th a[href*="display"]`)
	p.Keys("Enter")
	p.Wait(`location.search === "?sort=display" && document.querySelector("th[aria-sort=ascending]").innerText === "User"`)
	p.Go(g.url + "/users")
	p.Keys("j", "Enter")
	p.Wait(`location.pathname.startsWith("/users/")`)

	// What the score is made of, the parts add up.
	p.WaitText("main h1", "mara")
	p.WaitText(".score", "▲ 100 red")
	p.WaitText(".made li", "the user's first of this type")
	var part struct {
		Title                 string
		Sum, Shown            string
		Score, Without, Total float64
	}
	p.Eval(`(() => {
		const parts = Array.from(document.querySelectorAll(".made ol > li"));
		const points = (e) => Number(e.querySelector("b.points").innerText);
		return {
			title: parts[0].querySelector("a").innerText, sum: parts.reduce((sum, e) => sum + points(e), 0).toFixed(2), shown: document.querySelector(".made .total b").innerText,
			score: points(parts[0]), without: Number(parts[0].querySelector(".hint").innerText.match(/would be ([0-9.]+)\./)[1]), total: points(document.querySelector(".made .total")),
		};
	})()`, &part)
	if part.Sum != part.Shown || part.Score <= 0 || part.Without >= part.Total || part.Total != scores[0] {
		t.Errorf("%+v of %v: the parts don't add up", part, scores[0])
	}
	g.look(p, "user with a score", check)
	p.Size(1440, 900)

	// To the alert, which names its users with their score, and is closed as benign.
	p.Keys("j", "Enter")
	p.WaitText("#drawer h2", part.Title)
	p.WaitText("#drawer .people", fmt.Sprintf("score %.2f", part.Total))
	p.Shot("page-drawer")
	p.Tab("#drawer button[value=benign]")
	p.Keys("Enter")
	p.WaitText(".toast", "Closed the alert.")

	// The score has lost that part.
	p.WaitText("#drawer .people", fmt.Sprintf("score %.2f", part.Without))
	p.Tab("#drawer .people a")
	p.Keys("Enter")
	p.Wait(`location.pathname.startsWith("/users/")`)
	p.WaitText(".score", fmt.Sprintf("%.2f", part.Without))
	if text := p.Text(".made"); strings.Contains(text, part.Title) || !strings.Contains(text, "Mass download") {
		t.Errorf("the score is made of %q, want it without %q", text, part.Title)
	}

	// It begins anew, for a reason.
	p.Tab(".made [name=why]")
	p.Keys("Enter")
	p.Wait(`document.querySelector(".made [name=why]").validity.valueMissing && !document.querySelector(".toast")`)
	p.Type("looked at: <b>the red team</b>")
	p.Keys("Enter")
	p.WaitText(".toast", "The score begins anew")
	p.WaitText(".score", "0.00")
	p.WaitText(".made .history", "looked at: <b>the red team</b>")
	p.Wait(`!document.querySelector("button[value=reset]") && !document.querySelector(".toast button")`)
	p.Reload()
	p.WaitText(".made .history", "admin")
	g.look(p, "user without a score any more", check)

	p.Go(g.url + "/admin/audit")
	p.WaitText("main tbody tr", "reset_score")
	p.WaitText("main tbody tr", "the red team")
	for _, problem := range p.Problems() {
		t.Error(problem)
	}
}

// TestWhoMayResetAScore: who may not isn't offered it, and is refused.
func TestWhoMayResetAScore(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.send(morning(time.Now())...)
	viewer, operator := g.token("v", "--role", "viewer"), g.token("o", "--role", "operator")
	limited := g.token("l", "--role", "operator", "--service", "cloud_app_security")
	someone := regexp.MustCompile(`data-open href="(/users/[^"]+)"(?s:.*?)<b class="points">`)
	first := func(token string) string {
		_, list, _ := g.ask(token, http.MethodGet, "/users", nil)
		if found := someone.FindStringSubmatch(list); found != nil {
			return found[1]
		}
		return ""
	}
	g.poll("the last line is there", func() bool {
		_, all, _ := g.ask(viewer, http.MethodGet, "/activities", nil)
		_, some, _ := g.ask(limited, http.MethodGet, "/activities", nil)
		return strings.Contains(all, "Delete file: notes.docx") && strings.Contains(some, "Delete file: notes.docx")
	})
	resetting := url.Values{"do": {"reset"}, "why": {"a business trip"}}
	top := first(viewer)
	for _, tt := range []struct {
		name, token, user string
		form              url.Values
		offered           bool
		want              int
		says              string
	}{
		{"a viewer", viewer, top, resetting, false, http.StatusForbidden, "needs the role operator or admin"},
		{"a limited operator", limited, first(limited), resetting, false, http.StatusForbidden, "needs the role operator or admin without a limit"},
		{"an operator without a reason", operator, top, url.Values{"do": {"reset"}, "why": {" "}}, true, http.StatusUnprocessableEntity, "say why"},
		{"an operator", operator, top, resetting, true, http.StatusSeeOther, "did=reset"},
		{"an operator again", operator, top, resetting, false, http.StatusConflict, "has no score"},
	} {
		if _, page, _ := g.ask(tt.token, http.MethodGet, tt.user, nil); strings.Contains(page, `value="reset"`) != tt.offered || !strings.Contains(page, "Investigation priority") {
			t.Errorf("%s is offered the reset: %v, want %v\n%s", tt.name, !tt.offered, tt.offered, page)
		}
		status, body, header := g.ask(tt.token, http.MethodPost, tt.user, tt.form)
		if status != tt.want || !strings.Contains(body+header.Get("Location"), tt.says) {
			t.Errorf("%s resets a score: %d %v, want %d and %q\n%.3000s", tt.name, status, header, tt.want, tt.says, body)
		}
	}
}
