package dedup

import (
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
)

// tellOfTwo: two texts of one wording tell of two alerts.
func (s scale) tellOfTwo(a, b *facts) bool {
	return oneWording(a.text, b.text) && (s.contradict(a, b) || anotherCount(a, b) || s.differ(a, b)) || s.otherLists(a.text, b.text) ||
		s.beginApart(a, b)
}

// beginApart: both texts begin with a name in lower case, which elsewhere in a text would be words among words, and each spells
// out its own account: ibrook is ida brook there, and not the ivo brook of the other.
func (s scale) beginApart(a, b *facts) bool {
	x, y := s.beginning(a), s.beginning(b)
	return len(x) > 0 && len(y) > 0 && kinNames(x, y) <= stranger && kinNames(formal(x), formal(y)) <= stranger
}

// beginning are the two words with which the text begins where they are in lower case and the name of its account.
func (s scale) beginning(f *facts) []string {
	const few, letters = 2, "abcdefghijklmnopqrstuvwxyz"
	if len(f.text.words) <= few || !f.text.small || slices.ContainsFunc(f.text.spans, span{0, few}.meets) {
		return nil
	}
	words := f.text.words[:few]
	for _, w := range words {
		if len(w) < 2 || strings.Trim(w, letters) != "" {
			return nil
		}
	}
	spelt := displayName(words, "")
	if slices.ContainsFunc(f.accounts, func(n name) bool { return slices.Contains(words, n.local) }) ||
		!slices.ContainsFunc(f.accounts, func(n name) bool { return s.kin(n, spelt) >= likely }) {
		return nil
	}
	return words
}

// otherLists: two texts that begin alike go on with lists of people, of whom none is on the other list: somebody tried one row
// of accounts and then another. Whatever else a list may lack, it is of the same people in any order.
func (s scale) otherLists(a, b prose) bool {
	const words, few, most = 5, 3, 6 // of the most each is compared with each
	n := 0
	for n < min(len(a.words), len(b.words)) && a.words[n] == b.words[n] {
		n++
	}
	if n < words {
		return false
	}
	mine, theirs := a.listed(n), b.listed(n)
	if len(mine) < few || len(theirs) < few {
		return false
	}
	known := make(map[string]bool, len(theirs))
	for _, y := range theirs {
		known[lettersOf(y)] = true
	}
	if slices.ContainsFunc(mine, func(x name) bool { return known[lettersOf(x)] }) {
		return false
	}
	mine, theirs = mine[:min(len(mine), most)], theirs[:min(len(theirs), most)]
	return !slices.ContainsFunc(mine, func(x name) bool {
		return slices.ContainsFunc(theirs, func(y name) bool { return s.kin(x, y) > stranger })
	})
}

// listed are the persons from the n-th word on.
func (p prose) listed(n int) []name {
	for i, at := range p.spans {
		if at.from >= n {
			return p.persons[i:]
		}
	}
	return nil
}

// contradict: two texts of one wording that each name a thing which the other doesn't tell of two alerts:
// another service that was made, another machine that was attacked. Counts grow and addresses may stand
// for machines, so neither counts; nor does what may be another spelling of a person.
func (s scale) contradict(a, b *facts) bool {
	if addressedApart(a, b) || addressedApart(b, a) {
		return true
	}
	mine := s.onlyIn(a, b)
	if len(mine) == 0 {
		return false
	}
	theirs := s.onlyIn(b, a)
	const things = 32 // steps for two of them
	odd := func(some, others []device) bool {
		return slices.ContainsFunc(some, func(x device) bool {
			return !slices.ContainsFunc(others, func(y device) bool {
				v, w := x.String(), y.String()
				return s.effort.spend(things) && !isGUID(x.short) && !isGUID(y.short) && (s.kin(parseName(v), parseName(w)) > stranger ||
					s.directory.holds(v, y) || s.directory.holds(w, x))
			})
		})
	}
	return len(theirs) > 0 && odd(mine, theirs) && odd(theirs, mine)
}

