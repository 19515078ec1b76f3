package model

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/formats"
)

// A filter is asked of the index where it can be: an expression that FTS5 answers by walking through lists of
// numbers side by side, newest first, and stops where the page is full. What can't, because too many terms fit,
// is checked of each line that the rest finds; and where those terms have so few lines that checking would take
// longer, each of them is looked up.

const (
	few     = 256    // terms that an expression names at most: FTS5 looks at each of them for each line
	many    = 20_000 // terms that are looked up at most
	unknown = -1
)

// compared is the SQL that says whether a folded text in that column fits the condition, the negation of it
// left out.
func compared(column string, c filter.Condition) sqlText {
	op, _ := c.Op.Negative()
	set := column + " <> ''"
	if op == filter.Set {
		return say(set)
	}
	if op == filter.Equals {
		return say(column+" IN (SELECT value FROM json_each(?))", jsonOf(folded(c.Values)))
	}
	var any []sqlText
	for _, v := range folded(c.Values) {
		switch op {
		case filter.Contains:
			any = append(any, say("instr("+column+", ?) > 0", v))
		case filter.StartsWith:
			any = append(any, beginning(column, v))
		case filter.Matches:
			prefix, _, star := strings.Cut(v, "*")
			if !star {
				any = append(any, say(column+" = ?", v))
				continue
			}
			p := say(column+" GLOB ?", globbed(v))
			if prefix != "" {
				p = join([]sqlText{beginning(column, prefix), p}, " AND ")
			}
			any = append(any, say("("+p.text+")", p.args...))
		}
	}
	p := join(any, " OR ")
	return say(set+" AND ("+p.text+")", p.args...)
}

// termsThat is the SQL that says which rows of terms fit the condition on that field, the negation left out.
func termsThat(at field, c filter.Condition) sqlText {
	op, _ := c.Op.Negative()
	fits := compared("folded", c)
	if at == fieldIP && op == filter.Equals {
		fits = inNetworks(c.Values)
	}
	return say("field = ? AND "+fits.text, append([]any{at}, fits.args...)...)
}

// inNetworks is for addresses what compared is for texts.
func inNetworks(values []string) sqlText {
	var any []sqlText
	for _, v := range values {
		p, ok := filter.Network(v)
		if !ok {
			continue
		}
		first, last := bounds(p)
		in := say("address BETWEEN ? AND ?", first, last)
		if p.Addr().Is6() { // in which IPv4's stand too
			first, last := bounds(netip.PrefixFrom(netip.AddrFrom4([4]byte{}), 0))
			in = join([]sqlText{in, say("address NOT BETWEEN ? AND ?", first, last)}, " AND ")
		}
		any = append(any, in)
	}
	if len(any) == 0 {
		return say("FALSE")
	}
	p := join(any, " OR ")
	return say("("+p.text+")", p.args...)
}

// bounds are the first and the last address of a network, as terms have them.
func bounds(p netip.Prefix) (first, last []byte) {
	a := p.Masked().Addr().As16()
	z := a
	for bit := 128 - p.Addr().BitLen() + p.Bits(); bit < 128; bit++ {
		z[bit/8] |= 0x80 >> (bit % 8)
	}
	return a[:], z[:]
}

// wanted is a condition on the log, ready to be asked.
type wanted struct {
	match string  // as an expression of the index; empty where it is none
	not   bool    // of which nothing may fit
	check sqlText // of a line
	set   *set    // where there are more terms than go into an expression, but not too many to be looked up
	lines int64   // how many fit exactly; unknown

	from, to int64 // of the numbers of lines; to is 0 where nothing fits
}

// set is the terms, or other things that lines have numbers of, that fit a condition.
type set struct {
	letter  byte
	numbers []int64 // no more than one more than many
	lines   int64   // that have them, where they are counted
}

// asked turns the conditions of a filter into what the tables are asked.
func asked(ctx context.Context, q querier, f filter.Filter, now time.Time) ([]wanted, error) {
	out := make([]wanted, 0, len(f))
	for _, c := range f {
		w, err := ask(ctx, q, c, now)
		if err != nil {
			return nil, err
		}
		if c.Field != "time" {
			w.to = math.MaxInt64
		}
		out = append(out, w)
	}
	return out, nil
}

