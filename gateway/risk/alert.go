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
	ID       string           `cbor:"1,keyasint"`
	Users    []string         `cbor:"2,keyasint,omitempty"` // as Person spells them
	At       time.Time        `cbor:"3,keyasint"`           // to the second, as News
	News     time.Time        `cbor:"4,keyasint"`           // when something new was last said of it; for who was reset before, it counts again
	Type     string           `cbor:"5,keyasint,omitempty"` // one for all services that report it
	Title    string           `cbor:"6,keyasint,omitempty"`
	Severity formats.Severity `cbor:"7,keyasint,omitempty"`
	Entities int              `cbor:"8,keyasint,omitempty"` // accounts and devices that are involved
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
			it.reweigh(&a)
			continue
		}
		if a.News.Unix() <= u.Since || s.world.Day-dayOf(a.At) > days {
			continue // it was looked at, or is over
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
		if u := s.users[name]; u != nil && !slices.Contains(users, name) {
			s.changed[name] = true
			if it := u.alert(id); it != nil {
				gone := *it
				u.Items = slices.DeleteFunc(u.Items, func(it item) bool { return it.Alert && it.ID == id })
				s.unlearn(u, &gone)
			}
		}
	}
	if left := slices.DeleteFunc(old, func(name string) bool { return !slices.Contains(users, name) }); len(left) > 0 {
		s.alerts[id] = left
	} else {
		delete(s.alerts, id)
	}
}

// unlearn takes back what an alert taught that isn't the user's any more, unless another one of the day teaches it too: the
// alert that it is a part of is to be the user's first of its type again.
func (s *Scorer) unlearn(u *user, gone *item) {
	key, h := gone.Found[0].Value, &u.Alerts
	at := h.find(key)
	if at < 0 || h.Values[at].Last != gone.Day ||
		slices.ContainsFunc(u.Items, func(it item) bool { return it.Alert && it.Day == gone.Day && it.Found[0].Value == key }) {
		return
	}
	if h.Values[at].Days > 1 {
		h.Values[at].Days--
		return
	}
	h.Values = slices.Delete(h.Values, at, at+1)
	h.Fresh = max(0, h.Fresh-1)
	s.hold(u, key, -1)
	s.world.Detections.remove(rarity(s.having(u.peers, key), u.peers.members-1, s.having(s.whole, key), s.whole.members-1))
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

// Reset starts a user's score anew at a time. What is usual stays known.
func (s *Scorer) Reset(name string, at time.Time) {
	if u := s.users[name]; u != nil {
		u.Items, u.Since = nil, at.Unix()
		s.changed[name] = true
	}
}

// alert finds the part of an alert; there is none of somebody who was joined with somebody else.
func (u *user) alert(id string) *item {
	if u == nil {
		return nil
	}
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
	} else if before := h.Values[at].Days; h.Values[at].Last != day {
		words = "the user had one of this type " + daysBefore(before)
	} else if before > 1 {
		words = "the user had another of this type that day, and one " + daysBefore(before-1)
	} else {
		words = "the user had another of this type that day, the first"
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
		ID: a.ID, Alert: true, At: a.At.Unix(), Day: day, Title: clip(a.Title),
		Found: []finding{{Feature: detection, Value: key, Surprise: int32(max(0, min(bitsOf(p), most)-threshold)), Words: words}},
	}
	it.reweigh(a)
	return it
}

// daysBefore says on how many days there was one, of a count that fades: there was one at least.
func daysBefore(n float32) string {
	if n < 1.5 {
		return "on 1 day before"
	}
	return fmt.Sprintf("on %.0f days before", n)
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
func (it *item) reweigh(a *Alert) {
	base := [...]int32{formats.NoSeverity: 300, formats.Informational: 0, formats.Low: 200, formats.Medium: 500, formats.High: 900}
	f := &it.Found[0]
	f.Bits = f.Surprise + base[min(a.Severity, formats.High)] + 50*int32(min(max(a.Entities-2, 0), 6))
	_, rest, _ := strings.Cut(f.Words, "; ")
	f.Words = fmt.Sprintf("%s alert; %s", a.Severity, cmp.Or(rest, f.Words))
	it.Title = cmp.Or(it.Title, clip(a.Title))
}

// impact is what an alert weighs more for a user whom an attack would hurt more, in percent, and in words why.
func (s *Scorer) impact(p Person) (percent int, words string) {
	percent = 100
	for _, w := range []struct {
		is      bool
		percent int
		words   string
	}{{p.Sensitive, s.options.Sensitive, "a sensitive user's "}, {p.Admin, s.options.Admin, "an administrator's "}, {p.Watched, s.options.Watched, "a watched user's "}} {
		if w.is && w.percent > percent {
			percent, words = w.percent, w.words
		}
	}
	return percent, words
}

// forUser is an alert's finding with the impact of the user whose it is: that may change from one day to the next.
func (s *Scorer) forUser(it *item, p Person) *item {
	percent, words := s.impact(p)
	if !it.Alert || percent == 100 {
		return it
	}
	weighed := *it
	f := it.Found[0]
	f.Bits, f.Words = f.Bits*int32(percent)/100, words+f.Words
	weighed.Found = []finding{f}
	return &weighed
}
