package stream

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/policy"
)

// Whoever follows the stream from afar reads every entry of it, and reflection was the greatest part of that. So what
// is as appendEntry writes it is read by hand, and everything else by the library, as if nobody had tried before.

// decoder reads entries of one message.
type decoder struct {
	library cbor.DecMode
	words   map[string]string // what entries have in common, each once
}

func newDecoder() decoder { return decoder{decoding(), map[string]string{}} }

// entry reads the entry that b begins with, and gives what comes after it.
func (d decoder) entry(b []byte, e *Entry) (rest []byte, err error) {
	i := item{b: b, words: d.words}
	i.entry(e)
	if !i.odd {
		return i.b, nil
	}
	*e = Entry{}
	return d.library.UnmarshalFirst(b, e)
}

func (i *item) entry(e *Entry) {
	for k := range i.fields {
		switch k {
		case 1:
			e.Kind = Kind(i.word())
		case 2:
			e.Time = i.time()
		case 3:
			e.Key = dedup.EventKey(i.text())
		case 4:
			e.Input = i.word()
		case 5:
			i.notification(&e.Notification)
		case 6:
			i.match(&e.Match)
		case 7:
			i.decision(&e.Decision)
		case 8:
			e.Twins = array(i, (*item).sighting)
		case 9:
			e.Part = new(dedup.Part)
			i.part(e.Part)
		case 10:
			e.Said = array(i, (*item).notification)
		case 11:
			e.Act = new(Act)
			i.act(e.Act)
		default:
			i.odd = true
		}
	}
}

func (i *item) notification(n *formats.Notification) {
	for k := range i.fields {
		switch k {
		case 1:
			n.Service = formats.Service(i.word())
		case 2:
			n.Kind = formats.Kind(i.word())
		case 3:
			n.Channel = i.word()
		case 4:
			n.Origin = formats.Service(i.word())
		case 5:
			n.ID = i.text()
		case 6:
			n.Type = i.word()
		case 7:
			n.Class = i.word()
		case 8:
			n.Title = i.word()
		case 9:
			n.Severity = formats.Severity(i.number(0, math.MaxUint8))
		case 10:
			n.Accounts = array(i, (*item).entity)
		case 11:
			n.Devices = array(i, (*item).entity)
		case 12:
			n.Addresses = array(i, func(i *item, s *string) { *s = i.text() })
		case 13:
			n.App = i.word()
		case 14:
			n.URL = i.text()
		case 15:
			n.Message = i.text()
		case 16:
			n.Start = i.time()
		case 17:
			n.End = i.time()
		case 18:
			n.Raised = i.time()
		case 19:
			n.Sent = i.time()
		case 20:
			n.Arrived = i.time()
		case 21:
			n.Update = i.yes()
		case 22:
			n.Count = i.integer()
		case 23:
			n.Extra = i.texts()
		case 24:
			n.Truncated = i.yes()
		case 25:
			n.Parsed = i.yes()
		case 26:
			n.Content = i.digest()
		case 27:
			n.Payload = i.integer()
		case 28:
			n.Raw = i.bytes()
		case 29:
			n.Claims = formats.Service(i.word())
		default:
			i.odd = true
		}
	}
}

func (i *item) entity(e *formats.Entity) {
	for k := range i.fields {
		switch k {
		case 1:
			e.Name = i.text()
		case 2:
			e.Key = i.word()
		default:
			i.odd = true
		}
	}
}

func (i *item) match(m *dedup.Match) {
	for k := range i.fields {
		switch k {
		case 1:
			m.Alert = dedup.AlertID(i.text())
		case 2:
			m.Relation = dedup.Relation(i.word())
		case 3:
			m.Type = i.word()
		case 4:
			m.Evidence = array(i, (*item).evidence)
		case 5:
			m.RunnerUp = new(dedup.Candidate)
			i.candidate(m.RunnerUp)
		case 6:
			m.Of = dedup.EventKey(i.text())
		case 7:
			m.Points = i.integer()
		case 8:
			m.Undoes = dedup.EventKey(i.text())
		case 9:
			m.From = dedup.AlertID(i.text())
		default:
			i.odd = true
		}
	}
}

func (i *item) evidence(e *dedup.Evidence) {
	for k := range i.fields {
		switch k {
		case 1:
			e.What = i.word()
		case 2:
			e.How = i.word()
		case 3:
			e.Points = i.integer()
		default:
			i.odd = true
		}
	}
}

func (i *item) candidate(c *dedup.Candidate) {
	for k := range i.fields {
		switch k {
		case 1:
			c.Alert = dedup.AlertID(i.text())
		case 2:
			c.Points = i.integer()
		case 3:
			c.Why = i.word()
		default:
			i.odd = true
		}
	}
}

func (i *item) decision(d *policy.Decision) {
	for k := range i.fields {
		switch k {
		case 1:
			d.Action = dedup.Action(i.word())
		case 2:
			d.Reason = policy.Reason(i.word())
		case 3:
			d.Rule = i.word()
		case 4:
			d.ManagedIn = formats.Service(i.word())
		case 5:
			d.Until = i.time()
		case 6:
			d.StandsFor = dedup.EventKey(i.text())
		case 7:
			d.Would = dedup.Action(i.word())
		default:
			i.odd = true
		}
	}
}

