package model_test

import (
	"context"
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

// did appends an activity of that time.
func (s *story) did(user, class string, at time.Time, change ...func(*formats.Notification)) {
	s.t.Helper()
	if at.After(s.now) {
		s.now = at
	}
	n := formats.Notification{
		Service: cloud, Kind: formats.Activity, Channel: "syslog", Origin: cloud, ID: fmt.Sprintf("activity%d", s.keys), Class: class, Type: class, App: "Box",
		Title: class, Accounts: []formats.Entity{{Name: user}}, Addresses: []string{"198.51.100.23"}, Start: at, Arrived: s.now, Raw: []byte("x"),
	}
	for _, c := range change {
		c(&n)
	}
	s.add(&stream.Entry{
		Kind: stream.Notification, Time: s.now, Key: s.key(), Input: "tcp", Notification: n, Match: dedup.Match{Relation: dedup.First},
		Decision: policy.Decision{Action: dedup.Forward},
	})
}

// days gives a story that begins so many days ago.
func days(t *testing.T, ago int) *story {
	s := newStory(t)
	s.whole = true
	s.now = time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -ago)
	return s
}

// raisedBy waits for the alerts that are raised, and says of each whom it is about and why.
func (s *story) raisedBy() []string {
	s.t.Helper()
	s.ends()
	s.whole = false
	s.hears("end", dedup.First, said(defender, "end")) // by then it is asked for what came before
	s.hears("end", dedup.Resend, said(defender, "end"))
	s.whole = true
	out := []string{}
	for {
		select {
		case n := <-s.raised:
			why, _, _ := strings.Cut(n.Message, "\n")
			out = append(out, n.Accounts[0].Name+": "+n.Title+": "+why)
		default:
			slices.Sort(out)
			return out
		}
	}
}

