package stream

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// cursorAt makes a stream of n messages with two entries each and a reader that has committed the
// first entry of message at, then closes both.
func cursorAt(t *testing.T, o Options, n, at int) {
	t.Helper()
	s := openStream(t, o)
	r := openReader(t, s, "siem", Oldest)
	for i := range n {
		appendEntries(t, s, 2*i, 2)
	}
	commit(t, r, next(t, r, 2*at-1, 512)[2*at-2].At)
	closeStream(t, s)
}

// firstKey opens the stream and says what the reader gets first, and whether it was warned of.
func firstKey(t *testing.T, o Options) (string, bool) {
	t.Helper()
	w := &warnings{}
	o.Log = slog.New(w)
	s := openStream(t, o)
	r := openReader(t, s, "siem", Oldest)
	key := keys(next(t, r, 1, 1))[0]
	closeStream(t, s)
	return key, w.has("delivered twice")
}

func TestADamagedCursorCostsDuplicatesNotEntries(t *testing.T) {
	tests := []struct {
		name   string
		damage func(data []byte) []byte
		want   string
		warned bool
	}{
		{"untouched", func(d []byte) []byte { return d }, "0005", false},
		{"empty", func([]byte) []byte { return nil }, "0000", true},
		{"garbage", func([]byte) []byte { return []byte("{\"at\":{\"sequence\":3}}") }, "0000", true},
		{"the newer record is torn", func(d []byte) []byte { d[slotSize+100] ^= 1; return d }, "0000", false},
		{"all are torn", func(d []byte) []byte { d[100] ^= 1; d[slotSize+100] ^= 1; return d }, "0000", true},
		{"cut after the first record", func(d []byte) []byte { return d[:slotSize+10] }, "0000", false},
		{"zeroes", func(d []byte) []byte { return make([]byte, len(d)) }, "0000", true},
		{"a newer format", func([]byte) []byte {
			slot, _ := seal(record{Format: recordFormat + 1, mark: mark{At: Position{3, 1}}})
			return slot
		}, "0000", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := Options{Dir: t.TempDir()}
			cursorAt(t, o, 4, 3)
			path := filepath.Join(o.Dir, "cursors", "siem.cursor")
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, test.damage(data), 0o600); err != nil {
				t.Fatal(err)
			}
			got, warned := firstKey(t, o)
			if got != test.want || warned != test.warned {
				t.Errorf("goes on with %s, warned %v; want %s, %v", got, warned, test.want, test.warned)
			}
		})
	}
}

