package formats_test

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
	"github.com/sluice-siem/sluice/formats/cef"
	"github.com/sluice-siem/sluice/formats/mcas"
	"github.com/sluice-siem/sluice/formats/mdi"
)

var update = flag.Bool("update", false, "rewrite the notifications in testdata")

// TestGolden normalises each message of a dialect's testdata; the notification is the file behind it.
func TestGolden(t *testing.T) {
	for dialect, normalize := range map[string]func([]byte) (formats.Notification, error){
		"mdi": ofCEF(mdi.Normalize), "mcas": ofCEF(mcas.Normalize), "aadip": aadip.Normalize,
	} {
		t.Run(dialect, func(t *testing.T) { golden(t, dialect, normalize) })
	}
}

func golden(t *testing.T, dialect string, normalize func([]byte) (formats.Notification, error)) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dialect, "testdata", "*.txtar"))
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
				got := text(t, normalize, bytes.TrimSuffix(message.Data, []byte("\n")))
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

// ofCEF is a dialect of CEF.
func ofCEF(normalize func(cef.Event) (formats.Notification, error)) func([]byte) (formats.Notification, error) {
	return func(message []byte) (n formats.Notification, err error) {
		e, err := cef.Parse(string(message))
		if err == nil {
			n, err = normalize(e)
		}
		return n, err
	}
}

// text is the notification as JSON without its empty fields, or the error.
func text(t *testing.T, normalize func([]byte) (formats.Notification, error), message []byte) string {
	t.Helper()
	n, err := normalize(message)
	if err != nil {
		return err.Error() + "\n"
	}
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