func (s *story) enable(id string) {
	s.t.Helper()
	s.ends()
	p, err := s.model.Policy(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	p.Enabled = true
	s.does("ida", model.SavePolicy{Policy: p})
	s.ends()
}

func TestThreshold(t *testing.T) {
	t.Parallel()
	s := days(t, 2)
	s.does("ida", model.SavePolicy{Policy: model.ActivityPolicy{
		Name: "Five downloads", Severity: formats.High, Filter: `action = download and application = box`, Times: 5, Within: 10 * time.Minute, Enabled: true, Category: "DLP",
	}})
	begin := s.now.Add(time.Hour)
	for i := range 4 {
		s.did("slow@harbour.example", "EVENT_CATEGORY_DOWNLOAD_FILE", begin.Add(time.Duration(i)*time.Minute))
	}
	s.did("slow@harbour.example", "EVENT_CATEGORY_DOWNLOAD_FILE", begin.Add(10*time.Minute)) // a minute later than the first
	for i := range 30 {                                                                      // once, and not thirty times
		s.did("fast@harbour.example", "EVENT_CATEGORY_DOWNLOAD_FILE", begin.Add(time.Duration(i)*time.Second))
		s.did("other@harbour.example", "EVENT_CATEGORY_UPLOAD_FILE", begin.Add(time.Duration(i)*time.Second))
	}
	for i := range 5 { // later again, and backwards
		s.did("fast@harbour.example", "EVENT_CATEGORY_DOWNLOAD_FILE", begin.Add(2*time.Hour-time.Duration(i)*time.Second))
	}
	want := []string{
		"fast@harbour.example: Five downloads: 5 activities within 10m0s", "fast@harbour.example: Five downloads: 5 activities within 10m0s",
	}
	if diff := cmp.Diff(want, s.raisedBy()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestRaisedOnce: what the stream has is never asked for again, by a model that is made anew neither.
func TestRaisedOnce(t *testing.T) {
	t.Parallel()
	s := days(t, 2)
	id := s.does("ida", model.SavePolicy{Policy: model.ActivityPolicy{
		Name: "Deletions", Severity: formats.Medium, Filter: `user contains "ida"`, Times: 1, Within: time.Hour, Enabled: true,
	}})
	s.did("ida@harbour.example", "EVENT_CATEGORY_DELETE_FILE", s.now.Add(time.Hour), func(n *formats.Notification) { n.Devices = []formats.Entity{{Name: "WS-1"}} })
	s.ends()
	n := <-s.raised
	if !strings.HasPrefix(n.ID, id+":") || n.Title != "Deletions" || n.Severity != formats.Medium || n.Devices[0].Name != "WS-1" || n.Extra["policyIDs"] != id || n.Extra["relatedAudits"] != "event2" {
		t.Errorf("raised %+v", n)
	}
	n.Channel, n.Raw, n.Arrived = "policy", []byte("{}"), s.now
	s.hears("own", dedup.First, n, func(e *stream.Entry) {
		e.Match.Type, e.Decision.ManagedIn = "activity_policy", formats.Sluice
	})
	s.ends()
	a := s.alert("own")
	if got := stands(a); got != "open, sluice open" || a.Policies[0] != id || a.Users[0].Spelling != "ida@harbour.example" || a.Title != "Deletions" {
		t.Errorf("%s, %+v", got, a)
	}
	if got := s.raisedBy(); len(got) != 0 {
		t.Errorf("raised again: %s", got)
	}
	var again []formats.Notification
	s.anotherThat(t.TempDir(), func(_ context.Context, n formats.Notification) error { again = append(again, n); return nil }, func(m *model.Model) {
		s.whole = false
		s.did("ida@harbour.example", "EVENT_CATEGORY_DELETE_FILE", s.now.Add(24*time.Hour))
		if _, last := s.stream.Bounds(); m.Wait(t.Context(), stream.Position{Sequence: last}) != nil {
			t.Error("the other model doesn't follow")
		}
		s.did("nobody", "EVENT_CATEGORY_DELETE_FILE", s.now.Add(time.Second))
		if _, last := s.stream.Bounds(); m.Wait(t.Context(), stream.Position{Sequence: last}) != nil {
			t.Error("the other model doesn't follow")
		}
	})
	if len(again) != 1 || again[0].ID == n.ID {
		t.Errorf("a model made anew raised %+v", again)
	}
}

func TestBuiltInPolicies(t *testing.T) {
	t.Parallel()
	const login, download = "EVENT_CATEGORY_LOGIN", "EVENT_CATEGORY_DOWNLOAD_FILE"
	from := func(ip string) func(*formats.Notification) {
		return func(n *formats.Notification) { n.Addresses = []string{ip} }
	}
	tests := []struct {
		policy string
		story  func(s *story, day func(int) time.Time)
		want   []string
	}{
		{"builtin-data-exfiltration", func(s *story, day func(int) time.Time) {
			for d := range 20 {
				for i := range 30 { // eve downloads much, and always did
					s.did("eve@harbour.example", download, day(d).Add(time.Duration(i)*time.Minute))
				}
				for _, u := range []string{"a", "b", "c", "d", "e"} {
					s.did(u+"@harbour.example", login, day(d))
					s.did(u+"@harbour.example", download, day(d))
				}
				s.did("mallory@harbour.example", login, day(d))
			}
			for i := range 80 {
				s.did("eve@harbour.example", download, day(20).Add(time.Duration(i)*time.Second))
				s.did("mallory@harbour.example", download, day(20).Add(time.Duration(i)*time.Second))
				s.did("new@harbour.example", download, day(20).Add(time.Duration(i)*time.Second)) // of whom nobody knows what is usual
			}
		}, []string{"mallory@harbour.example: Data exfiltration: 50 in a day; the greatest of 14 days before had 0, and among peers 1 is usual"}},
		{"builtin-mass-deletion", func(s *story, day func(int) time.Time) {
			for i := range 150 {
				s.did("mallory@harbour.example", "EVENT_CATEGORY_DELETE_FILE", day(0).Add(time.Duration(i)*time.Second))
				s.did("slow@harbour.example", "EVENT_CATEGORY_DELETE_FILE", day(0).Add(time.Duration(i)*time.Minute))
			}
		}, []string{"mallory@harbour.example: Mass deletion: 100 activities within 1h0m0s"}},
		{"builtin-new-network", func(s *story, day func(int) time.Time) {
			for d := range 20 {
				for _, u := range []string{"a", "b", "c", "d"} {
					s.did(u+"@harbour.example", login, day(d), from("192.0.2.10"))
				}
				s.did("eve@harbour.example", login, day(d), from("203.0.113.5"))
			}
			s.did("eve@harbour.example", login, day(20), from("203.0.113.77"))  // the same network
			s.did("eve@harbour.example", login, day(20), from("192.0.2.77"))    // the office
			s.did("new@harbour.example", login, day(20), from("198.51.100.99")) // of whom nobody knows what is usual
			s.did("a@harbour.example", login, day(20), from("198.51.100.66"))
			s.did("b@harbour.example", login, day(20).Add(time.Hour), from("198.51.100.66")) // and one after the other
			s.did("c@harbour.example", "EVENT_CATEGORY_LOGIN_FAILED", day(20), from("198.51.100.66"))
		}, []string{
			"a@harbour.example: Log-in from a network never seen: network 198.51.100.0/24 is new: in 14 days neither the user had it nor several others",
			"b@harbour.example: Log-in from a network never seen: network 198.51.100.0/24 is new: in 14 days neither the user had it nor several others",
		}},
		{"builtin-admin-out-of-hours", func(s *story, day func(int) time.Time) {
			sunday := day(0)
			for sunday.Weekday() != time.Sunday {
				sunday = sunday.AddDate(0, 0, 1)
			}
			monday := sunday.AddDate(0, 0, 1)
			s.did("root@harbour.example", "EVENT_CATEGORY_ADD_USER", sunday.Add(12*time.Hour))
			s.did("root@harbour.example", "EVENT_CATEGORY_ADD_USER", sunday.Add(13*time.Hour)) // told already
			s.did("root@harbour.example", "EVENT_CATEGORY_ADD_USER", monday.Add(12*time.Hour)) // at work
			s.did("late@harbour.example", "EVENT_CATEGORY_ADD_USER", monday.Add(19*time.Hour))
			s.did("late@harbour.example", login, monday.Add(2*time.Hour))
		}, []string{
			"late@harbour.example: Administrative activity out of hours: Administrative activity outside of the hours in which people work.",
			"root@harbour.example: Administrative activity out of hours: Administrative activity outside of the hours in which people work.",
		}},
		{"builtin-dormant-account", func(s *story, day func(int) time.Time) {
			s.did("sleeper@harbour.example", login, day(0))
			for d := range 50 {
				s.did("busy@harbour.example", login, day(d))
			}
			s.did("sleeper@harbour.example", login, day(50))
			s.did("sleeper@harbour.example", login, day(50).Add(time.Minute))
			s.did("new@harbour.example", login, day(50))
		}, []string{"sleeper@harbour.example: A dormant account wakes up: the account did nothing for more than 45 days"}},
	}
	for _, tt := range tests {
		t.Run(tt.policy, func(t *testing.T) {
			t.Parallel()
			s := days(t, 52)
			begin := s.now
			day := func(n int) time.Time { return begin.AddDate(0, 0, n).Add(9 * time.Hour) }
			if tt.policy == "builtin-admin-out-of-hours" {
				day = func(n int) time.Time { return begin.AddDate(0, 0, n) }
			}
			s.enable(tt.policy)
			tt.story(s, day)
			if diff := cmp.Diff(tt.want, s.raisedBy()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			// The preview of the same would have shown it before it was enabled.
			p, err := s.model.Policy(t.Context(), tt.policy)
			if err != nil {
				t.Fatal(err)
			}
			if tt.policy == "builtin-dormant-account" {
				p.Beyond.Days = 20
			}
			preview, err := s.model.Preview(t.Context(), p, 60)
			if err != nil || preview.Alerts != len(tt.want) {
				t.Errorf("Preview = %+v, %v", preview, err)
			}
		})
	}
}

// TestLearnsBeforeItIsEnabled: a policy that comes with Sluice knows what is usual on the day it is switched on.
func TestLearnsBeforeItIsEnabled(t *testing.T) {
	t.Parallel()
	s := days(t, 30)
	begin := s.now
	for d := range 20 {
		s.did("a@harbour.example", "EVENT_CATEGORY_LOGIN", begin.AddDate(0, 0, d))
	}
	elsewhere := func(n *formats.Notification) { n.Addresses = []string{"203.0.113.1"} }
	s.did("a@harbour.example", "EVENT_CATEGORY_LOGIN", begin.AddDate(0, 0, 20), elsewhere)
	s.enable("builtin-new-network")
	s.did("a@harbour.example", "EVENT_CATEGORY_LOGIN", begin.AddDate(0, 0, 21), elsewhere) // it was there before
	s.did("a@harbour.example", "EVENT_CATEGORY_LOGIN", begin.AddDate(0, 0, 21), func(n *formats.Notification) { n.Addresses = []string{"2001:db8:1::1"} })
	if got := s.raisedBy(); len(got) != 1 || !strings.Contains(got[0], "2001:db8:1::/48") {
		t.Errorf("raised %q", got)
	}
}

func TestAPolicyThatRaisesTooMuch(t *testing.T) {
	t.Parallel()
	s := days(t, 2)
	s.does("ida", model.SavePolicy{Policy: model.ActivityPolicy{Name: "Everything", Severity: formats.Low, Filter: "service is set", Times: 1, Enabled: true}})
	for i := range 150 {
		s.did("a@harbour.example", "EVENT_CATEGORY_LOGIN", s.now.Add(time.Second))
		if i == 0 {
			s.did("a@harbour.example", "EVENT_CATEGORY_LOGIN", s.now.AddDate(0, 0, -30)) // no news
		}
	}
	if got := s.raisedBy(); len(got) != 100 {
		t.Errorf("raised %d", len(got))
	}
}

func TestPreview(t *testing.T) {
	t.Parallel()
	s := days(t, 3)
	begin := s.now
	for d := range 3 {
		for i := range 6 {
			s.did("a@harbour.example", "EVENT_CATEGORY_DOWNLOAD_FILE", begin.AddDate(0, 0, d).Add(time.Duration(i)*time.Second))
		}
	}
	s.ends()
	p := model.ActivityPolicy{Name: "Downloads", Severity: formats.Low, Filter: "action = download", Times: 5, Within: time.Minute}
	got, err := s.model.Preview(t.Context(), p, 3)
	if err != nil {
		t.Fatal(err)
	}
	day := func(d int) string { return begin.AddDate(0, 0, d).Format(time.DateOnly) }
	want := model.Preview{
		From: got.From, Judged: 12, Alerts: 2, Days: []model.DayCount{{Day: day(1), Count: 1}, {Day: day(2), Count: 1}},
		Users: []model.ValueCount{{Value: "a@harbour.example", Count: 2}},
		Samples: []model.Sample{
			{User: "a@harbour.example", Start: begin.AddDate(0, 0, 2), End: begin.AddDate(0, 0, 2).Add(4 * time.Second), Count: 5, Message: "5 activities within 1m0s"},
			{User: "a@harbour.example", Start: begin.AddDate(0, 0, 1), End: begin.AddDate(0, 0, 1).Add(4 * time.Second), Count: 5, Message: "5 activities within 1m0s"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := s.raisedBy(); len(got) != 0 {
		t.Errorf("the preview raised %s", got)
	}
	if again, err := s.model.Preview(t.Context(), p, 3); err != nil || again.Alerts != 2 {
		t.Errorf("the second preview: %+v, %v", again, err)
	}
}

// TestFoundByThePolicy: what a policy of ours raised is found by its name and by its ID.
func TestFoundByThePolicy(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.hears("A", dedup.First, formats.Notification{
		Service: formats.Sluice, Kind: formats.Alert, Origin: formats.Sluice, ID: "812e:ida:1", Type: "activity_policy", Title: "Mass download",
		Extra: map[string]string{"policy": "Mass download", "policyIDs": "812e"},
	})
	s.hears("B", dedup.First, said(defender, "d1"))
	for _, text := range []string{`policy = "Mass download"`, "policy = 812e"} {
		if got := s.ids(text); len(got) != 1 || got[0] != "A" {
			t.Errorf("%s: %v, want A", text, got)
		}
	}
}

// TestCountedOnceByThePolicy: what a policy of ours raised counts under its name alone.
func TestCountedOnceByThePolicy(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.hears("A", dedup.First, formats.Notification{
		Service: formats.Sluice, Kind: formats.Alert, Origin: formats.Sluice, ID: "812e:ida:1", Type: "activity_policy", Title: "Mass download",
		Extra: map[string]string{"policy": "Mass download", "policyIDs": "812e"},
	})
	theirs := said(cloud, "c1")
	theirs.Extra = map[string]string{"policyIDs": "63f0a1"}
	s.hears("B", dedup.First, theirs)
	s.hears("C", dedup.First, said(defender, "d1"))
	got, err := s.model.AlertFacets(t.Context(), nil, []string{"policy"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]model.ValueCount{"policy": {{Value: "", Count: 1}, {Value: "63f0a1", Count: 1}, {Value: "Mass download", Count: 1}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestFoundByThePolicyThatCountedIt: an activity is found by an activity policy's name and ID where it counted for it,
// also after the service told it anew, and in a model that is made anew.
func TestFoundByThePolicyThatCountedIt(t *testing.T) {
	t.Parallel()
	s := days(t, 2)
	const login, download = "EVENT_CATEGORY_LOGIN", "EVENT_CATEGORY_DOWNLOAD_FILE"
	begin, n := s.now.Add(time.Hour), 0
	does := func(class string, change ...func(*formats.Notification)) {
		n++
		s.did("ida@harbour.example", class, begin.Add(time.Duration(n)*time.Minute), append(change, func(of *formats.Notification) { of.ID = fmt.Sprint("n", n) })...)
	}
	does(download) // n1: before there was a policy
	s.ends()
	id := s.does("ida", model.SavePolicy{Policy: model.ActivityPolicy{
		Name: "Downloads", Severity: formats.Low, Filter: "action = download", Times: 3, Within: time.Hour, Enabled: true,
	}})
	s.does("ida", model.SavePolicy{Policy: model.ActivityPolicy{
		Name: "Never", Severity: formats.Low, Filter: "action = download", Times: 1, Beyond: &model.Beyond{What: "dormant", Days: 1}, Enabled: true,
	}})
	does(download)
	does(login)
	does(download, func(of *formats.Notification) { of.Extra = map[string]string{"policyIDs": "theirs"} })
	s.ends()
	third := s.activities("id = n4")[0]
	s.add(&stream.Entry{ // which the service tells anew, without its own policy
		Kind: stream.Notification, Time: s.now, Key: s.key(), Input: "tcp", Match: dedup.Match{Relation: dedup.Update, Of: third.Event},
		Notification: formats.Notification{Service: cloud, Kind: formats.Activity, ID: "n4", Class: download, Type: download, Title: "anew", Start: third.Time, Arrived: s.now, Raw: []byte("x")},
		Decision:     policy.Decision{Action: dedup.Forward},
	})
	s.ends()
	check := func(m *model.Model) {
		for text, want := range map[string]string{
			"policy = downloads": "n4 n2", "policy = " + id: "n4 n2", "policy != downloads": "n3 n1", "policy is set": "n4 n2", "policy = theirs": "", "policy = never": "",
			"policy = downloads and title = anew": "n4",
		} {
			f, err := filter.Activities().Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			page, err := m.Activities(t.Context(), model.Query{Filter: f})
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for i := range page.Items {
				ids = append(ids, page.Items[i].ID)
			}
			if got := strings.Join(ids, " "); got != want {
				t.Errorf("%s: %q, want %q", text, got, want)
			}
		}
	}
	check(s.model)
	s.another(t.TempDir(), check)
	if got := s.activities("id = n2")[0].Matched; !slices.Equal(got, []string{"Downloads", id}) {
		t.Errorf("it counted for %q", got)
	}
}