// addressedApart: a is about a machine by its address, which only a's text names, and b's names another one that a's doesn't.
func addressedApart(a, b *facts) bool {
	mine, theirs := a.text.addresses(), b.text.addresses()
	return slices.ContainsFunc(a.devices, func(d device) bool {
		return slices.Contains(mine, d.short) && !slices.Contains(theirs, d.short) && slices.ContainsFunc(theirs, func(o string) bool {
			return !slices.Contains(mine, o) && strings.Contains(o, ":") == strings.Contains(d.short, ":")
		})
	})
}

// addresses are those in the text.
func (p prose) addresses() (list []string) {
	for _, w := range p.words {
		if isAddress(w) {
			list = append(list, canonical(w))
		}
	}
	return list
}

// growth is for how long the count in an alert's text may grow until the other service tells of it.
const growth = 15 * time.Minute

// anotherCount: two texts of one wording count differently, and what they count began too far apart for one to have grown
// to the other: the same was done again.
func anotherCount(a, b *facts) bool {
	if a.n.Start.IsZero() || b.n.Start.IsZero() || absolute(a.n.Start.Sub(b.n.Start)) <= growth || a.text.generic || b.text.generic {
		return false
	}
	x, y := a.text.counts(), b.text.counts()
	return len(x) == len(y) && !slices.Equal(x, y)
}

// counts are the numbers in the text, in order.
func (p prose) counts() []string {
	return slices.DeleteFunc(slices.Clone(p.words), func(w string) bool {
		return strings.ContainsFunc(w, func(r rune) bool { return r < '0' || r > '9' })
	})
}

// onlyIn lists the first things that a's text names and b's doesn't, without what may spell the account of either.
func (s scale) onlyIn(a, b *facts) []device {
	const most = 16 // which tell as much as hundreds
	const thing = 8 // steps to read one as a name
	var out []device
	accounts := append(slices.Clone(a.accounts), b.accounts...)
	for _, t := range a.text.things {
		if len(out) == most {
			break
		}
		if s.namesThing(b.text, t) {
			continue
		}
		if !s.effort.spend(thing) {
			break
		}
		if s.ofAPerson(a.text, t, b.text) {
			continue
		}
		if k, _, _ := s.closest([]name{parseName(t.String())}, accounts); k < likely {
			out = append(out, t)
		}
	}
	return out
}

// ofAPerson: what looks like a thing is a word of somebody's name who may be in the other text, as HADDAD is in HADDAD Omar.
func (s scale) ofAPerson(p prose, t device, other prose) bool {
	const most = 16 // however many somebody writes
	for i, at := range p.spans[:min(len(p.spans), most)] {
		if slices.Contains(p.machines[at.from:at.to], t) {
			return s.spells(p.persons[i], other.persons[:min(len(other.persons), most)])
		}
	}
	return false
}

// namesThing: the text names the machine or thing, in whatever spelling.
func (s scale) namesThing(p prose, t device) bool {
	return p.mayName(t) && (t.domain == "" && len(t.short) < longestNetBIOS ||
		s.effort.spend(len(p.machines)/4) && slices.ContainsFunc(p.machines, func(o device) bool { return s.directory.one(t, o) }))
}

// mayName is false where no word is a spelling of d, for sure: comparing each with hundreds takes long.
func (p prose) mayName(d device) bool {
	return len(d.short) >= longestNetBIOS || p.known.has(plain(d.short))
}

// oneWording: most words of the shorter text are in the other one.
func oneWording(a, b prose) bool {
	if len(a.words) > len(b.words) {
		a, b = b, a
	}
	shared := 0
	for _, w := range a.words {
		if b.known.has(plain(w)) {
			shared++
		}
	}
	return len(a.words) >= 5 && 3*shared >= 2*len(a.words)
}

// retold: two texts tell the story each in words of its own, so that what one of them leaves out says little.
func retold(a, b prose) bool {
	switch x, y := len(a.words), len(b.words); {
	case x < y:
		return a.ownWords(b)
	case x > y:
		return b.ownWords(a)
	}
	return a.ownWords(b) && b.ownWords(a)
}

