package ledger

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

var noon = time.Date(2026, 3, 4, 12, 10, 0, 0, time.UTC)

// entry is one of a service, received some hours after noon.
func entry(number int, s formats.Service, kind stream.Kind, a dedup.Action, hours int) *stream.Entry {
	at := noon.Add(time.Duration(hours) * time.Hour)
	return &stream.Entry{
		Kind: kind, Time: at, Key: dedup.EventKey(fmt.Sprintf("%032x", number)),
		Notification: formats.Notification{Service: s, Kind: formats.Alert, Arrived: at},
		Decision:     policy.Decision{Action: a, StandsFor: "f"},
	}
}

// day is a stream of every kind of entry, and what it leaves held.
func day() (entries []*stream.Entry, held *stream.Entry) {
	const mdi, mcas = formats.DefenderForIdentity, formats.CloudAppSecurity
	held = entry(4, mcas, stream.Notification, dedup.Hold, 1)
	shown := entry(8, mcas, stream.Release, dedup.Suppress, 1) // shadow mode forwarded it when it arrived
	shown.Decision.StandsFor = shown.Key
	return []*stream.Entry{
		entry(1, mdi, stream.Notification, dedup.Forward, 0),
		entry(2, mcas, stream.Notification, dedup.Suppress, 0),
		entry(3, mcas, stream.Notification, dedup.Hold, 0),
		held,
		entry(5, mcas, stream.Notification, dedup.Drop, 1),
		entry(3, mcas, stream.Release, dedup.Forward, 0),
		entry(6, formats.Sluice, stream.Link, dedup.Forward, 1),
		entry(2, mcas, stream.Undo, dedup.Forward, 2),
		entry(7, mcas, stream.Notification, dedup.Hold, 1),
		entry(7, mcas, stream.Release, dedup.Suppress, 1),
		entry(8, mcas, stream.Notification, dedup.Forward, 1),
		shown,
	}, held
}

