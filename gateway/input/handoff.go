package input

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// handoff is the listener of an HTTP server whose connections the input's own server accepts, for its
// limits and its TLS.
type handoff struct {
	addr   net.Addr
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once // closes closed

	mu       sync.Mutex // guards what follows
	open     map[net.Conn]*handed
	stopping bool
}

// handed is a connection that is the HTTP server's.
type handed struct {
	done chan struct{} // closed when the connection is
	idle bool          // there is no request on it
}

func newHandoff(addr net.Addr) *handoff {
	return &handoff{addr: addr, conns: make(chan net.Conn), closed: make(chan struct{}), open: map[net.Conn]*handed{}}
}

// serve is a server's read: it returns when the HTTP server has closed the connection.
func (h *handoff) serve(_ context.Context, conn net.Conn, _ Accept) error {
	c := &handed{done: make(chan struct{}), idle: true}
	h.mu.Lock()
	h.open[conn] = c
	h.mu.Unlock()
	select {
	case h.conns <- conn:
		<-c.done
	case <-h.closed:
		h.state(conn, http.StateClosed)
	}
	return nil
}

// state is told by the HTTP server what a connection does. While the input stops, one without a
// request is closed; the server itself would wait some seconds for the first.
func (h *handoff) state(conn net.Conn, s http.ConnState) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, ok := h.open[conn]
	if !ok {
		return
	}
	if s == http.StateClosed || s == http.StateHijacked {
		delete(h.open, conn)
		close(c.done)
		return
	}
	c.idle = s != http.StateActive
	if c.idle && h.stopping {
		_ = conn.Close()
	}
}

// stop closes the connections that have no request.
func (h *handoff) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopping = true
	for conn, c := range h.open {
		if c.idle {
			_ = conn.Close()
		}
	}
}

// Accept gives the next connection.
func (h *handoff) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept; the socket is its server's.
func (h *handoff) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// Addr is the socket's.
func (h *handoff) Addr() net.Addr { return h.addr }
