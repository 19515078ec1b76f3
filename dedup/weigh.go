package dedup

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/catalog"
)

// The weights. Type, one party (account or device) and time must all speak for a pairing; the sum
// ranks candidates. They were set by reasoning, not fitted: a full agreement is about 120, the least
// that is believed is 45, and what is believed at once, without waiting for better, is 75.
const (
	believed  = 45 // fewer points are no pairing
	certain   = 75 // as many, with equal times, are a pairing at once
	margin    = 10 // by which the best must beat every rival; a factor of four in time
	displaces = 10 // by which a newcomer must beat a pairing made earlier to take it back

	pointsID          = 100
	pointsType        = 30
	pointsTitle       = 12
	pointsAccount     = 40
	pointsLikely      = 28
	pointsNumbered    = 20 // one is abbreviated to the same as others are, as its number tells
	pointsMentioned   = 32
	pointsNamed       = 24
	pointsDevice      = 30
	pointsDeviceText  = 20
	pointsOtherDevice = -30
	pointsUnnamed     = -45 // one text names the party, the other tells of the same kind of thing without it
	pointsRetold      = -25 // the same, where the other tells it in words of its own
	pointsBothNamed   = 24
	pointsCalled      = 20
	pointsMoment      = 5 // two accounts that can't be compared, at one moment
	pointsAddress     = 10
	pointsText        = 12
	pointsSameMoment  = 60 // equal to the millisecond, where one is told more exactly
	pointsSameTime    = 45 // equal as far as both are told
	pointsEqualTime   = 30
	pointsRaise       = 8
)

// maxEvidence bounds the words of one piece of evidence, in bytes: senders choose the names in them.
const maxEvidence = 400

// equalTimes is how far apart two services' times of one event are when both tell the event's time:
// one writes milliseconds, the other ten-millionths, and either may round.
const equalTimes = 5 * time.Second

// scale weighs two notifications of different services.
type scale struct {
	catalog   *catalog.Catalog
	directory directory
	config    config.Dedup
	services  config.Services
	effort    *effort // of the question; nil where nothing is asked
}

// verdict is the sum of the evidence for one pair.
type verdict struct {
	points   int
	told     int  // those of them that only a text which tells the story can bring
	exact    bool // the event times are equal
	explain  bool // evidence is wanted, which costs more than the weighing
	evidence []Evidence
}

func (v *verdict) add(what string, points int, format string, args ...any) {
	if v.give(points) {
		v.say(what, points, format, args...)
	}
}

// give adds points, and is true where evidence is wanted. Whoever is asked about every candidate gives first and says
// then: arguments cost more than the weighing.
func (v *verdict) give(points int) bool {
	v.points += points
	return v.explain
}

func (v *verdict) say(what string, points int, format string, args ...any) {
	how := fmt.Sprintf(format, args...)
	if len(how) > maxEvidence {
		how = strings.ToValidUTF8(how[:maxEvidence], "")
	}
	v.evidence = append(v.evidence, Evidence{What: what, How: how, Points: points})
}

// weigh says how well two notifications of different services fit. ok is false where something rules
// the pairing out: two types, two accounts, two stories, no party in common, times or arrivals too far apart.
func (s scale) weigh(a, b *facts) (v verdict, ok bool) { return s.judge(a, b, false) }

// explain is the evidence of a pair that was weighed.
func (s scale) explain(a, b *facts) []Evidence {
	v, _ := s.judge(a, b, true)
	return v.evidence
}

