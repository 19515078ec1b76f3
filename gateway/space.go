package gateway

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-siem/sluice/gateway/stream"
)

// reserve is what has to be free where data_dir is for anything to be accepted. Badger writes to
// mapped files with holes: on a full file system that is SIGBUS, which nobody can handle, so it must
// not come to it. The holes of its memtables are half of this.
const reserve = 64 << 20

// space guards the free space of a directory. It looks at most a few times a second.
type space struct {
	dir  string
	next time.Time
	err  error
}

// enough is nil, or an error that wraps [stream.ErrNotStored] while too little is free.
func (s *space) enough(now time.Time) error {
	if now.Before(s.next) {
		return s.err
	}
	s.next, s.err = now.Add(200*time.Millisecond), nil
	var fs unix.Statfs_t
	if err := unix.Statfs(s.dir, &fs); err != nil {
		s.err = fmt.Errorf("look at the free space of %s: %w: %w", s.dir, stream.ErrNotStored, err)
	} else if free := fs.Bavail * uint64(fs.Bsize); free < reserve {
		s.err = fmt.Errorf("%d MiB are free in %s, %d MiB are needed: %w", free>>20, s.dir, reserve>>20, stream.ErrNotStored)
	}
	return s.err
}
