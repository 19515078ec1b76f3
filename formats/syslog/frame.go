package syslog

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"
)

// Splitter cuts a stream into messages (RFC 6587). Each message is told apart by itself: a sender may
// change its framing at any time.
//
// A message is octet-counted if it begins with a count, that is a digit from 1 to 9, at most nine
// further digits and a blank, and the count can be meant: it is at most 1 GiB, and either it is at
// least 10 and what follows begins as a message does (a priority, a time, "CEF:", a JSON object...),
// or the message before it was octet-counted and the count is at least 2. So the version of an
// RFC 5424 header without priority ("1 2022-09-05T...") and the year of an RFC 3339 time are no
// counts. Who counts characters in the place of bytes leaves the rest of a message behind it: that is a message, too,
// and ends where the count of the next one begins. Any other message ends at a line feed or a NUL; a carriage return before it belongs to the
// message. Empty messages are skipped.
//
// A Splitter holds at most one message of the greatest length in memory, and less before one comes.
type Splitter struct {
	r       io.Reader
	max     int
	base    []byte // the array behind buf
	buf     []byte // what was read and not returned
	busy    bool   // the last read filled all the room there was
	err     error  // of r, reported when buf is used up
	skip    int    // bytes of a cut octet-counted message still to be thrown away
	rest    bool   // the rest of a cut delimited message is still to be thrown away
	counted bool   // the last message was octet-counted
	owed    int    // characters that it lacked, if its count was one of characters
}

// NewSplitter returns a Splitter that reads from r and cuts messages to max bytes.
func NewSplitter(r io.Reader, max int) *Splitter {
	return &Splitter{r: r, max: max}
}

const (
	countDigits = 10      // more are no count
	maxCount    = 1 << 30 // nor is a greater number
	leastCount  = 10      // no message of a service is shorter
	firstRead   = 4 << 10
)

// Next returns the next message, which the caller may keep. truncated tells that it was longer than
// the greatest length, or that the stream broke off before the counted end; the rest of it is thrown
// away without being held. At the end of the stream, what is left is a message of its own, and then
// the reader's error follows, [io.EOF] at an orderly end. A message and an error never come together.
func (s *Splitter) Next() (frame []byte, truncated bool, err error) {
	for {
		if !s.discard() {
			return nil, false, s.err
		}
		for len(s.buf) > 0 && (s.buf[0] == '\n' || s.buf[0] == 0) {
			s.take(1)
		}
		if len(s.buf) == 0 {
			if s.err != nil {
				return nil, false, s.err
			}
			s.fill()
			continue
		}
		if s.buf[0] == '\r' { // an empty line, if a line feed follows
			for len(s.buf) == 1 && s.fill() {
			}
			if len(s.buf) > 1 && s.buf[1] == '\n' {
				s.take(2)
				continue
			}
		}
		if head, n := s.count(0, s.counted); n > 0 {
			s.counted = true
			s.take(head)
			if frame, truncated = s.octets(n); len(frame) > 0 {
				return frame, truncated, nil
			}
			continue
		}
		n := s.lacked()
		if s.counted = n > 0; s.counted {
			frame = bytes.Clone(s.buf[:n])
			s.take(n)
			return frame, true, nil
		}
		frame, truncated = s.line()
		return frame, truncated, nil
	}
}

// discard throws away what is left of a cut message. It reports whether more of the stream may come.
func (s *Splitter) discard() bool {
	for s.skip > 0 || s.rest {
		switch {
		case s.skip > 0:
			n := min(s.skip, len(s.buf))
			s.take(n)
			s.skip -= n
		default:
			if n := delimiter(s.buf); n >= 0 {
				s.take(n + 1)
				s.rest = false
			} else {
				s.take(len(s.buf))
			}
		}
		if (s.skip > 0 || s.rest) && !s.fill() {
			return false
		}
	}
	return true
}

// count returns the length of the count at offset at with its blank, and the count; 0 if no octet-counted message begins there.
// after tells that one was before it. It reads no further than it must to know.
func (s *Splitter) count(at int, after bool) (head, n int) {
	for {
		if !s.have(at + head + 1) {
			return 0, 0
		}
		c := s.buf[at+head]
		head++
		if c == ' ' && head > 1 {
			break
		}
		if c < '0' || c > '9' || n == 0 && c == '0' || head > countDigits {
			return 0, 0
		}
		n = n*10 + int(c-'0')
	}
	switch {
	case n > maxCount:
		return 0, 0
	case after && n > 1:
		return head, n
	case n < leastCount:
		return 0, 0
	}
	for have := 1; s.have(at + head + have); have++ {
		whole, part := begins(s.buf[at+head : min(len(s.buf), at+head+have)])
		if whole {
			return head, n
		}
		if !part {
			break
		}
	}
	return 0, 0
}

