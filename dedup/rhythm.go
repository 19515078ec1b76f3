package dedup

import (
	"math"
	"math/bits"
	"time"

	"github.com/sluice-siem/sluice/formats"
)

// Rhythm is what is known of when a service notifies: of its last notification, of the slots of five
// minutes of that hour, and for each hour of the week how many of its slots usually have one.
//
// # Decisions
//
// It is kept here because it is a fold of the same stream and committed with the same mark: a restart
// forgets nothing of it, and a rebuild makes it anew.
//
// How long is unusually long can't be told by the gaps between notifications: a burst has hundreds of
// tiny ones, a night one long one. What is asked instead is how improbable the quiet is: each slot that
// passed without a notification is as surprising as it usually has one. So a service that speaks all day
// and rests at night is missed after half an hour of the day, and one that speaks twice a month after
// months.
type Rhythm struct {
	Last   time.Time         `cbor:"1,keyasint"`
	Silent time.Time         `cbor:"2,keyasint,omitzero"` // since when it is on record as silent; zero while it isn't
	Hour   int64             `cbor:"3,keyasint"`          // of Last, in hours since 1970
	Slots  uint16            `cbor:"4,keyasint"`          // a bit for each slot of that hour that had a notification
	Week   [hoursOfWeek]byte `cbor:"5,keyasint"`          // 0: nothing known; 1 to 255: none to all of the hour's slots
}

const (
	hoursOfWeek  = 7 * 24
	slotSeconds  = 300
	slotsOfHour  = 3600 / slotSeconds
	wholeHour    = 254  // a byte of Week that is known, less one, where all slots have a notification
	firstTrust   = 0.8  // of what an hour showed once
	mostCertain  = 0.95 // that a slot has a notification, so that five quiet ones it takes at least
	seldomTrust  = 4    // an hour of which nothing is known counts as a quarter of the quietest one
	few          = 0.02 // notifications in a slot: some forty in a week
	enoughHours  = 24   // are known before anything is said of the others
	learnedWeeks = 4    // are learned of one long quiet
)

// Astonishing is the surprise at which a quiet is no chance: one in a million, in nats.
const Astonishing = 13.8

// hear takes note of a notification. Times don't go back.
func (r *Rhythm) hear(t time.Time) {
	hour := t.Unix() / 3600
	if !r.Last.IsZero() && hour > r.Hour {
		r.learn(r.Hour, bits.OnesCount16(r.Slots))
		for h := max(r.Hour+1, hour-learnedWeeks*hoursOfWeek); h < hour; h++ {
			r.learn(h, 0)
		}
	}
	if r.Last.IsZero() || hour > r.Hour {
		r.Hour, r.Slots = hour, 0
	}
	r.Slots |= 1 << (t.Unix() % 3600 / slotSeconds)
	r.Last, r.Silent = t, time.Time{}
}

// learn takes the number of slots with a notification in an hour for a quarter of what is usual, for half
// where it is less than that. A quiet is learned too, even one that was told of: who notifies less from
// now on is not missed for more than some weeks.
func (r *Rhythm) learn(hour int64, slots int) {
	seen := float64(wholeHour*slots) / slotsOfHour
	cell := &r.Week[hour%hoursOfWeek]
	if *cell == 0 {
		*cell = byte(1 + firstTrust*seen)
		return
	}
	usual := float64(*cell - 1)
	share := 0.25
	if seen < usual {
		share = 0.5
	}
	*cell = byte(1 + usual + (seen-usual)*share) // cut, so that what is rare fades away
}

// Surprise says how improbable it is that the service is quiet from one time to another, as the negative
// logarithm of the probability. It is 0 where nothing is known.
func (r *Rhythm) Surprise(from, to time.Time) float64 {
	slot, end := from.Unix()/slotSeconds+1, to.Unix()/slotSeconds // whole slots
	seldom := r.quietest() / seldomTrust
	sum := 0.0
	for slot < end && sum < Astonishing {
		hour := slot / slotsOfHour
		next := min((hour+1)*slotsOfHour, end)
		sum += float64(next-slot) * -math.Log1p(-r.usual(hour, seldom))
		slot = next
	}
	return sum
}

// usual is the probability that a slot of the hour has a notification: that of the quietest of it and its
// neighbours, as twice a year the hours of the people move against ours. Who notifies a few times in a
// week has no hours: there the mean counts.
func (r *Rhythm) usual(hour int64, seldom float64) float64 {
	out, sum := mostCertain, 0.0
	for h := hour - 1; h <= hour+1; h++ {
		p := seldom
		if cell := r.Week[h%hoursOfWeek]; cell > 0 {
			p = float64(cell-1) / wholeHour
		}
		out, sum = min(out, p), sum+p
	}
	return max(out, min(sum/3, few))
}

// quietest is the least probability of all hours that are known; 0 where those are few.
func (r *Rhythm) quietest() float64 {
	known, least := 0, byte(wholeHour)
	for _, cell := range r.Week {
		if cell > 0 {
			known++
			least = min(least, cell-1)
		}
	}
	if known < enoughHours {
		return 0
	}
	return float64(least) / wholeHour
}

// rhythms are those of the services, in the order of rhythmOf.
type rhythms [3]Rhythm

// rhythmOf is the place of a service, and false for what is none.
func rhythmOf(s formats.Service) (int, bool) {
	switch s {
	case formats.DefenderForIdentity:
		return 0, true
	case formats.CloudAppSecurity:
		return 1, true
	case formats.IdentityProtection:
		return 2, true
	}
	return 0, false
}

func rhythmKey(i int) []byte { return []byte{tableRhythm, byte(i)} }

func (r *rhythms) of(s formats.Service) Rhythm {
	if i, ok := rhythmOf(s); ok {
		return r[i]
	}
	return Rhythm{}
}

// Rhythm is that of the service as committed. It may be called beside the decider.
func (x *Index) Rhythm(s formats.Service) Rhythm { return x.rhythms.Load().of(s) }

// Rhythm is that of the service.
func (b *Batch) Rhythm(s formats.Service) Rhythm { return b.rhythms.of(s) }

// keepTime folds an outcome into the rhythm of its service.
func (b *Batch) keepTime(o *Outcome) {
	of := o.Notification.Service
	silence := o.Notification.Kind == formats.Silence
	if silence {
		of = o.Notification.Origin
	}
	i, ok := rhythmOf(of)
	switch {
	case !ok || o.Released || o.Undone:
		return
	case silence:
		b.rhythms[i].Silent = o.Time
	default:
		b.rhythms[i].hear(o.Time)
	}
	b.moved[i] = true
}

// putRhythms stores the rhythms that changed.
func (b *Batch) putRhythms() error {
	for i, moved := range b.moved {
		if moved {
			if err := b.put(rhythmKey(i), &b.rhythms[i], 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// readRhythms reads the rhythms when the state is new to us.
func (x *Index) readRhythms() error {
	b := x.view()
	defer b.Discard()
	var all rhythms
	for i := range all {
		if _, err := b.get(rhythmKey(i), &all[i]); err != nil {
			return err
		}
	}
	x.rhythms.Store(&all)
	return nil
}
