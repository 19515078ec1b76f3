package model

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
)

const (
	mostCached   = 1 << 17 // rows of each table that are remembered
	fewPeers     = 5       // people: what is usual among fewer says nothing
	severalOther = 3       // people who have a value: it is everybody's
)

// span is since when somebody does things, and when they did last, to the hour. Zero for somebody new.
type span struct{ first, last int64 }

// seeActive notes that a name was active, and gives when it was before.
func (f *folder) seeActive(ctx context.Context, name, at int64) (span, error) {
	if name == 0 {
		return span{}, nil
	}
	cache := f.policies.seen
	before, cached := cache[name]
	if !cached {
		if _, err := f.row(ctx, "SELECT first, last FROM policy_seen WHERE name = ?", []any{name}, &before.first, &before.last); err != nil {
			return before, err
		}
		if len(cache) >= mostCached {
			if err := f.flushPolicies(ctx); err != nil {
				return before, err
			}
			clear(cache)
		}
		cache[name] = before
	}
	now := before
	if now.first == 0 || at < now.first {
		now.first = at
	}
	if at >= now.last+hour {
		now.last = at
	}
	if now != before {
		cache[name] = now
		f.policies.moved.seen[name] = struct{}{}
	}
	return before, nil
}

// past is a value that a name had, or a day with what it did then.
type past struct{ first, last, count int64 }

type pastKey struct {
	policy string
	name   int64
	value  string
}

// learn notes a value of the name and gives what was known of it before.
func (j *judgement) learn(ctx context.Context, value string, count int64) (past, error) {
	f, key := j.f, pastKey{j.p.ID, j.name, value}
	before, cached := f.policies.past[key]
	if !cached {
		if _, err := f.row(ctx, "SELECT first, last, count FROM policy_past WHERE policy = ? AND name = ? AND value = ?",
			[]any{key.policy, key.name, key.value}, &before.first, &before.last, &before.count); err != nil {
			return before, err
		}
		if len(f.policies.past) >= mostCached {
			if err := f.flushPolicies(ctx); err != nil {
				return before, err
			}
			clear(f.policies.past)
		}
		f.policies.past[key] = before
	}
	now := before
	now.count += count
	if now.first == 0 || j.at < now.first {
		now.first = j.at
	}
	if j.at >= now.last+hour {
		now.last = j.at
	}
	if now != before {
		f.policies.past[key] = now
		f.policies.moved.past[key] = struct{}{}
	}
	return before, nil
}

// unwritten is what of the tables is newer in the book: it is written when the transaction ends, or before anybody asks
// the tables.
type unwritten struct {
	seen map[int64]struct{}
	past map[pastKey]struct{}
}

func newUnwritten() unwritten {
	return unwritten{seen: map[int64]struct{}{}, past: map[pastKey]struct{}{}}
}

