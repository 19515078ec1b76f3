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
	var taken ahead
	f := t.feed(p, func(batch []Message) error { return taken.add(accept(ctx, batch)) })
	messages := syslog.NewSplitter(f, t.max)
	for f.err == nil {
		raw, truncated, err := messages.Next()
		switch {
		case err == nil:
			f.add(raw, truncated)
			continue
		case errors.Is(err, io.EOF):
			return errors.Join(f.flush(), taken.settle())
		}
		return errors.Join(f.flush(), taken.settle(), err)
	}
	return f.err
}

// readAhead is how many batches of a connection may be taken and not durable yet: enough to keep the decider busy.
const readAhead = 8

// ahead are the batches that were taken and may not be durable yet: a sender that gets no answer needs
// none to be waited for, and the next batch is read while this one is decided.
type ahead []Receipt

// add adds a batch, and gives the error of one that was taken before, if there is one. It waits where too many
// are not durable.
func (a *ahead) add(r Receipt) error {
	*a = append(*a, r)
	for len(*a) > readAhead || len(*a) > 0 && (*a)[0].ready() {
		first := (*a)[0]
		*a = (*a)[1:]
		if err := first.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// settle waits until everything is durable.
func (a *ahead) settle() error {
	for _, r := range *a {
		if err := r.Wait(); err != nil {
			return err
		}
	}
	return nil
}
