package dedup

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats"
)

func numbered(i int) (of [16]byte) {
	binary.BigEndian.PutUint64(of[:], uint64(i))
	return of
}

// TestEveryActivityIsFoundInItsBlocks: the table forgets nothing that is young enough, finds little that
// isn't there, and takes no more than it says.
func TestEveryActivityIsFoundInItsBlocks(t *testing.T) {
	const each, keep = 50, 2000 // records in a block, blocks that are remembered
	a := newActivities()
	for number := uint64(1); number <= 3*keep; number++ {
		for i := range each {
			a.add(numbered(int(number)*each+i), number, max(number, keep)-keep)
		}
	}
	for number := uint64(2*keep + 1); number <= 3*keep; number++ {
		for i := range each {
			if got := a.blocks(nil, numbered(int(number)*each+i)); !slices.Contains(got, number) {
				t.Fatalf("activity %d of block %d is in blocks %v", i, number, got)
			}
		}
	}
	wrong, bytes := 0, 0
	for i := range 100_000 {
		wrong += len(a.blocks(nil, numbered(-1-i)))
	}
	if wrong > 300 {
		t.Errorf("of 100,000 activities that were never there %d have a block", wrong)
	}
	for _, s := range a.shards {
		bytes += 8 * len(s.slots)
	}
	if most := 2 * keep * each * 22; bytes > most { // what is forgotten goes when its place is needed
		t.Errorf("%d activities take %d bytes, want %d at most", keep*each, bytes, most)
	}
}

func TestTheNewestBlockOfAnActivityComesFirst(t *testing.T) {
	a := newActivities()
	for number := uint64(1); number <= 40; number++ {
		a.add(numbered(7), number, 0)
	}
	got := a.blocks(nil, numbered(7))
	if len(got) != 40 || got[0] != 40 || got[39] != 1 {
		t.Errorf("blocks = %v, want 40 to 1", got)
	}
}

