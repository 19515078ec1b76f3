package dedup

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"time"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/catalog"
)

// The work for one notification is bounded, whatever a sender does: of more alerts of one type within
// two hours the nearest in time are weighed, and the others stay apart.
const (
	maxCandidates = 512
	maxListed     = 16384
)

// party is one alert's side of a possible pair.
type party struct {
	alert *Alert // shared
	facts *facts
	key   EventKey
}

// candidate is a possible pair, weighed.
type candidate struct {
	party
	verdict
	listed AlertID // as it is listed, which may be joined into another one
}

// pairing is the answer of pair: the alert that fits, if one does and no rival fits as well.
type pairing struct {
	best     *candidate
	runnerUp *Candidate
	service  formats.Service // who asks
	evidence []Evidence
	undoes   EventKey
	becomes  AlertID // what best is after the undoing, where it is what is given back
}

// certain: the pairing needs not wait for better evidence.
func (p pairing) certain() bool {
	return p.best.points >= certain && p.best.exact || p.best.points >= pointsID
}

func (p pairing) match() Match {
	m := Match{
		Alert: p.best.alert.ID, Relation: Twin, Type: p.best.alert.Type, Evidence: p.evidence,
		RunnerUp: p.runnerUp, Points: p.best.points,
	}
	if p.undoes != "" {
		m.Undoes, m.From = p.undoes, m.Alert
		if p.becomes != "" {
			m.Alert = p.becomes
		}
	}
	if p.best.alert.Many && p.undoes == "" && p.best.alert.Sighting(p.service) != nil {
		// One risky sign-in stands for several detections; a further one is news about it.
		m.Relation, m.Of = Update, p.best.alert.Forwarded
	}
	return m
}

// pair finds the alert that n is a twin of, and what proves it. key is n's own, own its own alert if it
// has one already.
func (b *Batch) pair(n *formats.Notification, key EventKey, own AlertID, now time.Time) (pairing, error) {
	me := b.factsOfNew(n, key)
	if me == nil {
		return pairing{service: n.Service}, nil
	}
	b.effort = effort{b.x.effort - me.steps}
	p, err := b.choose(me, key, own, now)
	if err == nil && b.effort.spent() {
		return pairing{service: n.Service, runnerUp: unanswered(p)}, nil
	}
	if err == nil && p.best != nil {
		p.evidence = b.x.scale.explain(me, p.best.facts)
	}
	return p, err
}

// unanswered is the candidate that might have been taken with more effort, if one is known.
func unanswered(p pairing) *Candidate {
	const why = "there is too much to compare"
	switch {
	case p.best != nil:
		return candidateOf(p.best, why)
	case p.runnerUp != nil:
		return &Candidate{Alert: p.runnerUp.Alert, Points: p.runnerUp.Points, Why: why}
	}
	return nil
}

func (b *Batch) choose(me *facts, key EventKey, own AlertID, now time.Time) (pairing, error) {
	p := pairing{service: me.n.Service}
	candidates, err := b.candidates(me, own)
	if err != nil || len(candidates) == 0 {
		return p, err
	}
	free := make([]candidate, 0, len(candidates))
	var taken *candidate
	for i, c := range candidates {
		switch {
		case slices.Contains(c.alert.Apart, key):
		case c.alert.Sighting(me.n.Service) == nil || c.alert.Many && !me.detection.Many:
			free = append(free, c)
		case taken == nil:
			taken = &candidates[i]
		}
	}
	if taken != nil && (len(free) == 0 || taken.points >= free[0].points+margin) {
		undoes, ok := displaced(*taken)
		if ok {
			if ok, err = b.outdoes(*taken, me); err != nil {
				return p, err
			}
		}
		if ok {
			p.best, p.undoes = taken, undoes
			if undoes == taken.key {
				p.becomes = newAlertID(taken.facts.n, now)
			}
			return p, nil
		}
	}
	if len(free) == 0 {
		if taken != nil { // else all are kept apart
			p.runnerUp = candidateOf(taken, "it has its twin already")
		}
		return p, nil
	}
	mine, why, err := b.assign(me, own, free)
	if err != nil {
		return p, err
	}
	if mine < 0 {
		p.runnerUp = candidateOf(&free[0], why)
		return p, nil
	}
	p.best = &free[mine]
	switch {
	case len(free) > 1:
		other := 0
		if mine == 0 {
			other = 1
		}
		p.runnerUp = candidateOf(&free[other], "the other fits better")
	case taken != nil:
		p.runnerUp = candidateOf(taken, "it has its twin already")
	}
	return p, nil
}

