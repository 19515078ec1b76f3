package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-siem/sluice/config"
)

// FuzzParse: whatever a file holds, it is a whole configuration or a list of problems, each on one line.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"sluice.example.yaml", "docker.yaml"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add([]byte(strings.ReplaceAll(string(data), "\n#  ", "\n  ")))
	}
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(archive.Files[0].Data)
	}
	env := func(name string) (string, bool) { return "value of " + name, name != "UNSET" }
	f.Fuzz(func(t *testing.T, data []byte) {
		if strings.Contains(string(data), "file:") {
			t.Skip("what this machine's files hold is no property")
		}
		c, err := config.Parse("sluice.yaml", data, env)
		again, errAgain := config.Parse("sluice.yaml", data, env)
		if diff := cmp.Diff(c, again); diff != "" || (err == nil) != (errAgain == nil) || err != nil && err.Error() != errAgain.Error() {
			t.Fatalf("not the same twice: %v, then %v\n%s", err, errAgain, diff)
		}
		if err != nil {
			// YAML knows more line ends than editors do.
			checkProblems(t, err, 1+len(regexp.MustCompile("[\n\r\u0085\u2028\u2029]").FindAll(data, -1)))
			return
		}
		if c.Policy.Hold == nil || len(c.Policy.ManageIn) == 0 || c.DataDir == "" || len(c.Inputs) == 0 || len(c.Targets) == 0 {
			t.Fatalf("not whole: %+v", c)
		}
	})
}

func checkProblems(t *testing.T, err error, lines int) {
	t.Helper()
	var problems config.Errors
	if !errors.As(err, &problems) || len(problems) == 0 {
		t.Fatalf("%v, want config.Errors", err)
	}
	if !slices.IsSortedFunc(problems, func(a, b config.Error) int { return a.Line - b.Line }) {
		t.Errorf("not by line: %v", problems)
	}
	for _, p := range problems {
		if p.Line < 0 || p.Line > lines || p.Msg == "" || strings.ContainsAny(p.Error(), "\n\x1b\x00") {
			t.Errorf("a problem that can't be shown: %q, of %d lines", p.Error(), lines)
		}
	}
}
