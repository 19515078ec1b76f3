package model

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config/filter"
)

// nameCondition gives a query of the names (names.n) of all the users whom a condition on user, user_domain or
// user_group fits: every name of a user one of whose names does. It goes by the positive form of the operator;
// where that is a negation the caller takes what has none of these names:
//
//	name IN (<query>)        and for a negation        (name IS NULL OR name NOT IN (<query>))
func nameCondition(c filter.Condition) (query string, args []any, err error) {
	persons, args, err := personCondition(c)
	return "SELECT n FROM names WHERE person IN (" + persons + ")", args, err
}

// personCondition is the query of the users (persons.n) for nameCondition.
func personCondition(c filter.Condition) (persons string, args []any, err error) {
	if c.Field == "user_score" {
		fits, args, err := pointsCondition(c)
		return "SELECT p.n FROM persons p " + withScore + " WHERE p.into_n IS NULL AND " + fits, args, err
	}
	column := "folded"
	if c.Field == "user_domain" {
		column = "domain"
	}
	fits, args, err := textCondition(column, c)
	if err != nil {
		return "", nil, err
	}
	switch c.Field {
	case "user":
		called, more, _ := textCondition("upn_folded", c) // what is wrong with it was said above
		return "SELECT person FROM names WHERE " + fits + " UNION SELECT n FROM persons WHERE " + fits + " UNION SELECT n FROM persons WHERE " + called,
			append(slices.Concat(args, args), more...), nil
	case "user_domain":
		return "SELECT person FROM names WHERE " + fits, args, nil
	case "user_group":
		return "SELECT person FROM names WHERE identity IN (SELECT identity FROM directory_groups WHERE " + fits + ")", args, nil
	}
	return "", nil, fmt.Errorf("%w: %s is no field of users", ErrRefused, c.Field)
}

// peerNames is a query of the names of a name's peers, the others of the same department; of nobody where the
// directory file doesn't say whose department it is.
func peerNames(name int64) (query string, args []any) {
	return "SELECT o.n FROM names x JOIN persons p ON p.n = x.person JOIN persons q ON q.peers = p.peers AND q.n <> p.n JOIN names o ON o.person = q.n WHERE x.n = ?",
		[]any{name}
}

// textCondition is the positive form of a condition on a text, for a column that holds it folded, and NULL
// where it isn't set.
func textCondition(column string, c filter.Condition) (sql string, args []any, err error) {
	op, _ := c.Op.Negative()
	if op == filter.Set {
		return column + " IS NOT NULL", nil, nil
	}
	one, per := "", 1
	switch op {
	case filter.Equals:
		in := strings.TrimSuffix(strings.Repeat("?, ", len(c.Values)), ", ")
		for _, v := range c.Values {
			args = append(args, filter.Fold(v))
		}
		return column + " IN (" + in + ")", args, nil
	case filter.Contains:
		one = "instr(" + column + ", ?) > 0"
	case filter.StartsWith:
		one, per = column+" >= ? AND "+column+" < ?", 2
	case filter.Matches:
		one = column + " GLOB ?"
	default:
		return "", nil, fmt.Errorf("%w: %s can't be compared with %s", ErrRefused, c.Field, c.Op)
	}
	for _, v := range c.Values {
		v = filter.Fold(v)
		switch {
		case op == filter.Matches:
			v = globPattern(v)
		case per == 2:
			args = append(args, v)
			v += "\U0010ffff" // after everything that begins so
		}
		args = append(args, v)
	}
	if len(c.Values) == 0 {
		return "0", nil, nil
	}
	return "(" + strings.TrimSuffix(strings.Repeat("("+one+") OR ", len(c.Values)), " OR ") + ")", args, nil
}

// timeCondition is the positive form of a condition on a time, for a column that holds it in milliseconds, and 0 where
// it isn't set.
func timeCondition(column string, c filter.Condition, now time.Time) (sql string, args []any, err error) {
	op, _ := c.Op.Negative()
	switch {
	case op == filter.Set:
		return column + " > 0", nil, nil
	case op == filter.Equals && len(c.Values) > 0:
		for _, v := range c.Values {
			from, to, err := filter.Span(v)
			if err != nil {
				return "", nil, fmt.Errorf("%w: %s: %w", ErrRefused, c.Field, err)
			}
			args = append(args, millis(from), millis(to))
		}
		one := column + " >= ? AND " + column + " < ?"
		return "(" + one + strings.Repeat(" OR "+one, len(c.Values)-1) + ")", args, nil
	case !slices.Contains([]filter.Op{filter.Above, filter.AtLeast, filter.Below, filter.AtMost}, op) || len(c.Values) != 1:
		return "", nil, fmt.Errorf("%w: %s can't be compared with %s", ErrRefused, c.Field, c.Op)
	}
	t, err := filter.Moment(c.Values[0], now)
	if err != nil {
		return "", nil, fmt.Errorf("%w: %s: %w", ErrRefused, c.Field, err)
	}
	return column + " " + string(op) + " ?", []any{millis(t)}, nil
}

// globPattern is a pattern of the filter language, in which only * is special, as SQLite's GLOB has it.
func globPattern(v string) string {
	return strings.NewReplacer("[", "[[]", "?", "[?]").Replace(v)
}
