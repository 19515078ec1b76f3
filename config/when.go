package config

import (
	"errors"
	"slices"
	"strings"

	"github.com/sluice-siem/sluice/config/filter"
)

// exampleFilter is shown where a filter is expected.
const exampleFilter = "severity >= medium and title not contains test"

// parseWhen reads a `when` that is a text.
func parseWhen(text string) (When, error) {
	if strings.TrimSpace(text) == "" {
		return When{}, errors.New("found nothing, expected a filter such as " + exampleFilter + "; leave the key out where anything fits")
	}
	f, err := filter.Notifications().Parse(text)
	return When{Filter: f}, err
}

// whenKey is one key of a `when` with its patterns, nil where it isn't set.
type whenKey struct {
	name     string
	patterns []string
}

func (w When) keys() []whenKey {
	return []whenKey{
		{"service", w.Service},
		{"kind", w.Kind},
		{"type", w.Type},
		{"title", w.Title},
		{"severity", w.Severity},
		{"user", w.User},
		{"host", w.Host},
		{"app", w.App},
	}
}

// Conditions are all that must hold: each key is a condition that its patterns match, and a text is its own.
// Without any, everything fits.
func (w When) Conditions() filter.Filter {
	var f filter.Filter
	for _, k := range w.keys() {
		if field, ok := filter.Notifications().Field(k.name); ok && len(k.patterns) > 0 {
			f = append(f, filter.Condition{Field: field.Name, Op: filter.Matches, Values: k.patterns})
		}
	}
	if op, value, ok := w.scored(); ok {
		f = append(f, filter.Condition{Field: userScore, Op: op, Values: []string{value}})
	}
	return append(f, w.Filter...)
}

// userScore is the field that changes from one moment to the next.
const userScore = "user_score"

// scored reads the comparison of user_score.
func (w When) scored() (op filter.Op, value string, ok bool) {
	text := strings.TrimSpace(w.UserScore)
	for _, op = range []filter.Op{filter.AtLeast, filter.AtMost, filter.Above, filter.Below, filter.Equals} {
		if value, ok = strings.CutPrefix(text, string(op)); ok {
			value = strings.TrimSpace(value)
			_, err := filter.Notifications().Check(filter.Filter{{Field: userScore, Op: op, Values: []string{value}}})
			return op, value, err == nil
		}
	}
	return "", "", false
}

// asksScore says whether a condition is on a user's score.
func (w When) asksScore() bool {
	return slices.ContainsFunc(w.Conditions(), func(c filter.Condition) bool { return c.Field == userScore })
}

// check finds keys without a pattern, and patterns that fit no word which the key may have. What is wrong
// with a text was found when it was read.
func (w When) check(p *problems, path string) {
	if _, _, ok := w.scored(); !ok && w.UserScore != "" {
		p.add(path+"."+userScore, "found %s, expected a comparison such as \">=80\"", quote(w.UserScore))
	}
	fields := filter.Notifications()
	for _, k := range w.keys() {
		if k.patterns != nil && len(k.patterns) == 0 {
			p.add(path+"."+k.name, "found an empty list, expected a pattern; leave the key out where anything fits")
		}
		field, _ := fields.Field(k.name)
		for i, pattern := range k.patterns {
			key := p.element(path+"."+k.name, i)
			switch {
			case pattern == "":
				p.add(key, "found nothing, expected a pattern; leave the key out where anything fits")
			case field.Words != nil && !slices.ContainsFunc(field.Words, func(word string) bool { return filter.Glob(pattern, word) }):
				oneOf(p, key, pattern, field.Words...)
			}
		}
	}
}
