package target

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sluice-siem/sluice/config"
)

// link is one connection to a SIEM that knows how far its peer's kernel has acknowledged it.
type link struct {
	conn         net.Conn // what is written to: below itself, or TLS over it
	below        *counted
	socket       net.Conn      // below that, where TLS to a proxy is between
	route        string        // its addresses, ours first; "" through a proxy
	parting      atomic.Bool   // both sides close: the state of the socket tells no reset any more
	acknowledged int64         // bytes on the wire, as last seen
	over         chan struct{} // closed when the peer has closed or the connection has broken
	why          error         // set before over is closed: errClosed where the peer closed in order
	when         time.Time     // set before over is closed
}

// errClosed is why a link is over when nothing is wrong with it.
var errClosed = errors.New("the SIEM closed the connection")

// counted counts what goes over the wire, which under TLS is more than what is written.
type counted struct {
	net.Conn
	bytes atomic.Int64
	asked bool // the server asks for our certificate
}

// Write writes and counts.
func (c *counted) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.bytes.Add(int64(n))
	return n, err
}

// dialLink connects and, where secure isn't nil, shakes hands.
func dialLink(ctx context.Context, way via, address string, secure *config.TLS) (*link, error) {
	conn, below, err := dial(ctx, way, address, secure)
	if err != nil {
		return nil, err
	}
	l := &link{conn: conn, below: below, socket: below.Conn, over: make(chan struct{})}
	if outer, ok := below.Conn.(*tls.Conn); ok {
		l.socket = outer.NetConn()
	}
	if way.proxy == nil {
		l.route = conn.LocalAddr().String() + " " + conn.RemoteAddr().String()
	}
	if err := l.hearOpinion(); err != nil {
		_ = conn.Close()
		return nil, blocked(fmt.Errorf("TLS handshake with %s: %w", address, err))
	}
	go l.watch()
	return l, nil
}

// hearOpinion gives the alert of a server that refuses our certificate. With TLS 1.3 it looks at that when the handshake is
// over for us (RFC 8446 section 2), and its kernel acknowledges meanwhile what nobody will ever read. A SIEM that is
// content says nothing, so that this takes [opinion], but only where it asks for a certificate.
func (l *link) hearOpinion() error {
	secure, ok := l.conn.(*tls.Conn)
	if !ok || !l.below.asked || secure.ConnectionState().Version < tls.VersionTLS13 {
		return nil
	}
	return lateAlert(secure)
}

// dial connects and, where secure isn't nil, shakes hands, within [patience]. conn is what is written to,
// below what then goes over the wire. Files that can't be read, and a certificate that is not to be trusted,
// the peer's or ours, are for an operator to mend.
func dial(ctx context.Context, way via, address string, secure *config.TLS) (conn net.Conn, below *counted, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var settings *tls.Config
	if secure != nil {
		if settings, err = clientTLS(*secure, address); err != nil {
			return nil, nil, blocked(err)
		}
	}
	wire, err := way.dial(ctx, "tcp", address)
	if err != nil {
		return nil, nil, err
	}
	below = &counted{Conn: wire}
	if settings == nil {
		return below, below, nil
	}
	noteAsked(settings, &below.asked)
	shaken := tls.Client(below, settings)
	if err := shaken.HandshakeContext(ctx); err != nil {
		_ = wire.Close()
		err = fmt.Errorf("TLS handshake with %s: %w", address, err)
		if untrusted(err) {
			err = blocked(err)
		}
		return nil, nil, err
	}
	return shaken, below, nil
}

// watch reads, for a SIEM says nothing, so that the end of the connection is known at once, and not
// with the second write after it.
func (l *link) watch() {
	defer close(l.over)
	_, err := io.Copy(io.Discard, l.conn)
	if err == nil && l.conn != net.Conn(l.below) {
		// TLS says goodbye first. Whether the peer then closes in order or resets is told below it.
		const farewell = time.Second
		_ = l.below.SetReadDeadline(time.Now().Add(farewell))
		if _, err = io.Copy(io.Discard, l.below); errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil
		}
	}
	// Whoever meets a reset first is told of it, the writer or us; the other one sees an end.
	switch {
	case !l.parting.Load() && isReset(l.socket):
		err = syscall.ECONNRESET
	case err == nil, errors.Is(err, io.ErrUnexpectedEOF): // TLS without its goodbye
		err = errClosed
	}
	l.why, l.when = err, time.Now()
}

// ended tells whether the connection is over.
func (l *link) ended() bool {
	select {
	case <-l.over:
		return true
	default:
		return false
	}
}

