package target

import (
	"context"
	"errors"
	"fmt"
	"io"

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
	w      io.Writer
	render render.Func
	room   []byte // of the last batch's text
	torn   bool   // the last line was written in part
}

// NewStdout makes a target of w. It fails for a format that [render.For] does not know.
func NewStdout(cfg config.Target, w io.Writer) (*Stdout, error) {
	r, err := render.For(cfg.Format)
	if err != nil {
		return nil, err
	}
	return &Stdout{w: w, render: r}, nil
}

// Deliver writes the batch at once. After an error those entries are delivered whose whole line the
// writer took; a torn line is ended before the next. Nobody may call Deliver while it runs. Whoever
// gives it [os.Stdout] must ignore SIGPIPE, or Go ends the process when the reader goes.
func (s *Stdout) Deliver(_ context.Context, batch []*stream.Entry) ([]Result, error) {
	l := renderLines(s.render, batch, s.room)
	s.room = l.room()
	if len(l.text) == 0 {
		return l.results, l.err
	}
	if s.torn {
		if _, err := s.w.Write([]byte("\n")); err != nil {
			return l.results, errors.Join(l.err, fmt.Errorf("write a line end: %w", err))
		}
		s.torn = false
	}
	n, err := s.w.Write(l.text)
	if err == nil && n < len(l.text) {
		err = io.ErrShortWrite
	}
	l.delivered(n)
	if err != nil {
		s.torn = n > l.whole(n)
		err = fmt.Errorf("write %d lines: %w", len(batch), err)
	}
	return l.results, errors.Join(l.err, err)
}

// Close does nothing: the writer is its owner's.
func (s *Stdout) Close() error { return nil }
