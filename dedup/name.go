package dedup

import (
	"math/bits"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/sluice-siem/sluice/config"
)

// name is one spelling of an account: DOMAIN\sam, a UPN, a bare sAMAccountName or a display name.
type name struct {
	domain string   // NetBIOS or DNS domain or UPN suffix, folded; empty where the spelling has none
	local  string   // sAMAccountName or local part of a UPN, folded; empty for a display name
	words  []string // of a display name, or of a local part written with separators
	opaque bool     // a number rather than a name: says nothing about other spellings
}

// kinship says how two spellings stand to each other.
type kinship uint8

const (
	stranger     kinship = iota // two accounts
	incomparable                // the spellings share no ground: nothing can be said
	likely                      // one abbreviates the other, or only the suffix differs
	same                        // one account
)

// directory knows the organisation's domains: spellings of one domain agree, spellings of two don't.
type directory struct{ domains map[string]int }

func newDirectory(o config.Organisation) directory {
	d := directory{domains: map[string]int{}}
	for i, domain := range o.Domains {
		for _, s := range append([]string{domain.NetBIOS, domain.DNS}, domain.UPNSuffixes...) {
			if s != "" {
				d.domains[fold(s)] = i + 1
			}
		}
	}
	return d
}

// apart says that two domain spellings are known to be two domains; together that they are one.
func (d directory) apart(a, b string) bool {
	return d.domains[a] != 0 && d.domains[b] != 0 && d.domains[a] != d.domains[b]
}

func (d directory) together(a, b string) bool {
	return a == b || d.domains[a] != 0 && d.domains[a] == d.domains[b]
}

