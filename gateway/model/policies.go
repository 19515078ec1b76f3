package model

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // for the hours of a policy, where the machine has none

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/risk"
)

// Activity policies judge every activity as it is folded, in the order of the stream. What they count and learn is
// in tables that change with the fold alone, so that a model that is made anew comes to the same judgements. That of
// a user goes by all names that are the user's at that time.
//
// A policy that compares with the past learns from the log when it is switched on, and from then on as it comes.

const (
	tooLate    = 7 * 24 * time.Hour // what comes so late is learned from and raises nothing: it is no news
	mostRaised = 100                // alerts of one policy in a day: beyond that it is the policy that needs attention
	hour       = int64(time.Hour / time.Millisecond)
	day        = 24 * hour
)

// The kinds of Beyond.
const (
	beyondVolume  = "volume"
	beyondNew     = "new"
	beyondDormant = "dormant"
)

// book is the policies as the folder has them, with what it remembers of their tables.
type book struct {
	policies []judged
	seen     map[int64]span   // of names
	past     map[pastKey]past //
	moved    unwritten
	told     map[string]bool  // IDs of what was raised
	warned   map[string]int64 // policies of which too much is raised, and on which day
	retained int64            // the day on which what is too old was deleted
}

// judged is a policy with its filter read.
type judged struct {
	ActivityPolicy
	filter  filter.Filter
	outside *clock
	who     bool // the filter asks for more of a user than the spelling
}

// policyBook reads the policies that there is something to do for.
func (f *folder) policyBook(ctx context.Context) (*book, error) {
	if f.policies != nil {
		return f.policies, nil
	}
	all, err := policies(ctx, f.conn)
	if err != nil {
		return nil, err
	}
	b := newBook()
	for _, p := range all {
		if !p.Enabled {
			continue // it learns when it is switched on
		}
		j, err := newJudged(p)
		if err != nil {
			f.m.log.Error("an activity policy can't be used", "policy", p.ID, "err", err)
			continue
		}
		b.policies = append(b.policies, j)
	}
	f.policies = b
	return b, nil
}

func newBook() *book {
	return &book{seen: map[int64]span{}, past: map[pastKey]past{}, moved: newUnwritten(), told: map[string]bool{}, warned: map[string]int64{}}
}

func newJudged(p ActivityPolicy) (judged, error) {
	f, err := filter.Activities().Parse(p.Filter)
	if err != nil {
		return judged{}, err
	}
	j := judged{ActivityPolicy: p, filter: f}
	j.who = slices.ContainsFunc(f, asksWho)
	// What has to be looked up comes last: most activities don't get that far.
	slices.SortStableFunc(j.filter, func(a, b filter.Condition) int { return rank(asksWho(a)) - rank(asksWho(b)) })
	if p.Outside != nil {
		j.outside, err = p.Outside.clock()
	}
	return j, err
}

func asksWho(c filter.Condition) bool {
	return c.Field == "user" && c.Op != filter.Set && c.Op != filter.NotSet || c.Field == "user_domain" || c.Field == "user_group" || c.Field == "user_score"
}

// judge has the policies judge an activity of that name, and gives the names and IDs of those for which it counts. It is
// called for every activity that is new, in the order of the stream.
func (f *folder) judge(ctx context.Context, name int64, a *Activity) (matched []string, err error) {
	b, err := f.policyBook(ctx)
	if err != nil {
		return nil, err
	}
	if today := millis(f.place.time) / day; today != b.retained {
		if err := f.retainPolicies(ctx); err != nil {
			return nil, err
		}
		b.retained = today
	}
	before, err := f.seeActive(ctx, name, millis(a.Time))
	if err != nil {
		return nil, err
	}
	for i := range b.policies {
		j := judgement{f: f, p: &b.policies[i], name: name, a: a, at: millis(a.Time), before: before}
		if err := j.judge(ctx); err != nil {
			return nil, fmt.Errorf("policy %s: %w", j.p.ID, err)
		}
		if j.counts {
			matched = append(matched, j.p.Name, j.p.ID)
		}
	}
	return matched, nil
}

