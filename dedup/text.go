package dedup

import (
	"html"
	"slices"
	"strings"
	"unicode"

	"github.com/sluice-siem/sluice/formats"
)

// prose is a service's free text, cut into what can be compared with the other service's words.
type prose struct {
	words    []string // in order, folded, without surrounding punctuation
	known    wordSet  // the words and the local parts of the addresses and accounts among them, plain
	persons  []name   // runs of capitalised words, addresses and accounts with their domain: who may be named here
	spans    []span   // where in words each of them stands
	aside    []bool   // of each word: it stands in parentheses, as job titles do
	machines []device // the words again, read as machines' names
	things   []device // those that name something: machines, services
	specific []device // those with a digit: numbers, hosts, identifiers
	broken   bool     // it breaks off, and its last word with it
	small    bool     // it begins with two words in lower case
	generic  bool     // "X performed 3 suspicious activities": a summary that names no particulars
	subject  []name   // that X
	person   []name   // the first name that is a person's for sure, if there is one
}

// readProse reads at most the first 4 KiB, which no service exceeds with anything that tells alerts apart.
func readProse(text string, by formats.Service) prose {
	text = text[:min(len(text), 4096)]
	// Cloud App Security appends the techniques; their numbers are no particulars of the alert.
	text, _, _ = strings.Cut(text, "MITRE Technique")
	text = withoutFormat(withoutHTML(text))
	text = strings.ReplaceAll(text, `\r\n`, " ")
	if by != formats.DefenderForIdentity { // whose \n is the beginning of a name behind a domain
		text = strings.ReplaceAll(text, `\n`, " ")
	}
	usual := min(strings.Count(text, " ")+1, usualWords)
	p := prose{words: make([]string, 0, usual), machines: make([]device, 0, usual), aside: make([]bool, 0, usual)}
	var run nameRun
	aside := false
	flush := func() {
		for _, n := range run.end() {
			p.persons, p.spans = append(p.persons, n), append(p.spans, span{run.at, run.at + run.long})
		}
	}
	for field := range strings.FieldsSeq(text) {
		word := trimMarks(field)
		word = trimMarks(strings.TrimSuffix(strings.TrimSuffix(word, "'s"), "’s"))
		if word == "" {
			flush()
			continue
		}
		folded := fold(word)
		machine := parseDevice(canonical(folded))
		here := len(p.words)
		if here < 2 {
			p.small = (here == 0 || p.small) && strings.ToLower(word) == word
		}
		aside = aside || field[0] == '('
		p.words, p.machines, p.aside = append(p.words, folded), append(p.machines, machine), append(p.aside, aside)
		aside = aside && !strings.Contains(field, ")")
		if strings.ContainsAny(word, `@\`) {
			p.persons, p.spans = append(p.persons, parseName(word)), append(p.spans, span{here, here + 1})
		}
		if isThing(word) {
			p.things = append(p.things, machine)
		}
		if strings.ContainsFunc(word, unicode.IsDigit) {
			p.specific = append(p.specific, machine)
		}
		if field[0] == '(' || !capitalised(word) && !run.continues(folded) {
			flush()
			if last := len(p.persons) - 1; run.ended { // Ida Brook (Admin), Ida Brook T0, Ida Brook (Pilot)
				p.persons[last].entitle(folded)
				p.persons[last].titled = field[0] == '(' && strings.ToUpper(word) != word
			}
			run.ended = false
		}
		if capitalised(word) || run.continues(folded) {
			if len(run.words) == 0 {
				run.at = here
			}
			run.words = append(run.words, word)
			if last := field[len(field)-1]; last != word[len(word)-1] && last != '\'' {
				flush() // a comma or a full stop ends a name
			}
		}
	}
	flush()
	latin := p.latin()
	if latin {
		p.addForeign()
	}
	p.person = p.firstPerson(latin)
	p.known = p.plainWords()
	who, what, performed := strings.Cut(text, " performed ")
	p.generic = performed && strings.Contains(what, "suspicious ")
	if p.generic {
		p.specific, p.things = nil, nil
		if len(who) <= longestName {
			p.subject = []name{parseName(who)}
		}
	}
	return p
}

// withoutHTML leaves out the tags with which portals set off names, and undoes the entities in them.
func withoutHTML(text string) string {
	if !strings.ContainsAny(text, "<&") {
		return text // as most do
	}
	const longest = 200 // of a tag, with what a link leads to
	var b strings.Builder
	rest := text
	for at := strings.IndexByte(rest, '<'); at >= 0; at = strings.IndexByte(rest, '<') {
		b.WriteString(rest[:at])
		rest = rest[at+1:]
		end := strings.IndexAny(rest[:min(len(rest), longest)], "<>")
		if end < 0 || rest[end] == '<' || !isTag(rest[:end]) {
			b.WriteByte('<')
			continue
		}
		b.WriteByte(' ')
		rest = rest[end+1:]
	}
	b.WriteString(rest)
	return html.UnescapeString(b.String())
}

// isTag tells the tags of running text, by what is in their brackets.
func isTag(inner string) bool {
	name, _, _ := strings.Cut(strings.Trim(inner, "/"), " ")
	switch strings.ToLower(strings.TrimSuffix(name, "/")) {
	case "a", "b", "br", "code", "div", "em", "font", "i", "li", "ol", "p", "span", "strong", "u", "ul":
		return true
	}
	return false
}

// withoutFormat leaves out characters that nobody sees: marks of the direction and of the order of bytes, soft hyphens.
func withoutFormat(text string) string {
	if !beyondASCII(text) {
		return text
	}
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, text)
}

func (p prose) plainWords() wordSet {
	var usual [2 * usualWords]string
	all := usual[:0]
	for i, w := range p.words {
		all = append(all, plain(w))
		local, short := localPart(w), p.machines[i].short
		if local != w { // most words have one form only
			all = append(all, plain(local))
		}
		if short != w && short != local {
			all = append(all, plain(short))
		}
	}
	return newWordSet(all)
}

func trimMarks(word string) string {
	return strings.TrimFunc(word, func(r rune) bool { return unicode.IsPunct(r) && r != '$' || r == '\'' })
}

// addForeign adds the words in another script than the text's, which is Latin: names that have no blank, as 王伟 is.
func (p *prose) addForeign() {
	for i, w := range p.words {
		one := span{i, i + 1}
		if n := parseName(w); foreign(n) && !slices.ContainsFunc(p.spans, one.meets) {
			p.persons, p.spans = append(p.persons, n), append(p.spans, one)
		}
	}
}

// latin: most words are in letters that folding brings to ASCII.
func (p *prose) latin() bool {
	ascii := 0
	for _, w := range p.words {
		if !beyondASCII(w) {
			ascii++
		}
	}
	return 2*ascii > len(p.words)
}

// firstPerson finds a name with a job title behind it, or one in another script than the text's.
func (p *prose) firstPerson(latin bool) []name {
	for _, n := range p.persons {
		if n.titled || latin && foreign(n) {
			return []name{n}
		}
	}
	return nil
}

// usualWords has room for most texts; what is longer grows.
const usualWords = 48

// bytes is the memory that a text takes, more or less: a sender can have a name or a word for every few bytes.
func (p prose) bytes() int {
	return 64*len(p.words) + 32*(len(p.things)+len(p.specific)) + (256+16)*len(p.persons) + 16*len(p.known.slots)
}

// longestName is more bytes than any name has.
const longestName = 200

// nameRun gathers the words of what may be a person's name.
type nameRun struct {
	words []string
	at    int  // where the first of them stands
	long  int  // how many of them the last person has
	ended bool // the last person ended with the word before this one
}

// continues: a word in lower case that stands within names.
func (r *nameRun) continues(folded string) bool {
	if len(r.words) == 0 {
		return false
	}
	switch folded {
	case "von", "van", "der", "den", "de", "da", "di", "del", "della", "la", "le", "du", "dos", "das", "ter", "ten",
		"zu", "af", "bin", "binte", "binti", "ibn", "al", "el":
		return true
	}
	return false
}

// end gives the name, if the words are one, and begins anew.
func (r *nameRun) end() []name {
	words := r.words
	for len(words) > 0 && !capitalised(words[len(words)-1]) {
		words = words[:len(words)-1]
	}
	if len(r.words) == 0 {
		return nil
	}
	r.words = r.words[:0]
	r.long = len(words)
	long := 0
	for _, w := range words {
		long += len(w)
	}
	if r.ended = len(words) >= 2 && len(words) <= 6 && long <= longestName; !r.ended {
		return nil
	}
	return []name{displayName(foldAll(words), "")}
}

func foldAll(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = fold(w)
	}
	return out
}

// capitalised: a word that begins with a capital or stands in a script that has none.
func capitalised(word string) bool {
	for i, r := range word {
		if i == 0 {
			if !unicode.IsLetter(r) || unicode.IsLower(r) {
				return false
			}
			continue
		}
		if !unicode.IsLetter(r) && !unicode.IsMark(r) && r != '-' && r != '\'' && r != '’' {
			return false
		}
	}
	return true
}

// mentions says whether the text names an account: its local part or address as a word, or the words
// of its name side by side.
func (s scale) mentions(p prose, n name) bool {
	if len(n.local) >= 3 && p.known.has(plain(n.local)) {
		return true
	}
	if len(n.words) < 2 || !slices.ContainsFunc(n.words, func(w string) bool { return p.known.has(plain(w)) }) {
		return false
	}
	const further = 2 // words of a name that the account writes as one
	for i, word := range p.words {
		if !mayBegin(word, n.words) {
			continue // at a fraction of the cost, as most
		}
		for end := i + len(n.words); end <= min(i+len(n.words)+further, len(p.words)); end++ {
			if !s.effort.spend(stepsOfWords(end-i, len(n.words))) {
				return false
			}
			if kinNames(p.words[i:end], n.words) == same && p.generation(end) == n.generation {
				return true
			}
		}
	}
	return false
}

// mayBegin: one of the words begins as this one does, but for what plain leaves out.
func mayBegin(word string, words []string) bool {
	const left = "'-"
	return word == "" || strings.IndexByte(left, word[0]) >= 0 || slices.ContainsFunc(words, func(w string) bool {
		return w == "" || w[0] == word[0] || strings.IndexByte(left, w[0]) >= 0
	})
}

// generation is that of a name which ends before the i-th word.
func (p prose) generation(i int) string {
	if i < len(p.words) && isGeneration(p.words[i]) {
		return p.words[i]
	}
	return ""
}

// localPart is the account of a word that may be an address or DOMAIN\account.
func localPart(w string) string {
	w = w[strings.LastIndexByte(w, '\\')+1:]
	w, _, _ = strings.Cut(w, "@")
	return w
}

// names says whether the text names a device, short or in full; another where it names one of the same
// short name in another domain.
func (p prose) names(dir directory, d device) (named, another bool) {
	for _, o := range p.machines {
		if alikeInShort(o, d) {
			if dir.one(o, d) {
				return true, false
			}
			another = true
		}
	}
	return false, another
}
