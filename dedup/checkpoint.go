package dedup

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Checkpoint writes the committed state to path, which is replaced when the copy is complete and
// synced, and gives the sequence it has seen. It may run beside decisions: it sees one moment.
func (x *Index) Checkpoint(path string) (sequence uint64, err error) {
	before, err := x.Mark()
	if err != nil {
		return 0, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".checkpoint-*")
	if err != nil {
		return 0, fmt.Errorf("write checkpoint: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	_, err = x.db.Backup(w, 0)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, fmt.Errorf("write checkpoint: %w", err)
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return 0, fmt.Errorf("write checkpoint: %w", err)
	}
	return before.Sequence, syncDir(filepath.Dir(path))
}

// Restore loads a checkpoint into an empty state and gives its mark; a missing file is the empty state.
func (x *Index) Restore(path string) (Mark, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return Mark{}, nil
	}
	if err != nil {
		return Mark{}, fmt.Errorf("read checkpoint: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	if err := x.db.Load(bufio.NewReaderSize(f, 1<<20), 16); err != nil {
		return Mark{}, fmt.Errorf("read checkpoint %s: %w", path, err)
	}
	x.alerts, x.shelves = alerts{}, shelves{} // of the empty state
	if err := errors.Join(x.countHeld(), x.readRhythms(), x.readActivities()); err != nil {
		return Mark{}, err
	}
	return x.Mark()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return errors.Join(d.Sync(), d.Close())
}
