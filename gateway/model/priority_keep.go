package model

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-siem/sluice/gateway/risk"
)

// When the profiles are written: each costs some thousand bytes, so that a large organisation has them written after
// more than a small one. What was told since is read at the next start.
const (
	toldBytes    = 4 << 20
	profileBytes = 2 << 10
	scoreDays    = 180 // for so long a user's scores of each day are kept
)

// newPriority reads the profiles, and tells the scorer what was told since they were written.
func (f *folder) newPriority(ctx context.Context) (*priority, error) {
	p := &priority{f: f, persons: map[string]risk.Person{}, acted: map[string]bool{}, unkept: map[string]bool{}, again: map[string]bool{}}
	if f.priority != nil {
		p.places = f.priority.places
	}
	scorer := risk.New(RiskOptions(f.m.options.Config.Risk))
	if err := p.restore(ctx, scorer); err != nil {
		return nil, fmt.Errorf("read the profiles of users: %w", err)
	}
	f.m.scores.take(scorer)
	return p, nil
}

func (p *priority) restore(ctx context.Context, scorer *risk.Scorer) error {
	var world []byte
	if _, err := p.f.row(ctx, "SELECT day, world FROM risk_state", nil, &p.day, &world); err != nil {
		return err
	}
	if len(world) > 0 {
		if err := scorer.RestoreWorld(world); err != nil {
			return err
		}
	}
	if err := p.each(ctx, "SELECT data FROM risk_profiles ORDER BY user", scorer.RestoreUser); err != nil {
		return err
	}
	scorer.Changed() // they are as they were written
	return p.each(ctx, "SELECT data FROM risk_told ORDER BY n", func(data []byte) error {
		p.size += int64(len(data))
		return scorer.TellAgain(data)
	})
}

func (p *priority) each(ctx context.Context, query string, do func([]byte) error) error {
	rows, err := p.f.conn.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	var data []byte
	for rows.Next() {
		if err := rows.Scan(&data); err != nil {
			return err
		}
		if err := do(data); err != nil {
			return err
		}
	}
	return rows.Err()
}

// configure has users weighed by the configuration of today, where that is another one.
func (p *priority) configure(ctx context.Context) error {
	list := slices.Sorted(slices.Values(p.f.m.options.Config.Risk.Watched))
	now, err := json.Marshal(append([]string{}, list...))
	if err != nil {
		return err
	}
	var was string
	if ok, err := p.f.row(ctx, "SELECT watched FROM risk_state", nil, &was); err != nil || ok && was == string(now) {
		return err
	}
	s, err := p.f.stmt(ctx, "SELECT n FROM persons WHERE into_n IS NULL ORDER BY n")
	if err != nil {
		return err
	}
	persons, err := readNumbers(s.QueryContext(ctx))
	if err != nil {
		return err
	}
	for _, n := range persons {
		if err := p.know(ctx, n); err != nil {
			return err
		}
	}
	return p.f.exec(ctx, "INSERT INTO risk_state (one, day, watched, world) VALUES (1, ?, ?, x'') ON CONFLICT (one) DO UPDATE SET watched = excluded.watched",
		p.day, string(now))
}

// until writes the scores of the days that are over at t.
func (p *priority) until(ctx context.Context, t time.Time) error {
	today := t.Unix() / 86400
	if today <= p.day {
		return nil
	}
	first := max(p.day, today-int64(risk.Window/(24*time.Hour))) // on later days nobody has a score
	for d := first; d < today && p.day != 0; d++ {
		if p.f.m.daily != nil {
			day := time.Unix(d*86400, 0)
			if err := p.f.m.daily(ctx, day, p.scorer().Ranking(day)); err != nil {
				return err
			}
			continue
		}
		for _, s := range p.scorer().Standings(time.Unix(d*86400, 0)) {
			if err := p.f.exec(ctx, "INSERT INTO score_days (user, day, points, bounded, percentile) VALUES (?, ?, ?, ?, ?) ON CONFLICT (user, day) DO UPDATE SET "+
				"points = excluded.points, bounded = excluded.bounded, percentile = excluded.percentile", s.User, d, int64(s.Points), s.Bounded, s.Percentile); err != nil {
				return err
			}
		}
	}
	p.day = today
	if err := p.f.exec(ctx, "DELETE FROM score_days WHERE day < ?", today-scoreDays); err != nil {
		return err
	}
	return p.f.exec(ctx, "INSERT INTO risk_state (one, day, watched, world) VALUES (1, ?, '', x'') ON CONFLICT (one) DO UPDATE SET day = excluded.day", today)
}

// flush writes what was told in the transaction, and the scores that it led to.
func (p *priority) flush(ctx context.Context, now time.Time) error {
	if err := p.follow(ctx); err != nil {
		return err
	}
	if err := p.keepTold(ctx); err != nil {
		return err
	}
	changed := p.scorer().Changed()
	for _, id := range changed {
		p.unkept[id] = true
	}
	if err := p.stand(ctx, changed, now); err != nil {
		return err
	}
	if p.size < toldBytes+profileBytes*int64(p.scorer().Len()) {
		return nil
	}
	return p.keep(ctx)
}

// keep writes the profiles that have changed since the last time.
func (p *priority) keep(ctx context.Context) error {
	for id := range p.unkept {
		data, err := p.scorer().UserState(id)
		if err != nil {
			return fmt.Errorf("write the profile of user %s: %w", id, err)
		}
		if data == nil {
			err = p.f.exec(ctx, "DELETE FROM risk_profiles WHERE user = ?", id)
		} else {
			err = p.f.exec(ctx, "INSERT INTO risk_profiles (user, data) VALUES (?, ?) ON CONFLICT (user) DO UPDATE SET data = excluded.data", id, data)
		}
		if err != nil {
			return err
		}
	}
	world, err := p.scorer().WorldState()
	if err != nil {
		return fmt.Errorf("write what is counted over all users: %w", err)
	}
	if err := p.f.exec(ctx, "UPDATE risk_state SET world = ?", world); err != nil {
		return err
	}
	if err := p.f.exec(ctx, "DELETE FROM risk_told"); err != nil {
		return err
	}
	clear(p.unkept)
	p.size = 0
	return nil
}
