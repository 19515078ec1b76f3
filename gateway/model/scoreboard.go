package model

import (
	"context"
	"sync"
	"time"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/gateway/risk"
)

// Standing is where a user stands: the investigation priority as of a time.
type Standing struct {
	Score   float64   // sum of what counts
	Bounded float64   // 0 to 100
	At      time.Time // when it was computed: at the last change, or at the beginning of the day
}

// scoreboard is what others than the fold ask.
type scoreboard struct {
	mu     sync.Mutex          // guards scorer against who asks, as the fold alone changes it, and shown
	scorer *risk.Scorer        // nil before the fold has read it
	shown  map[string]standing // of the users that have a score

	byName sync.Map // standing, by folded spelling: who delivers asks it for every alert
}

// standing is that of a user with the names that the user goes by.
type standing struct {
	Standing
	user   string
	points risk.Points // 0 for nobody's any more
	names  []string    // folded
}

func (s *scoreboard) take(scorer *risk.Scorer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scorer = scorer
	if s.shown == nil {
		s.shown = map[string]standing{}
	}
}

func (s *scoreboard) tell(e risk.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scorer.Tell(e)
}

func (s *scoreboard) acts(user string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.scorer.Acts(user)
}

// show shows where users stand now.
func (s *scoreboard) show(now []standing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, is := range now {
		for _, name := range s.shown[is.user].names {
			if was, ok := s.standing(name); ok && was.user == is.user {
				s.byName.Delete(name)
			}
		}
		delete(s.shown, is.user)
		if is.points > 0 {
			s.shown[is.user] = is
			for _, name := range is.names {
				s.byName.Store(name, is)
			}
		}
	}
}

// standing is where the user of a folded name stands.
func (s *scoreboard) standing(name string) (standing, bool) {
	v, ok := s.byName.Load(name)
	if !ok {
		return standing{}, false
	}
	is, ok := v.(standing)
	return is, ok
}

// Standing is where the user of that name stands; false where there is no score. It waits for nothing.
func (m *Model) Standing(name string) (Standing, bool) {
	s, ok := m.scores.standing(filter.Fold(cleanName(name)))
	return s.Standing, ok
}

// stand writes where the users that changed stand now, or all of them where a day began.
func (p *priority) stand(ctx context.Context, changed []string, now time.Time) error {
	at := later(now, p.f.place.time).UTC().Truncate(time.Millisecond)
	if today := at.Unix() / 86400; today != p.today {
		p.today = today
		return p.standAll(ctx, at)
	}
	for id := range p.again {
		changed = append(changed, id)
	}
	clear(p.again)
	for _, id := range changed {
		points, bounded := p.scorer().Standing(id, at)
		if err := p.standsAt(ctx, id, points, bounded, at); err != nil {
			return err
		}
	}
	return nil
}

func (p *priority) standAll(ctx context.Context, at time.Time) error {
	clear(p.again)
	if err := p.f.exec(ctx, "DELETE FROM scores"); err != nil {
		return err
	}
	have := map[string]bool{}
	for _, s := range p.scorer().Standings(at) {
		have[s.User] = true
		if err := p.standsAt(ctx, s.User, s.Points, s.Bounded, at); err != nil {
			return err
		}
	}
	for id := range p.f.m.scores.shown {
		if !have[id] {
			p.next = append(p.next, standing{user: id})
		}
	}
	return nil
}

// standsAt writes where one user stands.
func (p *priority) standsAt(ctx context.Context, id string, points risk.Points, bounded float64, at time.Time) error {
	was, had := p.f.m.scores.shown[id]
	if points == 0 {
		if !had {
			return nil
		}
		p.next = append(p.next, standing{user: id})
		return p.f.exec(ctx, "DELETE FROM scores WHERE user = ?", id)
	}
	names, err := p.f.column(ctx, "SELECT x.folded FROM names x JOIN persons p ON p.n = x.person WHERE p.id = ? LIMIT ?", id, mostListed)
	if err != nil {
		return err
	}
	is := standing{user: id, points: points, names: names, Standing: Standing{Score: points.Float(), Bounded: bounded, At: at}}
	if had && was.points == points && was.Bounded == bounded {
		is.At = was.At
	}
	p.next = append(p.next, is)
	return p.f.exec(ctx, "INSERT INTO scores (user, points, bounded) VALUES (?, ?, ?) ON CONFLICT (user) DO UPDATE SET points = excluded.points, bounded = excluded.bounded",
		id, int64(points), bounded)
}

// publish shows what the transaction wrote, now that it is through.
func (p *priority) publish() {
	if len(p.next) == 0 {
		return
	}
	p.f.m.scores.show(p.next)
	p.next = nil
}

// turn takes over a day that began, though nothing happens.
func (p *priority) turn(ctx context.Context, now time.Time) error {
	if later(now, p.f.place.time).Unix()/86400 == p.today {
		return nil
	}
	if err := p.f.begin(ctx); err != nil {
		return err
	}
	defer p.f.rollback()
	return p.f.commit(ctx)
}

// Distribution is how the scores of an organisation lie. It says nothing of anybody.
type Distribution struct {
	Users   int       // that are known
	Scores  []float64 // of those that have one, in no order
	Bounded []float64
	Bytes   int64 // that the profiles take in memory
}

// Distribution says how the scores lie.
func (m *Model) Distribution() Distribution {
	m.scores.mu.Lock()
	defer m.scores.mu.Unlock()
	var d Distribution
	if m.scores.scorer == nil {
		return d
	}
	d.Users, d.Bytes = m.scores.scorer.Len(), m.scores.scorer.Bytes()
	for _, s := range m.scores.shown {
		d.Scores, d.Bounded = append(d.Scores, s.Score), append(d.Bounded, s.Bounded)
	}
	return d
}