// TestWhatWasSyncedIsNeverWrittenOver: a power cut may tear everything that was written since the last sync.
func TestWhatWasSyncedIsNeverWrittenOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "siem.cursor")
	c, err := openCursor(path, record{Name: "siem"}, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	defer c.file.Close()
	begun := time.Now()
	var synced uint64
	for i := range uint64(100) {
		now := begun.Add(time.Duration(i) * 100 * time.Millisecond)
		if err := c.move(mark{At: Position{Sequence: i + 1}}, nil, now); err != nil {
			t.Fatal(err)
		}
		if !c.dirty {
			synced = i + 1
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for slot := range int64(slots) {
			if slot != c.kept && int64(len(data)) > slot*slotSize {
				data[slot*slotSize] ^= 1
			}
		}
		torn := filepath.Join(t.TempDir(), "torn.cursor")
		if err := os.WriteFile(torn, data, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := loadCursor(torn)
		if err != nil || got.At.Sequence != synced {
			t.Fatalf("after %d commits, %d of them synced: the cursor is at %d, %v", i+1, synced, got.At.Sequence, err)
		}
	}
	if synced < 90 {
		t.Errorf("only %d commits of 10 seconds were synced", synced)
	}
}

func TestACursorAheadOfTheStreamIsPulledBack(t *testing.T) {
	dir, cursors := t.TempDir(), t.TempDir()
	cursorAt(t, Options{Dir: dir, Cursors: cursors}, 4, 3)
	shorter := Options{Dir: t.TempDir(), Cursors: cursors}
	s := openStream(t, shorter)
	appendEntries(t, s, 0, 2)
	closeStream(t, s)
	if got, warned := firstKey(t, shorter); got != "0000" || !warned {
		t.Errorf("goes on with %s, warned %v; want 0000, true", got, warned)
	}
	if got, warned := firstKey(t, shorter); got != "0000" || warned {
		t.Errorf("the second time goes on with %s, warned %v; want 0000, false", got, warned)
	}
}

func TestACursorOnAnotherMessageIsPulledBack(t *testing.T) {
	cursors := t.TempDir()
	cursorAt(t, Options{Dir: t.TempDir(), Cursors: cursors}, 4, 3)
	other := Options{Dir: t.TempDir(), Cursors: cursors}
	s := openStream(t, other)
	for i := range 5 {
		appendEntries(t, s, 100+i, 1)
	}
	closeStream(t, s)
	if got, warned := firstKey(t, other); got != "0064" && got != "0100" || !warned {
		t.Errorf("goes on with %s, warned %v; want the oldest, true", got, warned)
	}
}

func TestACursorGoesBackToWhatItCanProve(t *testing.T) {
	cursors := t.TempDir()
	s := openStream(t, Options{Dir: t.TempDir(), Cursors: cursors})
	r := openReader(t, s, "siem", Oldest)
	now := time.Now()
	for i := range 40 {
		appendEntries(t, s, i, 1)
		got := next(t, r, 1, 1)
		r.mu.Lock() // as Commit does, half a minute apart
		err := r.cursor.move(mark{At: got[0].At, Hash: r.out[0].hash, Total: uint64(i) + 1},
			Tally{}, now.Add(time.Duration(i)*trailPause))
		r.out = nil
		r.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
	}
	closeStream(t, s)
	// the stream lost the end it had from message 35 on and grew another one
	shorter := Options{Dir: t.TempDir(), Cursors: cursors}
	s = openStream(t, shorter)
	for i := range 34 {
		appendEntries(t, s, i, 1)
	}
	for i := range 20 {
		appendEntries(t, s, 500+i, 1)
	}
	closeStream(t, s)
	if got, warned := firstKey(t, shorter); got != fmt.Sprintf("%04x", 500) || !warned {
		t.Errorf("goes on with %s, warned %v; want the first entry of the new end, true", got, warned)
	}
}

func TestTheLargestRecordFits(t *testing.T) {
	huge := mark{At: Position{1<<64 - 1, MaxEntries}, Total: 1<<64 - 1}
	r := record{Format: recordFormat, Number: 1<<64 - 1, Name: strings.Repeat("x", 500), mark: huge, Base: 1<<64 - 1}
	for range trailLength {
		r.Trail = append(r.Trail, step{mark: huge})
	}
	slot, err := seal(r)
	if err != nil || len(slot) > slotSize {
		t.Fatalf("seal = %d bytes, %v", len(slot), err)
	}
	var got record
	ok := unseal(append(slot, "the rest of an earlier, longer one"...), &got)
	if d := cmp.Diff(r, got, cmp.AllowUnexported(record{}, step{})); d != "" || !ok {
		t.Errorf("unseal = %v, differs (-want +got):\n%s", ok, d)
	}
}

func TestALoadWithoutAFile(t *testing.T) {
	if _, err := loadCursor(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("loadCursor = %v, want ErrNotExist", err)
	}
}

func FuzzUnseal(f *testing.F) {
	slot, err := seal(record{Format: recordFormat, Name: "siem", Tally: Tally{{"delivered", "sluice", 1}: {1, 2}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(slot)
	sum, rest, _ := bytes.Cut(slot, []byte(" "))
	f.Add(append(bytes.Clone(sum), rest...))
	f.Fuzz(func(_ *testing.T, data []byte) {
		var r record
		unseal(data, &r)
		_, body, _ := bytes.Cut(data, []byte(" "))
		unseal(append([]byte(checksum(body)), body...), &r)
	})
}

// TestATallyIsWhatTheCursorPassed: whatever was committed and lost, and however often the cursor was
// opened anew, the tally speaks of every entry up to the cursor and of none after it.
func TestATallyIsWhatTheCursorPassed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "siem.cursor")
	c, err := openCursor(path, record{Name: "siem"}, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	want, now := Tally{}, time.Now()
	history := map[uint64]Tally{}
	for i := range uint64(100) {
		e := entry(int(i))
		e.Notification.Arrived = e.Notification.Arrived.Add(time.Duration(i) * 11 * time.Minute)
		step := Tally{}
		step.Add("delivered", e, 1)
		if i%7 == 0 {
			step.Add("refused", e, 1)
			step.Add("refused", e, -1)
		}
		want.Merge(step)
		history[i] = want.Clone()
		m := mark{At: Position{Sequence: i + 1}, Hash: Hash{1, byte(i)}, Total: i + 1}
		if err := c.move(m, step, now.Add(time.Duration(i)*trailPause/2)); err != nil {
			t.Fatal(err)
		}
		if i%9 != 0 {
			continue
		}
		if err := c.file.Close(); err != nil { // a crash: nothing is synced
			t.Fatal(err)
		}
		r, err := loadCursor(path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := loadBase(path, r.Base)
		if err != nil {
			t.Fatal(err)
		}
		if c, err = openCursor(path, r, b, true); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, c.tallied()); diff != "" {
			t.Fatalf("after %d commits (-want +got):\n%s", i+1, diff)
		}
	}
	if len(c.record.Trail) != trailLength || c.record.Base == 0 {
		t.Fatalf("%d steps of the trail, base %d: the test is too short", len(c.record.Trail), c.record.Base)
	}
	for i := range c.record.Trail {
		step := c.record.Trail[i]
		back := &cursor{base: c.base, record: record{Tally: step.Tally, Trail: c.record.Trail[i+1:]}}
		if diff := cmp.Diff(history[step.At.Sequence-1], back.tallied()); diff != "" {
			t.Errorf("pulled back to %d (-want +got):\n%s", step.At.Sequence, diff)
		}
	}
	if err := c.close(); err != nil {
		t.Error(err)
	}
}

// TestATallyThatIsTooLargeMovesToTheBase: hundreds of hours in one commit, as after a long outage.
func TestATallyThatIsTooLargeMovesToTheBase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "siem.cursor")
	c, err := openCursor(path, record{Name: "siem"}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	want := Tally{}
	for i := range 2000 {
		e := entry(i)
		e.Notification.Arrived = e.Notification.Arrived.Add(time.Duration(i) * time.Hour)
		want.Add("delivered", e, 1)
	}
	if err := c.move(mark{At: Position{Sequence: 1}, Hash: Hash{1}, Total: 2000}, want, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	r, err := loadCursor(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := loadBase(path, r.Base)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, (&cursor{base: b, record: r}).tallied()); diff != "" {
		t.Errorf("tally (-want +got):\n%.2000s", diff)
	}
}

// TestACursorThatCantBeWrittenLosesNoCount: after a failed write the next one has everything.
func TestACursorThatCantBeWrittenLosesNoCount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "siem.cursor")
	c, err := openCursor(path, record{Name: "siem"}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	one, two := Tally{}, Tally{}
	first, second := entry(1), entry(2)
	one.Add("delivered", first, 1)
	two.Add("delivered", first, 1)
	two.Add("delivered", second, 1)
	file := c.file
	if c.file, err = os.Open(path); err != nil { // to read only
		t.Fatal(err)
	}
	if err := c.move(mark{At: Position{Sequence: 1}, Total: 1}, one, time.Now()); err == nil {
		t.Fatal("move() = nil, want an error")
	}
	if len(c.tallied()) > 0 || c.record.At != (Position{}) {
		t.Errorf("the cursor moved to %v, with %v", c.record.At, c.tallied())
	}
	if err := c.file.Close(); err != nil {
		t.Fatal(err)
	}
	c.file = file
	if err := c.move(mark{At: Position{Sequence: 2}, Total: 2}, two, time.Now()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(two, c.tallied()); diff != "" {
		t.Errorf("tally (-want +got):\n%s", diff)
	}
	if err := c.close(); err != nil {
		t.Error(err)
	}
}

// TestACursorThatCantBeSyncedDoesntMove: so it is written again, and what was tallied is counted once.
func TestACursorThatCantBeSyncedDoesntMove(t *testing.T) {
	c, err := openCursor(filepath.Join(t.TempDir(), "siem.cursor"), record{Name: "siem"}, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	tally := Tally{}
	tally.Add("delivered", entry(1), 1)
	file := c.file
	if c.file, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil { // it takes everything and syncs nothing
		t.Fatal(err)
	}
	m, now := mark{At: Position{Sequence: 1}, Total: 1}, time.Now()
	if err := c.move(m, tally, now); err == nil {
		t.Fatal("move() = nil, want an error")
	}
	if len(c.tallied()) > 0 || c.record.At != (Position{}) {
		t.Errorf("the cursor moved to %v, with %v", c.record.At, c.tallied())
	}
	if err := c.file.Close(); err != nil {
		t.Fatal(err)
	}
	c.file = file
	if err := c.move(m, tally, now); err != nil {
		t.Fatal(err)
	}
	if c.dirty {
		t.Error("it isn't synced")
	}
	if diff := cmp.Diff(tally, c.tallied()); diff != "" {
		t.Errorf("tally (-want +got):\n%s", diff)
	}
	if err := c.close(); err != nil {
		t.Error(err)
	}
}
