package model

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
)

// presence is when a service named somebody.
type presence struct {
	name        int64 // 0 for nobody
	service     formats.Service
	first, last int64
	moved       bool // since it was written
	sooner      bool // first too
}

// meet looks a spelling up, and makes it where it is new.
func (p *people) meet(ctx context.Context, service formats.Service, spelling string) (*presence, error) {
	s := &presence{service: service}
	if clean := cleanName(spelling); clean != "" && !dedup.Machine(clean) {
		var err error
		if s.name, err = p.number(ctx, clean); err != nil {
			return nil, err
		}
		if _, err := p.f.row(ctx, "SELECT first, last FROM name_seen WHERE name = ? AND service = ?", []any{s.name, service}, &s.first, &s.last); err != nil {
			return nil, err
		}
	}
	if len(p.seen) >= mostSeen {
		if err := p.writeSeen(ctx); err != nil { // what another presence of the same name reads
			return nil, err
		}
		clear(p.seen)
	}
	if len(spelling) <= mostSpelt {
		p.seen[calledBy{strings.Clone(spelling), service}] = s
	}
	return s, nil
}

// owner is who has a name.
type owner struct {
	person int64  // persons.n
	id     string // the user's
	lost   int    // how often that user had lost names when this was read
}

// owner looks up who has a name; nobody has 0.
func (p *people) owner(ctx context.Context, name int64) (owner, error) {
	if by, ok := p.owners[name]; ok && by.lost == p.lost[by.person] {
		return by, nil
	}
	var by owner
	found, err := p.f.row(ctx, "SELECT p.n, p.id FROM names x JOIN persons p ON p.n = x.person WHERE x.n = ?", []any{name}, &by.person, &by.id)
	if err != nil || !found {
		return owner{}, err
	}
	by.lost = p.lost[by.person]
	if len(p.owners) >= mostSeen {
		clear(p.owners)
	}
	p.owners[name] = by
	return by, nil
}

func (p *people) see(s *presence, at int64) {
	if s.first != 0 && s.first <= at && at <= s.last {
		return
	}
	if s.first == 0 || at < s.first {
		s.first, s.sooner = at, true
	}
	s.last = max(s.last, at)
	if !s.moved {
		s.moved = true
		p.moved = append(p.moved, s)
	}
}

// writeSeen writes who was seen since the last time. A statement costs more than a row, so that it has many rows
// where it can.
func (p *people) writeSeen(ctx context.Context) error {
	slices.SortFunc(p.moved, func(a, b *presence) int { return cmp.Compare(a.name, b.name) }) // one page after the other
	for rest := p.moved; len(rest) > 0; {
		n := 1
		for _, many := range []int{128, 16} {
			if len(rest) >= many {
				n = many
				break
			}
		}
		if err := p.writeRows(ctx, rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	if err := p.writePersons(ctx); err != nil {
		return err
	}
	for _, s := range p.moved {
		s.moved, s.sooner = false, false
	}
	p.moved = p.moved[:0]
	return nil
}

func (p *people) writeRows(ctx context.Context, rows []*presence) error {
	args := make([]any, 0, 4*len(rows))
	for _, s := range rows {
		args = append(args, s.name, string(s.service), s.first, s.last)
	}
	return p.f.exec(ctx, "INSERT INTO name_seen (name, service, first, last) VALUES (?, ?, ?, ?)"+strings.Repeat(", (?, ?, ?, ?)", len(rows)-1)+
		" ON CONFLICT (name, service) DO UPDATE SET first = min(name_seen.first, excluded.first), last = max(name_seen.last, excluded.last)", args...)
}

// writePersons writes when users were seen.
func (p *people) writePersons(ctx context.Context) error {
	last := map[int64]int64{}
	for _, s := range p.moved {
		by, err := p.owner(ctx, s.name)
		if err != nil {
			return err
		}
		last[by.person] = max(last[by.person], s.last)
		if s.sooner {
			if err := p.f.exec(ctx, "UPDATE persons SET first = ? WHERE n = ? AND (first = 0 OR first > ?)", s.first, by.person, s.first); err != nil {
				return err
			}
		}
	}
	if len(last) == 0 {
		return nil
	}
	b := []byte{'{'}
	for person, at := range last {
		b = fmt.Appendf(b, `"%d":%d,`, person, at)
	}
	b[len(b)-1] = '}'
	return p.f.exec(ctx, "UPDATE persons SET last = max(persons.last, v.value) FROM json_each(?) v WHERE persons.n = CAST(v.key AS INTEGER)", string(b))
}
