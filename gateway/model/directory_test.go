package model

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestWatched(t *testing.T) {
	file := filepath.Join(t.TempDir(), "people.csv")
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	write := func(text string, modified time.Time) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, modified, modified); err != nil {
			t.Fatal(err)
		}
	}
	var w watched
	look := func(what string, later time.Duration, want bool) {
		t.Helper()
		now = now.Add(later)
		if got := w.changed(file, now); got != want {
			t.Errorf("%s: changed() = %v, want %v", what, got, want)
		}
	}
	look("not there, the first time", 0, true)
	look("not there", time.Minute, false)
	write("a", now)
	look("just looked", time.Second/2, false)
	look("there", time.Second, true)
	look("the same", time.Minute, false)
	write("b", now.Add(time.Second))
	look("as long as before, but newer", time.Minute, true)
	write("longer", now.Add(-time.Minute).Add(time.Second))
	look("longer", time.Minute, true)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	look("gone", time.Minute, true)
	look("still gone", time.Minute, false)
	var none watched
	if !none.changed("", now) || none.changed("", now.Add(time.Hour)) {
		t.Error("where no file is named, that there is none is taken over once")
	}
}

// TestTheDirectoryNamesWhoWasNotSeen: somebody new in the directory whom nobody has named yet changes nothing of who
// is who, so that nothing is decided anew.
func TestTheDirectoryNamesWhoWasNotSeen(t *testing.T) {
	c := newCrowd(t, hill())
	c.directory("upn,sam\nida.brook@hill.example,ibrook\n")
	c.see("ibrook", "zoe")
	const mark = -1 // no name's
	c.f.people.owners[mark] = owner{}
	c.directory("upn,sam,department\nida.brook@hill.example,ibrook,Sales\nmax@hill.example,mreed,IT\n")
	if _, there := c.f.people.owners[mark]; !there {
		t.Error("all was decided anew")
	}
	if u := c.user(c.id("ibrook")); u.Department != "Sales" {
		t.Errorf("user = %+v, want the department", u)
	}
	c.see(`HILL\mreed`, "max@hill.example")
	c.want("ibrook", `HILL\mreed | max@hill.example`, "zoe")
	c.directory("upn,sam,department\nida.brook@hill.example,zoe,Sales\nmax@hill.example,mreed,IT\n")
	c.see("ida.brook@hill.example")
	c.want("ibrook", `HILL\mreed | max@hill.example`, "zoe | ida.brook@hill.example")
}
