package dedup_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
)

// TestFullDisk: a state on a disk without room isn't opened, and isn't called damaged. A file system of the kernel's own never has any.
func TestFullDisk(t *testing.T) {
	const dir = "/proc/sys/kernel"
	_, err := dedup.Open(dir, config.Default())
	if err == nil || !strings.Contains(err.Error(), "0 MiB are free") {
		t.Fatalf("Open = %v, want that 0 MiB are free", err)
	}
	if err := dedup.Diagnose(t.Context(), dir, err); errors.Is(err, dedup.ErrDamaged) {
		t.Errorf("Diagnose = %v", err)
	}
}

// TestTooFewFiles: a state that was left by kill -9 and can't be opened with the files that are left isn't waited for, and
// isn't damaged.
func TestTooFewFiles(t *testing.T) {
	const name = "STATE_OF_TOO_FEW_FILES"
	if dir := os.Getenv(name); dir != "" { // the limit is the process's
		openWithFewFiles(t, dir)
		return
	}
	t.Parallel()
	dir := t.TempDir()
	x, err := dedup.Open(dir, config.Default())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = x.Close() }() // it is left as it is now
	b := x.Begin()
	if err := b.Commit(dedup.Mark{Sequence: 1}); err != nil {
		t.Fatal(err)
	}
	left := t.TempDir()
	if err := os.CopyFS(left, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestTooFewFiles$")
	c.Env = append(os.Environ(), name+"="+left)
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", errors.Join(err, ctx.Err()), out)
	}
}

func openWithFewFiles(t *testing.T, dir string) {
	t.Helper()
	for more := range uint64(40) {
		open, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		var was syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
			t.Fatal(err)
		}
		limit := func(cur uint64) {
			if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: cur, Max: was.Max}); err != nil {
				t.Fatal(err)
			}
		}
		limit(uint64(len(open)) + more)
		x, err := dedup.Open(dir, config.Default())
		if err == nil {
			if err := x.Close(); err != nil {
				t.Error(err)
			}
			return
		}
		if err := dedup.Diagnose(t.Context(), dir, err); !errors.Is(err, syscall.EMFILE) || errors.Is(err, dedup.ErrDamaged) {
			t.Errorf("with %d files more: %v", more, err)
		}
		limit(was.Cur)
	}
	t.Error("40 files more aren't enough")
}

// TestMediumFails: a table, any other file or a checkpoint that the medium doesn't give back is as damaged as one that was
// written over, and no further try reads it.
func TestMediumFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	x, err := dedup.Open(dir, config.Default())
	if err != nil {
		t.Fatal(err)
	}
	err = x.Begin().Commit(dedup.Mark{Sequence: 1})
	if err = errors.Join(err, x.Close(), os.Mkdir(filepath.Join(dir, "lost+found"), 0o700)); err != nil {
		t.Fatal(err)
	}
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("no tables in the state: %v", err)
	}
	refused := errors.New("it can't be opened")
	if err := dedup.Diagnose(t.Context(), dir, refused); !errors.Is(err, dedup.ErrDamaged) {
		t.Errorf("a state that nothing hinders us from opening: %v", err)
	}
	const unreadable = "/proc/self/mem" // at 0, where nothing is
	if err := errors.Join(os.Remove(tables[0]), os.Symlink(unreadable, tables[0])); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"check": dedup.CheckTables(t.Context(), dir), "diagnosis": dedup.Diagnose(t.Context(), dir, refused),
	} {
		if !errors.Is(err, syscall.EIO) || !errors.Is(err, dedup.ErrDamaged) {
			t.Errorf("%s of a table that the medium doesn't give back: %v", what, err)
		}
	}
}

// TestTooLittleMemory: a state that can't be mapped for want of memory isn't damaged, as nothing is wrong with it.
func TestTooLittleMemory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	x, err := dedup.Open(dir, config.Default())
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	for want, refused := range map[bool]error{
		false: errors.New("open state: while opening memtables err: " + syscall.ENOMEM.Error() + "\nwhile mmapping 00001.mem"),
		true:  errors.New("open state: MANIFEST has bad magic"),
	} {
		if err := dedup.Diagnose(t.Context(), dir, refused); errors.Is(err, dedup.ErrDamaged) != want || !strings.Contains(err.Error(), refused.Error()) {
			t.Errorf("%v: %v, want damaged %t", refused, err, want)
		}
	}
}
