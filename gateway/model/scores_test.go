package model_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/model"
)

// weeks makes up what users do over more days than a score counts, what is said of them, and what operators do about it.
type weeks struct {
	*story
	*rand.Rand
	alerts []string
	acts   []string
}

// spelt is one of few users, in one of their spellings.
func (w *weeks) spelt() string {
	name := []string{"brook", "reed", "vale", "moor", "holt", "ness"}[w.IntN(6)]
	return []string{"ida." + name + "@harbour.example", `HARBOUR\ida.` + name, "Ida " + strings.ToUpper(name[:1]) + name[1:]}[max(0, w.IntN(6)-3)]
}

func (w *weeks) day() {
	dawn := w.now.Truncate(24 * time.Hour).Add(24 * time.Hour)
	for range 40 {
		w.works(dawn.Add(time.Duration(w.IntN(600)) * time.Minute))
	}
	for range 2 + w.IntN(3) {
		w.suspects()
	}
	w.ends()
	for range 3 {
		w.operates()
	}
	w.ends()
}

// works has somebody do what is usual, or seldom something that isn't.
func (w *weeks) works(at time.Time) {
	user, class, address := w.spelt(), "EVENT_CATEGORY_LOGIN", "198.51.100.7"
	if w.IntN(20) == 0 {
		class, address = fmt.Sprintf("EVENT_CATEGORY_ODD%c", 'A'+w.IntN(26)), fmt.Sprintf("203.0.%d.9", w.IntN(200))
	}
	w.did(user, class, at, func(n *formats.Notification) {
		n.Addresses = []string{address}
		n.Extra = map[string]string{"requestClientApplication": strings.Repeat("agent ", 4000)} // so that profiles are written soon
	})
}

func (w *weeks) suspects() {
	s := []formats.Service{defender, cloud}[w.IntN(2)]
	n := said(s, fmt.Sprintf("%s-%d", s, w.keys))
	n.Severity, n.Accounts = formats.Severity(w.IntN(5)), []formats.Entity{{Name: w.spelt()}}
	if w.IntN(4) == 0 && len(w.alerts) > 0 {
		w.hears(w.alerts[len(w.alerts)-1], dedup.Update, n)
		return
	}
	w.alerts = append(w.alerts, fmt.Sprintf("alert%d", len(w.alerts)))
	w.hears(w.alerts[len(w.alerts)-1], dedup.First, n)
}

func (w *weeks) operates() {
	users, err := w.model.Users(w.t.Context(), model.Query{})
	if err != nil {
		w.t.Fatal(err)
	}
	one, other := users.Items[w.IntN(len(users.Items))], users.Items[w.IntN(len(users.Items))]
	on := []string{w.alerts[w.IntN(len(w.alerts))]}
	var a model.Act
	switch w.IntN(9) {
	case 0, 1:
		a = model.Close{Alerts: on, Why: []string{"benign", "false_positive", "true_positive"}[w.IntN(3)]}
	case 2:
		a = model.Reopen{Alerts: on}
	case 3:
		a = model.Tag{User: one.ID, Tags: []string{"sensitive", "admin", "watched"}[w.IntN(3):]}
	case 4:
		a = model.Join{User: one.ID, With: other.ID}
	case 5:
		a = model.Split{User: one.ID, Spellings: []string{one.Names[0].Spelling}}
	case 6:
		a = model.ResetScore{User: one.ID, Why: "looked at"}
	default:
		if len(w.acts) == 0 {
			return
		}
		a = model.Undo{Act: w.acts[w.IntN(len(w.acts))]}
	}
	w.acts = append(w.acts, w.records("ida", a))
}

// TestScoresOfARebuiltModel: however the stream came to the model, in pieces, with restarts between or at once, it comes
// to the same scores, of the same parts, as they stand now and on every day before.
func TestScoresOfARebuiltModel(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	w := &weeks{story: newStory(t), Rand: rand.New(rand.NewPCG(seed, 7))}
	w.whole, w.now = true, w.now.AddDate(0, 0, -13)
	restarted := t.TempDir()
	for range 12 {
		w.day()
		if w.IntN(2) == 0 {
			w.another(restarted, func(*model.Model) {})
		}
	}
	want := scores(t, w.model)
	if len(want.Rows) == 0 || len(want.Users) == 0 {
		t.Fatalf("nobody has a score: %+v", want)
	}
	for _, dir := range []string{restarted, t.TempDir()} {
		w.another(dir, func(m *model.Model) {
			if diff := cmp.Diff(want, scores(t, m)); diff != "" {
				t.Errorf("-live +rebuilt:\n%s", diff)
			}
		})
	}
}

// scored is all that a model says of scores.
type scored struct {
	Users map[string]model.Priority
	Now   map[string][2]float64 // by name
	Rows  []string
}

func scores(t *testing.T, m *model.Model) scored {
	t.Helper()
	out := scored{Users: map[string]model.Priority{}, Now: map[string][2]float64{}}
	page, err := m.Users(t.Context(), model.Query{Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range page.Items {
		p := priority(t, m, u.ID)
		p.Time = time.Time{}
		out.Users[u.ID] = p
		for _, n := range u.Names {
			if s, ok := m.Standing(n.Spelling); ok {
				out.Now[n.Spelling] = [2]float64{s.Score, s.Bounded}
			}
			if now := out.Now[n.Spelling][0]; now != p.Score {
				t.Errorf("user %s stands at %v as %s and at %v", u.Display, now, n.Spelling, p.Score)
			}
		}
	}
	out.Rows = scoreRows(t, m)
	return out
}

// scoreRows are the rows of the tables of scores.
func scoreRows(t *testing.T, m *model.Model) []string {
	t.Helper()
	return rows(t, m,
		"SELECT json_array('now', user, points, bounded) FROM scores ORDER BY user",
		"SELECT json_array('day', user, day, points, bounded, percentile) FROM score_days ORDER BY user, day",
		"SELECT json_array('reset', user, time, act, who, why) FROM score_resets ORDER BY n")
}
