package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// cage is the directory of a memory cgroup, of Linux's first or second kind: what runs in it is killed when it wants more
// than the cgroup may take, as in a container. Empty: no limit.
type cage string

// newCage makes one that may take so many MiB, none for 0. Only root may.
func newCage(mib int) (cage, error) {
	if mib == 0 {
		return "", nil
	}
	parent, limit := "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
	if _, err := os.Stat(parent); errors.Is(err, fs.ErrNotExist) {
		parent, limit = "/sys/fs/cgroup", "memory.max"
	}
	c := cage(filepath.Join(parent, fmt.Sprintf("sluice-bench-%d", os.Getpid())))
	err := os.Mkdir(string(c), 0o755)
	if err == nil {
		err = os.WriteFile(filepath.Join(string(c), limit), fmt.Append(nil, mib<<20), 0o644)
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("-memory needs root and a memory cgroup: %w", err), c.remove())
	}
	return c, nil
}

// command is the one that runs a program in it.
func (c cage) command(path string, args []string) (string, []string) {
	if c == "" {
		return path, args
	}
	enter := `echo $$ > "$0" && exec "$@"`
	return "/bin/sh", append([]string{"-c", enter, filepath.Join(string(c), "cgroup.procs"), path}, args...)
}

// remove ends it, when nothing runs in it any more.
func (c cage) remove() error {
	if c == "" {
		return nil
	}
	if err := os.Remove(string(c)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the cgroup: %w", err)
	}
	return nil
}
