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
	again       = 1 << 20          // bytes that are sent again after a reset, seen or slept through, beside the batch
	againWithin = 10 * time.Second // of acknowledgements before the reset
	unsynced    = time.Second      // of commits, which a power cut may take
	slack       = 2 * time.Second  // of our clock, on a loaded machine
)

// copies judges what came more than once.
type copies struct {
	siem     *siem
	rank     map[string]int
	order    []*line
	last     map[string]place // of the last copy
	sum      struct{ copies, kill, farthest, doubted, power, broken, beyond int }
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
	c := &copies{siem: s, rank: r.rank, order: r.order, last: map[string]place{}, problems: s.problems}
	for _, one := range s.sessions {
		one.most = one.highest(r.rank)
	}
	for _, one := range s.sessions {
		c.judge(one)
	}
	for _, l := range r.order {
		if _, ok := c.last[l.key]; !ok {
			c.wrong("event %s, forwarded in batch %d at %s, never reached the SIEM", l.key, l.at.Sequence, l.time.Format(time.RFC3339Nano))
		}
	}
	print("SIEM: %d connections and refusals; %v", len(s.sessions), s.moods)
	print("  %d forwarded, %d delivered, %d copies", len(r.order), len(c.last), c.sum.copies)
	print("  %d came again: %d after kills, of them %d more than a batch back, at most %d events; %d after power cuts; "+
		"%d after the SIEM broke a connection, of them %d more than a batch back",
		c.sum.copies-len(c.last), c.sum.kill, c.sum.doubted, c.sum.farthest, c.sum.power, c.sum.broken, c.sum.beyond)
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
		case c.powerCut(from.epoch, one.epoch):
			c.sum.power++
			d, limit := c.latest(from.epoch, one.epoch).Sub(prev.at), unsynced+slack
			if c.doubted(rank, one) {
				limit += againWithin
			}
			if d > limit && earlier-rank >= 2*inFlight { // the SIEM may be slow with one batch
				c.wrong("event %s came again after a power cut, %s before which nothing can have been unsynced", e.key, d)
			}
		case from.epoch != one.epoch:
			c.sum.kill, c.sum.farthest = c.sum.kill+1, max(c.sum.farthest, earlier-rank)
			if earlier-rank < inFlight {
				continue
			}
			c.sum.doubted++
			beyond += e.size
			if !c.doubted(rank, one) {
				c.wrong("event %s came again after a kill, %d events behind the last: no batch is that long, and no connection was broken",
					e.key, earlier-rank)
			}
			if killed := c.siem.killed[from.epoch]; killed.Sub(prev.at) > againWithin+slack {
				c.wrong("event %s came again, though it had been taken %s before the kill", e.key, killed.Sub(prev.at))
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

// powerCut says whether the power was cut between two gateways.
func (c *copies) powerCut(before, after int) bool {
	for epoch := before; epoch < after; epoch++ {
		if c.siem.cut[epoch] {
			return true
		}
	}
	return false
}

// latest is when the last event came of those gateways.
func (c *copies) latest(from, to int) (at time.Time) {
	for _, one := range c.siem.sessions {
		if n := len(one.copies); n > 0 && from <= one.epoch && one.epoch < to && one.copies[n-1].at.After(at) {
			at = one.copies[n-1].at
		}
	}
	return at
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

// doubted tells whether a connection before one was broken by the SIEM after an event had been forwarded.
// What it had taken of that may have been thrown away, even if the gateway was dead by then.
func (c *copies) doubted(rank int, one *session) bool {
	for _, o := range c.siem.sessions[:one.number] {
		if o.broken && !o.ended.Before(c.order[rank].time) {
			return true
		}
	}
	return false
}

// file reads the file target: every forwarded event is there. It goes back only after a kill, by no more
// than a batch.
func (h *harness) file(r *record) (problems []string, err error) {
	f, err := os.Open(filepath.Join(h.dir, "disk", "stream.jsonl"))
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
		case rank > last+1 && !h.power: // of what is not synced anything may be missing, until it comes again
			problems = append(problems, fmt.Sprintf("file: event %s stands where %s is missing", t.Key, r.order[last+1].key))
		case rank <= last:
			if back++; last-rank >= fileBatch && !h.power {
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
	if !h.power && (back > h.kills || torn > h.kills) {
		problems = append(problems, fmt.Sprintf("file: went back %d times and has %d torn lines, after %d kills", back, torn, h.kills))
	}
	h.print("file: %d forwarded, %d delivered, %d lines, %d of them again after %d kills in the middle of a batch, %d torn",
		len(r.order), len(seen), lines, lines-len(seen), back, torn)
	return problems, nil
}
