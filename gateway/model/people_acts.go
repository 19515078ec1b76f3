package model

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// mostSplit bounds the spellings of one act, and mostTags what is said of a user's tags.
const (
	mostSplit = 1000
	mostTags  = 10
)

// tagNames are the tags there are.
func tagNames() []string { return []string{"sensitive", "admin", "watched"} }

// joinTags writes tags as the table has them, each once.
func joinTags(tags []string) string {
	var b strings.Builder
	for _, t := range tagNames() {
		if slices.Contains(tags, t) {
			b.WriteString("," + t)
		}
	}
	if b.Len() > 0 {
		b.WriteByte(',')
	}
	return b.String()
}

func splitTags(tags string) []string {
	return strings.FieldsFunc(tags, func(r rune) bool { return r == ',' })
}

// checkPeople says whether an act on users can be recorded: nil, or an error that is [ErrNotFound] or [ErrRefused] and
// says why.
func (m *Model) checkPeople(ctx context.Context, _ string, a Act) error {
	switch a := a.(type) {
	case Tag:
		if len(a.Tags) > mostTags {
			return fmt.Errorf("%w: %d tags are more than there are", ErrRefused, len(a.Tags))
		}
		for _, t := range a.Tags {
			if !slices.Contains(tagNames(), t) {
				return fmt.Errorf("%w: %.50q is no tag; there are %s", ErrRefused, t, strings.Join(tagNames(), ", "))
			}
		}
		_, err := userBy(ctx, m.reader, a.User)
		return err
	case Join:
		return m.checkJoin(ctx, a)
	case Split:
		return m.checkSplit(ctx, a)
	}
	return fmt.Errorf("%w: %s is no act on users", ErrRefused, a.verb())
}

func (m *Model) checkJoin(ctx context.Context, a Join) error {
	one, err := userBy(ctx, m.reader, a.User)
	if err != nil {
		return err
	}
	other, err := userBy(ctx, m.reader, a.With)
	if err == nil && one == other {
		err = fmt.Errorf("%w: %s and %s are one user already", ErrRefused, a.User, a.With)
	}
	return err
}

func (m *Model) checkSplit(ctx context.Context, a Split) error {
	switch {
	case len(a.Spellings) == 0:
		return fmt.Errorf("%w: no spelling is named", ErrRefused)
	case len(a.Spellings) > mostSplit:
		return fmt.Errorf("%w: %d spellings are too many for one act, which may name %d", ErrRefused, len(a.Spellings), mostSplit)
	}
	person, err := userBy(ctx, m.reader, a.User)
	if err != nil {
		return err
	}
	var all int
	if err := m.reader.QueryRowContext(ctx, "SELECT count(*) FROM names WHERE person = ?", person).Scan(&all); err != nil {
		return fmt.Errorf("read the names of user %s: %w", a.User, err)
	}
	folded := foldedSpellings(a.Spellings)
	for _, s := range folded {
		var some int
		err := m.reader.QueryRowContext(ctx, "SELECT count(*) FROM names WHERE folded = ? AND person = ?", s, person).Scan(&some)
		if err != nil {
			return fmt.Errorf("read the names of user %s: %w", a.User, err)
		}
		if some == 0 {
			return fmt.Errorf("%w: %.50q is no name of user %s", ErrRefused, s, a.User)
		}
	}
	if len(folded) >= all {
		return fmt.Errorf("%w: these are all the names of user %s, who would have none left", ErrRefused, a.User)
	}
	return nil
}

