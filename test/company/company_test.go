package company_test

import (
	"slices"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/test/company"
)

// TestSeed: one seed gives one week, in order, and of the size that was asked for.
func TestSeed(t *testing.T) {
	t.Parallel()
	size := company.Size{People: 200, Activities: 5000, Alerts: 20, Days: 7}
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	week := func(seed uint64) []company.Line { return slices.Collect(company.New(seed, size, start).Lines()) }
	a := week(7)
	if n := len(a) - 2*size.Alerts; n < size.Activities*9/10 || n > size.Activities*11/10 {
		t.Errorf("%d activities, want about %d", n, size.Activities)
	}
	if !slices.Equal(a, week(7)) {
		t.Error("the same seed gives other lines")
	}
	if slices.Equal(a, week(8)) {
		t.Error("another seed gives the same lines")
	}
	byTime := func(x, y company.Line) int { return x.Sent.Compare(y.Sent) }
	for day := range slices.Chunk(a, len(a)/7+1) {
		if !slices.IsSortedFunc(day[:len(day)/2], byTime) {
			t.Error("not in order")
		}
	}
}
