package model

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/risk"
)

const (
	mostListed = 250 // names of one user that an answer has
)

// UserFields are the fields of the list of users.
func UserFields() filter.Fields {
	return filter.Fields{
		{Name: "user", Help: "Any name of the user: a spelling that was seen, the display name, the UPN.", Many: true},
		{Name: "user_domain", Help: "The domain of one of the names.", Many: true},
		{Name: "user_group", Help: "A department or group of the user, by the directory file.", Many: true},
		{Name: "tag", Kind: filter.Word, Words: tagNames(), Help: "A tag of the user.", Many: true},
		{Name: "score", Kind: filter.Number, Help: "The user's investigation priority, 0 where there is none."},
		{Name: "bounded", Kind: filter.Number, Help: "The same between 0 and 100."},
		{Name: "percentile", Kind: filter.Number, Help: "How many of a hundred other users have less."},
		{Name: "first_seen", Kind: filter.Time, Help: "When the user was first seen."},
		{Name: "time", Kind: filter.Time, Help: "When the user was last seen."},
	}
}

// Users gives a page of the users. It is sorted by time (last seen), display or score, rising or, with a minus, falling;
// -time where nothing is said. Who is seen meanwhile moves to the new place. The filter's fields are [UserFields].
func (m *Model) Users(ctx context.Context, q Query) (Page[User], error) {
	where, args, err := usersWhere(q.Filter, time.Now())
	if err != nil {
		return Page[User]{}, err
	}
	o, err := userOrderOf(q.Sort)
	if err != nil {
		return Page[User]{}, err
	}
	if q.Cursor != "" {
		after, more, err := o.after(q.Cursor)
		if err != nil {
			return Page[User]{}, err
		}
		where, args = where+" AND "+after, append(args, more...)
	}
	limit := limitOf(q.Limit)
	page := Page[User]{Items: []User{}}
	err = m.users(ctx, &page.Items, where, o, limit+1, args...)
	if err == nil && len(page.Items) > limit {
		page.Items = page.Items[:limit]
		page.Next, err = o.cursor(ctx, m.reader, page.Items[limit-1].ID)
	}
	return page, err
}

// User gives one user by an ID, be it that of one who was joined into another one.
func (m *Model) User(ctx context.Context, id string) (User, error) {
	n, err := userBy(ctx, m.reader, id)
	if err != nil {
		return User{}, err
	}
	var found []User
	if err := m.users(ctx, &found, "p.n = ?", userOrder{column: "p.n"}, 1, n); err != nil {
		return User{}, err
	}
	if len(found) == 0 {
		return User{}, fmt.Errorf("user %.50q: %w", id, ErrNotFound)
	}
	u := &found[0]
	u.Activities, err = m.countLines(ctx, n)
	return *u, err
}

// usersWhere is the filter as a condition on persons p.
func usersWhere(f filter.Filter, now time.Time) (where string, args []any, err error) {
	return allOf("p.into_n IS NULL", f, func(c filter.Condition) (string, []any, error) { return userCondition(c, now) })
}

// allOf adds the conditions of a filter to one in SQL; of each, positive gives the positive form.
func allOf(where string, f filter.Filter, positive func(filter.Condition) (string, []any, error)) (_ string, args []any, err error) {
	for _, c := range f {
		one, more, err := positive(c)
		if err != nil {
			return "", nil, err
		}
		if _, negated := c.Op.Negative(); negated {
			one = "NOT coalesce((" + one + "), 0)"
		}
		where, args = where+" AND "+one, append(args, more...)
	}
	return where, args, nil
}

