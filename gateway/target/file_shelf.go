package target

import (
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-siem/sluice/gateway/durable"
)

// shelf is where a file's predecessors stand: base.TIME, and base.TIME.gz when it is compressed. It touches no
// other names.
//
// A file is compressed to base.TIME.gz.new, which is synced before it gets its name, and the name is durable
// before the original is removed. So at any point of a crash one of the two is whole; where both are, the
// compressed one is. The next tidying finishes what a crash has left.
type shelf struct {
	base string
	keep int
	gzip bool
	log  *slog.Logger
	do   func(step string, act func() error) error // tests make it fail
	stop chan struct{}                             // closed by close
	wait time.Duration                             // of close, for what runs

	mu     sync.Mutex    // guards what follows
	done   chan struct{} // closed when the tidying that runs has ended; nil where none does
	again  bool          // tidy once more
	warned bool          // what fails was said
}

// shelfTime is what stands behind base. It sorts as text in the order of time.
const shelfTime = "20060102T150405.000Z"

const (
	shelfGzip = ".gz"
	shelfNew  = ".gz.new"
)

// aside is one file that was put aside, in all its shapes.
type aside struct {
	time                   time.Time
	plain, packed, partial bool
}

// list gives what stands there, the oldest first.
func (s *shelf) list() ([]aside, error) {
	entries, err := os.ReadDir(filepath.Dir(s.base))
	if err != nil {
		return nil, err
	}
	found := map[time.Time]aside{}
	for _, e := range entries {
		rest, ours := strings.CutPrefix(e.Name(), filepath.Base(s.base)+".")
		if !ours || !e.Type().IsRegular() {
			continue
		}
		text, kind := rest, ""
		for _, k := range []string{shelfNew, shelfGzip} {
			if t, ok := strings.CutSuffix(rest, k); ok {
				text, kind = t, k
				break
			}
		}
		at, err := time.Parse(shelfTime, text)
		if err != nil || at.Format(shelfTime) != text {
			continue
		}
		a := found[at]
		a.time = at
		switch kind {
		case shelfNew:
			a.partial = true
		case shelfGzip:
			a.packed = true
		default:
			a.plain = true
		}
		found[at] = a
	}
	var all []aside
	for _, a := range found {
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b aside) int { return a.time.Compare(b.time) })
	return all, nil
}

func (s *shelf) name(at time.Time, kind string) string {
	return s.base + "." + at.UTC().Format(shelfTime) + kind
}

// nextName is the name of a file that is put aside now. It comes behind all that are there, even where the
// clock was set back.
func (s *shelf) nextName(now time.Time) (string, error) {
	all, err := s.list()
	if err != nil {
		return "", err
	}
	at := now.UTC().Truncate(time.Millisecond)
	if n := len(all); n > 0 && !at.After(all[n-1].time) {
		at = all[n-1].time.Add(time.Millisecond)
	}
	return s.name(at, ""), nil
}

// tidy compresses and removes what is to be, in the background, one thing after the other.
func (s *shelf) tidy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done != nil {
		s.again = true
		return
	}
	done := make(chan struct{})
	s.done = done
	go func() {
		defer close(done)
		for more := true; more; {
			err := s.tidyNow()
			s.mu.Lock()
			if err != nil && !errors.Is(err, errStopped) && !s.warned {
				s.log.Warn("files that were put aside can't be tidied up; what isn't compressed stays as it is", "path", s.base, "err", err)
			}
			s.warned = err != nil
			more = s.again
			s.again = false
			if !more {
				s.done = nil
			}
			s.mu.Unlock()
		}
	}()
}

// tidyNow tidies once. What fails with one file keeps it from no other.
func (s *shelf) tidyNow() error {
	all, err := s.list()
	if err != nil {
		return err
	}
	var failed error
	for _, a := range all {
		if a.partial {
			failed = errors.Join(failed, s.remove(a, shelfNew))
		}
	}
	all = slices.DeleteFunc(all, func(a aside) bool { return !a.plain && !a.packed })
	old := max(0, len(all)-s.keep)
	for _, a := range all[:old] {
		if a.plain {
			failed = errors.Join(failed, s.remove(a, ""))
		}
		if a.packed {
			failed = errors.Join(failed, s.remove(a, shelfGzip))
		}
	}
	for _, a := range all[old:] {
		if a.plain && (a.packed || s.gzip) {
			failed = errors.Join(failed, s.pack(a))
		}
	}
	return failed
}

// pack leaves the compressed file only. That it has its name is durable before the original goes.
func (s *shelf) pack(a aside) error {
	if !a.packed {
		if err := s.compress(a); err != nil {
			return err
		}
	}
	if err := s.do("sync directory of compressed", func() error { return durable.SyncDir(filepath.Dir(s.base)) }); err != nil {
		return err
	}
	return s.remove(a, "")
}

func (s *shelf) remove(a aside, kind string) error {
	return s.do("remove "+cmp.Or(kind, "plain"), func() error { return os.Remove(s.name(a.time, kind)) })
}

// compress makes a compressed copy, which is durable before it gets the name that says that it is whole.
func (s *shelf) compress(a aside) (err error) {
	name, fresh := s.name(a.time, ""), s.name(a.time, shelfNew)
	defer func() {
		if err != nil {
			err = fmt.Errorf("compress %s: %w", name, err)
			if e := s.remove(a, shelfNew); e != nil && !errors.Is(e, os.ErrNotExist) {
				err = errors.Join(err, e)
			}
		}
	}()
	from, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }() // it was only read
	info, err := from.Stat()
	if err != nil {
		return err
	}
	var to *os.File
	if err := s.do("create", func() (err error) {
		to, err = os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
		return err
	}); err != nil {
		if to != nil {
			_ = to.Close()
		}
		return err
	}
	err = s.do("compress", func() error {
		z := gzip.NewWriter(to)
		z.ModTime, z.Name = info.ModTime(), filepath.Base(name)
		return errors.Join(copyUntil(s.stop, z, from), z.Close())
	})
	if err == nil {
		err = s.do("sync compressed", to.Sync)
	}
	if e := to.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = s.do("rename compressed", func() error { return os.Rename(fresh, s.name(a.time, shelfGzip)) })
	}
	return err
}

// close waits for the tidying, but not for long.
func (s *shelf) close() {
	s.mu.Lock()
	done := s.done
	s.mu.Unlock()
	if done == nil {
		return
	}
	timer := time.NewTimer(s.wait)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		close(s.stop)
		<-done
	}
}
