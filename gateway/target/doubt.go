package target

import (
	"context"
	"time"

	"github.com/sluice-siem/sluice/gateway/stream"
)

// Doubt says which entries that were reported as delivered a reset of the connection may still cost, or
// has cost. It is for whoever must send them again if this process is killed. A peer that closes in order
// proves that it has read everything; so may, after a kill, what [Syslog.Arrived] asks.
func (s *Syslog) Doubt() stream.Doubt {
	if len(s.again) > 0 {
		return stream.Doubt{From: doubt(s.again).From} // nothing will prove that it arrived
	}
	now := time.Now()
	if s.link != nil && s.link.ended() {
		if s.link.inOrder() {
			s.recent.arrived(s.link.route)
		} else {
			now = s.link.when // what was recent then stays so until it is sent again
		}
	}
	s.recent.forget(now)
	return doubt(s.recent.chunks)
}

// Tend looks after a connection that has ended while nothing was to be delivered: what a reset may have
// cost is sent again at once, on a new one.
func (s *Syslog) Tend(ctx context.Context) error {
	if s.link != nil && s.link.ended() {
		s.log.Info("the connection to the SIEM is over", "err", s.link.why)
		s.hangUp()
	}
	if s.link != nil || len(s.again) == 0 {
		return nil
	}
	return s.connect(ctx)
}

// Farewell closes the connection in order and waits until the peer has closed it, too, which it does when
// it has read everything. Where it doesn't before ctx ends, the doubt remains.
func (s *Syslog) Farewell(ctx context.Context) {
	if s.link == nil {
		return
	}
	if s.link.farewell(ctx) {
		s.hangUp()
		return
	}
	s.link.close(true)
	s.link = nil
}

// Arrived tells whether everything arrived that was sent on the connection of a doubt, when the process
// that sent it was killed. The kernel has closed the connection for it, and remembers for a minute whether
// the peer did so, too. Arrived waits for that as long as a SIEM may take to read what it has.
func (s *Syslog) Arrived(ctx context.Context, d stream.Doubt) bool {
	const atMost, longest = 5 * time.Second, 250 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, longest) {
		switch ending(d.Link) {
		case endedInOrder:
			return true
		case notInOrder:
			return false
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait):
		}
	}
}

// end is how a connection ended that nobody has open any more.
type end uint8

const (
	notInOrder   end = iota // or it is unknown
	endedInOrder            // the peer has closed it
	notYet                  // the peer hasn't closed it
)
