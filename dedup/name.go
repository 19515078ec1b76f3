package dedup

import (
	"cmp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// name is one spelling of an account: DOMAIN\sam, a UPN, a bare sAMAccountName or a display name.
type name struct {
	domain string   // NetBIOS or DNS domain or UPN suffix, folded; empty where the spelling has none
	local  string   // sAMAccountName or local part of a UPN, folded; empty for a display name
	words  []string // of a display name, or of a local part written with separators; without its marks
	opaque bool     // a number rather than a name: says nothing about other spellings
	upn    bool     // local and domain stood with an @ between them
	guest  bool     // of another organisation, as the UPN of an invited one says; the domain is that of their home
	entry  string   // where it is one of a directory's: its distinguished name, folded; what it is called there another one may be too
	marks
}

// marks tell apart the accounts and the people that share a name.
type marks struct {
	account    bool   // the spelling is an account's, or stands for one, and no display name
	base       string // local without its role
	role       string // of a second account that somebody has beside their own: adm, svc
	generation string // jr, sr, ii
	titled     bool   // in a text: a job title stands behind it, so it is a person's for sure
	number     string // behind the name, without leading zeros
}

// parseName reads one spelling, the distinguished name of an entry as what that is called in its domain.
func parseName(s string) name {
	s = strings.TrimSpace(s)
	called, domain, ok := distinguished(s)
	if !ok {
		return parseSpelling(s)
	}
	n := parseSpelling(called)
	n.entry = fold(strings.ReplaceAll(s, " ", ""))
	if n.domain == "" {
		n.domain = fold(domain)
	}
	return n
}

// distinguished takes apart CN=Ida Brook,OU=Sales,DC=hill,DC=example, in which a comma of a name has a backslash before it.
func distinguished(s string) (called, domain string, ok bool) {
	const prefix, part = "CN=", "DC="
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", "", false
	}
	end := len(s)
	for i := len(prefix); i < end; i++ {
		switch s[i] {
		case '\\':
			i++
		case ',':
			end = i
		}
	}
	var labels []string
	for word := range strings.SplitSeq(s[end:], ",") {
		if word = strings.TrimSpace(word); len(word) > len(part) && strings.EqualFold(word[:len(part)], part) {
			labels = append(labels, word[len(part):])
		}
	}
	return strings.ReplaceAll(s[len(prefix):end], `\,`, ","), strings.Join(labels, "."), len(labels) > 0
}

// mostWords is more than a person's name has, with the parts of double ones: comparing two takes as long as each with each.
const mostWords = 12

// parseSpelling reads any other spelling. What is longer than a name can be is known by all of it only.
func parseSpelling(s string) name {
	n := parseShort(s)
	size, parts := 0, len(n.words)
	for _, w := range n.words {
		size, parts = size+len(w), parts+strings.Count(w, "-")
	}
	if max(size, len(n.local)) > longestName || parts > mostWords {
		return name{domain: n.domain, local: cmp.Or(n.local, fold(s)), upn: n.upn, guest: n.guest, opaque: true, marks: marks{account: true}}
	}
	return n
}

