package dedup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"
)

// ErrDamaged is that a file of the state or a checkpoint isn't what was written, or is gone.
var ErrDamaged = errors.New("a file of the state is damaged")

// Diagnose says of an error of [Open] whether the state in dir is damaged. Badger doesn't tell damage from what hinders it
// now, such as files of another user or too many that are open: it is damage where a table is damaged, or where
// nothing but the medium hinders us from opening all that is there. With [ErrDamaged] no further try mends it.
func Diagnose(ctx context.Context, dir string, refused error) error {
	if errors.Is(refused, errRoom) || outOfMemory(refused) {
		return refused
	}
	err := CheckTables(ctx, dir)
	if err == nil {
		err = openAll(dir)
	}
	if err == nil {
		return fmt.Errorf("%w: %w", ErrDamaged, refused)
	}
	return errors.Join(refused, err)
}

// outOfMemory tells that a file couldn't be mapped for want of memory, which whoever opens it the next time may have. Badger
// leaves of the system's error only the words.
func outOfMemory(refused error) bool {
	return refused != nil && strings.Contains(refused.Error(), syscall.ENOMEM.Error())
}

// unread is that something of the state can't be read. It is damaged where the medium doesn't give it back.
func unread(what string, err error) error {
	err = fmt.Errorf("%s: %w", what, err)
	if errors.Is(err, syscall.EIO) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// spare is how many files Badger has open beside those that are there: logs and tables that it makes, and its lock.
const spare = 8

// errRoom is that too many files are open for the state to be opened, or its disk is full, which says nothing of the state.
var errRoom = errors.New("no room for the state")

// roomForFiles is nil where as many files can be open as Badger needs for the state in dir: with too few it doesn't even
// return an error, as it tries for ever to make a table of a log.
func roomForFiles(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for files of the state: %w", err)
	}
	for n := range len(entries) + spare {
		f, err := os.Open("/") // which is there even where nothing else is
		if err != nil {
			return fmt.Errorf("%w: it needs %d open files and has %d: %w", errRoom, len(entries)+spare, n, err)
		}
		defer func() { _ = f.Close() }() // all of them at once
	}
	return nil
}

// toOpen has to be free for Badger to open the state: one memtable's worth of what it writes.
const toOpen = 16 << 20

// roomOnDisk is nil where that is free for the state in dir. Badger writes to mapped files with holes, so that on a full
// file system it ends the process by SIGBUS.
func roomOnDisk(dir string) error {
	var disk syscall.Statfs_t
	err := syscall.Statfs(dir, &disk)
	if errors.Is(err, fs.ErrNotExist) {
		err = syscall.Statfs(filepath.Dir(dir), &disk)
	}
	if err != nil {
		return fmt.Errorf("look at the free space of %s: %w", dir, err)
	}
	if free := disk.Bavail * uint64(disk.Bsize); free < toOpen {
		return fmt.Errorf("%w: %d MiB are free in %s, %d MiB are needed to open it", errRoom, free>>20, dir, toOpen>>20)
	}
	return nil
}

// openAll opens every file in dir at once, to be read and written, and a new one, as Badger does.
func openAll(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("look for files of the state: %w", err)
	}
	var open []*os.File
	defer func() {
		for _, f := range open {
			_ = f.Close() // nothing was written
		}
	}()
	for _, e := range entries {
		if e.IsDir() {
			continue // a file system's own
		}
		f, err := os.OpenFile(filepath.Join(dir, e.Name()), os.O_RDWR, 0)
		if err != nil {
			return unread("open a file of the state", err)
		}
		open = append(open, f)
	}
	f, err := os.CreateTemp(dir, "probe")
	if err != nil {
		return fmt.Errorf("make a file of the state: %w", err)
	}
	open = append(open, f)
	return os.Remove(f.Name())
}

// CheckTables has the checksums of all tables of the state in dir looked at, which nobody has open. Nobody else does it:
// Badger opens a table of which a part is damaged, and takes that part for what was written, or ends the process over it. All that is kept is in the
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
		return unread("look for tables of the state", err)
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
		return unread("read a table of the state", err)
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
