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

// What one alert keeps is bounded, whatever a service sends.
const (
	mostOfEach   = 100     // users, devices, … of one service
	mostMessages = 8       // different texts of one service, of which the first
	mostMessage  = 4 << 10 // bytes are searched
	mostEvidence = 64
)

// alertRecord is an alert as its table has it: what each service says and what operators did. What the alert as a whole
// shows is summed up when it is read, so that a service's part can join and leave.
type alertRecord struct {
	ID        string                      `cbor:"1,keyasint"`
	Revision  int64                       `cbor:"2,keyasint"`
	Type      string                      `cbor:"3,keyasint,omitempty"` // by the catalogue
	ManagedIn formats.Service             `cbor:"4,keyasint,omitempty"`
	Rule      string                      `cbor:"5,keyasint,omitempty"`
	Sightings []sighting                  `cbor:"6,keyasint"`
	Evidence  []dedup.Evidence            `cbor:"7,keyasint,omitempty"`
	RunnerUp  *dedup.Candidate            `cbor:"8,keyasint,omitempty"`
	Last      time.Time                   `cbor:"9,keyasint"`
	Drift     time.Time                   `cbor:"10,keyasint,omitzero"`
	Closures  map[formats.Service]Closure `cbor:"11,keyasint,omitempty"` // the services that have it closed
	Assigned  string                      `cbor:"12,keyasint,omitempty"`
	Read      bool                        `cbor:"13,keyasint,omitempty"`
	Comments  []Comment                   `cbor:"14,keyasint,omitempty"`
}

// sighting is what one service says of an alert, all its notifications together.
type sighting struct {
	Service    formats.Service  `cbor:"1,keyasint"`
	ID         string           `cbor:"2,keyasint,omitempty"`
	URL        string           `cbor:"3,keyasint,omitempty"`
	Title      string           `cbor:"4,keyasint,omitempty"`
	Severity   formats.Severity `cbor:"5,keyasint,omitempty"` // as it says now
	Highest    formats.Severity `cbor:"6,keyasint,omitempty"` // that it ever said
	First      time.Time        `cbor:"7,keyasint"`
	Last       time.Time        `cbor:"8,keyasint"`
	News       time.Time        `cbor:"9,keyasint"` // Last without resends
	Count      int              `cbor:"10,keyasint"`
	Updates    int              `cbor:"11,keyasint,omitempty"`
	Began      time.Time        `cbor:"12,keyasint"` // when what it tells did
	App        string           `cbor:"13,keyasint,omitempty"`
	Category   string           `cbor:"14,keyasint,omitempty"`
	Types      []string         `cbor:"15,keyasint,omitempty"` // its own words for the detection type
	Users      []spelling       `cbor:"16,keyasint,omitempty"`
	Devices    []string         `cbor:"17,keyasint,omitempty"`
	Addresses  []string         `cbor:"18,keyasint,omitempty"`
	Tactics    []string         `cbor:"19,keyasint,omitempty"`
	Techniques []string         `cbor:"20,keyasint,omitempty"`
	Policies   []string         `cbor:"21,keyasint,omitempty"`
	Messages   []string         `cbor:"22,keyasint,omitempty"`
	Key        dedup.EventKey   `cbor:"24,keyasint"`           // of its first notification
	Logged     []dedup.EventKey `cbor:"23,keyasint,omitempty"` // of the lines of the activity log that the alert is
}

// spelling is one in which an alert names somebody.
type spelling struct {
	Text string `cbor:"1,keyasint"`
	Name int64  `cbor:"2,keyasint"` // names.n
}

// sighting gives what a service says, nil where it says nothing.
func (r *alertRecord) sighting(s formats.Service) *sighting {
	for i := range r.Sightings {
		if r.Sightings[i].Service == s {
			return &r.Sightings[i]
		}
	}
	return nil
}

// managing is what the service says that the alert is managed in, or where that says nothing, who spoke first.
func (r *alertRecord) managing() *sighting {
	if s := r.sighting(r.ManagedIn); s != nil {
		return s
	}
	if len(r.Sightings) > 0 {
		return &r.Sightings[0]
	}
	return &sighting{}
}

// hear adds what a notification says that is no resend.
func (s *sighting) hear(n *formats.Notification, attack catalog.Attack, at time.Time) {
	set := func(to *string, value string) {
		if value != "" {
			*to = value
		}
	}
	s.ID, s.URL = cmp.Or(s.ID, n.ID), cmp.Or(s.URL, n.URL) // the first one may have been cut before them
	set(&s.Title, n.Title)
	set(&s.App, appOf(n))
	set(&s.Category, categoryOf(n))
	if n.Severity != formats.NoSeverity {
		s.Severity, s.Highest = n.Severity, max(s.Highest, n.Severity)
	}
	if began := beganOf(n, at); s.Began.IsZero() || began.Before(s.Began) {
		s.Began = began
	}
	s.News = at
	s.Types = union(s.Types, n.Type, n.Class)
	s.Devices = union(s.Devices, names(n.Devices)...)
	s.Addresses = union(s.Addresses, n.Addresses...)
	s.Policies = union(s.Policies, policiesOf(n)...)
	for _, t := range attack.Tactics {
		s.Tactics = union(s.Tactics, t.Name)
	}
	for _, t := range attack.Techniques {
		s.Techniques = union(s.Techniques, t.ID)
	}
	if len(s.Messages) < mostMessages {
		s.Messages = union(s.Messages, strings.ToValidUTF8(n.Message[:min(len(n.Message), mostMessage)], ""))
	}
}

