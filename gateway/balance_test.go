package gateway

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/ledger"
)

// TestADifferenceIsToldWhenItChanges: the log has it once, again each hour while it stands, and its end.
func TestADifferenceIsToldWhenItChanges(t *testing.T) {
	at := monday.UTC()
	diff := func(target string, left int64) ledger.Difference {
		return ledger.Difference{Target: target, Service: formats.CloudAppSecurity, Hour: at, Left: left, Right: 7}
	}
	var b balance
	for _, look := range []struct {
		after        time.Duration
		found        []ledger.Difference
		tell, mended int
	}{
		{0, nil, 0, 0},
		{1 * m, []ledger.Difference{diff("", 8)}, 1, 0},
		{2 * m, []ledger.Difference{diff("", 8)}, 0, 0},
		{3 * m, []ledger.Difference{diff("", 8), diff("siem", 8)}, 1, 0},
		{4 * m, []ledger.Difference{diff("", 9), diff("siem", 8)}, 1, 0},
		{62 * m, []ledger.Difference{diff("", 9), diff("siem", 8)}, 0, 0},
		{63 * m, []ledger.Difference{diff("", 9), diff("siem", 8)}, 1, 0},
		{64 * m, []ledger.Difference{diff("siem", 8)}, 0, 1},
		{65 * m, []ledger.Difference{diff("siem", 8)}, 0, 0},
		{66 * m, nil, 0, 1},
		{67 * m, []ledger.Difference{diff("siem", 8)}, 1, 0},
	} {
		tell, mended := b.news(look.found, at.Add(look.after))
		if diff := cmp.Diff([]int{look.tell, look.mended}, []int{len(tell), len(mended)}); diff != "" {
			t.Errorf("after %s, told and mended (-want +got):\n%s", look.after, diff)
		}
	}
}
