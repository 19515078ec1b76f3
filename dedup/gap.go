package dedup

import (
	"slices"
	"strings"
	"unicode"
)

// span is a run of words of a text, from one up to another.
type span struct{ from, to int }

func (x span) meets(y span) bool { return x.from < y.to && y.from < x.to }

// differ: two texts of one wording name two people or two things in the same place, neither of which the other notification
// knows: another victim, another new member of a group, another machine that was attacked. That somebody is named in a place
// where the other text has nothing is no more than a list that has grown.
func (s scale) differ(a, b *facts) bool {
	if a.n.Service > b.n.Service {
		a, b = b, a // texts can often be aligned in two ways, and it mustn't matter which came first
	}
	const most = 4 // people of either to be looked at: whoever writes longer lists doesn't hold us up
	leftOfA, leftOfB := most, most
	for _, g := range s.gaps(a.text, b.text) {
		if a.text.breaksOff(g[0], b.text, g[1]) || b.text.breaksOff(g[1], a.text, g[0]) {
			continue
		}
		mine, theirs := s.onlyNamedIn(a, g[0], b, &leftOfA), s.onlyNamedIn(b, g[1], a, &leftOfB)
		for _, x := range mine {
			if slices.ContainsFunc(theirs, func(y name) bool { return s.kin(x, y) <= stranger }) {
				return true
			}
		}
		if s.faces(mine, b, a, g[1]) || s.faces(theirs, a, b, g[0]) || s.twoThings(a, g[0], b, g[1]) {
			return true
		}
	}
	return false
}

// onlyNamedIn lists the persons in a gap of a's text whom b doesn't know. Whom a is about isn't among them, as b may call them
// something else, unless it is a name that can be compared with those of its script only, or b's accounts are numbers: then the
// texts alone tell who that is.
func (s scale) onlyNamedIn(a *facts, gap span, b *facts, left *int) (out []name) {
	about := append(slices.Clone(b.accounts), b.text.persons[:min(len(b.text.persons), 16)]...)
	numbered := b.numbered()
	for i, p := range a.text.persons {
		if *left == 0 {
			break
		}
		if !a.text.spans[i].meets(gap) || b.text.hasWords(p) {
			continue
		}
		*left--
		if !s.spells(p, about) && (foreign(p) || numbered || !s.spells(p, a.accounts)) {
			out = append(out, p)
		}
	}
	return out
}

// hasWords: all words of the name, or its account, are in the text.
func (p prose) hasWords(n name) bool {
	if n.local != "" {
		return p.known.has(plain(n.local))
	}
	return !slices.ContainsFunc(n.words, func(w string) bool { return !p.known.has(plain(w)) })
}

// spells: it may be another spelling of one of them.
func (s scale) spells(n name, others []name) bool {
	return slices.ContainsFunc(others, func(o name) bool { k := s.kin(n, o); return k == doubtful || k >= likely })
}

// faces: one of those persons stands where the other text has a single word, as an account is, which is none of theirs and not
// what either notification is about. Either has to be a name for sure.
func (s scale) faces(persons []name, f, other *facts, gap span) bool {
	if len(persons) == 0 || !s.isOther(f, other, gap) {
		return false
	}
	account, sure := parseName(f.text.words[gap.from]), slices.Contains(f.text.things, f.text.machines[gap.from])
	return slices.ContainsFunc(persons, func(p name) bool {
		return (sure || p.account || p.titled) && !slices.Contains(p.words, account.base) && // SQL Service and svc_sql
			!s.spells(p, other.accounts) && s.kin(p, account) <= stranger
	})
}

// twoThings: a single word stands where the other text has one too, and both are put together of several, as the names of
// machines and accounts are.
func (s scale) twoThings(a *facts, mine span, b *facts, theirs span) bool {
	if !s.isOther(a, b, mine) || !s.isOther(b, a, theirs) {
		return false
	}
	x, y := a.text.words[mine.from], b.text.words[theirs.from]
	m, n := a.text.machines[mine.from], b.text.machines[theirs.from]
	return strings.ContainsAny(x, "-_.") && strings.ContainsAny(y, "-_.") && !s.directory.one(m, n) &&
		!s.directory.holds(x, n) && !s.directory.holds(y, m) && s.kin(parseName(x), parseName(y)) <= stranger
}

// isOther: the gap is a single word that is no initial, count or address, not what either notification is about, and nowhere
// in the other text, which may list the same in another order.
func (s scale) isOther(f, other *facts, gap span) bool {
	word := f.text.words[gap.from]
	if gap.to-gap.from != 1 || len(word) < 3 || !strings.ContainsFunc(word, unicode.IsLetter) || isAddress(word) || nobody(word) ||
		other.text.known.has(plain(word)) {
		return false
	}
	return !s.spells(parseName(word), append(slices.Clone(f.accounts), other.accounts...))
}

// breaksOff: the text was cut where the gap is, in a word that the other one has whole.
func (p prose) breaksOff(at span, other prose, there span) bool {
	return at.to == len(p.words) && at.from < at.to && there.from < there.to && strings.HasPrefix(other.words[there.from], p.words[at.from])
}

// gaps are the places where two texts differ, as runs of the words of either, without what stands in parentheses.
func (s scale) gaps(a, b prose) (out [][2]span) {
	const most = 64 // words from the first that differs to the last one
	x, y := a.outside(), b.outside()
	equal := func(i, j int) bool { // most words are no machines in full, and comparing machines costs more
		m, n := a.machines[x[i]], b.machines[y[j]]
		return a.words[x[i]] == b.words[y[j]] || (m.domain != "" || n.domain != "") && s.directory.one(m, n)
	}
	first, m, n := 0, len(x), len(y)
	for first < m && first < n && equal(first, first) {
		first++
	}
	for m > first && n > first && equal(m-1, n-1) {
		m, n = m-1, n-1
	}
	if m-first > most || n-first > most {
		return nil
	}
	// long is the length of the longest row of equal words from there on.
	width := n - first + 1
	long := make([]uint8, (m-first+1)*width)
	if !s.effort.spend(len(long) / 2) {
		return nil
	}
	at := func(i, j int) *uint8 { return &long[(i-first)*width+j-first] }
	for i := m - 1; i >= first; i-- {
		for j := n - 1; j >= first; j-- {
			if equal(i, j) {
				*at(i, j) = *at(i+1, j+1) + 1
			} else {
				*at(i, j) = max(*at(i+1, j), *at(i, j+1))
			}
		}
	}
	for i, j := first, first; i < m && j < n; {
		from, to := i, j
		for i < m && j < n && !equal(i, j) {
			if *at(i+1, j) >= *at(i, j+1) {
				i++
			} else {
				j++
			}
		}
		if i == m || j == n {
			i, j = m, n
		}
		if i > from && j > to {
			out = append(out, [2]span{{x[from], x[i-1] + 1}, {y[to], y[j-1] + 1}})
		}
		for i < m && j < n && equal(i, j) {
			i, j = i+1, j+1
		}
	}
	return out
}

// outside lists the words that don't stand in parentheses.
func (p prose) outside() []int {
	return slices.DeleteFunc(indices(p.words), func(i int) bool { return p.aside[i] })
}
