// Package durable writes files that are there whole after a power cut, or not at all.
package durable

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// WriteFile puts a file with data in place of the named one, or leaves the old one as it was.
func WriteFile(name string, data []byte) error {
	return Write(name, func(w io.Writer) error { _, err := w.Write(data); return err })
}

// Write is WriteFile for what write writes, which may be more than is held in memory.
func Write(name string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
			err = fmt.Errorf("write %s: %w", name, err)
		}
	}()
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return err
	}
	return SyncDir(filepath.Dir(name))
}

// SyncDir makes the names in a directory durable: files that were made, renamed or removed.
func SyncDir(dir string) error { return Sync(dir) }

// Sync makes durable what anybody has written to a file.
func Sync(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	err = f.Sync()
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}
