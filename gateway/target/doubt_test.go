package target

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// positioned gives the entries numbered from to to, which lie in message 1 of the stream.
func positioned(from, to int) []*stream.Entry {
	batch := numbered(from, to)
	for i := range batch {
		batch[i].At = stream.Position{Sequence: 1, Index: from + i}
	}
	return batch
}

func linuxOnly(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("how a connection ended is known on Linux only")
	}
}

// TestSyslogFarewell: the doubt ends with a SIEM that closes in order, and with no other one.
func TestSyslogFarewell(t *testing.T) {
	linuxOnly(t)
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "tcp", true: "tls"}[secure], func(t *testing.T) {
			var wrap func(net.Conn) net.Conn
			cfg := config.Target{}
			scheme := "tcp://"
			if secure {
				certs := newCerts(t, "127.0.0.1")
				wrap, cfg.TLS.CA, scheme = certs.server(nil), certs.ca, "tls://"
			}
			var leave, shaken [4]chan struct{} // by the number of the connection
			for i := range leave {
				leave[i], shaken[i] = make(chan struct{}), make(chan struct{})
			}
			close(leave[1])
			left := make(chan struct{}, 3)
			s := newSIEM(t, "127.0.0.1:0", wrap, func(s *receiver, number int, conn net.Conn) {
				if c, ok := conn.(*tls.Conn); ok {
					_ = c.Handshake()
				}
				close(shaken[number])
				<-leave[number]
				if number < 3 {
					_ = s.read(conn, -1)
				}
				conn.Close() // with TLS's goodbye
				left <- struct{}{}
			})
			cfg.Address = scheme + s.listener.Addr().String()
			target := newTarget(t, cfg)
			in := func(first int) stream.Doubt {
				return stream.Doubt{From: stream.Position{Sequence: 1, Index: first}, Link: target.link.route}
			}
			check := func(what string, want stream.Doubt) {
				t.Helper()
				if diff := cmp.Diff(want, target.Doubt()); diff != "" {
					t.Errorf("%s (-want +got):\n%s", what, diff)
				}
			}
			check("before anything", stream.Doubt{})
			deliver(t, target, positioned(1, 3))
			deliver(t, target, positioned(4, 6))
			check("delivered", in(1))
			target.Farewell(t.Context())
			<-left
			check("read and closed", stream.Doubt{})

			deliver(t, target, positioned(7, 9))
			still := in(7)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			target.Farewell(ctx)
			cancel()
			check("not read yet", still)
			close(leave[2])
			<-left
			// With TLS the SIEM says goodbye to a connection that nobody has open any more, which our kernel resets.
			if got := target.Arrived(t.Context(), still); got != !secure {
				t.Errorf("Arrived() = %t after the SIEM had read everything and closed", got)
			}

			deliver(t, target, positioned(10, 12))
			<-shaken[3]
			deliver(t, target, positioned(13, 15))
			check("on two connections", stream.Doubt{From: still.From})
			close(leave[3])
			target.Farewell(t.Context()) // reset: the SIEM had something unread
			<-left
			check("closed with something unread", stream.Doubt{From: still.From})
		})
	}
}

// TestSyslogIsNotInDoubtForLong: what a SIEM hasn't read after seconds, it isn't believed to read at all.
func TestSyslogIsNotInDoubtForLong(t *testing.T) {
	s := newSIEM(t, "127.0.0.1:0", nil, readAll)
	target := newTarget(t, config.Target{Address: s.url()})
	deliver(t, target, positioned(1, 1))
	deliver(t, target, positioned(2, 2))
	letter := numbered(3, 3) // sent out of order: it has no position
	deliver(t, target, letter)
	target.recent.chunks[0].at = time.Now().Add(-2 * recentTime)
	if d := target.Doubt(); d.From.Index != 2 {
		t.Errorf("in doubt: %v, want what came second", d)
	}
	target.recent.chunks[0].at = time.Now().Add(-2 * recentTime)
	if d := target.Doubt(); !d.None() || len(target.recent.chunks) != 1 {
		t.Errorf("in doubt: %v, %d chunks are remembered; want none and the letter", d, len(target.recent.chunks))
	}
}

