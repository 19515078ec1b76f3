package dedup

import (
	"net/netip"
	"slices"
	"strings"
)

// weighAccounts adds what the accounts say and is false where they are two people.
func (s scale) weighAccounts(v *verdict, a, b *facts) bool {
	if s.listsApart(a, b) {
		return false
	}
	best, x, y := s.closest(a.best, b.best)
	if best == incomparable {
		best, x, y = s.closest(a.accounts, b.accounts)
	}
	switch k, p, q := s.closest(a.principals, b.principals); {
	case p.local == "":
	case k == same && p.local == q.local && p.domain == q.domain:
		best, x, y = k, p, q // whatever else they are called
	case k == namesake, otherNumber(p, q) && !s.bothNamed(a, b), s.signedInApart(p, q, a, b):
		return false // two people of one display name
	case best == doubtful && k >= likely:
		best, x, y = k, p, q // svc-sync under either suffix, whatever a display name says of its role
	}
	switch best {
	case same:
		v.add("account", pointsAccount, "%s is %s", x, y)
		return true
	case likely:
		if s.calledApart(a, b) {
			return false
		}
		points := pointsLikely
		if x.number != y.number {
			points = pointsNumbered
		}
		v.add("account", points, "%s may be %s", x, y)
		return true
	case stranger:
		return s.weighStrangers(v, a, b)
	case namesake:
		return false
	case doubtful: // a text that names either would say nothing new
		return true
	case incomparable:
	}
	for _, side := range [2][2]*facts{{a, b}, {b, a}} {
		if n, ok := s.mentioned(side[0].called(), side[1].text); ok {
			v.add("account", pointsMentioned, "the other's text names %s", n)
			return true
		}
	}
	for _, side := range [2][2]*facts{{a, b}, {b, a}} {
		if s.callsAnother(side[0], side[1]) {
			return false
		}
	}
	for _, side := range [2][2]*facts{{a, b}, {b, a}} {
		if len(side[1].accounts) > 0 {
			continue // an account of its own says more than names in its text
		}
		for _, n := range side[0].accounts {
			if k, _, p := s.closest([]name{n}, side[1].text.persons); k >= likely {
				v.add("account", pointsNamed, "the other's text names %s, who may be %s", p, n)
				return true
			}
			if p, ok := s.likeAnAccount(side[1], n); ok {
				v.add("account", pointsNumbered, "the other's text names %s, who may be %s", p, n)
				return true
			}
		}
	}
	for _, side := range [2][2]*facts{{a, b}, {b, a}} {
		if p := side[0].text.person; len(p) > 0 && s.mentions(side[1].text, p[0]) {
			v.add("account", pointsNamed, "both texts name %s", p[0])
			return true
		}
	}
	for _, side := range [2][2]*facts{{a, b}, {b, a}} {
		if n, ok := s.missing(side[0], side[1]); ok {
			v.add("account", pointsUnnamed, "one text names %s, the other tells its story without", n)
			return true
		}
	}
	if len(a.accounts) > 0 && len(b.accounts) > 0 && sameMoment(a.n, b.n) {
		v.add("account", pointsMoment, "%s and %s can't be compared, and began in one millisecond", a.accounts[0], b.accounts[0])
		v.exact = false // others may have begun in it
	}
	return true
}

// likeAnAccount finds the account among the words of f's text that look like one, as hvogel01 does, and any with which a text
// begins in lower case.
func (s scale) likeAnAccount(f *facts, account name) (name, bool) {
	const most = 16 // however many somebody writes
	words := f.text.things[:min(len(f.text.things), most)]
	if f.text.small {
		words = append(slices.Clone(words), f.text.machines[0])
	}
	for _, w := range words {
		if n := parseName(w.String()); !slices.Contains(f.devices, w) && s.kin(n, account) >= likely {
			return n, true
		}
	}
	return name{}, false
}

// callsAnother: f's text gives people's names in the place of its account, which is a number, and none of them is the other's
// account or anybody in the other's text.
func (s scale) callsAnother(f, other *facts) bool {
	if len(other.accounts) == 0 || !f.numbered() {
		return false
	}
	if _, own := s.mentioned(f.accounts, f.text); own {
		return false
	}
	titled := slices.DeleteFunc(slices.Clone(f.text.persons), func(n name) bool { return !n.titled })
	if len(titled) == 0 {
		return false
	}
	named, _, _ := s.closest(titled, other.accounts)
	told, _, _ := s.closest(titled, other.text.persons)
	return named <= stranger && (len(other.text.persons) == 0 || told <= stranger) && s.namesOwn(other)
}

// calledApart: both texts spell out whose account it is, and these are two people: jcsilva is José Carlos Silva, and jose.silva is
// José Manuel Silva.
func (s scale) calledApart(a, b *facts) bool {
	if s.writtenApart(a, b) || s.writtenApart(b, a) {
		return true
	}
	mine, theirs := s.owners(a), s.owners(b)
	return len(mine) > 0 && len(theirs) > 0 && !slices.ContainsFunc(mine, func(x name) bool {
		return slices.ContainsFunc(theirs, func(y name) bool { return s.kin(x, y) > stranger })
	})
}

