package portal

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/gateway/model"
)

// list is what the pages with a filter share.
type list struct {
	At      address
	Fields  filter.Fields
	Text    string // of the filter, as it stands in the URL
	Filter  filter.Filter
	Wrong   string // what is wrong with the filter
	Sort    string
	Saved   []saved
	Total   model.Total
	Next    string // cursor of the next page
	Counted []facet
}

// newList reads the state of a list. A filter that can't be read is told, and shows nothing.
func (v *visit) newList(fields filter.Fields) *list {
	q := v.r.URL.Query()
	l := &list{At: v.here(), Fields: fields, Text: q.Get("filter"), Sort: q.Get("sort")}
	f, err := fields.Parse(l.Text)
	if err == nil && q.Get("field") != "" {
		f, err = added(f, fields, q.Get("field"), q.Get("op"), q.Get("value"))
	}
	if err != nil {
		l.Wrong, l.Text = err.Error(), strings.ToValidUTF8(l.Text, "\ufffd")
		return l
	}
	l.Filter, l.Text = f, f.String()
	for _, key := range []string{"field", "op", "value"} {
		l.At.query.Del(key)
	}
	l.At.query.Del("filter")
	if l.Text != "" {
		l.At.query.Set("filter", l.Text)
	}
	return l
}

// shown is the filter by which the list was shown, for what is done to all that fit.
func (l *list) shown() (string, error) {
	if l.Wrong != "" {
		return "", wrong("The filter can't be read: %s", l.Wrong)
	}
	return l.Text, nil
}

// added is a filter with one more condition, that a form wrote. Several values stand in it with commas.
func added(f filter.Filter, fields filter.Fields, field, op, value string) (filter.Filter, error) {
	c := filter.Condition{Field: field, Op: filter.Op(op)}
	if !slices.Contains(operators(), op) {
		return nil, fmt.Errorf("found operator %.40q, expected one of %s", op, strings.Join(operators(), ", "))
	}
	if c.Op != filter.Set && c.Op != filter.NotSet {
		for part := range strings.SplitSeq(value, ",") {
			c.Values = append(c.Values, strings.TrimSpace(part))
		}
	}
	return fields.Parse(append(slices.Clone(f), c).String())
}

func (l *list) query(v *visit) model.Query {
	return model.Query{Filter: l.Filter, Sort: l.Sort, Cursor: v.r.URL.Query().Get("cursor")}
}

// Paged says whether this isn't the first page.
func (l *list) Paged() bool { return l.At.query.Get("cursor") != "" }

// Open is what the drawer shows.
func (l *list) Open() string { return l.At.query.Get("open") }

// Fresh is the address with a key set, on the first page of the list.
func (l *list) Fresh(pairs ...string) (string, error) {
	return l.At.With(append(pairs, "cursor", "", "open", "")...)
}

// Keeps says whether there is a filter to be saved: of a list that has saved ones, and not one of those.
func (l *list) Keeps() bool {
	return l.Text != "" && l.Wrong == "" && l.Saved != nil && !slices.ContainsFunc(l.Saved, func(q saved) bool { return q.Filter == l.Text })
}

// Example is a filter of this list.
func (l *list) Example() string {
	for _, e := range []struct{ field, filter string }{
		{"status", "status = open and user contains alice"}, {"action", "action = download and time >= -24h"}, {"by", "act = close and time >= -7d"},
	} {
		if _, ok := l.Fields.Field(e.field); ok {
			return e.filter
		}
	}
	return "user contains alice"
}

// Ops are the operators that a form offers.
func (l *list) Ops() []string { return operators() }

func operators() []string {
	return []string{"=", "!=", "contains", "not contains", "starts with", "matches", ">=", "<=", "is set", "is not set"}
}

// chip is one condition of the filter.
type chip struct {
	Text string
	Off  string // the address without it
}

// Chips are the filter's conditions.
func (l *list) Chips() ([]chip, error) {
	out := make([]chip, len(l.Filter))
	for i := range l.Filter {
		off, err := l.Fresh("filter", slices.Delete(slices.Clone(l.Filter), i, i+1).String())
		if err != nil {
			return nil, err
		}
		out[i] = chip{l.Filter[i : i+1].String(), off}
	}
	return out, nil
}

