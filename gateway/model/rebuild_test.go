package model_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/semaphore"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// chance makes up what services notify and what operators do.
type chance struct {
	*story
	*rand.Rand
	alerts []*made
	ids    []string // all that there ever were
	acts   []string
}

// made is an alert as the chance knows it.
type made struct {
	id    string
	first map[formats.Service]dedup.EventKey
	held  []heldOne
}

type heldOne struct {
	key     dedup.EventKey
	service formats.Service
}

func (c *chance) pick() *made { return c.alerts[c.IntN(len(c.alerts))] }

func (c *chance) said(s formats.Service) formats.Notification {
	n := said(s, fmt.Sprintf("%s-%d", s, c.IntN(1000)))
	n.Severity = formats.Severity(c.IntN(5))
	n.Title = []string{"Honeytoken activity", "Network mapping reconnaissance (DNS)", "Größe"}[c.IntN(3)]
	n.Accounts = append(n.Accounts, formats.Entity{Name: fmt.Sprintf("user%d", c.IntN(20))})
	n.Message = fmt.Sprintf("word%d word%d", c.IntN(50), c.IntN(50))
	return n
}

func (c *chance) other(s formats.Service) formats.Service {
	if s == defender {
		return cloud
	}
	return defender
}

func (c *chance) step() {
	switch k := c.IntN(14); {
	case k < 2 || len(c.alerts) < 3:
		c.first()
	case k == 2:
		c.twin()
	case k == 3:
		c.again()
	case k == 4:
		c.release()
	case k == 5:
		c.giveBack()
	case k == 6:
		c.active()
	case k == 7 && c.IntN(4) == 0:
		c.document()
	default:
		c.act()
	}
}

func (c *chance) first() {
	s := []formats.Service{defender, cloud}[c.IntN(2)]
	a := &made{id: fmt.Sprintf("a%d", len(c.ids)), first: map[formats.Service]dedup.EventKey{}}
	if c.IntN(2) == 0 {
		a.first[s] = c.hears(a.id, dedup.First, c.said(s))
	} else {
		a.first[s] = c.hears(a.id, dedup.First, c.said(s), held)
		a.held = append(a.held, heldOne{a.first[s], s})
	}
	c.alerts, c.ids = append(c.alerts, a), append(c.ids, a.id)
}

func (c *chance) twin() {
	a := c.pick()
	for s := range a.first {
		if _, paired := a.first[c.other(s)]; !paired {
			a.first[c.other(s)] = c.hears(a.id, dedup.Twin, c.said(c.other(s)))
			return
		}
	}
}

func (c *chance) again() {
	a := c.pick()
	for _, s := range []formats.Service{defender, cloud} {
		if _, ok := a.first[s]; ok {
			c.hears(a.id, []dedup.Relation{dedup.Update, dedup.Resend}[c.IntN(2)], c.said(s))
			return
		}
	}
}

// release ends a hold, and may find that it was another alert's.
func (c *chance) release() {
	i := slices.IndexFunc(c.alerts, func(a *made) bool { return len(a.held) > 0 })
	if i < 0 {
		return
	}
	a, into := c.alerts[i], c.alerts[i]
	h := a.held[0]
	a.held = a.held[1:]
	if len(a.first) == 1 && c.IntN(2) == 0 {
		into = c.pick()
	}
	relation := dedup.First
	if into != a {
		relation = dedup.Twin
		c.alerts = slices.DeleteFunc(c.alerts, func(x *made) bool { return x == a })
		for s, key := range a.first {
			if _, ok := into.first[s]; ok {
				relation = dedup.Update
			} else {
				into.first[s] = key
			}
		}
		into.held = append(into.held, a.held...)
	}
	c.hears(into.id, relation, c.said(h.service), kind(stream.Release, h.key))
}

