package dedup

import (
	"testing"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats"
)

// TestEqualTimes: times that are equal because both are told to the second say less than those that are equal to the millisecond.
func TestEqualTimes(t *testing.T) {
	at := time.Date(2024, 3, 4, 8, 0, 0, 0, time.UTC)
	s := scale{config: config.Default().Dedup}
	for _, tt := range []struct {
		name string
		a, b time.Duration
		want int
	}{
		{"to the millisecond, one told more exactly", 123456700, 123 * time.Millisecond, pointsSameMoment},
		{"both told to the second", 0, 0, pointsSameTime},
		{"both told to the millisecond", 123 * time.Millisecond, 123 * time.Millisecond, pointsSameTime},
		{"within a millisecond, and another one", 123999900, 124 * time.Millisecond, pointsSameTime},
		{"a second apart", 123456700, 1123 * time.Millisecond, pointsEqualTime - 3},
	} {
		var v verdict
		a := formats.Notification{Start: at.Add(tt.a), Arrived: at.Add(time.Minute)}
		b := formats.Notification{Start: at.Add(tt.b), Arrived: at.Add(time.Minute)}
		if !s.weighTimes(&v, &a, &b) || v.points != tt.want {
			t.Errorf("%s: %d points, want %d", tt.name, v.points, tt.want)
		}
	}
}

// TestSure: whom the two name doesn't count.
func TestSure(t *testing.T) {
	for _, tt := range []struct {
		name     string
		evidence []Evidence
		want     bool
	}{
		{"one time as far as it is told", []Evidence{{"time", "", pointsSameTime}, {"type", "", pointsType}, {"account", "", pointsLikely}}, true},
		{"one machine, seconds apart", []Evidence{{"time", "", 18}, {"type", "", pointsType}, {"account", "", pointsLikely}, {"device", "", pointsDevice}}, true},
		{"one moment, and a text without the machine", []Evidence{{"time", "", pointsSameMoment}, {"type", "", pointsType}, {"account", "", pointsLikely}, {"device", "", pointsRetold}}, false},
		{"the account and the time alone", []Evidence{{"time", "", 28}, {"type", "", pointsType}, {"account", "", pointsAccount}}, false},
	} {
		m := Match{Evidence: tt.evidence}
		for _, e := range tt.evidence {
			m.Points += e.Points
		}
		if got := m.Sure(); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
