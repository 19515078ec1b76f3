package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"
)

// siem is a SIEM that misbehaves, and knows exactly what it took.
type siem struct {
	address string
	epoch   func() int // number of the gateway that runs

	mu       sync.Mutex // guards what follows
	rng      *rand.Rand
	listener net.Listener // nil: it refuses
	gate     chan struct{}
	open     map[*session]net.Conn
	sessions []*session // in the order in which they were opened
	told     map[string]*told
	problems []string
	moods    map[string]int
	killed   map[int]time.Time // when which gateway was
	cut      map[int]bool      // together with what it had not synced
}

// session is one connection.
type session struct {
	number int
	epoch  int // of the gateway that opened it
	copies []received
	broken bool      // by the SIEM
	ended  time.Time // by the SIEM
	last   int       // messages after which the SIEM breaks it; 0: as many as come
	greedy bool      // not before it has taken everything that it has read
	most   int       // place of its latest event among the forwarded ones, when all is over
}

// received is one copy of an event.
type received struct {
	at   time.Time
	key  string
	size int
}

// told is what the events say that the account needs.
type told struct {
	Key     string `json:"event_key"`
	Kind    string `json:"kind"`
	Service string `json:"service"`
	Reason  string `json:"reason"`
}

func newSIEM(rng *rand.Rand, epoch func() int) (*siem, error) {
	s := &siem{
		rng: rng, epoch: epoch, gate: make(chan struct{}), open: map[*session]net.Conn{}, told: map[string]*told{}, moods: map[string]int{}, killed: map[int]time.Time{}, cut: map[int]bool{},
	}
	close(s.gate)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.address = l.Addr().String()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accept(l)
	return s, nil
}

// accept takes connections until l is closed. Whoever calls it has the lock.
func (s *siem) accept(l net.Listener) {
	s.listener = l
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
}

// misbehave does one thing after the other until ctx ends, and then behaves.
func (s *siem) misbehave(ctx context.Context) error {
	for pause(ctx, s.some(1500*time.Millisecond)) {
		if err := s.act(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *siem) some(most time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Duration(s.rng.Int64N(int64(most)))
}

func (s *siem) act(ctx context.Context) error {
	s.mu.Lock()
	mood := []string{"refuses", "stalls", "resets", "stalls, then resets", "resets after reading", "takes and breaks", "closes"}[s.rng.IntN(7)]
	s.moods[mood]++
	s.mu.Unlock()
	switch mood {
	case "refuses":
		s.refuse()
		pause(ctx, s.some(800*time.Millisecond))
		return poll(context.WithoutCancel(ctx), s.listen)
	case "stalls":
		s.stall()
		pause(ctx, s.some(2*time.Second))
		s.read()
	case "stalls, then resets":
		s.stall()
		pause(ctx, s.some(500*time.Millisecond))
		s.breakAll(true)
		s.read()
	case "resets":
		s.breakAll(true)
	case "closes":
		s.breakAll(false)
	default:
		s.later(mood == "takes and breaks")
	}
	return nil
}

func (s *siem) listen() error {
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accept(l)
	return nil
}

func (s *siem) refuse() {
	s.mu.Lock()
	_ = s.listener.Close()
	s.listener = nil
	// What was connected and not accepted yet is reset, with what its kernel had taken.
	s.sessions = append(s.sessions, &session{number: len(s.sessions), epoch: s.epoch(), broken: true, ended: time.Now()})
	s.mu.Unlock()
	s.breakAll(s.some(2) == 0)
}

func (s *siem) stall() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate = make(chan struct{})
}

func (s *siem) read() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.gate)
}

// breakAll ends every connection: by a reset, or in order, which is a reset too where something is unread.
// In order whoever reads the connection closes it, instead of reading on, so that what was read is taken: of
// what a SIEM has read and throws away its kernel tells nobody.
func (s *siem) breakAll(reset bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for one, conn := range s.open {
		if reset {
			s.end(one, conn, true)
		} else {
			_ = conn.SetReadDeadline(time.Unix(1, 0))
		}
	}
}

// end ends a connection. Whoever calls it has the lock.
func (s *siem) end(one *session, conn net.Conn, reset bool) {
	if one.broken {
		return
	}
	one.broken, one.ended = true, time.Now()
	if reset {
		_ = conn.(*net.TCPConn).SetLinger(0)
	}
	_ = conn.Close()
}

// later breaks the open connections after some more messages.
func (s *siem) later(greedy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for one := range s.open {
		one.last, one.greedy = len(one.copies)+1+s.rng.IntN(60), greedy
	}
}

// serve reads one connection.
func (s *siem) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	// What a SIEM's kernel may have unread is less than what Sluice sends again.
	if err := conn.(*net.TCPConn).SetReadBuffer(128 << 10); err != nil {
		s.complain(err.Error())
	}
	s.mu.Lock()
	one := &session{number: len(s.sessions), epoch: s.epoch()}
	s.sessions = append(s.sessions, one)
	s.open[one] = conn
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.open, one)
	}()
	r := bufio.NewReader(conn)
	for {
		s.mu.Lock()
		gate := s.gate
		s.mu.Unlock()
		<-gate
		message, err := readCounted(r)
		if err != nil {
			switch {
			case errors.Is(err, errFraming):
				s.complain(fmt.Sprintf("%v in connection %d", err, one.number))
			case errors.Is(err, os.ErrDeadlineExceeded):
				s.mu.Lock()
				s.end(one, conn, false)
				s.mu.Unlock()
			}
			return
		}
		if !s.take(one, conn, message, r.Buffered()) {
			return
		}
	}
}

// take keeps a message, and says whether there is to be another one.
func (s *siem) take(one *session, conn net.Conn, message []byte, buffered int) bool {
	var t told
	start := bytes.IndexByte(message, '{')
	if start < 0 || json.Unmarshal(message[start:], &t) != nil || t.Key == "" {
		s.complain(fmt.Sprintf("malformed: %.300q", message))
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if one.broken {
		return false // it was not taken any more
	}
	if s.told[t.Key] == nil {
		s.told[t.Key] = &t
	}
	size := len(message) + len(fmt.Sprint(len(message))) + 1
	one.copies = append(one.copies, received{at: time.Now(), key: t.Key, size: size})
	if one.last > 0 && len(one.copies) >= one.last && (!one.greedy || buffered == 0) {
		s.end(one, conn, true)
		return false
	}
	return true
}

func (s *siem) complain(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems = append(s.problems, "SIEM: "+text)
}

// outlived notes that the gateway was killed.
func (s *siem) outlived(epoch int, cut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.killed[epoch], s.cut[epoch] = time.Now(), cut
}

// close ends everything.
func (s *siem) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		_ = s.listener.Close()
	}
	for _, conn := range s.open {
		_ = conn.Close()
	}
}

var errFraming = errors.New("bad octet count")

// readCounted reads MSG-LEN SP SYSLOG-MSG of RFC 6587 section 3.4.1.
func readCounted(r *bufio.Reader) ([]byte, error) {
	n := 0
	for digits := 0; ; digits++ {
		c, err := r.ReadByte()
		switch {
		case err != nil:
			return nil, err
		case c == ' ' && digits > 0:
			b := make([]byte, n)
			_, err := io.ReadFull(r, b)
			return b, err
		case c < '0' || c > '9' || digits == 0 && c == '0' || digits > 6:
			return nil, fmt.Errorf("%w: %q", errFraming, c)
		}
		n = n*10 + int(c-'0')
	}
}
