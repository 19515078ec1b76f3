package gateway

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/gateway/input"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// TestAHoleInTheStateIsNoticed: Badger begins a new log while what is in the one before it is neither synced nor in
// a table. A power cut may then take the end of the older one and leave the newer one, which says that everything
// is folded.
func TestAHoleInTheStateIsNoticed(t *testing.T) {
	c := with()
	c.DataDir = t.TempDir()
	state := filepath.Join(c.DataDir, "state")
	files := func() map[string][]byte { return readFiles(t, state) }
	var before map[string][]byte
	lived := map[string]string{}
	day := aBusyDay(7)[:61]
	t.Run("live", func(t *testing.T) {
		p := openPipeline(t, c.DataDir, c)
		for i, one := range day {
			if i == len(day)-1 {
				before = files() // as after a kill
			}
			if err := p.accept(t.Context(), []input.Message{{Input: "test", Received: monday.Add(one.after), Raw: []byte(one.line)}}).Wait(); err != nil {
				t.Fatal(err)
			}
		}
		lived = dump(t, p.index)
	})
	s, err := stream.Open(t.Context(), stream.Options{Dir: filepath.Join(c.DataDir, "stream")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	open := func(put map[string][]byte) (map[string]string, map[string][]byte) {
		t.Helper()
		writeFiles(t, state, put)
		index, err := openState(t.Context(), c, s, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		got, now := dump(t, index), files()
		if err := index.Close(); err != nil {
			t.Fatal(err)
		}
		return got, now
	}
	_, after := open(before) // the last batch goes to the second log
	if err := os.WriteFile(filepath.Join(c.DataDir, "boot"), []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	left := before
	left["00002.mem"] = after["00002.mem"]
	log := left["00001.mem"]
	used := len(bytes.TrimRight(log, "\x00"))
	clear(log[used/2:])
	// Whoever looks at the files first must not hide it from the gateway.
	writeFiles(t, state, left)
	if index, err := openProved(t.Context(), c, state, s); err == nil {
		t.Errorf("a state with a hole is opened: %v", index.Close())
	}
	if !maps.EqualFunc(left, files(), bytes.Equal) { // 128 MiB, too many for cmp
		t.Error("looking at the state changed its files")
	}
	got, _ := open(left)
	if diff := cmp.Diff(lived, got); diff != "" {
		t.Errorf("the state (-lived +opened):\n%s", diff)
	}
}

func readFiles(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		switch {
		case errors.Is(err, fs.ErrNotExist): // Badger has put what it holds elsewhere meanwhile
		case err != nil:
			t.Fatal(err)
		default:
			out[e.Name()] = data
		}
	}
	return out
}

func writeFiles(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