// userCondition is the positive form of a condition.
func userCondition(c filter.Condition, now time.Time) (sql string, args []any, err error) {
	switch c.Field {
	case "user", "user_domain", "user_group":
		persons, args, err := personCondition(c)
		return "p.n IN (" + persons + ")", args, err
	case "tag":
		if op, _ := c.Op.Negative(); op == filter.Set {
			return "(p.tags <> '' OR p.sensitive = 1)", nil, nil
		}
		match, args, err := textCondition("tag", c)
		return "EXISTS (SELECT 1 FROM (SELECT value AS tag FROM json_each(" + tagList + ")) WHERE " + match + ")", args, err
	case "score", "bounded", "percentile":
		return scoreCondition(c)
	case "time", "first_seen":
		return timeCondition(map[string]string{"time": "p.last", "first_seen": "p.first"}[c.Field], c, now)
	}
	return "", nil, fmt.Errorf("%w: %s is no field of users", ErrRefused, c.Field)
}

// tagList is the tags of persons p, those set by hand and that of the directory, as JSON.
const tagList = `'["' || replace(trim(p.tags || CASE p.sensitive WHEN 1 THEN ',sensitive' ELSE '' END, ','), ',', '","') || '"]'`

// userOrder is how users are sorted.
type userOrder struct {
	column  string
	falling bool
}

func userOrderOf(sort string) (userOrder, error) {
	name, falling := strings.CutPrefix(sort, "-")
	switch name {
	case "":
		return userOrder{"p.last", true}, nil
	case "time":
		return userOrder{"p.last", falling}, nil
	case "display":
		return userOrder{"p.folded", falling}, nil
	case "score":
		return userOrder{"coalesce(s.points, 0)", falling}, nil
	}
	return userOrder{}, fmt.Errorf("%w: users can't be sorted by %.50q; there are time, display and score, with a minus for falling", ErrSort, sort)
}

func (o userOrder) sql() string {
	if o.falling {
		return o.column + " DESC, p.n DESC"
	}
	return o.column + ", p.n"
}

// cursor is where a page ended: the value of the last user's and the number.
func (o userOrder) cursor(ctx context.Context, q querier, id string) (string, error) {
	var value string
	var n int64
	if err := q.QueryRowContext(ctx, "SELECT "+o.column+", p.n FROM persons p "+withScore+" WHERE p.id = ?", id).Scan(&value, &n); err != nil {
		return "", fmt.Errorf("read where the page ends: %w", err)
	}
	return strconv.FormatInt(n, 36) + "." + value, nil
}

// after is what comes after a page.
func (o userOrder) after(cursor string) (sql string, args []any, err error) {
	number, text, ok := strings.Cut(cursor, ".")
	n, err := strconv.ParseInt(number, 36, 64)
	var value any = text
	if err == nil && o.column != "p.folded" {
		value, err = strconv.ParseInt(text, 10, 64)
	}
	if err != nil || !ok {
		return "", nil, fmt.Errorf("%.50q: %w", cursor, ErrCursor)
	}
	beyond := ">"
	if o.falling {
		beyond = "<"
	}
	return "(" + o.column + ", p.n) " + beyond + " (?, ?)", []any{value, n}, nil
}

