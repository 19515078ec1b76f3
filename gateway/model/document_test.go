package model_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/model"
)

func TestSavedQueries(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	names := func(by string) string {
		t.Helper()
		all, err := s.model.Queries(t.Context(), by)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, q := range all {
			if !q.Built {
				out = append(out, q.Name)
			}
		}
		return strings.Join(out, ", ")
	}
	mine := s.does("ida", model.SaveQuery{Query: model.SavedQuery{Name: "mine", Of: "alerts", Filter: "status = open", Owner: "olaf"}})
	shared := s.does("ida", model.SaveQuery{Query: model.SavedQuery{Name: "Downloads", Of: "activities", Filter: "action = download", Shared: true}})
	if ida, olaf := names("ida"), names("olaf"); ida != "Downloads, mine" || olaf != "Downloads" {
		t.Errorf("ida sees %s, olaf %s", ida, olaf)
	}
	q, err := s.model.Query(t.Context(), mine)
	if err != nil || q.Owner != "ida" || q.Revision != 1 {
		t.Fatalf("Query = %+v, %v", q, err)
	}
	edited := q
	edited.Name = "mine, edited"
	s.does("ida", model.SaveQuery{Query: edited})
	for _, tt := range []struct {
		by   string
		act  model.Act
		want error
	}{
		{"ida", model.SaveQuery{Query: edited}, model.ErrChanged}, // it is of the revision before
		{"olaf", model.SaveQuery{Query: edited}, model.ErrNotFound},
		{"olaf", model.DropQuery{ID: shared}, model.ErrRefused},
		{"olaf", model.DropQuery{ID: mine}, model.ErrNotFound},
		{"olaf", model.DropQuery{ID: mine, Shared: true}, model.ErrNotFound},
		{"olaf", model.DropQuery{ID: shared, Shared: true}, nil},
		{"ida", model.DropQuery{ID: "suggested-downloads"}, model.ErrRefused},
		{"ida", model.SaveQuery{Query: model.SavedQuery{ID: "suggested-downloads", Revision: 1, Name: "x", Of: "alerts"}}, model.ErrRefused},
		{"ida", model.SaveQuery{Query: model.SavedQuery{Name: "x", Of: "alerts", Filter: "colour = red"}}, model.ErrRefused},
		{"ida", model.SaveQuery{Query: model.SavedQuery{Name: "x", Of: "users"}}, model.ErrRefused},
		{"ida", model.SaveQuery{Query: model.SavedQuery{Name: "x", Of: "activities", Sort: "severity"}}, model.ErrRefused},
		{"ida", model.SaveQuery{Query: model.SavedQuery{Of: "alerts"}}, model.ErrRefused},
		{"ida", model.SaveQuery{Query: model.SavedQuery{ID: "x", Name: "x", Of: "alerts"}}, model.ErrNotFound},
	} {
		if err := s.model.Check(t.Context(), tt.by, tt.act); !errors.Is(err, tt.want) {
			t.Errorf("Check(%s, %+v) = %v, want %v", tt.by, tt.act, err, tt.want)
		}
	}
	s.records("ida", model.SaveQuery{Query: edited}) // nothing happens: the other one came first
	if q, err := s.model.Query(t.Context(), mine); err != nil || q.Revision != 2 || q.Name != "mine, edited" {
		t.Errorf("Query = %+v, %v", q, err)
	}
	s.does("ida", model.DropQuery{ID: mine})
	if _, err := s.model.Query(t.Context(), mine); !errors.Is(err, model.ErrNotFound) {
		t.Errorf("after it was dropped: %v", err)
	}
}

// TestNobodyTakesAllTheRoom: who has saved many queries can save no more, and others still can.
func TestNobodyTakesAllTheRoom(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	save := model.SaveQuery{Query: model.SavedQuery{Name: "x", Of: "alerts", Filter: "status = open"}}
	s.whole = true
	for range 200 {
		s.records("ida", save)
	}
	s.whole = false
	last := s.does("olaf", save)
	if err := s.model.Check(t.Context(), "ida", save); !errors.Is(err, model.ErrRefused) || !strings.Contains(err.Error(), "200 queries are yours") {
		t.Errorf("ida may save one more: %v", err)
	}
	if err := s.model.Check(t.Context(), "olaf", model.SaveQuery{Query: model.SavedQuery{ID: last, Revision: 1, Name: "y", Of: "alerts"}}); err != nil {
		t.Errorf("olaf may not change his: %v", err)
	}
}

// TestWhatComesWithSluiceIsWellFormed: suggested queries and built-in policies pass the checks of everybody's.
func TestWhatComesWithSluiceIsWellFormed(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	all, err := s.model.Queries(t.Context(), "ida")
	if err != nil || len(all) < 8 {
		t.Fatalf("%d queries, %v", len(all), err)
	}
	for _, q := range all {
		fields := map[string]filter.Fields{"alerts": filter.Alerts(), "activities": filter.Activities()}[q.Of]
		if _, err := fields.Parse(q.Filter); err != nil || !q.Built {
			t.Errorf("%s: %v", q.Name, err)
		}
		if again, err := s.model.Query(t.Context(), q.ID); err != nil || again != q {
			t.Errorf("Query(%s) = %+v, %v", q.ID, again, err)
		}
	}
	policies, err := s.model.Policies(t.Context())
	if err != nil || len(policies) != 5 {
		t.Fatalf("%d policies, %v", len(policies), err)
	}
	for _, p := range policies {
		if p.Enabled || !p.Built {
			t.Errorf("%s is enabled", p.Name)
		}
		p.Enabled = true
		s.does("ida", model.SavePolicy{Policy: p})
		if got, err := s.model.Policy(t.Context(), p.ID); err != nil || !got.Enabled || got.Revision != 1 || !got.Built {
			t.Errorf("Policy(%s) = %+v, %v", p.ID, got, err)
		}
	}
}

