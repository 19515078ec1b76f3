package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway/ledger"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// openState opens the state of recognition and brings it to the end of the stream. A state that the
// stream doesn't prove (damaged, lost, or ahead of a restored or torn stream) is put aside and rebuilt
// from the newest checkpoint and the stream; the log says what it no longer remembers. One that merely can't be
// opened now stays as it is, and there is no start.
func openState(ctx context.Context, c config.Config, s *stream.Stream, log *slog.Logger) (*dedup.Index, error) {
	index, err := openProved(ctx, c, stateDir(c), s)
	switch {
	case isUnfit(err):
		return rebuildState(ctx, c, s, err, log)
	case err != nil:
		return nil, fmt.Errorf("the state can't be opened, and is left as it is: %w", err)
	}
	return foldedState(ctx, c, index, s, log)
}

// unfit is what is wrong with a state that could be read: it is no use trying again.
type unfit struct{ error }

func (e unfit) Unwrap() error { return e.error }

// isUnfit says whether the state itself, or the checkpoint, is wrong, and not the reading of it.
func isUnfit(err error) bool {
	_, ok := errors.AsType[unfit](err)
	return ok || errors.Is(err, dedup.ErrDamaged)
}

// rebuildState is openState where something is wrong with the state that is there.
func rebuildState(ctx context.Context, c config.Config, s *stream.Stream, wrong error, log *slog.Logger) (*dedup.Index, error) {
	if lost, ok := errors.AsType[*lostError](wrong); ok {
		log.Error("the stream has lost its end: what was recorded there is lost",
			"files", streamDir(c), "lost_from", lost.last+1, "lost_to", lost.seen)
		if err := ledger.Note(c.DataDir, ledger.Loss{First: lost.last + 1, Last: lost.seen, Noticed: time.Now()}); err != nil {
			return nil, err
		}
	}
	log.Warn("the state is set aside and rebuilt from the stream", "set_aside", aside(stateDir(c)), "err", wrong)
	index, err := rebuild(ctx, c, stateDir(c), s, log)
	if err != nil {
		return nil, err
	}
	return foldedState(ctx, c, index, s, log)
}

// foldedState brings an open state to the end of the stream.
func foldedState(ctx context.Context, c config.Config, index *dedup.Index, s *stream.Stream, log *slog.Logger) (*dedup.Index, error) {
	if err := errors.Join(fold(ctx, index, s, log), thisBoot(c).note()); err != nil {
		return nil, errors.Join(err, index.Close())
	}
	return index, nil
}

// streamDir is where the stream is kept.
func streamDir(c config.Config) string { return filepath.Join(c.DataDir, "stream") }

// stateDir is where the state of recognition is kept.
func stateDir(c config.Config) string { return filepath.Join(c.DataDir, "state") }

// openProved opens the state in dir if its tables are what was written, the stream proves what it has seen, and no power cut
// may have made a hole in it: that shows only as long as nobody has opened it.
func openProved(ctx context.Context, c config.Config, dir string, s *stream.Stream) (*dedup.Index, error) {
	if err := thisBoot(c).whole(dir); err != nil {
		return nil, err
	}
	if first, _ := s.Bounds(); first > 1 {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return nil, unfit{fmt.Errorf("there is no state, and the stream begins at %d", first)}
		}
	}
	if err := dedup.CheckTables(ctx, dir); err != nil {
		return nil, err
	}
	index, err := dedup.Open(dir, c)
	if err != nil {
		return nil, dedup.Diagnose(ctx, dir, err)
	}
	mark, err := index.Mark()
	if err != nil {
		err = unfit{err}
	} else {
		err = proves(ctx, s, mark)
	}
	if err != nil {
		return nil, errors.Join(err, index.Close())
	}
	return index, nil
}

// proves says whether the stream has what the mark has seen, and what comes after it.
func proves(ctx context.Context, s *stream.Stream, m dedup.Mark) error {
	first, last := s.Bounds()
	switch {
	case m.Sequence == 0 && first <= 1:
		return nil
	case m.Sequence > last:
		return unfit{&lostError{m.Sequence, last}}
	case m.Sequence < first:
		return unfit{fmt.Errorf("the state has seen batch %d, the stream begins at %d", m.Sequence, first)}
	}
	err := s.Prove(ctx, m.Sequence, m.Hash)
	switch {
	case errors.Is(err, stream.ErrMismatch), errors.Is(err, stream.ErrNotYet), errors.Is(err, stream.ErrPurged),
		errors.Is(err, stream.ErrLost), errors.Is(err, stream.ErrFormat):
		return unfit{err}
	}
	return err
}