// giveBack takes a pairing back.
func (c *chance) giveBack() {
	i := slices.IndexFunc(c.alerts, func(a *made) bool { return len(a.first) == 2 })
	if i < 0 {
		return
	}
	old, s := c.alerts[i], []formats.Service{defender, cloud}[c.IntN(2)]
	a := &made{id: fmt.Sprintf("a%d", len(c.ids)), first: map[formats.Service]dedup.EventKey{s: old.first[s]}}
	delete(old.first, s)
	old.held = slices.DeleteFunc(old.held, func(h heldOne) bool { return h.service == s })
	c.alerts, c.ids = append(c.alerts, a), append(c.ids, a.id)
	c.hears(a.id, dedup.First, c.said(s), kind(stream.Undo, a.first[s]), func(e *stream.Entry) {
		e.Match.RunnerUp = &dedup.Candidate{Alert: dedup.AlertID(old.id)}
		e.Decision = policy.Decision{Action: dedup.Forward, Reason: policy.Separated, ManagedIn: s}
		if c.IntN(2) == 0 {
			e.Act = &stream.Act{By: "ida", Verb: "forward_after_all"}
		}
	})
}

func (c *chance) act() {
	var on []string
	for range 1 + c.IntN(4) {
		on = append(on, c.ids[c.IntN(len(c.ids))])
	}
	in := []formats.Service{"", defender, cloud}[c.IntN(3)]
	var a model.Act
	switch c.IntN(7) {
	case 0, 1:
		a = model.Close{Alerts: on, In: in, Why: "benign"}
	case 2:
		a = model.Reopen{Alerts: on, In: in}
	case 3:
		a = model.Assign{Alerts: on, To: []string{"", "ida", "olaf"}[c.IntN(3)]}
	case 4:
		a = model.Write{Alerts: on, Text: fmt.Sprintf("comment %d", c.keys)}
	case 5:
		a = model.Mark{Alerts: on, Read: c.IntN(2) == 0}
	default:
		if len(c.acts) == 0 {
			return
		}
		a = model.Undo{Act: c.acts[len(c.acts)-1-c.IntN(min(len(c.acts), 5))]}
	}
	c.acts = append(c.acts, c.records("ida", a))
}

// active has somebody do something.
func (c *chance) active() {
	class := []string{"EVENT_CATEGORY_LOGIN", "EVENT_CATEGORY_DOWNLOAD_FILE", "EVENT_CATEGORY_DELETE_FILE", "EVENT_CATEGORY_ADD_USER"}[c.IntN(4)]
	for range 1 + c.IntN(5) {
		c.did(fmt.Sprintf("user%d@harbour.example", c.IntN(5)), class, c.now.Add(time.Duration(c.IntN(3600)-1800)*time.Second), func(n *formats.Notification) {
			n.Addresses = []string{fmt.Sprintf("10.0.%d.1", c.IntN(5))}
		})
	}
}

// document saves a query or a policy, or drops one.
func (c *chance) document() {
	var a model.Act
	switch c.IntN(4) {
	case 0:
		a = model.SaveQuery{Query: model.SavedQuery{Name: fmt.Sprintf("query %d", c.keys), Of: "alerts", Filter: "status = open"}}
	case 1:
		if len(c.acts) == 0 {
			return
		}
		a = model.DropPolicy{ID: c.acts[c.IntN(len(c.acts))]}
	case 2:
		ps, err := c.model.Policies(c.t.Context())
		if err != nil {
			c.t.Fatal(err)
		}
		p := ps[c.IntN(len(ps))]
		p.Enabled = !p.Enabled
		a = model.SavePolicy{Policy: p}
	default:
		a = model.SavePolicy{Policy: model.ActivityPolicy{
			Name: "Some", Severity: formats.Low, Filter: "action = download, delete", Times: 1 + c.IntN(3), Within: time.Hour, Enabled: true,
		}}
	}
	c.acts = append(c.acts, c.records("ida", a))
}

