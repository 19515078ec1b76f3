package target

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-siem/sluice/config"
)

// natsConn is the connection below the NATS client. The client believes every length that a server writes
// and takes the memory for it; this lets through no message and no line that is too long to be an answer.
type natsConn struct {
	net.Conn
	raw    net.Conn    // below TLS
	stop   func() bool // keeps the connection when the context of the dialling ends
	reader *bufio.Reader
	sent   prometheus.Counter
	line   []byte                // what is left of the line that is let through
	rest   int                   // what is left of the payload after it
	broken atomic.Pointer[error] // why nothing more can be read
}

// longestLine of what a server says: INFO lists all the servers of a cluster.
const longestLine = 64 << 10

// natsDial is a dialer for the NATS client that shakes hands itself.
type natsDial func(network, address string) (net.Conn, error)

// Dial implements the client's dialer.
func (d natsDial) Dial(network, address string) (net.Conn, error) { return d(network, address) }

// SkipTLSHandshake tells the client that TLS is ours.
func (d natsDial) SkipTLSHandshake() bool { return true }

// dialNATS connects, reads the server's INFO, and starts TLS where we or the server want it: the protocol
// begins in the clear (NATS client protocol, INFO). The connection ends with ctx, until it is told to stay.
func dialNATS(ctx context.Context, way via, address string, secure bool, settings config.TLS, sent prometheus.Counter) (*natsConn, error) {
	raw, err := way.dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	c := &natsConn{Conn: raw, raw: raw, stop: stop, reader: bufio.NewReaderSize(raw, longestLine), sent: sent}
	if err := c.begin(ctx, address, secure, settings); err != nil {
		stop()
		_ = raw.Close()
		if ctx.Err() != nil { // that is why it can't be read
			err = fmt.Errorf("the server doesn't answer: %w", ctx.Err())
		}
		return nil, err
	}
	return c, nil
}

// begin reads INFO, which the client gets to read too, and shakes hands.
func (c *natsConn) begin(ctx context.Context, address string, secure bool, settings config.TLS) error {
	line, err := c.next()
	if err != nil {
		return fmt.Errorf("read the server's INFO: %w", err)
	}
	var info struct {
		Required  bool `json:"tls_required"`
		Available bool `json:"tls_available"`
	}
	text, ok := bytes.CutPrefix(line, []byte("INFO "))
	if !ok || json.Unmarshal(text, &info) != nil {
		return fmt.Errorf("%s doesn't speak NATS: it says %q", address, plain(string(line)))
	}
	c.line = bytes.Clone(line)
	switch {
	case secure && !info.Required && !info.Available:
		return blocked(fmt.Errorf("url is tls://, and the server at %s has no TLS", address))
	case !secure && !info.Required:
		return nil
	case c.reader.Buffered() > 0:
		return errors.New("the server says something before TLS begins")
	}
	conn, err := handshake(ctx, c.Conn, settings, address)
	if err != nil {
		return err
	}
	c.Conn = conn
	c.reader = bufio.NewReaderSize(conn, longestLine)
	return nil
}

// next reads a line.
func (c *natsConn) next() ([]byte, error) {
	line, err := c.reader.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		err = fmt.Errorf("the server sends a line of more than %d bytes", longestLine)
	}
	return line, err
}

// Read reads a part of one line, or of one payload.
func (c *natsConn) Read(b []byte) (int, error) {
	n, err := c.read(b)
	if err != nil {
		c.broken.CompareAndSwap(nil, &err)
	}
	return n, err
}

func (c *natsConn) read(b []byte) (int, error) {
	if len(c.line) == 0 && c.rest == 0 {
		line, err := c.next()
		if err != nil {
			return 0, err
		}
		if c.rest, err = payload(line); err != nil {
			return 0, err
		}
		c.line = line // until the next read of reader
	}
	if len(c.line) > 0 {
		n := copy(b, c.line)
		c.line = c.line[n:]
		return n, nil
	}
	n, err := c.reader.Read(b[:min(len(b), c.rest)])
	c.rest -= n
	return n, err
}

// why tells why nothing more can be read; nil where it can.
func (c *natsConn) why() error {
	if err := c.broken.Load(); err != nil {
		return *err
	}
	return nil
}

// payload is how many bytes follow a line of the protocol, with their line end.
func payload(line []byte) (int, error) {
	if bytes.IndexByte(bytes.TrimSuffix(line, []byte("\r\n")), '\r') >= 0 {
		return 0, errors.New("the server sends a line with a line end inside")
	}
	words := strings.Fields(string(line))
	if len(words) == 0 || !strings.EqualFold(words[0], "MSG") && !strings.EqualFold(words[0], "HMSG") {
		return 0, nil
	}
	n, err := strconv.Atoi(words[len(words)-1])
	if err != nil || n < 0 || n > maxReply {
		return 0, fmt.Errorf("the server sends a message of %.20q bytes, expected at most %d", words[len(words)-1], maxReply)
	}
	return n + len("\r\n"), nil
}

// Write writes and counts.
func (c *natsConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.sent.Add(float64(n))
	return n, err
}
