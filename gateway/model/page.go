package model

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math"
	"strconv"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// What a page may have.
const (
	usualLimit = 50
	mostLimit  = 500
)

// ErrSort says that a list can't be sorted so.
var ErrSort = errors.New("no such order")

// Activities gives a page of the log. It is sorted by time, the newest first, or by time rising.
func (m *Model) Activities(ctx context.Context, q Query) (Page[Activity], error) {
	return m.logPage(ctx, q, func(tx *sql.Tx, rising bool, limit int) (sqlText, error) {
		p, err := planOf(ctx, tx, q.Filter, time.Now(), int64(limit))
		if err == nil {
			err = p.after(q.Cursor, rising)
		}
		return p.numbers(rising, limit), err
	})
}

// logPage reads a page of lines, whose numbers a query gives: one more than fit, to know whether there are more.
func (m *Model) logPage(ctx context.Context, q Query, numbers func(tx *sql.Tx, rising bool, limit int) (sqlText, error)) (Page[Activity], error) {
	page := Page[Activity]{Items: []Activity{}}
	rising, err := byTime(q.Sort)
	if err != nil {
		return page, err
	}
	limit := limitOf(q.Limit)
	err = m.view(ctx, func(tx *sql.Tx) error {
		wanted, err := numbers(tx, rising, limit+1)
		if err != nil {
			return err
		}
		var last int64
		for l, err := range lines(ctx, tx, wanted, rising) {
			if err != nil {
				return err
			}
			if len(page.Items) == limit {
				page.Next = cursorOf(last, rising)
				return nil
			}
			page.Items, last = append(page.Items, l.Activity), l.n
		}
		return nil
	})
	return page, err
}

// Activity gives a line of the log by its key; ErrNotFound where there is none.
func (m *Model) Activity(ctx context.Context, key string) (Activity, error) {
	n, ok := numberOf(key)
	if !ok {
		return Activity{}, fmt.Errorf("activity %q: %w", key, ErrNotFound)
	}
	for l, err := range lines(ctx, m.reader, say("SELECT ? AS n", n), false) {
		return l.Activity, err
	}
	return Activity{}, fmt.Errorf("activity %q: %w", key, ErrNotFound)
}

// PlaceOf is where the stream has the notification that told a line, be it a line of this model or of a limited one of
// the same stream, which knows no places.
func (m *Model) PlaceOf(ctx context.Context, a *Activity) (stream.Position, error) {
	first := number(a.Time, stream.Position{})
	for l, err := range lines(ctx, m.reader, say("SELECT n FROM activities WHERE n BETWEEN ? AND ?", first, first|(serialBound-1)), false) {
		if err != nil {
			return stream.Position{}, err
		}
		if l.Event == a.Event {
			return l.At, nil
		}
	}
	return stream.Position{}, fmt.Errorf("the place of activity %s: %w", a.Key, ErrNotFound)
}

// ActivityTotal counts what fits, up to a bound.
func (m *Model) ActivityTotal(ctx context.Context, f filter.Filter) (t Total, err error) {
	err = m.view(ctx, func(tx *sql.Tx) error {
		if len(f) == 0 {
			t.Count, err = linesOf(ctx, tx)
			return err
		}
		p, err := planOf(ctx, tx, f, time.Now(), mostTotal)
		if err != nil {
			return err
		}
		if p.lines != unknown {
			t.Count = p.lines
			return nil
		}
		q := p.numbers(false, mostTotal+1)
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM ("+q.text+")", q.args...).Scan(&t.Count); err != nil {
			return err
		}
		if t.Count > mostTotal {
			t = Total{Count: mostTotal, AtLeast: true}
		}
		return nil
	})
	return t, err
}