func (s scale) judge(a, b *facts, explain bool) (v verdict, ok bool) {
	v.explain = explain
	if !related(a, b) {
		return v, false
	}
	// Times first: they are cheap, and rule most candidates out.
	if !s.weighTimes(&v, a.n, b.n) {
		return v, false
	}
	times := v.points
	if named := namesID(a, b); named != "" {
		v.add("id", pointsID, "one names the other's id %s", named)
	}
	agreement, key := a.detection.Compare(b.detection)
	switch agreement {
	case catalog.ByType:
		if v.give(pointsType) {
			v.say("type", pointsType, "both are %s", key)
		}
	case catalog.ByTitle:
		points := pointsTitle
		if s.tellTheSame(a, b) {
			points = pointsType
		}
		v.add("title", points, "one type is in no table, both are called %q", a.n.Title)
	default:
		if v.points-times < pointsID {
			return v, false
		}
	}
	if !s.effort.spend(stepsOfRest(a, b)) {
		return v, false
	}
	before := v.points
	if !s.weighAccounts(&v, a, b) {
		return v, false
	}
	if v.points-times < pointsID && s.tellOfTwo(a, b) {
		return v, false
	}
	one := v.points > before+pointsMoment // the same person's, and not just somebody's
	s.weighDevices(&v, a, b, one && sameMoment(a.n, b.n))
	if v.points == before && before-times < pointsID {
		s.weighParticulars(&v, a, b)
	}
	if v.points <= before && before-times < pointsID && !one {
		return v, false // the same type at the same time, and nobody in common
	}
	weighAddresses(&v, a, b)
	before = v.points
	s.weighText(&v, a.text, b.text)
	v.told += max(v.points-before, 0)
	return v, v.points >= believed
}

// namesID: a URL or a field of one holds the id of the other. Free text doesn't count, anybody can
// write there.
func namesID(a, b *facts) string {
	switch {
	case slices.Contains(a.ids, b.n.ID):
		return b.n.ID
	case slices.Contains(b.ids, a.n.ID):
		return a.n.ID
	}
	return ""
}

// weighDevices compares the machines. Where it is one person's alert of one moment, a text may leave them out.
func (s scale) weighDevices(v *verdict, a, b *facts, one bool) {
	for _, d := range a.devices {
		if slices.ContainsFunc(b.devices, func(o device) bool { return s.directory.one(o, d) }) {
			v.add("device", pointsDevice, "both are about %s", d)
			return
		}
	}
	for _, side := range [2][2]*facts{{a, b}, {b, a}} {
		for _, d := range side[0].devices {
			named, another := side[1].text.names(s.directory, d)
			switch {
			case named:
				v.told += pointsDeviceText
				v.add("device", pointsDeviceText, "the other's text names %s", d)
				return
			case slices.Contains(side[1].addresses, d.short):
				v.add("device", pointsDeviceText, "both are about %s", d)
				return
			case another:
				v.add("device", pointsOtherDevice, "one is about %s, the other's text names that of another domain", d)
				return
			}
		}
	}
	if len(a.devices) > 0 && len(b.devices) > 0 {
		v.add("device", pointsOtherDevice, "one is about %s, the other about %s", a.devices[0], b.devices[0])
		return
	}
	for _, side := range [2][2]*facts{{a, b}, {b, a}} {
		for _, d := range side[0].devices {
			if own, _ := side[0].text.names(s.directory, d); !own || !side[1].doesWithoutMachines() {
				continue
			}
			switch {
			case one:
			case retold(a.text, b.text):
				v.add("device", pointsRetold, "one text names %s, the other tells the story in words of its own and without", d)
			default:
				v.add("device", pointsUnnamed, "one text names %s, the other tells its story without", d)
			}
			v.exact = false // there may be an alert of that person's on another machine
			return
		}
	}
}

// otherDevices: both are about machines, and none is one of the other's.
func (s scale) otherDevices(a, b *facts) bool {
	return len(a.devices) > 0 && len(b.devices) > 0 && !slices.ContainsFunc(a.devices, func(d device) bool {
		return slices.ContainsFunc(b.devices, func(o device) bool { return s.directory.one(o, d) })
	})
}

// doesWithoutMachines: it tells its story without the machine that the other text names. An address may stand for one, and
// what Defender for Identity calls one that it couldn't resolve.
func (f *facts) doesWithoutMachines() bool {
	return !f.text.generic && len(f.text.words) >= 3 && !f.unresolved && !slices.ContainsFunc(f.text.words, isAddress)
}

func weighAddresses(v *verdict, a, b *facts) {
	for _, x := range a.addresses {
		if slices.Contains(b.addresses, x) {
			v.add("address", pointsAddress, "both come from %s", x)
			return
		}
	}
	if x, y, ok := otherAddress(a, b); ok {
		v.add("address", -2*pointsAddress, "one comes from %s, the other from %s", x, y)
	}
}

