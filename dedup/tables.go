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

// ErrDamaged is that a table of the state isn't what was written, or is gone.
var ErrDamaged = errors.New("a table of the state is damaged")

// CheckTables has the checksums of all tables of the state in dir looked at, which nobody has open. Nobody else does it:
// Badger opens a table of which a part is damaged, and takes that part for what was written. All that is kept is in the
// tables, and in logs that end for Badger where they are damaged: what was behind that is read from the stream again. With
// [ErrDamaged] the error names every table that is damaged; any other is that one can't be read now, which says nothing of it.
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
	if _, reading := errors.AsType[*fs.PathError](err); reading {
		return fmt.Errorf("look for tables of the state: %w", err)
	}
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, f.Name(), err)
	}
	var damage error
	for id, t := range manifest.Tables { // others were left by a crash, and Badger removes them
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err := checkTable(dir, id, t)
		if err != nil && !errors.Is(err, ErrDamaged) {
			return err
		}
		damage = errors.Join(damage, err)
	}
	return damage
}

func checkTable(dir string, id uint64, m badger.TableManifest) (err error) {
	path := table.NewFilename(id, dir)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return fmt.Errorf("read a table of the state: %w", err)
	}
	defer func() {
		if r := recover(); r != nil { // Badger isn't made for damage
			err = fmt.Errorf("%w: %s", ErrDamaged, path)
		}
	}()
	t, err := table.OpenInMemoryTable(data, id, &table.Options{Compression: m.Compression})
	if err == nil {
		err = t.VerifyChecksum()
	}
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, path, err)
	}
	return nil
}
