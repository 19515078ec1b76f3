package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func openReader(tb testing.TB, s *Stream, name string, start Start) *Reader {
	tb.Helper()
	r, err := s.Reader(tb.Context(), name, start)
	if err != nil {
		tb.Fatalf("Reader(%s): %v", name, err)
	}
	return r
}

// next takes n entries from the reader, by limit.
func next(tb testing.TB, r *Reader, n, limit int) []*Entry {
	tb.Helper()
	var out []*Entry
	for len(out) < n {
		es, err := r.Next(tb.Context(), min(limit, n-len(out)))
		if err != nil {
			tb.Fatalf("Next: %v", err)
		}
		if len(es) == 0 || len(es) > limit {
			tb.Fatalf("Next(%d) = %d entries", limit, len(es))
		}
		out = append(out, es...)
	}
	return out
}

func commit(tb testing.TB, r *Reader, at Position) {
	tb.Helper()
	if err := r.Commit(at, nil); err != nil {
		tb.Fatalf("Commit(%v): %v", at, err)
	}
}

func keys(es []*Entry) []string {
	var out []string
	for _, e := range es {
		out = append(out, string(e.Key[len(e.Key)-4:]))
	}
	return out
}

// atEnd says whether the reader has nothing to hand out.
func atEnd(tb testing.TB, r *Reader) bool {
	tb.Helper()
	ctx, cancel := context.WithCancelCause(tb.Context())
	cancel(errInjected)
	es, err := r.Next(ctx, 1)
	if err != nil && !errors.Is(err, errInjected) && !errors.Is(err, context.Canceled) {
		tb.Fatalf("Next: %v", err)
	}
	return len(es) == 0
}

func TestAReaderGoesOnBehindItsCommit(t *testing.T) {
	o := Options{Dir: t.TempDir(), Synced: true}
	s := openStream(t, o)
	for i := range 4 {
		appendEntries(t, s, 3*i, 3)
	}
	want := readAll(t, s, 1)
	for _, limit := range []int{1, 2, 5, 100} {
		r := openReader(t, s, "siem", Oldest)
		done := 0
		if at := r.Committed(); at != (Position{}) {
			done = int(at.Sequence-1)*3 + at.Index + 1
		}
		got := next(t, r, 4-2, limit)
		if d := cmp.Diff(want[done:done+2], got); d != "" {
			t.Errorf("limit %d: Next differs (-want +got):\n%s", limit, d)
		}
		commit(t, r, got[1].At)
		commit(t, r, got[0].At) // an earlier one changes nothing
		closeStream(t, s)
		s = openStream(t, o)
	}
	r := openReader(t, s, "siem", Oldest)
	got := next(t, r, 4, 100)
	if d := cmp.Diff(want[8:], got); d != "" {
		t.Errorf("Next differs (-want +got):\n%s", d)
	}
	commit(t, r, got[3].At)
	closeStream(t, s)
	s = openStream(t, o)
	r = openReader(t, s, "siem", Oldest)
	appendEntries(t, s, 50, 1)
	if d := cmp.Diff(placed(entries(50, 1), 5), next(t, r, 1, 9)); d != "" {
		t.Errorf("Next behind the end differs (-want +got):\n%s", d)
	}
}

func TestCommitRefusesWhatWasNotHandedOut(t *testing.T) {
	s := openStream(t, Options{Dir: t.TempDir()})
	r := openReader(t, s, "siem", Oldest)
	appendEntries(t, s, 0, 3)
	appendEntries(t, s, 3, 3)
	next(t, r, 4, 4)
	for _, at := range []Position{{2, 1}, {2, 2}, {3, 0}, {1, 3}, {1, -1}} {
		if err := r.Commit(at, nil); err == nil && (Position{}).Less(at) {
			t.Errorf("Commit(%v) = nil, want an error", at)
		}
	}
	commit(t, r, Position{2, 0})
}

