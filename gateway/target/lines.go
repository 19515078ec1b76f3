package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/render"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// lines is a batch as text, a line for each entry that can be rendered.
type lines struct {
	text    []byte
	ends    []int    // of entry i's line in text, with its line feed; that of the one before for a rejected entry
	results []Result // Retry, or Rejected
	err     error    // of the rejected ones
}

// renderLines renders a batch with a line feed behind each entry, in the room that an earlier batch's
// text had.
func renderLines(r render.Func, batch []*stream.Entry, room []byte) lines {
	l := lines{text: room[:0], ends: make([]int, len(batch)), results: make([]Result, len(batch))}
	for i := range batch {
		text, err := r(l.text, batch[i], 0)
		if err != nil {
			l.results[i] = Rejected
			l.err = errors.Join(l.err, reject(batch[i], err))
		} else {
			l.text = append(text, '\n')
		}
		l.ends[i] = len(l.text)
	}
	return l
}

// room is where the next batch's text may stand, unless that of a rare batch would be kept for ever.
func (l *lines) room() []byte {
	const most = 1 << 20
	if cap(l.text) > most {
		return nil
	}
	return l.text
}

// whole returns how many of the first n bytes are whole lines.
func (l *lines) whole(n int) int {
	end := 0
	for _, e := range l.ends {
		if e > n {
			break
		}
		end = e
	}
	return end
}

// delivered marks the entries whose lines are within the first n bytes.
func (l *lines) delivered(n int) {
	for i, end := range l.ends {
		if end <= n && l.results[i] == Retry {
			l.results[i] = Delivered
		}
	}
}

// Stdout writes a line for each entry to a stream that can only be written to, such as standard
// output.
type Stdout struct {
	w       io.Writer
	render  render.Func
	room    []byte     // of the last batch's text
	torn    bool       // the last line was written in part
	pending chan wrote // of a write that was left behind; nil where there is none
}

// wrote is what a write says.
type wrote struct {
	n   int
	err error
}

// NewStdout makes a target of w. It fails for a format that [render.For] does not know. Where w is a file or a pipe, a process before
// may have been killed in the middle of a line: that one is ended before the first.
func NewStdout(cfg config.Target, w io.Writer) (*Stdout, error) {
	r, err := render.For(cfg.Format)
	if err != nil {
		return nil, err
	}
	return &Stdout{w: w, render: r, torn: mayBeTorn(w)}, nil
}

// mayBeTorn says whether w may end with a part of a line. In a pipe that outlived its writer, as a supervisor's does, nobody can see it;
// an empty line does no harm.
func mayBeTorn(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err == nil && info.Mode()&os.ModeNamedPipe != 0
	}
	r, err := os.Open(f.Name()) // f itself may be for writing alone
	if err != nil {
		return info.Size() > 0
	}
	defer func() { _ = r.Close() }() // it was only read
	return isTorn(r, info.Size())
}

// isTorn says whether the last of so many bytes is no line end. Where it can't be read it may be none.
func isTorn(r io.ReaderAt, size int64) bool {
	if size == 0 {
		return false
	}
	last := make([]byte, 1)
	_, err := r.ReadAt(last, size-1)
	return err != nil && !errors.Is(err, io.EOF) || last[0] != '\n'
}

// Deliver writes the batch at once. After an error those entries are delivered whose whole line the
// writer took; a torn line is ended before the next. Nobody may call Deliver while it runs. Whoever
// gives it [os.Stdout] must ignore SIGPIPE, or Go ends the process when the reader goes.
//
// A pipe whose reader has stopped takes nothing, for ever, and no deadline ends a write to standard output: so where
// ctx ends the write is left behind, and whether it was done isn't known.
func (s *Stdout) Deliver(ctx context.Context, batch []*stream.Entry) ([]Result, error) {
	l := renderLines(s.render, batch, s.room)
	s.room = l.room()
	if len(l.text) == 0 {
		return l.results, l.err
	}
	if err := s.catchUp(ctx); err != nil {
		return l.results, errors.Join(l.err, err)
	}
	n, err := s.write(ctx, l.text)
	if err == nil && n < len(l.text) {
		err = io.ErrShortWrite
	}
	l.delivered(n)
	if err != nil {
		s.torn = n > l.whole(n) || s.pending != nil
		err = fmt.Errorf("write %d lines: %w", len(batch), err)
	}
	return l.results, errors.Join(l.err, err)
}

// catchUp waits for a write that was left behind, and ends a torn line.
func (s *Stdout) catchUp(ctx context.Context) error {
	if s.pending != nil {
		if _, err := s.await(ctx); s.pending != nil {
			return fmt.Errorf("wait for the write before: %w", err)
		}
	}
	if !s.torn {
		return nil
	}
	if _, err := s.write(ctx, []byte("\n")); err != nil {
		return fmt.Errorf("write a line end: %w", err)
	}
	s.torn = false
	return nil
}

// write writes b, which must not change any more where ctx ends it.
func (s *Stdout) write(ctx context.Context, b []byte) (int, error) {
	s.pending = make(chan wrote, 1)
	go func(pending chan<- wrote) {
		n, err := s.w.Write(b)
		pending <- wrote{n, err}
	}(s.pending)
	return s.await(ctx)
}

// await waits for the write that is pending, until ctx ends.
func (s *Stdout) await(ctx context.Context) (int, error) {
	var w wrote
	select {
	case w = <-s.pending:
	case <-ctx.Done():
		select {
		case w = <-s.pending: // at the same time
		default:
			s.room, s.torn = nil, true // wherever it stops
			return 0, ctx.Err()
		}
	}
	s.pending = nil
	return w.n, w.err
}

// Close does nothing: the writer is its owner's.
func (s *Stdout) Close() error { return nil }
