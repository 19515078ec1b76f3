package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/durable"
	"github.com/sluice-siem/sluice/gateway/render"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// File appends a line for each entry to a file, whole lines only, and syncs it. The file may be
// renamed or removed at any time, as logrotate does: the next batch opens the path anew. If the path
// names something that can't be synced or cut, such as a pipe or a device, it is only written to.
type File struct {
	path   string
	render render.Func
	room   []byte                                  // of the last batch's text
	write  func(f *os.File, b []byte) (int, error) // tests make it fail

	file    *os.File    // nil: to be opened
	info    os.FileInfo // of file, to know it again
	regular bool
}

// NewFile makes a target of cfg.Path, which is opened with the first batch and created with
// permissions 0640; its directory must exist. It fails for a format that is neither cef nor json.
func NewFile(cfg config.Target) (*File, error) {
	r, err := render.For(cfg.Format)
	if err != nil {
		return nil, err
	}
	return &File{path: cfg.Path, render: r, write: (*os.File).Write}, nil
}

// Deliver appends the batch and returns when it is synced. After a failed write the file is cut back
// to its last whole line. Nobody may call Deliver while it runs.
func (f *File) Deliver(_ context.Context, batch []*stream.Entry) ([]Result, error) {
	l := renderLines(f.render, batch, f.room)
	f.room = l.room()
	if len(l.text) == 0 {
		return l.results, l.err
	}
	if err := f.open(); err != nil {
		return l.results, errors.Join(l.err, err)
	}
	n, err := f.append(&l)
	if err != nil {
		err = fmt.Errorf("write %s: %w", f.path, err)
	}
	if n > 0 && f.regular {
		if syncErr := f.file.Sync(); syncErr != nil {
			// What the kernel failed to write it may have thrown away; only a new write can tell.
			err = errors.Join(err, fmt.Errorf("sync %s: %w", f.path, syncErr), f.Close())
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
			return 0, errors.Join(err, f.Close())
		}
		before = info.Size()
	}
	n, err := f.write(f.file, l.text)
	if err == nil && n == len(l.text) {
		return n, nil
	}
	if err == nil {
		err = io.ErrShortWrite
	}
	whole := l.whole(n)
	if f.regular && n > whole {
		if cutErr := f.file.Truncate(before + int64(whole)); cutErr != nil {
			err = errors.Join(err, cutErr, f.Close()) // opening it again ends the torn line
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
		if err := f.Close(); err != nil {
			return err
		}
	}
	_, missing := os.Lstat(f.path)
	file, err := os.OpenFile(f.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o640)
	if errors.Is(err, os.ErrPermission) { // a device or a file that we may only write to
		file, err = os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	}
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	f.file = file
	if f.info, err = file.Stat(); err != nil {
		return errors.Join(fmt.Errorf("open: %w", err), f.Close())
	}
	f.regular = f.info.Mode().IsRegular()
	if f.regular {
		err = f.endTornLine()
	}
	if err == nil && f.regular && errors.Is(missing, os.ErrNotExist) {
		err = durable.SyncDir(filepath.Dir(f.path))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("open %s: %w", f.path, err), f.Close())
	}
	return nil
}

// endTornLine ends a last line that a crash left without its end. Its entry comes again.
func (f *File) endTornLine() error {
	if f.info.Size() == 0 {
		return nil
	}
	last := make([]byte, 1)
	switch _, err := f.file.ReadAt(last, f.info.Size()-1); {
	case err != nil && !errors.Is(err, io.EOF):
		last[0] = 0 // it can't be read: an empty line does no harm
	case last[0] == '\n':
		return nil
	}
	_, err := f.write(f.file, []byte("\n"))
	return err
}

// Close closes the file; Deliver would open it again.
func (f *File) Close() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}