func candidateOf(c *candidate, why string) *Candidate {
	return &Candidate{Alert: c.alert.ID, Points: c.points, Why: why}
}

// displaced says whether a newcomer fits one notification of a pair so much better that the pairing
// made earlier was wrong, and which suppressed notification has to be given back and go out: the other
// one, or the fitting one itself.
func displaced(c candidate) (EventKey, bool) {
	if c.alert.Many || c.alert.Points == 0 || c.alert.Forwarded == "" || c.points < c.alert.Points+displaces {
		return "", false
	}
	for _, g := range c.alert.Sightings {
		if g.Key != c.alert.Forwarded {
			return g.Key, true
		}
	}
	return "", false
}

// outdoes says whether a newcomer that would displace a notification does so without what its text tells, where the other's
// is a summary, which can't tell it: that a text has more words is no proof that the other one was wrong.
func (b *Batch) outdoes(c candidate, me *facts) (bool, error) {
	g := c.alert.Sighting(me.n.Service)
	if g == nil {
		return true, nil
	}
	old, err := b.factsOf(c.alert.ID, g.Service, g.Key)
	if err != nil || old == nil || !old.text.generic {
		return true, err
	}
	return c.points-c.told >= c.alert.Points+displaces, nil
}

// candidates weighs the alerts that may be me's, the best first; equal ones in the order of their IDs,
// so that every run decides alike.
func (b *Batch) candidates(me *facts, own AlertID) ([]candidate, error) {
	var out []candidate
	best, weighed := 0, 0
	scale := b.x.scale
	scale.effort = &b.effort
	mine := appendRaw(nil, string(own))
	times, n := moments(me.n)
	for _, from := range me.others {
		for _, typ := range b.x.scale.lookups(me.detection) {
			listed, err := b.opened(openPrefix(me.n.Service, from, typ), times[:n])
			if err != nil {
				return nil, err
			}
			for i := range listed {
				l := &listed[i]
				reach := most(time.Duration(max(l.apart-1, 0)) * time.Millisecond)
				if best > 0 && reach < best-margin {
					break // the nearest come first: no further one can be a rival
				}
				if l.points > 0 && reach < l.points+displaces {
					continue // it has its twin, and can't do better
				}
				if weighed == maxCandidates || bytes.Equal(l.raw[:l.cut], mine) {
					continue
				}
				weighed++
				other, err := b.listedFacts(l, from)
				if err != nil {
					return nil, err
				}
				if other == nil {
					continue
				}
				if !b.effort.spend(1 + other.steps) {
					return out, nil
				}
				v, fits := scale.weigh(me, other)
				if !fits {
					continue
				}
				id := l.alert()
				if slices.ContainsFunc(out, func(c candidate) bool { return c.listed == id }) {
					continue // under another heading
				}
				best = max(best, v.points)
				a, err := b.shared(id)
				if err != nil {
					return nil, err
				}
				if a == nil {
					a = &Alert{}
				}
				out = append(out, candidate{party{a, other, l.key()}, v, id})
			}
		}
	}
	weighWithoutWords(out)
	slices.SortFunc(out, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.points, a.points), cmp.Compare(a.alert.ID, b.alert.ID))
	})
	return out, nil
}

// weighWithoutWords takes away what their texts tell from those that a summary, which can't tell it, would beat without: that
// a text has more words is no proof that it is of the right one of two alerts.
func weighWithoutWords(all []candidate) {
	summary := 0
	for _, c := range all {
		if c.facts.text.generic {
			summary = max(summary, c.points)
		}
	}
	for i, c := range all {
		if !c.facts.text.generic && c.points-c.told <= summary-margin {
			all[i].points -= c.told
		}
	}
}

// listing is an alert found under a heading, with the key of the notification that put it there.
type listing struct {
	raw    []byte // both IDs, in hex only where they are asked for: most alerts of a type are no candidates
	cut    int    // where the second begins
	end    int    // where they end among those of all
	apart  int64  // milliseconds between the starts
	points int    // of its pairing, 0 while it has none
}

