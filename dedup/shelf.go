package dedup

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"
)

// shelves keep what is committed to tableOpen under one heading and in one span of starts, because an
// iterator of Badger costs more than what there is to find, and steps over everything that was there. A span
// is at least as long as the reach of a question, so that a question needs three at most. Their memory is
// bounded by two generations of shelvesBytes; the older one is dropped whole.
type shelves struct {
	young, old map[string]*shelf // by heading and number of the span
	bytes      int               // of young, more or less
}

// shelf is one span, in the order of the keys.
type shelf struct {
	pairs []pair
	full  bool // there is more than it is worth to keep: Badger is asked
}

const (
	shelvesBytes = 4 << 20
	shelfBytes   = 256 // of an empty one, with its name
	pairBytes    = 160
	maxShelved   = 1024 // on one shelf, so that a storm doesn't move much memory for each alert
)

func (s *shelves) get(name []byte) *shelf {
	f := s.young[string(name)]
	if f == nil {
		if f = s.old[string(name)]; f != nil {
			s.keep(name, f)
		}
	}
	return f
}

func (s *shelves) keep(name []byte, f *shelf) {
	size := shelfBytes + pairBytes*len(f.pairs)
	if s.young == nil || s.bytes+size > shelvesBytes {
		s.young, s.old, s.bytes = map[string]*shelf{}, s.young, 0
	}
	s.young[string(name)] = f
	s.bytes += size
}

// commit puts what a batch wrote on the shelves that are there.
func (s *shelves) commit(puts []pair, span time.Duration) {
	for _, p := range puts {
		if p.key[0] != tableOpen {
			continue
		}
		heading := headingOf(p.key)
		var usual [256]byte
		name := shelfName(usual[:0], heading, binary.BigEndian.Uint64(p.key[len(heading):])/spanMillis(span))
		f := s.young[string(name)]
		if f == nil {
			f = s.old[string(name)]
		}
		if f != nil && !f.full {
			f.put(p)
			s.bytes += pairBytes
		}
	}
}

func (f *shelf) put(p pair) {
	at, found := slices.BinarySearchFunc(f.pairs, p.key, func(p pair, key []byte) int { return bytes.Compare(p.key, key) })
	switch {
	case found && p.value == nil:
		f.pairs = slices.Delete(f.pairs, at, at+1)
	case found:
		f.pairs[at] = p
	case p.value != nil:
		f.pairs = slices.Insert(f.pairs, at, p)
	}
	if len(f.pairs) > maxShelved {
		f.pairs, f.full = nil, true
	}
}

// headingOf cuts the start and the alert off a key of tableOpen.
func headingOf(key []byte) []byte {
	end := 1
	for range 3 {
		end += 2 + int(binary.BigEndian.Uint16(key[end:]))
	}
	return key[:end]
}

func shelfName(b, heading []byte, number uint64) []byte {
	return binary.BigEndian.AppendUint64(append(b, heading...), number)
}

func spanMillis(span time.Duration) uint64 { return uint64(span.Milliseconds()) }

// span is how many starts a shelf holds.
func (x *Index) span() time.Duration { return max(time.Hour, x.scale.reach()) }

// listed is scan for tableOpen: it calls visit for the keys of a heading from one to another start, and
// perhaps for some beyond.
func (b *Batch) listed(heading []byte, from, to time.Time, visit func(key, value []byte) (bool, error)) error {
	width := spanMillis(b.x.span())
	first, last := millis(from)/width, millis(to)/width
	begin := openKey(heading, from, "")
	var kept [4]*shelf
	found := kept[:0]
	var usual [256]byte
	for number := first; number <= last; number++ {
		f := b.x.shelves.get(shelfName(usual[:0], heading, number))
		if f == nil {
			var err error
			if found, err = b.fill(heading, first, last, found[:0]); err != nil {
				return err
			}
			break
		}
		found = append(found, f)
	}
	if slices.ContainsFunc(found, func(f *shelf) bool { return f.full }) {
		return b.scan(heading, begin, visit)
	}
	return b.merge(heading, begin, found, visit)
}

// fill makes the shelves of a heading with those numbers anew.
func (b *Batch) fill(heading []byte, first, last uint64, out []*shelf) ([]*shelf, error) {
	width := spanMillis(b.x.span())
	for range last - first + 1 {
		out = append(out, &shelf{})
	}
	it, done := b.iterator(heading)
	defer done()
	for it.Seek(binary.BigEndian.AppendUint64(slices.Clone(heading), first*width)); it.ValidForPrefix(heading); it.Next() {
		key := it.Item().KeyCopy(nil)
		number := binary.BigEndian.Uint64(key[len(heading):]) / width
		if number > last {
			break
		}
		value, err := it.Item().ValueCopy(nil)
		if err != nil {
			return nil, err
		}
		f := out[number-first]
		f.put(pair{key, value})
		if f.full { // the others are of no use without it now
			out = out[:0]
			for range last - first + 1 {
				out = append(out, &shelf{full: true})
			}
			break
		}
	}
	for i, f := range out {
		b.x.shelves.keep(shelfName(nil, heading, first+uint64(i)), f)
	}
	return out, nil
}

// merge visits what is on the shelves and what b wrote itself, from a key on.
func (b *Batch) merge(heading, from []byte, on []*shelf, visit func(key, value []byte) (bool, error)) error {
	at, _ := b.written.search(from)
	ours := b.written.puts[at:]
	for _, f := range on {
		i, _ := slices.BinarySearchFunc(f.pairs, from, func(p pair, key []byte) int { return bytes.Compare(p.key, key) })
		for _, p := range f.pairs[i:] {
			for len(ours) > 0 && bytes.Compare(ours[0].key, p.key) <= 0 {
				if bytes.Equal(ours[0].key, p.key) {
					p.value = nil // b's own is the newer one
				}
				if more, err := visitOwn(ours[0], visit); err != nil || !more {
					return err
				}
				ours = ours[1:]
			}
			if p.value == nil {
				continue
			}
			if more, err := visit(p.key, p.value); err != nil || !more {
				return err
			}
		}
	}
	for len(ours) > 0 && bytes.HasPrefix(ours[0].key, heading) {
		if more, err := visitOwn(ours[0], visit); err != nil || !more {
			return err
		}
		ours = ours[1:]
	}
	return nil
}

func visitOwn(p pair, visit func(key, value []byte) (bool, error)) (bool, error) {
	if p.value == nil {
		return true, nil // removed
	}
	return visit(p.key, p.value)
}