// judgement is of one activity by one policy.
type judgement struct {
	f      *folder
	p      *judged
	name   int64
	a      *Activity
	at     int64
	before span // when the name was active before
	counts bool // it is one of those for which the policy raises an alert, or will when there are more
}

func (j *judgement) judge(ctx context.Context) error {
	if fits, err := j.fits(ctx); err != nil || !fits {
		return err
	}
	raises := j.p.Enabled && !j.a.Time.Before(j.f.place.time.Add(-tooLate))
	switch b := j.p.Beyond; {
	case b == nil:
		if raises {
			return j.hit(ctx, "")
		}
	case b.What == beyondVolume:
		return j.volume(ctx, raises)
	case b.What == beyondNew:
		return j.isNew(ctx, raises)
	case raises:
		return j.dormant(ctx)
	}
	return nil
}

func (j *judgement) fits(ctx context.Context) (bool, error) {
	var failed error
	fits := j.p.filter.Match(j.a.Time, func(field string) []string {
		values, err := j.values(ctx, field)
		if err != nil {
			failed = err
		}
		return values
	})
	if j.p.outside != nil && !j.p.outside.outside(j.a.Time) {
		fits = false
	}
	return fits, failed
}

// values are what the activity says of a field, as the log's filters have it.
func (j *judgement) values(ctx context.Context, field string) ([]string, error) {
	a := j.a
	yesNo := map[bool]string{true: "yes", false: "no"}
	switch field {
	case "id":
		return some(a.ID), nil
	case "kind":
		return some(string(a.Kind)), nil
	case "type":
		return some(a.Type), nil
	case "action":
		return some(a.Action), nil
	case "failed":
		return some(yesNo[a.Failed]), nil
	case "administrative":
		return some(yesNo[a.Admin]), nil
	case "application":
		return some(a.App), nil
	case "service":
		return some(string(a.Service)), nil
	case "source":
		return some(a.Source), nil
	case "ip":
		return a.Addresses, nil
	case "device":
		return a.Devices, nil
	case "user_agent":
		return some(a.Agent), nil
	case "object":
		return a.Objects, nil
	case "policy":
		return a.Policies, nil
	case "severity":
		if a.Severity == formats.NoSeverity {
			return nil, nil
		}
		return some(a.Severity.String()), nil
	case "title":
		return some(a.Title), nil
	case "text":
		return a.texts(), nil
	case "user", "user_domain", "user_group":
		return j.whoValues(ctx, field)
	case "user_score":
		return j.score(ctx)
	}
	return nil, nil
}

// score is the user's investigation priority with this activity; in a preview, what it is now.
func (j *judgement) score(ctx context.Context) ([]string, error) {
	if j.name == 0 {
		return nil, nil
	}
	var points risk.Points
	if p := j.f.priority; p != nil {
		by, err := p.f.people.owner(ctx, j.name)
		if err != nil {
			return nil, err
		}
		points, _ = p.scorer().Standing(by.id, j.f.place.time)
	} else if _, err := j.f.row(ctx, "SELECT s.points FROM names x JOIN persons p ON p.n = x.person JOIN scores s ON s.user = p.id WHERE x.n = ?",
		[]any{j.name}, &points); err != nil {
		return nil, err
	}
	return some(strconv.FormatFloat(points.Float(), 'f', -1, 64)), nil
}

