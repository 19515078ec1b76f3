package dedup

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sluice-siem/sluice/gateway/durable"
)

// summed is the first part of a checkpoint that has a sum, and sumHead begins the last one, behind which is the SHA-256 of all
// before it. For Badger, which keeps none, they are parts with a list of keys, too: empty ones, with a field of a number that it
// doesn't know and therefore skips.
const (
	summed  = "\x03\x00\x00\x00\x00\x00\x00\x00" + "\xc2\x3e\x00"
	sumHead = "\x23\x00\x00\x00\x00\x00\x00\x00" + "\xc2\x3e\x20"
)

// Checkpoint writes the committed state to path, which is replaced when the copy is complete and
// synced, and gives the sequence it has seen. It may run beside decisions: it sees one moment.
func (x *Index) Checkpoint(path string) (sequence uint64, err error) {
	before, err := x.Mark()
	if err != nil {
		return 0, err
	}
	err = durable.Write(path, func(f io.Writer) error {
		w, sum := bufio.NewWriterSize(f, 1<<20), sha256.New()
		both := io.MultiWriter(w, sum)
		if _, err := io.WriteString(both, summed); err != nil {
			return err
		}
		if _, err := x.db.Backup(both, 0); err != nil {
			return cmp.Or(w.Flush(), err) // Badger says no more than that it was stopped where the disk is full
		}
		if _, err := w.Write(sum.Sum([]byte(sumHead))); err != nil {
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
		return Mark{}, unread("read checkpoint", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	if err := x.load(f); err != nil {
		if _, reading := errors.AsType[*os.PathError](err); reading {
			return Mark{}, unread("read checkpoint", err)
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
	if info.Size() == 0 {
		return errors.New("it is empty")
	}
	last := int64(0) // where the last part begins
	for at := int64(0); at < info.Size(); {
		last = at
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
	if err := proveSum(f, last); err != nil {
		return err
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("it can't be loaded: %v", r)
		}
	}()
	return x.db.Load(bufio.NewReaderSize(f, 1<<20), 16)
}

// proveSum compares what is before the last part of a checkpoint with the sum that is in it. A checkpoint of before sums were
// written has none, and is taken for whole.
func proveSum(f *os.File, last int64) error {
	head, want := make([]byte, len(summed)), make([]byte, len(sumHead)+sha256.Size)
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if _, err := f.ReadAt(want, last); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if !bytes.HasPrefix(want, []byte(sumHead)) {
		if bytes.HasPrefix(head, []byte(summed)) {
			return errors.New("it breaks off before its checksum")
		}
		return nil
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(f, 0, last)); err != nil {
		return err
	}
	if !bytes.Equal(sum.Sum(nil), want[len(sumHead):]) {
		return errors.New("it isn't what was written: its checksum differs")
	}
	return nil
}
