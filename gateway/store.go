package gateway

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/deadletter"
	"github.com/sluice-siem/sluice/gateway/ledger"
	"github.com/sluice-siem/sluice/gateway/render"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// Finding is what one of the files below data_dir is like.
type Finding struct {
	Store string // stream, state, checkpoint, model, access, cursor NAME, dead letters NAME, view of a limited role
	What  string // in words
	Bad   bool   // something is damaged or lost
}

// store is data_dir of a gateway that doesn't run.
type store struct {
	config   config.Config
	stream   *stream.Stream
	letters  *deadletter.Store
	lost     int // batches of the stream that can't be read
	findings []Finding
}

// openStore fails where there is no store, or a gateway has it open, or root would leave files that the
// gateway's user can't open any more.
func openStore(ctx context.Context, c config.Config, log *slog.Logger) (*store, error) {
	dir := streamDir(c)
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("there is no store in %s: %w", c.DataDir, err)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 && owner.Uid != 0 {
		return nil, fmt.Errorf("the store in %s is user %d's: run this as that user, as root would leave files that it can't open",
			c.DataDir, owner.Uid)
	}
	s := &store{config: c}
	s.stream, err = stream.Open(ctx, stream.Options{
		Dir: dir, Cursors: filepath.Join(c.DataDir, "cursors"), Synced: true, MaxDisk: int64(c.Stream.MaxDisk), Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("open the stream in %s: %w", c.DataDir, err)
	}
	if s.letters, err = deadletter.Open(filepath.Join(c.DataDir, "deadletters")); err != nil {
		return nil, errors.Join(err, s.stream.Close())
	}
	return s, nil
}

func (s *store) found(bad bool, name, format string, args ...any) {
	s.findings = append(s.findings, Finding{name, fmt.Sprintf(format, args...), bad})
}

// CheckStore looks at every file below data_dir of a gateway that doesn't run. It mends nothing.
func CheckStore(ctx context.Context, c config.Config, log *slog.Logger) (findings []Finding, err error) {
	s, err := openStore(ctx, c, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stream.Close()) }()
	if err := s.checkStream(ctx); err != nil {
		return s.findings, err
	}
	s.checkState(ctx)
	s.checkCheckpoint(ctx)
	if err := s.checkModels(ctx); err != nil {
		return s.findings, err
	}
	s.eachCursor(func(name, reader string) {
		at, err := s.stream.Cursor(ctx, reader)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			s.found(false, name, "none yet: the next start makes it")
		case err != nil:
			s.found(true, name, "%v; it would begin earlier, and entries be delivered twice", err)
		default:
			s.found(false, name, "stands at batch %d, entry %d", at.Sequence, at.Index)
		}
	})
	if err := ledger.CheckLosses(c.DataDir); err != nil {
		s.found(true, "ledger", "%v", err)
	}
	for _, d := range access.Check(c.DataDir) {
		s.found(true, "access", "%s: %v; the next start sets it aside: %s", filepath.Base(d.Path), d.Err, d.Lost)
	}
	return s.findings, s.eachLetter(func(name, _, id string, err error) {
		s.found(true, name, "%s can't be read: %v", id, err)
	})
}

// checkEnds finds what is missing where nothing is left that could be read in vain.
func (s *store) checkEnds() {
	if first, last := s.stream.Missing(); last > 0 {
		s.found(true, "stream", "batches %d to %d can't be found behind one that is damaged", first, last)
	}
	if first, last := s.stream.Bounds(); last > 0 && first > last { // the newest batch is never purged
		s.found(true, "stream", "it had batches up to %d, and none of them is in its files", last)
	}
}

func (s *store) checkStream(ctx context.Context) error {
	s.checkEnds()
	first, last := s.stream.Bounds()
	entries := 0
	for m, err := range s.stream.Salvage(ctx, first) {
		switch {
		case m == nil:
			return err
		case err != nil:
			s.lost++
			s.found(true, "stream", "batch %d: %v", m.Sequence, err)
		}
		entries += len(m.Entries)
	}
	s.found(false, "stream", "batches %d to %d, %d entries, %d bytes; %d batches can't be read", first, last, entries, s.stream.Bytes(), s.lost)
	return nil
}

func (s *store) checkState(ctx context.Context) {
	index, err := openProved(ctx, s.config, stateDir(s.config), s.stream)
	switch {
	case isUnfit(err):
		s.found(true, "state", "%v; it is rebuilt when the gateway starts", err)
		return
	case err != nil:
		s.found(true, "state", "%v", err)
		return
	}
	keys := 0
	err = index.Each(func([]byte, []byte) error { keys++; return nil })
	mark, markErr := index.Mark()
	if err = errors.Join(err, markErr, index.Close()); err != nil {
		s.found(true, "state", "%v", err)
		return
	}
	s.found(false, "state", "has seen batch %d, holds %d notifications, %d keys", mark.Sequence, index.Held(), keys)
}

func (s *store) checkCheckpoint(ctx context.Context) {
	path := checkpointPath(s.config)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		s.found(false, "checkpoint", "none yet: the stream is whole, or nothing was ever removed from it")
		return
	}
	index, err := dedup.Open("", s.config)
	if err != nil {
		s.found(true, "checkpoint", "%v", err)
		return
	}
	mark, err := index.Restore(path)
	if err == nil {
		err = proves(ctx, s.stream, mark)
	}
	if err = errors.Join(err, index.Close()); err != nil {
		s.found(true, "checkpoint", "%v; a lost state would be rebuilt from the stream alone", err)
		return
	}
	s.found(false, "checkpoint", "has seen batch %d", mark.Sequence)
}