// TestSyslogTends: a reset is made good though nothing else is to be delivered, and remains in doubt until
// then, however long that takes.
func TestSyslogTends(t *testing.T) {
	reset := make(chan struct{})
	s := newSIEM(t, "127.0.0.1:0", nil, func(s *receiver, number int, conn net.Conn) {
		if number > 1 {
			readAll(s, number, conn)
			return
		}
		<-reset
		conn.(*net.TCPConn).SetLinger(0)
	})
	address := s.listener.Addr().String()
	target := newTarget(t, config.Target{Address: s.url()})
	deliver(t, target, positioned(1, 3))
	s.listener.Close()
	close(reset)
	<-target.link.over
	target.link.when = target.link.when.Add(-time.Hour) // long ago
	target.recent.chunks[0].at = target.link.when
	want := stream.Doubt{From: stream.Position{Sequence: 1, Index: 1}}
	if d := target.Doubt(); d.From != want.From {
		t.Errorf("in doubt: %v, want %v", d, want)
	}
	for range 2 {
		if err := target.Tend(t.Context()); err == nil {
			t.Error("Tend() = nil while the SIEM refuses")
		}
		if diff := cmp.Diff(want, target.Doubt()); diff != "" {
			t.Errorf("in doubt (-want +got):\n%s", diff)
		}
	}
	s = newSIEM(t, address, nil, readAll)
	if err := target.Tend(t.Context()); err != nil {
		t.Errorf("Tend() = %v", err)
	}
	if diff := cmp.Diff(keys(numbered(1, 3)), s.wait("k0003")); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
	if d := target.Doubt(); d.From != want.From || d.Link == "" {
		t.Errorf("in doubt: %v, want what was sent again, by its new connection", d)
	}
}

// TestHowAConnectionEnded asks the kernel about connections that nobody has open any more, as after a kill.
func TestHowAConnectionEnded(t *testing.T) {
	linuxOnly(t)
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Logf("%s: %v", address, err) // a machine without IPv6
			continue
		}
		defer l.Close()
		// orphan sends something, and its owner dies.
		orphan := func() (route string, peer net.Conn) {
			t.Helper()
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if peer, err = l.Accept(); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, "an alert"); err != nil {
				t.Fatal(err)
			}
			route = conn.LocalAddr().String() + " " + conn.RemoteAddr().String()
			if got := ending(route); got != notYet {
				t.Errorf("%s: open: %d", route, got)
			}
			return route, peer
		}
		s := newTarget(t, config.Target{Address: "tcp://" + l.Addr().String()})

		route, peer := orphan()
		arrived := make(chan bool)
		go func() { arrived <- s.Arrived(t.Context(), stream.Doubt{Link: route}) }()
		if _, err := io.ReadAll(peer); err != nil {
			t.Error(err)
		}
		if got := ending(route); got != notYet {
			t.Errorf("%s: the peer has read and not closed: %d", route, got)
		}
		peer.Close()
		if !<-arrived {
			t.Errorf("Arrived(%s) = false after the peer had read everything and closed", route)
		}
		route, peer = orphan()
		peer.Close() // with something unread, which is a reset
		if s.Arrived(t.Context(), stream.Doubt{Link: route}) {
			t.Errorf("Arrived(%s) = true after a reset", route)
		}
		route, peer = orphan()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if s.Arrived(ctx, stream.Doubt{Link: route}) {
			t.Errorf("Arrived(%s) = true while the peer reads nothing", route)
		}
		cancel()
		peer.Close()
	}
	for _, route := range []string{"", "a b", "127.0.0.1:1", "127.0.0.1:1 127.0.0.1:2", strings.Repeat("x", 100)} {
		if got := ending(route); got != notInOrder {
			t.Errorf("%q: %d", route, got)
		}
	}
}
