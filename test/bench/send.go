package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"time"
)

// senders are the connections to the measured program.
type senders []net.Conn

// dial opens n connections to the program.
func dial(ctx context.Context, address string, n int) (senders, error) {
	var s senders
	for range n {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			s.close()
			return nil, fmt.Errorf("connect to the program: %w", err)
		}
		s = append(s, conn)
	}
	return s, nil
}

func (s senders) close() {
	for _, conn := range s {
		_ = conn.Close()
	}
}

// flood sends the work as fast as it is taken, each connection its part, times times.
func (s senders) flood(w work, times int) error {
	errs := make([]error, len(s))
	var group sync.WaitGroup
	for i, conn := range s {
		part := w.part(i, len(s))
		group.Go(func() {
			for range times {
				if errs[i] = write(conn, part.text); errs[i] != nil {
					return
				}
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

func write(conn net.Conn, b []byte) error {
	const piece = 64 << 10
	for len(b) > 0 {
		n, err := conn.Write(b[:min(piece, len(b))])
		if err != nil {
			return fmt.Errorf("send to the program: %w", err)
		}
		b = b[n:]
	}
	return nil
}

// pace sends the lines of the work on one connection at a constant rate, each by itself, without
// waiting for anything. Where the program was slow to take a line, the next ones count as sent when they
// were due; that this process woke up late is not the program's fault and doesn't count.
func (s senders) pace(ctx context.Context, w work, rate int, c *clock) error {
	runtime.LockOSThread() // for the sleep
	defer runtime.UnlockOSThread()
	every := time.Second / time.Duration(rate)
	start := time.Now()
	free := start // when the line before was taken
	for i := range w.ends {
		due := start.Add(time.Duration(i) * every)
		if d := time.Until(due); d > 0 {
			sleep(d)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		at := time.Now()
		if free.Sub(due) > every {
			at = due
		}
		c.leave(i, at)
		if _, err := s[0].Write(w.line(i)); err != nil {
			return fmt.Errorf("send to the program: %w", err)
		}
		// Catching up after our own late wake-up is no fault of the program's either, so only a write that
		// itself took long makes the next ones late.
		if now := time.Now(); now.Sub(at) > every {
			free = now
		}
	}
	return nil
}