// TestARebuiltModelIsTheSame: however the stream came to the model, in pieces, with a restart between or at once.
func TestARebuiltModelIsTheSame(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	c := &chance{story: newStory(t), Rand: rand.New(rand.NewPCG(seed, 1))}
	c.whole = true
	drained := make(chan struct{})
	defer func() { <-drained }()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		defer close(drained)
		for {
			select {
			case <-c.raised:
			case <-ctx.Done():
				return
			}
		}
	}()
	restarted := t.TempDir()
	for range 6 {
		for range 80 {
			c.step()
			if c.IntN(10) == 0 {
				c.ends()
			}
		}
		c.ends()
		c.another(restarted, func(*model.Model) {})
	}
	want := everything(t, c.model)
	for _, dir := range []string{restarted, t.TempDir()} {
		c.another(dir, func(m *model.Model) {
			if diff := cmp.Diff(want, everything(t, m)); diff != "" {
				t.Errorf("-live +rebuilt:\n%s", diff)
			}
			if diff := cmp.Diff(tables(t, c.model), tables(t, m)); diff != "" {
				t.Errorf("tables (-live +rebuilt):\n%s", diff)
			}
			for _, id := range c.ids {
				live, err := c.model.Alert(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				if rebuilt, err := m.Alert(t.Context(), id); err != nil || rebuilt.ID != live.ID {
					t.Errorf("alert %s is %s rebuilt, %s live, %v", id, rebuilt.ID, live.ID, err)
				}
			}
		})
	}
	c.invariants()
	var again *model.Model
	keep := func(m *model.Model) { again = m }
	c.another(restarted, keep)
	index := tokens(t, again)
	if err := os.Remove(again.IndexPath()); err != nil {
		t.Fatal(err)
	}
	c.another(restarted, keep)
	if diff := cmp.Diff(tokens(t, again), index); diff != "" {
		t.Errorf("the index (-of the log +as it was kept):\n%s", diff)
	}
}

// another has a model in dir come to the end of the stream.
func (s *story) another(dir string, do func(*model.Model)) {
	s.t.Helper()
	s.anotherThat(dir, func(context.Context, formats.Notification) error { return nil }, do)
}