// EachActivity yields what fits, the newest first, as it is when it is called. It ends with an error. Whoever
// stops in between keeps the log from giving room back.
func (m *Model) EachActivity(ctx context.Context, f filter.Filter) iter.Seq2[Activity, error] {
	const chunk = 2000
	return func(yield func(Activity, error) bool) {
		stopped := false
		err := m.view(ctx, func(tx *sql.Tx) error {
			p, err := planOf(ctx, tx, f, time.Now(), math.MaxInt32)
			if err != nil {
				return err
			}
			for more := true; more; {
				count := 0
				for a, err := range lines(ctx, tx, p.numbers(false, chunk), false) {
					if err != nil {
						return err
					}
					if !yield(a.Activity, nil) {
						stopped = true
						return nil
					}
					count, p.to = count+1, a.n
				}
				more = count == chunk
			}
			return nil
		})
		if err != nil && !stopped {
			yield(Activity{}, err)
		}
	}
}

// linesOf counts all lines of the log.
func linesOf(ctx context.Context, q querier) (n int64, err error) {
	err = q.QueryRowContext(ctx, "SELECT coalesce(sum(count), 0) FROM combinations").Scan(&n)
	return n, err
}

// view runs queries that all see the same.
func (m *Model) view(ctx context.Context, do func(tx *sql.Tx) error) error {
	tx, err := m.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("read the model: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	return do(tx)
}

// lines reads the lines of these numbers, in this order.
func lines(ctx context.Context, q querier, numbers sqlText, rising bool) iter.Seq2[line, error] {
	query := "SELECT a.n, a.data, coalesce(al.id, ''), coalesce(p.id, ''), coalesce(p.display, '') FROM (" + numbers.text + ") f CROSS JOIN activities a ON a.n = f.n " +
		"LEFT JOIN alerts al ON al.n = a.alert LEFT JOIN names s ON s.n = a.name LEFT JOIN persons p ON p.n = s.person ORDER BY f.n"
	if !rising {
		query += " DESC"
	}
	return func(yield func(line, error) bool) {
		rows, err := q.QueryContext(ctx, query, numbers.args...)
		if err != nil {
			yield(line{}, fmt.Errorf("query the log: %w", err))
			return
		}
		defer rows.Close() //nolint:errcheck // what is wrong, Err says
		for rows.Next() {
			l, err := scanLine(rows)
			if !yield(l, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(line{}, fmt.Errorf("query the log: %w", err))
		}
	}
}

func scanLine(rows *sql.Rows) (line, error) {
	var l line
	var data sql.RawBytes
	var user Named
	if err := rows.Scan(&l.n, &data, &l.Alert, &user.User, &user.Display); err != nil {
		return l, fmt.Errorf("read a line of the log: %w", err)
	}
	r := record{}
	if err := cbor.Unmarshal(data, &r); err != nil {
		return l, fmt.Errorf("read line %d of the log: %w", l.n, err)
	}
	alert := l.Alert
	l.Activity, l.Alert, l.Time, l.Key = r.Activity, alert, timeOf(l.n), keyOf(l.n)
	if r.Spelling != "" {
		user.Spelling = r.Spelling
		l.User = &user
	}
	for _, list := range []*[]string{&l.Addresses, &l.Devices, &l.Objects, &l.Policies} {
		if *list == nil {
			*list = []string{}
		}
	}
	return l, nil
}

func limitOf(limit int) int {
	if limit <= 0 {
		return usualLimit
	}
	return min(limit, mostLimit)
}

func byTime(sort string) (rising bool, err error) {
	switch sort {
	case "time":
		return true, nil
	case "", "-time":
		return false, nil
	}
	return false, fmt.Errorf("sort the log by %q, which has time and -time: %w", sort, ErrSort)
}

// cursorOf is where a page ended.
func cursorOf(n int64, rising bool) string {
	direction := "d"
	if rising {
		direction = "a"
	}
	return direction + strconv.FormatInt(n, 36)
}

// after leaves out what the pages before had.
func (p *plan) after(cursor string, rising bool) error {
	if cursor == "" {
		return nil
	}
	n, err := strconv.ParseInt(cursor[1:], 36, 64)
	if err != nil || cursorOf(n, rising) != cursor {
		return fmt.Errorf("%q: %w", cursor, ErrCursor)
	}
	if rising {
		p.from = max(p.from, n+1)
	} else {
		p.to = min(p.to, n)
	}
	return nil
}
