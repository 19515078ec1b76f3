package threats_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/test/threats"
)

func organisation(seed uint64) *threats.Organisation {
	return threats.New(seed, threats.Size{People: 100, Days: 16, Quiet: 12}, time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
}

// TestSeed: one seed gives one organisation, in order.
func TestSeed(t *testing.T) {
	t.Parallel()
	a := organisation(7)
	if !slices.IsSortedFunc(a.Lines, func(x, y threats.Line) int { return x.Sent.Compare(y.Sent) }) {
		t.Error("not in order")
	}
	if !slices.Equal(a.Lines, organisation(7).Lines) || !slices.Equal(a.Incidents, organisation(7).Incidents) {
		t.Error("the same seed gives other lines")
	}
	if slices.Equal(a.Lines, organisation(8).Lines) {
		t.Error("another seed gives the same lines")
	}
}

// TestIncidents: each happens to somebody of the directory, in time: a morning in the east is on the day before.
func TestIncidents(t *testing.T) {
	t.Parallel()
	o := organisation(7)
	if len(o.Incidents) < 8 {
		t.Errorf("%d incidents, want one of each kind", len(o.Incidents))
	}
	for _, i := range o.Incidents {
		if !strings.Contains(o.Directory(), "\n"+i.User+",") || i.First < 11 || i.Last < i.First || i.Last > 15 {
			t.Errorf("incident %+v", i)
		}
	}
}
