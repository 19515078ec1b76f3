// Package risk says whom to look at first, and why: a user's investigation priority. It is pure: activities,
// alerts and times come in as arguments, scores with their reasons go out. Nothing in it is random, and equal
// input gives equal scores.
//
// # How it judges
//
// Every finding is a number of bits, −log2 p, where p is how often something at least as odd is seen by chance.
// The unit of what is usual is the day: what somebody does a hundred times a day counts once, and a second time
// only on another day. p has two factors that are both counted, not assumed:
//
//   - how likely this user shows such a value, or a rarer one, on a day. Somebody who is somewhere else every week
//     expects a new network; with little history the rate of the organisation takes its place;
//   - where the value is new to the user: how rare it is among peers and in the organisation, measured against how
//     rare the values are that people show for the first time. A new network at home is one that nobody has, and
//     says little; a new country that nobody has is rare.
//
// Of each finding only what exceeds [threshold] counts, so what is expected is zero and many small things don't
// add up. The bits of a day count together, because things that are each unlikely are much more so on one day:
// B bits of one day are B²/20 points. Within a day the second finding of one sort counts half, the third a
// quarter, so that the same oddity again isn't new evidence.
//
// The score is the sum of the points of the last seven days, as they are today: they fade by half in [halfLife] days, by
// the calendar, so that what is new comes before what was looked at yesterday. Each point belongs to an alert or activity, exactly:
// everything is in hundredths, as integers.
//
// # Decisions
//
// What failed proves little about who owns the account: it neither teaches a profile nor counts much. Counts decay
// by the user's own active days and not by the calendar, so that a holiday makes nobody a stranger.
package risk

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Person is what the organisation's directory says of a user.
type Person struct {
	User       string `cbor:"1,keyasint"`           // by which the user is known here, and no other
	Department string `cbor:"2,keyasint,omitempty"` // whose members are the user's peers; empty for nobody knows
	Sensitive  bool   `cbor:"3,keyasint,omitempty"`
	Admin      bool   `cbor:"4,keyasint,omitempty"`
	Watched    bool   `cbor:"5,keyasint,omitempty"`
}

// Options are what an operator may set. The zero value of each means its default.
type Options struct {
	Learning                  int // days from the first activity of all in which activities are learnt and not scored; from a user's first, in which the user's own habits don't count
	Sensitive, Admin, Watched int // percent of an alert's bits, for users whom an attack would hurt more
}

// Window is how long what somebody did counts in the score: on that day and the six that follow. A day is one of UTC.
const Window = days * 24 * time.Hour

// days are those of the window.
const days = 7

// Scorer holds a profile of every user and scores what they do. It isn't safe for concurrent use.
type Scorer struct {
	options Options
	users   map[string]*user
	groups  map[string]*group // by department; under "" the whole organisation
	whole   *group
	holders map[uint32]uint32   // users that have a value in their profile, by group and value
	alerts  map[string][]string // users with a part of an alert, by its ID
	changed map[string]bool     // users, since Changed was called
	world   world
}

// group is the users of a department, or all.
type group struct {
	id      uint32
	members int
}

// world is what is counted over the whole organisation and can't be summed up from the profiles.
type world struct {
	Day        int32              `cbor:"1,keyasint"`  // of the last decay
	First      int32              `cbor:"10,keyasint"` // day of the first activity
	UserDays   float32            `cbor:"2,keyasint"`  // days on which a user was active, decayed
	Odds       [features]odds     `cbor:"3,keyasint"`
	Detections odds               `cbor:"6,keyasint"`
	Volumes    map[uint32]noise   `cbor:"4,keyasint"` // by class
	Sudden     extremes           `cbor:"7,keyasint"` // largest deviation of what somebody did on a day
	Slow       extremes           `cbor:"8,keyasint"` // largest drift of it
	Surplus    extremes           `cbor:"9,keyasint"` // largest surplus
	Sources    map[uint32]*source `cbor:"5,keyasint"` // by range of addresses
}