// parseShort reads one that may be a name. Display names may carry a job title in parentheses, a comma, or the
// UPN in parentheses, as Cloud App Security writes them, or in angle brackets, as mail does.
func parseShort(s string) name {
	if open := strings.LastIndexByte(s, '<'); open > 0 && strings.HasSuffix(s, ">") {
		if inner := s[open+1 : len(s)-1]; strings.Contains(inner, "@") && !strings.ContainsAny(inner, " <") {
			s = inner
		}
	}
	title := ""
	if open := strings.LastIndex(s, "("); open >= 0 && strings.HasSuffix(s, ")") {
		inner := s[open+1 : len(s)-1]
		if strings.Contains(inner, "@") && !strings.Contains(inner, " ") {
			s = inner
		} else if open > 0 {
			s, title = strings.TrimSpace(s[:open]), fold(inner)
		}
	}
	var n name
	switch {
	case strings.ContainsAny(s, " ,"):
		if last, first, turned := strings.Cut(s, ","); turned {
			s = first + " " + last
		}
		return displayName(splitWords(fold(s)), title)
	case strings.Contains(s, `\`):
		i := strings.LastIndex(s, `\`)
		n.domain, n.local = fold(strings.Trim(s[:i], `\`)), fold(s[i+1:])
	case strings.Contains(s, "@"):
		n.local, n.domain, n.guest = splitUPN(fold(s))
		n.upn = true
	default:
		n.local = fold(s)
		if bare := strings.Trim(n.local, "{}"); isGUID(bare) {
			n.local = bare
		}
	}
	n.opaque, n.account = isOpaque(n.local), true
	n.base, n.role = splitRole(n.local)
	letters := strings.TrimRightFunc(n.base, unicode.IsDigit)
	n.number = strings.TrimLeft(n.base[len(letters):], "0")
	if w := splitWords(n.base); len(w) > 1 {
		last := len(w) - 1
		w[last] = cmp.Or(strings.TrimRightFunc(w[last], unicode.IsDigit), w[last])
		n.words, n.generation = splitGeneration(w)
	}
	return n
}

// displayName takes folded words, and what stood behind them in parentheses.
func displayName(words []string, title string) name {
	var n name
	n.entitle(title)
	if last := len(words) - 1; last >= 2 {
		if r := roleOf(words[0]); r != "" {
			words = words[1:]
			n.entitle(r)
		} else if r := roleOf(words[last]); r != "" {
			words = words[:last]
			n.entitle(r)
		}
	}
	n.words, n.generation = splitGeneration(words)
	return n
}

// entitle takes a folded word that stands beside a display name. That somebody is no employee is told
// of the person, not of a second account.
func (n *name) entitle(word string) {
	if r := roleOf(word); r != "" && r != outside {
		n.role = r
	}
}

// outside is the role of those who are no employees.
const outside = "ext"

// roleOf says which role a whole word names, if one, in one spelling.
func roleOf(word string) string {
	switch word {
	case "adm", "admin", "administrator":
		return "adm"
	case "svc", "srv":
		return "svc"
	case "ext", "extern", "external":
		return outside
	case "priv", "privileged":
		return "priv"
	case "t0", "tier0":
		return "t0"
	case "t1", "tier1":
		return "t1"
	case "t2", "tier2":
		return "t2"
	}
	return ""
}

// splitRole takes a role from either end of an account name: t0_jdoe, a-jdoe, jdoe.adm. What is often a
// name or an initial (da, a) is a role only where the separator is none that naming rules put between
// names.
func splitRole(local string) (base, role string) {
	short := func(word string) bool {
		switch word {
		case "da", "ea", "sa", "wa", "su", "pa", "ops", "test", "dev", "app", "bot":
			return true
		}
		return len(word) == 1 && word[0] >= 'a'
	}
	if i := strings.IndexAny(local, "._-"); i > 0 {
		if head := local[:i]; len(local)-i > 2 && (roleOf(head) != "" || local[i] == '-' && short(head)) {
			return local[i+1:], cmp.Or(roleOf(head), head)
		}
	}
	if i := strings.LastIndexAny(local, "._-"); i > 1 {
		if tail := local[i+1:]; roleOf(tail) != "" || local[i] != '.' && short(tail) {
			return local[:i], cmp.Or(roleOf(tail), tail)
		}
	}
	return local, ""
}

// splitGeneration takes Jr. and the like from behind a name of at least two other words.
func splitGeneration(words []string) (rest []string, generation string) {
	for i, w := range words {
		if i > 0 && len(words) > 2 && isGeneration(w) {
			return append(append([]string{}, words[:i]...), words[i+1:]...), w
		}
	}
	return words, ""
}

func isGeneration(word string) bool {
	switch word {
	case "jr", "sr", "ii", "iii", "iv":
		return true
	}
	return false
}

// splitUPN also reads a guest's UPN, in which the home address hides: anna_gmail.com#ext#@tenant, or behind who vouches
// for it, live.com#anna@gmail.com.
func splitUPN(s string) (local, domain string, guest bool) {
	if home, _, invited := strings.Cut(s, "#ext#@"); invited {
		if i := strings.LastIndex(home, "_"); i > 0 {
			return home[:i], home[i+1:], true
		}
	}
	if by, home, vouched := strings.Cut(s, "#"); vouched && vouches(by) && strings.Contains(home, "@") {
		s, guest = home, true
	}
	i := strings.LastIndex(s, "@")
	return s[:i], s[i+1:], guest
}

// vouches tells the providers whose word a tenant takes for a guest.
func vouches(by string) bool {
	switch by {
	case "live.com", "google.com", "facebook.com":
		return true
	}
	return false
}

// isOpaque recognises employee numbers and the like: hardly a letter beside the digits, or a GUID.
func isOpaque(local string) bool {
	if isGUID(strings.Trim(local, "{}")) {
		return true
	}
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

func isGUID(s string) bool {
	const length, hyphens = 36, 4
	return len(s) == length && strings.Count(s, "-") == hyphens && strings.Trim(s, "0123456789abcdef-") == ""
}

// fold brings a name to lower case without accents, so that Zoë, zoe and ZOE are one, and without characters that nobody sees.
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
		case 'ħ':
			b.WriteString("h")
		case 'ə':
			b.WriteString("a")
		case '’', 'ʼ':
			b.WriteByte('\'')
		default:
			if !isAccent(r) && !unicode.Is(unicode.Cf, r) {
				b.WriteRune(r)
			}
		}
	}
	return b.String()
}

// isAccent tells the marks without which a name is the same. The vowels of the scripts of India are marks too, and without them
// मीना would be मोना, as ごとう would be ことう without the marks of its consonants.
func isAccent(r rune) bool {
	const voiced, half = '\u3099', '\u309a' // of Japanese
	return unicode.Is(unicode.Mn, r) && unicode.In(r, unicode.Inherited, unicode.Arabic, unicode.Hebrew, unicode.Cyrillic) && r != voiced && r != half
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

func equalFolded(a, b string) bool {
	if a == b || a == "" || b == "" {
		return a == b
	}
	const left = "'-" // out by plain, which keeps any other first letter
	if a[0] != b[0] && strings.IndexByte(left, a[0]) < 0 && strings.IndexByte(left, b[0]) < 0 {
		return false // at a fraction of the cost, as nearly always
	}
	return plain(a) == plain(b)
}

func splitWords(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) && r != '\'' && r != '-'
	})
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
