package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// sink is the target: it counts lines, and where it is asked to, says when each came.
type sink struct {
	listener net.Listener
	clock    *clock // nil: lines are only counted

	lines   atomic.Int64
	want    atomic.Int64
	reached chan struct{}
	once    sync.Once
	conns   sync.WaitGroup

	mu   sync.Mutex // guards what follows
	open []net.Conn
}

// newSink listens. clock is told of every line, where it isn't nil.
func newSink(c *clock) (*sink, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen as the target: %w", err)
	}
	s := &sink{listener: l, clock: c, reached: make(chan struct{})}
	s.want.Store(1 << 62)
	s.conns.Go(s.accept)
	return s, nil
}

func (s *sink) address() string { return s.listener.Addr().String() }

func (s *sink) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return // it was closed
		}
		s.mu.Lock()
		s.open = append(s.open, conn)
		s.mu.Unlock()
		s.conns.Go(func() { s.serve(conn) })
	}
}

func (s *sink) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	buf := make([]byte, 256<<10)
	kept := 0 // bytes of an unfinished line at the beginning of buf, where lines are looked at
	for {
		n, err := conn.Read(buf[kept:])
		chunk := buf[:kept+n]
		s.count(bytes.Count(chunk[kept:], []byte{'\n'}))
		if s.clock != nil {
			kept = copy(buf, s.clock.arrived(chunk, time.Now()))
		}
		if err != nil || kept == len(buf) {
			return
		}
	}
}

func (s *sink) count(n int) {
	if s.lines.Add(int64(n)) >= s.want.Load() {
		s.once.Do(func() { close(s.reached) })
	}
}

// expect says how many lines are to come.
func (s *sink) expect(n int) {
	s.want.Store(int64(n))
	s.count(0)
}

// wait waits until all of them have come. The error says how many did.
func (s *sink) wait(ctx context.Context, ended <-chan struct{}) error {
	var err error
	select {
	case <-s.reached:
		return nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-ended:
		err = errors.New("the program ended")
	}
	return fmt.Errorf("%d of %d lines reached the target: %w", s.lines.Load(), s.want.Load(), err)
}

// close ends the target and says how many lines it got.
func (s *sink) close() int {
	_ = s.listener.Close()
	s.mu.Lock()
	for _, conn := range s.open {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.conns.Wait()
	return int(s.lines.Load())
}

// clock knows when each line was sent and when it arrived.
type clock struct {
	start time.Time
	sent  []atomic.Int64 // since start, in nanoseconds; by the line's number
	took  []atomic.Int64
}

func newClock(n int) *clock {
	return &clock{start: time.Now(), sent: make([]atomic.Int64, n), took: make([]atomic.Int64, n)}
}

// leave notes that line i is being sent.
func (c *clock) leave(i int, at time.Time) { c.sent[i].Store(int64(at.Sub(c.start))) }

// arrived takes note of the whole lines in b and returns the rest.
func (c *clock) arrived(b []byte, at time.Time) (rest []byte) {
	for {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			return b
		}
		if i, ok := number(b[:end]); ok && i < len(c.took) {
			c.took[i].Store(int64(at.Sub(c.start)) - c.sent[i].Load())
		}
		b = b[end+1:]
	}
}

// number reads the number behind [mark]. A twin has none.
func number(line []byte) (n int, ok bool) {
	const digits = 9
	at := bytes.Index(line, []byte(mark))
	if at < 0 || len(line) < at+len(mark)+digits {
		return 0, false
	}
	for _, c := range line[at+len(mark):][:digits] {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// latencies are those of the lines from first on that arrived.
func (c *clock) latencies(first int) []time.Duration {
	var out []time.Duration
	for i := first; i < len(c.took); i++ {
		if d := c.took[i].Load(); d > 0 {
			out = append(out, time.Duration(d))
		}
	}
	return out
}
