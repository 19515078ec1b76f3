package dedup

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// kinRoman compares a name in Cyrillic or Greek letters with one in Latin letters. There are many ways to write the one with
// the other, so that what differs is another person's only where it can be no such way.
func kinRoman(a, b name) kinship {
	if foreign(b) {
		a, b = b, a
	}
	a, ok := a.romanised()
	if !ok || max(len(strings.Join(a.words, "")+a.local), len(strings.Join(b.words, "")+b.local)) > longestName {
		return incomparable
	}
	b.local, b.base, b.words = usualRoman(b.local), usualRoman(b.base), mapped(b.words, usualRoman)
	if kinWords(a, b) >= likely || kinNames(a.words, initials(b.words)) >= likely {
		return likely
	}
	if spelledOut(a) && spelledOut(b) && otherSounds(a.words, b.words) {
		return stranger
	}
	return incomparable
}

// romanised is the name in Latin letters; not ok where its script is neither Cyrillic nor Greek.
func (n name) romanised() (name, bool) {
	ok := true
	roman := func(s string) string {
		var b strings.Builder
		for _, start := range [...][2]string{{"μπ", "b"}, {"ντ", "d"}, {"γκ", "g"}} {
			if rest, ok := strings.CutPrefix(s, start[0]); ok {
				s = start[1] + rest
			}
		}
		for _, pair := range [...][2]string{{"ου", "u"}, {"ευ", "ev"}, {"αυ", "av"}, {"γγ", "ng"}} {
			s = strings.ReplaceAll(s, pair[0], pair[1])
		}
		for _, r := range s {
			latin, known := romanLetter(r)
			ok = ok && known
			b.WriteString(latin)
		}
		return usualRoman(b.String())
	}
	n.local, n.base, n.words = roman(n.local), roman(n.base), mapped(n.words, roman)
	n.words = slices.DeleteFunc(n.words, func(w string) bool { return w == "" }) // a sign that stands alone
	return n, ok
}

// romanLetter writes a folded letter as passports do, more or less. Any ASCII character is itself.
func romanLetter(r rune) (latin string, ok bool) {
	const (
		cyrillic = "абвгдезийклмнопрстуфыэіґјқғңөүұһә"
		single   = "abvgdeziiklmnoprstufieigykgnouuha"
		greek    = "αβγδεζηικλμνοπρσςτυφω"
		its      = "avgdeziiklmnoprsstyfo"
	)
	for _, table := range [...][2]string{{cyrillic, single}, {greek, its}} {
		if i := strings.IndexRune(table[0], r); i >= 0 {
			i /= len("ж") // bytes, as all of them are
			return table[1][i : i+1], true
		}
	}
	switch r {
	case 'ж':
		return "zh", true
	case 'х':
		return "kh", true
	case 'ц':
		return "ts", true
	case 'ч':
		return "ch", true
	case 'ш':
		return "sh", true
	case 'щ':
		return "shch", true
	case 'ю':
		return "yu", true
	case 'я':
		return "ya", true
	case 'є':
		return "ye", true
	case 'љ':
		return "ly", true
	case 'њ':
		return "ny", true
	case 'ћ':
		return "c", true
	case 'ђ':
		return "dj", true
	case 'џ':
		return "dzh", true
	case 'ъ', 'ь':
		return "", true
	case 'θ':
		return "th", true
	case 'ξ':
		return "ks", true
	case 'χ':
		return "kh", true
	case 'ψ':
		return "ps", true
	}
	return string(r), r < utf8.RuneSelf
}

// usualRoman brings the ways to write a Cyrillic or Greek name in Latin letters to one, as far as they are no other name's.
func usualRoman(s string) string {
	ways := [...][2]string{ // the first that fits counts
		{"shch", "sh"},
		{"sch", "sh"},
		{"tch", "ch"},
		{"kh", "h"},
		{"ph", "f"},
		{"tz", "ts"},
		{"x", "ks"},
		{"w", "v"},
		{"ck", "k"},
		{"ou", "u"},
		{"iya", "ya"},
		{"ija", "ya"},
		{"iia", "ya"},
		{"yu", "yu"},
		{"ya", "ya"},
		{"ju", "yu"},
		{"iu", "yu"},
		{"ja", "ya"},
		{"ia", "ya"},
		{"ye", "e"},
		{"je", "e"},
		{"ie", "e"},
		{"yo", "e"},
		{"jo", "e"},
		{"iy", "i"},
		{"ij", "i"},
		{"yy", "i"},
		{"ii", "i"},
		{"yi", "i"},
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		n, out := 1, s[i:i+1]
		rest := s[i:]
		for _, p := range ways {
			if strings.HasPrefix(rest, p[0]) {
				n, out = len(p[0]), p[1]
				break
			}
		}
		if (out == "y" || out == "j") && i > 0 {
			out = "i"
		}
		b.WriteString(out)
		i += n
	}
	return b.String()
}

func mapped(list []string, to func(string) string) []string {
	out := slices.Clone(list)
	for i, s := range out {
		out[i] = to(s)
	}
	return out
}

// initials takes the last word of a name apart where it is as short as the initials of first name and patronymic behind a
// surname: zhukova.ea.
func initials(words []string) []string {
	last := len(words) - 1
	if last < 1 || len(words[last]) != 2 {
		return words
	}
	return append(slices.Clone(words[:last]), words[last][:1], words[last][1:])
}

// otherSounds: a word of the shorter name sounds like none of the longer one, however either is written, nor a short form like
// what it stands for.
func otherSounds(a, b []string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	return slices.ContainsFunc(a, func(w string) bool {
		return !slices.ContainsFunc(b, func(o string) bool {
			return mayBeOneSound(w, o) || mayBeOneSound(usualRoman(formalName(w)), usualRoman(formalName(o)))
		})
	})
}

// mayBeOneSound compares the consonants of two words: one more, one less or another one may be another way to write them, and
// what one begins with, a short form. Of those that have hardly any, the first letter tells, too.
func mayBeOneSound(v, w string) bool {
	a, b := consonants(v), consonants(w)
	if len(a) > len(b) {
		a, b = b, a
	}
	if a == b || strings.HasPrefix(b, a) && (len(a) >= 2 || len(b) == 2 && v[0] == w[0]) {
		return true
	}
	if len(b) < 3 || len(b)-len(a) > 1 {
		return false
	}
	first := 0
	for first < len(a) && a[first] == b[first] {
		first++
	}
	return a[first:] == b[first+1:] || len(a) == len(b) && a[first+1:] == b[first+1:]
}

// consonants leaves out of a word its vowels, what may be one, and what may be written as two letters.
func consonants(s string) string {
	s = strings.ReplaceAll(s, "dzh", "j")
	for _, hissing := range [...]string{"ts", "ch"} { // ch is also a French sh
		s = strings.ReplaceAll(s, hissing, "s")
	}
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		c := s[i]
		switch c {
		case 'a', 'e', 'i', 'o', 'u', 'y', 'j', 'h', '-', '\'':
			continue
		case 'c', 'q':
			c = 'k'
		}
		if len(out) == 0 || out[len(out)-1] != c {
			out = append(out, c)
		}
	}
	return string(out)
}
