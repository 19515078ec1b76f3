package siem

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// RELP is a receiver of syslog over RELP, as rsyslog's imrelp is, written from librelp's document of the
// protocol. Where the document leaves it open it is as strict as librelp: transactions count from 1 without a
// gap, there is no message before open and no second open, a frame has 128 KiB at most, and whoever does
// otherwise is cut off. Throttle is nothing that RELP has.
type RELP struct {
	Record
	listener net.Listener
	wrap     func(net.Conn) net.Conn
	stays    bool

	served sync.WaitGroup
	mu     sync.Mutex            // guards conns
	conns  map[net.Conn]struct{} // nil: closed
}

// NewRELP listens on 127.0.0.1. wrap, such as tls.Server, is laid around each connection; nil for none. A
// receiver that stays goes on after it has refused a message; the other closes the session, as librelp does.
func NewRELP(wrap func(net.Conn) net.Conn, stays bool) (*RELP, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &RELP{listener: l, wrap: wrap, stays: stays, conns: map[net.Conn]struct{}{}}
	r.served.Go(r.accept)
	return r, nil
}

// Addr is where it listens, host:port.
func (r *RELP) Addr() string { return r.listener.Addr().String() }

// Close cuts all connections off and waits for their end.
func (r *RELP) Close() error {
	err := r.listener.Close()
	r.mu.Lock()
	for conn := range r.conns {
		_ = conn.Close()
	}
	r.conns = nil
	r.mu.Unlock()
	r.served.Wait()
	return err
}

func (r *RELP) accept() {
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		open := r.conns != nil
		if open {
			r.conns[conn] = struct{}{}
		}
		r.mu.Unlock()
		if !open {
			_ = conn.Close()
			return
		}
		r.served.Go(func() {
			r.serve(conn)
			r.mu.Lock()
			delete(r.conns, conn)
			r.mu.Unlock()
		})
	}
}

// errGone ends a session.
var errGone = errors.New("the session is over")

// relpServed is one session.
type relpServed struct {
	*RELP
	raw     net.Conn
	conn    net.Conn
	in      *bufio.Reader
	opened  bool
	refuses bool // everything
	number  int  // of the transaction that comes next
}

func (r *RELP) serve(raw net.Conn) {
	defer func() { _ = raw.Close() }()
	s := &relpServed{RELP: r, raw: raw, conn: raw, number: 1}
	if r.wrap != nil {
		s.conn = r.wrap(raw)
	}
	s.in = bufio.NewReader(s.conn)
	for {
		command, data, err := s.frame()
		if err == nil {
			err = s.take(command, data)
		}
		if err != nil {
			return
		}
	}
}

// frame reads TXNR SP COMMAND SP DATALEN [SP DATA] LF.
func (s *relpServed) frame() (command string, data []byte, err error) {
	const mostData = 128 << 10
	number, err := s.word(9)
	if err != nil {
		return "", nil, err
	}
	if n, err := strconv.Atoi(number); err != nil || n != s.number {
		return "", nil, fmt.Errorf("transaction %q, want %d", number, s.number)
	}
	s.number++
	if command, err = s.word(32); err != nil {
		return "", nil, err
	}
	length, err := s.word(9)
	if err != nil {
		return "", nil, err
	}
	n, err := strconv.Atoi(length)
	if err != nil || n < 0 || n > mostData {
		return "", nil, fmt.Errorf("length %q", length)
	}
	if n > 0 {
		data = make([]byte, n)
		if _, err := io.ReadFull(s.in, data); err != nil {
			return "", nil, err
		}
		if end, err := s.in.ReadByte(); err != nil || end != '\n' {
			return "", nil, fmt.Errorf("%q behind the data", end)
		}
	}
	return command, data, nil
}

// word reads up to the blank, or the line feed of a frame without data.
func (s *relpServed) word(most int) (string, error) {
	var b []byte
	for len(b) <= most {
		c, err := s.in.ReadByte()
		if err != nil || c == ' ' || c == '\n' {
			return string(b), err
		}
		b = append(b, c)
	}
	return "", fmt.Errorf("%q is too long", b)
}

func (s *relpServed) answer(text string) error {
	end := "\n"
	if text != "" {
		end = " " + text + "\n"
	}
	_, err := fmt.Fprintf(s.conn, "%d rsp %d%s", s.number-1, len(text), end)
	return err
}

// part tells that the session is over, and ends it.
func (s *relpServed) part() error {
	_, _ = io.WriteString(s.conn, "0 serverclose 0\n")
	return errGone
}

func (s *relpServed) take(command string, data []byte) error {
	switch {
	case command == "syslog" && s.opened:
		return s.message(data)
	case command == "syslog":
		return errors.Join(s.answer("500 command disabled"), s.part())
	case command == "open" && !s.opened:
		return s.open(string(data))
	case command == "open":
		return errors.Join(s.answer("500 protocol error: connection already open"), s.part())
	case command == "close":
		return errors.Join(s.answer(""), s.part())
	}
	return fmt.Errorf("command %q", command)
}

func (s *relpServed) open(offers string) error {
	version, syslog := false, false
	for line := range strings.SplitSeq(offers, "\n") {
		name, value, _ := strings.Cut(line, "=")
		switch name {
		case "relp_version":
			_, err := strconv.Atoi(value)
			version = err == nil
		case "commands":
			syslog = strings.Contains(","+value+",", ",syslog,")
		}
	}
	if !version || !syslog {
		return errors.Join(s.answer("500 required command not supported by client"), s.part())
	}
	s.opened = true
	return s.answer("200 OK\nrelp_version=0\nrelp_software=librelp,1.11.0,http://librelp.adiscon.com\ncommands=syslog")
}

func (s *relpServed) message(data []byte) error {
	if s.refuses {
		return s.answer("500 no space left")
	}
	switch s.Fault() {
	case Refuse:
		if s.stays {
			s.refuses = true
			return s.answer("500 no space left")
		}
		return errors.Join(s.answer("500 command disabled"), s.part())
	case Reset:
		if tcp, ok := s.raw.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		return errGone
	case Lie:
		s.Take(Event{Key: keyIn(data), Body: data})
		return errGone
	case Stall:
		_, _ = io.Copy(io.Discard, s.in)
		return errGone
	case None, Throttle:
	}
	if bytes.Contains(data, []byte(Poison)) {
		err := s.answer("500 this is not for me")
		if !s.stays {
			err = errors.Join(err, s.part())
		}
		return err
	}
	s.Take(Event{Key: keyIn(data), Body: data})
	return s.answer("200 OK")
}

// keyIn finds the event key in a message, where an analyst would look for it.
func keyIn(message []byte) string {
	m := regexp.MustCompile(`(?:"event_key":"|sluiceEventKey=)(\w+)`).FindSubmatch(message)
	if m == nil {
		return ""
	}
	return string(m[1])
}
