package gateway

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/sluice-siem/sluice/config"
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

// TestQueuedIsExported: what waits for a target is a term of its own, counted in the stream, and the equation holds of what
// Prometheus has.
func TestQueuedIsExported(t *testing.T) {
	t.Parallel()
	c := frontDoor(t, func(c *config.Config) {
		c.Targets = append(c.Targets, config.Target{Name: "gone", Type: "file", Path: filepath.Join(c.DataDir, "missing", "out.jsonl"), Format: "json"})
	})
	g := startTimed(t, c, 0)
	g.send(ofMDI(1), ofMDI(2), ofMDI(3))
	eventually(t, "one target has everything", func() bool { return g.waiting(t.Context())["file"] == 0 })
	if err := g.balanceOnce(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(newBooks(g.Gateway))
	const want = `
# HELP sluice_ledger_target_entries Forwarded entries of the last 90 days by what became of them at the target: forwarded = delivered + filtered + queued + dead_lettered. Of a target that was added later, earlier is what was forwarded before it and is left out. Queued is as of the last look, and not there while a backlog is too deep for one.
# TYPE sluice_ledger_target_entries gauge
sluice_ledger_target_entries{service="defender_for_identity",target="file",term="delivered"} 3
sluice_ledger_target_entries{service="defender_for_identity",target="file",term="queued"} 0
sluice_ledger_target_entries{service="defender_for_identity",target="gone",term="queued"} 3
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "sluice_ledger_target_entries"); err != nil {
		t.Error(err)
	}
}

// TestANewTargetIsAccountedFor: what comes in the rest of the hour in which a target is added is in its account, which a
// reconciliation of the files before its first start doesn't begin.
func TestANewTargetIsAccountedFor(t *testing.T) {
	t.Parallel()
	c := frontDoor(t)
	g := startTimed(t, c, 0)
	g.send(ofMDI(1), ofMDI(2))
	g.stop()
	c.Targets = append(c.Targets, config.Target{
		Name: "new", Type: "file", Path: filepath.Join(c.DataDir, "new.jsonl"), Format: "json", From: config.From{Now: true},
	})
	if r, err := ReconcileStore(t.Context(), c, g.log); err != nil || len(r.Targets) != 1 {
		t.Errorf("before its first start: %+v, %v", r.Targets, err)
	}
	g = startTimed(t, c, 0)
	g.send(ofMDI(3))
	eventually(t, "it has everything", func() bool { return g.waiting(t.Context())["new"] == 0 })
	r, err := g.reconcile(t.Context())
	if err != nil || len(r.Unequal) > 0 {
		t.Errorf("unequal: %+v, %v", r.Unequal, err)
	}
	terms := map[string]int64{}
	for _, line := range r.Targets[1].Lines {
		for term, n := range line.Terms {
			terms[term] += n
		}
	}
	want := map[string]int64{ledger.Forwarded: 1, ledger.Delivered: 1, ledger.Filtered: 0, ledger.Queued: 0, ledger.DeadLettered: 0}
	if diff := cmp.Diff(want, terms); diff != "" {
		t.Errorf("its account (-want +got):\n%s", diff)
	}
}
