package main

import (
	"context"
	"io"
	"net"
	"time"
)

// plainSender sends over TCP, which acknowledges nothing: what was in flight when the gateway was killed is
// lost.
type plainSender struct {
	*load
	conns []*plainConn
}

// plainConn is what went into one connection.
type plainConn struct {
	items []*item
	whole bool // the gateway said goodbye after ours, so it has everything
}

func (s *plainSender) run(ctx context.Context) error {
	for {
		conn, err := s.connect(ctx, "tcp")
		if err != nil {
			return err
		}
		c := &plainConn{}
		s.conns = append(s.conns, c)
		over := s.fill(ctx, conn, c)
		_ = conn.Close()
		if over || ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// fill sends until the connection breaks, all is sent, or it has been used for long enough.
func (s *plainSender) fill(ctx context.Context, conn net.Conn, c *plainConn) (over bool) {
	for most := 1 + s.dice(400); ; {
		items, end := s.traffic.take(time.Now(), 1+s.dice(12))
		var b []byte
		for _, i := range items {
			b = append(append(b, i.raw...), '\n')
			i.tries++
			i.raw = nil // it can't be sent again
		}
		c.items = append(c.items, items...)
		_ = conn.SetWriteDeadline(time.Now().Add(deadline))
		if _, err := conn.Write(b); err != nil {
			return false
		}
		if end || len(c.items) >= most {
			c.whole = goodbye(conn) && s.answers(ctx, conn)
			return end
		}
		if !pause(ctx, s.rest()) {
			return true
		}
	}
}

// goodbye ends our side and waits for the other's. It is true where that came in order.
func goodbye(conn net.Conn) bool {
	if conn.(*net.TCPConn).CloseWrite() != nil {
		return false
	}
	_ = conn.SetReadDeadline(time.Now().Add(deadline))
	_, err := io.Copy(io.Discard, conn)
	return err == nil
}

// answers says whether the gateway of a connection that ended is alive. Of one that was killed the kernel
// says goodbye too.
func (s *plainSender) answers(ctx context.Context, conn net.Conn) bool {
	p := s.current()
	if p.address("tcp") != conn.RemoteAddr().String() {
		return false
	}
	_, err := p.metrics(ctx)
	return err == nil
}