// join adds what the same service said of an alert that turned out to be this one.
func (s *sighting) join(o *sighting) {
	first := *s
	if o.First.Before(s.First) {
		first = *o
	}
	s.Key = first.Key
	s.ID, s.URL = cmp.Or(first.ID, s.ID, o.ID), cmp.Or(first.URL, s.URL, o.URL)
	if o.News.After(s.News) {
		s.Title, s.Severity, s.App = cmp.Or(o.Title, s.Title), cmp.Or(o.Severity, s.Severity), cmp.Or(o.App, s.App)
		s.News = o.News
	}
	s.Highest, s.Category = max(s.Highest, o.Highest), cmp.Or(s.Category, o.Category)
	s.First, s.Last = earlier(s.First, o.First), later(s.Last, o.Last)
	s.Began = earlier(s.Began, o.Began)
	s.Count, s.Updates = s.Count+o.Count, s.Updates+o.Updates
	s.Types, s.Devices = union(s.Types, o.Types...), union(s.Devices, o.Devices...)
	s.Addresses, s.Policies = union(s.Addresses, o.Addresses...), union(s.Policies, o.Policies...)
	s.Tactics, s.Techniques = union(s.Tactics, o.Tactics...), union(s.Techniques, o.Techniques...)
	s.Messages, s.Logged = union(s.Messages, o.Messages...), append(s.Logged, o.Logged...)
	for _, u := range o.Users {
		s.name(u)
	}
}

// name adds a spelling.
func (s *sighting) name(u spelling) {
	if len(s.Users) < mostOfEach && !slices.ContainsFunc(s.Users, func(o spelling) bool { return filter.Fold(o.Text) == filter.Fold(u.Text) }) {
		s.Users = append(s.Users, u)
	}
}

// union adds the values that the list doesn't have in any letter case.
func union(list []string, values ...string) []string {
	for _, v := range values {
		if v == "" || len(list) >= mostOfEach {
			continue
		}
		folded := filter.Fold(v)
		if !slices.ContainsFunc(list, func(o string) bool { return filter.Fold(o) == folded }) {
			list = append(list, v)
		}
	}
	return list
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// beganOf is when what n tells began, which can't be after somebody told of it.
func beganOf(n *formats.Notification, at time.Time) time.Time {
	for _, t := range []time.Time{n.Start, n.Raised} {
		if !t.IsZero() && t.Before(at) {
			return t
		}
	}
	return at
}

// appOf is the application that the portal shows an alert under.
func appOf(n *formats.Notification) string {
	if n.Origin == formats.DefenderForIdentity {
		return "Active Directory"
	}
	return n.App
}

// policiesOf lists the policies that a notification names.
func policiesOf(n *formats.Notification) []string {
	var out []string
	for id := range strings.SplitSeq(n.Extra["policyIDs"], ",") {
		out = union(out, strings.TrimSpace(id))
	}
	if n.Service == formats.Sluice {
		out = union(out, n.Extra["policy"]) // by its name somebody finds what it raised
	}
	return out
}

// categoryOf is the risk category of Cloud App Security's queue, as far as the kind of alert tells it. That of an
// alert which a policy raised is its author's choice, and only our own policies say it.
func categoryOf(n *formats.Notification) string {
	if n.Service == formats.Sluice {
		return n.Extra["category"]
	}
	if n.Origin == formats.DefenderForIdentity || n.Origin == formats.IdentityProtection {
		return "Threat detection"
	}
	class := n.Class
	if i := strings.Index(class, "ALERT_"); i > 0 {
		class = class[i:]
	}
	for _, c := range [...]struct{ prefix, category string }{
		{"ALERT_CABINET_DISCOVERY_", "Cloud discovery"},
		{"ALERT_DISCOVERY_", "Cloud discovery"},
		{"ALERT_ADMIN_USER", "Privileged accounts"},
		{"ALERT_NEW_ADMIN_LOCATION", "Privileged accounts"},
		{"ALERT_ANUBIS_", "Threat detection"},
		{"ALERT_GEOLOCATION_", "Threat detection"},
		{"ALERT_COMPROMISED_ACCOUNT", "Threat detection"},
		{"ALERT_SUSPICIOUS_ACTIVITY", "Threat detection"},
		{"ALERT_ZOMBIE_USER", "Threat detection"},
	} {
		if strings.HasPrefix(class, c.prefix) {
			return c.category
		}
	}
	return ""
}
