package model_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/model"
)

// userID is the ID of a user by any name.
func userID(t *testing.T, m *model.Model, name string) string {
	t.Helper()
	f, err := model.UserFields().Parse("user = " + name)
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.Users(t.Context(), model.Query{Filter: f})
	if err != nil || len(p.Items) != 1 {
		t.Fatalf("users called %s: %+v, %v", name, p.Items, err)
	}
	return p.Items[0].ID
}

func priority(t *testing.T, m *model.Model, id string) model.Priority {
	t.Helper()
	p, err := m.Priority(t.Context(), id)
	for errors.Is(err, model.ErrUnavailable) && t.Context().Err() == nil { // until the profiles are read
		p, err = m.Priority(t.Context(), id)
	}
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, part := range p.Parts {
		sum += part.Score
	}
	if math.Abs(sum-p.Score) > 1e-6 {
		t.Errorf("the parts of %s add up to %v, the score is %v", id, sum, p.Score)
	}
	return p
}

// TestAnAlertInTheScore: it counts once, whoever reports it, until it is closed as nothing.
func TestAnAlertInTheScore(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	one := said(cloud, "c1")
	s.hears("A", dedup.First, one)
	id := userID(t, s.model, "ines.abreu@harbour.example")
	once := priority(t, s.model, id)
	twin := said(defender, "d1")
	twin.Accounts = one.Accounts
	twin.Devices = nil
	s.hears("A", dedup.Twin, twin)
	if twice := priority(t, s.model, id); twice.Score != once.Score || len(twice.Parts) != 1 || once.Score == 0 || twice.Parts[0].ID != "A" {
		t.Fatalf("score %+v of one service, %+v of two; want one part", once, twice)
	}
	score := func() float64 { return priority(t, s.model, id).Score }
	closed := s.does("ida", model.Close{Alerts: []string{"A"}, Why: "false_positive"})
	if got := score(); got != 0 {
		t.Errorf("score %v with the alert closed as a false positive, want 0", got)
	}
	s.does("ida", model.Undo{Act: closed})
	if got := score(); got != once.Score {
		t.Errorf("score %v when that is taken back, want %v", got, once.Score)
	}
	s.does("ida", model.Close{Alerts: []string{"A"}, Why: "true_positive"})
	if got := score(); got != once.Score {
		t.Errorf("score %v with the alert closed as a true positive, want %v", got, once.Score)
	}
	s.does("ida", model.Tag{User: id, Tags: []string{"watched"}})
	p := priority(t, s.model, id)
	if p.Score <= once.Score || !strings.HasPrefix(p.Parts[0].Reasons[0].Text, "a watched user's medium alert; ") {
		t.Errorf("%+v for a watched user, want more than %v", p, once.Score)
	}
}

// TestResettingAScore: with a reason, where there is one, until something new is told.
func TestResettingAScore(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	one := said(cloud, "c1")
	s.hears("A", dedup.First, one)
	id := userID(t, s.model, "ines.abreu@harbour.example")
	if err := s.model.Check(t.Context(), "ida", model.ResetScore{User: id, Why: " "}); !errors.Is(err, model.ErrRefused) {
		t.Errorf("Check without a reason = %v", err)
	}
	act := s.does("ida", model.ResetScore{User: id, Why: "on a business trip"})
	p := priority(t, s.model, id)
	if p.Score != 0 || len(p.Resets) != 1 || p.Resets[0].Act != act || p.Resets[0].By != "ida" || p.Resets[0].Why != "on a business trip" {
		t.Errorf("%+v after a reset", p)
	}
	if err := s.model.Check(t.Context(), "ida", model.ResetScore{User: id, Why: "again"}); !errors.Is(err, model.ErrRefused) || !strings.Contains(err.Error(), "has no score") {
		t.Errorf("Check of a second reset = %v", err)
	}
	s.does("ida", model.Mark{Alerts: []string{"A"}, Read: true})
	if got := priority(t, s.model, id).Score; got != 0 {
		t.Errorf("score %v by an alert of before that was read", got)
	}
	if _, ok := s.model.Standing("ines.abreu@harbour.example"); ok {
		t.Error("it goes out still")
	}
	s.hears("B", dedup.First, said(cloud, "c2"))
	if got := priority(t, s.model, id); len(got.Parts) != 1 || got.Parts[0].ID != "B" {
		t.Errorf("%+v, want what came after the reset alone", got)
	}
	if err := s.model.Check(t.Context(), "ida", model.ResetScore{User: "nobody", Why: "x"}); !errors.Is(err, model.ErrNotFound) {
		t.Errorf("Check for nobody = %v", err)
	}
}

