package input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats/relp"
	"github.com/sluice-siem/sluice/formats/syslog"
)

// ListenRELP opens the socket that cfg.Listen names: tcp:// or tls:// with host and port. It fails if
// the port is taken or a certificate can't be read.
//
// # Decisions
//
// A message is answered when its batch is durable, so the window is a batch: a sender isn't read from
// while more than that is unanswered, whatever window it would take itself.
//
// What breaks off within a frame is thrown away, unlike with plain TCP: nobody answered it, so its
// sender has it still. The same is true of what comes after the stop.
//
// A message longer than max_message is cut and answered like any other. Refused, it would be sent again
// and again and keep everything behind it from us.
func ListenRELP(cfg config.Input, log *slog.Logger, m *Metrics) (*Socket, error) {
	s, err := listen(cfg, log.With("input", cfg.Name), m)
	if err != nil {
		return nil, err
	}
	return &Socket{addr: s.listener.Addr(), run: untilRefused(newRELP(s).run), close: s.listener.Close}, nil
}

// relpServer takes syslog over RELP.
type relpServer struct{ *server }

func newRELP(s *server) relpServer {
	r := relpServer{s}
	s.read = r.read
	return r
}

// read hands over and answers the messages of one connection.
func (r relpServer) read(ctx context.Context, conn net.Conn, accept Accept) error {
	p := &peer{Conn: conn}
	defer context.AfterFunc(ctx, func() { p.stop(0) })()
	s := &session{peer: p}
	s.feed = r.feed(p, func(batch []Message) error {
		if err := accept.durably(ctx, batch); err != nil {
			return err
		}
		return s.answer()
	})
	err := s.talk(relp.NewReader(s, r.max))
	if errors.Is(err, relp.ErrFrame) || errors.Is(err, errProtocol) {
		r.count.bad.Inc()
		r.warn.bad.Do(func() {
			r.log.Warn("a connection was closed: it doesn't speak RELP", "peer", conn.RemoteAddr().String(), "err", err)
		})
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// errProtocol is what a session ends with where frames are well-formed and make no sense.
var errProtocol = errors.New("not what RELP has in this place")

// session is one connection that speaks RELP. It stands between the feed and the frames' reader.
type session struct {
	feed   *feed
	peer   *peer
	opened bool
	owed   []byte // answers to what was read and is not durable yet, in order
}

// Read settles what was read before: the messages are made durable, then they are answered.
func (s *session) Read(b []byte) (int, error) {
	if err := s.settle(); err != nil {
		return 0, err
	}
	return s.feed.Read(b)
}

func (s *session) settle() error {
	if err := s.feed.flush(); err != nil {
		return err
	}
	return s.answer()
}

// answer sends what is owed. Everything that it answers is durable.
func (s *session) answer() error {
	if len(s.owed) == 0 {
		return nil
	}
	if err := s.peer.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err := s.peer.Write(s.owed)
	s.owed = s.owed[:0]
	return err
}

// talk takes frames until the connection ends.
func (s *session) talk(frames *relp.Reader) error {
	for s.feed.err == nil {
		f, err := frames.Next()
		if err == nil {
			err = s.take(f)
		}
		if err != nil {
			return s.finish(err)
		}
	}
	return s.finish(s.feed.err)
}

// take does what a frame asks for. The error is [io.EOF] where that is to end.
func (s *session) take(f relp.Frame) error {
	switch {
	case f.Command == "syslog" && s.opened:
		s.owe(f.Number, "200 OK") // before the message, which may fill its batch
		if raw := syslog.Datagram(f.Data); len(raw) > 0 {
			s.feed.add(raw, f.Cut)
		}
		return nil
	case f.Command == "open" && !s.opened:
		return s.open(f)
	case f.Command == "close":
		s.owe(f.Number, "")
		return io.EOF
	}
	if f.Number > 0 {
		s.owe(f.Number, "500 not expected here")
	}
	return fmt.Errorf("command %s, session open: %t: %w", f.Command, s.opened, errProtocol)
}

// open agrees on the protocol's version and on the one command that there is.
func (s *session) open(f relp.Frame) error {
	theirs := relp.Offers(f.Data)
	version, err := strconv.Atoi(theirs["relp_version"])
	if err != nil || version < 0 || !slices.Contains(strings.Split(theirs["commands"], ","), "syslog") {
		s.owe(f.Number, "500 relp_version and commands=syslog are required")
		return fmt.Errorf("open without a version or without syslog: %w", errProtocol)
	}
	s.opened = true
	s.owe(f.Number, fmt.Sprintf("200 OK\nrelp_version=%d\nrelp_software=sluice\ncommands=syslog", min(version, 1)))
	return nil
}

func (s *session) owe(number int, text string) { s.owed = relp.Append(s.owed, number, "rsp", text) }

// finish answers what it can, tells the peer that nothing more will be, and leaves it a moment to read
// that: a socket that is closed with bytes unread takes back what was written last.
func (s *session) finish(err error) error {
	if failed := s.settle(); failed != nil {
		s.owed = s.owed[:0] // it isn't durable
		err = failed
	}
	s.owed = relp.Append(s.owed, 0, "serverclose", "")
	if s.answer() != nil {
		return err
	}
	s.peer.leave()
	return err
}