func some(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

// whoValues are all that the user is called, or the domains or groups.
func (j *judgement) whoValues(ctx context.Context, field string) ([]string, error) {
	if j.a.User == nil {
		return nil, nil
	}
	if field == "user" && !j.p.who {
		return []string{j.a.User.Spelling}, nil
	}
	query := map[string]string{
		"user": "SELECT n.folded FROM names n WHERE n.person = ?1 UNION SELECT p.folded FROM persons p WHERE p.n = ?1 " +
			"UNION SELECT p.upn_folded FROM persons p WHERE p.n = ?1 AND p.upn_folded IS NOT NULL",
		"user_domain": "SELECT n.domain FROM names n WHERE n.person = ?1 AND n.domain IS NOT NULL",
		"user_group":  "SELECT g.folded FROM names n JOIN directory_groups g ON g.identity = n.identity WHERE n.person = ?1",
	}[field]
	person, err := j.person(ctx)
	if err != nil || person == 0 {
		return nil, err
	}
	return j.f.column(ctx, query, person)
}

// person is whose the name is, 0 where nobody is named.
func (j *judgement) person(ctx context.Context) (n int64, err error) {
	if j.name != 0 {
		_, err = j.f.row(ctx, "SELECT person FROM names WHERE n = ?", []any{j.name}, &n)
	}
	return n, err
}

// theirNames is a query of all names of the user that a name is of.
const theirNames = "(SELECT o.n FROM names x JOIN names o ON o.person = x.person WHERE x.n = ?)"

// clock is hours, read.
type clock struct {
	days     [7]bool
	from, to int // minutes of the day
	zone     *time.Location
}

func (h *Hours) clock() (*clock, error) {
	c := &clock{}
	var err error
	if h.Zone == "" || strings.EqualFold(h.Zone, "local") { // whose?
		return nil, fmt.Errorf("the hours have no zone, such as UTC or Europe/Berlin")
	}
	if c.zone, err = time.LoadLocation(h.Zone); err != nil {
		return nil, fmt.Errorf("the hours' zone %q isn't known", h.Zone)
	}
	if len(h.Days) == 0 {
		return nil, fmt.Errorf("the hours have no days")
	}
	for _, d := range h.Days {
		i := slices.Index([]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}, d)
		if i < 0 {
			return nil, fmt.Errorf("a day is mon, tue, wed, thu, fri, sat or sun, not %q", d)
		}
		c.days[i] = true
	}
	for _, x := range []struct {
		text string
		to   *int
	}{{h.From, &c.from}, {h.To, &c.to}} {
		t, err := time.Parse("15:04", x.text)
		if err != nil {
			return nil, fmt.Errorf("the hours are from and to such as 07:00, not %q", x.text)
		}
		*x.to = t.Hour()*60 + t.Minute()
	}
	if c.from >= c.to {
		return nil, fmt.Errorf("the hours end at %s, before they begin at %s", h.To, h.From)
	}
	return c, nil
}

func (c *clock) outside(t time.Time) bool {
	t = t.In(c.zone)
	minute := t.Hour()*60 + t.Minute()
	return !c.days[t.Weekday()] || minute < c.from || minute >= c.to
}

// forgetPolicy deletes what a policy counted and learned.
func (f *folder) forgetPolicy(ctx context.Context, id string) error {
	for _, table := range []string{"policy_hits", "policy_past", "policy_usual"} {
		if err := f.exec(ctx, "DELETE FROM "+table+" WHERE policy = ?", id); err != nil {
			return err
		}
	}
	return nil
}

// retainPolicies deletes what no policy looks at any more.
func (f *folder) retainPolicies(ctx context.Context) error {
	if err := f.flushPolicies(ctx); err != nil {
		return err
	}
	clear(f.policies.past)
	clear(f.policies.seen)
	now := millis(f.place.time)
	for _, d := range []struct {
		query string
		age   int64
	}{
		{"DELETE FROM policy_hits WHERE time < ?", 2 * int64(mostWithin/time.Millisecond)},
		{"DELETE FROM policy_past WHERE last < ?", (mostPast + 10) * day},
		{"DELETE FROM policy_seen WHERE last < ?", 2 * 365 * day},
		{"DELETE FROM raised WHERE noted < ?", 2 * 365 * day},
	} {
		if err := f.exec(ctx, d.query, now-d.age); err != nil {
			return err
		}
	}
	return f.exec(ctx, "DELETE FROM policy_usual WHERE day < ?", now/day-mostPast)
}
