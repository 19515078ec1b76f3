package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"time"

	"github.com/sluice-siem/sluice/formats/relp"
)

// window is how many messages a RELP sender leaves unanswered.
const window = 64

// relpSender sends over RELP as rsyslog does: what was not answered when a connection ended is sent
// again, in order, on the next one.
type relpSender struct {
	*load
	all      []*item // ever taken
	unsettle []*item // not answered, in order
}

func (s *relpSender) run(ctx context.Context) error {
	for {
		conn, err := s.connect(ctx, "relp")
		if err != nil {
			return err
		}
		over, err := s.session(ctx, conn)
		_ = conn.Close()
		switch {
		case over || ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return err
		}
	}
}

// session sends until the connection ends or everything is sent. An error is more than that.
func (s *relpSender) session(ctx context.Context, conn net.Conn) (over bool, err error) {
	if _, err := conn.Write(relp.Append(nil, 1, "open", "relp_version=0\nrelp_software=crash\ncommands=syslog")); err != nil {
		return false, nil //nolint:nilerr // it was killed, which is what we are here for
	}
	answers := make(chan relp.Frame, 2*window)
	go func() {
		defer close(answers)
		r := relp.NewReader(conn, 4<<10)
		for {
			f, err := r.Next()
			if err != nil {
				return
			}
			answers <- f // there is room for everything that is unanswered
		}
	}()
	if f, ok := <-answers; !ok || f.Command != "rsp" {
		return false, nil
	}
	number := 2 // of the first unanswered message
	if s.write(conn, number, s.unsettle) != nil {
		return false, s.settle(ctx, answers, &number)
	}
	rest := time.NewTimer(0)
	defer rest.Stop()
	for {
		select {
		case f, ok := <-answers:
			if !ok {
				return false, nil
			}
			if err := s.answered(f, &number); err != nil {
				return false, err
			}
		case <-rest.C:
			items, end := s.traffic.take(time.Now(), min(window-len(s.unsettle), 1+s.dice(12)))
			s.all, s.unsettle = append(s.all, items...), append(s.unsettle, items...)
			if s.write(conn, number+len(s.unsettle)-len(items), items) != nil {
				return false, s.settle(ctx, answers, &number)
			}
			if end && len(s.unsettle) == 0 {
				return true, nil
			}
			rest.Reset(s.rest())
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// write sends the items under numbers from that one on.
func (s *relpSender) write(conn net.Conn, number int, items []*item) error {
	var b []byte
	for i, one := range items {
		b = relp.Append(b, number+i, "syslog", string(one.raw))
		one.tries++
	}
	if len(b) == 0 {
		return nil
	}
	if err := conn.SetWriteDeadline(time.Now().Add(deadline)); err != nil {
		return err
	}
	_, err := conn.Write(b)
	return err
}

// settle takes the answers that came before the connection ended.
func (s *relpSender) settle(ctx context.Context, answers <-chan relp.Frame, number *int) error {
	for {
		select {
		case f, ok := <-answers:
			if !ok {
				return nil
			}
			if err := s.answered(f, number); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// answered takes an answer, which must be that of the oldest message.
func (s *relpSender) answered(f relp.Frame, number *int) error {
	switch {
	case f.Command == "serverclose":
		return nil
	case f.Command != "rsp", f.Number != *number, len(s.unsettle) == 0, !bytes.HasPrefix(f.Data, []byte("200 ")):
		return fmt.Errorf("relp: the answer to message %d is %d %s %q", *number, f.Number, f.Command, f.Data)
	}
	s.unsettle[0].acked, s.unsettle[0].raw = true, nil
	s.unsettle = s.unsettle[1:]
	*number++
	return nil
}
