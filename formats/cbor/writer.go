package cbor

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Writer appends maps with numbers for keys, of which one may lie in another. The keys of a map come in rising order.
type Writer struct {
	b     []byte
	maps  [4]struct{ head, pairs int } // those that are open, of which there are no more
	depth int
	err   error // the first
}

// NewWriter appends to b.
func NewWriter(b []byte) Writer { return Writer{b: b} }

// Done gives what was written. The error is that something of it can't be.
func (w *Writer) Done() ([]byte, error) { return w.b, w.err }

// Open begins a map.
func (w *Writer) Open() {
	w.maps[w.depth].head, w.maps[w.depth].pairs = len(w.b), 0
	w.depth++
	w.b = append(w.b, majorMap)
}

// Close ends a map. The number of its pairs goes into the head, which most often has room for it.
func (w *Writer) Close() {
	w.depth--
	m := w.maps[w.depth]
	if m.pairs < 24 {
		w.b[m.head] |= byte(m.pairs)
		return
	}
	w.b = slices.Insert(w.b, m.head+1, byte(m.pairs))
	w.b[m.head] |= 24
}

// Key begins a pair, whose value comes next.
func (w *Writer) Key(k byte) {
	w.maps[w.depth-1].pairs++
	if k < 24 {
		w.b = append(w.b, k)
		return
	}
	w.b = append(w.b, 24, k)
}

// head appends a major type with its argument.
func (w *Writer) head(major byte, n uint64) {
	switch {
	case n < 24:
		w.b = append(w.b, major|byte(n))
	case n < 1<<8:
		w.b = append(w.b, major|24, byte(n))
	case n < 1<<16:
		w.b = binary.BigEndian.AppendUint16(append(w.b, major|25), uint16(n))
	case n < 1<<32:
		w.b = binary.BigEndian.AppendUint32(append(w.b, major|26), uint32(n))
	default:
		w.b = binary.BigEndian.AppendUint64(append(w.b, major|27), n)
	}
}

// Value writes a text that has no key: an element of an array.
func (w *Writer) Value(s string) {
	w.head(majorText, uint64(len(s)))
	w.b = append(w.b, s...)
}

// Text writes a text, be it empty.
func (w *Writer) Text(k byte, s string) {
	w.Key(k)
	w.Value(s)
}

// Optional leaves out an empty text.
func (w *Writer) Optional(k byte, s string) {
	if s != "" {
		w.Text(k, s)
	}
}

// Integer writes a whole number, be it 0.
func (w *Writer) Integer(k byte, n int) {
	w.Key(k)
	if n < 0 {
		w.head(majorNegint, uint64(-(n + 1)))
		return
	}
	w.head(majorUint, uint64(n))
}

// Number leaves 0 out.
func (w *Writer) Number(k byte, n int) {
	if n != 0 {
		w.Integer(k, n)
	}
}

// Yes leaves out what is false.
func (w *Writer) Yes(k byte, is bool) {
	if is {
		w.Key(k)
		w.b = append(w.b, valueTrue)
	}
}

// Bytes writes bytes; nil is null.
func (w *Writer) Bytes(k byte, v []byte) {
	w.Key(k)
	if v == nil {
		w.b = append(w.b, valueNull)
		return
	}
	w.head(majorBytes, uint64(len(v)))
	w.b = append(w.b, v...)
}

// Moment leaves out the zero time.
func (w *Writer) Moment(k byte, t time.Time) {
	if !t.IsZero() {
		w.Time(k, t)
	}
}

// Time writes a time in RFC 3339 with all its nanoseconds, in UTC; the zero time is null. A year of more than four
// digits is an error.
func (w *Writer) Time(k byte, t time.Time) {
	w.Key(k)
	if t.IsZero() {
		w.b = append(w.b, valueNull)
		return
	}
	t = t.UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		w.err = cmp.Or(w.err, fmt.Errorf("the year %d can't be written", y))
		return
	}
	at := len(w.b)
	w.b = append(w.b, 0, 0) // all but the shortest forms have more than 23 characters
	w.b = t.AppendFormat(w.b, time.RFC3339Nano)
	n := len(w.b) - at - 2
	if n >= 24 {
		w.b[at], w.b[at+1] = majorText|24, byte(n)
		return
	}
	w.b[at] = majorText | byte(n)
	w.b = slices.Delete(w.b, at+1, at+2)
}

// Named writes numbers by their names, which are sorted as they are encoded.
func (w *Writer) Named(k byte, named ...Named) {
	w.Key(k)
	w.head(majorMap, uint64(len(named)))
	for _, n := range named {
		w.Value(n.Name)
		w.head(majorUint, n.Number)
	}
}

// Named is a number with its name.
type Named struct {
	Name   string
	Number uint64
}

// Array begins an array, whose n elements come next.
func (w *Writer) Array(k byte, n int) {
	w.Key(k)
	w.head(majorArray, uint64(n))
}

// Texts leaves out an empty list.
func (w *Writer) Texts(k byte, list []string) {
	if len(list) == 0 {
		return
	}
	w.Array(k, len(list))
	for _, s := range list {
		w.Value(s)
	}
}

// Fields writes texts by their names, sorted as these are encoded: the shorter first. What without
// fits is left out, as is a map that is empty then.
func (w *Writer) Fields(k byte, m map[string]string, without func(name, value string) bool) {
	var usual [32]string // on the stack
	names := usual[:0]
	for name, value := range m {
		if without == nil || !without(name, value) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) })
	w.Key(k)
	w.head(majorMap, uint64(len(names)))
	for _, name := range names {
		w.Value(name)
		w.Value(m[name])
	}
}