func (i *item) sighting(s *dedup.Sighting) {
	for k := range i.fields {
		switch k {
		case 1:
			s.Service = formats.Service(i.word())
		case 2:
			s.Channel = i.word()
		case 3:
			s.ID = i.text()
		case 4:
			s.URL = i.text()
		case 5:
			s.Key = dedup.EventKey(i.text())
		case 6:
			s.First = i.time()
		case 7:
			s.Last = i.time()
		case 8:
			s.Count = i.integer()
		default:
			i.odd = true
		}
	}
}

func (i *item) part(p *dedup.Part) {
	for k := range i.fields {
		switch k {
		case 1:
			p.Of = i.digest()
		case 2:
			p.Index = i.integer()
		case 3:
			p.Body = i.digest()
		default:
			i.odd = true
		}
	}
}

func (i *item) act(a *Act) {
	for k := range i.fields {
		switch k {
		case 1:
			a.By = i.text()
		case 2:
			a.Verb = i.word()
		case 3:
			a.Args = i.bytes()
		case 4:
			a.Scope = i.text()
		default:
			i.odd = true
		}
	}
}

// item reads CBOR as object writes it, from its beginning. What is written in any other way is odd, and nothing that
// was read of it holds.
type item struct {
	b     []byte // what isn't read yet
	words map[string]string
	odd   bool
}

// head reads a major type with its argument, which what follows can't be shorter than unless it is a number.
func (i *item) head(major byte) uint64 {
	if len(i.b) == 0 || i.b[0]&^31 != major {
		i.odd = true
		return 0
	}
	first := i.b[0] & 31
	i.b = i.b[1:]
	if first < 24 {
		return uint64(first)
	}
	size := 1 << (first - 24)
	if first > 27 || len(i.b) < size {
		i.odd = true
		return 0
	}
	var n uint64
	switch size {
	case 1:
		n = uint64(i.b[0])
	case 2:
		n = uint64(binary.BigEndian.Uint16(i.b))
	case 4:
		n = uint64(binary.BigEndian.Uint32(i.b))
	case 8:
		n = binary.BigEndian.Uint64(i.b)
	}
	i.b = i.b[size:]
	return n
}

// next gives the bytes of a string, or none.
func (i *item) next(major byte) []byte {
	n := i.head(major)
	if i.odd || n > uint64(len(i.b)) {
		i.odd = true
		return nil
	}
	b := i.b[:n]
	i.b = i.b[n:]
	return b
}

// fields reads the keys of a map, between which the values are read.
func (i *item) fields(yield func(k uint64) bool) {
	n, last := i.head(cborMap), uint64(0)
	for ; n > 0 && !i.odd; n-- {
		k := i.head(cborUint)
		if k <= last {
			i.odd = true
		}
		if last = k; i.odd || !yield(k) {
			return
		}
	}
}

// array reads a list with at least one element, each with that.
func array[T any](i *item, one func(*item, *T)) []T {
	n := i.head(cborArray)
	if i.odd || n == 0 || n > uint64(len(i.b)) {
		i.odd = true
		return nil
	}
	out := make([]T, 0, min(n, 16)) // what isn't there takes no memory
	for ; n > 0 && !i.odd; n-- {
		out = append(out, *new(T))
		one(i, &out[len(out)-1])
	}
	return out
}

func (i *item) text() string { return string(i.next(cborText)) }

// longestWord is how long a text is at most that may come again.
const longestWord = 128

// word is a text that other entries have, too.
func (i *item) word() string {
	b := i.next(cborText)
	if s, ok := i.words[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(s) <= longestWord {
		i.words[s] = s
	}
	return s
}

func (i *item) bytes() []byte {
	if i.null() {
		return nil
	}
	return append([]byte{}, i.next(cborBytes)...)
}

func (i *item) digest() (d [16]byte) {
	if copy(d[:], i.next(cborBytes)) != len(d) {
		i.odd = true
	}
	return d
}

func (i *item) null() bool {
	if len(i.b) == 0 || i.b[0] != cborNull {
		return false
	}
	i.b = i.b[1:]
	return true
}

func (i *item) yes() bool {
	if len(i.b) == 0 || i.b[0] != cborTrue {
		i.odd = true
		return false
	}
	i.b = i.b[1:]
	return true
}

func (i *item) integer() int { return i.number(math.MinInt, math.MaxInt) }

func (i *item) number(least, most int) int {
	negative := len(i.b) > 0 && i.b[0]&^31 == cborNegint
	var n uint64
	if negative {
		n = i.head(cborNegint)
	} else {
		n = i.head(cborUint)
	}
	if n > math.MaxInt {
		i.odd = true
		return 0
	}
	v := int(n)
	if negative {
		v = -v - 1
	}
	if v < least || v > most {
		i.odd = true
	}
	return v
}

func (i *item) time() (t time.Time) {
	if i.null() {
		return t
	}
	b := i.next(cborText)
	if len(b) == 0 || b[len(b)-1] != 'Z' || t.UnmarshalText(b) != nil {
		i.odd = true
	}
	return t
}

// texts reads texts with their names.
func (i *item) texts() map[string]string {
	n := i.head(cborMap)
	if i.odd || n == 0 || n > uint64(len(i.b)) {
		i.odd = true
		return nil
	}
	m := make(map[string]string, min(n, 64))
	for ; n > 0 && !i.odd; n-- {
		k := i.word()
		if _, ok := m[k]; ok {
			i.odd = true
		}
		m[k] = i.text()
	}
	return m
}
