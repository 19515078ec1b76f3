package dedup

import (
	"math/rand/v2"
	"sort"
	"testing"
	"time"
)

// habit says whether a service notifies in a slot of five minutes.
type habit func(r *rand.Rand, t time.Time) bool

func always(share float64) habit {
	return func(r *rand.Rand, _ time.Time) bool { return r.Float64() < share }
}

// office speaks from seven to six, Monday to Friday.
func office(share float64) habit {
	return func(r *rand.Rand, t time.Time) bool {
		day := t.Weekday()
		return day != time.Saturday && day != time.Sunday && t.Hour() >= 7 && t.Hour() < 18 && r.Float64() < share
	}
}

const slot = slotSeconds * time.Second

// live plays a habit from a time to another, and counts how often the service would have been missed.
func live(r *Rhythm, h habit, seed uint64, from, to time.Time) (missed int) {
	random := rand.New(rand.NewPCG(seed, 7))
	for t := from; t.Before(to); t = t.Add(slot) {
		if h(random, t) {
			r.hear(t.Add(time.Minute))
		} else if r.Silent.IsZero() && !r.Last.IsZero() && r.Surprise(r.Last, t) >= Astonishing {
			r.Silent = t
			missed++
		}
	}
	return missed
}

// missedAfter is how long it takes to miss a service that falls silent at that time.
func missedAfter(r *Rhythm, at time.Time) time.Duration {
	const most = 400 * 288
	n := sort.Search(most, func(n int) bool { return r.Surprise(at, at.Add(time.Duration(n)*slot)) >= Astonishing })
	if n == most {
		return 0
	}
	return time.Duration(n) * slot
}

func TestRhythm(t *testing.T) {
	monday := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	const day, week = 24 * time.Hour, 7 * 24 * time.Hour
	tests := []struct {
		name        string
		habit       habit
		learned     time.Duration
		falls       time.Duration // silent, after the learned time
		least, most time.Duration // until it is missed; 0: never within a year
	}{
		{"busy day and night", always(1), 8 * week, 11 * time.Hour, 25 * time.Minute, 30 * time.Minute},
		{"busy, known for two days", always(1), 2 * day, 11 * time.Hour, 25 * time.Minute, 6 * time.Hour},
		{"busy, known for some hours", always(1), 5 * time.Hour, time.Hour, 6 * day, 8 * day},
		{"every second slot", always(0.5), 8 * week, 11 * time.Hour, time.Hour, 4 * time.Hour},
		{"at the office, within the day", office(0.9), 8 * week, 11 * time.Hour, 25 * time.Minute, time.Hour},
		{"at the office, on Friday evening", office(0.9), 8 * week, 4*day + 19*time.Hour, 2*day + 12*time.Hour, 2*day + 15*time.Hour},
		{"some a week", always(5.0 / 2016), 60 * week, 0, 7 * day, 360 * day},
		{"once in a month", always(1.0 / 8064), 16 * week, 0, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r Rhythm
			end := monday.Add(tt.learned)
			if missed := live(&r, tt.habit, 1, monday, end); missed > 0 {
				t.Errorf("missed %d times while it was as usual", missed)
			}
			got := missedAfter(&r, end.Add(tt.falls))
			if got < tt.least || got > tt.most {
				t.Errorf("missed after %s, want %s to %s", got, tt.least, tt.most)
			}
		})
	}
}

// TestRhythmAsUsual: nobody is missed in a year of the usual, whatever that is.
func TestRhythmAsUsual(t *testing.T) {
	monday := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for name, h := range map[string]habit{
		"busy": always(0.97), "busy at the office": office(0.97), "half": always(0.5), "half at the office": office(0.5),
		"tenth": always(0.1), "rare": always(0.002),
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(3) {
				var r Rhythm
				// From Saturday on, the first office hours are unknown hours too.
				if missed := live(&r, h, seed, monday.AddDate(0, 0, -2), monday.AddDate(1, 0, 0)); missed > 1 {
					t.Errorf("seed %d: missed %d times", seed, missed)
				}
			}
		})
	}
}

// TestANewHabitIsLearned: who notifies less from some day on is missed, and then no more.
func TestANewHabitIsLearned(t *testing.T) {
	monday := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	var r Rhythm
	live(&r, always(0.95), 1, monday, monday.AddDate(0, 2, 0))
	if missed := live(&r, always(0.05), 2, monday.AddDate(0, 2, 0), monday.AddDate(0, 3, 0)); missed == 0 {
		t.Error("the change is not noticed")
	}
	if missed := live(&r, always(0.05), 3, monday.AddDate(0, 3, 0), monday.AddDate(0, 6, 0)); missed > 1 {
		t.Errorf("missed %d times by a habit that was given up months ago", missed)
	}
}
