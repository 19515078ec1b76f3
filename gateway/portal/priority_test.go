package portal

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/model"
)

func TestDraught(t *testing.T) {
	now := time.Date(2026, 3, 1, 23, 30, 0, 0, time.FixedZone("", -3600)) // which is the second of March in UTC
	day := func(date string, score float64) model.PriorityDay {
		return model.PriorityDay{Date: date, Score: score}
	}
	for _, tt := range []struct {
		name   string
		before []model.PriorityDay
		score  float64
		words  string
		today  float64
		points string // of the line, that it has
	}{
		{"nothing", nil, 0, "No score on any of the last 30 days.", 0, ""},
		{"today alone", nil, 4, "The score on the last 30 days: 4.00 today, none on 29 days before.", 4, "M0 48.0L10 48.0"},
		{"more before", []model.PriorityDay{day("2026-02-28", 8), day("2026-03-01", 6)}, 4, "The score on the last 30 days: 4.00 today, at most 8.00 on 2026-02-28, none on 27 days before.", 26, "L270 4.0L280 15.0L290 26.0"},
		{"none today", []model.PriorityDay{day("2026-03-01", 2)}, 0, "The score on the last 30 days: 0.00 today, at most 2.00 on 2026-03-01, none on 28 days before.", 48, "L270 48.0L280 4.0L290 48.0"},
		{"the first of the 30", []model.PriorityDay{day("2026-02-01", 2), day("2026-01-31", 9)}, 1, "The score on the last 30 days: 1.00 today, at most 2.00 on 2026-02-01, none on 28 days before.", 26, "M0 4.0L10 48.0"},
	} {
		got := draught(tt.before, now, tt.score)
		if got.Words != tt.words || got.Today != tt.today || !strings.Contains(got.Line, tt.points) {
			t.Errorf("%s: %+v, want %q, today at %v, with %s", tt.name, got, tt.words, tt.today, tt.points)
		}
		if n := strings.Count(got.Line, "L") + 1; tt.points != "" && (n != sparkDays || got.Area != got.Line+"V48H0Z") {
			t.Errorf("%s: %d days in %+v", tt.name, n, got)
		}
	}
}