// ownWords: of the words that belong to no name, machine or count, at most half are in the other text.
func (p prose) ownWords(other prose) bool {
	own, shared, named := 0, 0, p.spans
	for i, w := range p.words {
		for len(named) > 0 && named[0].to <= i {
			named = named[1:]
		}
		if len(named) > 0 && named[0].from <= i || strings.ContainsAny(w, "0123456789") {
			continue
		}
		own++
		if other.known.has(plain(w)) {
			shared++
		}
	}
	return own > 0 && 2*shared <= own
}

// isThing: a word that names a machine, a service or the like, and no count, address or word of the language.
func isThing(word string) bool {
	if isAddress(word) || !strings.ContainsFunc(word, unicode.IsLetter) {
		return false
	}
	if strings.ContainsAny(word, "_0123456789") && roleOf(fold(word)) == "" {
		return true
	}
	small := func(r rune) bool { return 'a' <= r && r <= 'z' } // spares most words the rest
	return len(word) >= 5 && !strings.ContainsFunc(word, small) && strings.ToUpper(word) == word && strings.ToLower(word) != word
}

// isAddress doesn't ask of most words, because the answer no costs much more than the question.
func isAddress(word string) bool {
	if !strings.ContainsAny(word, ".:") || !strings.ContainsRune("0123456789abcdefABCDEF:", rune(word[0])) {
		return false
	}
	_, err := netip.ParseAddr(word)
	return err == nil
}

// weighParticulars stands in for parties that the services don't name in comparable ways: the texts are
// the same word for word, or but for who did it; or all machines, numbers and identifiers of one are in
// the other.
func (s scale) weighParticulars(v *verdict, a, b *facts) {
	x, y := a.text, b.text
	switch {
	case x.generic || y.generic:
	case s.sameWords(a, b):
		v.add("text", pointsDeviceText, "the texts are the same")
	case len(x.specific) > 0 && len(y.specific) > 0 && (s.within(x, y) || s.within(y, x)):
		v.add("text", pointsDeviceText, "both texts name %v", x.specific[:min(3, len(x.specific))])
	case s.sameStory(a, b) || s.sameStory(b, a):
		v.add("text", pointsDeviceText, "the texts are the same but for the account")
	default:
		if n, ok := s.samePeople(a, b); ok {
			v.add("account", pointsNamed, "the texts are the same but for how they spell %s", n)
		}
	}
}

// samePeople compares word for word but for who is named: where one text has a person, the other has in the same place who may be
// the same, and one at least is spelt out in both, as Ida Brook and ida.brook@hillside.example are.
func (s scale) samePeople(a, b *facts) (who name, found bool) {
	const fewest, most = 4, 64 // words, with the people: whoever writes more doesn't hold us up
	if x, y := len(a.text.words), len(b.text.words); min(x, y) < fewest || max(x, y) > most {
		return who, false
	}
	x, y := a.text.outside(), b.text.outside()
	for len(x) > 0 && len(y) > 0 {
		p, endOfP := a.text.personAt(x[0])
		q, endOfQ := b.text.personAt(y[0])
		switch {
		case endOfP > 0 && endOfQ > 0 && s.kin(p, q) >= likely:
			spelling, other := a.text.words[x[0]:endOfP], b.text.words[y[0]:endOfQ]
			if spelledOut(p) && spelledOut(q) && !slices.Equal(spelling, other) { // equal ones may as well be the Golden Ticket
				who, found = p, true
			}
			x, y = after(x, endOfP), after(y, endOfQ)
		case s.directory.one(a.text.machines[x[0]], b.text.machines[y[0]]):
			x, y = x[1:], y[1:]
		default:
			return who, false
		}
	}
	return who, found && len(x) == 0 && len(y) == 0
}

// personAt is the person whose name begins with the i-th word, and where it ends; 0 where none does.
func (p prose) personAt(i int) (n name, end int) {
	for j, at := range p.spans {
		if at.from == i {
			return p.persons[j], at.to
		}
	}
	return n, 0
}