// users reads the first users, as many as limit, that fit a condition on persons p, with all that is said of them. That
// costs so much for each that they are chosen first.
func (m *Model) users(ctx context.Context, out *[]User, where string, o userOrder, limit int, args ...any) error {
	rows, err := m.reader.QueryContext(ctx, "SELECT p.n, p.id, p.display, coalesce(p.upn, ''), coalesce(p.department, ''), coalesce(p.title, ''), p.tags, p.sensitive, "+
		"p.first, p.last, (SELECT count(*) - 1 FROM persons q WHERE q.peers = p.peers), coalesce(s.points, 0), coalesce(s.bounded, 0), "+
		"CASE WHEN s.points > 0 THEN (SELECT count(*) FROM scores o WHERE o.points >= s.points) ELSE 0 END, "+allUsers+" FROM persons p "+withScore+
		" WHERE p.n IN (SELECT p.n FROM persons p "+withScore+" WHERE "+where+" ORDER BY "+o.sql()+" LIMIT ?) ORDER BY "+o.sql(), append(args, limit)...)
	if err != nil {
		return fmt.Errorf("read users: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	var numbers []int64
	for rows.Next() {
		u := User{Names: []Name{}, Groups: []string{}}
		var n, first, last, points int64
		var most, all int
		var tags string
		var sensitive bool
		if err := rows.Scan(&n, &u.ID, &u.Display, &u.UPN, &u.Department, &u.Title, &tags, &sensitive, &first, &last, &u.Peers, &points, &u.Bounded, &most, &all); err != nil {
			return fmt.Errorf("read users: %w", err)
		}
		if sensitive {
			tags += ",sensitive"
		}
		u.Tags = append([]string{}, splitTags(joinTags(splitTags(tags)))...)
		u.Score, u.Bounded = risk.Points(points).Float(), hundredths(u.Bounded)
		if points > 0 {
			u.Percentile = hundredths(risk.Percentile(most, all))
		}
		u.First, u.Last, u.Peers = instant(first), instant(last), max(0, u.Peers)
		numbers, *out = append(numbers, n), append(*out, u)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read users: %w", err)
	}
	return m.complete(ctx, numbers, *out)
}

// complete adds what other tables say of users.
func (m *Model) complete(ctx context.Context, numbers []int64, users []User) error {
	for i, n := range numbers {
		u := &users[i]
		if err := m.namesOf(ctx, n, u); err != nil {
			return fmt.Errorf("read user %s: %w", u.ID, err)
		}
		if err := m.listedOf(ctx, n, u); err != nil {
			return fmt.Errorf("read user %s: %w", u.ID, err)
		}
		if err := m.countOpen(ctx, n, u); err != nil {
			return fmt.Errorf("read user %s: %w", u.ID, err)
		}
	}
	return nil
}

func (m *Model) namesOf(ctx context.Context, person int64, u *User) error {
	rows, err := m.reader.QueryContext(ctx, "SELECT x.n, x.spelling, x.why, coalesce(s.service, ''), coalesce(s.first, 0), coalesce(s.last, 0) "+
		"FROM (SELECT * FROM names WHERE person = ? ORDER BY n LIMIT ?) x LEFT JOIN name_seen s ON s.name = x.n ORDER BY x.n, s.first", person, mostListed)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	before := int64(0)
	for rows.Next() {
		var n, first, last int64
		var x Name
		var service string
		if err := rows.Scan(&n, &x.Spelling, &x.Why, &service, &first, &last); err != nil {
			return err
		}
		if n != before {
			before, x.Seen = n, []Seen{}
			u.Names = append(u.Names, x)
		}
		if service == "" {
			continue
		}
		name, s := &u.Names[len(u.Names)-1], Seen{formats.Service(service), instant(first), instant(last)}
		name.Seen = append(name.Seen, s)
		if name.First.IsZero() || s.First.Before(name.First) {
			name.First = s.First
		}
		if s.Last.After(name.Last) {
			name.Last = s.Last
		}
	}
	return rows.Err()
}

// listedOf adds what the directory says.
func (m *Model) listedOf(ctx context.Context, person int64, u *User) error {
	err := m.reader.QueryRowContext(ctx, "SELECT d.manager FROM names x JOIN directory d ON d.identity = x.identity WHERE x.person = ? ORDER BY x.n LIMIT 1", person).
		Scan(&u.Manager)
	if noRows(err) {
		return nil
	}
	if err != nil {
		return err
	}
	rows, err := m.reader.QueryContext(ctx, "SELECT DISTINCT g.name FROM names x JOIN directory d ON d.identity = x.identity JOIN directory_groups g ON g.identity = d.identity "+
		"WHERE x.person = ? AND g.name <> d.department ORDER BY g.folded", person)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	for rows.Next() {
		var group string
		if err := rows.Scan(&group); err != nil {
			return err
		}
		u.Groups = append(u.Groups, group)
	}
	return rows.Err()
}

// countOpen adds how many open alerts name the user.
func (m *Model) countOpen(ctx context.Context, person int64, u *User) error {
	return m.reader.QueryRowContext(ctx, "SELECT count(DISTINCT a.n) FROM names x JOIN alert_names y ON y.name = x.n JOIN alerts a ON a.n = y.alert "+
		"WHERE x.person = ? AND a.closed = 0", person).Scan(&u.Alerts)
}

func noRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }
