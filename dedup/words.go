package dedup

import "hash/maphash"

// wordSet is a set of words that is made once and asked often. A map takes several times as long to make,
// and every notification needs one. Its seed keeps senders from choosing words that fall together.
type wordSet struct {
	seed  maphash.Seed
	slots []string // a power of two, at most half of them taken
	empty bool     // the empty word is in it
}

func newWordSet(words []string) wordSet {
	size := 2
	for size < 2*len(words) {
		size *= 2
	}
	s := wordSet{seed: maphash.MakeSeed(), slots: make([]string, size)}
	for _, w := range words {
		if w == "" {
			s.empty = true
			continue
		}
		*s.slot(w) = w
	}
	return s
}

// has says whether w is in the set; the zero value has none.
func (s *wordSet) has(w string) bool {
	if w == "" || len(s.slots) == 0 {
		return w == "" && s.empty
	}
	return *s.slot(w) == w
}

// slot is where w is, or where it would be.
func (s *wordSet) slot(w string) *string {
	for i := maphash.String(s.seed, w); ; i++ {
		if at := &s.slots[i&uint64(len(s.slots)-1)]; *at == "" || *at == w {
			return at
		}
	}
}
