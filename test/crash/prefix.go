package main

import (
	"fmt"

	"github.com/sluice-siem/sluice/gateway/stream"
)

// prefixes wants of each plain connection a beginning in the stream, in its order, and all of it where
// both sides said goodbye.
func (h *harness) prefixes(r *record) (problems []string) {
	for _, s := range h.plain {
		whole := 0
		for _, c := range s.conns {
			if c.whole {
				whole++
			}
		}
		h.print("  tcp: %d connections, %d of them ended in order", len(s.conns), whole)
		m := newPrefixes(s.conns)
		for i := range r.lines {
			l := &r.lines[i]
			if l.kind != stream.Notification || l.input != "tcp" {
				continue
			}
			if !m.next(l.is) {
				return append(problems, fmt.Sprintf("tcp: message %x in batch %d is out of order, or one before it is missing; it was sent as %v after %v",
					l.is, l.at.Sequence, s.places(l.is), m.before))
			}
		}
		if !m.end() {
			problems = append(problems, fmt.Sprintf("tcp: the last messages of a connection that ended in order are missing after %v", m.at))
		}
	}
	return problems
}

// prefixes follows the connections through the stream, whichever way it can be understood: a message that
// was lost may be sent again, as the first one of the next connection.
type prefixes struct {
	conns  []*plainConn
	first  map[digest][]int // connections by their first message
	owed   []int            // how many connections before that one must be there whole
	at     []reached        // where the stream may stand
	before []reached        // and stood
}

// reached is how many messages of a connection have been seen.
type reached struct{ conn, items int }

func newPrefixes(conns []*plainConn) *prefixes {
	p := &prefixes{conns: conns, first: map[digest][]int{}, owed: []int{0}, at: []reached{{conn: -1}}}
	for i, c := range conns {
		owed := p.owed[i]
		if len(c.items) > 0 {
			p.first[c.items[0].is] = append(p.first[c.items[0].is], i)
			if c.whole {
				owed++
			}
		}
		p.owed = append(p.owed, owed)
	}
	return p
}

// next takes the next message of the stream, and says whether it may be that.
func (p *prefixes) next(is digest) bool {
	var now []reached
	for _, r := range p.at {
		if r.conn >= 0 && r.items < len(p.conns[r.conn].items) && p.conns[r.conn].items[r.items].is == is {
			now = append(now, reached{r.conn, r.items + 1})
		}
		for _, c := range p.first[is] {
			if c > r.conn && p.mayLeave(r, c) {
				now = append(now, reached{c, 1})
			}
		}
	}
	p.before, p.at = p.at, now
	return len(now) > 0
}

// mayLeave says whether nothing is owed by the connection that was reached and those between it and c.
func (p *prefixes) mayLeave(r reached, c int) bool {
	if r.conn >= 0 && p.conns[r.conn].whole && r.items < len(p.conns[r.conn].items) {
		return false
	}
	return p.owed[c] == p.owed[r.conn+1]
}

// end says whether the stream may end here.
func (p *prefixes) end() bool {
	for _, r := range p.at {
		if p.mayLeave(r, len(p.conns)) {
			return true
		}
	}
	return false
}

// places are where a message was sent: the connection, and the place therein.
func (s *plainSender) places(is digest) (out [][2]int) {
	for i, c := range s.conns {
		for j, one := range c.items {
			if one.is == is {
				out = append(out, [2]int{i, j})
			}
		}
	}
	return out
}
