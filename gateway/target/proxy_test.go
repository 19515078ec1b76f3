package target

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/test/siem"
)

// middleman is a proxy that tunnels to wherever it is asked to, by CONNECT or by SOCKS 5 with a login.
type middleman struct {
	net.Listener
	tunnels atomic.Int32
	refuse  bool
	wrap    func(net.Conn) net.Conn // TLS; nil: none
}

func newMiddleman(t *testing.T) *middleman {
	t.Helper()
	return newSecureMiddleman(t, nil)
}

// newSecureMiddleman has TLS to its clients.
func newSecureMiddleman(t *testing.T, wrap func(net.Conn) net.Conn) *middleman {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &middleman{Listener: l, wrap: wrap}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go m.serve(conn)
		}
	}()
	return m
}

func (m *middleman) serve(conn net.Conn) {
	if m.wrap != nil {
		conn = m.wrap(conn)
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	first, err := r.Peek(1)
	if err != nil {
		return
	}
	var to string
	if first[0] == 5 {
		to = socks5(r, conn)
	} else if request, err := http.ReadRequest(r); err == nil && request.Method == http.MethodConnect {
		if user, password, ok := (&http.Request{Header: http.Header{"Authorization": request.Header["Proxy-Authorization"]}}).BasicAuth(); m.refuse ||
			ok && user+password != "uphush" {
			fmt.Fprint(conn, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
			return
		}
		to = request.Host
		fmt.Fprint(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
	}
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	m.tunnels.Add(1)
	go func() { _, _ = io.Copy(server, r); server.(*net.TCPConn).CloseWrite() }()
	_, _ = io.Copy(conn, server)
}

// socks5 is the server's part of RFC 1928 and RFC 1929, for names and IPv4.
func socks5(r io.Reader, w io.Writer) (to string) {
	read := func(n int) []byte {
		b := make([]byte, n)
		_, _ = io.ReadFull(r, b)
		return b
	}
	methods := read(int(read(2)[1]))
	if strings.Contains(string(methods), "\x02") {
		_, _ = w.Write([]byte{5, 2})
		user := read(int(read(2)[1]))
		if password := read(int(read(1)[0])); string(user)+string(password) != "uphush" {
			_, _ = w.Write([]byte{1, 1})
			return ""
		}
		_, _ = w.Write([]byte{1, 0})
	} else {
		_, _ = w.Write([]byte{5, 0})
	}
	var host string
	switch head := read(4); head[3] {
	case 1:
		host = net.IP(read(4)).String()
	case 3:
		host = string(read(int(read(1)[0])))
	}
	port := binary.BigEndian.Uint16(read(2))
	_, _ = w.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	return fmt.Sprintf("%s:%d", host, port)
}

// TestTheWayThroughAProxy: a server that speaks first is heard, and what a proxy says no to is told.
func TestTheWayThroughAProxy(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			fmt.Fprintln(conn, "hello")
			_, _ = io.Copy(conn, conn)
			conn.Close()
		}
	}()
	m, no := newMiddleman(t), newMiddleman(t)
	no.refuse = true
	for _, tt := range []struct{ name, proxy, err string }{
		{"straight", "none", ""},
		{"http", "http://" + m.Addr().String(), ""},
		{"http with a login", "http://up:hush@" + m.Addr().String(), ""},
		{"socks5", "socks5://" + m.Addr().String(), ""},
		{"socks5 with a login", "socks5://up:hush@" + m.Addr().String(), ""},
		{"refused", "http://" + no.Addr().String(), "it answers 407 Proxy Authentication Required"},
		{"wrong login", "socks5://up:wrong@" + m.Addr().String(), "authentication failed"},
		{"nobody there", "http://127.0.0.1:1", "connection refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			way, err := newVia(tt.proxy)
			if err != nil {
				t.Fatal(err)
			}
			conn, err := way.dial(t.Context(), "tcp", server.Addr().String())
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "wrong") {
					t.Errorf("dial() = %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintln(conn, "how are you?")
			r := bufio.NewReader(conn)
			for _, want := range []string{"hello\n", "how are you?\n"} {
				if got, err := r.ReadString('\n'); got != want {
					t.Errorf("read %q, %v, want %q", got, err, want)
				}
			}
		})
	}
	if _, err := newVia("ftp://x"); err == nil {
		t.Error("newVia takes ftp://")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (via{}).dial(ended, "tcp", server.Addr().String()); err == nil {
		t.Error("dial goes on when ctx has ended")
	}
}

// TestTargetsGoThroughAProxy: those whose servers answer.
func TestTargetsGoThroughAProxy(t *testing.T) {
	relpServer, err := siem.NewRELP(nil, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { relpServer.Close() })
	kafka := newKafka(t, siem.KafkaOptions{Topic: "sluice.alerts"})
	natsServer := newNATS(t, nil)
	if _, err := natsServer.Stream(t.Context(), jetstream.StreamConfig{Name: "ALERTS", Subjects: []string{"sluice.alerts"}}); err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"http://", "socks5://"} {
		m := newMiddleman(t)
		through := func(c *config.Target) { c.Proxy = scheme + m.Addr().String() }
		overRELP := config.Target{Name: "relp", Address: "relp://" + relpServer.Addr(), Format: "cef"}
		through(&overRELP)
		r, err := NewRELP(overRELP, "gw1", slog.New(slog.DiscardHandler), NewMetrics(nil))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		for i, target := range []deliverer{r, toKafka(t, kafka, through), toNATS(t, natsServer, through)} {
			deliver(t, target, numbered(1, 3))
			if m.tunnels.Load() == 0 {
				t.Errorf("target %d went past the proxy", i)
			}
			m.tunnels.Store(0)
		}
	}
}
