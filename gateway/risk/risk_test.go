package risk_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/risk"
)

// monday is the first day of every story.
var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func day(n int, hours float64) time.Time {
	return monday.AddDate(0, 0, n).Add(time.Duration(hours * float64(time.Hour)))
}

func name(i int) string { return fmt.Sprintf("u%02d@hill.example", i) }

// usual is what user i does at a time on an ordinary day.
func usual(i int, at time.Time) risk.Activity {
	return risk.Activity{
		ID: fmt.Sprintf("%d-%d", i, at.Unix()), User: name(i), At: at, Class: "EVENT_CATEGORY_VIEW_FILE", Title: "View file", App: "SharePoint",
		Agent: "Chrome Windows", Range: "10.1.2.0/24", Country: "NO", Tag: "corporate",
	}
}

// office is a scorer that has seen 40 people at work until the given day.
func office(days int) *risk.Scorer {
	s := risk.New(risk.Options{})
	var people []risk.Person
	for i := range 40 {
		people = append(people, risk.Person{User: name(i), Department: []string{"Sales", "Yard"}[i%2], Sensitive: i == 3})
	}
	s.Know(people)
	for d := range days {
		if d%7 < 5 {
			for i := range 40 {
				for hour := range 8 {
					s.Activity(usual(i, day(d, float64(8+hour)+float64(i)/100)))
				}
			}
		}
	}
	return s
}

func TestWhatIsExpectedIsZero(t *testing.T) {
	if got := office(26).Ranking(day(26, 0)); len(got) > 0 {
		t.Errorf("Ranking = %+v, want nobody", got)
	}
}

// TestReasons: one thing that is out of the ordinary, and how it is told.
func TestReasons(t *testing.T) {
	tests := []struct {
		name   string
		change func(a *risk.Activity)
		words  string // of the largest reason; empty where nothing is scored
	}{
		{"another country", func(a *risk.Activity) { a.Country = "BR" }, "first time from this country: BR; 0 of 19 peers in 60 days"},
		{"another kind of network", func(a *risk.Activity) { a.Tag = "anonymous" }, "first time from such a network: anonymous; 0 of 19 peers in 60 days"},
		{"another program", func(a *risk.Activity) { a.Agent = "python-requests/" }, "first time with such a program: python-requests/; 0 of 19 peers in 60 days"},
		{"another application", func(a *risk.Activity) { a.App = "Dropbox" }, "first time in this application: Dropbox; 0 of 19 peers in 60 days"},
		{"in the night", func(a *risk.Activity) { a.At = day(21, 2) }, "first time at this hour: 02:00 UTC; 0 of 19 peers in 60 days"},
		{"the same", func(*risk.Activity) {}, ""},
		{"tried from another country", func(a *risk.Activity) { a.Country, a.Failed = "BR", true }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := office(21)
			a := usual(1, day(21, 10.2))
			tt.change(&a)
			s.Activity(a)
			got := s.Score(name(1), day(22, 0))
			words := ""
			if len(got.Parts) > 0 {
				words = got.Parts[0].Reasons[0].Words
			}
			if words != tt.words {
				t.Errorf("reason %q, want %q", words, tt.words)
			}
		})
	}
}

// TestSomebodyNew: who comes anew is not judged by habits, but by what nobody does.
func TestSomebodyNew(t *testing.T) {
	for _, tt := range []struct {
		country string
		odd     bool
	}{{"NO", false}, {"BR", true}} {
		s := office(21)
		for hour := range 7 {
			a := usual(77, day(21, float64(9+hour)))
			a.Country = tt.country
			s.Activity(a)
		}
		if got := s.Score(name(77), day(22, 0)); (got.Points > 0) != tt.odd {
			t.Errorf("from %s: Score = %+v", tt.country, got)
		}
	}
}

