package ledger

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestLossesAreKept: a loss is on record once, however often and in how many parts it is noticed, for as long as the
// equations speak of an hour.
func TestLossesAreKept(t *testing.T) {
	dir := t.TempDir()
	day := func(n int) time.Time { return noon.AddDate(0, 0, n) }
	for _, l := range []Loss{
		{First: 3, Last: 3, Entries: 50, Noticed: day(0)},
		{First: 3, Last: 3, Noticed: day(1)},
		{First: 4, Last: 5, Entries: 20, Noticed: day(2)},
		{First: 9, Last: 12, Noticed: day(3)},
	} {
		if err := Note(dir, l); err != nil {
			t.Fatal(err)
		}
	}
	want := []Loss{{First: 3, Last: 5, Entries: 70, Noticed: day(0)}, {First: 9, Last: 12, Noticed: day(3)}}
	got, err := losses(dir)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("on record (-want +got): %v\n%s", err, diff)
	}
	if err := Note(dir, Loss{First: 20, Last: 20, Noticed: day(92)}); err != nil {
		t.Fatal(err)
	}
	want = []Loss{{First: 9, Last: 12, Noticed: day(3)}, {First: 20, Last: 20, Noticed: day(92)}}
	got, err = losses(dir)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("on record 92 days later (-want +got): %v\n%s", err, diff)
	}
}
