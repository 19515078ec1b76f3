package dedup

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sluice-siem/sluice/gateway/durable"
)

// Checkpoint writes the committed state to path, which is replaced when the copy is complete and
// synced, and gives the sequence it has seen. It may run beside decisions: it sees one moment.
func (x *Index) Checkpoint(path string) (sequence uint64, err error) {
	before, err := x.Mark()
	if err != nil {
		return 0, err
	}
	err = durable.Write(path, func(f io.Writer) error {
		w := bufio.NewWriterSize(f, 1<<20)
		if _, err := x.db.Backup(w, 0); err != nil {
			return err
		}
		return w.Flush()
	})
	if err != nil {
		return 0, fmt.Errorf("write checkpoint: %w", err)
	}
	return before.Sequence, nil
}

// Restore loads a checkpoint into an empty state and gives its mark; a missing file is the empty state, and what isn't a
// checkpoint is [ErrDamaged].
func (x *Index) Restore(path string) (Mark, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return Mark{}, nil
	}
	if err != nil {
		return Mark{}, fmt.Errorf("read checkpoint: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	if err := x.load(f); err != nil {
		if _, reading := errors.AsType[*os.PathError](err); reading {
			return Mark{}, fmt.Errorf("read checkpoint: %w", err)
		}
		return Mark{}, fmt.Errorf("read checkpoint %s: %w: %w", path, ErrDamaged, err)
	}
	x.alerts, x.shelves = alerts{}, shelves{} // of the empty state
	if err := errors.Join(x.countHeld(), x.readRhythms(), x.readActivities()); err != nil {
		return Mark{}, fmt.Errorf("read checkpoint %s: %w: %w", path, ErrDamaged, err)
	}
	return x.Mark()
}

// load has Badger load what it backed up to f. It isn't made for damage: it takes any length for one, and any bytes for keys.
func (x *Index) load(f *os.File) (err error) {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	for at := int64(0); at < info.Size(); {
		var length [8]byte
		if _, err := f.ReadAt(length[:], at); err != nil {
			return err
		}
		at += int64(len(length))
		n := binary.LittleEndian.Uint64(length[:])
		if left := uint64(info.Size() - at); n > left {
			return fmt.Errorf("a part of %d bytes begins %d before the end", n, left)
		}
		at += int64(n)
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("it can't be loaded: %v", r)
		}
	}()
	return x.db.Load(bufio.NewReaderSize(f, 1<<20), 16)
}
