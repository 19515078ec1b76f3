package risk

import (
	"cmp"
	"slices"
	"strings"
)

// item is an alert, or an activity that something was found in.
type item struct {
	ID     string    `cbor:"1,keyasint"`
	Alert  bool      `cbor:"2,keyasint,omitempty"`
	At     int64     `cbor:"3,keyasint"` // in seconds
	Day    int32     `cbor:"4,keyasint"` // together with which it counts
	Title  string    `cbor:"5,keyasint,omitempty"`
	Found  []finding `cbor:"6,keyasint"`
	Closed bool      `cbor:"7,keyasint,omitempty"` // an alert that turned out to be nothing
}

// finding is one reason.
type finding struct {
	Feature feature `cbor:"1,keyasint"`
	Value   uint32  `cbor:"2,keyasint,omitempty"` // of what volume, or the type of the alert
	Bits    int32   `cbor:"3,keyasint"`           // hundredths, above the threshold
	Words   string  `cbor:"4,keyasint"`

	Surprise int32 `cbor:"5,keyasint,omitempty"` // of an alert, what of Bits is not by its severity and entities, which may still change
}

// mostItems is how many items of one day a user has at most: the profile is bounded whatever somebody does. The
// ones that say least go.
const mostItems = 12

// mostText is how many bytes of a text are kept, and tell it from others.
const mostText = 200

// clip cuts a text to what is kept of one, and lets the rest go.
func clip(s string) string {
	if len(s) <= mostText {
		return s
	}
	return strings.Clone(strings.ToValidUTF8(s[:mostText], ""))
}

// record keeps an activity in which something was found.
func (s *Scorer) record(u *user, a *Activity, day int32, found []finding) {
	if len(found) > 0 {
		u.keep(item{ID: a.ID, At: a.At.Unix(), Day: day, Title: title(a), Found: found})
	}
}

func title(a *Activity) string {
	t := cmp.Or(a.Title, a.Class)
	if a.App != "" {
		t += ", " + a.App
	}
	return clip(t)
}

// grow raises the finding of a number that goes on growing on a day; it stays with the activity by which it
// became odd.
func (s *Scorer) grow(u *user, a *Activity, day int32, key uint32, bits int, words string) {
	if bits <= 0 {
		return
	}
	f := finding{Feature: volume, Value: key, Bits: int32(min(bits, most-threshold)), Words: words}
	for i := len(u.Items) - 1; i >= 0 && u.Items[i].Day >= day; i-- {
		for j := range u.Items[i].Found {
			if old := &u.Items[i].Found[j]; old.Feature == volume && old.Value == key {
				if f.Bits >= old.Bits {
					*old = f
				}
				return
			}
		}
	}
	for i := range u.Items {
		if it := &u.Items[i]; it.ID == a.ID && !it.Alert && it.Day == day {
			it.Found = append(it.Found, f)
			return
		}
	}
	u.keep(item{ID: a.ID, At: a.At.Unix(), Day: day, Title: title(a), Found: []finding{f}})
}

// keep adds an item in order of time, and lets go those that no score needs any more.
func (u *user) keep(it item) {
	u.forget(it.Day)
	at, _ := slices.BinarySearchFunc(u.Items, it, func(a, b item) int { return cmp.Or(cmp.Compare(a.At, b.At), -1) })
	u.Items = slices.Insert(u.Items, at, it)
	least, n := -1, 0
	for i := range u.Items {
		if o := &u.Items[i]; o.Day == it.Day {
			n++
			if least < 0 || o.bits() < u.Items[least].bits() {
				least = i
			}
		}
	}
	if n > mostItems {
		u.Items = slices.Delete(u.Items, least, least+1)
	}
}

// forget lets go the items that are older than the window by a day, by which the order of arrival may err.
func (u *user) forget(day int32) {
	u.Items = slices.DeleteFunc(u.Items, func(o item) bool { return o.Day < day-days-1 })
}

func (it *item) bits() int32 {
	var sum int32
	for _, f := range it.Found {
		sum += f.Bits
	}
	return sum
}