// rendered is a page of a view as people with all rights see it, without the space between lines.
func rendered(t *testing.T, name string, view any) string {
	t.Helper()
	var out bytes.Buffer
	f := frame{Here: "/here", View: view, May: func(string) bool { return true }}
	if err := parse()[name].ExecuteTemplate(&out, "page", f); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestWhatTheUserPageSaysOfTheScore(t *testing.T) {
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	part := func(title, to string) scorePart {
		reason := model.PriorityReason{Text: "first time from <b>there</b>", Bits: 7.06}
		return scorePart{model.PriorityPart{Kind: formats.Activity, Title: title, Time: at, Score: 1.5, Without: 3.25, Reasons: []model.PriorityReason{reason}}, to}
	}
	high := model.Priority{Score: 4.75, Bounded: 1.2, Percentile: 90, Red: true}
	scored := model.Priority{Score: 4.75, Bounded: 1.2, Percentile: 89.99}
	reset := model.ScoreReset{Time: at, By: "<i>ida</i>", Why: "a <u>trip</u>"}
	again := scored
	again.Resets = []model.ScoreReset{reset}
	const button = `value="reset"`
	for _, tt := range []struct {
		name   string
		p      priority
		has    []string
		hasNot []string
	}{
		{"being read", priority{Reading: true}, []string{"still being read", "Timeline", "Names"}, []string{"0.00", button, "made of", "<svg"}},
		{"no score", priority{Spark: draught(nil, at, 0)}, []string{"<dd>0.00</dd>", "No score on any"}, []string{button, "made of", "<svg", "Percentile"}},
		{
			"red",
			priority{Priority: high, Spark: draught(nil, at, 4.75), Most: []scorePart{part("A", "/activities?open=x")}, Reset: true},
			[]string{"▲ 90 <small>red", `<b class="points">4.75</b> is the sum`, button, "<svg", `href="/activities?open=x"`, "7.1 bits", "would be 3.25."},
			[]string{"not licensed", "not kept"},
		},
		{"not red, and not to be reset", priority{Priority: scored, Most: []scorePart{part("A", "")}}, []string{"<dd>89.99</dd>", "not kept any more"}, []string{"▲", button, "data-open", "smaller"}},
		{
			"words of others",
			priority{Priority: again, Most: []scorePart{part(`<script>x</script>`, "/alerts?open=x")}},
			[]string{"&lt;script&gt;x", "first time from &lt;b&gt;there", "&lt;i&gt;ida", "a &lt;u&gt;trip"},
			[]string{"<script>", "<b>there", "<u>"},
		},
		{
			"many parts",
			priority{Priority: scored, Most: []scorePart{part("A", "/x")}, Rest: []scorePart{part("B", "/y"), part("C", "/z")}},
			[]string{"2 smaller parts, 3.00 together", "/y", "/z"},
			nil,
		},
		{"a reset and nothing since", priority{Priority: model.Priority{Resets: []model.ScoreReset{reset}}}, []string{"Nothing counts now.", "Resets"}, []string{button}},
		{"unlicensed", priority{Missing: []string{"entra_id_protection"}}, []string{"is not licensed here: what only it could tell is missing in the score"}, nil},
	} {
		page := rendered(t, "user", &userPage{list: &list{}, Priority: &tt.p})
		for _, s := range tt.has {
			if !strings.Contains(page, s) {
				t.Errorf("%s: no %q in\n%s", tt.name, s, page)
			}
		}
		for _, s := range tt.hasNot {
			if strings.Contains(page, s) {
				t.Errorf("%s: %q is there, too, in\n%s", tt.name, s, page)
			}
		}
	}
}

func TestWhatTheListOfUsersSaysOfScores(t *testing.T) {
	for _, tt := range []struct {
		user model.User
		has  string
		red  bool
	}{
		{model.User{}, "no score", false},
		{model.User{Score: 12, Bounded: 4.375, Percentile: 100}, `<b class="points">12.00</b> <small>4.38 of 100</small>`, true},
		{model.User{Score: 12, Percentile: 90}, "12.00", true},
		{model.User{Score: 12, Percentile: 89.99}, "12.00", false},
	} {
		page := rendered(t, "users", &usersPage{list: &list{At: address{"/users", url.Values{}}}, Users: []model.User{tt.user}})
		if !strings.Contains(page, tt.has) || strings.Contains(page, `class="red"`) != tt.red || strings.Contains(page, ", red</span>") != tt.red {
			t.Errorf("%+v: want %q, red %v, in\n%s", tt.user, tt.has, tt.red, page)
		}
	}
}

func TestOrdersOfUsers(t *testing.T) {
	for sort, want := range map[string][]order{
		"":         {{"Investigation priority", "/users?sort=score", "descending"}, {"User", "/users?sort=display", ""}, {"Last seen", "/users?sort=-time", ""}},
		"-score":   {{"Investigation priority", "/users?sort=score", "descending"}, {"User", "/users?sort=display", ""}, {"Last seen", "/users?sort=-time", ""}},
		"score":    {{"Investigation priority", "/users?sort=-score", "ascending"}, {"User", "/users?sort=display", ""}, {"Last seen", "/users?sort=-time", ""}},
		"display":  {{"Investigation priority", "/users?sort=-score", ""}, {"User", "/users?sort=-display", "ascending"}, {"Last seen", "/users?sort=-time", ""}},
		"-display": {{"Investigation priority", "/users?sort=-score", ""}, {"User", "/users?sort=display", "descending"}, {"Last seen", "/users?sort=-time", ""}},
		"-time":    {{"Investigation priority", "/users?sort=-score", ""}, {"User", "/users?sort=display", ""}, {"Last seen", "/users?sort=time", "descending"}},
	} {
		p := usersPage{list: &list{At: address{"/users", url.Values{"cursor": {"old"}}}, Sort: sort}}
		got, err := p.Orders()
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("sorted by %q (-want +got): %v\n%s", sort, err, diff)
		}
	}
}

func TestTheDrawerSaysWhereUsersStand(t *testing.T) {
	d := &drawer{People: []known{{model.Named{Spelling: "a", User: "u1", Display: "Anna <b>"}, 36.15}, {model.Named{Spelling: "b", User: "u2"}, 0}, {model.Named{Spelling: "nobody"}, 0}}}
	for i := range 12 {
		d.People = append(d.People, known{model.Named{Spelling: fmt.Sprint("more", i)}, 0})
	}
	page := rendered(t, "alerts", &queuePage{list: &list{}, Alert: d})
	_, people, _ := strings.Cut(page, "Users: ")
	people, _, _ = strings.Cut(people, "</p>")
	const score = ` <small class="points" title="investigation priority">score 36.15</small>`
	want := `<a href="/users/u1">Anna &lt;b&gt;</a>` + score + `, <a href="/users/u2">b</a>, nobody`
	if !strings.HasPrefix(people, want+", more0, ") || !strings.HasSuffix(people, "more8 +3") {
		t.Errorf("%s, want %s…", people, want)
	}
}
