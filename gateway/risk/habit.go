package risk

import "math"

// memory is the half-life of what somebody is used to, in days on which they are active.
const memory = 30

// fade is what is left after one of these days: 2 to the -1/memory.
const fade = 0.97716

// kept is how long a value stays in a profile that wasn't shown again, in days.
const kept = 60

// prior is how many days of a user's own history weigh as much as the organisation's rate.
const prior = 4

// value is something that somebody showed on some days.
type value struct {
	Hash uint32  `cbor:"1,keyasint"`
	Days float32 `cbor:"2,keyasint"` // on which it was shown, decayed
	Last int32   `cbor:"3,keyasint"` // day on which it was shown last
}

// habit is what somebody is used to in one feature. Total is how many values were shown on how many days, Fresh
// how many of these were new at the time, once the user was known.
type habit struct {
	Values []value `cbor:"1,keyasint,omitempty"`
	Total  float32 `cbor:"2,keyasint,omitempty"`
	Fresh  float32 `cbor:"3,keyasint,omitempty"`
}

// numbered is the hash of a value that is a number.
func numbered(f feature, n int) uint32 { return uint32(f)<<16 | uint32(n) }

// find gives the place of a value, -1 where it is new.
func (h *habit) find(hash uint32) int {
	for i := range h.Values {
		if h.Values[i].Hash == hash {
			return i
		}
	}
	return -1
}

// chance is how likely the user shows a value that is at most as usual as this one, which need not be there. rate
// is how often people show a new one.
func (h *habit) chance(f feature, hash uint32, rate float64) float64 {
	mass := float64(h.Fresh) + prior*rate
	this := h.usual(f, hash)
	for _, v := range h.Values {
		if v.Days <= this && f != hour || f == hour && h.usual(f, v.Hash) <= this {
			mass += float64(v.Days)
		}
	}
	return min(1, mass/(float64(h.Total)+prior))
}

// usual is on how many days a value was shown. An hour is as usual as the ones beside it make it.
func (h *habit) usual(f feature, hash uint32) float32 {
	days := h.days(hash)
	if f == hour {
		n := hash - numbered(hour, 0)
		days += (h.days(numbered(hour, int(n+1)%24)) + h.days(numbered(hour, int(n+23)%24))) / 2
	}
	return days
}

func (h *habit) days(hash uint32) float32 {
	if at := h.find(hash); at >= 0 {
		return h.Values[at].Days
	}
	return 0
}

// show records that a value was shown on a day, for the first time on it. It returns what had to make room.
func (h *habit) show(at int, hash uint32, day int32, room int) (evicted uint32, full bool) {
	h.Total++
	if at >= 0 {
		h.Values[at].Days++
		h.Values[at].Last = day
		return 0, false
	}
	v := value{Hash: hash, Days: 1, Last: day}
	if len(h.Values) < room {
		h.Values = append(h.Values, v)
		return 0, false
	}
	least := 0
	for i := range h.Values {
		if h.Values[i].Days < h.Values[least].Days {
			least = i
		}
	}
	evicted, h.Values[least] = h.Values[least].Hash, v
	return evicted, true
}

// age lets one of the user's active days go by, and tells of each value that is forgotten.
func (h *habit) age(day int32, forget func(hash uint32)) {
	h.Total *= fade
	h.Fresh *= fade
	left := h.Values[:0]
	for _, v := range h.Values {
		if day-v.Last > kept {
			forget(v.Hash)
			continue
		}
		v.Days *= fade
		left = append(left, v)
	}
	h.Values = left
}

// odds is what is seen in the whole organisation of one feature: how often a value that somebody shows is new to
// them, and how rare among others such new ones are, and all that are shown.
type odds struct {
	Shown float32  `cbor:"1,keyasint"`
	Fresh float32  `cbor:"2,keyasint"`
	Rare  rareness `cbor:"3,keyasint"` // of the fresh ones
	All   rareness `cbor:"4,keyasint"`
}

// rareness counts values by rarity.
type rareness [rarities + 1]float32

// rarities is how many grades of rarity there are; the last is for what nobody else has.
const rarities = 24

// rate is how often a shown value is new, before anything is known once in fifty.
func (o *odds) rate() float64 { return (float64(o.Fresh) + 1) / (float64(o.Shown) + 50) }

// add counts a value that was shown by somebody who is known.
func (o *odds) add(fresh bool, rarity int) {
	o.Shown++
	o.All[rarity]++
	if fresh {
		o.Fresh++
		o.Rare[rarity]++
	}
}

// remove takes back a value that was added as a fresh one.
func (o *odds) remove(rarity int) {
	for _, n := range []*float32{&o.Shown, &o.All[rarity], &o.Fresh, &o.Rare[rarity]} {
		*n = max(0, *n-1)
	}
}

// asRare is how many of the values are at least as rare as this one, of n. Before anything is known all grades are
// equally likely.
func (r *rareness) asRare(rarity int, n float32) float64 {
	const weight = 8
	sum := weight * float64(rarities+1-rarity) / (rarities + 1)
	for _, n := range r[rarity:] {
		sum += float64(n)
	}
	return sum / (float64(n) + weight)
}

func (o *odds) age(factor float32) {
	o.Shown *= factor
	o.Fresh *= factor
	for i := range o.Rare {
		o.Rare[i] *= factor
		o.All[i] *= factor
	}
}

// rarity grades the share of users that have a value, first among peers and where these are few among all: half
// a grade for each halving.
func rarity(peers, members, all, everybody int) int {
	const weight = 4 // peers
	if all == 0 {
		return rarities
	}
	share := float64(all) / float64(max(everybody, 1))
	share = (float64(peers) + weight*share) / (float64(members) + weight)
	return min(rarities-1, int(-2*math.Log2(min(1, share))))
}
