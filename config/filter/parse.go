package filter

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Error is what is wrong with a filter. Column is where it stands in the text, in bytes from 1, or 0 where it
// has no place.
type Error struct {
	Column          int
	Found, Expected string
}

// Error is one line whatever the text holds: column 14: found this, expected that.
func (e *Error) Error() string {
	what := "found " + e.Found + ", expected " + e.Expected
	if e.Column == 0 {
		return what
	}
	return fmt.Sprintf("column %d: %s", e.Column, what)
}

// Parse reads a filter; what is wrong is an [*Error]. It knows no fields: see [Fields.Check], and
// [Fields.Parse] for both. Fields come out in lower case, values as they are written.
func Parse(text string) (Filter, error) {
	f, _, err := parse(text)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// place says where in the text a condition stands, in columns.
type place struct {
	field, op int
	values    []int
}

func parse(text string) (Filter, []place, *Error) {
	if err := plain(text); err != nil {
		return nil, nil, err
	}
	var f Filter
	var places []place
	s := scanner{text: text}
	for values := 0; !s.ended() || len(f) > 0; {
		c, p, err := s.condition(maxValues - values)
		if err != nil {
			return nil, nil, err
		}
		f, places = append(f, c), append(places, p)
		values += len(c.Values)
		if s.ended() {
			break
		}
		at := s.at
		if !isAnd(s.word()) {
			return nil, nil, s.wrong(at, afterValue(c))
		}
		if len(f) == maxConditions {
			return nil, nil, &Error{at + 1, fmt.Sprintf("more than %d conditions", maxConditions), "no more"}
		}
	}
	return f, places, f.bounded() // as String writes it, it may be longer
}

func afterValue(c Condition) string {
	if len(c.Values) == 0 {
		return `"and" or the end`
	}
	return `a comma, "and" or the end; a value of several words stands in quotes`
}

// plain finds what is no text.
func plain(text string) *Error {
	if len(text) > maxText {
		return &Error{0, fmt.Sprintf("%d bytes", len(text)), fmt.Sprintf("at most %d", maxText)}
	}
	for i, r := range text {
		if _, size := utf8.DecodeRuneInString(text[i:]); r == utf8.RuneError && size == 1 {
			return &Error{i + 1, fmt.Sprintf("the byte 0x%02x", text[i]), "text in UTF-8"}
		}
		if unicode.IsControl(r) && !unicode.IsSpace(r) {
			return &Error{i + 1, fmt.Sprintf("the control character %U", r), fmt.Sprintf(`\u%04x in quotes`, r)}
		}
	}
	return nil
}

// scanner reads text from at on.
type scanner struct {
	text string
	at   int
}

// ended skips white space, and says whether nothing follows.
func (s *scanner) ended() bool {
	rest := strings.TrimLeftFunc(s.text[s.at:], unicode.IsSpace)
	s.at = len(s.text) - len(rest)
	return rest == ""
}

// word reads a word, "" where none begins here.
func (s *scanner) word() string {
	rest := s.text[s.at:]
	end := strings.IndexFunc(rest, func(r rune) bool { return !inWord(r) })
	if end < 0 {
		end = len(rest)
	}
	s.at += end
	return rest[:end]
}

// wrong is the error that something else stands at that place.
func (s *scanner) wrong(at int, expected string) *Error {
	next := scanner{s.text, at}
	found := next.word()
	if found == "" {
		_, size := utf8.DecodeRuneInString(s.text[at:])
		found = s.text[at : at+size]
	}
	if found == "" {
		return &Error{at + 1, "the end", expected}
	}
	return &Error{at + 1, quote(found), expected}
}

// quote writes what was found; nothing that it holds makes a second line of it.
func quote(found string) string {
	const most = 60
	if len(found) <= most {
		return strconv.Quote(found)
	}
	cut := most
	for cut > most-utf8.UTFMax && !utf8.RuneStart(found[cut]) {
		cut--
	}
	return strconv.Quote(found[:cut]) + "…"
}

// condition reads one, which may have as many values as are left.
func (s *scanner) condition(left int) (Condition, place, *Error) {
	var c Condition
	var p place
	s.ended()
	p.field = s.at + 1
	c.Field = strings.ToLower(s.word())
	if !isName(c.Field) {
		return c, p, s.wrong(p.field-1, "the name of a field")
	}
	s.ended()
	p.op = s.at + 1
	for _, op := range ops() {
		if s.operator(op) {
			c.Op = op
			break
		}
	}
	if c.Op == "" {
		next := scanner{s.text, s.at}
		return c, p, s.wrong(s.at, "an operator: "+alternatives(ops())+hint(next.word(), ops()))
	}
	for more := c.Op != Set && c.Op != NotSet; more; {
		s.ended()
		p.values = append(p.values, s.at+1)
		if len(c.Values) == left {
			return c, p, &Error{s.at + 1, fmt.Sprintf("more than %d values", maxValues), "no more"}
		}
		v, err := s.value()
		if err != nil {
			return c, p, err
		}
		c.Values = append(c.Values, v)
		if more = !s.ended() && s.text[s.at] == ','; more {
			s.at++
		}
	}
	return c, p, nil
}

// isName says whether a word can be a field's name.
func isName(word string) bool {
	for i, r := range word {
		if r != '_' && (r < 'a' || r > 'z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return word != "" && !isAnd(word)
}

// operator reads op if it stands here, word by word.
func (s *scanner) operator(op Op) bool {
	start := s.at
	for word := range strings.FieldsSeq(string(op)) {
		s.ended()
		if !inWord(rune(word[0])) {
			if !strings.HasPrefix(s.text[s.at:], word) {
				return false
			}
			s.at += len(word)
		} else if !strings.EqualFold(s.word(), word) {
			s.at = start
			return false
		}
	}
	return true
}

func (s *scanner) value() (string, *Error) {
	start := s.at
	if strings.HasPrefix(s.text[s.at:], `"`) {
		return s.quoted()
	}
	switch v := s.word(); {
	case isAnd(v):
		return "", s.wrong(start, `a value; the word "and" as a value stands in quotes`)
	case v == "":
		return "", s.wrong(start, `a value, which stands in "quotes" where it has other characters than a word`)
	default:
		return v, nil
	}
}

func (s *scanner) quoted() (string, *Error) {
	var b strings.Builder
	start := s.at
	for s.at++; s.at < len(s.text); {
		r, size := utf8.DecodeRuneInString(s.text[s.at:])
		switch {
		case r == '"':
			s.at++
			return b.String(), nil
		case unicode.IsControl(r):
			return "", &Error{s.at + 1, fmt.Sprintf("the control character %U", r), fmt.Sprintf(`\u%04x`, r)}
		case r == '\\':
			escaped, length := escape(s.text[s.at+1:])
			if length == 0 {
				_, next := utf8.DecodeRuneInString(s.text[s.at+1:])
				return "", &Error{
					s.at + 1, "a backslash before " + quote(s.text[s.at+1:s.at+1+next]),
					`\\ for a backslash, \" for a quotation mark, or \u and four hexadecimal digits, not 0000`,
				}
			}
			r, size = escaped, 1+length
		}
		b.WriteRune(r)
		s.at += size
	}
	return "", &Error{start + 1, "a quotation mark that none closes", `another one at the value's end`}
}

// escape reads what follows a backslash, and says in how many bytes it stands, 0 where it is nothing known.
func escape(s string) (r rune, length int) {
	switch {
	case strings.HasPrefix(s, `\`), strings.HasPrefix(s, `"`):
		return rune(s[0]), 1
	case len(s) < 5 || s[0] != 'u':
		return 0, 0
	}
	n, err := strconv.ParseUint(s[1:5], 16, 16)
	if err != nil || n == 0 || utf16.IsSurrogate(rune(n)) {
		return 0, 0
	}
	return rune(n), 5
}
