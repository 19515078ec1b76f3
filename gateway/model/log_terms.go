package model

import (
	"context"
	"hash/maphash"
	"slices"
)

// The fields of a line that are terms, beside the user agent: those with one value, in the order of combinations, and
// those with several.
func combinedFields() [6]field {
	return [...]field{fieldService, fieldApp, fieldType, fieldAction, fieldTitle, fieldInput}
}

func manyFields() [4]field { return [...]field{fieldIP, fieldDevice, fieldObject, fieldPolicy} }

// numbered is a line's terms.
type numbered struct {
	combination, agent int64
	many               [4][]int64
}

// values are the texts of a line that are terms.
func (l *line) values() (combined [6]string, many [4][]string) {
	combined = [...]string{string(l.Service), l.App, l.Type, l.Action, l.Title, l.Source}
	many = l.lists()
	for i := range many {
		if len(many[i]) == 0 {
			many[i] = []string{""}
		}
	}
	return combined, many
}

// lists are the values of the fields with several, in their order.
func (a *Activity) lists() [4][]string {
	policies := a.Policies
	if len(a.Matched) > 0 {
		policies = distinct(slices.Concat(a.Matched, a.Policies))
	}
	return [...][]string{a.Addresses, a.Devices, a.Objects, policies}
}

// rare says whether few lines have the field. Of the others the index has none of its tokens, not even that of the
// empty value.
func (at field) rare() bool { return at == fieldDevice || at == fieldPolicy }

// learnLines fills in the terms of all lines.
func (f *folder) learnLines(ctx context.Context) error {
	unknown := map[term]bool{}
	var again []*line
	for _, l := range f.log.lines {
		if known, err := f.numberLine(ctx, l, unknown); err != nil {
			return err
		} else if !known {
			again = append(again, l)
		}
	}
	if err := f.learn(ctx, unknown); err != nil {
		return err
	}
	for _, l := range again {
		if _, err := f.numberLine(ctx, l, unknown); err != nil {
			return err
		}
	}
	return nil
}

// numberLine fills in a line's terms, and says whether all are known.
func (f *folder) numberLine(ctx context.Context, l *line, unknown map[term]bool) (known bool, err error) {
	if l.hashes == nil {
		l.hashes = f.scribe.hash(l)
	}
	t, h := &l.terms, l.hashes
	t.combination, t.agent = f.terms.combinations[h.combination], f.terms.numbers[h.agent]
	if t.combination == 0 {
		if t.combination, err = f.combine(ctx, h); err != nil {
			return false, err
		}
	}
	known = t.combination != 0 && t.agent != 0
	of := make([]int64, 0, len(h.many[0])+len(h.many[1])+len(h.many[2])+len(h.many[3]))
	for i, list := range h.many {
		from := len(of)
		for _, h := range list {
			n := f.terms.numbers[h]
			of, known = append(of, n), known && n != 0
		}
		t.many[i] = of[from:len(of):len(of)]
	}
	if !known {
		f.unknown(l, unknown)
	}
	return known, nil
}

// combine gives the number of a combination, which is made where it is new; 0 where a term of it isn't known.
func (f *folder) combine(ctx context.Context, h *hashed) (n int64, err error) {
	terms := make([]any, len(h.combined))
	for i, h := range h.combined {
		t := f.terms.numbers[h]
		if t == 0 {
			return 0, nil
		}
		terms[i] = t
	}
	err = f.exec(ctx, "INSERT INTO combinations (service, app, type, action, title, input) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", terms...)
	if err != nil {
		return 0, err
	}
	_, err = f.row(ctx, "SELECT n FROM combinations WHERE service = ? AND app = ? AND type = ? AND action = ? AND title = ? AND input = ?", terms, &n)
	f.terms.combinations[h.combination] = n
	return n, err
}

// unknown notes which of the line's terms have to be looked up.
func (f *folder) unknown(l *line, unknown map[term]bool) {
	combined, many := l.values()
	for i, h := range l.hashes.combined {
		if f.terms.numbers[h] == 0 {
			unknown[term{combinedFields()[i], combined[i]}] = true
		}
	}
	if l.terms.agent == 0 {
		unknown[term{fieldAgent, l.Agent}] = true
	}
	for i, list := range l.terms.many {
		for k, n := range list {
			if n == 0 {
				unknown[term{manyFields()[i], many[i][k]}] = true
			}
		}
	}
}

// count notes that a line with these terms came, or went. Of fields with several values there is no count: there
// are too many values.
func (f *folder) count(t *numbered, by int64) {
	f.terms.combined[t.combination] += by
	f.terms.counts[t.agent] += by
}

// hashed are the hashes of a line's terms.
type hashed struct {
	combined    [6]uint64
	combination uint64 // of those
	agent       uint64
	many        [4][]uint64
}

func (s scribe) hash(l *line) *hashed {
	combined, many := l.values()
	h := &hashed{agent: term{fieldAgent, l.Agent}.hash(s.seed)}
	var all maphash.Hash
	all.SetSeed(s.seed)
	for i, at := range combinedFields() {
		h.combined[i] = term{at, combined[i]}.hash(s.seed)
		maphash.WriteComparable(&all, h.combined[i])
	}
	h.combination = all.Sum64()
	of := make([]uint64, 0, len(many[0])+len(many[1])+len(many[2])+len(many[3])) // all of them
	for i, at := range manyFields() {
		from := len(of)
		for _, v := range many[i] {
			of = append(of, term{at, v}.hash(s.seed))
		}
		h.many[i] = of[from:]
	}
	return h
}
