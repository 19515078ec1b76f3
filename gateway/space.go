package gateway

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// reserve is what has to be free where data_dir is for anything to be accepted. Badger writes to
// mapped files with holes: on a full file system that is SIGBUS, which nobody can handle, so it must
// not come to it. The holes of its memtables are half of this.
const reserve = 64 << 20

// spare has to be free beside it for the model to go on, which takes most of the room and is of least use: what it
// wrote already may grow while it is moved into its files, and senders are not to be refused for its sake.
const spare = 192 << 20

// space guards the free space of the directories of the stream and of the state, which may be on file systems of their
// own. It looks each time, which costs a microsecond: a disk fills in milliseconds. A directory that is gone is refused
// too: JetStream would go on writing to files that have no name any more, and that end with the process.
type space struct{ dirs []string }

func newSpace(c config.Config) space { return space{dirs: []string{streamDir(c), stateDir(c)}} }

// enough is nil, or an error that wraps [stream.ErrNotStored] while too little is free for the stream and the state.
func (s space) enough() error { return s.atLeast(reserve) }

// forModel is nil, or an error while the stream may soon need what is left.
func (s space) forModel() error { return s.atLeast(reserve + spare) }

func (s space) atLeast(needed uint64) error {
	free, where, err := s.least()
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", stream.ErrNotStored, err)
	case free < needed:
		return fmt.Errorf("%d MiB are free in %s, %d MiB are needed: %w", free>>20, where, needed>>20, stream.ErrNotStored)
	}
	return nil
}

// least is in bytes, and where that is.
func (s space) least() (least uint64, where string, err error) {
	for _, dir := range s.dirs {
		var fs unix.Statfs_t
		if err := unix.Statfs(dir, &fs); err != nil {
			return 0, dir, fmt.Errorf("look at the free space of %s: %w", dir, err)
		}
		if free := fs.Bavail * uint64(fs.Bsize); where == "" || free < least {
			least, where = free, dir
		}
	}
	return least, where, nil
}