// eachCursor visits the cursors of the configuration's targets, and the ledger's.
func (s *store) eachCursor(visit func(name, reader string)) {
	for _, t := range s.config.Targets {
		visit("cursor "+t.Name, t.Name)
	}
	visit("ledger", ledger.CursorName)
}

// eachLetter counts the dead letters of the configuration's targets and visits those that can't be read; name is
// what findings call the target's.
func (s *store) eachLetter(damaged func(name, target, id string, err error)) error {
	for _, t := range s.config.Targets {
		name := "dead letters " + t.Name
		ids, err := s.letters.List(t.Name)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if _, err := s.letters.Read(t.Name, id); err != nil {
				damaged(name, t.Name, id, err)
			}
		}
		s.found(false, name, "%d kept", len(ids))
	}
	return nil
}

// RepairStore mends what a gateway's start would, and more: the state is rebuilt from the checkpoint and
// the stream where it is damaged or the stream doesn't bear it out, damaged files of the model are set aside, to be made
// anew, cursors that are damaged begin where they can be proved, and damaged dead letters, passwords and tokens are set
// aside. Nothing is deleted that could be read.
func RepairStore(ctx context.Context, c config.Config, log *slog.Logger) (findings []Finding, err error) {
	s, err := openStore(ctx, c, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stream.Close()) }()
	if err := s.checkStream(ctx); err != nil {
		return s.findings, err
	}
	index, err := s.repairState(ctx, log)
	if err != nil {
		return s.findings, err
	}
	mark, err := index.Mark()
	if err == nil {
		_, err = index.Checkpoint(checkpointPath(c))
	}
	if err = errors.Join(err, index.Close()); err != nil {
		return s.findings, err
	}
	s.found(false, "state", "has seen batch %d; a checkpoint of it is written", mark.Sequence)
	if err := s.repairModels(ctx); err != nil {
		return s.findings, err
	}
	damaged, err := access.Mend(c.DataDir)
	for _, d := range damaged {
		s.found(true, "access", "%s: %v; it is set aside: %s", filepath.Base(d.Path), d.Err, d.Lost)
	}
	if err != nil {
		return s.findings, err
	}
	l, err := ledger.Open(ctx, s.stream, c.DataDir, log) // it puts on record what it had counted and is lost
	if err == nil {
		err = l.Close()
	}
	if err != nil {
		return s.findings, err
	}
	var failed error
	s.eachCursor(func(name, reader string) {
		if _, err := s.stream.Cursor(ctx, reader); errors.Is(err, fs.ErrNotExist) { // a start makes it where the target's from says
			s.found(false, name, "none yet: the next start makes it")
			return
		}
		r, err := s.stream.Reader(ctx, reader, stream.Oldest)
		if err != nil {
			failed = errors.Join(failed, err)
			return
		}
		at := r.Committed()
		failed = errors.Join(failed, r.Close())
		s.found(false, name, "stands at batch %d, entry %d", at.Sequence, at.Index)
	})
	if failed != nil {
		return s.findings, failed
	}
	return s.findings, s.eachLetter(func(name, target, id string, err error) {
		aside, setErr := s.letters.SetAside(target, id)
		s.found(true, name, "%s can't be read (%v): it is set aside as %s", id, errors.Join(err, setErr), aside)
	})
}

// repairState is openState that tells a finding, too; the log says what a rebuilt state no longer remembers.
func (s *store) repairState(ctx context.Context, log *slog.Logger) (*dedup.Index, error) {
	index, err := openProved(ctx, s.config, stateDir(s.config), s.stream)
	switch {
	case isUnfit(err):
		s.found(false, "state", "%v; it is set aside as %s and rebuilt", err, aside(stateDir(s.config)))
		return rebuildState(ctx, s.config, s.stream, err, log)
	case err != nil:
		return nil, err
	}
	return foldedState(ctx, s.config, index, s.stream, log)
}

// ExportStore writes every entry of the stream that can be read, the suppressed ones too, as JSON lines,
// and says what could not be read.
func ExportStore(ctx context.Context, c config.Config, log *slog.Logger, w io.Writer) (findings []Finding, err error) {
	s, err := openStore(ctx, c, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stream.Close()) }()
	asJSON, err := render.For("json")
	if err != nil {
		return nil, err
	}
	s.checkEnds()
	out := bufio.NewWriterSize(w, 1<<20)
	defer func() { // what was read before something failed is worth having, too
		if flushErr := out.Flush(); err == nil {
			err = flushErr
		}
	}()
	var line []byte
	for m, err := range s.stream.Salvage(ctx, 0) {
		switch {
		case m == nil:
			return s.findings, err
		case err != nil:
			s.found(true, "stream", "batch %d: %v", m.Sequence, err)
			continue
		}
		for _, e := range m.Entries {
			if line, err = asJSON(line[:0], e, 0); err != nil {
				return s.findings, err
			}
			if _, err := out.Write(append(line, '\n')); err != nil {
				return s.findings, err
			}
		}
	}
	return s.findings, nil
}
