package target

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/sluice-siem/sluice/gateway/stream"
)

// Pauses between questions for acknowledgements: each is half as long again as the one before.
const (
	firstAsk   = 250 * time.Millisecond
	longestAsk = 10 * time.Second
)

// remindAfter is how long it takes until a warning is repeated, and until acknowledgements that the
// collector says there aren't any are tried again.
const remindAfter = time.Hour

// pendingAck is a request that the collector has accepted.
type pendingAck struct {
	id      int
	entries []*stream.Entry
	lost    bool // nobody will acknowledge it
}

// asking says whether acknowledgements are to be had.
func (s *SplunkHEC) asking() bool { return s.ask && !time.Now().Before(s.without) }

// warn tells the operator how acknowledgements are set up, now and then.
func (s *SplunkHEC) warn(what string) {
	if now := time.Now(); s.warned.IsZero() || now.Sub(s.warned) >= remindAfter {
		s.warned = now
		s.log.Warn("acknowledgement and the Splunk token don't match", "meaning", what)
	}
}

// await adds a request. Where its number is pending already, the collector has started again and counts
// anew: the older one would be acknowledged by what isn't its own.
func (s *SplunkHEC) await(id int, items []item) {
	for i := range s.pending {
		s.pending[i].lost = s.pending[i].lost || s.pending[i].id == id
	}
	p := pendingAck{id: id}
	for _, one := range items {
		p.entries = append(p.entries, one.entry)
	}
	s.pending = append(s.pending, p)
}

// confirm asks until all that is pending is acknowledged, the patience is at its end, or there is no use in
// asking. It returns what is not acknowledged, and why.
func (s *SplunkHEC) confirm(ctx context.Context) (map[*stream.Entry]bool, error) {
	if len(s.pending) == 0 {
		return nil, nil
	}
	waiting := map[int]bool{}
	for _, p := range s.pending {
		waiting[p.id] = true
	}
	err := s.poll(ctx, waiting)
	missing := map[*stream.Entry]bool{}
	for _, p := range s.pending {
		for _, e := range p.entries {
			if p.lost || waiting[p.id] {
				missing[e] = true
			}
		}
	}
	s.pending = nil
	if len(missing) == 0 {
		return nil, nil
	}
	if err == nil {
		err = errors.New("the collector has started again meanwhile")
	}
	return missing, fmt.Errorf("%d accepted events are not acknowledged by the indexer, and are sent again: %w", len(missing), err)
}

// poll asks for acknowledgements and takes what has come out of waiting.
func (s *SplunkHEC) poll(ctx context.Context, waiting map[int]bool) error {
	end := time.Now().Add(s.patience)
	var last error
	for pause := s.first; ; pause = min(pause+pause/2, longestAsk) {
		left := time.Until(end)
		if left <= 0 {
			return errors.Join(fmt.Errorf("nothing came within %v", s.patience), last)
		}
		p := PauseOf(last)
		if err := wait(ctx, min(max(pause, p.After), left)); err != nil {
			return errors.Join(err, last)
		}
		var done bool
		if done, last = s.question(ctx, waiting); done || len(waiting) == 0 {
			return last
		}
	}
}

// question asks once. It is done when there is no use in asking again.
func (s *SplunkHEC) question(ctx context.Context, waiting map[int]bool) (done bool, err error) {
	ids := make([]int, 0, len(waiting))
	for _, p := range s.pending {
		if waiting[p.id] && !p.lost {
			ids = append(ids, p.id)
		}
	}
	body, _ := json.Marshal(map[string][]int{"acks": ids}) // never fails
	a, err := s.web.post(ctx, s.acks, s.header, body)
	if err != nil {
		return PauseOf(err).Blocked, fmt.Errorf("ask for acknowledgements: %w", err)
	}
	var reply struct {
		Acks map[string]bool `json:"acks"`
	}
	if a.status == 200 && json.Unmarshal(a.body, &reply) == nil && reply.Acks != nil {
		for _, id := range ids {
			if reply.Acks[strconv.Itoa(id)] {
				delete(waiting, id)
			}
		}
		return false, nil
	}
	r := readHECReply(a.body)
	words := fmt.Errorf("ask for acknowledgements: %w", s.words(a))
	switch class := r.class(a.status); {
	case r.code == 14: // what was accepted just now may have gone with the settings that the collector had then
		s.without = time.Now().Add(remindAfter)
		s.warned = time.Time{}
		s.warn("the collector says that acknowledgement is disabled for the token: events count as delivered when it has accepted them")
		return true, words
	case class == hecBlocked && a.status/100 != 2: // a page in between may pass, and to give up doubles events
		return true, blocked(words)
	default:
		return false, later(a.after(time.Now()), words)
	}
}