// signedInApart: two principal names, of whose suffixes nothing is known, that come from two addresses. Either alone may be one
// person's, and everybody of a tenant has a second suffix, onmicrosoft.com's. From within a network and from outside it come
// the same people.
func (s scale) signedInApart(x, y name, a, b *facts) bool {
	const tenants = ".onmicrosoft.com"
	from, to, other := otherAddress(a, b)
	return other && isPrivate(from) == isPrivate(to) && !strings.HasSuffix(x.domain, tenants) && !strings.HasSuffix(y.domain, tenants) &&
		s.directory.between(x.domain, y.domain) == unrelated
}

func isPrivate(address string) bool {
	a, err := netip.ParseAddr(address)
	return err == nil && a.IsPrivate()
}

// listsApart: each of two lists has somebody who is nobody on the other one, as what one person did together with a second has
// beside what they did with a third.
func (s scale) listsApart(a, b *facts) bool {
	return len(a.accounts) > 1 && len(b.accounts) > 1 && s.hasAnother(a, b) && s.hasAnother(b, a)
}

// hasAnother: f has somebody who is nobody that the other one lists or whose text names.
func (s scale) hasAnother(f, other *facts) bool {
	const most, sample = 16, 3 // however many somebody writes; as many in common are parts of one list
	as, bs := f.accounts[:min(len(f.accounts), most)], other.accounts[:min(len(other.accounts), most)]
	others, common := 0, 0
	for _, a := range as {
		switch k, _, _ := s.closest([]name{a}, bs); {
		case k >= likely:
			common++
		case k > stranger || a.opaque:
		default:
			if _, named := s.mentioned([]name{a}, other.text); named {
				continue
			}
			if k, _, _ := s.closest([]name{a}, other.text.persons[:min(len(other.text.persons), most)]); k >= likely {
				continue
			}
			others++
		}
	}
	return others > 0 && common < sample
}

// writtenApart: f's text is a summary of what somebody did, whose name in another script than an account's is that of nobody in
// the other's text, though this has such names: zwei is 张伟 there, and wei.zhang is 张薇.
func (s scale) writtenApart(f, other *facts) bool {
	if len(f.text.subject) == 0 || !foreign(f.text.subject[0]) || s.mentions(other.text, f.text.subject[0]) || s.namesOwn(other) {
		return false
	}
	script := scriptOf(f.text.subject[0])
	if k, _, _ := s.closest(f.text.subject, f.accounts); k <= stranger {
		return false // a form of the name that the account doesn't have
	}
	people := slices.DeleteFunc(slices.Clone(other.text.persons), func(n name) bool {
		k, _, _ := s.closest([]name{n}, other.accounts)
		return script == nil || scriptOf(n) != script || k <= stranger
	})
	k, _, _ := s.closest(f.text.subject, people)
	return len(people) > 0 && k <= stranger
}

// owners are those whom the text names and whose the account may be, also without a word before the name that it goes without.
func (s scale) owners(f *facts) (out []name) {
	const most = 16 // however many somebody writes
	for _, n := range f.accounts[:min(len(f.accounts), most)] {
		for _, p := range f.text.persons[:min(len(f.text.persons), most)] {
			for len(out) < most && !p.account && spelledOut(p) && s.kin(n, p) >= likely {
				out = append(out, p)
				p.words = p.words[1:]
			}
		}
	}
	return out
}

// numbered: it has accounts, and all of them are numbers.
func (f *facts) numbered() bool {
	return len(f.accounts) > 0 && !slices.ContainsFunc(f.accounts, func(n name) bool { return !n.opaque })
}

// called are the account and, where the text is a summary of what somebody did, the name of who did it.
func (f *facts) called() []name { return append(slices.Clone(f.accounts), f.text.subject...) }

// weighStrangers: two accounts that are not one still speak for one alert where each is in the other's
// text, as attacker and victim are, or where a text doesn't name its own account and names the other's,
// or who the other's summary is of: then that is what the person is called. Otherwise they are two
// people's alerts.
func (s scale) weighStrangers(v *verdict, a, b *facts) bool {
	for _, x := range a.accounts {
		for _, y := range b.accounts {
			if s.kin(x, y) == namesake {
				return false
			}
		}
	}
	x, xInB := s.mentioned(a.accounts, b.text)
	y, yInA := s.mentioned(b.accounts, a.text)
	xInA, yInB := s.namesOwn(a), s.namesOwn(b)
	if k, n, _ := s.closest(a.accounts, b.text.persons); !xInB && k >= likely {
		x, xInB = n, true
	}
	if k, n, _ := s.closest(b.accounts, a.text.persons); !yInA && k >= likely {
		y, yInA = n, true
	}
	switch {
	case xInB && yInA:
		v.add("account", pointsBothNamed, "both texts name %s and %s", x, y)
	case s.numberedApart(a, b):
		return false
	case yInA && !xInA:
		v.add("account", pointsCalled, "the text calls its account %s", y)
	case xInB && !yInB:
		v.add("account", pointsCalled, "the text calls its account %s", x)
	case !xInA && len(b.text.subject) > 0 && s.mentions(a.text, b.text.subject[0]):
		v.add("account", pointsCalled, "both texts call their account %s", b.text.subject[0])
	case !yInB && len(a.text.subject) > 0 && s.mentions(b.text, a.text.subject[0]):
		v.add("account", pointsCalled, "both texts call their account %s", a.text.subject[0])
	case sameMoment(a.n, b.n) && (s.furtherInitials(a.accounts, b.accounts) || s.furtherInitials(b.accounts, a.accounts)):
		v.add("account", pointsMoment, "%s and %s differ in an initial, and began in one millisecond", a.accounts[0], b.accounts[0])
		v.exact = false
	default:
		return false
	}
	return true
}

