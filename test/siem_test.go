package test

import (
	"bufio"
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// receiver is a fake SIEM of syslog. It tells octet counting and newline framing apart by a connection's first byte
// and takes nothing that isn't exactly right.
type receiver struct {
	network, address string
	tls              *tls.Config
	header           header

	mu       sync.Mutex // guards what follows
	listener io.Closer  // nil: down
	conns    map[net.Conn]bool
	gate     chan struct{} // closed: connections are read
	reset    int           // messages after which the next connection is reset; 0: never
	opened   int           // connections
	bodies   []string
	problems []string

	differ   map[string]bool // the bodies without their scores; the script's alone, as the next
	compared int             // how many of the bodies
}

func newSIEM(network string, secure *tls.Config) *receiver {
	s := &receiver{network: network, tls: secure, header: headers(), conns: map[net.Conn]bool{}, gate: make(chan struct{}), differ: map[string]bool{}}
	close(s.gate)
	return s
}

// up listens, on the same port as before where there was one.
func (s *receiver) up() error {
	address := s.address
	if address == "" { // it must be nobody else's while the SIEM is down
		address = "127.0.0.1:" + somePort()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.network == "udp" {
		c, err := net.ListenPacket("udp", address)
		if err != nil {
			return err
		}
		s.listener, s.address = c, c.LocalAddr().String()
		go s.datagrams(c)
		return nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	s.listener, s.address = l, l.Addr().String()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return nil
}

// close refuses from now on, and ends what is open.
func (s *receiver) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		_ = s.listener.Close()
		s.listener = nil
	}
	for c := range s.conns {
		_ = c.Close()
	}
}

func (s *receiver) wrong() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.problems)
}

func (s *receiver) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.bodies)
}

func (s *receiver) datagrams(c net.PacketConn) {
	// Judging takes longer than the kernel's buffer lasts.
	messages := make(chan string, 1<<12)
	defer close(messages)
	go func() {
		for m := range messages {
			s.take(m)
		}
	}()
	buf := make([]byte, 1<<16)
	for {
		n, _, err := c.ReadFrom(buf)
		if err != nil {
			return
		}
		messages <- string(buf[:n])
	}
}

// serve reads one connection.
func (s *receiver) serve(raw net.Conn) {
	s.mu.Lock()
	if s.listener == nil {
		s.mu.Unlock()
		_ = raw.Close()
		return
	}
	s.opened++
	s.conns[raw] = true
	limit := s.reset
	s.mu.Unlock()
	defer func() {
		_ = raw.Close()
		s.mu.Lock()
		delete(s.conns, raw)
		s.mu.Unlock()
	}()
	c := raw
	if s.tls != nil {
		c = tls.Server(raw, s.tls)
	}
	defer func() { _ = c.Close() }() // TLS's goodbye
	r := bufio.NewReader(gated{s, c})
	first, err := r.Peek(1)
	if err != nil {
		return
	}
	read := readLine
	if first[0] != '<' {
		read = readCounted
	}
	for n := 1; ; n++ {
		message, err := read(r)
		var torn tornError
		switch {
		case errors.As(err, &torn), errors.Is(err, io.EOF):
			return // the connection ended within a message, which comes again
		case err != nil:
			s.complain(err, message)
			return
		}
		s.take(message)
		if n == limit {
			s.mu.Lock()
			s.reset = 0
			s.mu.Unlock()
			_ = raw.(*net.TCPConn).SetLinger(0)
			_ = raw.Close()
			return
		}
	}
}

// take judges a message and keeps its body.
func (s *receiver) take(message string) {
	body, err := judgeMessage(s.header, message)
	if err != nil {
		s.complain(err, message)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bodies = append(s.bodies, body)
}

func (s *receiver) complain(err error, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems = append(s.problems, fmt.Sprintf("%v: %.2000q", err, message))
}

// gated reads while the SIEM reads at all.
type gated struct {
	siem *receiver
	net.Conn
}

func (g gated) Read(b []byte) (int, error) {
	g.siem.mu.Lock()
	gate := g.siem.gate
	g.siem.mu.Unlock()
	<-gate
	return g.Conn.Read(b)
}

type tornError struct{ error }

func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return line, tornError{err}
	}
	return strings.TrimSuffix(line, "\n"), nil
}