func ask(ctx context.Context, q querier, c filter.Condition, now time.Time) (wanted, error) {
	switch c.Field {
	case "type":
		return askOne(ctx, q, fieldType, "type", c)
	case "action":
		return askOne(ctx, q, fieldAction, "action", c)
	case "application":
		return askOne(ctx, q, fieldApp, "app", c)
	case "service":
		return askOne(ctx, q, fieldService, "service", c)
	case "source":
		return askOne(ctx, q, fieldInput, "input", c)
	case "user_agent":
		return askOne(ctx, q, fieldAgent, "agent", c)
	case "title":
		return askOne(ctx, q, fieldTitle, "title", c)
	case "ip":
		return askMany(ctx, q, fieldIP, "ip", c)
	case "device":
		return askMany(ctx, q, fieldDevice, "device", c)
	case "object":
		return askMany(ctx, q, fieldObject, "object", c)
	case "policy":
		return askMany(ctx, q, fieldPolicy, "policy", c)
	case "user", "user_domain", "user_group", "user_score":
		return askName(ctx, q, c)
	case "alert":
		return askAlert(ctx, q, c)
	case "kind":
		return askFlag(letterKind, "alert", "activity", c), nil
	case "failed":
		return askFlag(letterFailed, "yes", "no", c), nil
	case "administrative":
		return askFlag(letterAdmin, "yes", "no", c), nil
	case "severity":
		return askSeverity(c, now), nil
	case "id":
		return askID(c), nil
	case "text":
		return askText(c), nil
	case "time":
		return askTime(c, now)
	}
	return wanted{}, fmt.Errorf("the log has no field %q", c.Field)
}

// askOne asks for a field with one value. A negation is the set of all other terms, or of the lines that have none of
// these, whichever are fewer.
func askOne(ctx context.Context, q querier, at field, column string, c filter.Condition) (wanted, error) {
	fits := termsThat(at, c)
	letter, has, those := carriers(at, column, fits)
	if _, negated := c.Op.Negative(); negated {
		but, err := askSet(ctx, q, letter, those)
		if err != nil {
			return wanted{}, err
		}
		_, _, those = carriers(at, column, say("field = ? AND NOT ("+fits.text+")", append([]any{at}, fits.args...)...))
		others, err := askSet(ctx, q, letter, those)
		if err != nil {
			return wanted{}, err
		}
		if but.match != "" && (others.match == "" || len(but.match) < len(others.match)) {
			but.not, but.lines = true, others.lines
			return but, nil
		}
		return others.checked(has, those), nil
	}
	w, err := askSet(ctx, q, letter, those)
	return w.checked(has, those), err
}

// carriers are what lines have in that column for the terms, and how it is named in the index.
func carriers(at field, column string, fits sqlText) (letter byte, in string, those sqlText) {
	if at == fieldAgent {
		return at.letter(), column, say("SELECT n, count FROM terms WHERE "+fits.text, fits.args...)
	}
	return letterCombination, "combination", say("SELECT n, count FROM combinations WHERE "+column+" IN (SELECT n FROM terms WHERE "+fits.text+")", fits.args...)
}

// checked checks lines by the column where the index can't.
func (w wanted) checked(column string, those sqlText) wanted {
	switch {
	case w.match != "":
	case w.set != nil:
		w.check = say("+a."+column+" IN (SELECT value FROM json_each(?))", jsonOf(w.set.numbers))
	default:
		w.check = say("+a."+column+" IN (SELECT n FROM ("+those.text+"))", those.args...)
	}
	return w
}

// askMany asks for a field with several values, of which a negation means all.
func askMany(ctx context.Context, q querier, at field, column string, c filter.Condition) (wanted, error) {
	op, negated := c.Op.Negative()
	if op == filter.Set && at.rare() {
		return wanted{lines: unknown, match: either(tokensOf(letterSet, []int64{int64(at)})), not: negated}, nil
	}
	that := termsThat(at, c)
	if c.Op == filter.NotSet { // which one term says
		that, negated = say("field = ? AND folded = ''", at), false
	}
	w, err := askSet(ctx, q, at.letter(), say("SELECT n, 0 FROM terms WHERE "+that.text, that.args...))
	w.lines, w.not = unknown, negated
	if err != nil || w.match != "" {
		return w, err
	}
	in := say("SELECT n FROM terms WHERE "+that.text, that.args...)
	if w.set != nil {
		in = say("SELECT value FROM json_each(?)", jsonOf(w.set.numbers))
	}
	w.check = say("EXISTS (SELECT 1 FROM json_each(a."+column+") j WHERE j.value IN ("+in.text+"))", in.args...)
	switch {
	case c.Op == filter.Set:
		w.check = say("a."+column+" <> (SELECT json_array(n) FROM terms WHERE field = ? AND folded = '')", at)
	case negated:
		w.check.text, w.set = "NOT "+w.check.text, nil
	}
	return w, nil
}

