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

// spare has to be free beside it for the model to go on, which takes most of the room and is of least use: what it
// wrote already may grow while it is moved into its files, and senders are not to be refused for its sake.
const spare = 192 << 20

// space guards the free space of a directory. It looks each time, which costs a microsecond: a disk fills
// in milliseconds.
type space struct{ dir string }

// enough is nil, or an error that wraps [stream.ErrNotStored] while too little is free for the stream and the state.
func (s space) enough() error { return s.atLeast(reserve) }

// forModel is nil, or an error while the stream may soon need what is left.
func (s space) forModel() error { return s.atLeast(reserve + spare) }

func (s space) atLeast(needed uint64) error {
	free, err := s.free()
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", stream.ErrNotStored, err)
	case free < needed:
		return fmt.Errorf("%d MiB are free in %s, %d MiB are needed: %w", free>>20, s.dir, needed>>20, stream.ErrNotStored)
	}
	return nil
}

// free is in bytes.
func (s space) free() (uint64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(s.dir, &fs); err != nil {
		return 0, fmt.Errorf("look at the free space of %s: %w", s.dir, err)
	}
	return fs.Bavail * uint64(fs.Bsize), nil
}
