package dedup

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
)

// TestShelves: what is listed under a heading is what Badger holds and the batch wrote, whatever was on a
// shelf before, in storms too, and nothing of a batch that was thrown away.
func TestShelves(t *testing.T) {
	x := openInMemory(t)
	r := rand.New(rand.NewPCG(1, 2))
	monday := time.Date(2024, 3, 4, 8, 0, 0, 0, time.UTC)
	headings := [][]byte{openPrefix("a", "b", "2017"), openPrefix("a", "b", "20170"), openPrefix("a", "b", "")}
	start := func() time.Time { return monday.Add(time.Duration(r.IntN(6*3600)) * time.Second) }
	var keys [][]byte
	for round := range 150 {
		b := x.Begin()
		for range r.IntN(60) {
			if len(keys) > 0 && r.IntN(4) == 0 {
				if err := b.remove(keys[r.IntN(len(keys))]); err != nil {
					t.Fatal(err)
				}
				continue
			}
			at := start()
			if round > 75 && r.IntN(2) == 0 {
				at = monday.Add(time.Duration(r.IntN(1000)) * time.Millisecond) // a storm, which no shelf holds
			}
			key := openKey(headings[r.IntN(len(headings))], at, AlertID(fmt.Sprintf("%032x", r.IntN(5000))))
			if err := b.set(key, []byte{byte(round), byte(r.IntN(256))}, 0); err != nil {
				t.Fatal(err)
			}
			keys = append(keys, key)
		}
		for range 4 {
			heading, from := headings[r.IntN(len(headings))], start()
			to := from.Add(2 * x.scale.reach())
			end := openKey(heading, to, "")
			collect := func(out *[]string) func(key, value []byte) (bool, error) {
				return func(key, value []byte) (bool, error) {
					if bytes.Compare(key[:len(end)], end) > 0 {
						return false, nil
					}
					*out = append(*out, fmt.Sprintf("%x %x", key, value))
					return true, nil
				}
			}
			var want, got []string
			if err := b.scan(heading, openKey(heading, from, ""), collect(&want)); err != nil {
				t.Fatal(err)
			}
			if err := b.listed(heading, from, to, collect(&got)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("round %d (-in the state +listed):\n%s", round, diff)
			}
		}
		if r.IntN(3) > 0 {
			if err := b.Commit(Mark{}); err != nil {
				t.Fatal(err)
			}
		}
		b.Discard()
	}
}

// TestAlertsKept: an overlay sees what it wrote, nobody else does before it is committed, and nobody can
// change what is kept.
func TestAlertsKept(t *testing.T) {
	x := openInMemory(t)
	const id = AlertID("0123456789abcdef0123456789abcdef")
	here := time.FixedZone("", 3600)
	now := time.Now().In(here) // with a monotonic clock's reading, which no stored time has
	written := Alert{ID: id, Sightings: []Sighting{{Service: "a", First: now, Last: now}}, Held: []Owed{{Key: "k", Due: now, Held: now}}}
	ask := func(b *Batch) Alert {
		t.Helper()
		a, err := b.Alert(id)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for _, commit := range []bool{false, true} {
		b := x.Begin()
		b.mint(id)
		if a := ask(b); a.ID != "" {
			t.Fatalf("an alert before it was written: %+v", a)
		}
		if err := b.store(&written); err != nil {
			t.Fatal(err)
		}
		b.mint(id)
		changed := ask(b)
		changed.Sightings[0].Count, changed.Held[0].Key = 7, "other"
		if a := ask(b); a.ID != id || a.Sightings[0].Count != 0 || a.Held[0].Key != "k" {
			t.Errorf("changed by a reader: %+v", a)
		}
		if commit {
			if err := b.Commit(Mark{}); err != nil {
				t.Fatal(err)
			}
		}
		b.Discard()
		after := x.Begin()
		if a := ask(after); (a.ID == id) != commit {
			t.Errorf("committed: %v, but there is %+v", commit, a)
		}
		after.Discard()
	}
	b := x.Begin()
	defer b.Discard()
	kept := ask(b)
	x.alerts = alerts{}
	decoded := ask(b)
	if kept.Sightings[0].First != decoded.Sightings[0].First || kept.Held[0].Due != decoded.Held[0].Due {
		t.Errorf("kept %v, decoded %v: the times are not the same in every bit", kept.Sightings[0].First, decoded.Sightings[0].First)
	}
	if diff := cmp.Diff(decoded, kept); diff != "" {
		t.Errorf("(-decoded +kept):\n%s", diff)
	}
}

// openInMemory is an empty state that is closed when the test ends.
func openInMemory(t testing.TB) *Index {
	t.Helper()
	x, err := Open("", config.Default())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}
