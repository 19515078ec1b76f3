package model

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/formats"
)

// fewAlerts are so many that it is faster to look them up and sort them than to walk through the list for them.
const fewAlerts = 1000

// alertWhere is what alerts have to fit. What lists the alerts that do, by an index of its own, drives the query: the
// columns are then hidden from SQLite's planner by a plus, or it may rather walk through all alerts in their order.
type alertWhere struct {
	m       *Model
	now     time.Time
	order   alertOrder // zero where the order doesn't count
	few     int
	parts   []string
	args    []any
	driven  bool
	columns []columnCondition
}

// columnCondition compares a column of alerts.
type columnCondition struct {
	column, is string
	args       []any
}

// alertsWhere turns a filter of a list in that order into SQL.
func (m *Model) alertsWhere(ctx context.Context, f filter.Filter, o alertOrder, few int) (*alertWhere, error) {
	w := &alertWhere{m: m, now: time.Now(), order: o, few: few}
	for _, c := range f {
		if err := w.condition(ctx, c); err != nil {
			return nil, err
		}
	}
	for _, c := range w.columns {
		if err := w.compare(ctx, c); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (w *alertWhere) add(sql string, args ...any) {
	w.parts, w.args = append(w.parts, "("+sql+")"), append(w.args, args...)
}

// among adds alerts that a query lists, or those that it doesn't list.
func (w *alertWhere) among(negated bool, list string, args ...any) {
	if negated {
		w.add("a.n NOT IN ("+list+")", args...)
		return
	}
	w.driven = true
	w.add("a.n IN ("+list+")", args...)
}

// compare adds a comparison of a column. Where it leaves few alerts they drive the query. Where it leaves many, the
// walk through the list soon has a page of them, and only an index in the order of the list is better.
func (w *alertWhere) compare(ctx context.Context, c columnCondition) error {
	if !w.driven {
		var count int
		query := "SELECT count(*) FROM (SELECT 1 FROM alerts WHERE " + c.column + c.is + " LIMIT ?)"
		if err := w.m.reader.QueryRowContext(ctx, query, append(slices.Clone(c.args), w.few+1)...).Scan(&count); err != nil {
			return fmt.Errorf("estimate how many alerts fit: %w", err)
		}
		if count <= w.few {
			w.among(false, "SELECT n FROM alerts WHERE "+c.column+c.is, c.args...)
			return nil
		}
	}
	hide := "+"
	if !w.driven && (len(w.order.columns) == 0 || w.order.columns[0] == "last" && !strings.Contains(c.is, ",") || w.order.columns[0] == c.column) {
		hide = ""
	}
	w.add(hide+"a."+c.column+c.is, c.args...)
	return nil
}

func (w *alertWhere) sql() string {
	if len(w.parts) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.parts, " AND ")
}

// hidden are columns of the order, hidden where the query is driven by something else.
func (w *alertWhere) hidden(columns []string) []string {
	plus := ""
	if w.driven {
		plus = "+"
	}
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = plus + "a." + c
	}
	return out
}

// alertFields are those that stand in the dictionary.
func alertFields(name string) (field, bool) {
	at, ok := map[string]field{
		"title": fieldTitle, "type": fieldType, "category": fieldCategory, "application": fieldApp, "service": fieldService,
		"device": fieldDevice, "ip": fieldIP, "policy": fieldPolicy, "managed_in": fieldManagedIn, "assigned": fieldAssigned,
		"tactic": fieldTactic, "technique": fieldTechnique,
	}[name]
	return at, ok
}

func (w *alertWhere) condition(ctx context.Context, c filter.Condition) error {
	if at, ok := alertFields(c.Field); ok {
		return w.term(ctx, at, c)
	}
	_, negated := c.Op.Negative()
	switch c.Field {
	case "id":
		match, args, err := textCondition("id", c)
		w.among(negated, "SELECT alert FROM alert_ids WHERE "+match, args...)
		return err
	case "user", "user_domain", "user_score":
		return w.user(c)
	case "text":
		var phrases []string
		for _, v := range c.Values {
			phrases = append(phrases, `"`+strings.Join(filter.Words(v), " ")+`"`)
		}
		w.among(negated, "SELECT rowid FROM alert_text WHERE alert_text MATCH ?", strings.Join(phrases, " OR "))
	case "status":
		w.column("closed", in(w.words(c, "open", "closed")))
	case "read":
		w.column("seen", in(w.words(c, "no", "yes")))
	case "drift":
		switch is := w.words(c, "no", "yes"); {
		case len(is) == 0:
			w.add("FALSE")
		case len(is) == 1:
			w.column("drift", map[string]string{"0": " IS NULL", "1": " IS NOT NULL"}[is[0]])
		}
	case "severity":
		w.column("severity", in(w.severities(c)))
	case "time":
		return w.time("last", c)
	case "first_seen":
		return w.time("first", c)
	default:
		return fmt.Errorf("%w: alerts have no field %s", ErrRefused, c.Field)
	}
	return nil
}

