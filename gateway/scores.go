package gateway

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/config/networks"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/risk"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// UserScore is a user's investigation priority at the end of a day.
type UserScore struct {
	Date       string      `json:"date"` // of UTC
	User       string      `json:"user"`
	Score      float64     `json:"score"` // sum of the parts
	Bounded    float64     `json:"bounded"`
	Percentile float64     `json:"percentile"`
	Parts      []ScorePart `json:"parts"`
}

// ScorePart is what an alert or an activity adds to a score.
type ScorePart struct {
	Kind    formats.Kind `json:"kind"`
	ID      string       `json:"id"` // of the alert: Sluice's own; of the activity: the service's
	Time    time.Time    `json:"time"`
	Title   string       `json:"title"`
	Score   float64      `json:"score"`
	Without float64      `json:"without"` // what the user's score would be without it
	Reasons []string     `json:"reasons"`
}

// scores folds decided notifications into the scores of users.
type scores struct {
	risk    *risk.Scorer
	roster  *roster
	places  *networks.Places
	alerts  map[dedup.AlertID]*scored
	alertOf map[dedup.EventKey]dedup.AlertID
	day     int64 // of UTC, whose scores come next; 0 before the first
	write   func(UserScore) error
}

// scored is what the notifications of an alert say of it.
type scored struct {
	says map[dedup.EventKey]formats.Notification // without Raw
	kind string                                  // detection type by the catalogue, where it knows it
	last time.Time
}

func newScores(c config.Config, write func(UserScore) error) (*scores, error) {
	roster, err := newRoster(c)
	if err != nil {
		return nil, err
	}
	s := &scores{
		roster: roster, alerts: map[dedup.AlertID]*scored{}, alertOf: map[dedup.EventKey]dedup.AlertID{}, write: write,
		risk: risk.New(model.RiskOptions(c.Risk)),
	}
	s.risk.Know(roster.people)
	s.places, err = networks.LoadPlaces(c.Organisation.NetworksFile, c.Organisation.GeoIPFile)
	return s, err
}

// entry takes what was decided.
func (s *scores) entry(e *stream.Entry) {
	n := &e.Notification
	switch {
	case n.Kind == formats.Activity && e.Kind == stream.Notification && e.Match.Relation != dedup.Resend && e.Match.Relation != dedup.Update:
		s.activity(n, e.Time)
	case n.Kind == formats.Alert && e.Match.Alert != "" && e.Kind != stream.Link:
		s.alert(e)
	}
}

func (s *scores) locate(a netip.Addr) risk.Network { return risk.Network(s.places.Find(a)) }

func (s *scores) activity(n *formats.Notification, t time.Time) {
	for _, account := range n.Accounts {
		user := s.roster.user(account.Name)
		s.roster.meet(user)
		s.risk.Activity(risk.ActivityOf(n, user, t, s.locate))
	}
}

// alert takes a notification of an alert, or the alert that it turned out to be of.
func (s *scores) alert(e *stream.Entry) {
	id := e.Match.Alert
	if old := s.alertOf[e.Key]; old != "" && old != id {
		if a := s.alerts[old]; a != nil {
			delete(a.says, e.Key)
			s.weigh(old, a)
		}
	}
	s.alertOf[e.Key] = id
	a := s.alerts[id]
	if a == nil {
		a = &scored{says: map[dedup.EventKey]formats.Notification{}}
		s.alerts[id] = a
	}
	if len(a.says) >= 8 && e.Match.Relation != dedup.Twin {
		return // more updates say no more
	}
	n := e.Notification
	n.Raw = nil
	a.says[e.Key], a.last, a.kind = n, e.Time, cmp.Or(e.Match.Type, a.kind)
	s.weigh(id, a)
}

// weigh scores an alert by all that is said of it. Users that only one spelling in one notification makes up don't
// count beside those who are known.
func (s *scores) weigh(id dedup.AlertID, a *scored) {
	if len(a.says) == 0 {
		s.risk.Withdraw(string(id))
		delete(s.alerts, id)
		return
	}
	out := risk.Alert{ID: string(id), At: a.last, News: a.last}
	entities := map[string]bool{}
	var known, others []string
	for _, n := range a.inOrder() {
		if !n.Start.IsZero() && n.Start.Before(out.At) && a.last.Sub(n.Start) < risk.Window {
			out.At = n.Start
		}
		out.Severity = max(out.Severity, n.Severity)
		out.Title = cmp.Or(out.Title, n.Title)
		out.Type = cmp.Or(out.Type, typeOf(a.kind, n))
		for _, account := range n.Accounts {
			user := s.roster.user(account.Name)
			entities[user] = true
			if s.roster.known[user] {
				known = append(known, user)
			} else {
				others = append(others, user)
			}
		}
		for _, d := range n.Devices {
			entities[d.Name] = true
		}
	}
	out.Entities = len(entities)
	if out.Users = known; len(known) == 0 {
		out.Users = others
	}
	slices.Sort(out.Users)
	out.Users = slices.Compact(out.Users)
	s.risk.Alert(out)
}

// typeOf is the type of an alert. The policies of Cloud App Security share theirs, and differ by the names that
// somebody gave them.
func typeOf(kind string, n *formats.Notification) string {
	if n.Origin == formats.CloudAppSecurity {
		return n.Type + " " + n.Title
	}
	return cmp.Or(kind, n.Type, n.Class)
}

// inOrder lists what was said by when it arrived, so that equal input gives equal scores.
func (a *scored) inOrder() []*formats.Notification {
	out := make([]*formats.Notification, 0, len(a.says))
	for _, n := range a.says {
		out = append(out, &n)
	}
	slices.SortFunc(out, func(a, b *formats.Notification) int {
		return cmp.Or(a.Arrived.Compare(b.Arrived), cmp.Compare(a.Service, b.Service), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// until writes the scores of the days that are over at t.
func (s *scores) until(t time.Time) error {
	day := t.Unix() / 86400
	if s.day == 0 {
		s.day = day
	}
	for ; s.day < day; s.day++ {
		if err := s.daily(); err != nil {
			return err
		}
	}
	return nil
}

// daily writes the scores at the end of the day.
func (s *scores) daily() error {
	end := time.Unix((s.day+1)*86400, 0).UTC().Add(-1)
	date := end.Format(time.DateOnly)
	for _, r := range s.risk.Ranking(end) {
		if err := s.write(userScore(date, r)); err != nil {
			return err
		}
	}
	for id, a := range s.alerts {
		if end.Sub(a.last) > risk.Window+24*time.Hour {
			delete(s.alerts, id)
			for key := range a.says {
				delete(s.alertOf, key)
			}
		}
	}
	return nil
}

func userScore(date string, r risk.Score) UserScore {
	hundredths := func(x float64) float64 { return math.Round(100*x) / 100 }
	out := UserScore{Date: date, User: r.User, Score: r.Points.Float(), Bounded: hundredths(r.Bounded), Percentile: hundredths(r.Percentile)}
	for _, p := range r.Parts {
		part := ScorePart{
			Kind: formats.Activity, ID: p.ID, Time: p.At, Title: p.Title, Score: p.Points.Float(), Without: p.Without.Float(),
		}
		if p.Alert {
			part.Kind = formats.Alert
		}
		for _, reason := range p.Reasons {
			part.Reasons = append(part.Reasons, reason.Words)
		}
		out.Parts = append(out.Parts, part)
	}
	return out
}
