package model_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/stream"
)

func TestClosureRule(t *testing.T) {
	closes := func(in formats.Service) model.Act { return model.Close{Alerts: []string{"A"}, In: in, Why: "benign"} }
	reopens := func(in formats.Service) model.Act { return model.Reopen{Alerts: []string{"A"}, In: in} }
	inCloud := func(e *stream.Entry) { e.Decision.ManagedIn = cloud }
	type step struct {
		act   model.Act
		heard formats.Service
		want  string
	}
	tests := []struct {
		name    string
		managed func(*stream.Entry)
		steps   []step
	}{
		{"closed where it is managed", nil, []step{
			{heard: defender},
			{heard: cloud},
			{act: closes(""), want: "closed, defender_for_identity closed, cloud_app_security closed by defender_for_identity"},
			{act: reopens(""), want: "open, defender_for_identity open, cloud_app_security open"},
		}},
		{"closed in Cloud App Security it stays open in Defender for Identity", nil, []step{
			{heard: defender},
			{heard: cloud},
			{act: closes(cloud), want: "open, defender_for_identity open, cloud_app_security closed, drift"},
			{act: closes(defender), want: "closed, defender_for_identity closed, cloud_app_security closed"},
			{act: reopens(defender), want: "open, defender_for_identity open, cloud_app_security closed, drift"},
			{act: reopens(cloud), want: "open, defender_for_identity open, cloud_app_security open"},
		}},
		{"reopened only where the rule closed it", nil, []step{
			{heard: defender},
			{heard: cloud},
			{act: closes(defender)},
			{act: reopens(cloud), want: "closed, defender_for_identity closed, cloud_app_security open, drift"},
			{act: closes(cloud), want: "closed, defender_for_identity closed, cloud_app_security closed"},
		}},
		{"managed in Cloud App Security", inCloud, []step{
			{heard: defender},
			{heard: cloud},
			{act: closes(""), want: "closed, cloud_app_security closed, defender_for_identity open, drift"},
		}},
		{"a late twin of what is closed where it is managed", nil, []step{
			{heard: defender},
			{act: closes(""), want: "closed, defender_for_identity closed"},
			{heard: cloud, want: "closed, defender_for_identity closed, cloud_app_security closed by defender_for_identity"},
		}},
		{"the managing service never spoke", nil, []step{
			{heard: cloud},
			{act: closes(cloud), want: "closed, cloud_app_security closed"},
			{heard: defender, want: "open, defender_for_identity open, cloud_app_security closed, drift"},
		}},
		{"the managing service never spoke, and it is closed and reopened as a whole", nil, []step{
			{heard: cloud},
			{act: closes(cloud)},
			{act: reopens(""), want: "open, cloud_app_security open"},
			{act: closes(""), want: "closed, cloud_app_security closed by defender_for_identity"},
			{heard: defender, want: "closed, defender_for_identity closed, cloud_app_security closed by defender_for_identity"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStory(t)
			relation := dedup.First
			change := []func(*stream.Entry){}
			if tt.managed != nil {
				change = append(change, tt.managed)
			}
			for _, step := range tt.steps {
				if step.heard != "" {
					s.hears("A", relation, said(step.heard, string(step.heard)), change...)
					relation = dedup.Twin
				} else {
					s.does("ida", step.act)
				}
				if got := stands(s.alert("A")); step.want != "" && got != step.want {
					t.Errorf("after %+v: %s, want %s", step, got, step.want)
				}
			}
		})
	}
}

func TestDriftHasItsTime(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.hears("A", dedup.First, said(defender, "d1"))
	s.hears("A", dedup.Twin, said(cloud, "c1"))
	s.does("ida", model.Close{Alerts: []string{"A"}, In: cloud, Why: "benign"})
	since := s.now
	s.hears("A", dedup.Resend, said(cloud, "c1"))
	if got := s.alert("A").Drift; !got.Equal(since) {
		t.Errorf("drift since %s, want %s", got, since)
	}
	if diff := cmp.Diff([]string{"A"}, s.ids("drift = yes")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestUpdateOfAClosedAlert: it stays closed and is unread; the history says so once.
func TestUpdateOfAClosedAlert(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.hears("A", dedup.First, said(defender, "d1"))
	s.does("ida", model.Close{Alerts: []string{"A"}, Why: "false_positive"})
	if !s.alert("A").Read {
		t.Error("who closed it hasn't read it")
	}
	s.hears("A", dedup.Resend, said(defender, "d1"))
	if !s.alert("A").Read {
		t.Error("a resend says something new")
	}
	for range 2 {
		s.hears("A", dedup.Update, said(defender, "d1"))
		if a := s.alert("A"); a.Read || a.Status != "closed" {
			t.Errorf("after an update: %s, read %v", a.Status, a.Read)
		}
	}
	want := []string{
		"ida: closed in Defender for Identity, as false positive",
		"sluice: Defender for Identity notified something new of it; it stays closed",
	}
	if diff := cmp.Diff(want, s.history("A")); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

func TestActsAndUndo(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	for _, id := range []string{"A", "B"} {
		s.hears(id, dedup.First, said(defender, id))
	}
	both := []string{"A", "B", "A"}
	comment := s.does("ida", model.Write{Alerts: both, Text: "same as last week"})
	if a := s.alert("A"); len(a.Comments) != 1 || a.Comments[0].By != "ida" || a.Comments[0].Act != comment {
		t.Errorf("comments %+v", a.Comments)
	}
	read := s.does("ida", model.Mark{Alerts: both, Read: true})
	assigned := s.does("ida", model.Assign{Alerts: both, To: "olaf"})
	closed := s.does("olaf", model.Close{Alerts: both, Why: "benign"})
	s.does("olaf", model.Assign{Alerts: []string{"B"}, To: "uma"})
	s.does("ida", model.Undo{Act: assigned}) // on A alone: B is another one's by now
	if a, b := s.alert("A").Assigned, s.alert("B").Assigned; a != "" || b != "uma" {
		t.Errorf("assigned to %q and %q", a, b)
	}
	undo := s.does("uma", model.Undo{Act: closed})
	if a := s.alert("A"); a.Status != "open" || !a.Read {
		t.Errorf("after the undo: %s, read %v", a.Status, a.Read)
	}
	if err := s.model.Check(t.Context(), "uma", model.Undo{Act: closed}); !errors.Is(err, model.ErrChanged) {
		t.Errorf("to undo it twice: %v", err)
	}
	s.does("ida", model.Undo{Act: undo})
	if a := s.alert("A"); a.Status != "closed" || a.Closure.By != "olaf" {
		t.Errorf("after the undo of the undo: %s %+v", a.Status, a.Closure)
	}
	s.does("ida", model.Undo{Act: read})
	gone := s.does("ida", model.Undo{Act: comment})
	if a := s.alert("B"); len(a.Comments) != 0 || a.Read {
		t.Errorf("comments %+v, read %v", a.Comments, a.Read)
	}
	s.does("ida", model.Undo{Act: gone})
	if a := s.alert("B"); len(a.Comments) != 1 {
		t.Errorf("comments %+v", a.Comments)
	}
	changes, err := s.model.AlertHistory(t.Context(), "A", "ida")
	if err != nil {
		t.Fatal(err)
	}
	can := map[string]bool{}
	for _, c := range changes {
		can[c.Act] = c.Undo
	}
	if can[comment] != true || can[undo] != false || can[closed] != true || can[read] != false {
		t.Errorf("what can be undone: %v", can)
	}
}

// TestTheWindowOfUndo goes by the times of the entries.
func TestTheWindowOfUndo(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.hears("A", dedup.First, said(defender, "d1"))
	act := s.does("ida", model.Close{Alerts: []string{"A"}, Why: "benign"})
	s.now = s.now.Add(25 * time.Hour)
	s.hears("B", dedup.First, said(defender, "d2"))
	if err := s.model.Check(t.Context(), "ida", model.Undo{Act: act}); !errors.Is(err, model.ErrRefused) {
		t.Errorf("Check = %v, want refused", err)
	}
	s.records("ida", model.Undo{Act: act}) // it was checked in time, and took a day to be recorded
	if got := s.alert("A").Status; got != "closed" {
		t.Errorf("the alert is %s", got)
	}
}
