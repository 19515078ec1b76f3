package stream

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/policy"
)

// Every notification is encoded once, on the goroutine that decides, and reflection took a tenth of all
// the time there was. So entries are written by hand, and read by the library, which the tests also have
// write the same bytes: deterministic CBOR (RFC 8949, 4.2.1), times in RFC 3339 with all their nanoseconds.

// The major types of CBOR, and what stands for nothing.
const (
	cborUint   = 0 << 5
	cborNegint = 1 << 5
	cborBytes  = 2 << 5
	cborText   = 3 << 5
	cborArray  = 4 << 5
	cborMap    = 5 << 5
	cborTrue   = 0xf5
	cborNull   = 0xf6
)

// appendEntry appends e to b. A year that RFC 3339 can't write is an error.
func appendEntry(b []byte, e *Entry) ([]byte, error) {
	o := object{b: b}
	o.open()
	o.text(1, string(e.Kind))
	o.time(2, e.Time)
	o.text(3, string(e.Key))
	o.optional(4, e.Input)
	o.key(5)
	o.notification(&e.Notification)
	o.key(6)
	o.match(&e.Match)
	o.key(7)
	o.decision(&e.Decision)
	if len(e.Twins) > 0 {
		o.array(8, len(e.Twins))
		for i := range e.Twins {
			o.sighting(&e.Twins[i])
		}
	}
	if e.Part != nil {
		o.key(9)
		o.part(e.Part)
	}
	if len(e.Said) > 0 {
		o.array(10, len(e.Said))
		for i := range e.Said {
			o.notification(&e.Said[i])
		}
	}
	if e.Act != nil {
		o.key(11)
		o.act(e.Act)
	}
	o.close()
	if o.err != nil {
		return b, o.err
	}
	return o.b, nil
}

func (o *object) notification(n *formats.Notification) {
	o.open()
	o.text(1, string(n.Service))
	o.text(2, string(n.Kind))
	o.text(3, n.Channel)
	o.optional(4, string(n.Origin))
	o.optional(5, n.ID)
	o.optional(6, n.Type)
	o.optional(7, n.Class)
	o.optional(8, n.Title)
	o.number(9, int(n.Severity))
	o.entities(10, n.Accounts)
	o.entities(11, n.Devices)
	o.texts(12, n.Addresses)
	o.optional(13, n.App)
	o.optional(14, n.URL)
	o.optional(15, n.Message)
	o.moment(16, n.Start)
	o.moment(17, n.End)
	o.moment(18, n.Raised)
	o.moment(19, n.Sent)
	o.moment(20, n.Arrived)
	o.yes(21, n.Update)
	o.number(22, n.Count)
	o.fields(23, n.Extra)
	o.yes(24, n.Truncated)
	o.yes(25, n.Parsed)
	o.bytes(26, n.Content[:])
	o.number(27, n.Payload)
	o.bytes(28, n.Raw)
	o.optional(29, string(n.Claims))
	o.close()
}

func (o *object) match(m *dedup.Match) {
	o.open()
	o.optional(1, string(m.Alert))
	o.text(2, string(m.Relation))
	o.optional(3, m.Type)
	if len(m.Evidence) > 0 {
		o.array(4, len(m.Evidence))
		for i := range m.Evidence {
			e := &m.Evidence[i]
			o.open()
			o.text(1, e.What)
			o.text(2, e.How)
			o.number(3, e.Points)
			o.close()
		}
	}
	if c := m.RunnerUp; c != nil {
		o.key(5)
		o.open()
		o.text(1, string(c.Alert))
		o.integer(2, c.Points)
		o.text(3, c.Why)
		o.close()
	}
	o.optional(6, string(m.Of))
	o.number(7, m.Points)
	o.optional(8, string(m.Undoes))
	o.optional(9, string(m.From))
	o.close()
}

func (o *object) decision(d *policy.Decision) {
	o.open()
	o.text(1, string(d.Action))
	o.text(2, string(d.Reason))
	o.optional(3, d.Rule)
	o.optional(4, string(d.ManagedIn))
	o.moment(5, d.Until)
	o.optional(6, string(d.StandsFor))
	o.optional(7, string(d.Would))
	o.close()
}

func (o *object) sighting(s *dedup.Sighting) {
	o.open()
	o.text(1, string(s.Service))
	o.text(2, s.Channel)
	o.optional(3, s.ID)
	o.optional(4, s.URL)
	o.text(5, string(s.Key))
	o.time(6, s.First)
	o.time(7, s.Last)
	o.integer(8, s.Count)
	o.close()
}

func (o *object) act(a *Act) {
	o.open()
	o.text(1, a.By)
	o.text(2, a.Verb)
	if len(a.Args) > 0 {
		o.bytes(3, a.Args)
	}
	o.optional(4, a.Scope)
	o.close()
}