// otherAddress finds two addresses that can't be one machine's, where the two have none in common. One machine has addresses of
// both families; two of one family are two machines.
func otherAddress(a, b *facts) (x, y string, ok bool) {
	if slices.ContainsFunc(a.addresses, func(x string) bool { return slices.Contains(b.addresses, x) }) {
		return "", "", false
	}
	for _, x := range a.addresses {
		for _, y := range b.addresses {
			if strings.Contains(x, ":") == strings.Contains(y, ":") {
				return x, y, true
			}
		}
	}
	return "", "", false
}

// weighTimes compares the event times; where one of them may be the time at which the service raised
// the alert, it may come later. Each doubling of the distance costs the same. What speaks more for the pairing counts.
func (s scale) weighTimes(v *verdict, a, b *formats.Notification) bool {
	if apart := absolute(a.Arrived.Sub(b.Arrived)); apart > s.config.Window {
		return false
	}
	fits, points, apart, format := false, 0, time.Duration(0), ""
	if !a.Start.IsZero() && !b.Start.IsZero() {
		if delta := absolute(a.Start.Sub(b.Start)); delta <= s.config.Skew {
			v.exact = delta <= equalTimes
			fits, points, apart, format = true, timePoints(delta), delta.Round(time.Millisecond), "the event times are %s apart"
			if points == pointsSameMoment && !sameMoment(a, b) {
				points = pointsSameTime
			}
		}
	}
	for _, side := range [2][2]*formats.Notification{{a, b}, {b, a}} {
		raised := raisedAt(side[1])
		if before(side[0], side[0].Start).IsZero() && !before(side[1], side[1].Start).IsZero() || raised.IsZero() {
			continue // without both starts, it is compared when the alerts were raised
		}
		at, n := moments(side[0])
		for i, since := range at[:n] {
			later := raised.Sub(since)
			if later < -equalTimes || later > s.config.RaiseSkew {
				continue
			}
			if p := raisePoints(later); !fits || p > points {
				fits, points, apart = true, p, later.Round(time.Second)
				format = [...]string{"one was raised %s after the other's event", "one was raised %s after the other was"}[i]
			}
		}
	}
	if fits && v.give(points) {
		v.say("time", points, format, apart)
	}
	return fits
}

// sameMoment: both tell one millisecond of an event whose time one of them writes more exactly than that, which two events of
// one type hardly share.
func sameMoment(a, b *formats.Notification) bool {
	return (exactStart(a) || exactStart(b)) && a.Start.Truncate(time.Millisecond).Equal(b.Start.Truncate(time.Millisecond))
}

// raisePoints weighs how much later than an event it may have been raised.
func raisePoints(later time.Duration) int {
	return pointsRaise - int(math.Round(5*math.Log2(1+max(later.Minutes(), 0)/4)))
}

// timePoints weighs the distance of two event times, at most.
func timePoints(delta time.Duration) int {
	if delta < time.Millisecond {
		return pointsSameMoment
	}
	return pointsEqualTime - int(math.Round(5*math.Log2(1+delta.Seconds()/2)))
}

// most is what a candidate whose start is that far away can reach, save by naming the other's ID.
func most(apart time.Duration) int {
	return pointsType + pointsAccount + pointsDevice + pointsAddress + pointsText + max(timePoints(apart), pointsRaise)
}

// raisedAt is the time at which the service raised the alert, where its event time is that time or
// is missing; otherwise zero.
func raisedAt(n *formats.Notification) time.Time {
	switch start, raised := before(n, n.Start), before(n, n.Raised); {
	case start.IsZero() && raised.IsZero():
		return n.Arrived
	case start.IsZero() || absolute(start.Sub(raised)) <= equalTimes:
		return raised
	}
	return time.Time{}
}

// before is a time of n, or zero where it lies well after the arrival: somebody took a place's time for UTC.
func before(n *formats.Notification, at time.Time) time.Time {
	const drift = 15 * time.Minute // of clocks
	if at.Sub(n.Arrived) > drift {
		return time.Time{}
	}
	return at
}

func absolute(d time.Duration) time.Duration {
	if d < 0 {
		return -d
	}
	return d
}
