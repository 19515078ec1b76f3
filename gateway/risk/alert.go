package risk

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/formats"
)

// Alert is one thing to handle, whatever the number of services that reported it.
type Alert struct {
	ID       string
	Users    []string // as Person spells them
	At       time.Time
	Type     string // one for all services that report it
	Title    string
	Severity formats.Severity
	Entities int // accounts and devices that are involved
}

// Alert takes an alert, or what is now known of one that was taken before: its users, its severity.
func (s *Scorer) Alert(a Alert) {
	s.retract(a.ID, a.Users)
	for _, name := range a.Users {
		if name == "" {
			continue
		}
		u := s.user(name)
		s.changed[name] = true
		if it := u.alert(a.ID); it != nil {
			s.reweigh(u, it, &a)
			continue
		}
		s.age(dayOf(a.At))
		u.keep(s.alertItem(u, &a))
		s.alerts[a.ID] = append(s.alerts[a.ID], name)
	}
}

// Withdraw forgets an alert that turned out to be part of another one.
func (s *Scorer) Withdraw(id string) { s.retract(id, nil) }

// retract takes the alert from the users that aren't among those.
func (s *Scorer) retract(id string, users []string) {
	old := s.alerts[id]
	for _, name := range old {
		if u := s.users[name]; !slices.Contains(users, name) {
			s.changed[name] = true
			u.Items = slices.DeleteFunc(u.Items, func(it item) bool { return it.Alert && it.ID == id })
		}
	}
	if left := slices.DeleteFunc(old, func(name string) bool { return !slices.Contains(users, name) }); len(left) > 0 {
		s.alerts[id] = left
	} else {
		delete(s.alerts, id)
	}
}

// Close takes the parts of an alert out of all scores, as it turned out to be nothing; false brings them back.
func (s *Scorer) Close(id string, closed bool) {
	for _, name := range s.alerts[id] {
		if it := s.users[name].alert(id); it != nil {
			it.Closed = closed
			s.changed[name] = true
		}
	}
}

// Reset starts a user's score anew. What is usual stays known.
func (s *Scorer) Reset(name string) {
	if u := s.users[name]; u != nil {
		u.Items = nil
		s.changed[name] = true
	}
}

func (u *user) alert(id string) *item {
	for i := range u.Items {
		if u.Items[i].Alert && u.Items[i].ID == id {
			return &u.Items[i]
		}
	}
	return nil
}

// alertItem judges how odd an alert of this type is for the user, as with a habit, and teaches it. A detection is
// the word of somebody who has looked, so it begins with bits of its own by its severity.
func (s *Scorer) alertItem(u *user, a *Alert) item {
	day := dayOf(a.At)
	key := hash(uint32(detection), a.Type)
	s.forgetAlerts(u, day)
	h, o := &u.Alerts, &s.world.Detections
	since := float32(1)
	if u.First > 0 && u.First < day {
		since = float32(min(day-u.First, 2*memory))
	}
	h.Total = max(h.Total, since) // days, on most of which there is none
	at := h.find(key)
	p := h.chance(detection, key, s.alertRate())
	all := s.having(s.whole, key)
	var words string
	if at < 0 {
		grade := rarity(s.having(u.peers, key), u.peers.members-1, all, s.whole.members-1)
		p *= o.Rare.asRare(grade, o.Fresh)
		o.add(true, grade)
		h.Fresh++
		words = fmt.Sprintf("the user's first of this type, which %d of %d others had in %d days", all, s.whole.members-1, kept)
	} else {
		words = fmt.Sprintf("the user had one of this type on %.0f days before", h.Values[at].Days)
	}
	if at < 0 || h.Values[at].Last != day {
		evicted, full := h.show(at, key, day, alertTypes)
		h.Total-- // days are counted, not alerts
		if full {
			s.hold(u, evicted, -1)
		}
		if at < 0 {
			s.hold(u, key, 1)
		}
	}
	it := item{
		ID: a.ID, Alert: true, At: a.At.Unix(), Day: day, Title: a.Title[:min(len(a.Title), mostText)],
		Found: []finding{{Feature: detection, Value: key, Surprise: int32(max(0, min(bitsOf(p), most)-threshold)), Words: words}},
	}
	s.reweigh(u, &it, a)
	return it
}

// forgetAlerts lets go the types of alerts that a user had long ago.
func (s *Scorer) forgetAlerts(u *user, day int32) {
	u.Alerts.Values = slices.DeleteFunc(u.Alerts.Values, func(v value) bool {
		if day-v.Last <= kept {
			return false
		}
		s.hold(u, v.Hash, -1)
		return true
	})
}

// alertTypes is how many types of alerts a profile keeps.
const alertTypes = 12

// alertRate is how often, a day, somebody has an alert of a type that is new to them.
func (s *Scorer) alertRate() float64 {
	return (float64(s.world.Detections.Fresh) + 1) / (float64(s.world.UserDays) + 500)
}

// reweigh gives the bits of an alert by what is known now.
func (s *Scorer) reweigh(u *user, it *item, a *Alert) {
	base := [...]int32{formats.NoSeverity: 300, formats.Informational: 0, formats.Low: 200, formats.Medium: 500, formats.High: 900}
	f := &it.Found[0]
	bits := f.Surprise + base[min(a.Severity, formats.High)]
	bits += 50 * int32(min(max(a.Entities-2, 0), 6))
	percent, impact := 100, ""
	for _, w := range []struct {
		is      bool
		percent int
		words   string
	}{{u.person.Sensitive, s.options.Sensitive, "a sensitive user's "}, {u.person.Admin, s.options.Admin, "an administrator's "}, {u.person.Watched, s.options.Watched, "a watched user's "}} {
		if w.is && w.percent > percent {
			percent, impact = w.percent, w.words
		}
	}
	f.Bits = bits * int32(percent) / 100
	_, rest, _ := strings.Cut(f.Words, "; ")
	f.Words = fmt.Sprintf("%s%s alert; %s", impact, a.Severity, cmp.Or(rest, f.Words))
	it.Title = cmp.Or(it.Title, a.Title)
}
