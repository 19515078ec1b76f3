// Package filter is the one filter language: of the API, of URLs, of saved queries, of activity policies
// and of `when` in the configuration.
//
//	application = "Active Directory" and user contains alice, bob and severity >= medium and time >= -7d
//
// A filter is a list of conditions that all must hold; the empty one fits everything. A condition is a
// field, an operator and values, of which any may fit. Where a field has several values, as an alert has
// users, it is enough that one of them fits. The operators with a "not" are negations of those without: none
// of the field's values fits any of the condition's, so that they hold where the field isn't set.
//
// # The text
//
// A value is a word or stands in quotes. In quotes \" and \\ are a quotation mark and a backslash, and \u
// with four hexadecimal digits is any other character; control characters are written so. A word is of
// printable characters without white space, quotation marks, commas, parentheses and = ! < >; the word and
// divides conditions, and as a value it stands in quotes. Letter case never counts, see [Fold].
//
// # Decisions
//
// There is no "or" between conditions and there are no parentheses, which are kept free for the day when
// somebody needs them: several values and pattern lists do what the portals' filters do, and each condition
// can be looked up in one index. Text is bounded, as it comes from the network: 64 KiB, 100 conditions and
// 1000 values.
package filter

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Op is an operator as the language writes it.
type Op string

// The operators. Matches takes patterns in which * is any run of characters. The last four take one value.
const (
	Equals        Op = "="
	NotEquals     Op = "!="
	Contains      Op = "contains"
	NotContains   Op = "not contains"
	StartsWith    Op = "starts with"
	NotStartsWith Op = "not starts with"
	Matches       Op = "matches"
	NotMatches    Op = "not matches"
	Set           Op = "is set"
	NotSet        Op = "is not set"
	Above         Op = ">"
	AtLeast       Op = ">="
	Below         Op = "<"
	AtMost        Op = "<="
)

// ops lists the operators; where one begins with another one, it is first.
func ops() []Op {
	return []Op{
		Equals, NotEquals, Contains, NotContains, StartsWith, NotStartsWith, Matches, NotMatches, Set, NotSet,
		AtLeast, AtMost, Above, Below,
	}
}

// Negative gives the operator that o negates, and whether it is a negation; one that isn't is itself. Those
// of order have no negation: what isn't set is neither above nor below.
func (o Op) Negative() (positive Op, negated bool) {
	switch o {
	case NotEquals:
		return Equals, true
	case NotContains:
		return Contains, true
	case NotStartsWith:
		return StartsWith, true
	case NotMatches:
		return Matches, true
	case NotSet:
		return Set, true
	}
	return o, false
}

// ordered says whether o asks for more or less.
func (o Op) ordered() bool { return o == Above || o == AtLeast || o == Below || o == AtMost }

// Condition is one condition of a filter. Set and NotSet have no values.
type Condition struct {
	Field  string
	Op     Op
	Values []string
}

// Filter is conditions that all must hold. The empty one fits everything.
type Filter []Condition

// What a filter may have.
const (
	maxText       = 64 << 10
	maxConditions = 100
	maxValues     = 1000
)

// bounded finds what is too much.
func (f Filter) bounded() *Error {
	values := 0
	for _, c := range f {
		values += len(c.Values)
	}
	switch {
	case len(f) > maxConditions:
		return &Error{0, fmt.Sprintf("%d conditions", len(f)), fmt.Sprintf("at most %d", maxConditions)}
	case values > maxValues:
		return &Error{0, fmt.Sprintf("%d values", values), fmt.Sprintf("at most %d", maxValues)}
	}
	if n := len(f.String()); n > maxText {
		return &Error{0, fmt.Sprintf("%d bytes", n), fmt.Sprintf("at most %d", maxText)}
	}
	return nil
}

// String writes the filter as [Parse] reads it, in the one way that a filter has.
func (f Filter) String() string {
	var b strings.Builder
	for i, c := range f {
		if i > 0 {
			b.WriteString(" and ")
		}
		b.WriteString(c.Field + " " + string(c.Op))
		for j, v := range c.Values {
			if j > 0 {
				b.WriteByte(',')
			}
			b.WriteByte(' ')
			writeValue(&b, v)
		}
	}
	return b.String()
}

// inWord says whether a character may stand in a value without quotes. The parentheses aren't used yet; the
// curly quotation marks are what word processors make of straight ones.
func inWord(r rune) bool {
	return unicode.IsPrint(r) && r != ' ' && !strings.ContainsRune(`",=!<>()“”„`, r)
}

func writeValue(b *strings.Builder, v string) {
	if v != "" && utf8.ValidString(v) && !isAnd(v) && !strings.ContainsFunc(v, func(r rune) bool { return !inWord(r) }) {
		b.WriteString(v)
		return
	}
	b.WriteByte('"')
	for _, r := range v {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case !unicode.IsPrint(r) && r <= 0xffff: // unseen, it could make a filter look like another one
			fmt.Fprintf(b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}

func isAnd(word string) bool { return strings.EqualFold(word, "and") }

// alternatives writes a, b or c.
func alternatives[T ~string](words []T) string {
	var b strings.Builder
	for i, w := range words {
		switch {
		case i > 0 && i == len(words)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(string(w))
	}
	return b.String()
}
