package dedup_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
)

// TestOpenWithEmptyLogs: a kill may leave logs without a byte, older than the others or newer, and the state is
// opened as it was.
func TestOpenWithEmptyLogs(t *testing.T) {
	dir := t.TempDir()
	for n := range uint64(3) {
		x, err := dedup.Open(dir, config.Default())
		if err != nil {
			t.Fatal(err)
		}
		if m, err := x.Mark(); err != nil || m.Sequence != n {
			t.Errorf("opening %d: Mark() = %d, %v; want %d", n, m.Sequence, err, n)
		}
		if err := x.Begin().Commit(dedup.Mark{Sequence: n + 1}); err != nil {
			t.Fatal(err)
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"00000.mem", "00077.mem", "000000.vlog", "000077.vlog"} {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