// found is what opened found last, whose room is used again.
type found struct {
	list []listing
	ids  []byte // of all, one after the other
}

// listedFacts is factsOf for an alert that was found under a heading.
func (b *Batch) listedFacts(l *listing, from formats.Service) (*facts, error) {
	key := l.key()
	if f, ok := b.x.recent.get(key); ok {
		return f, nil // as nearly always, without the alert's ID
	}
	return b.factsOf(l.alert(), from, key)
}

func (l *listing) alert() AlertID { return AlertID(hex.EncodeToString(l.raw[:l.cut])) }

func (l *listing) key() EventKey { return EventKey(hex.EncodeToString(l.raw[l.cut:])) }

// opened lists the alerts under a prefix that are found within reach of one of the moments, the nearest first, at most
// maxCandidates; one of Identity Protection may be there by two of its own. The list is good until the next one is asked for.
func (b *Batch) opened(prefix []byte, moments []time.Time) ([]listing, error) {
	reach := b.x.scale.reach()
	out, ids := b.found.list[:0], b.found.ids[:0]
	for _, at := range moments {
		earliest, latest := at.Add(-reach), at.Add(reach)
		to := openKey(prefix, latest, "")
		mine, before := at.UnixMilli(), len(out)
		err := b.listed(prefix, earliest, latest, func(key, value []byte) (bool, error) {
			if bytes.Compare(key[:len(to)], to) > 0 || len(out)-before == maxListed {
				return false, nil
			}
			apart := int64(binary.BigEndian.Uint64(key[len(prefix):])) - mine
			end := len(value) - 2
			ids = append(append(ids, key[len(to):]...), value[:end]...)
			out = append(out, listing{
				cut: len(key) - len(to), end: len(ids), apart: max(apart, -apart), points: int(binary.BigEndian.Uint16(value[end:])),
			})
			return true, nil
		})
		if err != nil {
			return nil, err
		}
	}
	begin := 0
	for i := range out {
		out[i].raw, begin = ids[begin:out[i].end], out[i].end
	}
	b.found.list, b.found.ids = out, ids
	slices.SortStableFunc(out, func(a, b listing) int { return cmp.Compare(a.apart, b.apart) })
	return out[:min(len(out), maxCandidates)], nil
}

// reach is how far apart the starts of two notifications of one alert may be.
func (s scale) reach() time.Duration { return max(s.config.Skew, s.config.RaiseSkew) + equalTimes }

// startOf is the time by which an alert is found: its start, or the best guess where it has none.
func startOf(n *formats.Notification) time.Time {
	for _, t := range []time.Time{n.Start, n.Raised} {
		if t = before(n, t); !t.IsZero() {
			return t
		}
	}
	return n.Arrived
}

// moments are the times by which an alert is found: its start, and when Identity Protection made it, for that service
// detects some risks hours after the sign-in, and Cloud App Security's alert may tell the later time only.
func moments(n *formats.Notification) (at [2]time.Time, many int) {
	at = [2]time.Time{startOf(n), n.Raised}
	if n.Service == formats.IdentityProtection && n.Raised.Sub(at[0]) > equalTimes {
		return at, 2
	}
	return at, 1
}

// Alerts are found by their type, by their name where the seeker's own type is in no table, and under
// one heading all those whose type is in no table. The names that a table gives to a type lead to the type:
// listings outnumber the questions of those whose type is in no table.
const (
	byName  = "name:"
	noTable = "?"
)

// lookups are the headings under which an alert looks for others, listings those under which it is found.
func (s scale) lookups(d catalog.Detection) []string {
	out := slices.Clone(d.Keys)
	if d.Known {
		return append(out, noTable)
	}
	out = append(out, s.catalog.Named(d)...)
	for _, t := range d.Titles {
		out = append(out, byName+t)
	}
	return out
}

func (s scale) listings(d catalog.Detection) []string {
	out := slices.Clone(d.Keys)
	for _, t := range s.catalog.OwnTitles(d) {
		out = append(out, byName+t)
	}
	if !d.Known {
		out = append(out, noTable)
	}
	return out
}