// TestScoresOfUsersWhoAreJoined: what counted for the other counts for the one, and by any name.
func TestScoresOfUsersWhoAreJoined(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	for i, name := range []string{"ines.abreu@harbour.example", "adm-ia@harbour.example", "olaf@harbour.example"} {
		n := said(cloud, fmt.Sprint("c", i))
		n.Accounts = []formats.Entity{{Name: name}}
		s.hears(fmt.Sprint("A", i), dedup.First, n)
	}
	id, other := userID(t, s.model, "ines.abreu@harbour.example"), userID(t, s.model, "adm-ia@harbour.example")
	s.does("ida", model.Join{User: id, With: other})
	if got := priority(t, s.model, other); got.User != id || len(got.Parts) != 2 {
		t.Errorf("%+v, want both alerts", got)
	}
	a, ok := s.model.Standing("ADM-IA@harbour.example")
	b, also := s.model.Standing("ines.abreu@harbour.example")
	if !ok || !also || a != b || a.Score == 0 {
		t.Errorf("by the one name %+v, by the other %+v", a, b)
	}
	page, err := s.model.Users(t.Context(), model.Query{Sort: "-score"})
	if err != nil || len(page.Items) < 2 || page.Items[0].ID != id || page.Items[0].Percentile != 100 || page.Items[0].Score != a.Score {
		t.Errorf("Users = %+v, %v; want that user first", page, err)
	}
	s.does("ida", model.Split{User: id, Spellings: []string{"adm-ia@harbour.example"}})
	if mine, theirs := priority(t, s.model, id), priority(t, s.model, userID(t, s.model, "adm-ia@harbour.example")); len(mine.Parts) != 1 || len(theirs.Parts) != 1 {
		t.Errorf("%+v and %+v when they are split again, want an alert each", mine, theirs)
	}
}

