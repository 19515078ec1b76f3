package stream

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// rewriteNewest copies JetStream's newest block of messages and puts the synced copy in its place,
// while no server runs. After a failed fsync the kernel takes the pages for clean: they can be read
// back, a second fsync reports success, and a power cut loses them. Only written anew they are safe,
// and only then may an append whose sync failed be called stored.
func rewriteNewest(dir string) error {
	msgs := filepath.Join(streamDir(dir), "msgs")
	files, err := os.ReadDir(msgs)
	if err != nil {
		return fmt.Errorf("list blocks: %w", err)
	}
	newest, number := "", -1
	for _, f := range files {
		digits, found := strings.CutSuffix(f.Name(), ".blk")
		if n, err := strconv.Atoi(digits); found && err == nil && n > number {
			newest, number = filepath.Join(msgs, f.Name()), n
		}
	}
	if newest == "" {
		return nil
	}
	data, err := os.ReadFile(newest)
	if err != nil {
		return fmt.Errorf("read block: %w", err)
	}
	return writeSynced(newest, data)
}

// writeSynced puts a file with data in place of the named one, or leaves the old one as it was.
func writeSynced(name string, data []byte) (err error) {
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
	_, err = f.Write(data)
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
	return syncDir(filepath.Dir(name))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if e := d.Close(); err == nil {
		err = e
	}
	return err
}
