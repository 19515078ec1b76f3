package aadip_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/aadip"
)

var update = flag.Bool("update", false, "rewrite the notifications in testdata")

// TestGolden normalises each message of testdata; the notification is the file behind it.
func TestGolden(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(archive.Files); i += 2 {
			message, want := archive.Files[i], &archive.Files[i+1]
			t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar")+"/"+message.Name, func(t *testing.T) {
				got := normalize(t, bytes.TrimSuffix(message.Data, []byte("\n")))
				if diff := cmp.Diff(string(want.Data), got); diff != "" && !*update {
					t.Errorf("-want +got:\n%s", diff)
				}
				want.Data = []byte(got)
			})
		}
		if *update {
			if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// normalize returns the notification as JSON without its empty fields, or the error.
func normalize(t *testing.T, message []byte) string {
	t.Helper()
	n, err := aadip.Normalize(message)
	if err != nil {
		return err.Error() + "\n"
	}
	return text(t, n)
}

func text(t *testing.T, n formats.Notification) string {
	t.Helper()
	b, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(b, &fields); err != nil {
		t.Fatal(err)
	}
	for name, v := range fields {
		switch v {
		case nil, "", false, 0.0, "0001-01-01T00:00:00Z":
			delete(fields, name)
		}
	}
	delete(fields, "Content")
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(fields); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