// lostError: the stream ends before what was seen of it.
type lostError struct{ seen, last uint64 }

func (e *lostError) Error() string {
	return fmt.Sprintf("the state has seen batch %d, the stream ends at %d", e.seen, e.last)
}

// mostAside is how many states are kept that were set aside: the first ones, and the last in place of the one before.
const mostAside = 3

// aside is where the state in dir is set aside. What was set aside before may be the only copy of something.
func aside(dir string) string {
	to := dir + ".damaged"
	for n := 2; n <= mostAside; n++ {
		if _, err := os.Stat(to); errors.Is(err, fs.ErrNotExist) {
			break
		}
		to = fmt.Sprintf("%s.damaged.%d", dir, n)
	}
	return to
}

// rebuild starts from the checkpoint, or from nothing, and sets the state in dir aside. What is made of the
// checkpoint takes its place when it is complete: half of one would have a mark that the stream proves.
func rebuild(ctx context.Context, c config.Config, dir string, s *stream.Stream, log *slog.Logger) (*dedup.Index, error) {
	fresh := dir + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return nil, fmt.Errorf("begin the state anew: %w", err)
	}
	err := restore(ctx, c, fresh, s)
	switch {
	case isUnfit(err):
		first, _ := s.Bounds()
		log.Error("no checkpoint fits the stream: what was notified before its first batch is not remembered, "+
			"and a resend of it would be forwarded again", "first_batch", first, "err", err)
		if err := os.RemoveAll(fresh); err != nil {
			return nil, fmt.Errorf("begin the state anew: %w", err)
		}
	case err != nil:
		return nil, fmt.Errorf("begin the state anew: %w", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		to := aside(dir)
		if err := os.RemoveAll(to); err != nil { // the last one, where there are as many as are kept
			return nil, fmt.Errorf("set the state aside: %w", err)
		}
		if err := os.Rename(dir, to); err != nil {
			return nil, fmt.Errorf("set the state aside: %w", err)
		}
	}
	if err := os.Rename(fresh, dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("begin the state anew: %w", err)
	}
	return dedup.Open(dir, c)
}

// restore makes a state in dir of the checkpoint, if the stream proves what that has seen.
func restore(ctx context.Context, c config.Config, dir string, s *stream.Stream) error {
	index, err := dedup.Open(dir, c)
	if err != nil {
		return err
	}
	mark, err := index.Restore(checkpointPath(c))
	if err == nil {
		err = proves(ctx, s, mark)
	}
	return errors.Join(err, index.Close())
}

// fold applies what the stream has after the state's mark.
func fold(ctx context.Context, index *dedup.Index, s *stream.Stream, log *slog.Logger) error {
	mark, err := index.Mark()
	if err != nil {
		return err
	}
	first, last := s.Bounds()
	if mark.Sequence >= last {
		return nil
	}
	begun := max(mark.Sequence+1, first)
	for m, err := range s.Salvage(ctx, begun) {
		switch {
		case errors.Is(err, stream.ErrLost), errors.Is(err, stream.ErrFormat):
			log.Error("a batch of the stream can't be read: what it recorded is not remembered, and resends of it "+
				"would be forwarded again", "batch", m.Sequence, "err", err)
			continue
		case err != nil:
			return fmt.Errorf("fold the stream: %w", err)
		}
		if err := foldMessage(index, m, &mark); err != nil {
			return err
		}
	}
	log.Info("state brought to the end of the stream", "batches", last-begun+1, "sequence", last)
	return nil
}

// folds says whether an entry changes the state. A link tells what is in it already, and what operators do to
// alerts is nothing by which one is recognised.
func folds(e *stream.Entry) bool { return e.Kind != stream.Link && e.Kind != stream.Acted }

func foldMessage(index *dedup.Index, m *stream.Message, mark *dedup.Mark) error {
	b := index.Begin()
	defer b.Discard()
	for _, e := range m.Entries {
		if e.Time.After(mark.Time) {
			mark.Time = e.Time
		}
		if !folds(e) {
			continue
		}
		if err := b.Apply(outcome(e)); err != nil {
			return fmt.Errorf("fold entry %s of batch %d: %w", e.Key, m.Sequence, err)
		}
	}
	mark.Sequence, mark.Hash = m.Sequence, m.Hash
	return b.Commit(*mark)
}

// checkpointPath is where the state is copied beside the stream: remember is longer than the retention,
// so a rebuild is checkpoint plus stream, and the stream is never purged past the newest checkpoint.
func checkpointPath(c config.Config) string { return filepath.Join(c.DataDir, "checkpoint") }
