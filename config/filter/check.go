package filter

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Parse reads a filter and checks it; what is wrong is an [*Error] with its column.
func (fs Fields) Parse(text string) (Filter, error) {
	f, places, err := parse(text)
	if err == nil {
		f, err = fs.check(f, places)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Check resolves aliases, writes words in lower case, and finds fields that aren't there, operators that
// don't go with their field, and values that it can't have. What is wrong is an [*Error] without a column. A
// filter that passed is within the bounds of the language, however it was made, and passes again unchanged.
func (fs Fields) Check(f Filter) (Filter, error) {
	checked, err := fs.check(f, nil)
	if err != nil {
		return nil, err
	}
	return checked, nil
}

func (fs Fields) check(f Filter, places []place) (Filter, *Error) {
	if err := f.bounded(); err != nil {
		return nil, err
	}
	var checked Filter
	for i, c := range f {
		var p place
		if places != nil {
			p = places[i]
		}
		c.Values = slices.Clone(c.Values)
		c, err := fs.condition(c, p)
		if err != nil {
			return nil, err
		}
		checked = append(checked, c)
	}
	return checked, nil
}

// Field is the field of that name or alias, in any letter case.
func (fs Fields) Field(name string) (Field, bool) {
	name = strings.ToLower(name)
	i := slices.IndexFunc(fs, func(f Field) bool { return f.Name == name || slices.Contains(f.Aliases, name) })
	if i < 0 {
		return Field{}, false
	}
	return fs[i], true
}

func (fs Fields) condition(c Condition, p place) (Condition, *Error) {
	field, ok := fs.Field(c.Field)
	if !ok {
		return c, &Error{p.field, "the field " + quote(c.Field), fs.names() + hint(c.Field, fs.known())}
	}
	c.Field = field.Name
	switch ops := field.Kind.Ops(); {
	case !slices.Contains(ops, c.Op):
		return c, &Error{p.op, quote(string(c.Op)) + " for " + field.Name, alternatives(ops)}
	case c.Op == Set || c.Op == NotSet:
		if len(c.Values) > 0 {
			return c, &Error{p.op, "values for " + field.Name + " " + string(c.Op), "none"}
		}
		return c, nil
	case len(c.Values) == 0:
		return c, &Error{p.op, "no value for " + field.Name, "one"}
	case c.Op.ordered() && len(c.Values) > 1:
		return c, &Error{p.op, strconv.Itoa(len(c.Values)) + " values for " + field.Name + " " + string(c.Op), "one"}
	}
	for i, v := range c.Values {
		checked, expected := field.value(c.Op, v)
		if expected != "" {
			err := &Error{0, quote(v) + " for " + field.Name, expected}
			if p.values != nil {
				err.Column = p.values[i]
			}
			return c, err
		}
		c.Values[i] = checked
	}
	return c, nil
}

// known are the names and aliases of the fields.
func (fs Fields) known() []string {
	var out []string
	for _, f := range fs {
		out = append(append(out, f.Name), f.Aliases...)
	}
	return out
}

func (fs Fields) names() string {
	names := make([]string, len(fs))
	for i, f := range fs {
		names[i] = f.Name
	}
	return alternatives(names)
}

// value gives a value of the field as comparisons expect it, or says what is expected instead.
func (f Field) value(op Op, v string) (value, expected string) {
	switch {
	case v == "":
		return v, `a value; "is not set" finds what has none`
	case !utf8.ValidString(v) || strings.Contains(v, "\x00"):
		return v, "text in UTF-8 without the character U+0000"
	}
	switch f.Kind {
	case Word, Rank, YesNo:
		return f.word(op, v)
	case Time:
		if op == Equals || op == NotEquals {
			if _, _, err := Span(v); err != nil {
				return v, aSpan
			}
		} else if _, err := Moment(v, time.Unix(0, 0)); err != nil {
			return v, aTime
		}
	case Address:
		if _, ok := Network(v); !ok && (op == Equals || op == NotEquals) {
			return v, "an address or a network such as 10.0.0.0/8"
		}
	case Number:
		if n, err := strconv.ParseFloat(v, 64); err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return v, "a number"
		}
	case FreeText:
		if len(Words(v)) == 0 {
			return v, "words"
		}
	case Text:
	}
	return v, ""
}

// word is value for a field that has certain words only.
func (f Field) word(op Op, v string) (value, expected string) {
	words := f.Words
	if f.Kind == YesNo {
		words = []string{"yes", "no"}
	}
	v = Fold(v)
	positive, _ := op.Negative()
	if positive.ordered() {
		positive = Equals // it is one of the words, too
	}
	fits := comparison(Text, positive, v, time.Time{})
	if !slices.ContainsFunc(words, func(word string) bool { return fits(word, word) }) {
		return v, alternatives(words) + hint(v, words)
	}
	return v, ""
}
