package target

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats/syslog"
)

// receiver is a SIEM of syslog that does to each connection what a test says.
type receiver struct {
	listener net.Listener
	mu       sync.Mutex // guards got and conns
	changed  *sync.Cond
	got      []string // event keys, in order, of all connections
	conns    []net.Conn
}

// newSIEM listens on address and serves each connection with serve, which gets its number from 1.
func newSIEM(t *testing.T, address string, wrap func(net.Conn) net.Conn, serve func(s *receiver, number int, conn net.Conn)) *receiver {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := &receiver{listener: l}
	s.changed = sync.NewCond(&s.mu)
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, conn)
			number := len(s.conns)
			s.mu.Unlock()
			raw := conn
			if wrap != nil {
				conn = wrap(conn)
			}
			served.Go(func() {
				defer raw.Close()
				serve(s, number, conn)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.mu.Lock()
		for _, conn := range s.conns {
			conn.Close()
		}
		s.mu.Unlock()
		served.Wait()
	})
	return s
}

// read takes n messages from conn, all there are if n is negative.
func (s *receiver) read(conn io.Reader, n int) error {
	messages := syslog.NewSplitter(conn, 1<<20)
	for ; n != 0; n-- {
		raw, truncated, err := messages.Next()
		if err != nil {
			return err
		}
		if truncated {
			return errors.New("a message broke off")
		}
		s.mu.Lock()
		s.got = append(s.got, keyOf(string(raw)))
		s.changed.Broadcast()
		s.mu.Unlock()
	}
	return nil
}

// wait returns the keys when the last of them is key.
func (s *receiver) wait(key string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.got) == 0 || s.got[len(s.got)-1] != key {
		s.changed.Wait()
	}
	return append([]string(nil), s.got...)
}

// readAll is a SIEM as it should be.
func readAll(s *receiver, _ int, conn net.Conn) { _ = s.read(conn, -1) }

func (s *receiver) url() string { return "tcp://" + s.listener.Addr().String() }

func newTarget(t *testing.T, cfg config.Target) *Syslog {
	t.Helper()
	if cfg.Format == "" {
		cfg.Format = "cef"
	}
	s, err := NewSyslog(cfg, "gate.example", slog.New(slog.DiscardHandler), NewMetrics(nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// deliverAll delivers like the gateway does: what is to be retried comes again.
func deliverAll(t *testing.T, s *Syslog, from, to int) (attempts int) {
	t.Helper()
	batch := numbered(from, to)
	for len(batch) > 0 && t.Context().Err() == nil {
		attempts++
		results, err := s.Deliver(t.Context(), batch)
		for i, r := range results {
			if r == Delivered && i > 0 && results[i-1] == Retry {
				t.Fatalf("entry %s is delivered and %s is not", batch[i].Key, batch[i-1].Key)
			}
		}
		for len(results) > 0 && results[0] == Delivered {
			batch, results = batch[1:], results[1:]
		}
		if err == nil && len(batch) > 0 {
			t.Fatalf("Deliver() = nil, but %v", results)
		}
		if attempts > 100 {
			t.Fatalf("no end: %v", err)
		}
	}
	return attempts
}
