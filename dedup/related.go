package dedup

import (
	"maps"
	"slices"
	"strings"
)

// parties is a sketch of the people and machines of a notification: a bit for each run of three
// characters of their names. Whatever spellings of one party are recognised share such a run.
type parties [16]uint64

func (p *parties) add(name string) {
	p.runs(name)
	if q := plain(name); q != name {
		p.runs(q)
	}
}

func (p *parties) runs(name string) {
	for i := 0; i+3 <= len(name); i++ {
		h := uint32(name[i])<<16 | uint32(name[i+1])<<8 | uint32(name[i+2])
		h = h * 2654435761 >> 22 // Knuth's multiplicative hash, to 10 bits
		p[h>>6] |= 1 << (h & 63)
	}
}

func (p *parties) meet(o *parties) bool {
	for i := range p {
		if p[i]&o[i] != 0 {
			return true
		}
	}
	return false
}

// sketch notes what related needs, once for each notification.
func (f *facts) sketch() {
	for _, n := range f.accounts {
		f.open = f.open || n.opaque || foreign(n)
		for _, w := range append(slices.Clone(n.words), n.local) {
			if w != "" {
				f.parties.add(w)
				f.names = append(f.names, plain(w))
			}
			f.open = f.open || len(w) == 2 // too short for a run
		}
	}
	for _, p := range f.text.persons { // what the accounts may be called
		for _, w := range p.words {
			f.parties.add(w)
		}
	}
	for _, d := range f.devices {
		f.parties.add(d.short)
		f.names = append(f.names, plain(d.short))
	}
	for _, a := range f.addresses {
		f.parties.add(a)
		f.names = append(f.names, plain(a))
	}
	f.open = f.open || len(f.accounts)+len(f.devices) == 0
	f.ids = longWords(nil, f.n.URL)
	for _, key := range slices.Sorted(maps.Keys(f.n.Extra)) { // or chance would say which of many are kept
		f.ids = longWords(f.ids, f.n.Extra[key])
	}
	if agent := longWords(nil, f.n.Extra["userAgent"]); len(agent) > 0 { // which is also part of a longer field
		f.ids = slices.DeleteFunc(f.ids, func(w string) bool { return slices.Contains(agent, w) }) // whoever signs in writes it
	}
}

// longWords adds the words of s that are long enough for an ID, at most 64 in all.
func longWords(list []string, s string) []string {
	for w := range strings.FieldsFuncSeq(strings.ToLower(s), func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	}) {
		if len(w) >= 24 && len(list) < 64 {
			list = append(list, w)
		}
	}
	return list
}

// related is false where two notifications are of two tenants, or have nobody in common for sure. It is what keeps a storm of
// one type from being weighed each with each.
func related(a, b *facts) bool {
	if a.tenant != b.tenant && a.tenant != "" && b.tenant != "" {
		return false
	}
	if a.open || b.open || a.parties.meet(&b.parties) {
		return true
	}
	for _, side := range [2][2]*facts{{a, b}, {b, a}} {
		if slices.ContainsFunc(side[0].names, side[1].text.known.has) {
			return true
		}
	}
	return false
}
