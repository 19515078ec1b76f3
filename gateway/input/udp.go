package input

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats/syslog"
)

const (
	// kernelBuffer is asked for; the kernel gives at most net.core.rmem_max.
	kernelBuffer = 8 << 20
	// queueBytes wait for durability in our memory, because a datagram's sender waits for nobody.
	queueBytes = 8 << 20
)

// udp takes syslog over UDP, one message in each datagram (RFC 5426).
type udp struct {
	name     string
	max      int // bytes of a message
	conn     *net.UDPConn
	speakers speakers
	count    counters
	log      *slog.Logger
	warn     rate.Sometimes
}

func listenUDP(cfg config.Input, address string, log *slog.Logger, m *Metrics) (*udp, error) {
	if cfg.MaxMessage <= 0 {
		return nil, errors.New("max_message must be positive")
	}
	who, err := newSpeakers(cfg.Speakers)
	if err != nil {
		return nil, fmt.Errorf("read who may speak: %w", err)
	}
	local, err := net.ResolveUDPAddr(Family("udp", address), address)
	if err != nil {
		return nil, err
	}
	conn, err := net.ListenUDP(Family("udp", address), local)
	if err != nil {
		return nil, err
	}
	u := &udp{
		name: cfg.Name, max: int(cfg.MaxMessage), conn: conn, speakers: who, count: m.of(cfg.Name), log: log,
		warn: rate.Sometimes{Interval: time.Minute},
	}
	_, err = droppedBy(conn)
	if err = errors.Join(conn.SetReadBuffer(kernelBuffer), err); err != nil {
		log.Warn("the socket lacks a large buffer or a count of dropped datagrams", "err", err)
	}
	return u, nil
}

// run reads datagrams until ctx is done, and hands them over as fast as they become durable.
func (u *udp) run(ctx context.Context, accept Accept) error {
	defer func() { _ = u.conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = u.conn.SetReadDeadline(time.Now().Add(linger)) })
	defer stop()
	q := newQueue(queueBytes)
	defer u.countDrops()()
	var reader sync.WaitGroup
	var failed error
	reader.Go(func() { failed = u.read(ctx, q) })
	for {
		batch := q.take()
		if batch == nil {
			reader.Wait()
			return failed
		}
		if err := accept.durably(ctx, batch); err != nil {
			q.close()
			_ = u.conn.Close()
			reader.Wait()
			return err
		}
	}
}

// dropLook is how often the kernel is asked what it dropped: also while nothing is read, which is when it drops most.
const dropLook = time.Second

// countDrops counts what the kernel drops, until stop is called.
func (u *udp) countDrops() (stop func()) {
	ended := make(chan struct{})
	var counter sync.WaitGroup
	counter.Go(func() {
		var counted uint32
		tick := time.NewTicker(dropLook)
		defer tick.Stop()
		for more := true; more; {
			select {
			case <-tick.C:
			case <-ended:
				more = false
			}
			if now, err := droppedBy(u.conn); err == nil {
				u.count.dropped.Add(float64(now - counted)) // the difference is right when the count wraps, too
				counted = now
			}
		}
	})
	return func() {
		close(ended)
		counter.Wait()
	}
}

// read fills the queue until ctx is done or the socket fails, and closes it.
func (u *udp) read(ctx context.Context, q *queue) error {
	defer q.close()
	buf := make([]byte, 1<<16)
	for {
		n, from, err := u.conn.ReadFromUDPAddrPort(buf)
		switch {
		case errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded):
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("read from %s: %w", u.conn.LocalAddr(), err)
		case err != nil: // an ICMP error of some peer, memory pressure: it passes
			u.warn.Do(func() { u.log.Warn("a datagram can't be read", "err", err) })
			pause(ctx, 10*time.Millisecond)
			continue
		}
		u.count.bytes.Add(float64(n))
		raw := syslog.Datagram(buf[:n])
		if len(raw) == 0 {
			continue
		}
		cut := len(raw) > u.max
		if cut {
			u.count.truncated.Inc()
			raw = raw[:u.max]
		}
		m := Message{
			Input: u.name, Received: time.Now(), Truncated: cut, Raw: bytes.Clone(raw),
			Granted: u.speakers.grant(identity{address: plain(from.Addr())}),
		}
		if !q.put(m) {
			return nil
		}
	}
}