func TestTheFirstDaysAreLearnt(t *testing.T) {
	s := office(6)
	a := usual(1, day(6, 10))
	a.Country, a.Agent = "BR", "python-requests/"
	s.Activity(a)
	if got := s.Ranking(day(7, 0)); len(got) > 0 {
		t.Errorf("Ranking = %+v, want nobody", got)
	}
}

func TestMassDownload(t *testing.T) {
	s := office(21)
	for i := range 300 {
		s.Activity(usual(1, day(21, 10.01+float64(i)/200)))
	}
	got := s.Score(name(1), day(22, 0))
	if len(got.Parts) == 0 || !strings.HasPrefix(got.Parts[0].Reasons[0].Words, "300 activities") {
		t.Errorf("Score = %+v, want the number as its reason", got)
	}
}

func TestSuccessWhereManyFailed(t *testing.T) {
	s := office(21)
	for i := range 20 {
		a := usual(i, day(21, 4).Add(time.Duration(i)*time.Minute))
		a.Class, a.Range, a.Country, a.Failed = "EVENT_CATEGORY_FAILED_LOGIN", "203.0.113.0/24", "BR", true
		s.Activity(a)
	}
	a := usual(30, day(21, 9.3))
	a.Range = "203.0.113.0/24"
	s.Activity(a)
	if r := s.Ranking(day(22, 0)); len(r) == 0 || r[0].User != name(30) {
		t.Fatalf("Ranking = %+v, want the one who succeeded first", r)
	}
	words := s.Score(name(30), day(22, 0)).Parts[0].Reasons
	if !slices.ContainsFunc(words, func(r risk.Reason) bool { return strings.Contains(r.Words, "where 20 users failed") }) {
		t.Errorf("reasons %+v, want who failed among them", words)
	}
}

func alert(id string, at time.Time, users ...string) risk.Alert {
	return risk.Alert{ID: id, Users: users, At: at, News: at, Type: "2018", Title: "Pass the ticket", Severity: formats.High, Entities: 2}
}

func TestOneAlertCountsOnce(t *testing.T) {
	s := office(21)
	s.Alert(alert("a", day(21, 9), name(1)))
	once := s.Score(name(1), day(22, 0))
	s.Alert(alert("a", day(21, 9), name(1)))
	if diff := cmp.Diff(once, s.Score(name(1), day(22, 0))); diff != "" {
		t.Errorf("after the twin -once +twice:\n%s", diff)
	}
	s.Alert(alert("a", day(21, 9), name(2)))
	if got := s.Score(name(1), day(22, 0)); got.Points != 0 {
		t.Errorf("Score = %+v, want nothing: it is another user's", got)
	}
	s.Withdraw("a")
	if got := s.Ranking(day(22, 0)); len(got) != 0 {
		t.Errorf("Ranking = %+v after Withdraw, want nobody", got)
	}
	s.Alert(alert("b", day(21, 9), name(1))) // of which a was a part
	if diff := cmp.Diff(once.Points, s.Score(name(1), day(22, 0)).Points); diff != "" {
		t.Errorf("as part of another -once +then:\n%s", diff)
	}
}

func TestAlertsOfOneType(t *testing.T) {
	s := office(21)
	words := func(id string, at time.Time) string {
		s.Alert(alert(id, at, name(1)))
		for _, p := range s.Score(name(1), at).Parts {
			if p.ID == id {
				return p.Reasons[0].Words
			}
		}
		return ""
	}
	for _, tt := range []struct {
		id   string
		at   time.Time
		want string
	}{
		{"a", day(21, 9), "the user's first of this type"},
		{"b", day(21, 10), "the user had another of this type that day, the first"},
		{"c", day(22, 9), "the user had one of this type on 1 day before"},
		{"d", day(22, 10), "the user had another of this type that day, and one on 1 day before"},
	} {
		if got := words(tt.id, tt.at); !strings.Contains(got, tt.want) {
			t.Errorf("alert %s: %q, want %q", tt.id, got, tt.want)
		}
	}
	s.Withdraw("c")
	if got := words("e", day(22, 11)); !strings.Contains(got, "another of this type that day") {
		t.Errorf("one of two of a day is withdrawn: %q", got)
	}
}

