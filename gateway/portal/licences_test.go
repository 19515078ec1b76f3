package portal

import (
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite licences.txt")

// TestLicences holds what the page shows against the modules of which the program is built.
func TestLicences(t *testing.T) {
	type section struct{ name, text string }
	found := map[section]map[string]bool{} // the parts that have a text
	add := func(part, file string) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.TrimSpace(strings.ReplaceAll(strings.ToValidUTF8(string(data), "\ufffd"), "\r\n", "\n"))
		one := section{identify(file, text), text}
		if one.name == "" || strings.Contains("\n"+text, "\n"+licenceMark) {
			t.Errorf("the licence of %s, %s, isn't known: look whether it may be in the program, and teach identify to name it:\n%.600s", part, file, text)
		}
		if found[one] == nil {
			found[one] = map[string]bool{}
		}
		found[one][part] = true
	}
	for part, dirs := range built(t) {
		files := licenceFiles(t, dirs)
		if len(files) == 0 {
			t.Errorf("%s has no licence file", part)
		}
		for _, file := range files {
			add(part, file)
		}
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	add("the Go standard library", filepath.Join(strings.TrimSpace(string(goroot)), "LICENSE"))
	add("htmx 2.0.6", "static/htmx.LICENSE")

	var sections []string
	for one, parts := range found {
		sections = append(sections, licenceMark+one.name+": "+strings.Join(slices.Sorted(maps.Keys(parts)), "; ")+"\n"+one.text+"\n")
	}
	slices.Sort(sections)
	want := strings.Join(sections, "\n")
	if *update {
		if err := os.WriteFile("licences.txt", []byte(want), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != licencesText {
		t.Error("licences.txt isn't what the program is built of: go generate ./gateway/portal")
	}
}

// built are the modules in the program as it is shipped, each with the directories of its packages up to the module's own.
func built(t *testing.T) map[string][]string {
	t.Helper()
	const form = "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}|{{.Dir}}|{{$.Dir}}{{end}}{{end}}"
	cmd := exec.Command("go", "list", "-deps", "-f", form, "../../cmd/sluice")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	cmd.Stderr = os.Stderr
	list, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for line := range strings.Lines(string(list)) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) != 3 {
			continue
		}
		for dir := f[2]; !slices.Contains(out[f[0]], dir) && strings.HasPrefix(dir, f[1]); dir = filepath.Dir(dir) {
			out[f[0]] = append(out[f[0]], dir)
		}
	}
	return out
}

// licenceFiles are those of the directories, but for what is about a picture.
func licenceFiles(t *testing.T, dirs []string) []string {
	t.Helper()
	name := regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)`)
	var out []string
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !e.IsDir() && name.MatchString(e.Name()) && filepath.Ext(e.Name()) != ".go" && e.Name() != "LICENSE-LOGO" {
				out = append(out, filepath.Join(dir, e.Name()))
			}
		}
	}
	return out
}

// identify names the text of a file by what only it says; empty where it isn't known.
func identify(file, text string) string {
	if beside := regexp.MustCompile(`^(NOTICE|PATENTS)`); beside.MatchString(filepath.Base(file)) {
		return besides
	}
	flat, bsd := strings.Join(strings.Fields(text), " "), "BSD-2-Clause"
	if strings.Contains(flat, "Neither the name") {
		bsd = "BSD-3-Clause"
	}
	var names []string
	for _, l := range []struct{ name, says string }{
		{"Apache-2.0", "Apache License Version 2.0"},
		{"MIT", "Permission is hereby granted, free of charge, to any person obtaining a copy"},
		{bsd, "Redistributions in binary form must reproduce"},
		{"ISC", "provided that the above copyright notice and this permission notice appear in all copies. THE SOFTWARE IS PROVIDED \"AS IS\" AND THE AUTHOR"},
		{"0BSD", "Zero-Clause BSD"},
		{"public domain", "SQLite Is Public Domain"},
	} {
		if strings.Contains(flat, l.says) {
			names = append(names, l.name)
		}
	}
	return strings.Join(names, ", ")
}

func TestPartsHaveEachLicenceOnce(t *testing.T) {
	got := parts(parseLicences("§ MIT: b v1; a v2\none\n\n§ notice: a v2\ntwo\n§3\n\n§ MIT, BSD-3-Clause: a v2\nthree\n§ MIT: a v2\nfour"))
	want := []madeOf{{"a v2", "MIT, BSD-3-Clause"}, {"b v1", "MIT"}}
	if !slices.Equal(got, want) {
		t.Errorf("it is made of %v, want %v", got, want)
	}
	if all := parseLicences(licencesText); len(all) < 20 || len(parts(all)) < 40 || strings.Contains(all[0].Text, licenceMark) {
		t.Errorf("%d texts of %d parts are in the program", len(all), len(parts(all)))
	}
}
