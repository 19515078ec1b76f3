package mcas_test

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/cef"
	"github.com/sluice-siem/sluice/formats/mcas"
)

func FuzzNormalize(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if strings.HasSuffix(file.Name, ".cef") {
				f.Add(string(file.Data))
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := cef.Parse(text)
		if err != nil || !utf8.ValidString(text) {
			return
		}
		n, err := mcas.Normalize(e)
		if err == nil && !mcas.Wrote(e) {
			t.Fatalf("Normalize(%q): %v", text, err)
		}
		if err != nil {
			return
		}
		if (n.Kind == formats.Activity) != strings.HasPrefix(n.Class, "EVENT_") || n.Origin == "" {
			t.Fatalf("Normalize(%q) = %+v", text, n)
		}
		if len(n.Accounts)+len(n.Devices) > 1 || len(n.Addresses) > 3 {
			t.Fatalf("Normalize(%q) = %+v: more than the service writes", text, n)
		}
	})
}