func TestImpactAndSeverity(t *testing.T) {
	s := office(21)
	s.Alert(alert("plain", day(21, 9), name(1)))
	s.Alert(alert("sensitive", day(21, 9), name(3)))
	low := alert("low", day(21, 9), name(5))
	low.Severity = formats.Low
	s.Alert(low)
	plain, sensitive, lower := s.Score(name(1), day(22, 0)), s.Score(name(3), day(22, 0)), s.Score(name(5), day(22, 0))
	if sensitive.Points <= plain.Points || plain.Points <= lower.Points {
		t.Errorf("sensitive %d, plain %d, low %d: want them in this order", sensitive.Points, plain.Points, lower.Points)
	}
}

func TestAnAlertThatComesOftenCountsLess(t *testing.T) {
	s := office(21)
	for d := range 20 {
		s.Alert(alert(fmt.Sprint("scanner", d), day(d, 9), name(1)))
	}
	s.Alert(alert("again", day(21, 9), name(1)))
	s.Alert(alert("first", day(21, 9), name(2)))
	bits := func(user, id string) float64 {
		for _, p := range s.Score(user, day(22, 0)).Parts {
			if p.ID == id {
				return p.Reasons[0].Bits
			}
		}
		return math.NaN()
	}
	if again, first := bits(name(1), "again"), bits(name(2), "first"); again >= first {
		t.Errorf("%v bits for the 21st, %v for a first: want less", again, first)
	}
}

func TestAWeekLaterItIsOver(t *testing.T) {
	s := office(21)
	s.Alert(alert("a", day(21, 9), name(1)))
	if got := s.Score(name(1), day(27, 23.9)); got.Points == 0 {
		t.Error("gone within seven days")
	}
	if got := s.Score(name(1), day(28, 0)); got.Points != 0 {
		t.Errorf("Score = %+v after seven days", got)
	}
}

func TestReset(t *testing.T) {
	s := office(21)
	s.Alert(alert("a", day(21, 9), name(1)))
	s.Reset(name(1), day(21, 9.5))
	s.Alert(alert("a", day(21, 9), name(1)))
	if got := s.Score(name(1), day(22, 0)); got.Points != 0 {
		t.Errorf("Score = %+v after Reset", got)
	}
	s.Alert(alert("b", day(21, 10), name(1)))
	if got := s.Score(name(1), day(22, 0)); got.Points == 0 {
		t.Error("nothing counts after Reset")
	}
}

// chaos makes a scorer that has seen a lot of unusual things, and lists the alerts.
func chaos(r *rand.Rand, s *risk.Scorer, from int) (alerts []string) {
	for n := range 400 {
		i, at := r.IntN(40), day(from, r.Float64()*24*6)
		a := usual(i, at)
		a.ID = fmt.Sprint("x", n)
		for _, change := range []func(){
			func() { a.Country = string(rune('A' + r.IntN(26))) }, func() { a.App = fmt.Sprint("app", r.IntN(9)) },
			func() { a.Class = fmt.Sprint("EVENT_", r.IntN(9)) }, func() { a.Range = fmt.Sprint("198.51.", r.IntN(99), ".0/24") },
			func() { a.Failed = true }, func() { a.Agent = fmt.Sprint("agent", r.IntN(4)) },
		} {
			if r.IntN(4) == 0 {
				change()
			}
		}
		s.Activity(a)
		if n%8 == 0 {
			v := alert(fmt.Sprint("alert", n), at, name(i))
			v.Type, v.Severity = fmt.Sprint(r.IntN(6)), formats.Severity(r.IntN(5))
			s.Alert(v)
			alerts = append(alerts, v.ID)
		}
	}
	return alerts
}

