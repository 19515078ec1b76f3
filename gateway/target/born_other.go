//go:build !linux

package target

import (
	"os"
	"time"
)

// born is not known here.
func born(*os.File) (when time.Time, known bool) { return time.Time{}, false }