// TestPoliciesOfBeforeAreKept: what was saved while its filter was taken is there again in a model that is made anew, and so is
// what became of it.
func TestPoliciesOfBeforeAreKept(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	p := model.ActivityPolicy{Name: "Deletions", Severity: formats.Low, Filter: "kind = alert and action = delete", Times: 1, Enabled: true}
	p.ID, p.Revision = s.records("ida", model.SavePolicy{Policy: p}), 1
	p.Filter = "action = delete"
	s.records("ida", model.SavePolicy{Policy: p})
	if kept, err := s.model.Policy(t.Context(), p.ID); err != nil || kept.Filter != p.Filter || kept.Revision != 2 {
		t.Errorf("Policy = %+v, %v", kept, err)
	}
}

func TestPoliciesAreKept(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	good := model.ActivityPolicy{Name: "Downloads", Severity: formats.Low, Filter: "action = download", Times: 10, Within: time.Hour, Enabled: true}
	id := s.does("ida", model.SavePolicy{Policy: good})
	kept, err := s.model.Policy(t.Context(), id)
	if err != nil || kept.Owner != "ida" || kept.Revision != 1 {
		t.Fatalf("Policy = %+v, %v", kept, err)
	}
	with := func(change func(*model.ActivityPolicy)) model.Act {
		p := good
		change(&p)
		return model.SavePolicy{Policy: p}
	}
	network, err := s.model.Policy(t.Context(), "builtin-new-network")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		act  model.Act
		want error
	}{
		"by somebody else":     {model.SavePolicy{Policy: kept}, nil},
		"of another revision":  {with(func(p *model.ActivityPolicy) { p.ID = id }), model.ErrChanged},
		"no filter":            {with(func(p *model.ActivityPolicy) { p.Filter = "" }), model.ErrRefused},
		"a filter of alerts":   {with(func(p *model.ActivityPolicy) { p.Filter = "status = open" }), model.ErrRefused},
		"a filter of the time": {with(func(p *model.ActivityPolicy) { p.Filter = "time > -7d" }), model.ErrRefused},
		"alerts":               {with(func(p *model.ActivityPolicy) { p.Filter = "kind = alert" }), model.ErrRefused},
		"no activities":        {with(func(p *model.ActivityPolicy) { p.Filter = "action = delete and kind != activity" }), model.ErrRefused},
		"activities too":       {with(func(p *model.ActivityPolicy) { p.Filter = "kind = activity, alert and action = delete" }), nil},
		"no times":             {with(func(p *model.ActivityPolicy) { p.Times = 0 }), model.ErrRefused},
		"too many times":       {with(func(p *model.ActivityPolicy) { p.Times = 1001 }), model.ErrRefused},
		"within no time":       {with(func(p *model.ActivityPolicy) { p.Within = 0 }), model.ErrRefused},
		"within a month":       {with(func(p *model.ActivityPolicy) { p.Within = 30 * 24 * time.Hour }), model.ErrRefused},
		"no severity":          {with(func(p *model.ActivityPolicy) { p.Severity = 0 }), model.ErrRefused},
		"hours that end first": {with(func(p *model.ActivityPolicy) {
			p.Outside = &model.Hours{Days: []string{"mon"}, From: "19:00", To: "07:00", Zone: "UTC"}
		}), model.ErrRefused},
		"hours of nowhere": {with(func(p *model.ActivityPolicy) {
			p.Outside = &model.Hours{Days: []string{"mon"}, From: "07:00", To: "19:00", Zone: "Atlantis"}
		}), model.ErrRefused},
		"a volume without factor": {with(func(p *model.ActivityPolicy) { p.Beyond = &model.Beyond{What: "volume", Days: 3} }), model.ErrRefused},
		"new what":                {with(func(p *model.ActivityPolicy) { p.Beyond = &model.Beyond{What: "new", Field: "mood", Days: 3} }), model.ErrRefused},
		"beyond belief":           {with(func(p *model.ActivityPolicy) { p.Beyond = &model.Beyond{What: "belief", Days: 3} }), model.ErrRefused},
		"another filter of ours":  {model.SavePolicy{Policy: func() model.ActivityPolicy { p := network; p.Filter = "action = login"; return p }()}, model.ErrRefused},
		"another number of ours": {model.SavePolicy{Policy: func() model.ActivityPolicy {
			p := network
			p.Beyond = &model.Beyond{What: "new", Field: "network", Days: 30}
			return p
		}()}, nil},
		"one of ours dropped":      {model.DropPolicy{ID: "builtin-new-network"}, model.ErrRefused},
		"one that isn't there":     {model.DropPolicy{ID: "x"}, model.ErrNotFound},
		"dropped by somebody else": {model.DropPolicy{ID: id}, nil},
	}
	for name, tt := range tests {
		if err := s.model.Check(t.Context(), "olaf", tt.act); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	s.does("olaf", model.DropPolicy{ID: id})
	all, err := s.model.Policies(t.Context())
	if err != nil || slices.ContainsFunc(all, func(p model.ActivityPolicy) bool { return p.ID == id }) {
		t.Errorf("policies %+v, %v", all, err)
	}
}
