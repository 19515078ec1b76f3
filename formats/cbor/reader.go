package cbor

import (
	"encoding/binary"
	"math"
	"slices"
	"time"
)

// Reader reads what a Writer wrote, from its beginning.
type Reader struct {
	b     []byte // what isn't read yet
	words map[string]string
	odd   bool
}

// NewReader reads b. Words are texts that were read before: one that comes again is taken from there.
func NewReader(b []byte, words map[string]string) Reader { return Reader{b: b, words: words} }

// Odd says whether there was something that the Reader doesn't know, or that isn't there. Then nothing that was read holds.
func (r *Reader) Odd() bool { return r.odd }

// Reject makes it odd.
func (r *Reader) Reject() { r.odd = true }

// Rest is what isn't read yet.
func (r *Reader) Rest() []byte { return r.b }

// head reads a major type with its argument.
func (r *Reader) head(major byte) uint64 {
	if len(r.b) == 0 || r.b[0]&^31 != major {
		r.odd = true
		return 0
	}
	first := r.b[0] & 31
	r.b = r.b[1:]
	if first < 24 {
		return uint64(first)
	}
	size := 1 << (first - 24)
	if first > 27 || len(r.b) < size {
		r.odd = true
		return 0
	}
	var n uint64
	switch size {
	case 1:
		n = uint64(r.b[0])
	case 2:
		n = uint64(binary.BigEndian.Uint16(r.b))
	case 4:
		n = uint64(binary.BigEndian.Uint32(r.b))
	case 8:
		n = binary.BigEndian.Uint64(r.b)
	}
	r.b = r.b[size:]
	return n
}

// next gives the bytes of a string, or none.
func (r *Reader) next(major byte) []byte {
	n := r.head(major)
	if r.odd || n > uint64(len(r.b)) {
		r.odd = true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

// Fields reads the keys of a map, between which the values are read.
func (r *Reader) Fields(yield func(k uint64) bool) {
	n, last := r.head(majorMap), uint64(0)
	for ; n > 0 && !r.odd; n-- {
		k := r.head(majorUint)
		if k <= last {
			r.odd = true
		}
		if last = k; r.odd || !yield(k) {
			return
		}
	}
}

// Text reads a text.
func (r *Reader) Text() string { return string(r.next(majorText)) }

// longestWord is how long a text is at most that may come again.
const longestWord = 128

// Word reads a text that comes again and again. A long one is read as Text does.
func (r *Reader) Word() string {
	b := r.next(majorText)
	if s, ok := r.words[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(s) <= longestWord {
		r.words[s] = s
	}
	return s
}

// Bytes reads bytes, of which it makes a copy, or null.
func (r *Reader) Bytes() []byte {
	if r.null() {
		return nil
	}
	return append([]byte{}, r.next(majorBytes)...)
}

// Within reads bytes, or null, and doesn't copy them: they stay a part of what is read.
func (r *Reader) Within() []byte {
	if r.null() {
		return nil
	}
	b := r.next(majorBytes)
	return slices.Clip(b)
}

// Fixed reads exactly as many bytes as into has.
func (r *Reader) Fixed(into []byte) {
	if b := r.next(majorBytes); len(b) != len(into) {
		r.odd = true
	} else {
		copy(into, b)
	}
}

// Array reads how many elements come next: at least one, and no more than there are bytes. It is 0 where that isn't so.
func (r *Reader) Array() int {
	n := r.head(majorArray)
	if r.odd || n == 0 || n > uint64(len(r.b)) {
		r.odd = true
		return 0
	}
	return int(n)
}

func (r *Reader) null() bool {
	if len(r.b) == 0 || r.b[0] != valueNull {
		return false
	}
	r.b = r.b[1:]
	return true
}

// Yes reads what is true.
func (r *Reader) Yes() bool {
	if len(r.b) == 0 || r.b[0] != valueTrue {
		r.odd = true
		return false
	}
	r.b = r.b[1:]
	return true
}

// Integer reads a whole number.
func (r *Reader) Integer() int { return r.Number(math.MinInt, math.MaxInt) }

// Number reads a whole number from least to most.
func (r *Reader) Number(least, most int) int {
	negative := len(r.b) > 0 && r.b[0]&^31 == majorNegint
	var n uint64
	if negative {
		n = r.head(majorNegint)
	} else {
		n = r.head(majorUint)
	}
	if n > math.MaxInt {
		r.odd = true
		return 0
	}
	v := int(n)
	if negative {
		v = -v - 1
	}
	if v < least || v > most {
		r.odd = true
	}
	return v
}

// Time reads a time in UTC, or null for the zero time.
func (r *Reader) Time() (t time.Time) {
	if r.null() {
		return t
	}
	b := r.next(majorText)
	if len(b) == 0 || b[len(b)-1] != 'Z' || t.UnmarshalText(b) != nil {
		r.odd = true
	}
	return t
}

// Texts reads texts by their names.
func (r *Reader) Texts() map[string]string {
	n := r.head(majorMap)
	if r.odd || n == 0 || n > uint64(len(r.b)) {
		r.odd = true
		return nil
	}
	m := make(map[string]string, min(n, 64))
	for ; n > 0 && !r.odd; n-- {
		k := r.Word()
		if _, ok := m[k]; ok {
			r.odd = true
		}
		m[k] = r.Text()
	}
	return m
}
