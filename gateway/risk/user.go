package risk

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// user is everything that is kept of one.
type user struct {
	peers *group

	Name    string          `cbor:"1,keyasint"`
	First   int32           `cbor:"2,keyasint,omitempty"` // day of the first activity; 0 before it
	Day     int32           `cbor:"3,keyasint,omitempty"` // of the latest activity
	Seen    int32           `cbor:"4,keyasint,omitempty"` // days with an activity
	Habits  [features]habit `cbor:"5,keyasint"`
	Volumes []amount        `cbor:"6,keyasint,omitempty"`
	Alerts  habit           `cbor:"7,keyasint"`
	Active  float32         `cbor:"13,keyasint,omitempty"` // days with an activity, decayed as the habits are
	Items   []item          `cbor:"8,keyasint,omitempty"`  // of the last days, in order of time
	Place   uint32          `cbor:"9,keyasint,omitempty"`  // country of the latest activity that has one
	Placed  int64           `cbor:"10,keyasint,omitempty"` // and when that was, in seconds
	Refused uint32          `cbor:"12,keyasint,omitempty"` // range from which something failed last, today
	Person  Person          `cbor:"11,keyasint"`
	Since   int64           `cbor:"14,keyasint,omitempty"` // when the score was reset, in seconds
}

// threshold is how many hundredths of a bit are expected of anybody now and then, and count for nothing.
const threshold = 500

// most is what one finding may be, in hundredths of a bit, before the threshold: beyond that a small sample says
// nothing reliable.
const most = 1600

// Activity takes what somebody did. Its time may lie before that of the ones before it, which are then of the
// same day.
func (s *Scorer) Activity(a Activity) {
	if a.User == "" {
		return
	}
	u := s.user(a.User)
	if a.Failed && u.First == 0 { // anybody can try an account that nobody uses yet
		s.spray(u, &a, dayOf(a.At))
		return
	}
	s.changed[u.Name] = true
	day := s.enter(u, dayOf(a.At))
	known, learning := s.knows(u, day), day-s.world.First < int32(s.options.Learning)
	var found []finding
	add := func(f feature, bits int, words string) {
		if !learning && bits > threshold {
			found = append(found, finding{Feature: f, Bits: int32(min(bits, most) - threshold), Words: words})
		}
	}
	bits, words := s.spray(u, &a, day)
	add(spray, bits, words)
	for f := range features {
		if a.Failed && f.sort() != what {
			continue
		}
		if bits, words := s.habit(u, f, &a, day, known); bits > 0 {
			add(f, bits, words)
		}
	}
	s.record(u, &a, day, oddest(found))
	for i, key := range [...]string{a.Class, ""} {
		if bits, words := s.volume(u, key, i == 1); known && !learning {
			s.grow(u, &a, day, hash(uint32(volume), key), bits-threshold, words)
		}
	}
}

// knows says whether enough is known of a user to be surprised by comparison with the days before. Of others only
// what is rare in the whole organisation is odd: somebody new comes from where the others do, and who took over an
// account that nobody used may not.
func (s *Scorer) knows(u *user, day int32) bool {
	return day-u.First >= int32(s.options.Learning) && u.Seen >= 3
}

// enter opens the day of an activity, where it is a new one, and gives the day that counts.
func (s *Scorer) enter(u *user, day int32) int32 {
	s.age(day)
	if u.First == 0 {
		u.First = day
	}
	if day <= u.Day {
		return u.Day
	}
	s.settle(u)
	for f := range u.Habits {
		u.Habits[f].age(day, func(hash uint32) { s.hold(u, hash, -1) })
	}
	s.forgetAlerts(u, day)
	u.Day, u.Refused = day, 0
	u.Seen++
	u.Active = u.Active*fade + 1
	s.world.UserDays++
	return day
}

