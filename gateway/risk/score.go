package risk

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Points are hundredths of a point, so that parts sum up exactly.
type Points int64

// Float is for showing.
func (p Points) Float() float64 { return float64(p) / 100 }

// Score is what a user has at a time.
type Score struct {
	User       string
	Points     Points
	Bounded    float64 // 0 to 100: so that many small parts don't outrank a large one
	Percentile float64 // of the other users have less, 0 to 100
	Parts      []Part  // largest first; they sum up to Points
}

// Part is an alert or activity with its share of a score.
type Part struct {
	ID      string // of the alert, as the caller calls it, or the service's of the activity
	Alert   bool
	At      time.Time
	Title   string
	Points  Points
	Without Points // what the score would be without it
	Reasons []Reason
}

// Reason is one finding in words.
type Reason struct {
	Words string
	Bits  float64 // of surprise, above what is expected
}

// scale is how many bits a day has to have for as many points: B² bits are B²/scale points.
const scale = 20

// mostOfDay is how many hundredths of bits of one day count: 180 points.
const mostOfDay = 6000

// Score gives a user's score at a time, without the percentile, which takes all users.
func (s *Scorer) Score(name string, at time.Time) Score {
	u := s.users[name]
	if u == nil {
		return Score{User: name}
	}
	return s.score(u, at)
}

// Standing is a user's score without what it is made of, which is cheaper.
func (s *Scorer) Standing(name string, at time.Time) (points Points, norm float64) {
	u := s.users[name]
	if u == nil || len(u.Items) == 0 {
		return 0, 0
	}
	today := dayOf(at)
	parts := total(s.live(u, today), -1, today)
	slices.SortFunc(parts, func(a, b Points) int { return cmp.Compare(b, a) })
	for _, p := range parts {
		points += p
	}
	return points, bounded(parts)
}

func (s *Scorer) score(u *user, at time.Time) Score {
	out := Score{User: u.Name}
	today := dayOf(at)
	live := s.live(u, today)
	points := total(live, -1, today)
	for i, it := range live {
		if points[i] == 0 {
			continue
		}
		p := Part{
			ID: it.ID, Alert: it.Alert, At: time.Unix(it.At, 0).UTC(), Title: it.Title, Points: points[i],
		}
		for _, q := range total(live, i, today) {
			p.Without += q
		}
		for _, f := range it.Found {
			p.Reasons = append(p.Reasons, Reason{f.Words, float64(f.Bits) / 100})
		}
		out.Points += p.Points
		out.Parts = append(out.Parts, p)
	}
	slices.SortStableFunc(out.Parts, func(a, b Part) int { return cmp.Compare(b.Points, a.Points) })
	sizes := make([]Points, len(out.Parts))
	for i, p := range out.Parts {
		sizes[i] = p.Points
	}
	out.Bounded = bounded(sizes)
	return out
}

// live lists the items that count on a day.
func (s *Scorer) live(u *user, today int32) []*item {
	var out []*item
	for i := range u.Items {
		if it := &u.Items[i]; !it.Closed && it.Day <= today && today-it.Day < days {
			out = append(out, s.forUser(it, u.Person))
		}
	}
	return out
}

// halfLife is after how many days what somebody did counts half.
const halfLife = 2

// total gives each item its points on a day, as if the one at without weren't there.
func total(items []*item, without int, today int32) []Points {
	out := make([]Points, len(items))
	done := map[int32]bool{}
	for i, it := range items {
		if done[it.Day] {
			continue
		}
		done[it.Day] = true
		var day []int
		for j := i; j < len(items); j++ {
			if items[j].Day == it.Day && j != without {
				day = append(day, j)
			}
		}
		share(items, day, math.Exp2(-float64(max(0, today-it.Day))/halfLife), out)
	}
	return out
}

// share divides the points of one day among its items, by their bits: what is lost by rounding goes to the first.
func share(items []*item, day []int, fresh float64, out []Points) {
	bits := weigh(items, day)
	var sum int64
	for _, b := range bits {
		sum += b
	}
	if sum == 0 {
		return
	}
	capped := min(sum, mostOfDay)
	points := int64(math.Round(float64(capped*capped/(100*scale)) * fresh))
	left, largest := points, 0
	for k, i := range day {
		out[i] = Points(points * bits[k] / sum)
		left -= int64(out[i])
		if bits[k] > bits[largest] {
			largest = k
		}
	}
	out[day[largest]] += Points(left)
}

// weigh gives the bits of each item of a day: the oddest finding of a sort counts whole, the second half, the third
// a quarter. Alerts of different types are different sorts.
func weigh(items []*item, day []int) []int64 {
	type place struct{ k, j int }
	by := map[[2]uint32][]place{}
	for k, i := range day {
		for j, f := range items[i].Found {
			key := [2]uint32{uint32(f.Feature.sort()), 0}
			if f.Feature == detection {
				key[1] = f.Value
			}
			by[key] = append(by[key], place{k, j})
		}
	}
	out := make([]int64, len(day))
	for _, places := range by {
		bits := func(p place) int32 { return items[day[p.k]].Found[p.j].Bits }
		slices.SortStableFunc(places, func(a, b place) int { return cmp.Compare(bits(b), bits(a)) })
		for n, p := range places {
			out[p.k] += int64(bits(p)) >> n
		}
	}
	return out
}

// bounded is the zeta-weighted sum: parts r of at most 100, largest first, 100·Σ r/i^1.5 over what it would be with
// endless parts of 100.
func bounded(parts []Points) float64 {
	const zeta = 2.5924 // of 1.5, over 10,000 terms
	sum := 0.0
	for i, p := range parts {
		sum += min(p.Float(), 100) / math.Pow(float64(i+1), 1.5)
	}
	return min(100, sum/zeta)
}

// Standing is where a user stands.
type Standing struct {
	User       string
	Points     Points
	Bounded    float64
	Percentile float64
}

// Standings lists all users that have a score, highest first.
func (s *Scorer) Standings(at time.Time) []Standing {
	var out []Standing
	for _, name := range s.Users() {
		if points, norm := s.Standing(name, at); points > 0 {
			out = append(out, Standing{User: name, Points: points, Bounded: norm})
		}
	}
	slices.SortStableFunc(out, func(a, b Standing) int { return cmp.Compare(b.Points, a.Points) })
	for i := range out {
		if i > 0 && out[i].Points == out[i-1].Points {
			out[i].Percentile = out[i-1].Percentile
			continue
		}
		least := i
		for ; least < len(out) && out[least].Points == out[i].Points; least++ {
		}
		out[i].Percentile = Percentile(least, len(s.users))
	}
	return out
}

// Percentile is what part of the others have less, 0 to 100, where so many of all have as much or more, with the user.
func Percentile(most, all int) float64 { return 100 * float64(all-most) / float64(max(all-1, 1)) }

// Ranking gives the scores of all users that have one, highest first.
func (s *Scorer) Ranking(at time.Time) []Score {
	var out []Score
	for _, standing := range s.Standings(at) {
		sc := s.score(s.users[standing.User], at)
		sc.Percentile = standing.Percentile
		out = append(out, sc)
	}
	return out
}
