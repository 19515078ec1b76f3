package target

import (
	"io"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/stream"
	"github.com/sluice-siem/sluice/test/siem"
)

// behind makes a syslog target that goes to the address through a proxy: http, https or socks5.
func behind(t *testing.T, kind string, cfg config.Target) (*Syslog, *middleman) {
	t.Helper()
	var wrap func(net.Conn) net.Conn
	certs := newCerts(t, "127.0.0.1")
	if kind == "https" {
		wrap = certs.server(nil)
	}
	m := newSecureMiddleman(t, wrap)
	cfg.Proxy = kind + "://up:hush@" + m.Addr().String()
	s := newTarget(t, cfg)
	s.way.roots = certs.pool
	return s, m
}

// TestSyslogKeepsTheContractThroughAProxy: over TCP, and over TLS, which ends at the SIEM.
func TestSyslogKeepsTheContractThroughAProxy(t *testing.T) {
	for _, kind := range []string{"http", "https", "socks5"} {
		t.Run(kind, contract{open: func(t *testing.T) (deliverer, *siem.Record) {
			server, err := siem.ListenSyslog("tcp")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { server.Close() })
			target, m := behind(t, kind, config.Target{Name: "siem", Address: server.Address()})
			t.Cleanup(func() {
				if n := m.tunnels.Load(); n != 1 {
					t.Errorf("%d tunnels, want one connection", n)
				}
			})
			return &arriving{target, &server.Record, 0}, &server.Record
		}}.run)
		t.Run(kind+" and TLS", func(t *testing.T) {
			certs := newCerts(t, "127.0.0.1")
			s := newSIEM(t, "127.0.0.1:0", certs.server(nil), readAll)
			target, _ := behind(t, kind, config.Target{
				Address: "tls" + strings.TrimPrefix(s.url(), "tcp"), TLS: config.TLS{CA: certs.ca},
			})
			deliver(t, target, numbered(1, 300)) // several chunks
			if diff := cmp.Diff(keys(numbered(1, 300)), s.wait("k0300")); diff != "" {
				t.Errorf("received (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSyslogAsksTheKernelThroughAProxy: nothing is delivered that the proxy's kernel hasn't even acknowledged.
func TestSyslogAsksTheKernelThroughAProxy(t *testing.T) {
	linuxOnly(t)
	for _, kind := range []string{"http", "https", "socks5"} {
		t.Run(kind, func(t *testing.T) {
			s := newSIEM(t, "127.0.0.1:0", nil, readAll)
			target, _ := behind(t, kind, config.Target{Address: s.url()})
			deliver(t, target, numbered(1, 1))
			if _, ok := target.link.socket.(*net.TCPConn); !ok {
				t.Errorf("the link's socket is a %T, of which the kernel knows nothing", target.link.socket)
			}
		})
	}
}

// TestSyslogSendsAgainWhatAProxyHid: a proxy closes in order what the SIEM behind it has reset, or has closed, and it
// acknowledges what the SIEM never got. So after each end of the connection what is recent is sent again, and no
// kernel is believed after a kill.
func TestSyslogSendsAgainWhatAProxyHid(t *testing.T) {
	for _, kind := range []string{"http", "https", "socks5"} {
		for name, end := range map[string]func(net.Conn){
			"reset": func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) },
			"close": func(net.Conn) {},
		} {
			t.Run(kind+", "+name, func(t *testing.T) {
				goOn := make(chan struct{})
				s := newSIEM(t, "127.0.0.1:0", nil, func(s *receiver, number int, conn net.Conn) {
					if number > 3 {
						readAll(s, number, conn)
						return
					}
					_ = s.read(conn, 5)
					<-goOn // what is delivered now stays unread
					end(conn)
				})
				target, _ := behind(t, kind, config.Target{Address: s.url()})
				next := 1
				for range 3 {
					deliver(t, target, positioned(next, next+9))
					deliver(t, target, positioned(next+10, next+29))
					if d := target.Doubt(); d.From != (stream.Position{Sequence: 1, Index: 1}) || d.Link != "" {
						t.Errorf("in doubt: %v, want everything, and no connection to ask the kernel about", d)
					}
					next += 30
					goOn <- struct{}{}
					<-target.link.over
				}
				deliverAll(t, target, next, next+9)
				complete(t, s.wait(keys(numbered(next+9, next+9))[0]), next+9)
			})
		}
	}
}

// TestSyslogRemainsInDoubtBehindAProxy: that the proxy closes when Sluice does proves nothing, either.
func TestSyslogRemainsInDoubtBehindAProxy(t *testing.T) {
	linuxOnly(t)
	s := newSIEM(t, "127.0.0.1:0", nil, func(_ *receiver, _ int, conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	target, _ := behind(t, "http", config.Target{Address: s.url()})
	deliver(t, target, positioned(1, 3))
	target.Farewell(t.Context())
	if d := target.Doubt(); d.From != (stream.Position{Sequence: 1, Index: 1}) || d.Link != "" {
		t.Errorf("in doubt: %v, want all", d)
	}
	if target.Arrived(t.Context(), target.Doubt()) {
		t.Error("Arrived() = true, and nobody can know")
	}
}