// foldedSpellings are spellings as names has them, each once.
func foldedSpellings(spellings []string) []string {
	var out []string
	for _, s := range spellings {
		if s = filter.Fold(cleanName(s)); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// userBy is the user of an ID, even if it was joined into another one or is what a name of that one would have.
func userBy(ctx context.Context, q querier, id string) (int64, error) {
	var n int64
	err := q.QueryRowContext(ctx, userQuery(), id, id).Scan(&n)
	if noRows(err) {
		return 0, fmt.Errorf("user %.50q: %w", id, ErrNotFound)
	}
	if err != nil {
		return 0, fmt.Errorf("look for user %.50q: %w", id, err)
	}
	return n, nil
}

func userQuery() string {
	return "WITH RECURSIVE led (n, into_n) AS (SELECT n, into_n FROM persons WHERE id = ? UNION SELECT p.n, p.into_n FROM led JOIN persons p ON p.n = led.into_n) " +
		"SELECT n FROM led WHERE into_n IS NULL UNION ALL SELECT person FROM names WHERE id = ? AND person <> 0 LIMIT 1"
}

// actOnPeople folds an act on users.
func (f *folder) actOnPeople(ctx context.Context, e *stream.Entry, a Act) error {
	args, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("write %s: %w", a.verb(), err)
	}
	if err := f.people.log(ctx, string(e.Key), "", a.verb(), string(args)); err != nil {
		return err
	}
	if err := f.people.act(ctx, string(e.Key), a); err != nil {
		return err
	}
	return f.people.refreshStale(ctx)
}

// log keeps what decides who is who.
func (p *people) log(ctx context.Context, key, alert, what, data string) error {
	return p.f.exec(ctx, "INSERT INTO people_log (after, key, alert, what, data) VALUES ((SELECT coalesce(max(n), 0) FROM names), ?, ?, ?, ?)",
		key, alert, what, data)
}

// act does what an operator did. What no longer fits is left out.
func (p *people) act(ctx context.Context, key string, a Act) error {
	var err error
	switch a := a.(type) {
	case Tag:
		err = p.tag(ctx, a)
	case Join:
		err = p.join(ctx, a)
	case Split:
		err = p.split(ctx, key, a)
	}
	if errors.Is(err, ErrNotFound) {
		p.f.m.log.Warn("an act on a user that isn't there any more is left out", "verb", a.verb(), "key", key)
		return nil
	}
	return err
}

func (p *people) user(ctx context.Context, id string) (int64, error) {
	var n int64
	ok, err := p.f.row(ctx, userQuery(), []any{id, id}, &n)
	if err == nil && !ok {
		err = ErrNotFound
	}
	return n, err
}

func (p *people) tag(ctx context.Context, a Tag) error {
	person, err := p.user(ctx, a.User)
	if err != nil {
		return err
	}
	p.stale[person] = struct{}{}
	return p.f.exec(ctx, "UPDATE persons SET tags = ? WHERE n = ?", joinTags(a.Tags), person)
}

// join makes two users one. Nothing but an operator moves any of their names from then on.
func (p *people) join(ctx context.Context, a Join) error {
	person, err := p.user(ctx, a.User)
	if err != nil {
		return err
	}
	other, err := p.user(ctx, a.With)
	if err != nil || person == other {
		return err
	}
	if err := p.f.exec(ctx, "UPDATE names SET by_hand = max(by_hand, ?) WHERE person = ?", joinedByHand, person); err != nil {
		return err
	}
	if err := p.f.exec(ctx, "UPDATE names SET person = ?, by_hand = max(by_hand, ?), why = ? WHERE person = ?", person, joinedByHand, whyByHand, other); err != nil {
		return err
	}
	return p.left(ctx, other, person)
}

// split gives some of a user's names to another user: to the one that they were before, where there was one. What
// operators said of the user they said of both.
func (p *people) split(ctx context.Context, key string, a Split) error {
	person, err := p.user(ctx, a.User)
	if err != nil {
		return err
	}
	list, err := json.Marshal(foldedSpellings(a.Spellings))
	if err != nil {
		return fmt.Errorf("write spellings: %w", err)
	}
	const chosen = "person = ? AND folded IN (SELECT value FROM json_each(?))"
	var some, all int
	if _, err := p.f.row(ctx, "SELECT count(*) FROM names WHERE "+chosen, []any{person, string(list)}, &some); err != nil {
		return err
	}
	if _, err := p.f.row(ctx, "SELECT count(*) FROM names WHERE person = ?", []any{person}, &all); err != nil {
		return err
	}
	if some == 0 || some == all {
		return nil
	}
	ids, err := p.f.column(ctx, "SELECT id FROM names WHERE "+chosen+" AND id NOT IN (SELECT id FROM persons WHERE into_n IS NULL) ORDER BY n LIMIT 1", person, string(list))
	if err != nil {
		return err
	}
	id := idOf("split\x00" + key) // where the user has the ID of the only one
	if len(ids) > 0 {
		id = ids[0]
	}
	other, err := p.own(ctx, id)
	if err != nil {
		return err
	}
	if err := p.f.exec(ctx, "UPDATE names SET person = ?, by_hand = ?, why = ? WHERE "+chosen, other, splitByHand, whyByHand, person, string(list)); err != nil {
		return err
	}
	p.stale[person], p.stale[other] = struct{}{}, struct{}{}
	p.f.priority.moved = append(p.f.priority.moved, move{person, other})
	p.lost[person]++
	return p.tagAlso(ctx, other, person)
}