// askName asks for a user by all that they are called.
func askName(ctx context.Context, q querier, c filter.Condition) (wanted, error) {
	query, args, err := nameCondition(c)
	if err != nil {
		return wanted{}, err
	}
	that := say("SELECT n, 0 FROM ("+query+")", args...)
	_, negated := c.Op.Negative()
	w, err := askSet(ctx, q, letterName, that)
	w.lines, w.not = unknown, negated
	if err != nil || w.match != "" {
		return w, err
	}
	if negated {
		if others, err := askOthers(ctx, q, that); err != nil || others.match != "" || others.set != nil {
			return others, err
		}
	}
	in := say("SELECT n FROM ("+that.text+")", that.args...)
	if w.set != nil {
		in = say("SELECT value FROM json_each(?)", jsonOf(w.set.numbers))
	}
	w.check = say("+a.name IN ("+in.text+")", in.args...)
	if negated {
		w.check.text, w.set = "NOT "+w.check.text, nil
	}
	return w, nil
}

// askOthers asks for all names but those, and for nobody: they may be few where those are many.
func askOthers(ctx context.Context, q querier, those sqlText) (wanted, error) {
	w, err := askSet(ctx, q, letterName, say("SELECT 0, 0 UNION ALL SELECT n, 0 FROM names WHERE n NOT IN (SELECT n FROM ("+those.text+"))", those.args...))
	w.lines = unknown
	if w.set != nil {
		in := say("SELECT value FROM json_each(?)", jsonOf(w.set.numbers))
		w.check = say("+a.name IN ("+in.text+")", in.args...)
	}
	return w, err
}

// askSet looks up what fits: a query for numbers, and counts. What it gives has a match or a set or neither.
func askSet(ctx context.Context, q querier, letter byte, that sqlText) (wanted, error) {
	s := set{letter: letter}
	rows, err := q.QueryContext(ctx, that.text+" LIMIT ?", append(slices.Clone(that.args), many+1)...)
	if err != nil {
		return wanted{}, fmt.Errorf("look up what a filter names: %w", err)
	}
	defer rows.Close() //nolint:errcheck // what is wrong, Err says
	for rows.Next() {
		var n, count int64
		if err := rows.Scan(&n, &count); err != nil {
			return wanted{}, err
		}
		s.numbers = append(s.numbers, n)
		s.lines += count
	}
	w := wanted{lines: s.lines}
	switch {
	case len(s.numbers) == 0:
		w.match = phrase(nothing)
	case len(s.numbers) <= few:
		w.match = either(tokensOf(letter, s.numbers))
	case len(s.numbers) <= many:
		w.set = &s
	default:
		w.lines = unknown
	}
	return w, rows.Err()
}

// nothing is a token that no line has.
const nothing = "#" + string(rune(letterID))

// either is the expression that finds any of the tokens.
func either(tokens []string) string {
	quoted := make([]string, len(tokens))
	for i, t := range tokens {
		quoted[i] = phrase(t)
	}
	return "(" + strings.Join(quoted, " OR ") + ")"
}

func tokensOf(letter byte, numbers []int64) []string {
	tokens := make([]string, len(numbers))
	for i, n := range numbers {
		tokens[i] = string(appendToken(nil, letter, n))
	}
	return tokens
}

// askAlert asks for the alert that a line belongs to. An alert's ID is in small letters, as Sluice makes it.
func askAlert(ctx context.Context, q querier, c filter.Condition) (wanted, error) {
	_, negated := c.Op.Negative()
	fits := compared("id", c)
	that := say("SELECT n, 0 FROM alerts WHERE "+fits.text, fits.args...)
	w, err := askSet(ctx, q, letterAlert, that)
	w.lines, w.not, w.set = unknown, negated, nil
	in := "IN"
	if negated {
		in = "NOT IN"
	}
	w.check = say("+a.alert "+in+" (SELECT n FROM alerts WHERE "+fits.text+")", fits.args...)
	return w, err
}