// TestUsersByScore: lists can be asked by where users stand.
func TestUsersByScore(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	for i := range 10 {
		n := said(cloud, fmt.Sprint("c", i))
		n.Accounts, n.Severity = []formats.Entity{{Name: fmt.Sprintf("u%d@harbour.example", i)}}, formats.Severity(i%5)
		s.hears(fmt.Sprint("A", i), dedup.First, n)
	}
	page, err := s.model.Users(t.Context(), model.Query{Sort: "-score"})
	if err != nil {
		t.Fatal(err)
	}
	for text, fits := range map[string]func(model.User) bool{
		"score >= 3.5": func(u model.User) bool { return u.Score >= 3.5 }, "score != 0": func(u model.User) bool { return u.Score != 0 },
		"percentile >= 60": func(u model.User) bool { return u.Percentile >= 60 }, "percentile < 60": func(u model.User) bool { return u.Percentile < 60 },
		"bounded > 1": func(u model.User) bool { return u.Bounded > 1 }, "score is set": func(u model.User) bool { return u.Score > 0 },
	} {
		f, err := model.UserFields().Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.model.Users(t.Context(), model.Query{Filter: f, Sort: "-score"})
		if err != nil {
			t.Fatal(text, err)
		}
		var want []string
		for _, u := range page.Items {
			if fits(u) {
				want = append(want, u.ID)
			}
		}
		var have []string
		for _, u := range got.Items {
			have = append(have, u.ID)
		}
		if diff := cmp.Diff(want, have); diff != "" || len(want) == 0 {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	f, err := filter.Alerts().Parse("user_score >= 3.5")
	if err != nil {
		t.Fatal(err)
	}
	if p, err := s.model.Alerts(t.Context(), model.Query{Filter: f}); err != nil || len(p.Items) == 0 || len(p.Items) == 10 {
		t.Errorf("alerts of users with a score: %d, %v", len(p.Items), err)
	}
}

// lately makes days of work end now, with what is out of the ordinary, and what operators do about it.
func lately(s *story, r *rand.Rand) {
	const days = 14
	s.whole = true
	end := s.now
	odd := func(n *formats.Notification) {
		n.Addresses, n.App = []string{fmt.Sprintf("198.51.%d.7", r.IntN(99))}, "Dropbox"
	}
	var acts []string
	for d := range days {
		for i := range 12 {
			name := fmt.Sprintf("user%d@harbour.example", i)
			for h := range 3 {
				at := end.AddDate(0, 0, d-days).Add(time.Duration(h)*time.Hour + time.Duration(i)*time.Second)
				s.now = at
				s.did(name, "EVENT_CATEGORY_LOGIN", at, func(n *formats.Notification) {
					n.Addresses, n.App = []string{"10.0.0.1"}, "Box"
					if d > 8 && r.IntN(12) == 0 {
						odd(n)
					}
				})
			}
		}
		if d < 7 {
			continue
		}
		for range 3 {
			n := said(cloud, fmt.Sprint("c", s.keys))
			n.Accounts, n.Severity = []formats.Entity{{Name: fmt.Sprintf("user%d@harbour.example", r.IntN(12))}}, formats.Severity(r.IntN(5))
			id := fmt.Sprint("A", s.keys)
			s.hears(id, dedup.First, n)
			if r.IntN(3) == 0 {
				acts = append(acts, s.records("ida", model.Close{Alerts: []string{id}, Why: "benign"}))
			}
			if len(acts) > 0 && r.IntN(5) == 0 {
				s.records("ida", model.Undo{Act: acts[r.IntN(len(acts))]})
			}
		}
		s.ends()
		one, other := fmt.Sprintf("user%d@harbour.example", r.IntN(12)), fmt.Sprintf("user%d@harbour.example", r.IntN(12))
		switch r.IntN(4) {
		case 0:
			s.records("ida", model.Join{User: userID(s.t, s.model, one), With: userID(s.t, s.model, other)})
		case 1:
			s.records("ida", model.Split{User: userID(s.t, s.model, one), Spellings: []string{one}})
		case 2:
			s.records("ida", model.ResetScore{User: userID(s.t, s.model, one), Why: "looked at"})
		default:
			s.records("ida", model.Tag{User: userID(s.t, s.model, one), Tags: []string{"admin"}})
		}
	}
	s.ends()
}

// priorities are those of all users, but for the moment.
func priorities(t *testing.T, m *model.Model) map[string]model.Priority {
	t.Helper()
	page, err := m.Users(t.Context(), model.Query{Limit: 500, Sort: "-score"})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]model.Priority{}
	for _, u := range page.Items {
		p := priority(t, m, u.ID)
		if p.Score != u.Score || p.Bounded != u.Bounded || p.Percentile != u.Percentile {
			t.Errorf("the list says %v, %v, %v of %s, who has %+v", u.Score, u.Bounded, u.Percentile, u.Display, p)
		}
		p.Time = time.Time{}
		out[u.ID] = p
	}
	return out
}

// TestScoresAreTheSameAgain: a model that is made anew, and one that was stopped between, say the same of everybody as
// the one that followed, from the parts to the days before.
func TestScoresAreTheSameAgain(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			s, stopped := newStory(t), t.TempDir()
			r := rand.New(rand.NewPCG(seed, 9))
			lately(s, r)
			s.another(stopped, func(*model.Model) {})
			s.now = s.now.Add(time.Minute)
			for i := range 4 {
				n := said(cloud, fmt.Sprint("last", i))
				n.Accounts = []formats.Entity{{Name: fmt.Sprintf("user%d@harbour.example", i)}}
				s.hears(fmt.Sprint("last", i), dedup.First, n)
			}
			s.ends()
			want := priorities(t, s.model)
			scored, days := 0, 0
			for _, p := range want {
				if p.Score > 0 {
					scored++
				}
				days += len(p.History)
			}
			if scored < 4 || days < 4 {
				t.Fatalf("%d users with a score, %d days before: too few to compare", scored, days)
			}
			for _, dir := range []string{stopped, stopped, t.TempDir()} {
				s.another(dir, func(m *model.Model) {
					if diff := cmp.Diff(want, priorities(t, m)); diff != "" {
						t.Errorf("-live +again:\n%s", diff)
					}
				})
			}
		})
	}
}