// counted is a ledger that has counted what was appended, in batches of that size.
func counted(t *testing.T, dir string, entries []*stream.Entry, size int) *Ledger {
	t.Helper()
	s, err := stream.Open(t.Context(), stream.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	record(t, s, entries, size)
	l, err := Open(t.Context(), s, dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// record appends entries in batches of that size.
func record(t *testing.T, s *stream.Stream, entries []*stream.Entry, size int) {
	t.Helper()
	for len(entries) > 0 {
		b := new(stream.Batch)
		for _, e := range entries[:min(size, len(entries))] {
			if ok, err := b.Add(e); err != nil || !ok {
				t.Fatal(ok, err)
			}
		}
		entries = entries[b.Len():]
		if _, err := s.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
}

// run lets the ledger count until it is at the end.
func run(t *testing.T, l *Ledger) {
	t.Helper()
	for {
		ctx, stop := context.WithCancel(t.Context())
		stop() // what lies ready is handed out all the same
		entries, err := l.reader.Next(ctx, 2)
		if err != nil || len(entries) == 0 {
			return
		}
		if err := l.count(entries); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEquationsHold(t *testing.T) {
	for _, size := range []int{1, 5, 100} {
		for _, lag := range []bool{false, true} {
			t.Run(fmt.Sprintf("batches of %d, ledger behind: %v", size, lag), func(t *testing.T) {
				entries, held := day()
				l := counted(t, t.TempDir(), entries, size)
				if !lag {
					run(t, l)
				}
				_, last := l.stream.Bounds()
				siem := Account{Target: "siem", Tally: stream.Tally{}}
				r, err := l.Reconcile(t.Context(), State{Held: []*stream.Entry{held}, At: last}, []Account{siem})
				if err != nil {
					t.Fatal(err)
				}
				if len(r.Unequal) > 0 {
					t.Errorf("unequal: %+v", r.Unequal)
				}
				line := func(s formats.Service, hours int, terms ...int64) Line {
					names := []string{Received, Forwarded, Suppressed, Dropped, Held}
					out := Line{s, noon.Truncate(time.Hour).Add(time.Duration(hours) * time.Hour), map[string]int64{}}
					for i, n := range terms {
						out.Terms[names[i]] = n
					}
					return out
				}
				want := []Line{
					line(formats.CloudAppSecurity, 0, 2, 1, 1, 0, 0),
					line(formats.DefenderForIdentity, 0, 1, 1, 0, 0, 0),
					line(formats.CloudAppSecurity, 1, 4, 1, 1, 1, 1),
					line(formats.Sluice, 1, 1, 1, 0, 0, 0),
					line(formats.Sluice, 2, 1, 1, 0, 0, 0),
				}
				if diff := cmp.Diff(want, r.Stream); diff != "" {
					t.Errorf("first equation (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestANewTargetHasAnAccount: one that begins in the middle of an hour, wherever that is and wherever the ledger is, is accounted
// for from its first entry on, after a start that was broken off, too.
func TestANewTargetHasAnAccount(t *testing.T) {
	t.Parallel()
	all, _ := day()
	for begin := 1; begin <= len(all); begin++ {
		l := counted(t, t.TempDir(), all[:begin], 3)
		if begin%2 == 0 {
			run(t, l)
		}
		r := begun(t, l)
		record(t, l.stream, all[begin:], 2)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		r = begun(t, l)
		want := int64(0)
		for _, e := range all[begin:] {
			if e.Delivered() {
				want++
			}
		}
		for left := len(all) - begin; ; left-- {
			if got := forwardedTo(t, l, r); got != want {
				t.Errorf("begun after %d, %d left: forwarded %d, want %d", begin, left, got, want)
			}
			if left == 0 {
				break
			}
			deliver(t, r)
		}
	}
}

// TestANewTargetsAccountOutlivesALostEnd: a target that goes back to where it began, as the stream has lost what came after
// that, still has there what it leaves out.
func TestANewTargetsAccountOutlivesALostEnd(t *testing.T) {
	t.Parallel()
	all, _ := day()
	dir, begin := t.TempDir(), len(all)/2
	in := func(work func(*stream.Stream, *Ledger)) {
		t.Helper()
		s, err := stream.Open(t.Context(), stream.Options{Dir: filepath.Join(dir, "stream"), Cursors: filepath.Join(dir, "cursors")})
		if err != nil {
			t.Fatal(err)
		}
		l, err := Open(t.Context(), s, dir, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		work(s, l)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	in(func(s *stream.Stream, _ *Ledger) { record(t, s, all[:begin], 3) })
	kept := t.TempDir()
	if err := os.CopyFS(kept, os.DirFS(filepath.Join(dir, "stream"))); err != nil {
		t.Fatal(err)
	}
	in(func(s *stream.Stream, l *Ledger) {
		r := begun(t, l)
		record(t, s, all[begin:], 2)
		for range len(all) - begin {
			deliver(t, r)
		}
	})
	if err := os.RemoveAll(filepath.Join(dir, "stream")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "stream"), os.DirFS(kept)); err != nil {
		t.Fatal(err)
	}
	in(func(_ *stream.Stream, l *Ledger) {
		if got := forwardedTo(t, l, begun(t, l)); got != 0 {
			t.Errorf("forwarded to it: %d, want 0", got)
		}
	})
}

// deliver has a target get its next entry.
func deliver(t *testing.T, r *stream.Reader) {
	t.Helper()
	entries, err := r.Next(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	got := stream.Tally{}
	if entries[0].Delivered() {
		got.Add(Delivered, entries[0], 1)
	}
	if err := r.Commit(entries[0].At, got); err != nil {
		t.Fatal(err)
	}
}

// begun opens the cursor of a target that is new, or was when it was opened before.
func begun(t *testing.T, l *Ledger) *stream.Reader {
	t.Helper()
	r, err := l.stream.Reader(t.Context(), "siem", stream.Now)
	if err == nil {
		err = l.Begin(t.Context(), r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// forwardedTo is the left side of a target's equations, which have to hold.
func forwardedTo(t *testing.T, l *Ledger, r *stream.Reader) int64 {
	t.Helper()
	a := Account{Target: "siem"}
	a.Tally, a.At, a.Since = r.Tally()
	_, last := l.stream.Bounds()
	rep := Report{Last: last}
	if err := l.second(t.Context(), &rep, a); err != nil {
		t.Fatal(err)
	}
	if len(rep.Unequal) > 0 {
		t.Errorf("unequal: %+v", rep.Unequal)
	}
	sum := int64(0)
	for _, line := range rep.Targets[0].Lines {
		sum += line.Terms[Forwarded]
	}
	return sum
}

// TestWhatIsLostIsNamed: an entry that vanishes from the state, and one that a target never got, are
// found and named.
func TestWhatIsLostIsNamed(t *testing.T) {
	entries, held := day()
	l := counted(t, t.TempDir(), entries, 4)
	run(t, l)
	_, last := l.stream.Bounds()
	end := stream.Position{Sequence: last, Index: stream.MaxEntries}
	got, all := stream.Tally{}, stream.Tally{}
	for i := range entries {
		if entries[i].Delivered() {
			all.Add(Delivered, entries[i], 1)
			if entries[i].Key != entries[0].Key {
				got.Add(Delivered, entries[i], 1)
			}
		}
	}
	r, err := l.Reconcile(t.Context(), State{At: last}, []Account{{"well", all, end, 0}, {"ill", got, end, 0}})
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, u := range r.Unequal {
		for _, e := range u.Events {
			told = append(told, fmt.Sprintf("%q %s %d of %d: %s", u.Target, u.Service, u.Right, u.Left, e.Key))
		}
	}
	want := []string{
		fmt.Sprintf("%q cloud_app_security 3 of 4: %s", "", held.Key),
		fmt.Sprintf("%q defender_for_identity 0 of 1: %s", "ill", entries[0].Key),
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("named (-want +got):\n%s", diff)
	}
}

// TestALostLedgerBeginsAnew: without its cursor a ledger counts what the stream still has, and speaks of
// the hours of which it has all.
func TestALostLedgerBeginsAnew(t *testing.T) {
	entries, held := day()
	dir := t.TempDir()
	l := counted(t, dir, entries, 1)
	if err := l.stream.Purge(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	cursors, err := filepath.Glob(filepath.Join(dir, "cursors", "*"))
	if err != nil || len(cursors) == 0 {
		t.Fatal(cursors, err)
	}
	for _, name := range cursors {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	again, err := Open(t.Context(), l.stream, dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	run(t, again)
	_, last := l.stream.Bounds()
	r, err := again.Reconcile(t.Context(), State{Held: []*stream.Entry{held}, At: last}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Unequal) > 0 || len(r.Stream) != 1 {
		t.Errorf("unequal: %+v, lines %+v; want the one hour of which everything is there", r.Unequal, r.Stream)
	}
}
