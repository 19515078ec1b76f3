package stream

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// suspect commits and says what is in doubt.
func suspect(t *testing.T, r *Reader, at Position, d Doubt) {
	t.Helper()
	r.Suspect(d)
	commit(t, r, at)
}

// TestADoubtIsKeptWithTheCursor: what a killed process suspected is there, and nothing that it didn't write.
func TestADoubtIsKeptWithTheCursor(t *testing.T) {
	o := Options{Dir: t.TempDir(), Cursors: t.TempDir()}
	s := openStream(t, o)
	r := openReader(t, s, "siem", Oldest)
	for i := range 4 {
		appendEntries(t, s, 2*i, 2)
	}
	got := next(t, r, 8, 512)
	kept := func() Doubt {
		t.Helper()
		rec, err := loadCursor(o.cursorPath("siem"))
		if err != nil {
			t.Fatal(err)
		}
		return rec.Doubt
	}
	want := Doubt{From: got[1].At, Link: "a b"}
	suspect(t, r, got[4].At, want)
	if diff := cmp.Diff(want, kept()); diff != "" {
		t.Errorf("with the cursor (-want +got):\n%s", diff)
	}
	r.Suspect(Doubt{})
	if diff := cmp.Diff(want, kept()); diff != "" {
		t.Errorf("before the next commit (-want +got):\n%s", diff)
	}
	if err := r.Recount(nil); err != nil {
		t.Fatal(err)
	}
	if d := kept(); !d.None() {
		t.Errorf("after the next write: %v", d)
	}
	suspect(t, r, got[5].At, want)
	closeStream(t, s)

	s = openStream(t, o)
	r = openReader(t, s, "siem", Oldest)
	if diff := cmp.Diff(want, r.Doubt()); diff != "" {
		t.Errorf("opened again (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(keys(entries(6, 2)), keys(next(t, r, 2, 512))); diff != "" {
		t.Errorf("without Again it goes on behind the cursor (-want +got):\n%s", diff)
	}
	r.Again(want.From)
	again := next(t, r, 7, 3)
	if diff := cmp.Diff(keys(entries(1, 7)), keys(again)); diff != "" {
		t.Errorf("again (-want +got):\n%s", diff)
	}
	commit(t, r, again[2].At)
	if at := r.Committed(); at != got[5].At || r.Missed() != 0 {
		t.Errorf("a commit before the cursor moved it to %v; missed %d", at, r.Missed())
	}
	r.Again(Position{Sequence: 9}) // not behind the cursor
	if diff := cmp.Diff(keys(entries(6, 2)), keys(next(t, r, 2, 512))); diff != "" {
		t.Errorf("from ahead of the cursor (-want +got):\n%s", diff)
	}
}

// TestWhatIsInDoubtIsRetained: and what was purged nevertheless is passed over.
func TestWhatIsInDoubtIsRetained(t *testing.T) {
	s := openStream(t, Options{Dir: t.TempDir()})
	r := openReader(t, s, "siem", Oldest)
	for i := range 6 {
		appendEntries(t, s, 2*i, 2)
	}
	got := next(t, r, 12, 512)
	suspect(t, r, got[11].At, Doubt{From: got[5].At})
	if err := s.Retain(t.Context(), time.Now().Add(time.Hour), math.MaxUint64); err != nil {
		t.Fatal(err)
	}
	if first, _ := s.Bounds(); first != got[5].At.Sequence {
		t.Errorf("the oldest message is %d, want %d", first, got[5].At.Sequence)
	}
	if err := s.Purge(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	r.Again(got[5].At)
	s.mu.Lock()
	s.head = head{} // what is in memory it would still get
	s.mu.Unlock()
	if diff := cmp.Diff(keys(entries(8, 4)), keys(next(t, r, 4, 512))); diff != "" || r.Missed() != 0 {
		t.Errorf("what is left, missed %d (-want +got):\n%s", r.Missed(), diff)
	}
}

// TestACursorThatGoesBackKeepsItsDoubt: what was in doubt lies before the older mark, too.
func TestACursorThatGoesBackKeepsItsDoubt(t *testing.T) {
	o := Options{Dir: t.TempDir(), Cursors: t.TempDir()}
	s := openStream(t, o)
	r := openReader(t, s, "siem", Oldest)
	for i := range 4 {
		appendEntries(t, s, 2*i, 2)
	}
	got := next(t, r, 8, 512)
	d := Doubt{From: got[0].At}
	suspect(t, r, got[3].At, d)
	r.cursor.trailed = time.Time{} // so that the next commit keeps this mark
	suspect(t, r, got[7].At, d)
	r.cursor.record.Hash[0]++ // the stream has another message there
	if err := r.Recount(nil); err != nil {
		t.Fatal(err)
	}
	closeStream(t, s)
	r = openReader(t, openStream(t, o), "siem", Oldest)
	if at := r.Committed(); at != got[3].At || r.Doubt() != d {
		t.Errorf("at %v with the doubt %v, want %v and %v", at, r.Doubt(), got[3].At, d)
	}
}