// facet is a field with how many have each of its values.
type facet struct {
	Field, Name string
	Values      []facetValue
	Later       string // where it is counted, once somebody opens it
}

// facetValue is one that can be switched on and off.
type facetValue struct {
	Value  string
	Name   string // for people
	Count  int64
	On     bool
	Toggle string // the address with it, or without
}

// mostShown is how many values of a field are shown; the others are reached by typing.
const mostShown = 12

// facets counts what fits by the fields that people filter by: the first few at once, the others when they are opened,
// as counting by a field costs as much as finding all that fits.
func (l *list) facets(v *visit, atOnce int, fields []string, count func(context.Context, filter.Filter, []string) (map[string][]model.ValueCount, error)) error {
	open, asked := fields[:atOnce], v.r.URL.Query().Get("facet")
	if asked != "" {
		open, fields = []string{asked}, []string{asked}
	}
	l.At.query.Del("facet")
	counts, err := count(v.r.Context(), l.Filter, open)
	if err != nil {
		return err
	}
	for _, name := range fields {
		f := facet{Field: name, Name: fieldName(name)}
		if !slices.Contains(open, name) {
			f.Later, err = l.Fresh("facet", name)
		} else {
			f.Values, err = l.values(name, counts[name])
		}
		if err != nil {
			return err
		}
		l.Counted = append(l.Counted, f)
	}
	return nil
}

// Asked says whether one field alone was asked for.
func (l *list) Asked() bool { return len(l.Counted) == 1 }

func (l *list) values(field string, counts []model.ValueCount) ([]facetValue, error) {
	var out []facetValue
	for _, c := range counts[:min(len(counts), mostShown)] {
		next, on := toggled(l.Filter, field, c.Value)
		to, err := l.Fresh("filter", next.String())
		if err != nil {
			return nil, err
		}
		out = append(out, facetValue{c.Value, valueName(field, c.Value), c.Count, on, to})
	}
	return out, nil
}

// valueName is a value as people call it.
func valueName(field, value string) string {
	switch {
	case value == "":
		return "not set"
	case field == "service" || field == "managed_in":
		return serviceName(value)
	}
	return value
}

// toggled is the filter with a value of a field taken in, or out where it was in. A field's values are alternatives.
func toggled(f filter.Filter, field, value string) (next filter.Filter, was bool) {
	c := filter.Condition{Field: field, Op: filter.Equals, Values: []string{value}}
	if value == "" {
		c = filter.Condition{Field: field, Op: filter.NotSet}
	}
	i := slices.IndexFunc(f, func(o filter.Condition) bool { return o.Field == field && o.Op == c.Op })
	if i < 0 {
		return append(slices.Clone(f), c), false
	}
	next = slices.Clone(f)
	at := slices.IndexFunc(f[i].Values, func(o string) bool { return filter.Fold(o) == filter.Fold(value) })
	switch {
	case value == "" || at >= 0 && len(f[i].Values) == 1:
		return slices.Delete(next, i, i+1), true
	case at >= 0:
		c.Values, was = slices.Delete(slices.Clone(f[i].Values), at, at+1), true
	default:
		c.Values = append(slices.Clone(f[i].Values), value)
	}
	next[i] = c
	return next, was
}

// saved is a saved query, and whether who looks may forget it.
type saved struct {
	model.SavedQuery
	Drop bool
}

// saved are the queries for one kind of list, those that were saved first.
func (v *visit) saved(of string) ([]saved, error) {
	all, err := v.m.Queries(v.r.Context(), v.who.By())
	slices.SortStableFunc(all, func(a, b model.SavedQuery) int {
		return cmp.Compare(map[bool]int{true: 1}[a.Built], map[bool]int{true: 1}[b.Built])
	})
	out := []saved{}
	for _, q := range all {
		if q.Of == of {
			out = append(out, saved{q, !q.Built && (q.Owner == v.who.By() || v.who.KeepsOrder())})
		}
	}
	return out, err
}
