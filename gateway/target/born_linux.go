package target

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// born tells when a file was created, where the file system keeps it.
func born(f *os.File) (when time.Time, known bool) {
	var s unix.Statx_t
	err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_BTIME, &s)
	if err != nil || s.Mask&unix.STATX_BTIME == 0 {
		return time.Time{}, false
	}
	return time.Unix(s.Btime.Sec, int64(s.Btime.Nsec)), true
}
