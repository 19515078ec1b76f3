package main

import (
	"testing"
	"time"

	"github.com/sluice-siem/sluice/test/threats"
)

// TestTheCompromisedStandHigh is a small measurement that CI can hold: the whole one is the command's.
func TestTheCompromisedStandHigh(t *testing.T) {
	if testing.Short() {
		t.Skip("replays three weeks")
	}
	o := threats.New(301, threats.Size{People: 200, Days: 18, Quiet: 12}, time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	m, err := measureOne(o, false)
	if err != nil {
		t.Fatal(err)
	}
	var ours, theirs float64
	hits := 0
	for _, s := range m.standings {
		ours += s.percentile[priority] / float64(len(m.standings))
		theirs += s.percentile[severities] / float64(len(m.standings))
		if s.rank[priority] <= 10 {
			hits++
		}
	}
	if ours < 97 || ours < theirs+10 || hits*10 < len(m.standings)*8 {
		t.Errorf("mean percentile %.1f (of the sum of severities %.1f), %d of %d days in the top 10:\n%s%s", ours, theirs, hits, len(m.standings), m.table(), m.kinds())
	}
}