// readCounted reads MSG-LEN SP SYSLOG-MSG of RFC 6587 section 3.4.1.
func readCounted(r *bufio.Reader) (string, error) {
	n := 0
	for digits := 0; ; digits++ {
		c, err := r.ReadByte()
		if err != nil {
			return "", tornError{err}
		}
		if c == ' ' && digits > 0 {
			break
		}
		if c < '0' || c > '9' || digits == 0 && c == '0' || digits > 6 {
			return string(c), errors.New("bad octet count")
		}
		n = n*10 + int(c-'0')
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return "", tornError{err}
	}
	return string(b), nil
}

// cmdSIEM runs fake SIEMs.
//
//	siem up NAME [udp|tcp|tls CERTS [client]]   listens, and sets $NAME to its host:port
//	siem down NAME           refuses
//	siem stall NAME          accepts, but reads nothing; siem read NAME reads on
//	siem reset NAME K        resets the next connection after K messages
//	siem farewell NAME       ends its side of the connections and reads on
//	siem write NAME FILE     writes the bodies of all messages, a line each
func cmdSIEM(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: siem up|down|stall|read|reset|farewell|write NAME")
	}
	w := worldOf(ts)
	s := w.siems[args[1]]
	if s == nil {
		if args[0] != "up" || len(args) < 3 {
			ts.Fatalf("siem %s: %s never listened", args[0], args[1])
		}
		var secure *tls.Config
		if args[2] == "tls" {
			secure = serverTLS(ts, args[3], len(args) > 4)
		}
		s = newSIEM(args[2], secure)
		w.siems[args[1]] = s
	}
	switch args[0] {
	case "up":
		ts.Check(poll(s.up))
		ts.Setenv(args[1], s.address)
	case "down":
		s.close()
	case "write":
		s.mu.Lock()
		defer s.mu.Unlock()
		text := strings.Join(s.bodies, "\n") + "\n"
		ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(strings.TrimPrefix(text, "\n")), 0o666))
	default:
		s.misbehave(ts, args)
	}
}

func (s *receiver) misbehave(ts *testscript.TestScript, args []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch args[0] {
	case "stall":
		s.gate = make(chan struct{})
	case "read":
		close(s.gate)
	case "reset":
		s.reset = number(ts, args[2])
	case "farewell":
		for c := range s.conns {
			ts.Check(c.(*net.TCPConn).CloseWrite())
		}
	default:
		ts.Fatalf("siem %s: unknown", args[0])
	}
}

func siemHas(ts *testscript.TestScript, args []string) error {
	n, err := judged(ts, args[0])
	return cmp.Or(err, exactly(n, number(ts, args[1]), "messages"))
}

func siemHasLeast(ts *testscript.TestScript, args []string) error {
	n, err := judged(ts, args[0])
	return cmp.Or(err, exactly(min(n, number(ts, args[1])), number(ts, args[1]), "messages"))
}

// judged is how many messages a SIEM has; the error is what is wrong with one.
func judged(ts *testscript.TestScript, name string) (int, error) {
	s := worldOf(ts).siems[name]
	if p := s.wrong(); len(p) > 0 {
		return 0, final{errors.New(strings.Join(p, "\n"))}
	}
	return s.count(), nil
}

func siemHasDifferent(ts *testscript.TestScript, args []string) error {
	if _, err := judged(ts, args[0]); err != nil {
		return err
	}
	return exactly(worldOf(ts).siems[args[0]].different(), number(ts, args[1]), "different messages")
}

// different counts the messages that differ in more than the score. It is asked again and again, so that it compares only
// what came since.
func (s *receiver) different() int {
	s.mu.Lock()
	news := s.bodies[s.compared:]
	s.compared = len(s.bodies)
	s.mu.Unlock()
	for _, body := range news {
		s.differ[stampedScore.ReplaceAllString(body, "")] = true
	}
	return len(s.differ)
}

// stampedScore is the investigation priority, which is another one when a message is sent again.
var stampedScore = regexp.MustCompile(`sluiceRisk\w+=\S+ ?|"risk_\w+":("[^"]*"|[\d.]+),?`)