// after leaves out the words before end.
func after(words []int, end int) []int {
	return slices.DeleteFunc(slices.Clone(words), func(i int) bool { return i < end })
}

// tellTheSame: two texts with particulars that are the same but for who did it are of one type.
func (s scale) tellTheSame(a, b *facts) bool {
	if a.text.generic || b.text.generic || len(a.text.specific) == 0 {
		return false
	}
	return len(a.text.words) >= 6 && s.sameWords(a, b) || s.sameStory(a, b) || s.sameStory(b, a)
}

// sameWords compares word for word, as far as a text goes that breaks off, and without what stands in parentheses where only
// one text has any, as job titles do. An address may stand for the other's machine, and so may what stands for one that
// couldn't be resolved.
func (s scale) sameWords(a, b *facts) bool {
	const fewest = 4
	if len(a.text.words) != len(b.text.words) && !a.text.broken && !b.text.broken && !slices.Contains(a.text.aside, true) && !slices.Contains(b.text.aside, true) {
		return false // as most
	}
	x, y := a.text.outside(), b.text.outside()
	if some, others := len(x) < len(a.text.words), len(y) < len(b.text.words); some && others {
		x, y = indices(a.text.words), indices(b.text.words)
	}
	if n := min(len(x), len(y)); n < fewest || len(x) > n && !b.text.broken || len(y) > n && !a.text.broken {
		return false
	}
	for n := range min(len(x), len(y)) {
		i, j := x[n], y[n]
		if !s.directory.one(a.text.machines[i], b.text.machines[j]) && !s.standsFor(a, i, b, j) && !s.standsFor(b, j, a, i) {
			return false
		}
	}
	return true
}

// standsFor: the word of f at i is in the place of a machine's name, which the other has at j, and is about.
func (s scale) standsFor(f *facts, i int, other *facts, j int) bool {
	word := f.text.words[i]
	return (isAddress(word) && !isAddress(other.text.words[j]) || f.unresolved && word == unresolved) &&
		slices.ContainsFunc(other.devices, func(d device) bool { return s.directory.one(d, other.text.machines[j]) })
}

// sameStory: without its own account, one text is in the other word for word, a particular among them.
func (s scale) sameStory(a, b *facts) bool {
	i, words, particular := 0, 0, false
	for j, w := range a.text.words {
		m := a.text.machines[j]
		if slices.ContainsFunc(a.accounts, func(n name) bool { return n.local == localPart(w) || slices.Contains(n.words, w) }) {
			continue
		}
		at := slices.IndexFunc(b.text.machines[i:], func(o device) bool { return s.directory.one(m, o) })
		if at < 0 {
			return false
		}
		i += at + 1
		words++
		particular = particular || slices.Contains(a.text.specific, m)
	}
	return words >= 4 && particular
}

// within says whether all particulars of some are in all; a single one says enough only where there is no other.
func (s scale) within(some, all prose) bool {
	n := len(some.specific)
	return s.shared(some, all) == n && (n >= 2 || n == len(all.specific))
}

// shared counts the particulars of some that are in all, machines in whatever spelling.
func (s scale) shared(some, all prose) int {
	n := 0
	for _, w := range some.specific {
		if all.mayName(w) && s.effort.spend(len(all.specific)/4) && slices.ContainsFunc(all.specific, func(o device) bool { return s.directory.one(w, o) }) {
			n++
		}
	}
	return n
}

// weighText compares the particulars that both texts could share: numbers, machines, identifiers.
func (s scale) weighText(v *verdict, a, b prose) {
	if len(a.specific) == 0 || len(b.specific) == 0 {
		return
	}
	if len(a.specific) > len(b.specific) {
		a, b = b, a
	}
	shared := s.shared(a, b)
	share := float64(shared) / float64(len(a.specific))
	v.add("text", int(math.Round(pointsText*(2*share-1))), "%d of %d particulars of the shorter text are in the other", shared, len(a.specific))
}
