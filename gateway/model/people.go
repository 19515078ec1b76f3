package model

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// Who is who follows from three things: what is certain of the spellings themselves (dedup.People), what the stream
// tells beside (a service's notification that names somebody in two ways, two that are one alert, what operators
// joined and split), and the configuration of today (the domains and the directory file). The stream doesn't have
// the configuration, and a model that is made anew has to come out as this one. So names remember what they were
// told apart from what was concluded, the rest is kept in people_log in its order, and when the configuration
// changes, all is concluded anew from these: see people_anew.go. What a change of the directory leaves behind is
// the same, whenever it came.
//
// A user's ID is made of the first spelling, and every spelling has the ID that a user of its own would have. So an
// ID finds its user, whoever that spelling was joined with since.

const (
	mostSpelling  = 512     // bytes of a name
	mostSeen      = 1 << 16 // spellings that the folder remembers
	mostSpelt     = 256     // bytes of one that it remembers
	mostSpellings = 250     // of one account: more are no naming rule's
)

// people is what the folder knows of users.
type people struct {
	f      *folder
	read   dedup.People
	seen   map[calledBy]*presence
	moved  []*presence        // since the last flush
	stale  map[int64]struct{} // persons whose row is to follow from their names again
	owners map[int64]owner    // by names.n
	lost   map[int64]int      // how often a user lost names to another one, by persons.n
	file   watched
}

// calledBy is a spelling as a service uses it.
type calledBy struct {
	spelling string
	service  formats.Service
}

func (f *folder) newPeople() people {
	return people{
		f: f, read: dedup.NewPeople(f.m.options.Config.Organisation), seen: map[calledBy]*presence{}, stale: map[int64]struct{}{},
		owners: map[int64]owner{}, lost: map[int64]int{},
		file: f.people.file,
	}
}

// name gives names.n of a spelling that somebody is called by, making it, and its person, where it is new, and
// notes that it was seen. It is 0 for no name, and for a machine's account.
func (f *folder) name(ctx context.Context, e *stream.Entry, spelling string) (int64, error) {
	p := &f.people
	s := p.seen[calledBy{spelling, e.Notification.Service}]
	if s == nil {
		var err error
		if s, err = p.meet(ctx, e.Notification.Service, spelling); err == nil {
			err = p.refreshStale(ctx)
		}
		if err != nil {
			return 0, fmt.Errorf("user %.50q: %w", spelling, err)
		}
	}
	if s.name != 0 {
		p.see(s, seenAt(e))
	}
	return s.name, nil
}

// seenAt is when the entry's notification saw whom it names. A time to come is a wrong clock's.
func seenAt(e *stream.Entry) int64 {
	if t := e.Notification.Start; !t.IsZero() && t.Before(e.Time) {
		return max(1, t.UnixMilli())
	}
	return millis(e.Time)
}

// cleanName is a spelling as it is kept: without what can't be seen, and no longer than a name. Of a longer one
// the digest tells it from others that begin alike. Empty where there is neither a letter nor a digit.
func cleanName(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) }) {
		return ""
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > mostSpelling {
		sum := sha256.Sum256([]byte(s))
		s = strings.ToValidUTF8(s[:mostSpelling-40], "") + "…" + hex.EncodeToString(sum[:16])
	}
	return s
}

// idOf is the ID of a user whose first spelling that is.
func idOf(folded string) string {
	sum := sha256.Sum256([]byte("user\x00" + folded))
	return hex.EncodeToString(sum[:16])
}

// number gives the number of a clean name.
func (p *people) number(ctx context.Context, clean string) (int64, error) {
	folded := filter.Fold(clean)
	var n int64
	if ok, err := p.f.row(ctx, "SELECT n FROM names WHERE folded = ?", []any{folded}, &n); err != nil || ok {
		return n, err
	}
	r := p.read.Read(clean)
	if r.Key == "" { // nothing but marks
		return 0, nil
	}
	var many int
	if _, err := p.f.row(ctx, "SELECT count(*), min(n) FROM (SELECT n FROM names WHERE key = ? LIMIT ?)", []any{r.Key, mostSpellings}, &many, &nullable{&n}); err != nil {
		return 0, err
	}
	if many >= mostSpellings {
		return n, nil // somebody plays with letters; whose it is, is certain
	}
	id := idOf(folded)
	b, err := p.place(ctx, id, r)
	if err != nil {
		return 0, err
	}
	n, err = p.f.insert(ctx, "INSERT INTO names (id, spelling, folded, domain, key, certain, letters, identity, person, by_hand, why) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)",
		id, clean, folded, orNull(r.Domain), r.Key, r.Certain, r.Letters, b.identity, b.person, b.why)
	if err != nil {
		return 0, err
	}
	return n, p.placed(ctx, b, r)
}

