package target

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats/relp"
)

// relpSession is one open RELP session. Its answers are read while frames are written, so that neither
// side waits for the other to read.
type relpSession struct {
	conn    net.Conn
	number  int             // of the last transaction
	answers chan relp.Frame // what the receiver says, in its order; closed where the session is over
	why     error           // set before answers is closed
	quit    chan struct{}   // closed by hangUp
}

const (
	// maxNumber is followed by 1.
	maxNumber = 999_999_999
	// maxAnswer is as much as is kept of what a receiver says: a code, 80 letters, its offers.
	maxAnswer = 4 << 10
)

// errServerClose is why a session is over when nothing is wrong with it.
var errServerClose = errors.New("the receiver closes the session")

// errRELP is for answers that RELP doesn't have.
var errRELP = errors.New("not what RELP has in this place")

// openRELP connects and opens a session, whose receiver has to answer within wait. What only an operator can
// mend is blocked.
func openRELP(ctx context.Context, way via, address string, secure *config.TLS, wait time.Duration) (*relpSession, error) {
	conn, _, err := dial(ctx, way, address, secure)
	if err != nil {
		return nil, err
	}
	s := &relpSession{conn: conn, answers: make(chan relp.Frame, relpWindow), quit: make(chan struct{})}
	go s.listen()
	if err := s.open(ctx, wait); err != nil {
		s.hangUp()
		err = fmt.Errorf("open a session with %s: %w", address, err)
		if untrusted(err) { // with TLS 1.3 a server refuses our certificate after the handshake
			return nil, blocked(err)
		}
		return nil, err
	}
	return s, nil
}

// open offers what librelp offers; its version 0 is what every receiver has. A receiver that doesn't offer
// the same is none that takes syslog.
func (s *relpSession) open(ctx context.Context, wait time.Duration) error {
	const offers = "relp_version=0\nrelp_software=sluice\ncommands=syslog"
	if err := s.write(ctx, s.frame(nil, "open", []byte(offers)), wait); err != nil {
		return err
	}
	f, err := s.next(ctx, wait)
	if err != nil {
		return err
	}
	code, text, err := answerOf(f)
	switch {
	case err != nil:
		return err
	case f.Number != s.number:
		return fmt.Errorf("answer to transaction %d: %w", f.Number, errRELP)
	case code != "200":
		return fmt.Errorf("it refuses: %s %s", code, text)
	}
	_, rest, _ := strings.Cut(string(f.Data), "\n")
	theirs := relp.Offers([]byte(rest))
	if _, ok := theirs["relp_version"]; !ok {
		return blocked(fmt.Errorf("it offers no relp_version: %q", plain(rest)))
	}
	if !slices.Contains(strings.Split(theirs["commands"], ","), "syslog") {
		return blocked(fmt.Errorf("it takes no syslog: %q", plain(rest)))
	}
	return nil
}

// frame appends the next transaction, whose number then is s.number.
func (s *relpSession) frame(b []byte, command string, data []byte) []byte {
	s.number = s.number%maxNumber + 1
	return relp.Append(b, s.number, command, string(data))
}

// write writes within wait, and until ctx ends.
func (s *relpSession) write(ctx context.Context, b []byte, wait time.Duration) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = s.conn.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	_, err := s.conn.Write(b)
	return err
}

// next waits for an answer, within wait and until ctx ends.
func (s *relpSession) next(ctx context.Context, wait time.Duration) (relp.Frame, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case f, ok := <-s.answers:
		if !ok {
			return f, s.why
		}
		return f, nil
	case <-ctx.Done():
		return relp.Frame{}, ctx.Err()
	case <-timer.C:
		return relp.Frame{}, fmt.Errorf("no answer for %v: %w", wait, os.ErrDeadlineExceeded)
	}
}

// listen reads to the end of the session.
func (s *relpSession) listen() {
	defer close(s.answers)
	r := relp.NewReader(s.conn, maxAnswer)
	for {
		f, err := r.Next()
		switch {
		case err != nil:
			s.why = fmt.Errorf("read an answer: %w", err)
			return
		case f.Command == "serverclose":
			s.why = errServerClose
			return
		}
		select {
		case s.answers <- f:
		case <-s.quit:
			s.why = net.ErrClosed
			return
		}
	}
}

// over tells whether the session has ended, or has something to say that nobody asked for.
func (s *relpSession) over() bool {
	select {
	case f, ok := <-s.answers:
		if ok {
			s.hangUp()
			s.why = fmt.Errorf("%s of transaction %d, unasked: %w", plain(f.Command), f.Number, errRELP)
		}
		return true
	default:
		return false
	}
}

// answerOf reads what an answer says: a code of three digits and a text for people.
func answerOf(f relp.Frame) (code, text string, err error) {
	line, _, _ := strings.Cut(string(f.Data), "\n")
	code, text, _ = strings.Cut(line, " ")
	if f.Command != "rsp" || len(code) != 3 || strings.Trim(code, "0123456789") != "" {
		return "", "", fmt.Errorf("%s %q: %w", plain(f.Command), plain(line), errRELP)
	}
	return code, plain(text), nil
}

// hangUp ends the session at once.
func (s *relpSession) hangUp() {
	select {
	case <-s.quit:
		return
	default:
	}
	close(s.quit)
	if secure, ok := s.conn.(*tls.Conn); ok {
		_ = secure.NetConn().SetDeadline(time.Now().Add(time.Second)) // for its goodbye
	}
	_ = s.conn.Close()
	for range s.answers { // until listen has ended
	}
}

// part ends the session in order: close is answered, or nothing is for a second.
func (s *relpSession) part() {
	const wait = time.Second
	_ = s.conn.SetWriteDeadline(time.Now().Add(wait))
	if _, err := s.conn.Write(s.frame(nil, "close", nil)); err == nil {
		select {
		case <-s.answers:
		case <-time.After(wait):
		}
	}
	s.hangUp()
}
