package test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// sender is how something is sent.
type sender struct {
	framing string // newline, nul, octet, mixed
	chunk   int    // bytes in a write; 0: all at once
	tls     *tls.Config
	abrupt  bool // don't wait until the gateway has read everything
}

// frames puts the lines into frames.
func (s sender) frames(lines [][]byte) ([]byte, error) {
	var out []byte
	for i, line := range lines {
		framing := s.framing
		if framing == "mixed" {
			framing = [...]string{"octet", "newline", "octet", "octet", "nul", "newline"}[i%6]
		}
		switch framing {
		case "newline":
			out = append(append(out, line...), '\n')
		case "nul":
			out = append(append(out, line...), 0)
		case "octet":
			out = append(fmt.Appendf(out, "%d ", len(line)), line...)
		default:
			return nil, fmt.Errorf("framing %q", framing)
		}
	}
	return out, nil
}

// send sends the lines. Over TCP and TLS it returns when the gateway has read them all and closed.
func (s sender) send(address string, lines [][]byte) error {
	scheme, hostport, _ := strings.Cut(address, "://")
	network := scheme
	if scheme == "tls" {
		network = "tcp"
	}
	conn, err := net.DialTimeout(network, hostport, deadline)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(deadline))
	if scheme == "udp" {
		for _, line := range lines {
			if _, err := conn.Write(line); err != nil {
				return err
			}
		}
		return nil
	}
	if scheme == "tls" {
		secure := tls.Client(conn, s.tls)
		if err := secure.Handshake(); err != nil {
			return err
		}
		conn = secure
	}
	data, err := s.frames(lines)
	if err != nil {
		return err
	}
	for len(data) > 0 {
		n := len(data)
		if s.chunk > 0 {
			n = min(n, s.chunk)
		}
		if _, err := conn.Write(data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	if s.abrupt {
		return nil
	}
	return goodbye(conn)
}

// goodbye ends our side and waits until the gateway has taken everything and ends its own.
func goodbye(conn net.Conn) error {
	if c, ok := conn.(interface{ CloseWrite() error }); ok {
		if err := c.CloseWrite(); err != nil {
			return err
		}
	}
	answer, err := io.ReadAll(conn)
	if err == nil && len(answer) > 0 {
		err = fmt.Errorf("the gateway answers %q", answer)
	}
	return err
}

// cmdSend sends the lines of a file, without their line ends.
//
//	send [-framing newline|nul|octet|mixed] [-chunk N] [-certs DIR [-as NAME]] ADDRESS FILE
//
// Over tls the gateway's certificate must be by the authority of DIR; NAME is the client's.
func cmdSend(ts *testscript.TestScript, neg bool, args []string) {
	f := flag.NewFlagSet("send", flag.ContinueOnError)
	s := sender{}
	f.StringVar(&s.framing, "framing", "newline", "")
	f.IntVar(&s.chunk, "chunk", 0, "")
	certs := f.String("certs", "", "")
	as := f.String("as", "", "")
	ts.Check(f.Parse(args))
	if f.NArg() != 2 {
		ts.Fatalf("usage: send [-framing F] [-chunk N] ADDRESS FILE")
	}
	if *certs != "" {
		s.tls = clientTLS(ts, *certs, *as)
	}
	data := bytes.TrimSuffix([]byte(ts.ReadFile(f.Arg(1))), []byte("\n"))
	err := s.send(f.Arg(0), bytes.Split(data, []byte("\n")))
	if neg && err == nil {
		err = errors.New("it was taken")
	} else if neg {
		err = nil
	}
	if err != nil {
		ts.Fatalf("send to %s: %v", f.Arg(0), err)
	}
}