// askFlag asks for what is so or isn't. Words are the two that the language has for it.
func askFlag(letter byte, yes, no string, c filter.Condition) wanted {
	fits := func(word string) bool {
		return filter.Filter{c}.Match(time.Time{}, func(string) []string { return []string{word} })
	}
	y, n := fits(yes), fits(no)
	token := phrase(string(appendToken(nil, letter, 1)))
	switch {
	case y && n:
		return wanted{lines: unknown, check: say("TRUE")}
	case y:
		return wanted{lines: unknown, match: token}
	case n:
		return wanted{lines: unknown, match: token, not: true}
	}
	return wanted{match: phrase(nothing)}
}

func askSeverity(c filter.Condition, now time.Time) wanted {
	fits := func(s formats.Severity) bool {
		return (filter.Filter{c}).Match(now, func(string) []string { return []string{s.String()} })
	}
	without := fits(usualSeverity) // of which there is no token: it fits what has none of those that don't
	tokens := []string{nothing}
	for s := formats.NoSeverity; s <= formats.High; s++ {
		if s != usualSeverity && fits(s) != without {
			tokens = append(tokens, tokensOf(letterSeverity, []int64{int64(s)})...)
		}
	}
	return wanted{lines: unknown, match: either(tokens), not: without}
}

func askID(c filter.Condition) wanted {
	fits := compared("a.id", c)
	w := wanted{lines: unknown, check: fits}
	op, negated := c.Op.Negative()
	if negated {
		w.check.text = "NOT (" + fits.text + ")"
		return w
	}
	if op == filter.Equals {
		var tokens []string
		for _, v := range c.Values {
			tokens = append(tokens, string(appendToken(nil, letterID, hashOf(v))))
		}
		if len(tokens) <= few { // and then the check stays: two IDs may have one hash
			w.match = either(tokens)
		}
	}
	return w
}

func askText(c filter.Condition) wanted {
	_, negated := c.Op.Negative()
	var any []string
	for _, v := range c.Values {
		any = append(any, phrase(filter.Words(v)...))
	}
	return wanted{lines: unknown, match: "(" + strings.Join(any, " OR ") + ")", not: negated}
}

// askTime gives the numbers of the lines of that time: the first, and the first after them.
func askTime(c filter.Condition, now time.Time) (wanted, error) {
	w := wanted{lines: unknown, to: math.MaxInt64}
	switch c.Op {
	case filter.Set:
		return w, nil
	case filter.NotSet:
		return wanted{}, nil
	case filter.Equals, filter.NotEquals:
		return askSpans(c)
	}
	t, err := filter.Moment(c.Values[0], now)
	if err != nil {
		return wanted{}, err
	}
	bound, after := beginOf(t), beginOf(t.Add(time.Millisecond)) // of the millisecond that t is in
	whole := t.Equal(t.Truncate(time.Millisecond))
	switch {
	case c.Op == filter.Above, c.Op == filter.AtLeast && !whole:
		w.from = after
	case c.Op == filter.AtLeast:
		w.from = bound
	case c.Op == filter.AtMost, !whole:
		w.to = after
	default:
		w.to = bound
	}
	return w, nil
}

// askSpans is askTime for a time that equals something, or doesn't: of several spans the lines between the first and the
// last are looked through.
func askSpans(c filter.Condition) (wanted, error) {
	w := wanted{lines: unknown, from: math.MaxInt64}
	var any []sqlText
	for _, v := range c.Values {
		from, to, err := filter.Span(v)
		if err != nil {
			return wanted{}, err
		}
		w.from, w.to = min(w.from, beginOf(from)), max(w.to, beginOf(to))
		any = append(any, say("a.n >= ? AND a.n < ?", beginOf(from), beginOf(to)))
	}
	one := join(any, " OR ")
	if _, negated := c.Op.Negative(); negated {
		return wanted{lines: unknown, to: math.MaxInt64, check: say("NOT ("+one.text+")", one.args...)}, nil
	}
	if len(any) > 1 {
		w.check = say("("+one.text+")", one.args...)
	}
	return w, nil
}

// beginOf is the number from which on lines are of that millisecond or later.
func beginOf(t time.Time) int64 {
	const last = math.MaxInt64 >> serialBits
	return min(max(t.UnixMilli(), 0), last) << serialBits
}