// term looks the values up in the dictionary, and then the alerts that have them.
func (w *alertWhere) term(ctx context.Context, at field, c filter.Condition) error {
	op, negated := c.Op.Negative()
	if op == filter.Set {
		w.set(at, negated)
		return nil
	}
	list, args := "", []any{at}
	if at == fieldIP && op == filter.Equals {
		numbers, err := w.m.within(ctx, c.Values)
		if err != nil {
			return err
		}
		list, args = "SELECT value FROM json_each(?)", []any{numbers}
	} else {
		match, more, err := textCondition("folded", c)
		if err != nil {
			return err
		}
		list, args = "SELECT n FROM terms WHERE field = ? AND "+match, append(args, more...)
	}
	w.among(negated, "SELECT alert FROM alert_terms WHERE field IN (?, ?) AND term IN ("+list+")", append([]any{at, -at}, args...)...)
	return nil
}

// set asks for the alerts in which a field is set, or isn't: there is a row for that.
func (w *alertWhere) set(at field, not bool) {
	term := "term > 0"
	if not {
		term = "term = 0"
	}
	w.among(false, "SELECT alert FROM alert_terms WHERE field = ? AND "+term, at)
}

// within lists the addresses of the dictionary that are in networks, as JSON.
func (m *Model) within(ctx context.Context, networks []string) (string, error) {
	var prefixes []netip.Prefix
	for _, v := range networks {
		if p, ok := filter.Network(v); ok {
			prefixes = append(prefixes, p.Masked())
		}
	}
	found := []int64{}
	if len(prefixes) > 0 {
		rows, err := m.reader.QueryContext(ctx, "SELECT n, folded FROM terms WHERE field = ?", fieldIP)
		if err != nil {
			return "", fmt.Errorf("look through addresses: %w", err)
		}
		defer func() { _ = rows.Close() }() // Err says what went wrong
		for rows.Next() {
			var n int64
			var text string
			if err := rows.Scan(&n, &text); err != nil {
				return "", fmt.Errorf("look through addresses: %w", err)
			}
			ip, err := netip.ParseAddr(text)
			if err == nil && slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(ip.Unmap()) }) {
				found = append(found, n)
			}
		}
		if err := rows.Err(); err != nil {
			return "", fmt.Errorf("look through addresses: %w", err)
		}
	}
	out, err := json.Marshal(found)
	return string(out), err
}

// user finds the alerts of everybody who goes by such a name, whatever the spelling there.
func (w *alertWhere) user(c filter.Condition) error {
	op, negated := c.Op.Negative()
	if op == filter.Set && c.Field == "user" {
		w.set(fieldAnybody, negated)
		return nil
	}
	query, args, err := nameCondition(c)
	if c.Field == "user" && (op == filter.Contains || op == filter.Matches) {
		query, args, err = alertedCondition(c)
	}
	w.among(negated, "SELECT alert FROM alert_names WHERE name IN ("+query+")", args...)
	return err
}

// alertedCondition is nameCondition for the names of alerts, and for a condition on user that no index helps with: who is
// in no alert isn't looked at, and most people aren't.
func alertedCondition(c filter.Condition) (query string, args []any, err error) {
	var fits []string
	for _, column := range []string{"x.folded", "p.folded", "p.upn_folded", "z.folded"} {
		fit, more, err := textCondition(column, c)
		if err != nil {
			return "", nil, err
		}
		fits, args = append(fits, fit), append(args, more...)
	}
	return "SELECT x.n FROM names x JOIN persons p ON p.n = x.person WHERE EXISTS (SELECT 1 FROM alert_names y WHERE y.name = x.n) AND (" +
		strings.Join(fits[:3], " OR ") + " OR EXISTS (SELECT 1 FROM names z WHERE z.person = p.n AND " + fits[3] + "))", args, nil
}

func (w *alertWhere) column(column, is string, args ...any) {
	w.columns = append(w.columns, columnCondition{column, is, args})
}

