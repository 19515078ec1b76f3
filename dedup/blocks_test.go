package dedup

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats"
)

// remembered commits activities of those numbers at a time, a thousand in a batch, each batch with an alert.
func remembered(t *testing.T, x *Index, from, to int, at time.Time) {
	t.Helper()
	for ; from < to; from += 1000 {
		b := x.Begin()
		apply := func(n formats.Notification) {
			o := &Outcome{Key: Key(&n, at), Time: at, Notification: &n, Action: Forward}
			if n.Kind == formats.Alert {
				o.Match = Match{Alert: AlertID(o.Key)}
			}
			if err := b.Apply(o); err != nil {
				t.Fatal(err)
			}
		}
		for i := from; i < min(from+1000, to); i++ {
			apply(formats.Notification{Kind: formats.Activity, Service: formats.CloudAppSecurity, ID: fmt.Sprint(i)})
		}
		apply(formats.Notification{Kind: formats.Alert, Service: formats.CloudAppSecurity, ID: fmt.Sprint("alert ", from)})
		if err := b.Commit(Mark{Time: at}); err != nil {
			t.Fatal(err)
		}
		b.Discard()
	}
}

// TestOldBlocksAreLeftAlone: what is new is merged without the blocks of before being written again, most of which would
// be in vain. From time to time they are, so that those that are forgotten go.
func TestOldBlocksAreLeftAlone(t *testing.T) {
	const activities = 100_000 // some tables of Badger's
	dir, c, now := t.TempDir(), config.Default(), time.Now()
	merge := func(from, to int, at time.Time) (old []uint64) {
		t.Helper()
		x, err := Open(dir, c)
		if err != nil {
			t.Fatal(err)
		}
		remembered(t, x, from, to, at)
		if err := x.Close(); err != nil { // whatever was in a log is in a table now
			t.Fatal(err)
		}
		how := badger.DefaultOptions(dir).WithLogger(nil).WithCompression(options.None).
			WithBaseLevelSize(64 << 20).WithCompactL0OnClose(true)
		db, err := badger.Open(how)
		if err == nil {
			err = db.Close() // which merges what is new
		}
		if err == nil {
			db, err = badger.Open(how)
		}
		if err != nil {
			t.Fatal(err)
		}
		end := append(blockKey(tableActivities, activities/1000), bytes.Repeat([]byte{0xff}, 8)...) // with Badger's version
		for _, info := range db.Tables() {
			if bytes.Compare(info.Right, end) < 0 && info.Left[0] == tableActivities {
				old = append(old, info.ID)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		slices.Sort(old)
		return old
	}
	whole := merge(0, activities, now)
	if len(whole) < 2 {
		t.Fatalf("tables of blocks alone: %v, want some", whole)
	}
	if after := merge(activities, activities+5000, now.Add(time.Hour)); !slices.Equal(after, whole) {
		t.Errorf("tables of old blocks after others were merged: %v, want %v", after, whole)
	}
	later := now.Add((c.Dedup.Remember.Activities + cleanUp) / sweeps)
	swept := merge(activities+5000, activities+6000, later)
	for _, id := range swept {
		if slices.Contains(whole, id) {
			t.Errorf("table %d of old blocks was not cleaned up: %v of %v", id, swept, whole)
		}
	}
	if again := merge(activities+6000, activities+7000, later.Add(time.Hour)); !slices.Equal(again[1:], swept[1:]) {
		t.Errorf("tables of old blocks an hour after they were cleaned up: %v, want %v", again, swept)
	}
}

// TestBlocksOfBefore: a state that was begun when blocks had other keys is read, and goes on.
func TestBlocksOfBefore(t *testing.T) {
	dir, c, now := t.TempDir(), config.Default(), time.Now()
	x, err := Open(dir, c)
	if err != nil {
		t.Fatal(err)
	}
	remembered(t, x, 0, 2500, now)
	err = x.db.Update(func(txn *badger.Txn) error {
		for number := uint64(1); number < x.activities.next; number++ {
			item, err := txn.Get(blockKey(tableActivities, number))
			if err != nil {
				return err
			}
			value, err := item.ValueCopy(nil)
			if err != nil {
				return err
			}
			if err := txn.Set(blockKey(tableFormerly, number), value); err != nil {
				return err
			}
			if err := txn.Delete(blockKey(tableActivities, number)); err != nil {
				return err
			}
		}
		return txn.Delete(blockKey(tableActivities, 0))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if x, err = Open(dir, c); err != nil {
		t.Fatal(err)
	}
	remembered(t, x, 2500, 3500, now)
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if x, err = Open(dir, c); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	}()
	b := x.Begin()
	defer b.Discard()
	for i := range 3500 {
		n := formats.Notification{Kind: formats.Activity, Service: formats.CloudAppSecurity, ID: fmt.Sprint(i)}
		if p, ok, err := b.activity(activityOf(&n)); err != nil || !ok || p.Key != Key(&n, now) {
			t.Fatalf("activity %d: %v, %t, %v", i, p, ok, err)
		}
	}
	each := 0
	if err := x.Each(func(key, _ []byte) error {
		if key[0] == tableActivities {
			each++
		}
		return nil
	}); err != nil || each != 3500 {
		t.Errorf("the state gives %d activities, %v; want 3500", each, err)
	}
}