func (s *story) anotherThat(dir string, raise func(context.Context, formats.Notification) error, do func(*model.Model)) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	m, err := model.Open(ctx, model.Options{
		Dir: dir, Stream: s.stream, Config: config.Default(), Log: slog.New(slog.DiscardHandler), Raise: raise, Processors: semaphore.NewWeighted(1),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	_, last := s.stream.Bounds()
	if err := m.Wait(ctx, stream.Position{Sequence: last}); err != nil {
		s.t.Fatal(err)
	}
	do(m)
	cancel()
	if err := <-done; err != nil {
		s.t.Errorf("Run() = %v", err)
	}
	if err := m.Close(); err != nil {
		s.t.Error(err)
	}
}

// all is everything that a model says of an alert.
type all struct {
	Alert   model.Alert
	History []model.Change
}

func everything(t *testing.T, m *model.Model) map[string]all {
	t.Helper()
	out := map[string]all{}
	for a, err := range m.EachAlert(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		whole, err := m.Alert(t.Context(), a.ID)
		if err != nil {
			t.Fatal(err)
		}
		history, err := m.AlertHistory(t.Context(), a.ID, "ida")
		if err != nil {
			t.Fatal(err)
		}
		out[a.ID] = all{whole, history}
	}
	return out
}

// tables are the rows of the tables of alerts.
func tables(t *testing.T, m *model.Model) []string {
	t.Helper()
	return rows(t, m,
		"SELECT json_array('alert', n, id, revision, closed, severity, first, last, drift, seen, folded, hex(data)) FROM alerts ORDER BY n",
		"SELECT json_array('id', id, alert) FROM alert_ids ORDER BY id",
		"SELECT json_array('term', x.field, t.folded, x.alert) FROM alert_terms x LEFT JOIN terms t ON t.n = x.term ORDER BY 1",
		"SELECT json_array('name', name, alert) FROM alert_names ORDER BY 1",
		"SELECT json_array('history', n, alert, time, key, hex(data)) FROM alert_history ORDER BY n",
		"SELECT json_array('document', kind, id, owner, revision, data) FROM documents ORDER BY kind, id",
		"SELECT json_array('hit', policy, name, time, key) FROM policy_hits ORDER BY policy, name, time, key",
		"SELECT json_array('past', policy, name, value, first, last, count) FROM policy_past ORDER BY policy, name, value",
		"SELECT json_array('seen', name, first, last) FROM policy_seen ORDER BY name",
		"SELECT json_array('usual', policy, peers, day, most) FROM policy_usual ORDER BY policy, peers, day",
		"SELECT json_array('raised', id, policy, user, start, noted, done) FROM raised ORDER BY id",
		"SELECT json_array('score', user, points, bounded) FROM scores ORDER BY user",
		"SELECT json_array('score of a day', user, day, points, bounded, percentile) FROM score_days ORDER BY user, day",
		"SELECT json_array('notice', n, alert, service, key, size) FROM alert_notices ORDER BY n")
}

// rows are what queries of one column give, one after the other.
func rows(t *testing.T, m *model.Model, queries ...string) []string {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+m.Path()+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var out []string
	for _, query := range queries {
		rows, err := db.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var row string
			if err := rows.Scan(&row); err != nil {
				t.Fatal(err)
			}
			out = append(out, row)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// invariants are what holds of every alert, whatever happened.
func (c *chance) invariants() {
	c.t.Helper()
	for a, err := range c.model.EachAlert(c.t.Context(), nil) {
		if err != nil {
			c.t.Fatal(err)
		}
		closed, open, managed := 0, 0, false
		for _, s := range a.Sightings {
			managed = managed || s.Service == a.ManagedIn
			if s.Status == "closed" {
				closed++
			} else {
				open++
			}
			if s.Service == a.ManagedIn && s.Status != a.Status {
				c.t.Errorf("alert %s is %s and %s where it is managed", a.ID, a.Status, s.Status)
			}
		}
		if len(a.Sightings) == 0 || (closed > 0 && open > 0) && a.Drift.IsZero() || !a.Drift.IsZero() && open == 0 {
			c.t.Errorf("alert %s has drift since %s: %s", a.ID, a.Drift, stands(a))
		}
		if (a.Closure != nil) != (a.Status == "closed") {
			c.t.Errorf("alert %s is %s: %+v", a.ID, a.Status, a.Closure)
		}
	}
}

// TestLinesOfALongTransaction: what is told anew takes the old line's place, and the line of what turns out to be another
// alert's goes, though it has a row and isn't indexed yet.
func TestLinesOfALongTransaction(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.whole = true
	first := s.hears("b", dedup.First, said(defender, "d1"))
	second := s.hears("a", dedup.First, said(cloud, "c1"), held)
	s.did("ida@harbour.example", "EVENT_CATEGORY_LOGIN", s.now, func(n *formats.Notification) { n.ID, n.Title = "twice", "Oldword" })
	old := s.batch[len(s.batch)-1].Key
	for i := range 1000 {
		s.did("max@harbour.example", "EVENT_CATEGORY_LOGIN", s.now.Add(time.Second), func(n *formats.Notification) { n.Title = fmt.Sprint("Log on ", i) })
	}
	s.did("ida@harbour.example", "EVENT_CATEGORY_LOGIN", s.now, func(n *formats.Notification) { n.ID, n.Title = "twice", "Newword" })
	s.batch[len(s.batch)-1].Match = dedup.Match{Relation: dedup.Update, Of: old}
	s.hears("b", dedup.Twin, said(cloud, "c1"), kind(stream.Release, second))
	s.ends()
	s.another(t.TempDir(), func(m *model.Model) { // all of it in one transaction
		s.model = m
		if got := s.activities("text contains oldword"); len(got) != 0 {
			t.Errorf("%d lines with the old text, want none", len(got))
		}
		if got := s.activities("id = twice"); len(got) != 1 || got[0].Title != "Newword" || got[0].Event != old {
			t.Errorf("%+v, want one line with the new text and the first event's name", got)
		}
		if got := s.lines("b"); len(got) != 1 || got[0] != string(first) {
			t.Errorf("lines %v of the alert, want %v", got, first)
		}
		if state, err := m.State(t.Context()); err != nil || state.Activities != 1002 {
			t.Errorf("%d lines, %v; want 1002", state.Activities, err)
		}
	})
}
