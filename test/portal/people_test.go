package portal_test

import (
	"testing"
	"time"

	"github.com/sluice-siem/sluice/test/browser"
)

// TestTwoNamesOfOnePerson joins what the services know as two, and parts them again, by keyboard.
func TestTwoNamesOfOnePerson(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.send(morning(time.Now())...)
	b := browser.Open(t)
	p := g.login(b)
	g.await(p, 5)
	p.Go(g.url + "/users?filter=user+contains+nina")
	p.Keys("j", "Enter")
	p.Wait(`location.pathname.startsWith("/users/")`)

	// Who isn't known, or isn't one, is told in words.
	p.Tab("[name=with]")
	p.Type("nobody")
	p.Keys("Enter")
	p.WaitText(".problem", "0 users are called \"nobody\"")

	// Her name was Winter before: what was told of that name is hers too.
	p.Tab("[name=with]")
	p.Type("mara.winter@fjordwerk.example")
	p.Keys("Enter")
	p.WaitText(".toast", "The two are one user from now on.")
	p.WaitText(".about table", "mara.winter@fjordwerk.example")
	p.WaitText(".about table", "nina.berg@fjordwerk.example")
	p.WaitText("section.list", "Delete file: notes.docx")
	p.WaitText("section.list", "Download file: Plans Q3.xlsx")
	p.WaitText("section.list", "Suspected DCSync attack")
	p.Go(g.url + "/users")
	p.Wait(`document.querySelectorAll("[data-line]").length === 3`) // with Otto and Paul
	p.Go(g.url + "/users?filter=user+contains+mara")
	p.Keys("j", "Enter")
	p.WaitText(".about table", "nina.berg@fjordwerk.example")

	// It was a mistake. Without a name selected there is nothing to part.
	p.Tab("button[value=split]")
	p.Keys("Enter")
	p.WaitText(".problem", "No name is selected")
	p.Tab(`[name=spelling][value="nina.berg@fjordwerk.example"]`)
	p.Keys("Space")
	p.Tab("button[value=split]")
	p.Keys("Enter")
	p.WaitText(".toast", "The names are a user of their own from now on.")
	p.Wait(`!document.querySelector(".about table").innerText.includes("nina.berg")`)
	p.Wait(`!document.querySelector("section.list").innerText.includes("notes.docx")`)
	p.Go(g.url + "/users?filter=user+contains+nina")
	p.Keys("j", "Enter")
	p.WaitText("section.list", "Delete file: notes.docx")
	p.Go(g.url + "/admin/audit")
	p.WaitText("main table", "join")
	p.WaitText("main table", "split")
	for _, problem := range p.Problems() {
		t.Error(problem)
	}
}

// TestTagsOfAUser sets them, finds the user by them, and takes them away.
func TestTagsOfAUser(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.send(morning(time.Now())...)
	b := browser.Open(t)
	p := g.login(b)
	g.await(p, 5)
	p.Go(g.url + "/users?filter=user+contains+otto")
	p.Keys("j", "Enter")
	p.Wait(`location.pathname.startsWith("/users/")`)
	for _, tag := range []string{"admin", "watched"} {
		p.Tab("[name=tag][value=" + tag + "]")
		p.Keys("Space")
	}
	p.Tab("button[value=tag]")
	p.Keys("Enter")
	p.WaitText(".toast", "Saved.")
	p.Reload()
	p.Wait(`Array.from(document.querySelectorAll("[name=tag]:checked")).map((c) => c.value).join() === "admin,watched"`)
	p.Go(g.url + "/users")
	p.Keys("/")
	p.Type("tag = watched")
	p.Keys("Enter")
	p.Wait(`document.querySelectorAll("[data-line]").length === 1`)
	p.WaitText("[data-line]", "otto.lind")
	p.WaitText("[data-line]", "admin watched")
	p.Keys("Escape", "j", "Enter")
	p.Wait(`location.pathname.startsWith("/users/")`)
	for _, tag := range []string{"admin", "watched"} {
		p.Tab("[name=tag][value=" + tag + "]")
		p.Keys("Space")
	}
	p.Tab("button[value=tag]")
	p.Keys("Enter")
	p.Wait(`!document.querySelector(".about .tag") && !document.querySelector("[name=tag]:checked")`)
	for _, problem := range p.Problems() {
		t.Error(problem)
	}
}
