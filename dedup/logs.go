package dedup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Torn says whether a power cut since the state in dir was written may have left a later part of it without
// an earlier one. Badger begins a new log while the one before it is still being made a table, and syncs
// neither: with two of them the end of the older one may be gone.
func Torn(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("look for logs of the state: %w", err)
	}
	logs := 0
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".mem" {
			logs++
		}
	}
	return logs > 1, nil
}

// removeEmpty removes the logs of the state in dir that have no bytes. One is left by a process that is killed
// where Badger makes a log or removes one, and holds nothing: it is written to after it has its size, and
// emptied when what it held is a table. Badger's Open fails once for each (its issue 2207).
func removeEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); ext != ".mem" && ext != ".vlog" {
			continue
		}
		info, infoErr := e.Info()
		if infoErr == nil && info.Size() == 0 {
			infoErr = os.Remove(filepath.Join(dir, e.Name()))
		}
		err = errors.Join(err, infoErr)
	}
	if err != nil {
		return fmt.Errorf("remove empty logs of the state: %w", err)
	}
	return nil
}
