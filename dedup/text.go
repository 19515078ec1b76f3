package dedup

import (
	"slices"
	"strings"
	"unicode"
)

// prose is a service's free text, cut into what can be compared with the other service's words.
type prose struct {
	words    []string        // in order, folded, without surrounding punctuation
	known    map[string]bool // the words and the local parts of the addresses and accounts among them, plain
	persons  []name          // runs of capitalised words and addresses: who may be named here
	specific []string        // words with a digit, machine names among them: numbers, hosts, identifiers
	generic  bool            // "X performed 3 suspicious activities": a summary that names no particulars
}

// readProse reads at most the first 4 KiB, which no service exceeds with anything that tells alerts apart.
func readProse(text string) prose {
	text = text[:min(len(text), 4096)]
	// Cloud App Security appends the techniques; their numbers are no particulars of the alert.
	text, _, _ = strings.Cut(text, "MITRE Technique")
	text = strings.NewReplacer(`\r\n`, " ", `\n`, " ").Replace(text)
	var p prose
	var run []string
	flush := func() {
		if len(run) >= 2 && len(run) <= 4 {
			p.persons = append(p.persons, name{words: foldAll(run)})
		}
		run = run[:0]
	}
	for field := range strings.FieldsSeq(text) {
		word := strings.TrimFunc(field, func(r rune) bool {
			return unicode.IsPunct(r) && r != '$' || r == '\''
		})
		word = strings.TrimSuffix(strings.TrimSuffix(word, "'s"), "’s")
		if word == "" {
			flush()
			continue
		}
		folded := fold(word)
		p.words = append(p.words, folded)
		if strings.Contains(word, "@") {
			p.persons = append(p.persons, parseName(word))
		}
		if strings.ContainsFunc(word, unicode.IsDigit) {
			p.specific = append(p.specific, folded)
		}
		if field[0] == '(' || !capitalised(word) {
			flush()
		}
		if capitalised(word) {
			run = append(run, word)
			if last := field[len(field)-1]; last != word[len(word)-1] && last != '\'' {
				flush() // a comma or a full stop ends a name
			}
		}
	}
	flush()
	p.known = make(map[string]bool, len(p.words))
	for _, w := range p.words {
		p.known[plain(w)] = true
		p.known[plain(localPart(w))] = true
		p.known[plain(hostName(w))] = true
	}
	p.generic = strings.Contains(text, " performed ") && strings.Contains(text, " suspicious ")
	if p.generic {
		p.specific = nil
	}
	return p
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
		if !unicode.IsLetter(r) && r != '-' && r != '\'' && r != '’' {
			return false
		}
	}
	return true
}

// mentions says whether the text names an account: its local part or address as a word, or the words
// of its name side by side.
func (p prose) mentions(n name) bool {
	if len(n.local) >= 3 && p.known[plain(n.local)] {
		return true
	}
	if len(n.words) < 2 {
		return false
	}
	for _, w := range n.words {
		if !p.known[plain(w)] {
			return false
		}
	}
	for i := 0; i+len(n.words) <= len(p.words); i++ {
		if kinLists(p.words[i:i+len(n.words)], n.words) == same {
			return true
		}
	}
	return false
}

// localPart is the account of a word that may be an address or DOMAIN\account.
func localPart(w string) string {
	w = w[strings.LastIndexByte(w, '\\')+1:]
	w, _, _ = strings.Cut(w, "@")
	return w
}

// names says whether the text names a device, short or in full.
func (p prose) names(host string) bool {
	return slices.ContainsFunc(p.words, func(w string) bool { return hostName(w) == host })
}

// hostName brings a device's spellings to one: without the $ of its account and without its domain.
func hostName(s string) string {
	s = strings.TrimSuffix(fold(strings.TrimSpace(s)), "$")
	if i := strings.LastIndex(s, `\`); i >= 0 {
		s = s[i+1:]
	}
	if short, rest, ok := strings.Cut(s, "."); ok && strings.ContainsFunc(short, unicode.IsLetter) && rest != "" {
		return short
	}
	return s
}
