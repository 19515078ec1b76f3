package filter

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Match says whether something fits the filter. values gives what a field of it holds: times as RFC 3339
// text, yes or no, none where it isn't set; an empty text counts as not set, though a pattern of stars alone
// fits it. The filter is a checked one; a comparison that makes no sense fits nothing.
//
// It needs no more than the filter: what a field's name means is the same in all of [Fields].
func (f Filter) Match(now time.Time, values func(field string) []string) bool {
	for _, c := range f {
		op, negated := c.Op.Negative()
		if c.any(op, now, values(c.Field)) == negated {
			return false
		}
	}
	return true
}

// any says whether a value of the field fits a value of the condition.
func (c Condition) any(op Op, now time.Time, values []string) bool {
	if len(values) == 0 {
		return false
	}
	if op == Set {
		return slices.ContainsFunc(values, func(v string) bool { return v != "" })
	}
	var room [8]string
	folded := room[:0]
	for _, v := range values {
		folded = append(folded, Fold(v))
	}
	kind := kindOf(c.Field)
	for _, wanted := range c.Values {
		fits := comparison(kind, op, wanted, now)
		for i, v := range values {
			if fits(v, folded[i]) {
				return true
			}
		}
	}
	return false
}

// comparison gives what a value, which comes folded too, must be to fit the wanted one. op is no negation.
func comparison(kind Kind, op Op, wanted string, now time.Time) func(value, folded string) bool {
	low := Fold(wanted)
	switch {
	case kind == FreeText && op == Contains:
		words := Words(wanted)
		return func(_, folded string) bool { return follow(Words(folded), words) }
	case kind == Address && op == Equals:
		network, ok := Network(wanted)
		return func(value, _ string) bool {
			address, err := netip.ParseAddr(value)
			return ok && err == nil && network.Contains(address.Unmap().WithZone(""))
		}
	case op == Equals && kind == Time:
		from, to, wrong := Span(wanted)
		return func(value, _ string) bool {
			t, err := time.Parse(time.RFC3339, value)
			return wrong == nil && err == nil && !t.Before(from) && t.Before(to)
		}
	case op == Equals && kind == Number:
		return func(value, _ string) bool {
			n, ok := compare(kind, value, wanted, now)
			return ok && n == 0
		}
	case op == Equals:
		return func(_, folded string) bool { return folded == low }
	case op == Contains:
		return func(_, folded string) bool { return strings.Contains(folded, low) }
	case op == StartsWith:
		return func(_, folded string) bool { return strings.HasPrefix(folded, low) }
	case op == Matches:
		return func(_, folded string) bool { return glob(low, folded) }
	}
	return func(value, _ string) bool {
		n, ok := compare(kind, value, wanted, now)
		switch op {
		case Above:
			return ok && n > 0
		case AtLeast:
			return ok && n >= 0
		case Below:
			return ok && n < 0
		case AtMost:
			return ok && n <= 0
		}
		return false
	}
}

// compare orders a value and a wanted one, if they can be.
func compare(kind Kind, value, wanted string, now time.Time) (order int, ok bool) {
	switch kind {
	case Rank:
		a, b := slices.Index(severities(), Fold(value)), slices.Index(severities(), Fold(wanted))
		return cmp.Compare(a, b), a >= 0 && b >= 0
	case Time:
		a, err := time.Parse(time.RFC3339, value)
		b, wrong := Moment(wanted, now)
		return a.Compare(b), err == nil && wrong == nil
	}
	a, err := strconv.ParseFloat(value, 64)
	b, wrong := strconv.ParseFloat(wanted, 64)
	return cmp.Compare(a, b), err == nil && wrong == nil
}

// Fold gives the form in which texts are compared: two that differ in letter case alone have the same one.
// Bytes that aren't UTF-8 become U+FFFD. Folding twice is folding once. It goes letter by letter: ß and SS
// stay two things.
func Fold(s string) string {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return strings.Map(foldRune, s)
		}
	}
	return strings.ToLower(s)
}

// foldRune goes by way of the capital letter, as several small ones may have the same: σ and ς.
func foldRune(r rune) rune { return unicode.ToLower(unicode.ToUpper(r)) }

// Words are the words of a text, folded: runs of letters, their marks, and numbers. A full-text index agrees
// with [Filter.Match] where it holds these words and looks for them one after the other.
func Words(s string) []string {
	return strings.FieldsFunc(Fold(s), func(r rune) bool { return !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.Co) })
}

