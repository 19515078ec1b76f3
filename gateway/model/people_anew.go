package model

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sluice-siem/sluice/gateway/stream"
)

// anewAtOnce is how many names are read at once.
const anewAtOnce = 1000

// anew decides for all names, in their order, whose they are: by the configuration of today, and by what the stream
// told and operators did when they did it. It comes to what a fold of the whole stream would come to.
func (p *people) anew(ctx context.Context) error {
	if err := p.flush(ctx); err != nil {
		return err
	}
	for _, query := range []string{
		"DELETE FROM persons", "DELETE FROM name_claims", "UPDATE names SET identity = '', person = 0, by_hand = 0, why = ''",
	} {
		if err := p.f.exec(ctx, query); err != nil {
			return err
		}
	}
	clear(p.owners)
	events, err := p.events(ctx)
	if err != nil {
		return err
	}
	for last := int64(0); ; {
		names, err := p.nextNames(ctx, last)
		if err != nil {
			return err
		}
		for _, x := range names {
			for len(events) > 0 && events[0].after < x.n {
				if err := p.happen(ctx, events[0]); err != nil {
					return err
				}
				events = events[1:]
			}
			if err := p.placeAnew(ctx, x); err != nil {
				return err
			}
			last = x.n
		}
		if len(names) < anewAtOnce {
			break
		}
	}
	for _, e := range events {
		if err := p.happen(ctx, e); err != nil {
			return err
		}
	}
	p.f.priority.anew()
	return p.flush(ctx)
}

// oneName is a name as it was first seen.
type oneName struct {
	n            int64
	id, spelling string
}

func (p *people) nextNames(ctx context.Context, after int64) ([]oneName, error) {
	s, err := p.f.stmt(ctx, "SELECT n, id, spelling FROM names WHERE n > ? ORDER BY n LIMIT ?")
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(ctx, after, anewAtOnce)
	if err != nil {
		return nil, fmt.Errorf("read names: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	var out []oneName
	for rows.Next() {
		var x oneName
		if err := rows.Scan(&x.n, &x.id, &x.spelling); err != nil {
			return nil, fmt.Errorf("read names: %w", err)
		}
		out = append(out, x)
	}
	return out, rows.Err()
}

// placeAnew reads a spelling by the domains of today.
func (p *people) placeAnew(ctx context.Context, x oneName) error {
	r := p.read.Read(x.spelling)
	b, err := p.place(ctx, x.id, r)
	if err != nil {
		return err
	}
	if err := p.f.exec(ctx, "UPDATE names SET domain = ?, key = ?, certain = ?, letters = ?, identity = ?, person = ?, why = ? WHERE n = ?",
		orNull(r.Domain), r.Key, r.Certain, r.Letters, b.identity, b.person, b.why, x.n); err != nil {
		return err
	}
	return p.placed(ctx, b, r)
}

// event is a line of people_log.
type event struct {
	after                  int64
	key, alert, what, data string
}

func (p *people) events(ctx context.Context) ([]event, error) {
	s, err := p.f.stmt(ctx, "SELECT after, key, alert, what, data FROM people_log ORDER BY n")
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("read what decided who is who: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	var out []event
	for rows.Next() {
		var e event
		if err := rows.Scan(&e.after, &e.key, &e.alert, &e.what, &e.data); err != nil {
			return nil, fmt.Errorf("read what decided who is who: %w", err)
		}
		out = append(out, e)
	}
	return out, rows.Err()
}

// happen does again what an event did.
func (p *people) happen(ctx context.Context, e event) error {
	switch e.what {
	case logMet:
		var m met
		if err := json.Unmarshal([]byte(e.data), &m); err != nil {
			return fmt.Errorf("read what entry %s told: %w", e.key, err)
		}
		return p.meetAs(ctx, e.key, m)
	case logParted:
		return p.part(ctx, e.key, e.alert)
	}
	act, err := read(&stream.Act{Verb: e.what, Args: []byte(e.data)})
	if err != nil || act == nil {
		return err
	}
	return p.act(ctx, e.key, act)
}