// New makes a scorer that knows nobody.
func New(o Options) *Scorer {
	o.Learning = cmp.Or(o.Learning, 7)
	o.Sensitive, o.Admin, o.Watched = cmp.Or(o.Sensitive, 150), cmp.Or(o.Admin, 130), cmp.Or(o.Watched, 150)
	s := &Scorer{
		options: o, users: map[string]*user{}, groups: map[string]*group{}, holders: map[uint32]uint32{}, alerts: map[string][]string{},
		changed: map[string]bool{}, world: newWorld(),
	}
	s.whole = s.group("")
	return s
}

func newWorld() world { return world{Volumes: map[uint32]noise{}, Sources: map[uint32]*source{}} }

// Know takes over what the directory says of people. A user whose department changes keeps the profile and is
// compared with the new peers.
func (s *Scorer) Know(people []Person) {
	for _, p := range people {
		u := s.user(p.User)
		if u.Person == p {
			continue
		}
		s.changed[u.Name] = true
		if u.Person.Department != p.Department {
			s.enlist(u, -1)
			u.Person = p
			s.enlist(u, 1)
		}
		u.Person = p
	}
}

// Knows says what the directory said of a user, and whether that is one.
func (s *Scorer) Knows(name string) (p Person, known bool) {
	u := s.users[name]
	if u == nil {
		return Person{}, false
	}
	return u.Person, true
}

// Acts says whether a user was ever active, or is only spoken of.
func (s *Scorer) Acts(name string) bool {
	u := s.users[name]
	return u != nil && u.First != 0
}

// Len is how many users are known.
func (s *Scorer) Len() int { return len(s.users) }

// user finds a user, or begins a profile.
func (s *Scorer) user(name string) *user {
	if u := s.users[name]; u != nil {
		return u
	}
	u := &user{Name: name, Person: Person{User: name}}
	s.users[name], s.changed[name] = u, true
	s.enlist(u, 1)
	return u
}

// enlist adds a user with everything in the profile to the counts of its groups, or takes it out.
func (s *Scorer) enlist(u *user, by int) {
	u.peers = s.group(u.Person.Department)
	s.whole.members += by
	if u.peers != s.whole {
		u.peers.members += by
	}
	for f := range u.Habits {
		for _, v := range u.Habits[f].Values {
			s.hold(u, v.Hash, by)
		}
	}
	for _, v := range u.Alerts.Values {
		s.hold(u, v.Hash, by)
	}
}

func (s *Scorer) group(name string) *group {
	g := s.groups[name]
	if g == nil {
		g = &group{id: hash(uint32(features), name)}
		s.groups[name] = g
	}
	return g
}

// hold counts that a user has a value, or no longer has.
func (s *Scorer) hold(u *user, value uint32, by int) {
	count := func(g *group) {
		key := mix(g.id, value)
		if n := int(s.holders[key]) + by; n > 0 {
			s.holders[key] = uint32(n)
		} else {
			delete(s.holders, key)
		}
	}
	count(s.whole)
	if u.peers != s.whole {
		count(u.peers)
	}
}

// having is how many users of a group have a value.
func (s *Scorer) having(g *group, value uint32) int { return int(s.holders[mix(g.id, value)]) }

// Users lists everybody who is known, in order.
func (s *Scorer) Users() []string {
	return sorted(s.users)
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// dayOf numbers the days of UTC.
func dayOf(t time.Time) int32 { return int32(t.Unix() / 86400) }

// hash is FNV-1a, which is the same after a restart. seed tells apart what values are of.
func hash(seed uint32, text string) uint32 {
	h := mix(2166136261, seed)
	for i := range len(text) {
		h = (h ^ uint32(text[i])) * 16777619
	}
	return h
}

func mix(h, v uint32) uint32 {
	for range 4 {
		h = (h ^ v&0xff) * 16777619
		v >>= 8
	}
	return h ^ h>>15
}
