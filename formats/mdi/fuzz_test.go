package mdi_test

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/cef"
	"github.com/sluice-siem/sluice/formats/mdi"
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
		n, err := mdi.Normalize(e)
		if (err == nil) != mdi.Wrote(e) {
			t.Fatalf("Normalize(%q): %v", text, err)
		}
		if err != nil {
			return
		}
		if (n.Kind == formats.Health) != strings.HasSuffix(n.Class, "MonitoringAlert") || n.Kind == formats.Health && n.ID != "" {
			t.Fatalf("Normalize(%q) = %+v", text, n)
		}
		if strings.Trim(n.ID, "0123456789abcdef-") != "" {
			t.Fatalf("Normalize(%q): id %q", text, n.ID)
		}
	})
}
