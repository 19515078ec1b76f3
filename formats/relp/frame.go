// Package relp reads and writes the frames of RELP, the syslog transport with acknowledgements that
// rsyslog speaks, as librelp's doc/relp.html describes it.
package relp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Frame is one command or answer.
type Frame struct {
	Number  int    // transaction number, 0 for a hint, which nobody answers
	Command string // open, syslog, close, rsp, serverclose...
	Data    []byte // the receiver may keep it
	Cut     bool   // there was more data, which was thrown away
}

// ErrFrame is what a [Reader] says of bytes that are no frame. Nothing after them can be understood.
var ErrFrame = errors.New("no RELP frame")

const (
	numberDigits = 9  // 999,999,999 is followed by 1
	maxCommand   = 32 // letters
	countDigits  = 10 // one more than the protocol has: 2 GiB are cut, not argued about

	firstRead = 4 << 10
	mostRead  = 64 << 10
)

// Reader reads frames. It holds at most the data of one frame, up to the limit, and a buffer: what a
// frame announces costs nothing before it comes, and nothing at all beyond the limit.
type Reader struct {
	r    io.Reader
	max  int // bytes of data that are kept
	buf  []byte
	rest []byte // of buf: read and not used
	full bool   // the last read filled the buffer
}

// NewReader returns a Reader that keeps up to max bytes of a frame's data.
func NewReader(r io.Reader, max int) *Reader { return &Reader{r: r, max: max} }

// Next reads the next frame to its end. It reads from the underlying reader only when no whole frame
// is left of what was read before. The error is [io.EOF] at an end between two frames, [ErrFrame], or
// the underlying reader's, which is [io.ErrUnexpectedEOF] at an end within a frame.
func (r *Reader) Next() (Frame, error) {
	if err := r.have(); err != nil {
		return Frame{}, err
	}
	f, err := r.frame()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return f, err
}

// frame reads TXNR SP COMMAND SP DATALEN [SP DATA] LF.
func (r *Reader) frame() (f Frame, err error) {
	number, _, err := r.number(numberDigits, " ")
	if err != nil {
		return f, fmt.Errorf("transaction number: %w", err)
	}
	f.Number = int(number)
	if f.Command, err = r.command(); err != nil {
		return f, fmt.Errorf("command: %w", err)
	}
	length, end, err := r.number(countDigits, " \n")
	if err != nil {
		return f, fmt.Errorf("length: %w", err)
	}
	if end == '\n' {
		if length > 0 {
			return f, fmt.Errorf("no data where %d bytes are announced: %w", length, ErrFrame)
		}
		return f, nil
	}
	if err = r.data(&f, length); err != nil {
		return f, err
	}
	c, err := r.next()
	if err == nil && c != '\n' {
		err = fmt.Errorf("%q behind %d bytes of data, want a line feed: %w", c, length, ErrFrame)
	}
	return f, err
}

// number reads digits, of which there is at least one, and the byte behind them, which is one of ends.
func (r *Reader) number(digits int, ends string) (n int64, end byte, err error) {
	for i := range digits + 1 {
		c, err := r.next()
		switch {
		case err != nil:
			return 0, 0, err
		case i > 0 && strings.IndexByte(ends, c) >= 0:
			return n, c, nil
		case c < '0' || c > '9':
			return 0, 0, fmt.Errorf("%q, want a digit or the end: %w", c, ErrFrame)
		}
		n = n*10 + int64(c-'0')
	}
	return 0, 0, fmt.Errorf("more than %d digits: %w", digits, ErrFrame)
}

// command reads letters and the blank behind them.
func (r *Reader) command() (string, error) {
	var name [maxCommand]byte
	for i := range maxCommand + 1 {
		c, err := r.next()
		switch {
		case err != nil:
			return "", err
		case i > 0 && c == ' ':
			return string(name[:i]), nil
		case i == maxCommand || (c < 'a' || c > 'z') && (c < 'A' || c > 'Z'):
			return "", fmt.Errorf("%q after %d letters: %w", c, i, ErrFrame)
		}
		name[i] = c
	}
	return "", ErrFrame // not reached
}

// data reads what is announced, and keeps what is within the limit. The memory follows what came.
func (r *Reader) data(f *Frame, length int64) error {
	keep := int(min(length, int64(r.max)))
	f.Cut = length > int64(keep)
	f.Data = make([]byte, 0, min(keep, firstRead))
	for length > 0 {
		if err := r.have(); err != nil {
			return err
		}
		n := int(min(length, int64(len(r.rest))))
		f.Data = append(f.Data, r.rest[:min(n, keep-len(f.Data))]...)
		r.rest = r.rest[n:]
		length -= int64(n)
	}
	return nil
}

// next takes one byte.
func (r *Reader) next() (byte, error) {
	if err := r.have(); err != nil {
		return 0, err
	}
	c := r.rest[0]
	r.rest = r.rest[1:]
	return c, nil
}

// have reads if nothing is left. A sender that fills the buffer gets a larger one.
func (r *Reader) have() error {
	if len(r.rest) > 0 {
		return nil
	}
	if r.buf == nil || r.full && len(r.buf) < mostRead {
		r.buf = make([]byte, max(2*len(r.buf), firstRead))
	}
	for range 100 { // as bufio does, against a reader that returns nothing for ever
		n, err := r.r.Read(r.buf)
		r.rest, r.full = r.buf[:n], n == len(r.buf)
		if n > 0 { // an error comes again
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// Append appends a frame.
func Append(b []byte, number int, command, data string) []byte {
	b = fmt.Appendf(b, "%d %s %d", number, command, len(data))
	if data != "" {
		b = append(append(b, ' '), data...)
	}
	return append(b, '\n')
}

// Offers reads what an open command, or the answer to one, says of its sender: a name and a value a
// line, such as relp_version=0 and commands=syslog. Lines without a value have an empty one.
func Offers(data []byte) map[string]string {
	out := map[string]string{}
	for line := range bytes.Lines(data) {
		name, value, _ := strings.Cut(strings.TrimRight(string(line), "\r\n"), "=")
		if name != "" {
			out[name] = value
		}
	}
	return out
}
