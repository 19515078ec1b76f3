package gateway

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/sluice-siem/sluice/gateway/stream"
)

// reserve is what has to be free where data_dir is for anything to be accepted. Badger writes to
// mapped files with holes: on a full file system that is SIGBUS, which nobody can handle, so it must
// not come to it. The holes of its memtables are half of this.
const reserve = 64 << 20

// space guards the free space of a directory. It looks each time, which costs a microsecond: a disk fills
// in milliseconds.
type space struct{ dir string }

// enough is nil, or an error that wraps [stream.ErrNotStored] while too little is free.
func (s space) enough() error {
	var fs unix.Statfs_t
	if err := unix.Statfs(s.dir, &fs); err != nil {
		return fmt.Errorf("look at the free space of %s: %w: %w", s.dir, stream.ErrNotStored, err)
	}
	if free := fs.Bavail * uint64(fs.Bsize); free < reserve {
		return fmt.Errorf("%d MiB are free in %s, %d MiB are needed: %w", free>>20, s.dir, reserve>>20, stream.ErrNotStored)
	}
	return nil
}
