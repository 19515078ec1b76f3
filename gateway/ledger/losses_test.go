package ledger

import (
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// onRecord compares what is on record at a time.
func onRecord(t *testing.T, dir string, now time.Time, want ...Loss) {
	t.Helper()
	got, err := losses(dir, now)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("on record at %s (-want +got): %v\n%s", now, err, diff)
	}
}

// note puts losses on record.
func note(t *testing.T, dir string, all ...Loss) {
	t.Helper()
	for _, l := range all {
		if err := Note(dir, l); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLossesAreKept: a loss is on record once, however often and in how many parts it is noticed, for as long as the
// equations speak of an hour.
func TestLossesAreKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	minute := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Minute) }
	note(
		t, dir,
		Loss{First: 3, Last: 3, Entries: 50, Noticed: noon},
		Loss{First: 3, Last: 3, Noticed: minute(1)},
		Loss{First: 4, Last: 5, Entries: 20, Noticed: minute(2)},
		Loss{First: 9, Last: 12, Noticed: minute(60 * 24)},
	)
	first, second := Loss{First: 3, Last: 5, Entries: 70, Noticed: noon}, Loss{First: 9, Last: 12, Noticed: minute(60 * 24)}
	onRecord(t, dir, minute(60*24), first, second)
	onRecord(t, dir, noon.Add(kept+time.Hour), second)
}

// TestANewLossIsNoOldOne: numbers are used again after a lost end, so what is noticed much later is lost, too, and on record
// for as long.
func TestANewLossIsNoOldOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, again := Loss{First: 9, Last: 12, Noticed: noon}, Loss{First: 10, Last: 14, Noticed: noon.Add(2 * time.Hour)}
	beside := Loss{First: 15, Last: 15, Noticed: noon.Add(kept + 5*24*time.Hour)}
	note(t, dir, first, again)
	onRecord(t, dir, again.Noticed, first, again)
	note(t, dir, beside)
	onRecord(t, dir, beside.Noticed, beside)
}

// TestADamagedRecordOfLosses costs what it held and no more.
func TestADamagedRecordOfLosses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	damage := func() {
		t.Helper()
		if err := os.WriteFile(lossesPath(dir), []byte(`[{"first_b`), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := CheckLosses(dir); err == nil {
			t.Error("a damaged record is found sound")
		}
	}
	damage()
	l := counted(t, dir, nil, 1)
	if err := CheckLosses(dir); err != nil {
		t.Errorf("after the start: %v", err)
	}
	damage()
	if r, err := l.Reconcile(t.Context(), State{}, nil); err != nil || len(r.Lost) > 0 {
		t.Errorf("Reconcile() = %+v, %v", r.Lost, err)
	}
	lost := Loss{First: 1, Last: 1, Noticed: noon}
	note(t, dir, lost)
	onRecord(t, dir, noon, lost)
}
