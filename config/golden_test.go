package config_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-siem/sluice/config"
)

var update = flag.Bool("update", false, "rewrite the errors in testdata")

// TestRejected loads sluice.yaml of each archive in testdata, with the archive's other files beside it,
// and expects the problems of its file want. A line "env NAME=value" of the archive's comment sets a
// variable.
func TestRejected(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			path, err := filepath.Abs(path)
			if err != nil {
				t.Fatal(err)
			}
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			unpack(t, archive)
			_, err = config.Load("sluice.yaml")
			var problems config.Errors
			if !errors.As(err, &problems) {
				t.Fatalf("Load = %v, want config.Errors", err)
			}
			got := problems.Error() + "\n"
			i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == "want" })
			if i < 0 {
				archive.Files = append(archive.Files, txtar.File{Name: "want"})
				i = len(archive.Files) - 1
			}
			if diff := cmp.Diff(string(archive.Files[i].Data), got); diff != "" && !*update {
				t.Errorf("-want +got:\n%s", diff)
			}
			if *update {
				archive.Files[i].Data = []byte(got)
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// unpack makes a directory of the archive, and the current one.
func unpack(t *testing.T, archive *txtar.Archive) {
	t.Helper()
	t.Chdir(t.TempDir())
	for line := range strings.SplitSeq(string(archive.Comment), "\n") {
		if setting, ok := strings.CutPrefix(line, "env "); ok {
			name, value, _ := strings.Cut(setting, "=")
			t.Setenv(name, value)
		}
	}
	for _, f := range archive.Files {
		if err := os.WriteFile(f.Name, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
