package aadip_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-siem/sluice/formats/aadip"
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
			if !strings.HasSuffix(file.Name, ".json") {
				f.Add(file.Data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, object []byte) {
		n, err := aadip.Normalize(object)
		if err == nil && (n.ID == "" || !json.Valid(object)) {
			t.Fatalf("Normalize(%q) = %+v", object, n)
		}
	})
}
