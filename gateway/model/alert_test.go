package model_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

const (
	defender   = formats.DefenderForIdentity
	cloud      = formats.CloudAppSecurity
	protection = formats.IdentityProtection
)

// said is a notification of a service about an alert of Defender for Identity.
func said(s formats.Service, id string) formats.Notification {
	n := formats.Notification{
		Service: s, Kind: formats.Alert, Channel: "syslog", Origin: defender, ID: id, Title: "Network mapping reconnaissance (DNS)",
		Severity: formats.Medium, Accounts: []formats.Entity{{Name: "iabreu"}}, Devices: []formats.Entity{{Name: "HB-WS-117"}},
		App: "Active Directory", Raw: []byte("raw " + id),
	}
	switch s {
	case defender:
		n.Type, n.Class = "2007", "DnsReconnaissanceSecurityAlert"
	case cloud:
		n.Type, n.Class = "ALERT_EXTERNAL_AATP_DNS_RECONNAISSANCE_SECURITY_ALERT", "ALERT_EXTERNAL_AATP_DNS_RECONNAISSANCE_SECURITY_ALERT"
		n.Accounts = []formats.Entity{{Name: "ines.abreu@harbour.example"}}
		n.Devices, n.Addresses, n.Extra = nil, []string{"192.0.2.14"}, map[string]string{"policyIDs": "63f0a1"}
	}
	return n
}

// story appends entries with a clock of its own.
type story struct {
	*world
	now   time.Time
	keys  int
	whole bool // what comes is appended in one batch, by ends
	batch []*stream.Entry
}

func newStory(t *testing.T) *story {
	return &story{world: newWorld(t), now: time.Now().UTC().Truncate(time.Millisecond).Add(-time.Hour)}
}

func (s *story) key() dedup.EventKey {
	s.keys++
	return dedup.EventKey(fmt.Sprintf("event%d", s.keys))
}

// hears appends a notification of an alert, a minute later.
func (s *story) hears(alert string, relation dedup.Relation, n formats.Notification, change ...func(*stream.Entry)) dedup.EventKey {
	s.t.Helper()
	s.now = s.now.Add(time.Minute)
	n.Arrived = s.now
	e := &stream.Entry{
		Kind: stream.Notification, Time: s.now, Key: s.key(), Input: "tcp", Notification: n,
		Match:    dedup.Match{Alert: dedup.AlertID(alert), Relation: relation, Type: "2007"},
		Decision: policy.Decision{Action: dedup.Forward, Reason: policy.ManagedHere, ManagedIn: defender},
	}
	if relation == dedup.Twin {
		e.Match.Evidence = []dedup.Evidence{{What: "type", How: "2007 is 2007", Points: 30}}
	}
	for _, c := range change {
		c(e)
	}
	s.add(e)
	return e.Key
}

func (s *story) add(e *stream.Entry) {
	s.t.Helper()
	if s.batch = append(s.batch, e); !s.whole {
		s.ends()
	}
}

// ends appends what is due.
func (s *story) ends() {
	s.t.Helper()
	for len(s.batch) > 0 {
		some := s.batch[:min(len(s.batch), 500)]
		s.append(some...)
		s.batch = s.batch[len(some):]
	}
}

func held(e *stream.Entry) {
	e.Decision = policy.Decision{Action: dedup.Hold, Reason: policy.Waiting, ManagedIn: defender, Until: e.Time.Add(10 * time.Minute)}
}

func kind(k stream.Kind, key dedup.EventKey) func(*stream.Entry) {
	return func(e *stream.Entry) { e.Kind, e.Key = k, key }
}

// does records an act that may be done, and gives its ID.
func (s *story) does(by string, a model.Act) string {
	s.t.Helper()
	if err := s.model.Check(s.t.Context(), by, a); err != nil {
		s.t.Fatalf("Check(%+v) = %v", a, err)
	}
	return s.records(by, a)
}

// records is does without asking.
func (s *story) records(by string, a model.Act) string {
	s.t.Helper()
	s.now = s.now.Add(time.Minute)
	act, err := model.Record(by, a)
	if err != nil {
		s.t.Fatal(err)
	}
	e := &stream.Entry{
		Kind: stream.Acted, Time: s.now, Key: s.key(), Act: &act,
		Notification: formats.Notification{Service: formats.Sluice, Kind: formats.Act, Channel: "sluice", Type: act.Verb, Arrived: s.now},
		Decision:     policy.Decision{Action: dedup.Drop},
	}
	s.add(e)
	return string(e.Key)
}