// age lets days of the calendar go by for what is counted over all.
func (s *Scorer) age(day int32) {
	w := &s.world
	if days := day - w.Day; days > 0 {
		factor := float32(1)
		if w.Day == 0 {
			w.First = day
		} else {
			factor = float32(math.Exp2(-float64(days) / memory))
		}
		w.Day = day
		w.UserDays *= factor
		w.Sudden.age(factor)
		w.Slow.age(factor)
		w.Surplus.age(factor)
		for f := range w.Odds {
			w.Odds[f].age(factor)
		}
		s.world.Detections.age(factor)
		s.forgetSources(days)
		maps.DeleteFunc(s.alerts, func(id string, users []string) bool {
			return !slices.ContainsFunc(users, func(name string) bool { return s.users[name].alert(id) != nil })
		})
	}
}

// fewPeers is how many a department must have at least to be compared with, rather than the organisation.
const fewPeers = 5

// habit judges one feature of an activity by what the user is used to, and teaches it. Only the first time on a
// day counts. It returns hundredths of bits.
func (s *Scorer) habit(u *user, f feature, a *Activity, day int32, known bool) (bits int, words string) {
	hash, ok := s.shown(u, f, a)
	if !ok {
		return 0, ""
	}
	h, o := &u.Habits[f], &s.world.Odds[f]
	at := h.find(hash)
	if at >= 0 && h.Values[at].Last == day {
		return 0, ""
	}
	self := 0
	if at >= 0 {
		self = 1
	}
	group := u.peers
	if group.members < fewPeers {
		group = s.whole
	}
	peers := s.having(group, hash) - self
	grade := rarity(peers, group.members-1, s.having(s.whole, hash)-self, s.whole.members-1)
	var p float64
	switch {
	case !known:
		p = o.All.asRare(grade, o.Shown)
	case at < 0:
		p = h.chance(f, hash, o.rate()) * o.Rare.asRare(grade, o.Fresh)
	default:
		p = h.chance(f, hash, o.rate())
	}
	// Who shows many values on a day has as many chances to show an odd one.
	bits = bitsOf(min(1, p*max(1, float64(h.Total/max(u.Active-1, 1)))))
	switch {
	case bits <= threshold:
	case at < 0:
		words = fmt.Sprintf("first time %s: %s; %d of %d peers in %d days", f.noun(), a.label(f), peers, group.members-1, kept)
	default:
		words = fmt.Sprintf("seldom %s: %s; on %.0f of %.0f days", f.noun(), a.label(f), math.Ceil(float64(h.Values[at].Days)), math.Ceil(float64(u.Active)))
	}
	if known {
		o.add(at < 0, grade)
		if at < 0 {
			h.Fresh++
		}
	}
	s.teach(u, h, f, at, hash, day)
	return bits, words
}

func (s *Scorer) teach(u *user, h *habit, f feature, at int, hash uint32, day int32) {
	evicted, full := h.show(at, hash, day, f.room())
	if full {
		s.hold(u, evicted, -1)
	}
	if at < 0 {
		s.hold(u, hash, 1)
	}
}

// apartAfter is how long after an activity in one country one in another is no surprise, in seconds.
const apartAfter = 3 * 3600

// shown is what an activity shows of a feature.
func (s *Scorer) shown(u *user, f feature, a *Activity) (h uint32, ok bool) {
	switch f {
	case hour:
		return numbered(hour, a.At.UTC().Hour()), true
	case weekday:
		return numbered(weekday, int(a.At.UTC().Weekday())), true
	case jump:
		return numbered(jump, 0), u.jumped(a)
	}
	v := a.value(f)
	return hash(uint32(f), v), v != ""
}

// jumped tells whether the user was in another country shortly before, and remembers where the user is.
func (u *user) jumped(a *Activity) bool {
	if a.Country == "" {
		return false
	}
	here, at := hash(uint32(country), a.Country), a.At.Unix()
	jumped := u.Place != 0 && u.Place != here && at-u.Placed < apartAfter
	u.Place, u.Placed = here, at
	return jumped
}

// bitsOf is the surprise of a probability in hundredths of bits.
func bitsOf(p float64) int { return int(math.Round(-100 * math.Log2(max(p, 1e-9)))) }

// oddest keeps of each sort the finding that says most.
func oddest(found []finding) []finding {
	out := found[:0]
next:
	for _, f := range found {
		for i := range out {
			if out[i].Feature.sort() == f.Feature.sort() {
				if f.Bits > out[i].Bits {
					out[i] = f
				}
				continue next
			}
		}
		out = append(out, f)
	}
	return out
}