// TestActivitiesAreRememberedOverAnyBatches compares with a map, over batches of every size, what is thrown
// away, what is opened anew and what is too old.
func TestActivitiesAreRememberedOverAnyBatches(t *testing.T) {
	dir, c := t.TempDir(), config.Default()
	x, err := Open(dir, c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	}()
	dice := rand.New(rand.NewPCG(1, 2))
	type memory struct {
		key EventKey
		at  time.Time
	}
	firsts := map[string]memory{}
	now := time.Date(2024, 3, 4, 8, 0, 0, 0, time.UTC)
	relations := map[Relation]int{}
	for range 300 {
		b, kept := x.Begin(), map[string]memory{}
		for range 1 + dice.IntN(40) {
			now = now.Add(time.Duration(dice.IntN(120)) * time.Second)
			id := fmt.Sprint(dice.IntN(4000))
			n := formats.Notification{Kind: formats.Activity, Service: formats.CloudAppSecurity, Channel: "syslog", ID: id}
			m, _, err := b.Match(&n, now)
			if err != nil {
				t.Fatal(err)
			}
			known, ok := kept[id]
			if !ok {
				known, ok = firsts[id]
			}
			ok = ok && now.Sub(known.at) <= c.Dedup.Remember.Activities
			if ok != (m.Relation == Resend) || ok && m.Of != known.key {
				t.Fatalf("activity %s at %v is %+v; it was there before: %v, %+v", id, now, m, ok, known)
			}
			relations[m.Relation]++
			o := Outcome{Key: Key(&n, now), Time: now, Notification: &n, Match: m, Action: Forward}
			if err := b.Apply(&o); err != nil {
				t.Fatal(err)
			}
			if !ok {
				kept[id] = memory{o.Key, now}
			}
		}
		if dice.IntN(4) > 0 {
			if err := b.Commit(Mark{Time: now}); err != nil {
				t.Fatal(err)
			}
			maps.Copy(firsts, kept)
		}
		b.Discard()
		if dice.IntN(20) == 0 {
			if err := x.Close(); err != nil {
				t.Fatal(err)
			}
			if x, err = open(dir, c, []int{1, manyRead}[dice.IntN(2)]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if relations[First] < 1000 || relations[Resend] < 500 {
		t.Errorf("relations = %v, want many of both", relations)
	}
}

func TestADamagedBlockOfActivitiesIsTold(t *testing.T) {
	var b block
	b.add(numbered(1), &prior{Key: "0123456789abcdef0123456789abcdef", Time: time.Unix(1, 0)})
	b.add(numbered(2), &prior{Key: "not of ours", Time: time.Unix(2, 0)})
	for _, want := range []EventKey{"0123456789abcdef0123456789abcdef", "not of ours"} {
		r, rest, err := first(b.data)
		if err != nil || r.prior().Key != want {
			t.Errorf("key = %q, %v; want %q", r.prior().Key, err, want)
		}
		b.data = rest
	}
	if len(b.data) > 0 {
		t.Errorf("%d bytes too many", len(b.data))
	}
	b.add(numbered(3), &prior{Key: "0123456789abcdef0123456789abcdef"})
	for n := 1; n < len(b.data); n++ {
		if _, err := search(b.data[:n], numbered(4)); err == nil {
			t.Errorf("%d of %d bytes are a block", n, len(b.data))
		}
	}
}

// BenchmarkActivities looks for an activity that is new among some, and among five million.
func BenchmarkActivities(b *testing.B) {
	for _, remembered := range []int{0, 5_000_000} {
		b.Run(fmt.Sprint(remembered), func(b *testing.B) {
			a := newActivities()
			for i := range remembered {
				a.add(numbered(i), uint64(1+i/500), 0)
			}
			b.ReportAllocs()
			b.ResetTimer()
			found := 0
			for i := range b.N {
				var usual [4]uint64
				found += len(a.blocks(usual[:0], numbered(remembered+i)))
			}
			b.ReportMetric(float64(found)/float64(b.N), "false/op")
		})
	}
}

// TestAFloodOfActivitiesDoesNotGrowTheTable: the oldest are forgotten, the newest found.
func TestAFloodOfActivitiesDoesNotGrowTheTable(t *testing.T) {
	a := newActivities()
	a.most = 4 * ageCount
	now := time.Date(2024, 3, 4, 8, 0, 0, 0, time.UTC)
	const each = 512
	const blocks = 16 * ageCount / each
	for number := uint64(1); number <= blocks; number++ {
		a.aged(number, now)
		oldest := a.oldest(now.Add(-72 * time.Hour))
		for i := range each {
			a.add(numbered(int(number)*each+i), number, oldest)
		}
	}
	for i := range a.most {
		number := uint64(blocks - i/each)
		if got := a.blocks(nil, numbered(int(number)*each+i%each)); !slices.Contains(got, number) {
			t.Fatalf("an activity of block %d is in blocks %v", number, got)
		}
	}
	bytes := 0
	for _, s := range a.shards {
		bytes += 8 * len(s.slots)
	}
	if most := (a.most + ageCount) * ActivityMemory; bytes > most {
		t.Errorf("%d activities at most take %d bytes, want %d", a.most, bytes, most)
	}
}

// TestAnActivityThatIsRepeatedTakesNoMoreRoom: whatever a sender repeats, with one content or two, is known and
// recorded once.
func TestAnActivityThatIsRepeatedTakesNoMoreRoom(t *testing.T) {
	x := openInMemory(t)
	now := time.Date(2024, 3, 4, 8, 0, 0, 0, time.UTC)
	for i := range 1000 {
		now = now.Add(time.Second)
		n := formats.Notification{Kind: formats.Activity, Service: formats.CloudAppSecurity, Channel: "syslog", ID: "1"}
		n.Content[0] = byte(min(i, 1))
		b := x.Begin()
		m, _, err := b.Match(&n, now)
		if err == nil {
			err = b.Apply(&Outcome{Key: Key(&n, now), Time: now, Notification: &n, Match: m, Action: Forward})
		}
		if err == nil {
			err = b.Commit(Mark{Time: now})
		}
		b.Discard()
		if err != nil {
			t.Fatal(err)
		}
		if want := []Relation{First, Update, Resend}[min(i, 2)]; m.Relation != want {
			t.Fatalf("notification %d is %s, want %s", i, m.Relation, want)
		}
	}
	if x.activities.count != 2 {
		t.Errorf("%d records for two contents", x.activities.count)
	}
}

// TestTheCacheOfAlertsKeepsNoMessages: an ID is a part of its message, and must not keep it in memory.
func TestTheCacheOfAlertsKeepsNoMessages(t *testing.T) {
	x := openInMemory(t)
	message := strings.Repeat("x", 1000) + "0123456789abcdef01234567"
	n := formats.Notification{
		Kind: formats.Alert, Service: formats.CloudAppSecurity, Channel: "syslog", ID: message[1000:], URL: message[990:], Type: message[999:],
	}
	now := time.Date(2024, 3, 4, 8, 0, 0, 0, time.UTC)
	b := x.Begin()
	defer b.Discard()
	m, _, err := b.Match(&n, now)
	if err == nil {
		err = b.Apply(&Outcome{Key: Key(&n, now), Time: now, Notification: &n, Match: m, Action: Forward})
	}
	if err == nil {
		err = b.Commit(Mark{Time: now})
	}
	if err != nil {
		t.Fatal(err)
	}
	a, ok := x.alerts.get(m.Alert)
	if !ok {
		t.Fatal("the alert isn't kept")
	}
	for _, s := range []string{a.Type, a.Sightings[0].ID, a.Sightings[0].URL} {
		if s != "" && within(message, s) {
			t.Errorf("%q is a part of its message in memory", s)
		}
	}
}

// within says whether the bytes of part are those of whole.
func within(whole, part string) bool {
	from, at := uintptr(unsafe.Pointer(unsafe.StringData(whole))), uintptr(unsafe.Pointer(unsafe.StringData(part)))
	return at >= from && at < from+uintptr(len(whole))
}