// TestPartsAddUp: the parts are the score to the hundredth, and each says what is left without it.
func TestPartsAddUp(t *testing.T) {
	for seed := range uint64(20) {
		s := office(14)
		chaos(rand.New(rand.NewPCG(seed, 3)), s, 14)
		now := day(20, 12)
		ranking := s.Ranking(now)
		if len(ranking) < 10 {
			t.Fatalf("seed %d: only %d users have a score", seed, len(ranking))
		}
		for _, r := range ranking {
			var sum risk.Points
			for _, p := range r.Parts {
				sum += p.Points
				if p.Points < 0 || p.Without > r.Points {
					t.Errorf("seed %d, %s: part %+v", seed, r.User, p)
				}
			}
			if sum != r.Points {
				t.Errorf("seed %d, %s: parts sum up to %d, score %d", seed, r.User, sum, r.Points)
			}
			if r.Bounded < 0 || r.Bounded > 100 || r.Percentile < 0 || r.Percentile > 100 {
				t.Errorf("seed %d, %s: bounded %v, percentile %v", seed, r.User, r.Bounded, r.Percentile)
			}
		}
	}
}

// TestClosing: what is left when an alert is closed is what its part said, and opening it again brings all back.
func TestClosing(t *testing.T) {
	s := office(14)
	chaos(rand.New(rand.NewPCG(5, 3)), s, 14)
	now, closed := day(20, 12), 0
	for _, r := range s.Ranking(now) {
		for _, p := range r.Parts {
			if !p.Alert {
				continue
			}
			closed++
			s.Close(p.ID, true)
			if got := s.Score(r.User, now).Points; got != p.Without {
				t.Errorf("%s without %s: %d, said %d", r.User, p.ID, got, p.Without)
			}
			s.Close(p.ID, false)
			if got := s.Score(r.User, now).Points; got != r.Points {
				t.Errorf("%s with %s again: %d, was %d", r.User, p.ID, got, r.Points)
			}
		}
	}
	if closed < 10 {
		t.Errorf("closed %d alerts, want some", closed)
	}
}

// TestRestore: a scorer that was written and read goes on like the one that wasn't.
func TestRestore(t *testing.T) {
	a := office(14)
	chaos(rand.New(rand.NewPCG(1, 3)), a, 14)
	b := risk.New(risk.Options{})
	for _, user := range a.Changed() {
		record, err := a.UserState(user)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.RestoreUser(record); err != nil {
			t.Fatal(err)
		}
	}
	record, err := a.WorldState()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.RestoreWorld(record); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*risk.Scorer{a, b} {
		chaos(rand.New(rand.NewPCG(2, 3)), s, 20)
		s.Close("alert8", true)
	}
	if diff := cmp.Diff(a.Ranking(day(26, 0)), b.Ranking(day(26, 0))); diff != "" {
		t.Errorf("-unbroken +restored:\n%s", diff)
	}
	if err := b.RestoreUser([]byte("nonsense")); err == nil {
		t.Error("RestoreUser took nonsense")
	}
	if err := b.RestoreWorld([]byte("nonsense")); err == nil {
		t.Error("RestoreWorld took nonsense")
	}
}

// TestAProfileIsBounded: whatever somebody does, no more is kept than a budget.
func TestAProfileIsBounded(t *testing.T) {
	s := office(10)
	r := rand.New(rand.NewPCG(1, 1))
	for n := range 50_000 {
		a := usual(1, day(10+n/5000, r.Float64()*24))
		text := strings.Repeat("x", 200) + fmt.Sprint(r.IntN(1e9))
		a.ID, a.App, a.Class, a.Agent, a.Range, a.Country, a.Tag, a.Device, a.Target = text, text, text, text, text, text, text, text, text
		s.Activity(a)
		v := alert(fmt.Sprint("v", n), a.At, name(1))
		v.Type, v.Title = text, text
		s.Alert(v)
	}
	record, err := s.UserState(name(1))
	if err != nil {
		t.Fatal(err)
	}
	if len(record) > 200<<10 {
		t.Errorf("a profile of %d bytes", len(record))
	}
}
