package target

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/sluice-siem/sluice/gateway/durable"
)

// ready opens the file, and puts it aside first where it is time to. What keeps it from that keeps nothing
// from being delivered: the file then grows.
func (f *File) ready() error {
	if err := f.open(); err != nil {
		return err
	}
	if !f.regular || f.rotate.Size == 0 && f.rotate.Age == 0 {
		return nil
	}
	if f.shelf == nil {
		f.shelf = f.newShelf()
		f.shelf.tidy() // what a crash has left
	}
	info, err := f.file.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("open %s: %w", f.path, err), f.shut())
	}
	now := f.now()
	if info.Size() == 0 {
		f.begun = now
	}
	if !f.due(info.Size(), now) || now.Sub(f.stuck) < stuckWait {
		return nil
	}
	aside, err := f.putAside(now)
	if err != nil {
		if f.stuck.IsZero() {
			f.log.Error("the file can't be put aside, and grows", "path", f.path, "err", err)
		}
		f.stuck = now
	} else {
		f.log.Info("the file was put aside", "path", f.path, "as", aside, "bytes", info.Size())
		f.stuck = time.Time{}
	}
	f.shelf.tidy()
	return f.open() // whatever became of it, the path may name another file now
}

// stuckWait is how long it takes until a file that can't be put aside is tried again.
const stuckWait = 10 * time.Second

// due says whether a file of that size is to be put aside.
func (f *File) due(size int64, now time.Time) bool {
	switch {
	case size == 0:
		return false
	case f.rotate.Size > 0 && size >= int64(f.rotate.Size):
		return true
	}
	return f.rotate.Age > 0 && now.Sub(f.begun) >= f.rotate.Age
}

// putAside gives the file another name, which is durable when it returns. Nothing but that name changes, so
// that a crash leaves it under one of the two.
func (f *File) putAside(now time.Time) (name string, err error) {
	if base := f.resolve(); base != f.shelf.base { // the link leads elsewhere
		f.shelf.close()
		f.shelf = f.newShelf()
	}
	// What was delivered is synced; the rest of a batch that failed may not be.
	if err := f.do("sync", f.file.Sync); err != nil {
		return "", err
	}
	if name, err = f.shelf.nextName(now); err != nil {
		return "", err
	}
	if err := f.do("rename", func() error { return os.Rename(f.shelf.base, name) }); err != nil {
		return "", err
	}
	return name, f.do("sync directory", func() error { return durable.SyncDir(filepath.Dir(name)) })
}

// newShelf makes the shelf beside the file.
func (f *File) newShelf() *shelf {
	const wait = 5 * time.Second
	return &shelf{
		base: f.resolve(), keep: f.rotate.Keep, gzip: f.rotate.Compression == "gzip", log: f.log, do: f.do,
		stop: make(chan struct{}), wait: wait,
	}
}

// resolve gives the name of the file itself where the path is a link.
func (f *File) resolve() string {
	base, err := filepath.EvalSymlinks(f.path)
	if err != nil {
		return f.path // it was removed since
	}
	return base
}

// copyUntil copies until stop is closed.
func copyUntil(stop <-chan struct{}, to io.Writer, from io.Reader) error {
	const piece = 256 << 10
	for {
		select {
		case <-stop:
			return errStopped
		default:
		}
		if _, err := io.CopyN(to, from, piece); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// errStopped: there was no time left to compress a file.
var errStopped = errors.New("stopped")