func TestStarts(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	s := openStream(t, o)
	empty := openReader(t, s, "now, when it is empty", Now)
	appendEntries(t, s, 0, 2)
	appendEntries(t, s, 2, 2)
	openReader(t, s, "now", Now)
	closeStream(t, s) // the place of a reader that never read is durable too

	s = openStream(t, o)
	now := openReader(t, s, "now", Now)
	appendEntries(t, s, 4, 1)
	if got := keys(next(t, now, 1, 5)); !cmp.Equal(got, []string{"0004"}) {
		t.Errorf("from now = %v, want 0004", got)
	}
	empty = openReader(t, s, empty.name, Now)
	if got := keys(next(t, empty, 5, 1)); !cmp.Equal(got, []string{"0000", "0001", "0002", "0003", "0004"}) {
		t.Errorf("from now, when it is empty = %v, want everything", got)
	}
	if err := s.Purge(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	oldest := openReader(t, s, "oldest", Oldest)
	if got := keys(next(t, oldest, 3, 2)); !cmp.Equal(got, []string{"0002", "0003", "0004"}) {
		t.Errorf("from the oldest = %v, want 0002 to 0004", got)
	}
	if n := oldest.Missed(); n != 0 {
		t.Errorf("a new reader missed %d, want 0", n)
	}
}

// TestANameWithoutACursorIsToldOf: the file of one that isn't new is lost, and nobody else would say that entries come twice
// or not at all.
func TestANameWithoutACursorIsToldOf(t *testing.T) {
	for name, start := range map[string]Start{"oldest": Oldest, "now": Now, "a time": Since(time.Unix(0, 0))} {
		t.Run(name, func(t *testing.T) {
			w := &warnings{}
			o := Options{Dir: t.TempDir(), Log: slog.New(w)}
			s := openStream(t, o)
			openReader(t, s, "siem", start)
			appendEntries(t, s, 0, 2)
			closeStream(t, s)
			s = openStream(t, o)
			openReader(t, s, "siem", start)
			if w.has("no cursor") {
				t.Errorf("a new stream has no cursors, and one that is there is one: %q", w.got)
			}
			closeStream(t, s)
			if err := os.Remove(s.options.cursorPath("siem")); err != nil {
				t.Fatal(err)
			}
			s = openStream(t, o)
			openReader(t, s, "siem", start)
			if !w.has("no cursor") {
				t.Error("nothing says that the cursor is gone")
			}
			closeStream(t, s)
		})
	}
}

// TestStartAtATime: a reader begins with the first message that has something of that time or later.
func TestStartAtATime(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	s := openStream(t, o)
	for i := range 20 {
		appendEntries(t, s, 10*i, 2) // of second 10i and the one after
	}
	for _, purged := range []uint64{0, 6} {
		if err := s.Purge(t.Context(), purged); err != nil {
			t.Fatal(err)
		}
		for _, second := range []int{0, 100, 9999} { // begun, nothing delivered, and begun again
			openReader(t, s, fmt.Sprint("again", purged, second), Since(entry(second).Time))
		}
		closeStream(t, s)
		s = openStream(t, o)
		for second, want := range map[int]string{0: "0000", 100: "0064"} {
			if purged > 0 && second == 0 {
				want = "0032"
			}
			r := openReader(t, s, fmt.Sprint("again", purged, second), Since(entry(second).Time))
			if got := keys(next(t, r, 1, 1)); got[0] != want {
				t.Errorf("purged %d, since second %d, opened again = %v, want %s", purged, second, got, want)
			}
		}
		if r := openReader(t, s, fmt.Sprint("again", purged, 9999), Oldest); !atEnd(t, r) {
			t.Errorf("purged %d, since the end, opened again: the reader has something", purged)
		}
		for _, tt := range []struct {
			second int
			want   string // "" is the end
		}{{-1, "0000"}, {0, "0000"}, {1, "0000"}, {2, "000a"}, {95, "0064"}, {100, "0064"}, {101, "0064"}, {190, "00be"}, {191, "00be"}, {192, ""}, {9999, ""}} {
			want := tt.want
			if purged > 0 && want != "" && want < "0032" {
				want = "0032" // the oldest there is
			}
			r := openReader(t, s, fmt.Sprint("since", purged, tt.second), Since(entry(tt.second).Time))
			if want == "" {
				if !atEnd(t, r) {
					t.Errorf("purged %d, since second %d: the reader has something", purged, tt.second)
				}
				continue
			}
			if got := keys(next(t, r, 1, 1)); got[0] != want {
				t.Errorf("purged %d, since second %d = %v, want %s", purged, tt.second, got, want)
			}
			if n := r.Missed(); n != 0 {
				t.Errorf("purged %d, since second %d: missed %d", purged, tt.second, n)
			}
		}
	}
}

func TestANameHasOneReader(t *testing.T) {
	s := openStream(t, Options{Dir: t.TempDir()})
	r := openReader(t, s, "siem", Oldest)
	if _, err := s.Reader(t.Context(), "siem", Oldest); err == nil {
		t.Error("second Reader of a name = nil, want an error")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	openReader(t, s, "siem", Oldest)
	for _, name := range []string{"", strings.Repeat("n", 501)} {
		if _, err := s.Reader(t.Context(), name, Oldest); err == nil {
			t.Errorf("Reader with a name of %d bytes = nil, want an error", len(name))
		}
	}
}

func TestAnyNameIsAFile(t *testing.T) {
	o := Options{Dir: t.TempDir(), Cursors: t.TempDir()}
	s := openStream(t, o)
	names := []string{
		".", "..", "../up", "a/b", "A", "a", "con", "caf\xe9", "\x00", "%41", "%", " ", "日本", "a.cursor",
		strings.Repeat("x", 500), strings.Repeat("x", 499) + "y", strings.Repeat("é", 250), strings.Repeat("\x01", 500),
	}
	for _, name := range names {
		openReader(t, s, name, Oldest)
	}
	files, err := os.ReadDir(o.Cursors)
	if err != nil || len(files) != len(names) {
		t.Errorf("%d files for %d names, %v", len(files), len(names), err)
	}
}

func TestRewindHandsOutAgainWhatIsNotCommitted(t *testing.T) {
	s := openStream(t, Options{Dir: t.TempDir()})
	r := openReader(t, s, "siem", Oldest)
	r.Rewind()
	for i := range 4 {
		appendEntries(t, s, 2*i, 2)
	}
	got := next(t, r, 7, 3)
	commit(t, r, got[2].At)
	r.Rewind()
	if d := cmp.Diff(got[3:], next(t, r, 4, 3)); d != "" {
		t.Errorf("Next after Rewind differs (-want +got):\n%s", d)
	}
	if r.Missed() != 0 {
		t.Errorf("Missed = %d, want 0", r.Missed())
	}
}

func TestReadersGetEverythingInOrderHoweverSlow(t *testing.T) {
	s := openStream(t, Options{Dir: t.TempDir()})
	const messages, per = 300, 3
	limits := map[string]int{"quick": 512, "slow": 1, "odd": 7}
	type answer struct {
		name string
		got  []string
	}
	answers := make(chan answer, len(limits))
	var wg sync.WaitGroup
	half := make(chan struct{})
	for name, limit := range limits {
		r := openReader(t, s, name, Oldest)
		wg.Go(func() {
			if name == "odd" { // begins when memory has long moved on
				<-half
			}
			var got []string
			for len(got) < messages*per {
				es, err := r.Next(t.Context(), limit)
				if err != nil {
					t.Errorf("%s: Next: %v", name, err)
					return
				}
				got = append(got, keys(es)...)
				if err := r.Commit(es[len(es)-1].At, nil); err != nil {
					t.Errorf("%s: Commit: %v", name, err)
				}
			}
			answers <- answer{name, got}
		})
	}
	for i := range messages {
		appendEntries(t, s, i*per, per)
		if i == messages/2 {
			close(half)
		}
	}
	wg.Wait()
	want := keys(entries(0, messages*per))
	for range limits {
		a := <-answers
		if d := cmp.Diff(want, a.got); d != "" {
			t.Errorf("%s differs (-want +got):\n%s", a.name, d)
		}
	}
	if n := len(s.head.messages); n != 0 {
		t.Errorf("%d messages are kept in memory that every reader has", n)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	s := openStream(t, Options{Dir: t.TempDir()})
	r := openReader(t, s, "asleep", Oldest)
	for i := range 3 * headMessages {
		appendEntries(t, s, i, 1)
		if n := len(s.head.messages); n > headMessages {
			t.Fatalf("%d messages in memory, want at most %d", n, headMessages)
		}
	}
	if n := len(s.head.messages); n != 0 {
		t.Errorf("%d messages in memory for a reader that is far behind, want none", n)
	}
	var h head
	for i := range 200 {
		h.push(&Message{Sequence: uint64(i), Size: 1 << 20})
		if h.bytes > headBytes || len(h.messages) > 8 {
			t.Fatalf("%d bytes in %d messages in memory", h.bytes, len(h.messages))
		}
	}
	if got := keys(next(t, r, 3*headMessages, 512)); !cmp.Equal(got, keys(entries(0, 3*headMessages))) {
		t.Errorf("the sleeper got %v", got)
	}
}

func TestRetainKeepsWhatIsNeeded(t *testing.T) {
	past, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	tests := []struct {
		name      string
		olderThan time.Time
		notPast   uint64
		committed uint64 // by the slower of two readers
		want      uint64 // first sequence
	}{
		{"nothing is old", past, math.MaxUint64, 8, 1},
		{"all is old", future, math.MaxUint64, 8, 8},
		{"the slower cursor stays", future, math.MaxUint64, 3, 3},
		{"a hold is owed", future, 5, 8, 5},
		{"no checkpoint yet", future, 0, 8, 1},
		{"a cursor that never moved", future, math.MaxUint64, 0, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := openStream(t, Options{Dir: t.TempDir()})
			slow, quick := openReader(t, s, "slow", Oldest), openReader(t, s, "quick", Oldest)
			for i := range 8 {
				appendEntries(t, s, i, 1)
			}
			next(t, slow, 8, 8)
			next(t, quick, 8, 8)
			commit(t, slow, Position{Sequence: test.committed})
			commit(t, quick, Position{Sequence: 8})
			if err := s.Retain(t.Context(), test.olderThan, test.notPast); err != nil {
				t.Fatalf("Retain: %v", err)
			}
			if first, last := s.Bounds(); first != test.want || last != 8 {
				t.Errorf("Bounds = %d, %d, want %d, 8", first, last, test.want)
			}
		})
	}
}

func TestRetainGoesByTheTimeOfStoring(t *testing.T) {
	s := openStream(t, Options{Dir: t.TempDir()})
	for i := range 6 {
		appendEntries(t, s, i, 1)
	}
	m, err := s.Read(t.Context(), 4)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Retain(t.Context(), m.Stored, math.MaxUint64); err != nil {
		t.Fatal(err)
	}
	if first, _ := s.Bounds(); first != 4 {
		t.Errorf("first = %d, want 4", first)
	}
}

func TestAReaderThatWasPassedCountsWhatItMissed(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	s := openStream(t, o)
	r := openReader(t, s, "model", Oldest)
	for i := range 6 {
		appendEntries(t, s, 2*i, 2)
	}
	commit(t, r, next(t, r, 3, 3)[2].At) // the first entry of message 2
	if err := s.Purge(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.head = head{} // what is in memory it would still get
	s.mu.Unlock()
	r.Rewind()
	if got := keys(next(t, r, 6, 10)); !cmp.Equal(got, keys(entries(6, 6))) || r.Missed() != 3 {
		t.Errorf("after a purge under it: %v, missed %d; want 0006 to 0011, 3", got, r.Missed())
	}
	closeStream(t, s)
	s = openStream(t, o)
	r = openReader(t, s, "model", Oldest)
	if got := keys(next(t, r, 6, 10)); !cmp.Equal(got, keys(entries(6, 6))) || r.Missed() != 3 {
		t.Errorf("after opening: %v, missed %d; want 0006 to 0011, 3", got, r.Missed())
	}
}

func TestLag(t *testing.T) {
	s := openStream(t, Options{Dir: t.TempDir()})
	r := openReader(t, s, "siem", Oldest)
	check := func(what string, entries uint64, old bool) {
		t.Helper()
		lag, err := r.Lag(t.Context(), time.Now().Add(time.Minute))
		if err != nil || lag.Entries != entries || (lag.Age > 59*time.Second) != old {
			t.Errorf("%s: Lag = %v, %v, want %d entries", what, lag, err, entries)
		}
	}
	check("empty", 0, false)
	for i := range 5 {
		appendEntries(t, s, 3*i, 3)
	}
	check("from memory", 15, true)
	s.mu.Lock()
	s.head = head{}
	s.mu.Unlock()
	check("from the stream", 15, true)
	got := next(t, r, 15, 512)
	check("handed out but not committed", 15, true)
	commit(t, r, got[4].At)
	check("in the middle of a message", 10, true)
	check("asked again", 10, true)
	commit(t, r, got[14].At)
	check("at the end", 0, false)
	if !atEnd(t, r) {
		t.Error("the reader has something left")
	}
}

func TestWhoIsGoneIsKnown(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	s := openStream(t, o)
	gone, stays := openReader(t, s, "SIEM Ä", Oldest), openReader(t, s, "stays", Oldest)
	appendEntries(t, s, 0, 3)
	commit(t, gone, next(t, gone, 1, 1)[0].At)
	if left, err := s.Left(); err != nil || len(left) != 0 {
		t.Errorf("of open readers it says %v, %v", left, err)
	}
	if err := errors.Join(gone.Close(), stays.Close(), os.WriteFile(s.options.cursorPath("damaged"), []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	openReader(t, s, "stays", Oldest)
	want := []Left{{"SIEM Ä", s.options.cursorPath("SIEM Ä"), 2}}
	if left, err := s.Left(); err != nil || !cmp.Equal(left, want) {
		t.Errorf("it says %v, %v, want %v", left, err, want)
	}
}

// warnings collects what is logged at the level of a warning or above.
type warnings struct {
	mu  sync.Mutex // guards got
	got []string
}

func (*warnings) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

func (w *warnings) Handle(_ context.Context, r slog.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.got = append(w.got, r.Message)
	return nil
}

func (w *warnings) WithAttrs([]slog.Attr) slog.Handler { return w }

func (w *warnings) WithGroup(string) slog.Handler { return w }

// has says whether something with that text was logged.
func (w *warnings) has(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Contains(strings.Join(w.got, "\n"), text)
}
