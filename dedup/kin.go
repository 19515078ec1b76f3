package dedup

import (
	"math/bits"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// kinship says how two spellings stand to each other.
type kinship uint8

const (
	namesake     kinship = iota // two accounts for sure, however alike: of two domains, an administrator's beside the person's
	stranger                    // two accounts
	doubtful                    // alike, but something is on one side only that may make them two
	incomparable                // the spellings share no ground: nothing can be said
	likely                      // one abbreviates the other, or only the suffix differs
	same                        // one account
)

// kin compares two spellings.
func (d directory) kin(a, b name) kinship {
	a, b = initialled(a, b), initialled(b, a)
	k := alike(a, b)
	switch {
	case k > stranger && a.entry != "" && b.entry != "" && a.entry != b.entry:
		return namesake // two entries of one name
	case k == incomparable && a.account && b.account && (administers(a) && plainly(b) || administers(b) && plainly(a)):
		return namesake
	case k <= incomparable:
		return k
	}
	switch d.between(a.domain, b.domain) {
	case apart:
		return namesake
	case dubious:
		k = doubtful
	case unrelated:
		switch guest := a.guest || b.guest; {
		case guest && a.upn && b.upn:
			return namesake // a guest of two organisations, or a guest and one of ours
		case guest:
			k = doubtful // who is invited seldom has an account in our directory
		case a.local == b.local:
			k = likely
		}
	case together:
		if a.guest && b.bare() || b.guest && a.bare() {
			k = doubtful
		}
	}
	return min(k, told(a, b))
}

// bare: an account whose domain isn't told, which is one of our directory's then.
func (n name) bare() bool { return n.account && n.domain == "" }

// administers: the account is an administrator's for sure, whosoever. A single letter may stand for much else.
func administers(n name) bool {
	switch n.role {
	case "adm", "priv", "t0", "t1", "t2":
		return true
	}
	return false
}

// plainly: the account is somebody's own as its name says. A number may be an administrator's account as well.
func plainly(n name) bool { return !n.opaque && !administers(n) }

// told compares what tells the accounts of one name apart.
func told(a, b name) kinship {
	k := same
	switch {
	case a.role == b.role:
	case a.account && b.account && a.role+b.role == outside:
		k = doubtful // the naming rule may be of one kind of name only
	case a.account && b.account:
		return namesake
	case a.role == "" && a.account, b.role == "" && b.account:
		return namesake // "Ida Brook (Admin)" is not ibrook
	case a.role+b.role == outside:
	case a.role == "" || b.role == "":
		k = doubtful // the display name of an administrator's account may tell or not
	}
	switch {
	case a.generation == b.generation:
	case a.generation != "" && b.generation != "":
		return namesake
	default:
		k = doubtful
	}
	switch {
	case a.number == b.number:
	case a.number != "" && b.number != "":
		return namesake
	case a.spelt() && b.spelt() && !a.numbers(b) && !b.numbers(a):
		return namesake // ida.brook and ida.brook2; the number of ibrook2 may be of the naming rule
	}
	return k
}

// numbers: the number may be of the naming rule, as brook.i2 has an initial where the other has the whole name.
func (n name) numbers(whole name) bool { return n.number != "" && !spelledOut(n) && spelledOut(whole) }

// initialled takes a letter that splitRole took from the end of a for the initial that it is beside b: smith_j is the account
// of john.smith, and no second one of smith. An a behind the name is an administrator's too often.
func initialled(a, b name) name {
	if len(a.role) != 1 || a.role == "a" || !strings.HasSuffix(a.local, a.role) || strings.HasPrefix(a.local, a.role+"-") ||
		b.role != "" || len(a.words) > 1 || len(b.words) < 2 {
		return a
	}
	words := []string{a.base, a.role}
	if kinNames(words, b.words) < likely {
		return a
	}
	a.words, a.base, a.role = words, a.local, ""
	return a
}

// spelt: an account that is made of whole names, so that a number tells it from another one's.
func (n name) spelt() bool { return n.local != "" && len(n.words) >= 2 }

// alike compares the names themselves.
func alike(a, b name) kinship {
	switch {
	case a.local != "" && b.local != "" && (a.local == b.local || truncated(a.local, b.local)):
		return same
	case a.opaque && b.opaque:
		return kinNumbers(a.local, b.local)
	case a.opaque || b.opaque:
		return incomparable
	case foreign(a) != foreign(b):
		return kinRoman(a, b)
	}
	return kinWords(a, b)
}

// kinNumbers compares two employee numbers, of which one directory may have the leading zeros and the other not. Letters
// before it make it another account: an administrator's, most often.
func kinNumbers(a, b string) kinship {
	const shortest = 4 // figures by which one is known
	x, y := strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if x == y && len(x) >= shortest && !strings.ContainsFunc(x, func(r rune) bool { return !unicode.IsDigit(r) }) {
		return likely
	}
	return stranger // two numbers
}

// otherNumber: two numbers of one kind, which one authority gives out, each once.
func otherNumber(a, b name) bool {
	if a.local == b.local || !a.opaque || !b.opaque || len(a.local) != len(b.local) || isGUID(strings.Trim(a.local, "{}")) {
		return false
	}
	for i := range len(a.local) {
		if c := a.local[i]; c != b.local[i] && (!unicode.IsDigit(rune(c)) || !unicode.IsDigit(rune(b.local[i]))) {
			return false
		}
	}
	return true
}

func kinWords(a, b name) kinship {
	if len(a.words) < len(b.words) {
		a, b = b, a
	}
	switch {
	case len(a.words) < 2: // two bare names, and they differ
		if a.base != "" && b.base != "" && plain(a.base) == plain(b.base) {
			return same
		}
		return stranger
	case len(b.words) < 2:
		local := b.base
		if local == "" && len(b.words) == 1 {
			local = b.words[0]
		}
		k := abbreviation(local, a.words)
		if k == stranger && (complements(local, a.words) || syllables(local, a.words)) {
			return incomparable
		}
		return k
	}
	k := kinNames(a.words, b.words)
	if k == stranger && (a.local == "" || b.local == "") && kinNames(formal(a.words), formal(b.words)) >= likely {
		return doubtful
	}
	if double := func(w string) bool { return strings.Contains(w, "-") }; k == stranger &&
		(slices.ContainsFunc(a.words[1:], double) || slices.ContainsFunc(b.words[1:], double)) {
		k = min(kinNames(surnames(a.words), surnames(b.words)), likely)
	}
	return k
}

// surnames takes a double surname apart, of which somebody may use one: Anna Kowalska-Nowak. A double first name, which
// is another one than its half, stays: Jean-Pierre Martin is not Pierre Martin.
func surnames(words []string) []string {
	out := slices.Clone(words[:1])
	for _, w := range words[1:] {
		out = append(out, strings.FieldsFunc(w, func(r rune) bool { return r == '-' })...)
	}
	return out
}

// kinNames compares two names of several words each, whoever is asked first.
func kinNames(a, b []string) kinship {
	a, b = joined(a, b), joined(b, a)
	if len(a) < len(b) {
		a, b = b, a
	}
	k := kinLists(a, b)
	if len(a) == len(b) {
		k = max(k, kinLists(b, a))
	}
	return k
}

// joined writes words as one where the other spelling does: De Luca and DeLuca, von der Heide and
// vonderheide, Min Jun and Minjun.
func joined(words, other []string) []string {
	if len(words) < 2 {
		return words
	}
	var out []string
	for i := 0; i < len(words); {
		n := 1
		for span := min(4, len(words)-i); span >= 2 && n == 1; span-- {
			whole := strings.Join(words[i:i+span], "")
			if slices.ContainsFunc(other, func(o string) bool { return equalFolded(o, whole) }) {
				n = span
			}
		}
		out = append(out, strings.Join(words[i:i+n], ""))
		i += n
	}
	return out
}

// complements: an account made of a whole first name and the initial of the last one, say, and a name
// with the initial of the first and the whole last one may be one person's; nothing shows it.
func complements(local string, words []string) bool {
	initial := slices.IndexFunc(words, func(w string) bool { return len(w) == 1 && strings.HasPrefix(local, w) })
	if initial < 0 {
		return false
	}
	rest := strings.TrimRightFunc(local[1:], unicode.IsDigit)
	return slices.ContainsFunc(words, func(w string) bool {
		return len(w) > 1 && len(rest) > 1 && strings.Contains(rest[1:], w[:1]) && strings.HasSuffix(rest, w[:1])
	})
}

// furtherInitial: an account made of an initial and the surname with one letter more than the name has words: that of a middle
// name, jqpublic, or of a second surname, jperezg. It may be theirs or that of somebody with the same initial and surname.
func furtherInitial(local string, words []string) bool {
	const shortest = 3 // a surname by which one is known
	local = strings.TrimRightFunc(local, unicode.IsDigit)
	return slices.ContainsFunc(words[1:], func(surname string) bool {
		if len(surname) < shortest || len(local) != len(surname)+2 || local[0] != words[0][0] {
			return false
		}
		return local[2:] == surname || local[1:len(local)-1] == surname
	})
}

// syllables: an account made of a Chinese or Korean surname and the first letters of the first name's syllables may be theirs, as
// wangxm is often Wang Xiaoming's; nothing shows it. Elsewhere such letters are initials: smithjd is not Jordan Smith.
func syllables(local string, words []string) bool {
	local = strings.TrimRightFunc(local, unicode.IsDigit)
	return slices.ContainsFunc(words, func(whole string) bool {
		letters, ok := strings.CutPrefix(local, whole)
		if !ok {
			letters, ok = strings.CutSuffix(local, whole)
		}
		return ok && oneSyllable(whole) && slices.ContainsFunc(words, func(w string) bool { return w != whole && syllabled(letters, w) })
	})
}

// oneSyllable: a word sounds like one syllable of Chinese or Korean: a consonant at most, or one with an h, vowels, and what such
// a syllable ends with.
func oneSyllable(word string) bool {
	const vowels = "aeiouwy"
	first := strings.IndexAny(word, vowels)
	if first < 0 || first > 1 && (first > 2 || word[1] != 'h') {
		return false
	}
	switch strings.TrimLeft(word[first:], vowels) {
	case "", "n", "ng", "k", "rk", "m", "l":
		return len(word) > 1
	}
	return false
}

// syllabled: two or three letters, of which the first begins the word and the others one of its syllables, in their order.
func syllabled(letters, word string) bool {
	if len(letters) < 2 || len(letters) > 3 || word == "" || letters[0] != word[0] {
		return false
	}
	next := 1
	for i := 2; i+1 < len(word) && next < len(letters); i++ {
		if word[i] == letters[next] && !strings.ContainsRune("aeiou", rune(word[i])) && strings.ContainsRune("aeiouhy", rune(word[i+1])) {
			next++
		}
	}
	return next == len(letters)
}

// longestSAM is where Active Directory cuts a sAMAccountName.
const longestSAM = 20

func truncated(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	return len(a) == longestSAM && strings.HasPrefix(b, a)
}

// foreign says that a name is written in a script that folding does not bring to ASCII.
func foreign(n name) bool { return beyondASCII(n.local) || slices.ContainsFunc(n.words, beyondASCII) }

// scriptOf is the script of a name in one of those of which two are never mixed in a name; nil for any other.
func scriptOf(n name) *unicode.RangeTable {
	letters := strings.Join(n.words, "") + n.local
	for _, script := range [...]*unicode.RangeTable{unicode.Han, unicode.Hangul, unicode.Cyrillic, unicode.Greek, unicode.Arabic, unicode.Hebrew} {
		if letters != "" && !strings.ContainsFunc(letters, func(r rune) bool { return !unicode.Is(script, r) }) {
			return script
		}
	}
	return nil
}

func beyondASCII(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// kinLists compares two lists of words, the longer first: equal in any order is the same person, a
// part of it (a middle name, an initial) likely so. A middle initial stands for no surname while there is another one:
// James B. Wilson is not James Brown.
func kinLists(long, short []string) kinship {
	used := make([]bool, len(long))
	whole, initials, first := 0, 0, len(long) // first: the least initial of the longer one that stands for a word
	for _, w := range short {
		hit := slices.IndexFunc(indices(long), func(i int) bool { return !used[i] && equalFolded(long[i], w) })
		if hit < 0 {
			hit = slices.IndexFunc(indices(long), func(i int) bool {
				return !used[i] && (len(w) == 1 || len(long[i]) == 1) && long[i][0] == w[0]
			})
			if hit < 0 {
				return stranger
			}
			initials++
			if len(w) > 1 {
				first = min(first, hit)
			}
		} else {
			whole++
		}
		used[hit] = true
	}
	switch {
	case whole == len(long):
		return same
	case whole >= 2:
		return likely
	case slices.ContainsFunc(indices(long), func(i int) bool { return i > first && first > 0 && !used[i] && len(long[i]) > 1 }):
		return stranger
	case whole >= 1 && initials >= 1:
		return likely
	}
	return stranger
}

func indices(list []string) []int {
	out := make([]int, len(list))
	for i := range out {
		out[i] = i
	}
	return out
}

// abbreviation says whether an account name is made of the beginnings of the words of a full name in
// any order, as most naming rules do it (jthorne, jonast, thornej, thojo01, jonasthorne).
func abbreviation(local string, words []string) kinship {
	s := strings.TrimRightFunc(local, unicode.IsDigit)
	if s == "" {
		return incomparable
	}
	if k := spelt(s, words); k > stranger {
		return k
	}
	// Once more without transcriptions: mueller for müller. Not at once, because oengel is o. engel.
	plainWords := make([]string, len(words))
	for i, w := range words {
		plainWords[i] = plain(w)
	}
	if k := spelt(plain(s), plainWords); k > stranger {
		return k
	}
	for i, w := range words[1:] {
		if rest := withoutParticle(w); rest != "" {
			shorter := slices.Clone(words)
			shorter[i+1] = rest
			return composed(s, shorter, 2) // rosa is not mia.dellarosa
		}
	}
	return stranger
}

func spelt(s string, words []string) kinship {
	if s == strings.Join(words, "") {
		return same
	}
	var parts []string
	for _, w := range words {
		parts = append(parts, strings.FieldsFunc(w, func(r rune) bool { return r == '-' })...) // min-jun is mj to some
	}
	return composed(s, parts, 1)
}

// composed says whether an account is made of the beginnings of at least so many words.
func composed(s string, words []string, least int) kinship {
	s, words = s[:min(len(s), 40)], words[:min(len(words), 5)]
	c := composition{words: words, least: least, seen: make([]bool, (len(s)+1)<<len(words)*(longEnough+1))}
	if c.spells(s, 0, 0) {
		return likely
	}
	return stranger
}

// withoutParticle cuts off what is written as one with a surname in an address: naming rules for accounts leave it out, so
// that peter.vonderheide is heidpe. Where there is none it returns nothing.
func withoutParticle(surname string) string {
	const shortest = 3
	for _, particle := range [...]string{
		"vonder", "vonden", "von", "vander", "vanden", "vande", "van", "della", "delas", "delos", "dela", "del",
	} {
		if rest, ok := strings.CutPrefix(surname, particle); ok && len(rest) >= shortest {
			return rest
		}
	}
	return ""
}

// composition tries to spell a name with beginnings of distinct words. It takes at least two words of
// which one is there with three letters or whole, or one word whole that is no short one. What failed
// once is not tried again, so that no name costs more than some thousand steps.
type composition struct {
	words []string
	least int    // how many of them it is made of at least
	seen  []bool // by what is left, the set used and the longest piece
}

// longEnough is a piece's length beyond which a longer one makes no difference.
const longEnough = 4

// spells says whether s, what is left of the name, can be spelt with the words that are not in the
// set used, when the longest piece so far has longest letters.
func (c composition) spells(s string, used uint, longest int) bool {
	if s == "" {
		n := bits.OnesCount(used)
		return n >= c.least && (n >= 2 && longest >= 3 || n == 1 && longest >= longEnough)
	}
	state := (len(s)<<len(c.words)|int(used))*(longEnough+1) + longest
	if c.seen[state] {
		return false
	}
	c.seen[state] = true
	for i, w := range c.words {
		if used&(1<<i) != 0 {
			continue
		}
		for p := commonPrefix(s, w); p > 0; p-- {
			piece := p
			if p == len(w) {
				piece = max(p, 3) // a short word, but whole
			}
			if used == 0 && p == len(s) && p < len(w) {
				continue // the beginning of one word alone is no account name
			}
			if c.spells(s[p:], used|1<<i, min(max(longest, piece), longEnough)) {
				return true
			}
		}
	}
	return false
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
