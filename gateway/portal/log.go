package portal

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// logPage is the activity log, with the line that is open.
type logPage struct {
	*list
	Lines    []model.Activity
	Activity *activity
	Lost     string
	Policies bool // the visitor may make one of the search
}

// activity is a line in full, with the searches that lead on from it.
type activity struct {
	model.Activity
	Fields []part
	Leads  []lead
	Bytes  string // as they were received; in hex where they are no text
	Cut    bool   // they were more
	Gone   bool   // the stream doesn't have them any more
}

// part is one field of a line; With is the filter that asks for it too.
type part struct{ Name, Value, With string }

// lead is a search for what belongs to a line.
type lead struct{ Name, Filter string }

func activityList(v *visit) *list { return v.newList(filter.Activities()) }

// activityLog shows the lines that fit, and the drawer.
func activityLog(v *visit) (any, error) {
	l := activityList(v)
	p := &logPage{list: l, Policies: v.May("create-policy")}
	if v.r.Header.Get("HX-Target") != "drawer" {
		if err := p.fill(v); err != nil {
			return nil, err
		}
	}
	if key := l.Open(); key != "" {
		a, err := v.m.Activity(v.r.Context(), key)
		switch {
		case errors.Is(err, model.ErrNotFound):
			p.Lost = "There is no such activity: it may be older than what is kept."
		case err != nil:
			return nil, err
		default:
			p.Activity = l.activity(&a)
			return p, p.Activity.received(v)
		}
	}
	return p, nil
}

// received reads the bytes that told the line: the stream has them, as long as it keeps anything.
func (a *activity) received(v *visit) error {
	n, err := v.Gateway.Received(v.r.Context(), &a.Activity)
	switch {
	case errors.Is(err, stream.ErrPurged), errors.Is(err, model.ErrNotFound):
		a.Gone = true
	case err != nil:
		return err
	default:
		a.Bytes, a.Cut = bytesOf(n.Raw), n.Truncated
	}
	return nil
}

func (p *logPage) fill(v *visit) (err error) {
	if p.Saved, err = v.saved("activities"); err != nil || p.Wrong != "" {
		return err
	}
	page, err := v.m.Activities(v.r.Context(), p.query(v))
	if err != nil {
		return err
	}
	p.Lines, p.Next = page.Items, page.Next
	p.Total, err = v.m.ActivityTotal(v.r.Context(), p.Filter)
	return err
}

// activityFacets counts what fits. The log asks for it when it is shown.
func activityFacets(v *visit) (any, error) {
	l := activityList(v)
	l.At.path = "/activities"
	if l.Wrong != "" {
		return &logPage{list: l}, nil
	}
	fields := []string{"service", "application", "action", "kind", "failed", "administrative", "severity", "source"}
	if len(l.Filter) > 0 {
		fields = append(fields, "user", "ip", "device", "policy") // of all lines they have too many values to be counted
	}
	return &logPage{list: l}, l.facets(v, 3, fields, v.m.ActivityFacets)
}

// Title names the line for the window's title.
func (a *activity) Title() string { return cut(80, a.Activity.Title) }

// activity makes the drawer of a line.
func (l *list) activity(a *model.Activity) *activity {
	out := &activity{Activity: *a}
	yes := map[bool]string{true: "yes"}
	user := ""
	if a.User != nil {
		user = a.User.Spelling
	}
	for _, f := range []struct{ field, value string }{
		{"kind", string(a.Kind)},
		{"service", string(a.Service)},
		{"application", a.App},
		{"type", a.Type},
		{"action", a.Action},
		{"failed", yes[a.Failed]},
		{"administrative", yes[a.Admin]},
		{"user", user},
		{"user_agent", a.Agent},
		{"source", a.Source},
		{"id", a.ID},
	} {
		out.add(l, f.field, f.value)
	}
	for _, f := range []struct {
		field  string
		values []string
	}{{"ip", a.Addresses}, {"device", a.Devices}, {"object", a.Objects}, {"policy", slices.Concat(a.Policies, a.Matched)}} {
		for _, value := range f.values {
			out.add(l, f.field, value)
		}
	}
	out.lead("Same user", "user", user)
	if len(a.Addresses) > 0 {
		out.lead("Same IP address", "ip", a.Addresses[0])
	}
	out.lead("Same type", "type", a.Type)
	around := filter.Filter{
		{Field: "time", Op: filter.AtLeast, Values: []string{a.Time.Add(-48 * time.Hour).UTC().Format(time.RFC3339)}},
		{Field: "time", Op: filter.AtMost, Values: []string{a.Time.Add(48 * time.Hour).UTC().Format(time.RFC3339)}},
	}
	if user != "" {
		around = append(filter.Filter{{Field: "user", Op: filter.Equals, Values: []string{user}}}, around...)
	}
	out.Leads = append(out.Leads, lead{"48 hours before and after", around.String()})
	return out
}

func (a *activity) add(l *list, field, value string) {
	if value == "" {
		return
	}
	with := filter.Filter{{Field: field, Op: filter.Equals, Values: []string{value}}}
	if l.Text != "" {
		with = append(append(filter.Filter{}, l.Filter...), with...)
	}
	a.Fields = append(a.Fields, part{fieldName(field), value, with.String()})
}

func (a *activity) lead(name, field, value string) {
	if value != "" {
		a.Leads = append(a.Leads, lead{name, filter.Filter{{Field: field, Op: filter.Equals, Values: []string{value}}}.String()})
	}
}

// queryDeed keeps the filter of a list, or forgets one that was kept.
func queryDeed(of string, shows func(*visit) *list) func(*visit) (*done, error) {
	return func(v *visit) (*done, error) {
		form := v.r.PostForm
		switch form.Get("do") {
		case "save_query":
			l := shows(v)
			text, err := l.shown()
			if err != nil {
				return nil, err
			}
			q := map[string]any{"name": strings.TrimSpace(form.Get("name")), "of": of, "filter": text, "sort": l.Sort, "shared": form.Get("shared") != ""}
			var saved model.SavedQuery
			return &done{did: "save"}, v.ask("POST", "/queries", q, &saved)
		case "drop_query":
			return &done{did: "drop"}, v.ask("DELETE", "/queries/"+segment(form.Get("query")), nil, nil, "If-Match", fmt.Sprintf("%q", form.Get("revision")))
		}
		return nil, wrong("This button isn't known.")
	}
}

// logDeed does what a button of the log says.
func logDeed(v *visit) (*done, error) {
	if err := v.r.ParseForm(); err != nil {
		return nil, wrong("the form can't be read: %v", err)
	}
	return queryDeed("activities", activityList)(v)
}