// furtherInitials: one of some has a letter more than one of the others accounts for.
func (s scale) furtherInitials(some, others []name) bool {
	return slices.ContainsFunc(some, func(x name) bool {
		return slices.ContainsFunc(others, func(y name) bool {
			return len(x.words) < 2 && len(y.words) > 1 && x.role == y.role && s.directory.between(x.domain, y.domain) != apart &&
				furtherInitial(x.base, y.words)
		})
	})
}

// bothNamed: each text names the other's account, as attacker and victim.
func (s scale) bothNamed(a, b *facts) bool {
	_, inA := s.mentioned(b.accounts, a.text)
	_, inB := s.mentioned(a.accounts, b.text)
	return inA && inB
}

// numberedApart: every account of one is another number than every one of the other, of one kind. What people are called is
// then what two of them are called.
func (s scale) numberedApart(a, b *facts) bool {
	return !slices.ContainsFunc(a.accounts, func(x name) bool {
		return slices.ContainsFunc(b.accounts, func(y name) bool { return !otherNumber(x, y) })
	})
}

// namesOwn: the text names its own account, under whatever name.
func (s scale) namesOwn(f *facts) bool {
	if _, ok := s.mentioned(f.accounts, f.text); ok {
		return true
	}
	k, _, _ := s.closest(f.accounts, f.text.persons)
	return k >= likely
}

func (s scale) mentioned(accounts []name, text prose) (name, bool) {
	for _, n := range accounts {
		if s.mentions(text, n) {
			return n, true
		}
	}
	return name{}, false
}

// missing finds an account that its own text names, under whatever name, while the other service names
// no account and has a text that does without.
func (s scale) missing(f, other *facts) (name, bool) {
	if len(other.accounts) > 0 || len(other.text.words) < 3 || slices.ContainsFunc(other.text.persons, foreign) {
		return name{}, false // or it may be there in another script
	}
	for _, n := range append(s.fullNames(f), f.accounts...) {
		if !n.opaque && !foreign(n) && s.mentions(f.text, n) && !s.mentions(other.text, n) {
			return n, true
		}
	}
	return name{}, false
}

// bestNames are the names by which f is compared: the full ones, or where there are none, its accounts.
func (s scale) bestNames(f *facts) []name {
	if full := s.fullNames(f); len(full) > 0 {
		return full
	}
	return f.accounts
}

// spelledOut: at least two words, and none of them an initial.
func spelledOut(n name) bool {
	return len(n.words) >= 2 && !slices.ContainsFunc(n.words, func(w string) bool { return len(w) == 1 })
}

// fullNames are the names by which a person is told from others with the same initial: the accounts
// that are spelt out, and what the text calls them in more words, or the others.
func (s scale) fullNames(f *facts) []name {
	var out []name
	for _, n := range f.accounts {
		whole := spelledOut(n) && len(n.local) != longestSAM // one that may be cut is no better than an abbreviation
		if whole {
			out = append(out, n)
		}
		had := len(out)
		for _, p := range f.text.persons {
			if spelledOut(p) && (!whole || len(p.words) > len(n.words)) && s.mayBeCalled(n, p) && s.kin(n, p) >= likely {
				p.domain, p.guest, p.account, p.role, p.number = n.domain, n.guest, true, initialled(n, p).role, n.number
				out = append(out, p)
			}
		}
		if spelledOut(n) && !whole && len(out) == had {
			out = append(out, n)
		}
	}
	return out
}

// mayBeCalled is false where a name and an account have no word that begins alike, as most of a list: comparing each with each
// takes long.
func (s scale) mayBeCalled(account, called name) bool {
	if !s.effort.spend(1) || foreign(account) != foreign(called) {
		return true
	}
	words := account.words
	if len(words) < 2 {
		words = []string{account.base}
	}
	return slices.ContainsFunc(called.words, func(w string) bool {
		return strings.Contains(w, "-") || withoutParticle(w) != "" || mayBegin(w, words)
	})
}

func (s scale) closest(as, bs []name) (k kinship, x, y name) {
	if len(as) == 0 || len(bs) == 0 {
		return incomparable, x, y
	}
	first := true
	for _, a := range as {
		for _, b := range bs {
			if s.effort.spent() {
				return stranger, x, y
			}
			if got := s.kin(a, b); first || got > k {
				k, x, y, first = got, a, b, false
			}
		}
	}
	return k, x, y
}
