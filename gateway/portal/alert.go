package portal

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// segment writes a value as one segment of a path.
func segment(s string) string { return url.PathEscape(s) }

// drawer is one alert in full.
type drawer struct {
	model.Alert
	Fields  []told
	People  []known // whom it names
	Told    []notice1
	History []model.Change
	Manage  string // where it is handled, by the managing service's own link
	Apart   string // how far apart in time the services' first notifications came
	Sent    bool   // the visitor may see what the targets get
}

// told is one field as each service tells it, in the order of the sightings.
type told struct {
	Name   string
	Values []string
	Times  []time.Time // instead, where the field is one
	Differ bool
}

// notice1 is one notification of the alert with what was decided, and whether it can be forwarded after all.
type notice1 struct {
	model.Notice
	Service string
	Bytes   string // as they were received; in hex where they are no text
	Can     bool
}

// drawer reads an alert and what was done to it.
func (v *visit) drawer(id string) (*drawer, error) {
	a, err := v.m.Alert(v.r.Context(), id)
	if err != nil {
		return nil, err
	}
	d := &drawer{Alert: a, Fields: sideBySide(a.Sightings), Sent: v.who.Scope.Whole()}
	if d.History, err = v.m.AlertHistory(v.r.Context(), a.ID, v.who.By()); err != nil {
		return nil, err
	}
	slices.Reverse(d.History)
	d.People = v.standings(persons(a.Users))
	may := v.May("forward-notification")
	for i := range a.Sightings {
		s := &a.Sightings[i]
		if s.Service == a.ManagedIn {
			d.Manage = web(s.URL)
		}
		for j := range s.Notices {
			n := &s.Notices[j]
			d.Told = append(d.Told, notice1{*n, string(s.Service), cmp.Or(n.Told.Raw, bytesOf(n.Told.Bytes)), may && n.Action == dedup.Suppress && n.Relation != dedup.Resend})
		}
	}
	slices.SortStableFunc(d.Told, func(a, b notice1) int { return a.Time.Compare(b.Time) })
	if len(a.Sightings) > 1 {
		d.Apart = since(a.Sightings[0].First, a.Sightings[1].First)
	}
	return d, nil
}

// AnyClosed says whether there is something to be opened again.
func (d *drawer) AnyClosed() bool {
	return slices.ContainsFunc(d.Sightings, func(s model.Sighting) bool { return s.Status == "closed" })
}

// persons are those who are named, each once, whatever the spellings.
func persons(named []model.Named) []model.Named {
	var out []model.Named
	for _, n := range named {
		if !slices.ContainsFunc(out, func(o model.Named) bool { return o.User == n.User && (n.User != "" || o.Spelling == n.Spelling) }) {
			out = append(out, n)
		}
	}
	return out
}

// Title names the alert for the window's title.
func (d *drawer) Title() string { return cut(80, d.Alert.Title) }

// bytesOf shows a message as it came; in hex where it is no text.
func bytesOf(raw []byte) string {
	if utf8.Valid(raw) {
		return string(raw)
	}
	return hex.Dump(raw)
}

// sideBySide compares what the services said last, field by field.
func sideBySide(sightings []model.Sighting) []told {
	said := make([]model.Told, len(sightings))
	for i := range sightings {
		if n := len(sightings[i].Notices); n > 0 {
			said[i] = sightings[i].Notices[n-1].Told
		}
	}
	rows := []struct {
		name string
		of   func(*model.Told) string
	}{
		{"Title", func(t *model.Told) string { return t.Title }},
		{"Its ID", func(t *model.Told) string { return t.ID }},
		{"Type", func(t *model.Told) string { return t.Type }},
		{"Severity", func(t *model.Told) string { return t.Severity.String() }},
		{"Users", func(t *model.Told) string { return strings.Join(t.Users, ", ") }},
		{"Devices", func(t *model.Told) string { return strings.Join(t.Devices, ", ") }},
		{"IP addresses", func(t *model.Told) string { return strings.Join(t.Addresses, ", ") }},
		{"Application", func(t *model.Told) string { return t.App }},
		{"Message", func(t *model.Told) string { return t.Message }},
	}
	var out []told
	for _, row := range rows {
		f := told{Name: row.name, Values: make([]string, len(said))}
		for i := range said {
			f.Values[i] = row.of(&said[i])
		}
		f.Differ = slices.ContainsFunc(f.Values, func(s string) bool { return s != f.Values[0] })
		if slices.ContainsFunc(f.Values, func(s string) bool { return s != "" }) {
			out = append(out, f)
		}
	}
	return slices.Concat(out, clocks(said), extras(said))
}

// clocks are the fields that are times.
func clocks(said []model.Told) []told {
	began, ended, received := told{Name: "Began"}, told{Name: "Ended"}, told{Name: "Received"}
	for i := range said {
		began.Times, ended.Times, received.Times = append(began.Times, said[i].Start), append(ended.Times, said[i].End), append(received.Times, said[i].Arrived)
	}
	var out []told
	for _, f := range []told{began, ended, received} {
		f.Differ = slices.ContainsFunc(f.Times, func(t time.Time) bool { return !t.Equal(f.Times[0]) })
		if slices.ContainsFunc(f.Times, func(t time.Time) bool { return !t.IsZero() }) {
			out = append(out, f)
		}
	}
	return out
}

// extras are the fields that have no place of their own.
func extras(said []model.Told) []told {
	names := map[string]bool{}
	for i := range said {
		for key := range said[i].Extra {
			names[key] = true
		}
	}
	var out []told
	for key := range names {
		f := told{Name: key, Values: make([]string, len(said))}
		for i := range said {
			f.Values[i] = said[i].Extra[key]
			f.Differ = f.Differ || f.Values[i] != f.Values[0]
		}
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b told) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// sentPage is a notification as each target gets it.
type sentPage struct {
	Alert string // whose notification it is
	Sent  []Sent
	Lost  string // why it can't be shown
}

// sent renders one for every target, in the target's format.
func sent(v *visit) (any, error) {
	q := v.r.URL.Query()
	p := &sentPage{Alert: q.Get("alert")}
	if !v.who.Scope.Whole() {
		p.Lost = "What the targets get tells of other services too, and you see " + v.who.Scope.String() + "."
		return p, nil
	}
	a, err := v.m.Alert(v.r.Context(), q.Get("alert"))
	if err != nil {
		return nil, err
	}
	for i := range a.Sightings {
		for _, n := range a.Sightings[i].Notices {
			if string(n.Key) != q.Get("key") {
				continue
			}
			if p.Sent, err = v.Gateway.Sent(v.r.Context(), n.At); errors.Is(err, stream.ErrPurged) {
				p.Lost, err = "The stream doesn't have it any more.", nil
			}
			return p, err
		}
	}
	return nil, fmt.Errorf("notification %.64q: %w", q.Get("key"), model.ErrNotFound)
}