// follow says whether the words stand in the text one after the other.
func follow(text, words []string) bool {
	for i := 0; i+len(words) <= len(text); i++ {
		if slices.Equal(text[i:i+len(words)], words) {
			return true
		}
	}
	return false
}

// Glob says whether the pattern, in which * is any run of characters, fits all of s, in any letter case. s may
// be a pattern too: as only a * fits a *, a pattern that fits another one fits everything that the other one
// fits.
func Glob(pattern, s string) bool { return glob(Fold(pattern), Fold(s)) }

// glob is Glob for what is folded: the parts between the stars must follow each other in s, the first at its
// start and the last at its end.
func glob(pattern, s string) bool {
	first, rest, star := strings.Cut(pattern, "*")
	if !star {
		return s == pattern
	}
	s, ok := strings.CutPrefix(s, first)
	if !ok {
		return false
	}
	for {
		part, more, star := strings.Cut(rest, "*")
		if !star {
			return strings.HasSuffix(s, part)
		}
		_, after, found := strings.Cut(s, part)
		if !found {
			return false
		}
		s, rest = after, more
	}
}

// Network reads an address, which is a network of one, or a network, which may be named by any address in it.
// An IPv4 one that is written as IPv6 comes out as IPv4.
func Network(value string) (netip.Prefix, bool) {
	if address, err := netip.ParseAddr(value); err == nil {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), address.Zone() == ""
	}
	network, err := netip.ParsePrefix(value)
	if err != nil {
		return netip.Prefix{}, false
	}
	if a := network.Addr(); a.Is4In6() && network.Bits() >= 96 {
		network = netip.PrefixFrom(a.Unmap(), network.Bits()-96)
	}
	return network.Masked(), true
}

// aTime is what a value of a time must be.
const aTime = "a time such as 2026-11-24T08:00:00Z, a date such as 2026-11-24, or before now such as -7d or -36h"

// Moment reads a time: RFC 3339, a date, which is its first moment in UTC, or how long before now, in days of
// 24 hours and what [time.ParseDuration] knows, a hundred years at most. It is in UTC; what is no time is an
// [*Error] without a column.
func Moment(value string, now time.Time) (time.Time, error) {
	upper := strings.ToUpper(value)
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, upper); err == nil {
			return t.UTC(), nil
		}
	}
	before, ok := strings.CutPrefix(strings.ToLower(value), "-")
	if d, valid := duration(before); ok && valid {
		return now.Add(-d).UTC(), nil
	}
	return time.Time{}, &Error{0, quote(value), aTime}
}

// aSpan is what a value must be that a time equals.
const aSpan = "a date such as 2026-11-24, which is that day in UTC, or a time such as 2026-11-24T08:00:00Z, which is that second"

// Span reads what a time equals, from its first moment to the first one after it: a date is its day in UTC, a time
// its second, and one with a part of a second, as machines write it, its millisecond. What is neither is an [*Error]
// without a column.
func Span(value string) (from, to time.Time, err error) {
	upper := strings.ToUpper(value)
	if t, err := time.Parse(time.DateOnly, upper); err == nil {
		return t, t.AddDate(0, 0, 1), nil
	}
	t, err := time.Parse(time.RFC3339, upper)
	if err != nil {
		return from, to, &Error{0, quote(value), aSpan}
	}
	unit := time.Millisecond
	if t.Nanosecond() == 0 {
		unit = time.Second
	}
	from = t.UTC().Truncate(unit)
	return from, from.Add(unit), nil
}

// duration reads days and what Go knows, without a sign: 7d, 1d12h, 90m.
func duration(s string) (d time.Duration, ok bool) {
	const most = 36500 * 24 * time.Hour // so that neither it nor a time before it overflows
	days, rest, found := strings.Cut(s, "d")
	if !found {
		days, rest = "0", s
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil || strings.HasPrefix(rest, "-") || strings.HasPrefix(rest, "+") {
		return 0, false
	}
	if rest != "" || !found {
		if d, err = time.ParseDuration(rest); err != nil {
			return 0, false
		}
	}
	if n > 36500 || d > most || time.Duration(n)*24*time.Hour+d > most {
		return 0, false
	}
	return time.Duration(n)*24*time.Hour + d, true
}