// inOrder tells of a connection that is over whether the peer closed it, and so had read what came. A proxy
// that closes says nothing of what the SIEM had read: it closes in order what the SIEM has reset.
func (l *link) inOrder() bool { return l.route != "" && errors.Is(l.why, errClosed) }

// wasReset tells whether the connection broke, so that the peer's kernel may have thrown away what
// the SIEM had not read, and when that was noticed. It ends the connection.
func (l *link) wasReset() (when time.Time, reset bool) {
	l.interrupt()
	<-l.over
	return l.when, !l.inOrder() && !errors.Is(l.why, os.ErrDeadlineExceeded)
}

// write writes b, in pieces, each of which may take [patience].
func (l *link) write(b []byte) error {
	for piece := range pieces(b, chunkBytes) {
		if l.ended() {
			return l.why
		}
		if err := l.conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		if _, err := l.conn.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

// pieces cuts b into parts of at most size bytes.
func pieces(b []byte, size int) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			n := min(size, len(b))
			if !yield(b[:n]) {
				return
			}
			b = b[n:]
		}
	}
}

// written is how many bytes went to the kernel.
func (l *link) written() int64 { return l.below.bytes.Load() }

// confirm waits until the peer's kernel has acknowledged everything written. It fails when the
// connection ends before, when nothing is acknowledged for [patience], and with ctx. While it waits it
// calls more, which may write and says whether it has.
//
// A kernel puts the acknowledgement of the last bytes off by up to 40 ms (RFC 1122 section 4.2.3.2
// allows half a second) unless more come, so what comes meanwhile must not wait for it.
func (l *link) confirm(ctx context.Context, more func() (wrote bool, err error)) error {
	const shortest, usual, longest = 50 * time.Microsecond, time.Millisecond, 50 * time.Millisecond
	wait := shortest
	progress := time.Now()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		pending, err := unacknowledged(l.socket) // under a proxy's TLS more than what is written of it, never less
		if err != nil {
			return fmt.Errorf("ask for what is unacknowledged: %w", err)
		}
		if seen := l.written() - pending; seen > l.acknowledged {
			l.acknowledged, progress, wait = seen, time.Now(), shortest
		}
		slow := time.Since(progress)
		switch {
		case pending == 0:
			return nil
		case slow > patience:
			return fmt.Errorf("%d bytes unacknowledged for %v: %w", pending, patience, os.ErrDeadlineExceeded)
		}
		if wrote, err := more(); err != nil {
			return err
		} else if wrote {
			wait = shortest
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.over:
			return l.last()
		case <-timer.C:
		}
		if wait = min(2*wait, longest); slow < 100*time.Millisecond {
			wait = min(wait, usual)
		}
	}
}

// noMore is for when nothing else is to be written.
func noMore() (bool, error) { return false, nil }

// last looks a last time at what is acknowledged, when the peer has closed, and says how it ended.
// A peer that has closed in order may still acknowledge, but nobody would read it.
func (l *link) last() error {
	if l.inOrder() {
		if pending, err := unacknowledged(l.socket); err == nil {
			l.acknowledged = max(l.acknowledged, l.written()-pending)
			if pending == 0 {
				return nil
			}
		}
	}
	return l.why
}

// interrupt ends all waiting on the connection.
func (l *link) interrupt() { _ = l.below.SetDeadline(time.Unix(1, 0)) }

// farewell ends our side of the connection and tells whether the peer ended its side before ctx did.
func (l *link) farewell(ctx context.Context) (over bool) {
	var err error
	for _, layer := range []net.Conn{l.conn, l.below.Conn} {
		if secure, ok := layer.(*tls.Conn); ok && err == nil {
			_ = l.below.SetWriteDeadline(time.Now().Add(time.Second))
			err = secure.CloseWrite()
		}
	}
	if tcp, ok := l.socket.(*net.TCPConn); ok && err == nil {
		l.parting.Store(true)
		_ = tcp.CloseWrite() // where it fails, the connection is over
	}
	select {
	case <-l.over:
		return true
	case <-ctx.Done():
		return false
	}
}

// close ends the connection: in order, or so that nothing of what is unacknowledged still arrives.
func (l *link) close(inOrder bool) {
	if tcp, ok := l.socket.(*net.TCPConn); ok && !inOrder {
		_ = tcp.SetLinger(0)
		_ = tcp.Close()
	}
	if inOrder {
		_ = l.conn.SetWriteDeadline(time.Now().Add(time.Second)) // for TLS's goodbye
	}
	_ = l.conn.Close()
	<-l.over
}

// ended is err, which says in the same line that ctx has ended, where that is so.
func ended(ctx context.Context, err error) error {
	if ctx.Err() == nil || errors.Is(err, ctx.Err()) {
		return err
	}
	return fmt.Errorf("%w: %w", err, ctx.Err())
}
