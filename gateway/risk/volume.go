package risk

import (
	"fmt"
	"math"
)

// amount is how much somebody does of one thing on a day: x = ln(1+n), with its mean and variance over the days
// on which the user is active.
type amount struct {
	Class uint32  `cbor:"1,keyasint"`
	Today int32   `cbor:"2,keyasint"`
	Days  float32 `cbor:"3,keyasint"`
	Mean  float32 `cbor:"4,keyasint"`
	Var   float32 `cbor:"5,keyasint"`
	Drift float32 `cbor:"6,keyasint"` // how far the last days were above it, summed up
}

// noise is how much the days of one user differ from another, on average over all: the squares of the differences
// and their number.
type noise struct {
	Squares float32 `cbor:"1,keyasint"`
	Days    float32 `cbor:"2,keyasint"`
	Sum     float32 `cbor:"3,keyasint"` // of x
}

const (
	amounts   = 14  // a profile has, of the classes that are done most
	slack     = 0.7 // standard deviations above the mean that don't add to the drift
	lasting   = 0.9 // of the drift that is left a day later
	ownDays   = 10  // days of the user's own that weigh as much as the noise of all
	leastDays = 20  // over which a mean is taken at most, so that it follows
)

// volume counts an activity and says how odd the number is that the user has reached today.
func (s *Scorer) volume(u *user, key string, total bool) (bits int, words string) {
	v := u.amount(hash(uint32(volume), key))
	v.Today++
	if v.Today < 5 {
		return 0, ""
	}
	z := s.deviation(v)
	if z <= 0 {
		return 0, ""
	}
	sudden := bitsOf(s.world.Sudden.chance(z, tail(z)))
	if x := v.surplus(z); x > 0 {
		sudden = max(sudden, bitsOf(s.world.Surplus.chance(x, tail(odd)*math.Exp(-x))))
	}
	drift := v.drifted(z)
	slow := bitsOf(s.world.Slow.chance(drift, math.Exp(-drift)))
	name := "activities of this type"
	if total {
		name = "activities"
	}
	usual := math.Expm1(float64(v.Mean))
	if sudden >= slow {
		return sudden, fmt.Sprintf("%d %s on one day; usual are %.0f", v.Today, name, usual)
	}
	return slow, fmt.Sprintf("%d %s on one day, after other days with more than the usual %.0f", v.Today, name, usual)
}

// odd is how many standard deviations a surplus is above the mean at least.
const odd = 3

// surplus is the logarithm of how many more than usual there are, where that is odd for the user: by the number
// alone those who do much would always stand out, and by the deviation alone those who do little.
func (v *amount) surplus(z float64) float64 {
	if z < odd {
		return 0
	}
	return math.Log1p(max(0, float64(v.Today)-math.Expm1(float64(v.Mean))))
}

// drifted is how far the last days lie above what is usual, with today's deviation.
func (v *amount) drifted(z float64) float64 {
	return max(0, float64(v.Drift)*lasting+min(z, 4)-slack)
}

// deviation is how many standard deviations today lies above what is usual.
func (s *Scorer) deviation(v *amount) float64 {
	n := s.world.Volumes[v.Class]
	common := 0.5 // before anything is known
	mean := float64(v.Mean)
	if n.Days > 0 {
		common = (0.5*20 + float64(n.Squares)) / (20 + float64(n.Days))
		mean = (float64(v.Days)*mean + float64(n.Sum/n.Days)) / (float64(v.Days) + 1)
	}
	variance := (float64(v.Days)*float64(v.Var) + ownDays*common) / (float64(v.Days) + ownDays)
	return (math.Log1p(float64(v.Today)) - mean) / math.Sqrt(max(variance, 0.12))
}

// tail is how likely a deviation of at least z is thought to be before anything is known. Days differ more than the normal distribution has it, so it is
// about that of Student's with four degrees of freedom.
func tail(z float64) float64 { return math.Pow(1+z*z/4, -2.5) }

// extremes is how high the largest value of somebody's day is, over all users and days: how many lie in each step
// of a half.
type extremes struct {
	Steps [40]float32 `cbor:"1,keyasint"`
	Days  float32     `cbor:"2,keyasint"`
}

func step(x float64) int { return min(max(int(2*x), 0), len(extremes{}.Steps)-1) }

func (e *extremes) add(x float64) {
	e.Steps[step(x)]++
	e.Days++
}

// chance is on how many days the largest value is at least x, of all days. Where there is little to count it is
// what was thought before.
func (e *extremes) chance(x, before float64) float64 {
	const weight = 200 // days
	sum := weight * before
	for _, n := range e.Steps[step(x):] {
		sum += float64(n)
	}
	return sum / (float64(e.Days) + weight)
}

func (e *extremes) age(factor float32) {
	e.Days *= factor
	for i := range e.Steps {
		e.Steps[i] *= factor
	}
}

// settle closes the user's day: what was done becomes part of what is usual.
func (s *Scorer) settle(u *user) {
	var sudden, slow, surplus float64
	known := s.knows(u, u.Day)
	for i := range u.Volumes {
		v := &u.Volumes[i]
		z := s.deviation(v)
		v.Drift = float32(v.drifted(z))
		if v.Today >= 5 {
			sudden, slow, surplus = max(sudden, z), max(slow, float64(v.Drift)), max(surplus, v.surplus(z))
		}
		x := math.Log1p(float64(v.Today))
		off := x - float64(v.Mean)
		if v.Days > 2 {
			off = min(off, 3*math.Sqrt(float64(v.Var)+0.3)) // one mad day doesn't become usual
			n := s.world.Volumes[v.Class]
			n.Squares += float32(off * off)
			n.Days++
			n.Sum += float32(x)
			if n.Days > 1e6 {
				n = noise{n.Squares / 2, n.Days / 2, n.Sum / 2}
			}
			s.world.Volumes[v.Class] = n
		}
		v.Days = min(v.Days+1, leastDays)
		step := off / float64(v.Days)
		v.Mean += float32(step)
		v.Var += float32((off*off - float64(v.Var)) / float64(v.Days))
		v.Today = 0
	}
	if known {
		s.world.Sudden.add(sudden)
		s.world.Slow.add(slow)
		s.world.Surplus.add(surplus)
	}
}

// amount finds the count of a class; the one that is done least makes room for a new one.
func (u *user) amount(class uint32) *amount {
	least := 0
	for i := range u.Volumes {
		if u.Volumes[i].Class == class {
			return &u.Volumes[i]
		}
		if u.Volumes[i].Mean+float32(u.Volumes[i].Today) < u.Volumes[least].Mean+float32(u.Volumes[least].Today) {
			least = i
		}
	}
	fresh := amount{Class: class, Days: float32(min(max(u.Seen-1, 0), leastDays))} // none on all days before
	if len(u.Volumes) < amounts {
		u.Volumes = append(u.Volumes, fresh)
		return &u.Volumes[len(u.Volumes)-1]
	}
	u.Volumes[least] = fresh
	return &u.Volumes[least]
}
