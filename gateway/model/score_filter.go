package model

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/sluice-siem/sluice/config/filter"
)

// withScore joins persons p with where they stand, s, NULL for those without a score.
const withScore = "LEFT JOIN scores s ON s.user = p.id"

// scoreCondition is the positive form of a condition on where users stand.
func scoreCondition(c filter.Condition) (sql string, args []any, err error) {
	if op, _ := c.Op.Negative(); op == filter.Set {
		return "p.n IN (SELECT p.n FROM scores s JOIN persons p ON p.id = s.user)", nil, nil
	}
	within := func(fits string, args []any, err error) (string, []any, error) {
		return "p.n IN (SELECT p.n FROM persons p " + withScore + " WHERE " + fits + ")", args, err
	}
	switch c.Field {
	case "score":
		return within(pointsCondition(c))
	case "bounded":
		return within(numberCondition("coalesce(s.bounded, 0)", c, 1))
	}
	fits, args, err := numberCondition("CASE WHEN r.most > 0 THEN 100.0 * ("+allUsers+" - r.most) / max("+allUsers+" - 1, 1) ELSE 0 END", c, 1)
	const most = "(SELECT user, count(*) OVER (ORDER BY points DESC) AS most FROM scores)" // that have as much or more
	return "p.n IN (SELECT p.n FROM persons p LEFT JOIN " + most + " r ON r.user = p.id WHERE " + fits + ")", args, err
}

// pointsCondition compares the score.
func pointsCondition(c filter.Condition) (sql string, args []any, err error) {
	if op, _ := c.Op.Negative(); op == filter.Set {
		return "s.points > 0", nil, nil
	}
	return numberCondition("coalesce(s.points, 0)", c, 100)
}

// numberCondition is the positive form of a condition on a number that a column holds so many times.
func numberCondition(column string, c filter.Condition, times float64) (sql string, args []any, err error) {
	op, _ := c.Op.Negative()
	if !slices.Contains([]filter.Op{filter.Equals, filter.Above, filter.AtLeast, filter.Below, filter.AtMost}, op) || len(c.Values) == 0 ||
		op != filter.Equals && len(c.Values) != 1 {
		return "", nil, fmt.Errorf("%w: %s can't be compared with %s", ErrRefused, c.Field, c.Op)
	}
	for i, v := range c.Values {
		n, err := strconv.ParseFloat(v, 64)
		if err != nil || math.IsNaN(n) {
			return "", nil, fmt.Errorf("%w: %.50q is no number", ErrRefused, v)
		}
		if i > 0 {
			sql += " OR "
		}
		sql, args = sql+column+" "+string(op)+" ?", append(args, n*times)
	}
	return "(" + sql + ")", args, nil
}