// parseName reads one spelling. Display names may carry a job title in parentheses, a comma, or the
// UPN in parentheses, as Cloud App Security writes them.
func parseName(s string) name {
	s = strings.TrimSpace(s)
	if open := strings.LastIndex(s, "("); open >= 0 && strings.HasSuffix(s, ")") {
		inner := s[open+1 : len(s)-1]
		if strings.Contains(inner, "@") && !strings.Contains(inner, " ") {
			s = inner
		} else if open > 0 {
			s = strings.TrimSpace(s[:open])
		}
	}
	var n name
	switch {
	case strings.ContainsAny(s, " ,"):
		n.words = splitWords(fold(s))
		return n
	case strings.Contains(s, `\`):
		i := strings.LastIndex(s, `\`)
		n.domain, n.local = fold(strings.Trim(s[:i], `\`)), fold(s[i+1:])
	case strings.Contains(s, "@"):
		n.local, n.domain = splitUPN(fold(s))
	default:
		n.local = fold(s)
	}
	if w := splitWords(n.local); len(w) > 1 {
		n.words = w
	}
	n.opaque = isOpaque(n.local)
	return n
}

// splitUPN also reads a guest's UPN, in which the home address hides: anna_gmail.com#ext#@tenant.
func splitUPN(s string) (local, domain string) {
	if home, _, guest := strings.Cut(s, "#ext#@"); guest {
		if i := strings.LastIndex(home, "_"); i > 0 {
			return home[:i], home[i+1:]
		}
	}
	i := strings.LastIndex(s, "@")
	return s[:i], s[i+1:]
}

// isOpaque recognises employee numbers and the like: hardly a letter beside the digits.
func isOpaque(local string) bool {
	letters, digits := 0, 0
	for _, r := range local {
		switch {
		case unicode.IsDigit(r):
			digits++
		case unicode.IsLetter(r):
			letters++
		}
	}
	return digits >= 3 && letters <= 3
}

// fold brings a name to lower case without accents, so that Zoë, zoe and ZOE are one.
func fold(s string) string {
	ascii := true
	for i := range len(s) {
		if s[i] >= 0x80 {
			ascii = false
			break
		}
	}
	s = strings.ToLower(s)
	if ascii {
		return s
	}
	var b strings.Builder
	for _, r := range norm.NFKD.String(s) {
		switch r {
		case 'ß':
			b.WriteString("ss")
		case 'ø':
			b.WriteString("o")
		case 'æ':
			b.WriteString("ae")
		case 'œ':
			b.WriteString("oe")
		case 'ł':
			b.WriteString("l")
		case 'đ', 'ð':
			b.WriteString("d")
		case 'þ':
			b.WriteString("th")
		case 'ı':
			b.WriteString("i")
		case '’', 'ʼ':
			b.WriteByte('\'')
		default:
			if !unicode.Is(unicode.Mn, r) {
				b.WriteRune(r)
			}
		}
	}
	return b.String()
}

// plain undoes the transcriptions that stand for an accent, so that mueller and muller are one, and
// leaves out apostrophes and hyphens.
func plain(s string) string {
	changed := false
	out := make([]byte, 0, 32)
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\'' || c == '-' {
			changed = true
			continue
		}
		out = append(out, c)
		if i+1 < len(s) {
			switch next := s[i+1]; {
			case next == 'e' && (c == 'a' || c == 'o' || c == 'u'), next == c && (c == 'a' || c == 's'):
				i++
				changed = true
			}
		}
	}
	if !changed {
		return s
	}
	return string(out)
}

func equalFolded(a, b string) bool { return a == b || plain(a) == plain(b) }

func splitWords(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '\'' && r != '-'
	})
}

// kin compares two spellings.
func (d directory) kin(a, b name) kinship {
	domains := a.domain != "" && b.domain != ""
	if a.local != "" && b.local != "" && (a.local == b.local || truncated(a.local, b.local)) {
		switch {
		case !domains || d.together(a.domain, b.domain):
			return same
		case d.apart(a.domain, b.domain):
			return stranger
		}
		return likely // two suffixes of which nothing is known
	}
	switch {
	case a.opaque && b.opaque:
		return stranger // two numbers
	case a.opaque || b.opaque || foreign(a) != foreign(b):
		return incomparable
	}
	k := kinWords(a, b)
	if k > incomparable && domains && d.apart(a.domain, b.domain) {
		return stranger
	}
	return k
}

func kinWords(a, b name) kinship {
	if len(a.words) < len(b.words) {
		a, b = b, a
	}
	switch {
	case len(a.words) < 2: // two bare names, and they differ
		if a.local != "" && b.local != "" && plain(a.local) == plain(b.local) {
			return same
		}
		return stranger
	case len(b.words) < 2:
		local := b.local
		if local == "" && len(b.words) == 1 {
			local = b.words[0]
		}
		k := abbreviation(local, a.words)
		if k == stranger && complements(local, a.words) {
			return incomparable
		}
		return k
	}
	if len(a.words) == len(b.words) {
		return max(kinLists(a.words, b.words), kinLists(b.words, a.words)) // whoever is asked first
	}
	return kinLists(a.words, b.words)
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

// truncated: Active Directory cuts a sAMAccountName at 20 characters.
func truncated(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	return len(a) == 20 && strings.HasPrefix(b, a)
}

// foreign says that a name is written in a script that folding does not bring to ASCII.
func foreign(n name) bool {
	for _, s := range append([]string{n.local}, n.words...) {
		for i := range len(s) {
			if s[i] >= 0x80 {
				return true
			}
		}
	}
	return false
}

// kinLists compares two lists of words, the longer first: equal in any order is the same person, a
// part of it (a middle name, an initial) likely so.
func kinLists(long, short []string) kinship {
	used := make([]bool, len(long))
	whole, initials := 0, 0
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
		} else {
			whole++
		}
		used[hit] = true
	}
	switch {
	case whole == len(long):
		return same
	case whole >= 2, whole >= 1 && initials >= 1:
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
	return spelt(plain(s), plainWords)
}

func spelt(s string, words []string) kinship {
	if s == strings.Join(words, "") {
		return same
	}
	c := composition{words: words[:min(len(words), 5)], seen: map[[3]int]bool{}}
	if c.spells(s[:min(len(s), 40)], 0, 0) {
		return likely
	}
	return stranger
}

// composition tries to spell a name with beginnings of distinct words. It takes at least two words of
// which one is there with three letters or whole, or one word whole that is no short one. What failed
// once is not tried again, so that no name costs more than some thousand steps.
type composition struct {
	words []string
	seen  map[[3]int]bool
}

// spells says whether s, what is left of the name, can be spelt with the words that are not in the
// set used, when the longest piece so far has longest letters.
func (c composition) spells(s string, used uint, longest int) bool {
	if s == "" {
		n := bits.OnesCount(used)
		return n >= 2 && longest >= 3 || n == 1 && longest >= 4
	}
	state := [3]int{len(s), int(used), longest}
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
			if c.spells(s[p:], used|1<<i, max(longest, piece)) {
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

// String is the spelling as evidence shows it.
func (n name) String() string {
	switch {
	case n.local == "":
		return strings.Join(n.words, " ")
	case n.domain == "":
		return n.local
	}
	return n.local + "@" + n.domain
}
