package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/durable"
	"github.com/sluice-siem/sluice/gateway/render"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// File appends a line for each entry to a file, whole lines only, and syncs it. The file may be
// renamed or removed at any time, as logrotate does: the next batch opens the path anew. If the path
// names something that can't be synced or cut, such as a pipe or a device, it is only written to.
//
// # Rotation
//
// Before a batch, a file that has reached its size, or that was begun too long ago, is put aside under
// its name with the time in UTC behind it, in milliseconds, so that the names stand in the order of what
// is in the files, whatever the clock does. A batch goes to one file, which therefore may become
// somewhat longer than its size.
//
// A file was begun when its file system says that it was created, which no restart and no write
// changes. Where the file system doesn't keep that, it was begun when this process first saw it.
//
// What was put aside is compressed in the background, and the oldest beyond those to be kept are
// removed; see [shelf].
type File struct {
	path   string
	render render.Func
	log    *slog.Logger
	room   []byte                                  // of the last batch's text
	write  func(f *os.File, b []byte) (int, error) // tests make it fail
	do     func(step string, act func() error) error
	now    func() time.Time

	file     *os.File    // nil: to be opened
	info     os.FileInfo // of file, to know it again
	regular  bool
	torn     bool      // the last line of a pipe or device may be there in part: no one can cut it back
	begun    time.Time // when file was
	nameless bool      // the file's name isn't durable yet

	rotate config.Rotate // off where it is zero
	shelf  *shelf        // nil: nothing was tidied yet
	stuck  time.Time     // when the file could not be put aside; zero where it could
}

// NewFile makes a target of cfg.Path, which is opened with the first batch and created with
// permissions 0640; its directory must exist. It fails for a format that there is not.
func NewFile(cfg config.Target, log *slog.Logger) (*File, error) {
	r, err := render.For(cfg.Format)
	if err != nil {
		return nil, err
	}
	return &File{
		path: cfg.Path, render: r, rotate: cfg.Rotate, log: log.With("target", cfg.Name), write: (*os.File).Write,
		do: func(_ string, act func() error) error { return act() }, now: time.Now,
	}, nil
}

// Deliver appends the batch and returns when it is synced. After a failed write the file is cut back
// to its last whole line. Nobody may call Deliver while it runs.
//
// A pipe whose reader has stopped takes nothing, for ever: what it hasn't taken when ctx ends is to be retried.
func (f *File) Deliver(ctx context.Context, batch []*stream.Entry) ([]Result, error) {
	l := renderLines(f.render, batch, f.room)
	f.room = l.room()
	if len(l.text) == 0 {
		return l.results, l.err
	}
	if err := f.ready(); err != nil {
		return l.results, errors.Join(l.err, err)
	}
	within := func() bool { return true }
	if file := f.file; !f.regular {
		within = context.AfterFunc(ctx, func() { _ = file.SetWriteDeadline(time.Unix(1, 0)) }) // a device may know none
	}
	n, err := f.append(&l)
	if !within() {
		err = errors.Join(err, f.shut()) // also where all was written: the next has no such deadline
	}
	if err != nil {
		err = fmt.Errorf("write %s: %w", f.path, err)
	}
	if n > 0 && f.regular {
		if syncErr := f.file.Sync(); syncErr != nil {
			// What the kernel failed to write it may have thrown away; only a new write can tell.
			err = errors.Join(err, fmt.Errorf("sync %s: %w", f.path, syncErr), f.shut())
			n = 0
		}
	}
	l.delivered(n)
	return l.results, errors.Join(l.err, err)
}

// append writes the lines and returns how many bytes of whole lines are in the file.
func (f *File) append(l *lines) (int, error) {
	var before int64
	if f.regular {
		info, err := f.file.Stat()
		if err != nil {
			return 0, errors.Join(err, f.shut())
		}
		before = info.Size()
	}
	if f.torn {
		if _, err := f.write(f.file, []byte("\n")); err != nil {
			return 0, err
		}
		f.torn = false
	}
	n, err := f.write(f.file, l.text)
	if err == nil && n == len(l.text) {
		return n, nil
	}
	if err == nil {
		err = io.ErrShortWrite
	}
	whole := l.whole(n)
	f.torn = !f.regular && n > whole
	if f.regular && n > whole {
		if cutErr := f.file.Truncate(before + int64(whole)); cutErr != nil {
			err = errors.Join(err, cutErr, f.shut()) // opening it again ends the torn line
			return 0, err
		}
	}
	return whole, err
}

// open opens the file if it isn't open or the path now names another one.
func (f *File) open() error {
	if f.file != nil {
		if now, err := os.Stat(f.path); err == nil && os.SameFile(now, f.info) {
			return nil
		}
		if err := f.shut(); err != nil {
			return err
		}
	}
	flags := os.O_RDWR | os.O_APPEND | os.O_CREATE
	switch was, err := os.Stat(f.path); {
	case errors.Is(err, os.ErrNotExist):
		f.nameless = true
	case err == nil && was.Mode()&os.ModeNamedPipe != 0:
		// Opened for both it would have a reader: us, who throw away what nobody else has read when we stop.
		flags = os.O_WRONLY | os.O_APPEND | syscall.O_NONBLOCK
	}
	var file *os.File
	err := f.do("open", func() (err error) {
		file, err = os.OpenFile(f.path, flags, 0o640)
		if errors.Is(err, syscall.ENXIO) {
			err = fmt.Errorf("nobody reads the pipe: %w", err)
		}
		if errors.Is(err, os.ErrPermission) { // a device or a file that we may only write to
			file, err = os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
		}
		return err
	})
	if err != nil {
		_ = file.Close() // tests have it open and fail
		return fmt.Errorf("open: %w", err)
	}
	f.file, f.begun = file, f.now()
	if f.info, err = file.Stat(); err != nil {
		return errors.Join(fmt.Errorf("open: %w", err), f.shut())
	}
	f.regular = f.info.Mode().IsRegular()
	f.torn = f.info.Mode()&os.ModeNamedPipe != 0 // by a process before; an empty line does no harm
	if f.regular {
		if when, known := born(file); known && f.info.Size() > 0 {
			f.begun = when
		}
		err = f.endTornLine()
	}
	if err == nil && f.regular && f.nameless {
		err = f.do("sync directory of opened", func() error { return durable.SyncDir(filepath.Dir(f.resolve())) })
		f.nameless = err != nil
	}
	if err != nil {
		return errors.Join(fmt.Errorf("open %s: %w", f.path, err), f.shut())
	}
	return nil
}

// endTornLine ends a last line that a crash left without its end. Its entry comes again.
func (f *File) endTornLine() error {
	if !isTorn(f.file, f.info.Size()) {
		return nil
	}
	_, err := f.write(f.file, []byte("\n"))
	return err
}

// Close closes the file, and waits a little for what is compressed, which the next start finishes otherwise.
// Deliver would open the file again.
func (f *File) Close() error {
	err := f.shut()
	if f.shelf != nil {
		f.shelf.close()
		f.shelf = nil
	}
	return err
}

func (f *File) shut() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}
