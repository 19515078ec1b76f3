package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// What the gateway may send again, by its own documents.
const (
	inFlight    = 1024             // entries of a batch of a target, of which nothing is noted before its end
	fileBatch   = 512              // entries of a batch of a file, which gets no more while it is written
	again       = 1 << 20          // bytes that are sent again after a reset, beside the batch
	againWithin = 10 * time.Second // of acknowledgements before the reset
	slack       = 2 * time.Second  // of our clock, on a loaded machine
)

// copies judges what came more than once.
type copies struct {
	siem     *siem
	rank     map[string]int
	last     map[string]place // of the last copy
	starts   map[int]int      // place of the first event that came from a gateway, by its number
	sum      struct{ copies, kill, farthest, broken, beyond int }
	problems []string
}

type place struct {
	session int
	at      time.Time
}

// account compares what the SIEM took with what was forwarded.
func (s *siem) account(r *record, print func(string, ...any)) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &copies{siem: s, rank: r.rank, last: map[string]place{}, starts: map[int]int{}, problems: s.problems}
	for _, one := range s.sessions {
		one.most = one.highest(r.rank)
		if _, ok := c.starts[one.epoch]; !ok && len(one.copies) > 0 {
			c.starts[one.epoch] = r.rank[one.copies[0].key]
		}
	}
	for _, one := range s.sessions {
		c.judge(one)
	}
	lost := map[*session]int{}
	for rank, l := range r.order {
		if _, ok := c.last[l.key]; ok {
			continue
		}
		if one := c.thrownAway(rank, l); one != nil {
			lost[one]++
			continue
		}
		c.wrong("event %s, forwarded in batch %d at %s, never reached the SIEM", l.key, l.at.Sequence, l.time.Format(time.RFC3339Nano))
	}
	print("SIEM: %d connections and refusals; %v", len(s.sessions), s.moods)
	print("  %d forwarded, %d delivered, %d copies", len(r.order), len(c.last), c.sum.copies)
	print("  %d came again: %d after kills, at most %d events back; %d after the SIEM broke a connection, of them %d more than a batch back",
		c.sum.copies-len(c.last), c.sum.kill, c.sum.farthest, c.sum.broken, c.sum.beyond)
	before, after := 0, 0
	for one, n := range lost {
		if one.ended.Before(s.killed[one.epoch]) {
			before += n
		} else {
			after += n
		}
	}
	print("  %d lost: thrown away in %d resets, %d of them before and %d after the kill of the gateway that would have sent them again",
		before+after, len(lost), before, after)
	return c.problems
}

func (c *copies) wrong(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// judge looks at one connection. Those before it were judged.
func (c *copies) judge(one *session) {
	before, earlier := -1, -1 // highest rank that came on connections before, and from gateways before
	for _, o := range c.siem.sessions[:one.number] {
		before = max(before, o.most)
		if o.epoch < one.epoch {
			earlier = max(earlier, o.most)
		}
	}
	beyond := 0 // bytes
	for _, e := range one.copies {
		c.sum.copies++
		rank, ok := c.rank[e.key]
		if !ok {
			c.wrong("event %s reached the SIEM and was never forwarded", e.key)
			continue
		}
		prev, twice := c.last[e.key]
		c.last[e.key] = place{one.number, e.at}
		if !twice {
			continue
		}
		from := c.siem.sessions[prev.session]
		switch {
		case prev.session == one.number:
			c.wrong("event %s came twice on connection %d", e.key, one.number)
		case from.epoch != one.epoch:
			c.sum.kill, c.sum.farthest = c.sum.kill+1, max(c.sum.farthest, earlier-rank)
			if earlier-rank >= inFlight {
				c.wrong("event %s came again after a kill, %d events behind the last: no batch is that long", e.key, earlier-rank)
			}
		case !from.broken:
			c.wrong("event %s came again on connection %d, though %d was not broken by the SIEM", e.key, one.number, prev.session)
		case before-rank < inFlight:
			c.sum.broken++
		default:
			c.sum.broken, c.sum.beyond = c.sum.broken+1, c.sum.beyond+1
			if beyond += e.size; from.ended.Sub(prev.at) > againWithin+slack {
				c.wrong("event %s came again, %s after it had been taken", e.key, from.ended.Sub(prev.at))
			}
		}
	}
	if beyond > again {
		c.wrong("connection %d: %d bytes came again", one.number, beyond)
	}
}

// highest is the greatest rank that came.
func (s *session) highest(rank map[string]int) int {
	most := -1
	for _, e := range s.copies {
		if n, ok := rank[e.key]; ok {
			most = max(most, n)
		}
	}
	return most
}

// thrownAway gives the connection in whose reset the SIEM's kernel may have thrown an event away that it had
// acknowledged, if the gateway was killed before it had sent it again: it had begun before that event, and
// on none of its later connections came anything that goes after it.
func (c *copies) thrownAway(rank int, l *line) *session {
	for _, one := range c.siem.sessions {
		killed, ok := c.siem.killed[one.epoch]
		if !ok || !one.broken || l.time.After(killed) || l.time.After(one.ended) || one.ended.Sub(l.time) > againWithin+slack {
			continue
		}
		passed := c.start(one.epoch) > rank
		for _, o := range c.siem.sessions[one.number+1:] {
			passed = passed || o.epoch == one.epoch && o.most > rank
		}
		if !passed {
			return one
		}
	}
	return nil
}

// start is where a gateway began to deliver, or one before it of which anything came.
func (c *copies) start(epoch int) int {
	for ; epoch > 0; epoch-- {
		if rank, ok := c.starts[epoch]; ok {
			return rank
		}
	}
	return 0
}

// file reads the file target: every forwarded event is there. It goes back only after a kill, by no more
// than a batch.
func (h *harness) file(r *record) (problems []string, err error) {
	f, err := os.Open(filepath.Join(h.dir, "stream.jsonl"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	seen := map[string]bool{}
	lines, torn, back, last := 0, 0, 0, -1
	for in := bufio.NewReader(f); ; {
		text, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		var t told
		if json.Unmarshal(text, &t) != nil {
			if torn++; len(bytes.TrimSpace(text)) == 0 {
				problems = append(problems, "file: an empty line")
			}
			continue
		}
		lines++
		rank, ok := r.rank[t.Key]
		switch {
		case !ok:
			problems = append(problems, fmt.Sprintf("file: event %s was never forwarded", t.Key))
		case rank > last+1:
			problems = append(problems, fmt.Sprintf("file: event %s stands where %s is missing", t.Key, r.order[last+1].key))
		case rank <= last:
			if back++; last-rank >= fileBatch {
				problems = append(problems, fmt.Sprintf("file: event %s came again %d events later: no batch is that long", t.Key, last-rank))
			}
		}
		last, seen[t.Key] = rank, true
	}
	for _, l := range r.order {
		if !seen[l.key] {
			problems = append(problems, fmt.Sprintf("file: event %s is missing", l.key))
		}
	}
	if back > h.kills || torn > h.kills {
		problems = append(problems, fmt.Sprintf("file: went back %d times and has %d torn lines, after %d kills", back, torn, h.kills))
	}
	h.print("file: %d forwarded, %d delivered, %d lines, %d of them again after %d kills in the middle of a batch, %d torn",
		len(r.order), len(seen), lines, lines-len(seen), back, torn)
	return problems, nil
}