func (o *object) part(p *dedup.Part) {
	o.open()
	o.bytes(1, p.Of[:])
	o.integer(2, p.Index)
	o.bytes(3, p.Body[:])
	o.close()
}

// object appends CBOR maps, of which one may lie in another. Their keys are small numbers, and come in
// rising order.
type object struct {
	b     []byte
	maps  [4]struct{ head, pairs int } // those that are open; an entry is no deeper
	depth int
	err   error // the first
}

func (o *object) open() {
	o.maps[o.depth].head, o.maps[o.depth].pairs = len(o.b), 0
	o.depth++
	o.b = append(o.b, cborMap)
}

// close puts the number of pairs into the head, which most often has room for it.
func (o *object) close() {
	o.depth--
	m := o.maps[o.depth]
	if m.pairs < 24 {
		o.b[m.head] |= byte(m.pairs)
		return
	}
	o.b = slices.Insert(o.b, m.head+1, byte(m.pairs))
	o.b[m.head] |= 24
}

func (o *object) key(k byte) {
	o.maps[o.depth-1].pairs++
	if k < 24 {
		o.b = append(o.b, k)
		return
	}
	o.b = append(o.b, 24, k)
}

// head appends a major type with its argument.
func (o *object) head(major byte, n uint64) {
	switch {
	case n < 24:
		o.b = append(o.b, major|byte(n))
	case n < 1<<8:
		o.b = append(o.b, major|24, byte(n))
	case n < 1<<16:
		o.b = binary.BigEndian.AppendUint16(append(o.b, major|25), uint16(n))
	case n < 1<<32:
		o.b = binary.BigEndian.AppendUint32(append(o.b, major|26), uint32(n))
	default:
		o.b = binary.BigEndian.AppendUint64(append(o.b, major|27), n)
	}
}

func (o *object) string(s string) {
	o.head(cborText, uint64(len(s)))
	o.b = append(o.b, s...)
}

func (o *object) text(k byte, s string) {
	o.key(k)
	o.string(s)
}

// optional is left out where it is empty; so are number, yes, moment, and what has no elements.
func (o *object) optional(k byte, s string) {
	if s != "" {
		o.text(k, s)
	}
}

func (o *object) integer(k byte, n int) {
	o.key(k)
	if n < 0 {
		o.head(cborNegint, uint64(-(n + 1)))
		return
	}
	o.head(cborUint, uint64(n))
}

func (o *object) number(k byte, n int) {
	if n != 0 {
		o.integer(k, n)
	}
}

func (o *object) yes(k byte, is bool) {
	if is {
		o.key(k)
		o.b = append(o.b, cborTrue)
	}
}

func (o *object) bytes(k byte, v []byte) {
	o.key(k)
	if v == nil {
		o.b = append(o.b, cborNull)
		return
	}
	o.head(cborBytes, uint64(len(v)))
	o.b = append(o.b, v...)
}

func (o *object) moment(k byte, t time.Time) {
	if !t.IsZero() {
		o.time(k, t)
	}
}

func (o *object) time(k byte, t time.Time) {
	o.key(k)
	if t.IsZero() {
		o.b = append(o.b, cborNull)
		return
	}
	t = t.UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		o.err = cmp.Or(o.err, fmt.Errorf("the year %d can't be written", y))
		return
	}
	at := len(o.b)
	o.b = append(o.b, 0, 0) // all but the shortest forms have more than 23 characters
	o.b = t.AppendFormat(o.b, time.RFC3339Nano)
	n := len(o.b) - at - 2
	if n >= 24 {
		o.b[at], o.b[at+1] = cborText|24, byte(n)
		return
	}
	o.b[at] = cborText | byte(n)
	o.b = slices.Delete(o.b, at+1, at+2)
}

func (o *object) array(k byte, n int) {
	o.key(k)
	o.head(cborArray, uint64(n))
}

func (o *object) texts(k byte, list []string) {
	if len(list) == 0 {
		return
	}
	o.array(k, len(list))
	for _, s := range list {
		o.string(s)
	}
}

func (o *object) entities(k byte, list []formats.Entity) {
	if len(list) == 0 {
		return
	}
	o.array(k, len(list))
	for i := range list {
		o.open()
		o.text(1, list[i].Name)
		o.optional(2, list[i].Key)
		o.close()
	}
}

// fields are sorted by their encoded names: the shorter first.
func (o *object) fields(k byte, m map[string]string) {
	if len(m) == 0 {
		return
	}
	var usual [32]string // on the stack
	names := usual[:0]
	for name := range m {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) })
	o.key(k)
	o.head(cborMap, uint64(len(m)))
	for _, name := range names {
		o.string(name)
		o.string(m[name])
	}
}
