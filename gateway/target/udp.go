package target

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// maxDatagram is what IPv4 and UDP leave of 64 KiB.
const maxDatagram = 65507

// Datagrams sends entries to a SIEM over UDP (RFC 5426), a datagram for each; a long one is cut in
// its text. Nobody acknowledges: delivered means sent, and that nothing came back at once saying that
// nobody listens.
type Datagrams struct {
	address  string
	envelope *envelope
	count    counters
	conn     net.Conn // nil: to be opened
	buf      []byte
}

// NewDatagrams makes a target of cfg.Address, udp://. host is what the messages' header names as their
// sender. It fails for settings it doesn't know.
func NewDatagrams(cfg config.Target, host string, m *Metrics) (*Datagrams, error) {
	v, err := newEnvelope(cfg.Format, cfg.Header, host)
	if err != nil {
		return nil, err
	}
	address, ok := strings.CutPrefix(cfg.Address, "udp://")
	if !ok {
		return nil, fmt.Errorf("address %q: want udp://", cfg.Address)
	}
	v.limit = within(maxDatagram, cfg.MaxMessage)
	return &Datagrams{address: address, envelope: v, count: m.of(cfg.Name)}, nil
}

// Deliver sends the batch. If the host says that nobody listens, it can't be known since when, and
// the whole batch is to be retried. Nobody may call Deliver while it runs.
func (d *Datagrams) Deliver(ctx context.Context, batch []*stream.Entry) ([]Result, error) {
	results := make([]Result, len(batch))
	if d.conn == nil {
		dialling, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		conn, err := new(net.Dialer).DialContext(dialling, "udp", d.address)
		if lookup, ok := errors.AsType[*net.DNSError](err); ok && lookup.IsNotFound {
			return results, blocked(err) // whereas a name server that doesn't answer will
		}
		if err != nil {
			return results, err
		}
		d.conn = conn
		d.count.connections.Inc()
	}
	_ = pendingError(d.conn) // of a batch that is delivered as far as we know: not this one's
	rejected, err := d.send(ctx, batch, results)
	if err == nil {
		err = pendingError(d.conn)
	}
	if err != nil {
		if errors.Is(err, syscall.ECONNREFUSED) {
			for i := range results {
				if results[i] == Delivered {
					results[i] = Retry
				}
			}
		}
		err = errors.Join(fmt.Errorf("send to %s: %w", d.address, err), d.Close()) // the name may mean another address next time
	}
	return results, errors.Join(rejected, err)
}

// send sends datagrams until one fails.
func (d *Datagrams) send(ctx context.Context, batch []*stream.Entry, results []Result) (rejected, err error) {
	for i := range batch {
		if err := ctx.Err(); err != nil {
			return rejected, err
		}
		var err error
		if d.buf, err = d.envelope.pack(d.buf[:0], batch[i]); err == nil {
			if err := d.conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
				return rejected, err
			}
			_, err = d.conn.Write(d.buf)
			if err != nil && !errors.Is(err, syscall.EMSGSIZE) {
				return rejected, err
			}
		}
		if err != nil {
			results[i] = Rejected
			rejected = errors.Join(rejected, reject(batch[i], err))
			continue
		}
		d.count.bytes.Add(float64(len(d.buf)))
		results[i] = Delivered
	}
	return rejected, nil
}

// Close closes the socket; Deliver would open another one.
func (d *Datagrams) Close() error {
	if d.conn == nil {
		return nil
	}
	err := d.conn.Close()
	d.conn = nil
	return err
}