// in asks for one of the numbers.
func in(numbers []string) string {
	if len(numbers) == 1 {
		return " = " + numbers[0]
	}
	return " IN (" + strings.Join(numbers, ", ") + ")"
}

// words lists the numbers of the words that fit, of a field that is always set.
func (w *alertWhere) words(c filter.Condition, words ...string) []string {
	var fits []string
	for i, word := range words {
		if (filter.Filter{{Field: "word", Op: c.Op, Values: c.Values}}).Match(w.now, func(string) []string { return []string{word} }) {
			fits = append(fits, strconv.Itoa(i))
		}
	}
	return fits
}

// severities lists those that fit. The lowest is not set.
func (w *alertWhere) severities(c filter.Condition) []string {
	var fits []string
	for s := formats.NoSeverity; s <= formats.High; s++ {
		values := []string{s.String()}
		if op, _ := c.Op.Negative(); op == filter.Set && s == formats.NoSeverity {
			values = nil
		}
		if (filter.Filter{c}).Match(w.now, func(string) []string { return values }) {
			fits = append(fits, strconv.Itoa(int(s)))
		}
	}
	return fits
}

func (w *alertWhere) time(column string, c filter.Condition) error {
	op, negated := c.Op.Negative()
	sign := map[filter.Op]string{filter.Above: " > ?", filter.AtLeast: " >= ?", filter.Below: " < ?", filter.AtMost: " <= ?"}[op]
	switch {
	case op == filter.Set && negated:
		w.add("FALSE")
		return nil
	case op == filter.Set:
		return nil
	case op == filter.Equals:
		within, args, err := timeCondition(column, c, w.now)
		w.among(negated, "SELECT n FROM alerts WHERE "+within, args...)
		return err
	case sign == "" || len(c.Values) != 1:
		return fmt.Errorf("%w: %s can't be compared with %s", ErrRefused, c.Field, c.Op)
	}
	t, err := filter.Moment(c.Values[0], w.now)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	w.column(column, sign, millis(t))
	if column == "first" && (op == filter.Above || op == filter.AtLeast) {
		w.column("last", sign, millis(t)) // which is never before the first, and mostly in whose order the list is
	}
	return nil
}

// alertOrder is how a list is sorted.
type alertOrder struct {
	name    string
	columns []string
	falling bool
}

func alertOrderOf(sort string) (alertOrder, error) {
	o := alertOrder{name: cmp.Or(sort, "-time")}
	bare, falling := strings.CutPrefix(o.name, "-")
	o.falling = falling
	switch bare {
	case "time":
		o.columns = []string{"last", "n"}
	case "first_seen":
		o.columns = []string{"first", "n"}
	case "severity":
		o.columns = []string{"severity", "last", "n"}
	default:
		return o, fmt.Errorf("%w: alerts are sorted by time, first_seen or severity, not by %s", ErrSort, sort)
	}
	return o, nil
}

func (o alertOrder) sql(w *alertWhere) string {
	direction := map[bool]string{false: "", true: " DESC"}[o.falling]
	return " ORDER BY " + strings.Join(w.hidden(o.columns), direction+", ") + direction
}

// mark is where a page ended.
type mark struct {
	Sort string  `json:"s"`
	Last []int64 `json:"l"`
}

// after lets the list begin behind the alert at which a page ended.
func (o alertOrder) after(w *alertWhere, cursor string) error {
	var at mark
	data, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		err = json.Unmarshal(data, &at)
	}
	if err != nil || at.Sort != o.name || len(at.Last) != len(o.columns) {
		return fmt.Errorf("%w: it isn't the end of a page of alerts by %s", ErrCursor, o.name)
	}
	var args []any
	for _, v := range at.Last {
		args = append(args, v)
	}
	sign := map[bool]string{false: " > ", true: " < "}[o.falling]
	w.add("("+strings.Join(w.hidden(o.columns), ", ")+")"+sign+"(?"+strings.Repeat(", ?", len(args)-1)+")", args...)
	return nil
}

func (o alertOrder) cursor(n int64, r *alertRecord) string {
	at := mark{Sort: o.name}
	for _, c := range o.columns {
		switch c {
		case "last":
			at.Last = append(at.Last, millis(r.Last))
		case "first":
			at.Last = append(at.Last, millis(r.first()))
		case "severity":
			at.Last = append(at.Last, int64(r.severity()))
		default:
			at.Last = append(at.Last, n)
		}
	}
	data, _ := json.Marshal(at) // numbers and a word
	return base64.RawURLEncoding.EncodeToString(data)
}
