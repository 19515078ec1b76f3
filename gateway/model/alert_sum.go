package model

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/catalog"
)

// alert sums a record up. Who the names belong to is not in it.
func (r *alertRecord) alert(c *catalog.Catalog) Alert {
	lead := r.managing()
	a := Alert{
		ID: r.ID, Revision: r.Revision, Status: r.status(), Title: lead.Title, Type: r.typ(), App: lead.App, Category: lead.Category,
		Severity: r.severity(), First: r.first(), Last: r.Last, ManagedIn: r.ManagedIn, Rule: r.Rule,
		Evidence: r.Evidence, RunnerUp: r.RunnerUp, Drift: r.Drift, Assigned: r.Assigned, Read: r.Read, Closure: r.closure(),
		Comments: r.Comments, Users: []Named{}, Devices: []string{}, Addresses: []string{}, Tactics: []string{}, Techniques: []string{},
		Policies: []string{}, Sightings: []Sighting{},
	}
	if spelt := c.Names(r.Type); len(spelt) > 0 {
		a.Detection = &Detection{Type: r.Type, Names: spelt}
	}
	for _, u := range r.users() {
		a.Users = append(a.Users, Named{Spelling: u.Text})
	}
	for _, s := range r.ordered() {
		a.Count += s.Count
		a.Title, a.App, a.Category = cmp.Or(a.Title, s.Title), cmp.Or(a.App, s.App), cmp.Or(a.Category, s.Category)
		a.Devices, a.Addresses = union(a.Devices, s.Devices...), union(a.Addresses, s.Addresses...)
		a.Tactics, a.Techniques = union(a.Tactics, s.Tactics...), union(a.Techniques, s.Techniques...)
		a.Policies = union(a.Policies, s.Policies...)
		shown := Sighting{
			Service: s.Service, ID: s.ID, URL: s.URL, Title: s.Title, Severity: s.Severity, Status: "open",
			First: s.First, Last: s.Last, Count: s.Count, Updates: s.Updates,
		}
		if c, closed := r.Closures[s.Service]; closed {
			shown.Status, shown.Closure = "closed", &c
		}
		a.Sightings = append(a.Sightings, shown)
	}
	if a.Evidence == nil {
		a.Evidence = []dedup.Evidence{}
	}
	if a.Comments == nil {
		a.Comments = []Comment{}
	}
	return a
}

// ordered are the sightings, the managing service's first.
func (r *alertRecord) ordered() []*sighting {
	out := make([]*sighting, len(r.Sightings))
	for i := range r.Sightings {
		out[i] = &r.Sightings[i]
	}
	slices.SortStableFunc(out, func(a, b *sighting) int {
		return cmp.Compare(rank(b.Service == r.ManagedIn), rank(a.Service == r.ManagedIn))
	})
	return out
}

func rank(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (r *alertRecord) users() []spelling {
	var all sighting
	for _, s := range r.ordered() {
		for _, u := range s.Users {
			all.name(u)
		}
	}
	return all.Users
}

// typ is the detection type: of the catalogue, else the service's own.
func (r *alertRecord) typ() string {
	if types := r.managing().Types; r.Type == "" && len(types) > 0 {
		return types[0]
	}
	return r.Type
}

func (r *alertRecord) severity() formats.Severity {
	highest := formats.NoSeverity
	for i := range r.Sightings {
		highest = max(highest, r.Sightings[i].Highest)
	}
	return highest
}

func (r *alertRecord) first() time.Time {
	first := r.Last
	for i := range r.Sightings {
		first = earlier(first, r.Sightings[i].Began)
	}
	return first
}

// fieldAnybody is a field of alert_terms alone, set where an alert names anybody. Who that is is in alert_names.
const fieldAnybody field = 100

// anybody gives one text where the alert names somebody, none where it doesn't.
func (r *alertRecord) anybody() []string {
	if len(r.users()) > 0 {
		return []string{"yes"}
	}
	return nil
}

// fielded is a text of an alert under its field.
type fielded struct {
	field field
	text  string
	also  bool // the alert is found by it, but not counted under it
}

// texts lists what filters ask for, an empty text for what isn't set.
func (r *alertRecord) texts(c *catalog.Catalog) []fielded {
	a := r.alert(c)
	var out []fielded
	add := func(at field, values ...string) {
		values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" })
		if len(values) == 0 {
			out = append(out, fielded{field: at})
		}
		for _, v := range values {
			out = append(out, fielded{field: at, text: v})
		}
	}
	var services []string
	for _, s := range a.Sightings {
		services = append(services, string(s.Service))
	}
	add(fieldService, services...)
	add(fieldManagedIn, string(a.ManagedIn))
	add(fieldApp, a.App)
	add(fieldType, a.Type)
	add(fieldTitle, a.Title)
	add(fieldCategory, a.Category)
	add(fieldAssigned, a.Assigned)
	add(fieldIP, a.Addresses...)
	add(fieldDevice, a.Devices...)
	add(fieldPolicy, a.Policies...)
	add(fieldTactic, a.Tactics...)
	add(fieldTechnique, a.Techniques...)
	add(fieldAnybody, r.anybody()...)
	for i := range r.Sightings {
		s := &r.Sightings[i]
		for _, t := range s.Types {
			out = append(out, fielded{fieldType, t, true})
		}
		out = append(out, fielded{fieldTitle, s.Title, true}, fielded{fieldApp, s.App, true}, fielded{fieldCategory, s.Category, true})
	}
	return slices.DeleteFunc(out, func(f fielded) bool { return f.also && f.text == "" })
}

// words is what a search in the text looks through: the words of each text as filters divide it, and # between two.
func (r *alertRecord) words() string {
	var texts []string
	for i := range r.Sightings {
		s := &r.Sightings[i]
		texts = union(texts, s.Title)
		texts = append(append(append(texts, s.Messages...), s.Devices...), s.Addresses...)
		for _, u := range s.Users {
			texts = append(texts, u.Text)
		}
	}
	for i := range texts {
		texts[i] = strings.Join(filter.Words(texts[i]), " ")
	}
	return strings.Join(texts, " # ")
}
