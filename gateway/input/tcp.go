package input

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/sluice-siem/sluice/formats/syslog"
)

// tcp takes syslog over TCP (RFC 6587), and over TLS where the server has certificates (RFC 5425).
type tcp struct{ *server }

func newTCP(s *server) tcp {
	t := tcp{s}
	s.read = t.read
	return t
}

// read hands over the messages of one connection.
func (t tcp) read(ctx context.Context, conn net.Conn, accept Accept) error {
	p := &peer{Conn: conn}
	defer context.AfterFunc(ctx, p.end)()
	f := t.feed(p, func(batch []Message) error { return accept(ctx, batch) })
	messages := syslog.NewSplitter(f, t.max)
	for f.err == nil {
		raw, truncated, err := messages.Next()
		switch {
		case err == nil:
			f.add(raw, truncated)
			continue
		case errors.Is(err, io.EOF):
			return f.flush()
		}
		return errors.Join(f.flush(), err)
	}
	return f.err
}
