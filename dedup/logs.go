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