func (s *story) alert(id string) model.Alert {
	s.t.Helper()
	a, err := s.model.Alert(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// history is what was done to an alert, a line each.
func (s *story) history(id string) []string {
	s.t.Helper()
	changes, err := s.model.AlertHistory(s.t.Context(), id, "ida")
	if err != nil {
		s.t.Fatal(err)
	}
	out := []string{}
	for _, c := range changes {
		out = append(out, c.By+": "+c.Text)
	}
	return out
}

// stands is how an alert stands: as a whole, and in each service.
func stands(a model.Alert) string {
	out := []string{a.Status}
	for _, s := range a.Sightings {
		text := string(s.Service) + " " + s.Status
		if s.Closure != nil && s.Closure.In != string(s.Service) {
			text += " by " + s.Closure.In
		}
		out = append(out, text)
	}
	if !a.Drift.IsZero() {
		out = append(out, "drift")
	}
	return strings.Join(out, ", ")
}

func TestOneRecordWhateverTheNumberOfNotifications(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	began := s.now.Add(-time.Hour)
	shown := said(cloud, "c1")
	shown.Title, shown.Severity = "DNS reconnaissance", formats.Low
	first := s.hears("A", dedup.First, shown, held)
	own := said(defender, "d1")
	own.Start, own.Message = began, "Suspicious DNS activity was observed."
	own.URL = "https://harbour.atp.azure.com/securityAlert/d1"
	twin := s.hears("A", dedup.Twin, own)
	s.hears("A", dedup.First, shown, kind(stream.Release, first), func(e *stream.Entry) {
		e.Decision = policy.Decision{Action: dedup.Suppress, Reason: policy.TwinForwarded, StandsFor: twin, ManagedIn: defender}
	})
	update := own
	update.Severity, update.Devices = formats.High, []formats.Entity{{Name: "HBDC02"}}
	s.hears("A", dedup.Update, update)
	lastNews := s.now
	s.hears("A", dedup.Resend, own)
	s.hears("A", dedup.Twin, formats.Notification{Service: formats.Sluice, Kind: formats.Link}, func(e *stream.Entry) { e.Kind = stream.Link })

	a := s.alert("A")
	notices := a.Sightings[1].Notices
	if len(notices) != 1 || notices[0].Action != dedup.Suppress || notices[0].StandsFor != twin || notices[0].Until.IsZero() || string(notices[0].Said.Raw) != "raw c1" {
		t.Errorf("the held notification is %+v", notices)
	}
	if got := len(a.Sightings[0].Notices); got != 3 {
		t.Errorf("%d notifications of the managing service, want 3", got)
	}
	a.Sightings[0].Notices, a.Sightings[1].Notices = nil, nil
	want := model.Alert{
		ID: "A", Revision: 5, Status: "open", Title: own.Title, Type: "2007",
		Detection: &model.Detection{Type: "2007", Names: []string{"Network mapping reconnaissance (DNS)", "Reconnaissance using DNS", "Network-mapping reconnaissance (DNS)"}},
		Category:  "Threat detection", Severity: formats.High, App: "Active Directory",
		Users: []model.Named{
			{Spelling: "iabreu", User: "28648973d80ed1085bfee344812cf2c4", Display: "iabreu"},
			{Spelling: "ines.abreu@harbour.example", User: "6f8fac3f90e8ece75b950ba4df66ba33", Display: "ines.abreu@harbour.example"},
		},
		Devices:   []string{"HB-WS-117", "HBDC02"},
		Addresses: []string{"192.0.2.14"}, Tactics: []string{"Discovery"}, Techniques: []string{"T1087", "T1046", "T1018"}, Policies: []string{"63f0a1"},
		First: began, Last: lastNews, Count: 4, ManagedIn: defender, Evidence: []dedup.Evidence{{What: "type", How: "2007 is 2007", Points: 30}},
		Comments: []model.Comment{},
		Sightings: []model.Sighting{
			{Service: defender, ID: "d1", URL: own.URL, Title: own.Title, Severity: formats.High, Status: "open", First: lastNews.Add(-2 * time.Minute), Last: lastNews.Add(time.Minute), Count: 3, Updates: 1},
			{Service: cloud, ID: "c1", Title: shown.Title, Severity: formats.Low, Status: "open", First: lastNews.Add(-3 * time.Minute), Last: lastNews.Add(-3 * time.Minute), Count: 1},
		},
	}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestShadowModeKeepsWhatWouldHaveBeen(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	key := s.hears("A", dedup.First, said(cloud, "c1"), func(e *stream.Entry) {
		e.Decision = policy.Decision{Action: dedup.Forward, Would: dedup.Hold, Reason: policy.Waiting, ManagedIn: defender, Until: e.Time.Add(time.Minute)}
	})
	s.hears("B", dedup.First, said(defender, "d1"))
	s.hears("B", dedup.Twin, said(cloud, "c1"), kind(stream.Release, key), func(e *stream.Entry) {
		e.Decision = policy.Decision{Action: dedup.Suppress, Would: dedup.Suppress, Reason: policy.TwinForwarded, StandsFor: key, ManagedIn: defender}
	})
	a := s.alert("A")
	if a.ID != "B" || len(a.Sightings) != 2 || a.Sightings[1].Notices[0].Would != dedup.Suppress || a.Count != 2 {
		t.Errorf("the alert is %+v", a)
	}
}

func TestPairedWhenItsHoldEnds(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	key := s.hears("A", dedup.First, said(cloud, "c1"), held)
	s.hears("A", dedup.Update, said(cloud, "c1"), func(e *stream.Entry) { held(e); e.Decision.Reason = policy.UpdateOfHeld })
	s.does("ida", model.Write{Alerts: []string{"A"}, Text: "looking at it"})
	s.does("ida", model.Assign{Alerts: []string{"A"}, To: "ida"})
	s.hears("B", dedup.First, said(defender, "d1"))
	s.hears("B", dedup.Twin, said(cloud, "c1"), kind(stream.Release, key))
	a := s.alert("B")
	if got := stands(a); got != "open, defender_for_identity open, cloud_app_security open" || a.Assigned != "ida" || len(a.Comments) != 1 || a.Count != 3 {
		t.Errorf("%s, %+v", got, a)
	}
	if len(a.Evidence) == 0 || len(a.Sightings[1].Notices) != 2 {
		t.Errorf("evidence %v, notifications %+v", a.Evidence, a.Sightings[1].Notices)
	}
	a.Sightings[1].Notices = nil
	for _, of := range []string{"A", "B"} {
		want := []string{"ida: looking at it", "ida: assigned to ida", "sluice: what was held as alert A turned out to be this one"}
		if diff := cmp.Diff(want, s.history(of)); diff != "" {
			t.Errorf("history of %s (-want +got):\n%s", of, diff)
		}
	}
	// The old ID goes on working, for acts too.
	s.does("olaf", model.Close{Alerts: []string{"A"}, Why: "benign"})
	if got := stands(s.alert("A")); got != "closed, defender_for_identity closed, cloud_app_security closed by defender_for_identity" {
		t.Errorf("closed by its old ID: %s", got)
	}
	if ids := s.ids(""); len(ids) != 1 {
		t.Errorf("alerts %v, want the one", ids)
	}
}

func TestTakenBack(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	key := s.hears("A", dedup.First, said(cloud, "c1"), held)
	s.hears("A", dedup.Twin, said(defender, "d1"))
	s.does("ida", model.Close{Alerts: []string{"A"}, Why: "true_positive", Comment: "cleaned up"})
	s.does("ida", model.Assign{Alerts: []string{"A"}, To: "olaf"})
	s.hears("C", dedup.First, said(cloud, "c1"), kind(stream.Undo, key), func(e *stream.Entry) {
		e.Match.RunnerUp = &dedup.Candidate{Alert: "A", Why: "another notification fits far better"}
		e.Decision = policy.Decision{Action: dedup.Forward, Reason: policy.Separated, ManagedIn: cloud}
	})
	// Closing what somebody took for the other one says nothing about it.
	if got := stands(s.alert("C")); got != "open, cloud_app_security open" {
		t.Errorf("what was given back: %s", got)
	}
	a := s.alert("A")
	if got := stands(a); got != "closed, defender_for_identity closed" || a.Assigned != "olaf" || a.Count != 1 || len(a.Evidence) != 0 || a.Read {
		t.Errorf("what it was given back from: %s, %+v", got, a)
	}
	if diff := cmp.Diff([]string{"ines.abreu@harbour.example"}, s.users("C")); diff != "" {
		t.Errorf("users of what was given back (-want +got):\n%s", diff)
	}
	want := []string{
		"ida: closed in Defender for Identity, and by that in Cloud App Security, as true positive: cleaned up", "ida: assigned to olaf",
		"sluice: what Cloud App Security reports is alert C of its own",
	}
	if diff := cmp.Diff(want, s.history("A")); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"sluice: was taken for a part of alert A"}, s.history("C")); diff != "" {
		t.Errorf("history of what was given back (-want +got):\n%s", diff)
	}
}

func TestForwardedAfterAll(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.hears("A", dedup.First, said(defender, "d1"))
	key := s.hears("A", dedup.Twin, said(cloud, "c1"))
	s.hears("C", dedup.First, said(cloud, "c1"), kind(stream.Undo, key), func(e *stream.Entry) {
		e.Match.RunnerUp = &dedup.Candidate{Alert: "A"}
		e.Act = &stream.Act{By: "ida", Verb: "forward_after_all"}
	})
	for id, want := range map[string]string{
		"A": "ida: what Cloud App Security reports is alert C of its own, by hand", "C": "ida: was taken for a part of alert A, by hand",
	} {
		if diff := cmp.Diff([]string{want}, s.history(id)); diff != "" {
			t.Errorf("history of %s (-want +got):\n%s", id, diff)
		}
	}
	if err := s.model.Check(t.Context(), "ida", model.Undo{Act: string(key)}); !errors.Is(err, model.ErrRefused) {
		t.Errorf("to undo it: %v, want refused", err)
	}
}

// TestOnlyOneOfSeveralIsForwardedAfterAll: of a service that said more of the alert, only that leaves it.
func TestOnlyOneOfSeveralIsForwardedAfterAll(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.hears("A", dedup.First, said(defender, "d1"))
	s.hears("A", dedup.Twin, said(cloud, "c1"))
	second := s.hears("B", dedup.First, said(cloud, "c2"), held)
	s.hears("A", dedup.Update, said(cloud, "c2"), kind(stream.Release, second))
	s.hears("C", dedup.First, said(cloud, "c2"), kind(stream.Undo, second), func(e *stream.Entry) {
		e.Match.RunnerUp = &dedup.Candidate{Alert: "A"}
		e.Act = &stream.Act{By: "ida", Verb: "forward_after_all", Args: []byte(`{"why":"another machine"}`)}
	})
	a, c := s.alert("A"), s.alert("C")
	if len(a.Sightings) != 2 || a.Count != 2 || len(a.Sightings[1].Notices) != 1 || len(c.Sightings) != 1 || len(c.Sightings[0].Notices) != 1 {
		t.Errorf("the alerts are\n%+v\n%+v", a, c)
	}
	if got := s.history("C"); len(got) != 1 || got[0] != "ida: was taken for a part of alert A, by hand: another machine" {
		t.Errorf("history %q", got)
	}
}

// TestAnUpdateIsForwardedAfterAll: it stays its alert's.
func TestAnUpdateIsForwardedAfterAll(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.hears("A", dedup.First, said(defender, "d1"))
	key := s.hears("A", dedup.Update, said(defender, "d1"), func(e *stream.Entry) {
		e.Decision.Action, e.Decision.Reason = dedup.Suppress, policy.UpdatesOff
	})
	s.hears("A", dedup.Update, said(defender, "d1"), kind(stream.Undo, key), func(e *stream.Entry) {
		e.Match.RunnerUp = &dedup.Candidate{Alert: "A"}
		e.Act = &stream.Act{By: "ida", Verb: "forward_after_all"}
	})
	a := s.alert("A")
	if a.Count != 2 || a.Sightings[0].Notices[1].Action != dedup.Forward || a.Sightings[0].Notices[1].Kind != stream.Undo {
		t.Errorf("the alert is %+v", a)
	}
	if got := s.history("A"); len(got) != 1 || got[0] != "ida: what Defender for Identity notified later is forwarded after all, by hand" {
		t.Errorf("history %q", got)
	}
}

func (s *story) users(id string) []string {
	var out []string
	for _, u := range s.alert(id).Users {
		out = append(out, u.Spelling)
	}
	return out
}

// ids lists the alerts that a filter fits.
func (s *story) ids(text string) []string {
	s.t.Helper()
	f, err := filter.Alerts().Parse(text)
	if err != nil {
		s.t.Fatalf("%s: %v", text, err)
	}
	out := []string{}
	for a, err := range s.model.EachAlert(s.t.Context(), f) {
		if err != nil {
			s.t.Fatalf("%s: %v", text, err)
		}
		out = append(out, a.ID)
	}
	return out
}

// TestAStormOfUpdatesFillsNothing: the first notification of each service stays, and the newest of all.
func TestAStormOfUpdatesFillsNothing(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.hears("A", dedup.First, said(defender, "d1"))
	s.hears("A", dedup.Twin, said(cloud, "c1"))
	s.whole = true
	for i := range 60 {
		n := said(defender, "d1")
		n.Raw, n.Message = make([]byte, 1000), fmt.Sprintf("message %d", i)
		if i > 50 {
			n.Raw = make([]byte, 60_000)
		}
		n.Accounts = []formats.Entity{{Name: fmt.Sprintf("user%d", i)}, {Name: fmt.Sprintf("other%d", i)}}
		s.hears("A", dedup.Update, n)
		if i%5 == 0 {
			s.ends()
		}
	}
	s.ends()
	a := s.alert("A")
	if a.Count != 62 || a.Sightings[0].Updates != 60 || len(a.Users) != 100 {
		t.Errorf("count %d, updates %d, users %d", a.Count, a.Sightings[0].Updates, len(a.Users))
	}
	if own := a.Sightings[0].Notices; len(own) != 5 || own[0].Key != "event1" || own[4].Key != "event62" {
		t.Errorf("%d notifications kept, want the first and the four that fit", len(own))
	}
	if len(a.Sightings[1].Notices) != 1 {
		t.Errorf("the first of the other service is gone")
	}
}

// lines are the lines of the activity log that are the alert.
func (s *story) lines(alert string) []string {
	s.t.Helper()
	f, err := filter.Activities().Parse("kind = alert and alert = " + alert)
	if err != nil {
		s.t.Fatal(err)
	}
	out := []string{}
	for a, err := range s.model.EachActivity(s.t.Context(), f) {
		if err != nil {
			s.t.Fatal(err)
		}
		if a.Alert != alert {
			s.t.Errorf("line %s is of alert %s, and found by %s", a.Event, a.Alert, alert)
		}
		out = append(out, string(a.Event))
	}
	slices.Sort(out)
	return out
}

// TestAlertsInTheLog: each has one line there, whichever alert it turns out to be.
func TestAlertsInTheLog(t *testing.T) {
	t.Parallel()
	for _, whole := range []bool{false, true} { // lines that are written already, and those that are to be
		s := newStory(t)
		s.whole = whole
		check := func(alert string, want ...string) {
			t.Helper()
			if s.whole {
				return // at the end
			}
			if diff := cmp.Diff(want, s.lines(alert)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", alert, diff)
			}
		}
		key := s.hears("a", dedup.First, said(cloud, "c1"), held)
		s.hears("b", dedup.First, said(defender, "d1"))
		check("a", "event1")
		s.hears("b", dedup.Twin, said(cloud, "c1"), kind(stream.Release, key))
		check("b", "event2")
		s.hears("c", dedup.First, said(cloud, "c1"), kind(stream.Undo, key), func(e *stream.Entry) {
			e.Match.RunnerUp = &dedup.Candidate{Alert: "b"}
		})
		check("b", "event2")
		late := s.hears("b", dedup.Twin, said(cloud, "c2"))
		s.hears("d", dedup.First, said(cloud, "c2"), kind(stream.Undo, late), func(e *stream.Entry) {
			e.Match.RunnerUp = &dedup.Candidate{Alert: "b"}
		})
		s.ends()
		s.whole = false
		check("b", "event2")
		check("c", "event1")
		check("d", string(late))
	}
}

// TestWhatAGapLeft: an alert begins with whatever comes first of it.
func TestWhatAGapLeft(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.hears("a", dedup.Resend, said(defender, "d1"))
	s.hears("b", dedup.Twin, said(cloud, "c2"), kind(stream.Release, "gone"))
	s.hears("c", dedup.First, said(cloud, "c3"), kind(stream.Undo, "gone too"), func(e *stream.Entry) {
		e.Match.RunnerUp = &dedup.Candidate{Alert: "gone"}
	})
	for _, id := range []string{"a", "b", "c"} {
		a := s.alert(id)
		if a.Title == "" || a.Count != 1 || len(a.Sightings) != 1 || len(a.Sightings[0].Notices) != 1 || a.Last.IsZero() {
			t.Errorf("alert %s is %+v", id, a)
		}
	}
}
