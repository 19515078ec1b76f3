package model_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/model"
)

// TestScoringSaysWhatTheModelSays: of the same entries, what operators did included, a replay has the scores, parts and
// reasons that the gateway shows.
func TestScoringSaysWhatTheModelSays(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	lately(s, rand.New(rand.NewPCG(7, 9)))
	want := map[string]model.UserScore{}
	var now time.Time
	page, err := s.model.Users(t.Context(), model.Query{Limit: 500})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range page.Items {
		p := priority(t, s.model, u.ID)
		if now = p.Time; p.Score > 0 {
			want[strings.ToLower(u.UPN)] = model.UserScore{
				Date: now.Format(time.DateOnly), User: strings.ToLower(u.UPN), Score: p.Score, Bounded: p.Bounded, Percentile: p.Percentile, Parts: p.Parts,
			}
		}
	}
	got := map[string]model.UserScore{}
	days := 0
	r, err := model.NewScoring(t.Context(), config.Default(), func(u model.UserScore) error {
		if u.Date == now.Format(time.DateOnly) {
			got[u.User] = u
		} else {
			days++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	for m, err := range s.stream.Salvage(t.Context(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Entries(t.Context(), m.Entries); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Until(t.Context(), now.AddDate(0, 0, 1)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) < 4 || days < 4 {
		t.Errorf("%d users now, %d scores of days before (-the model's +the replay's):\n%s", len(got), days, diff)
	}
}