// flushPolicies writes it, in the order of the tables.
func (f *folder) flushPolicies(ctx context.Context) error {
	b := f.policies
	if b == nil || len(b.moved.seen)+len(b.moved.past) == 0 {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(b.moved.seen)) {
		s := b.seen[name]
		if err := f.exec(ctx, "INSERT INTO policy_seen (name, first, last) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET first = excluded.first, last = excluded.last",
			name, s.first, s.last); err != nil {
			return err
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(b.moved.past), pastKey.compare) {
		p := b.past[key]
		if err := f.exec(ctx, "INSERT INTO policy_past (policy, name, value, first, last, count) VALUES (?, ?, ?, ?, ?, ?) "+
			"ON CONFLICT (policy, name, value) DO UPDATE SET first = excluded.first, last = excluded.last, count = excluded.count",
			key.policy, key.name, key.value, p.first, p.last, p.count); err != nil {
			return err
		}
	}
	clear(b.moved.seen)
	clear(b.moved.past)
	return nil
}

func (k pastKey) compare(o pastKey) int {
	return cmp.Or(cmp.Compare(k.policy, o.policy), cmp.Compare(k.name, o.name), cmp.Compare(k.value, o.value))
}

// since is the beginning of the past that counts.
func (j *judgement) since() int64 { return j.at - int64(j.p.Beyond.Days)*day }

// known says whether the user has been active for as long as the past that counts. Of others nobody knows what is usual.
func (j *judgement) known(ctx context.Context) (bool, error) {
	if j.name == 0 {
		return false, nil
	}
	if j.before.first != 0 && j.before.first <= j.since() {
		return true, nil
	}
	if err := j.f.flushPolicies(ctx); err != nil {
		return false, err
	}
	return j.f.row(ctx, "SELECT 1 FROM policy_seen WHERE name IN "+theirNames+" AND first <= ? LIMIT 1", []any{j.name, j.since()}, new(int))
}

// dormant raises an alert where the user did nothing for long.
func (j *judgement) dormant(ctx context.Context) error {
	since := j.since()
	if j.before.last > since {
		return nil
	}
	known, err := j.known(ctx)
	if err != nil || !known {
		return err
	}
	if err := j.f.flushPolicies(ctx); err != nil {
		return err
	}
	awake, err := j.f.row(ctx, "SELECT 1 FROM policy_seen WHERE name IN "+theirNames+" AND name <> ? AND last > ? LIMIT 1", []any{j.name, j.name, since}, new(int))
	if err != nil || awake {
		return err
	}
	return j.hit(ctx, fmt.Sprintf("the account did nothing for more than %d days", j.p.Beyond.Days))
}

// isNew raises an alert where the activity has a value that is new.
func (j *judgement) isNew(ctx context.Context, raises bool) error {
	var fresh string
	for _, v := range j.newValues() {
		is, err := j.isNewValue(ctx, v, raises)
		if err != nil {
			return err
		}
		if is && fresh == "" {
			fresh = v
		}
	}
	if fresh == "" {
		return nil
	}
	return j.hit(ctx, fmt.Sprintf("%s %s is new: in %d days neither the user had it nor several others", j.p.Beyond.Field, fresh, j.p.Beyond.Days))
}

// newValues are the values that may be new.
func (j *judgement) newValues() []string {
	switch j.p.Beyond.Field {
	case "device":
		return j.a.Devices
	case "application":
		return some(j.a.App)
	case "action":
		return some(j.a.Action)
	}
	var out []string
	for _, text := range j.a.Addresses {
		if n := networkOf(text); n != "" && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// networkOf is the network that an address is in: of the usual size of a site's.
func networkOf(text string) string {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return ""
	}
	a = a.Unmap().WithZone("")
	bits := 24
	if a.Is6() {
		bits = 48
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}

func (j *judgement) isNewValue(ctx context.Context, value string, raises bool) (bool, error) {
	before, err := j.learn(ctx, value, 0)
	if err != nil || !raises || before.first != 0 && before.last >= j.since() {
		return false, err
	}
	if known, err := j.known(ctx); err != nil || !known {
		return false, err
	}
	if err := j.f.flushPolicies(ctx); err != nil {
		return false, err
	}
	own, err := j.f.row(ctx, "SELECT 1 FROM policy_past WHERE policy = ? AND name IN "+theirNames+" AND name <> ? AND value = ? AND last >= ? LIMIT 1",
		[]any{j.p.ID, j.name, j.name, value, j.since()}, new(int))
	if err != nil || own {
		return false, err
	}
	// Since yesterday: a network from which somebody attacks one user after the other isn't known by that.
	var others int
	_, err = j.f.row(ctx, "SELECT count(DISTINCT n.person) FROM policy_past p JOIN names n ON n.n = p.name WHERE p.policy = ? AND p.value = ? AND p.first <= ? "+
		"AND p.last >= ? AND n.person <> (SELECT person FROM names WHERE n = ?)", []any{j.p.ID, value, j.at - day, j.since(), j.name}, &others)
	return err == nil && others < severalOther, err
}

// volume counts the user's day, and raises an alert where it is beyond every day of the past.
func (j *judgement) volume(ctx context.Context, raises bool) error {
	today := j.at / day
	before, err := j.learn(ctx, strconv.FormatInt(today, 10), 1)
	if err != nil || !raises || before.count+1 < int64(j.p.Times+1)/2 {
		return err // the other half may be another name's
	}
	id, err := j.id(ctx, today*day)
	if err != nil || j.f.policies.told[id] {
		return err
	}
	if known, err := j.known(ctx); err != nil || !known {
		return err
	}
	if err := j.f.flushPolicies(ctx); err != nil {
		return err
	}
	var total, own int64
	if _, err := j.f.row(ctx, "SELECT total(count) FROM policy_past WHERE policy = ? AND name IN "+theirNames+" AND value = ?",
		[]any{j.p.ID, j.name, strconv.FormatInt(today, 10)}, &total); err != nil || total < int64(j.p.Times) {
		return err
	}
	from := today - int64(j.p.Beyond.Days)
	if _, err := j.f.row(ctx, "SELECT coalesce(max(c), 0) FROM (SELECT sum(count) AS c FROM policy_past WHERE policy = ? AND name IN "+theirNames+
		" AND CAST(value AS INTEGER) BETWEEN ? AND ? GROUP BY value)", []any{j.p.ID, j.name, from, today - 1}, &own); err != nil {
		return err
	}
	factor := j.p.Beyond.Factor
	if float64(total) <= factor*float64(own) {
		return nil
	}
	usual, err := j.usual(ctx, today)
	if err != nil || float64(total) <= factor*float64(usual) {
		return err
	}
	j.counts = true
	return j.want(ctx, raising{
		start: today * day, end: j.at, count: int(total), keys: []string{string(j.a.Event)},
		why: fmt.Sprintf("%d in a day; the greatest of %d days before had %d, and among peers %d is usual", total, j.p.Beyond.Days, own, usual),
	})
}

// usual is the greatest day that half of the user's peers don't come by. Who has no peers is compared with everybody. It
// is kept as it was seen first on that day.
func (j *judgement) usual(ctx context.Context, today int64) (int64, error) {
	var peers string
	if _, err := j.f.row(ctx, "SELECT coalesce(p.peers, '') FROM names n JOIN persons p ON p.n = n.person WHERE n.n = ?", []any{j.name}, &peers); err != nil {
		return 0, err
	}
	var most int64
	if ok, err := j.f.row(ctx, "SELECT most FROM policy_usual WHERE policy = ? AND peers = ? AND day = ?", []any{j.p.ID, peers, today}, &most); err != nil || ok {
		return most, err
	}
	days, err := j.greatestDays(ctx, peers != "", today)
	if err == nil && len(days) < fewPeers && peers != "" {
		days, err = j.greatestDays(ctx, false, today)
	}
	if err != nil {
		return 0, err
	}
	if len(days) >= fewPeers {
		most = days[len(days)/2]
	}
	return most, j.f.exec(ctx, "INSERT INTO policy_usual (policy, peers, day, most) VALUES (?, ?, ?, ?)", j.p.ID, peers, today, most)
}

// greatestDays are the greatest days of the user's peers, or of everybody, rising.
func (j *judgement) greatestDays(ctx context.Context, peersOnly bool, today int64) ([]int64, error) {
	of := ""
	args := []any{j.p.ID, today - int64(j.p.Beyond.Days), today - 1}
	if peersOnly {
		query, more := peerNames(j.name)
		of, args = " AND p.name IN ("+query+")", append(args, more...)
	}
	query := "SELECT max(c) FROM (SELECT n.person, sum(p.count) AS c FROM policy_past p JOIN names n ON n.n = p.name WHERE p.policy = ? " +
		"AND CAST(p.value AS INTEGER) BETWEEN ? AND ?" + of + " GROUP BY n.person, p.value) GROUP BY person ORDER BY 1"
	s, err := j.f.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(ctx, args...)
	if err != nil {
		return nil, fmt.Errorf("what is usual: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	var out []int64
	for rows.Next() {
		var most int64
		if err := rows.Scan(&most); err != nil {
			return nil, fmt.Errorf("what is usual: %w", err)
		}
		out = append(out, most)
	}
	return out, rows.Err()
}
