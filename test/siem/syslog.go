package siem

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"sync"
)

// Syslog is a receiver of syslog over TCP (RFC 6587, both framings, told apart by a message's first byte) and
// over UDP (RFC 5426). It knows events by sluiceEventKey, as a search would. Of the faults it has Reset and
// Lie, which it does to single messages.
type Syslog struct {
	Record

	listener net.Listener
	packets  net.PacketConn
	running  sync.WaitGroup
	mu       sync.Mutex // guards conns
	conns    []net.Conn
}

// ListenSyslog listens on a free port of 127.0.0.1, over tcp or udp.
func ListenSyslog(network string) (*Syslog, error) {
	s := &Syslog{}
	var err error
	if network == "udp" {
		if s.packets, err = net.ListenPacket("udp", "127.0.0.1:0"); err == nil {
			s.running.Go(s.readPackets)
		}
		return s, err
	}
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err == nil {
		s.running.Go(s.accept)
	}
	return s, err
}

// Address is where it listens, as a target's address.
func (s *Syslog) Address() string {
	if s.packets != nil {
		return "udp://" + s.packets.LocalAddr().String()
	}
	return "tcp://" + s.listener.Addr().String()
}

// Close ends it, and its connections.
func (s *Syslog) Close() error {
	var err error
	if s.packets != nil {
		err = s.packets.Close()
	} else {
		err = s.listener.Close()
	}
	s.mu.Lock()
	for _, c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
	return err
}

func (s *Syslog) readPackets() {
	room := make([]byte, 64<<10)
	for {
		n, _, err := s.packets.ReadFrom(room)
		if err != nil {
			return
		}
		s.take(room[:n])
	}
}

func (s *Syslog) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns = append(s.conns, conn)
		s.mu.Unlock()
		s.running.Go(func() { s.serve(conn) })
	}
}

func (s *Syslog) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	r := bufio.NewReader(conn)
	for {
		message, err := readFrame(r)
		if err != nil {
			return
		}
		f := s.Fault()
		if f != Reset {
			s.take(message)
		}
		if f == Reset || f == Lie {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0) // what is unread is thrown away
			}
			return
		}
	}
}

// readFrame reads one message. A length is without leading zero and has a blank behind it.
func readFrame(r *bufio.Reader) ([]byte, error) {
	first, err := r.Peek(1)
	if err != nil {
		return nil, err
	}
	if first[0] == '<' {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return nil, fmt.Errorf("a message without its end: %w", err)
		}
		return line[:len(line)-1], nil
	}
	count, err := r.ReadString(' ')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(count[:len(count)-1])
	if err != nil || count[0] == '0' || n > 1<<20 {
		return nil, errors.New("no frame: " + strconv.Quote(count))
	}
	message := make([]byte, n)
	_, err = io.ReadFull(r, message)
	return message, err
}

func (s *Syslog) take(message []byte) {
	e := Event{Body: message}
	if m := regexp.MustCompile(`sluiceEventKey=(\w+)`).FindSubmatch(message); m != nil {
		e.Key = string(m[1])
	}
	s.Take(e)
}