// orNull has an empty text as not set.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// nullable reads a number that may not be there, as 0.
type nullable struct{ n *int64 }

// Scan takes what the database has.
func (v *nullable) Scan(from any) error {
	*v.n, _ = from.(int64)
	return nil
}

// flush writes who was seen.
func (p *people) flush(ctx context.Context) error {
	if err := p.writeSeen(ctx); err != nil {
		return err
	}
	return p.refreshStale(ctx)
}

// refreshStale makes the rows of users follow from what has changed of their names. Whoever changes something calls
// it at once and not at the end of the transaction: policies ask what users are called, and must get the same answer
// wherever a transaction ends.
func (p *people) refreshStale(ctx context.Context) error {
	for _, n := range slices.Sorted(maps.Keys(p.stale)) {
		if err := p.refresh(ctx, n); err != nil {
			return err
		}
	}
	clear(p.stale)
	return nil
}

// refresh makes a user's row follow from the names and from the directory.
func (p *people) refresh(ctx context.Context, person int64) error {
	var d described
	if err := p.describe(ctx, person, &d); err != nil || d.names == 0 {
		return err // without names it was joined into another one
	}
	err := p.f.exec(ctx, "UPDATE persons SET display = ?, folded = ?, upn = ?, upn_folded = ?, department = ?, peers = ?, title = ?, sensitive = ?, "+
		"first = ?, last = ? WHERE n = ?", d.display, filter.Fold(d.display), orNull(d.upn), orNull(filter.Fold(d.upn)), orNull(d.department),
		orNull(filter.Fold(d.department)), orNull(d.title), d.sensitive, d.first, d.last, person)
	if err != nil {
		return err
	}
	return p.f.priority.know(ctx, person)
}

// described is what a user's names say.
type described struct {
	names                           int
	display, upn, department, title string
	rank                            int  // of display
	listed                          bool // the directory has somebody of these names
	sensitive                       bool
	first, last                     int64
}

// describe reads the names in their order: where several say something, the first one counts.
func (p *people) describe(ctx context.Context, person int64, d *described) error {
	s, err := p.f.stmt(ctx, "SELECT x.spelling, coalesce(min(s.first), 0), coalesce(max(s.last), 0), d.identity IS NOT NULL, "+
		"coalesce(d.upn, ''), coalesce(d.display, ''), coalesce(d.department, ''), coalesce(d.title, ''), coalesce(d.sensitive, 0) "+
		"FROM names x LEFT JOIN name_seen s ON s.name = x.n LEFT JOIN directory d ON d.identity = x.identity WHERE x.person = ? GROUP BY x.n ORDER BY x.n")
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(ctx, person)
	if err != nil {
		return fmt.Errorf("read the names of a user: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	for rows.Next() {
		var spelling, upn, display, department, title string
		var first, last int64
		var listed, sensitive bool
		if err := rows.Scan(&spelling, &first, &last, &listed, &upn, &display, &department, &title, &sensitive); err != nil {
			return fmt.Errorf("read the names of a user: %w", err)
		}
		d.names++
		if listed && !d.listed {
			d.listed, d.upn, d.department, d.title = true, upn, department, title
			d.call(display, 4)
		}
		d.sensitive = d.sensitive || sensitive
		r := p.read.Read(spelling)
		if d.upn == "" {
			d.upn = r.UPN
		}
		d.call(spelling, rankOf(r))
		if first != 0 && (d.first == 0 || first < d.first) {
			d.first = first
		}
		d.last = max(d.last, last)
	}
	return rows.Err()
}

// rankOf says how good a spelling is to show.
func rankOf(r dedup.Spelling) int {
	switch r.Form {
	case dedup.Display:
		return 3
	case dedup.Principal:
		return 2
	case dedup.Bare, dedup.InDomain:
	}
	return 1
}

func (d *described) call(display string, rank int) {
	if display != "" && rank > d.rank {
		d.display, d.rank = display, rank
	}
}