// lacked returns how many bytes the counted message before lacked, if its count was one of characters and the next one begins
// with its count behind them; else 0.
func (s *Splitter) lacked() (n int) {
	owed := s.owed
	s.owed = 0 // what comes later lacks nothing
	for ; owed > 0 || n > 0; n++ {
		if n == s.max || !s.have(n+1) || delimiter(s.buf[n:n+1]) == 0 {
			return 0
		}
		if utf8.RuneStart(s.buf[n]) {
			if owed--; owed < 0 {
				break
			}
		}
	}
	if n > 0 {
		if _, next := s.count(n, false); next == 0 {
			return 0
		}
	}
	return n
}

// begins tells whether b begins as a message does, or might when more of it is known.
func begins(b []byte) (whole, part bool) {
	for _, shape := range [...]string{
		"<d", "dddd-dd", "1 dddd-", "1 - ", "CEF:", "LEEF:", "{", "|", "d|", "\ufeff", "ï»¿", "Aaa dd d", "Aaa  d d",
	} {
		if shaped(b, shape) {
			return true, true
		}
		part = part || len(b) < len(shape) && shaped(b, shape[:len(b)])
	}
	return false, part
}

// octets returns the next n bytes, or as many as are allowed or left.
func (s *Splitter) octets(n int) (frame []byte, truncated bool) {
	want := min(n, s.max)
	if !s.have(want) {
		frame = bytes.Clone(s.buf)
		s.take(len(s.buf))
		return frame, true
	}
	frame = bytes.Clone(s.buf[:want])
	s.take(want)
	s.skip, s.owed = n-want, 0
	for _, c := range frame {
		if !utf8.RuneStart(c) {
			s.owed++
		}
	}
	return frame, s.skip > 0
}

// line returns the bytes up to the next delimiter, or as many as are allowed or left.
func (s *Splitter) line() (frame []byte, truncated bool) {
	for seen := 0; ; {
		n := delimiter(s.buf[seen:])
		if n >= 0 {
			n += seen
		}
		switch {
		case n > s.max || n < 0 && len(s.buf) > s.max:
			frame = bytes.Clone(s.buf[:s.max])
			s.take(s.max)
			s.rest = true
			return frame, true
		case n >= 0:
			frame = bytes.Clone(s.buf[:n])
			s.take(n + 1)
			return frame, false
		}
		seen = len(s.buf)
		if !s.fill() {
			frame = bytes.Clone(s.buf)
			s.take(len(s.buf))
			return frame, !errors.Is(s.err, io.EOF)
		}
	}
}

// delimiter returns the offset of the first line feed or NUL, or -1. It looks for one after the other in
// a block at a time, so that a stream with only one of them isn't searched to its end for the other.
func delimiter(b []byte) int {
	const block = 1 << 10
	for at := 0; at < len(b); at += block {
		part := b[at:min(len(b), at+block)]
		end := bytes.IndexByte(part, '\n')
		if end >= 0 {
			part = part[:end]
		}
		if nul := bytes.IndexByte(part, 0); nul >= 0 {
			end = nul
		}
		if end >= 0 {
			return at + end
		}
	}
	return -1
}

// have reads until n bytes are there. It reports false if the stream ends before.
func (s *Splitter) have(n int) bool {
	for len(s.buf) < n {
		if !s.fill() {
			return false
		}
	}
	return true
}

// take drops n bytes.
func (s *Splitter) take(n int) { s.buf = s.buf[n:] }

// fill reads once. It reports false if the stream has ended; s.err says how.
func (s *Splitter) fill() bool {
	if s.err != nil {
		return false
	}
	s.makeRoom()
	room := s.buf[len(s.buf):cap(s.buf)]
	for range 100 { // as bufio does, against a reader that returns nothing for ever
		n, err := s.r.Read(room)
		s.buf = s.buf[:len(s.buf)+n]
		s.busy = n == len(room)
		s.err = err
		if n > 0 || err != nil {
			return n > 0
		}
	}
	s.err = io.ErrNoProgress
	return false
}

// makeRoom moves what is held to the front of the array and takes a larger one where a sender fills it.
func (s *Splitter) makeRoom() {
	const lookahead = 64 // the count and the beginning of what it counts
	size := cap(s.base)
	if size == 0 || len(s.buf) == size || s.busy {
		size = min(max(2*size, firstRead), max(s.max, 1)+lookahead)
	}
	switch {
	case size > cap(s.base):
		s.base = make([]byte, 0, size)
		s.buf = append(s.base, s.buf...)
	case len(s.buf) == 0 || cap(s.buf)-len(s.buf) < cap(s.base)/2 && cap(s.buf) < cap(s.base):
		s.buf = append(s.base[:0], s.buf...)
	}
}

// Datagram returns the message of one UDP datagram (RFC 5426 section 3.1: one in each), without the
// line end or NUL that senders put behind it. It is part of b.
func Datagram(b []byte) []byte { return bytes.TrimRight(b, "\r\n\x00") }
