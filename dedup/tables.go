package dedup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"
)

// CheckTables has the checksums of all tables of the state in dir looked at, which nobody has open. Nobody else does it:
// Badger opens a table of which a part is damaged, and takes that part for what was written. All that is kept is in the
// tables, and in logs that end for Badger where they are damaged: what was behind that is read from the stream again. The
// error names every table that is damaged.
func CheckTables(ctx context.Context, dir string) error {
	f, err := os.Open(filepath.Join(dir, badger.ManifestFilename))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for tables of the state: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	manifest, _, err := badger.ReplayManifestFile(f, 0, badger.Options{})
	if err != nil {
		return fmt.Errorf("look for tables of the state: %w", err)
	}
	for id, t := range manifest.Tables { // others were left by a crash, and Badger removes them
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err = errors.Join(err, checkTable(dir, id, t))
	}
	return err
}

func checkTable(dir string, id uint64, m badger.TableManifest) (err error) {
	path := table.NewFilename(id, dir)
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read a table of the state: %w", err)
	}
	defer func() {
		if r := recover(); r != nil { // Badger isn't made for damage
			err = fmt.Errorf("%s is damaged", path)
		}
	}()
	t, err := table.OpenInMemoryTable(data, id, &table.Options{Compression: m.Compression})
	if err == nil {
		err = t.VerifyChecksum()
	}
	if err != nil {
		return fmt.Errorf("%s is damaged: %w", path, err)
	}
	return nil
}
