package dedup_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
)

// TestCloseGivesUp: a disk that takes nothing doesn't keep the gateway from stopping.
func TestCloseGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "state")
		x, err := dedup.Open(dir, config.Default())
		if err != nil {
			t.Fatal(err)
		}
		if err := x.Begin().Commit(dedup.Mark{Sequence: 1}); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(dir, dir+".away"); err != nil {
			t.Fatal(err)
		}
		if err := x.Close(); err == nil {
			t.Error("Close says nothing of a directory that is gone")
		}
		if err := os.Rename(dir+".away", dir); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second) // until Badger has tried again
	})
}
