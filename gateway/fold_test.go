package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// sent is a message with its arrival after monday.
type sent struct {
	after time.Duration
	line  string
	part  *dedup.Part
}

// aBusyDay is some hundred notifications that hit every relation: pairs in both orders, repeats,
// updates before and after, resends of everything, risky sign-ins, activities and noise.
func aBusyDay(seed uint64) []sent {
	r := rand.New(rand.NewPCG(seed, 1))
	people := []string{"ida.brook", "otto.stein", "mia.lund", "jan.brook"}
	var out []sent
	add := func(after time.Duration, lines ...string) {
		for _, l := range lines {
			out = append(out, sent{after: after, line: l})
		}
	}
	for i := range 60 {
		start := time.Duration(r.IntN(9*3600)) * s
		in := incident{
			number: i, start: start, user: people[r.IntN(len(people))], host: fmt.Sprintf("WS-%02d", r.IntN(6)),
			shift: time.Duration(r.IntN(240)-60) * s * time.Duration(r.IntN(2)),
		}
		if r.IntN(8) > 0 {
			add(start+time.Duration(20+r.IntN(60))*s, in.mdi())
		}
		if r.IntN(4) > 0 {
			add(start+time.Duration(30+r.IntN(2*3600))*s, in.mcas())
		}
		if r.IntN(3) == 0 {
			add(start+time.Duration(r.IntN(3600))*s, in.mdi(" More."))
		}
		upn := in.user + "@harbour.example"
		if r.IntN(6) == 0 {
			add(start+2*m, riskDetection(i, "unfamiliarFeatures", upn, start), riskySignIn(upn, start))
		}
		if r.IntN(5) == 0 {
			add(start+time.Duration(r.IntN(60))*m, cloudAlert(i), "noise", activity(i))
		}
	}
	slices.SortStableFunc(out, func(a, b sent) int { return int(a.after - b.after) })
	for _, again := range slices.Clone(out) {
		add(30*h, again.line) // two days of history come again
	}
	return inRequests(r, out)
}

// inRequests makes some of a day's messages parts of requests, which their senders repeat: from the
// beginning, perhaps not to the end, perhaps after a day, when nobody knows them again. What was recorded
// before comes no second time.
func inRequests(r *rand.Rand, day []sent) []sent {
	var out, late []sent
	for number := 0; len(day) > 0; number++ {
		n := min(1+r.IntN(12), len(day))
		chunk := slices.Clone(day[:n])
		day = day[n:]
		if r.IntN(3) == 0 {
			out = append(out, chunk...)
			continue
		}
		for i := range chunk {
			chunk[i].part = &dedup.Part{Of: [16]byte{1, byte(number), byte(number >> 8)}, Index: i}
		}
		for range r.IntN(4) {
			out = append(out, chunk[:1+r.IntN(n)]...)
		}
		out = append(out, chunk...)
		if r.IntN(4) == 0 {
			late = append(late, chunk...)
		}
	}
	for _, again := range late {
		again.after += 60 * h
		out = append(out, again)
	}
	return out
}

// recordedOnce fails where a message of a request is recorded twice within the time a request is known.
func recordedOnce(t *testing.T, entries []*stream.Entry) {
	t.Helper()
	last := map[dedup.Part]time.Time{}
	repeats := 0
	for _, e := range entries {
		if e.Part == nil {
			continue
		}
		if before, ok := last[*e.Part]; ok {
			repeats++
			if e.Time.Sub(before) < 20*h {
				t.Fatalf("part %v is recorded at %v and at %v", *e.Part, before, e.Time)
			}
		}
		last[*e.Part] = e.Time
	}
	if len(last) < 50 || repeats == 0 {
		t.Fatalf("%d parts, %d of them again after a day; want many and some", len(last), repeats)
	}
}

// byOperators wants both kinds of what operators do, and nothing that went out twice.
func byOperators(t *testing.T, entries []*stream.Entry) {
	t.Helper()
	kinds, times := map[stream.Kind]int{}, map[dedup.EventKey]int{}
	for _, e := range entries {
		if e.Act != nil {
			kinds[e.Kind]++
		}
		if e.Delivered() {
			times[e.Key]++
		}
	}
	if kinds[stream.Acted] < 5 || kinds[stream.Undo] < 5 {
		t.Fatalf("operators did %v, want acts and undos", kinds)
	}
	for key, n := range times {
		if n > 1 {
			t.Errorf("%s went out %d times", key, n)
		}
	}
}

func activity(number int) string {
	return fmt.Sprintf(`2024-03-04T08:00:00.000Z CEF:0|MCAS|SIEM_Agent|0.259.1|EVENT_CATEGORY_LOGIN|Log on|0|externalId=1709539200000_%d `+
		`rt=1709539200000 start=1709539200000 end=1709539200000 msg=Log on suser=ida.brook@harbour.example destinationServiceName=Box`, number)
}

// TestFoldIsTheState: the same arrivals give the same stream for every size of batches and whatever
// batch is lost to a crash and decided again, and a state folded from the stream is the one that lived.
func TestFoldIsTheState(t *testing.T) {
	for seed := range uint64(2) {
		day := aBusyDay(seed)
		lived, want := decideInBatches(t, day, 1, nil)
		recordedOnce(t, want)
		byOperators(t, want)
		for _, size := range []int{2, 7, 64, len(day)} {
			crash := rand.New(rand.NewPCG(seed, uint64(size)))
			index, got := decideInBatches(t, day, size, crash)
			if !reflect.DeepEqual(want, got) { // a diff takes ten times as long, also where there is none
				t.Fatalf("seed %d, batches of %d: the stream differs (-one by one +in batches):\n%s", seed, size, cmp.Diff(want, got))
			}
			if diff := cmp.Diff(dump(t, lived), dump(t, index)); diff != "" {
				t.Fatalf("seed %d, batches of %d: the state differs (-one by one +in batches):\n%s", seed, size, diff)
			}
		}
		if diff := cmp.Diff(dump(t, lived), dump(t, folded(t, want))); diff != "" {
			t.Fatalf("seed %d: the state folded from the stream differs (-lived +folded):\n%s", seed, diff)
		}
	}
}

// decideInBatches decides a day in batches of that size. Where crash is given, some batches are
// decided and lost before they are recorded, and some states are lost and folded from the stream.
func decideInBatches(t *testing.T, day []sent, size int, crash *rand.Rand) (*dedup.Index, []*stream.Entry) {
	t.Helper()
	c := with()
	index := openIndex(t, c)
	d := decider{policy: policy.New(c)}
	var entries []*stream.Entry
	decide := func(first int, batch []sent, clock clock) ([]*stream.Entry, clock, *dedup.Batch) {
		overlay := index.Begin()
		var out []*stream.Entry
		take := func(t0 time.Time, step func() ([]*stream.Entry, error)) bool {
			got, err := step()
			some := len(got) > 0
			for err == nil && len(got) > 0 {
				out = append(out, got...)
				got, err = d.follow(overlay, out[len(out)-1], t0)
			}
			if err != nil {
				t.Fatal(err)
			}
			return some
		}
		for i, one := range batch {
			now := clock.next(monday.Add(one.after))
			for take(now, func() ([]*stream.Entry, error) { return d.due(overlay, now) }) {
			}
			if (first+i)%5 == 0 {
				take(now, operator(&d, overlay, slices.Concat(entries, out), now))
				now = clock.next(now)
			}
			if (first+i)%7 == 0 {
				own, err := ownAlert(ofPolicy(fmt.Sprint((first + i) % 77)))
				if err != nil {
					t.Fatal(err)
				}
				own.Arrived = now
				take(now, func() ([]*stream.Entry, error) { return d.notification(overlay, new(entryOf("", own)), now) })
				now = clock.next(now)
			}
			if one.part != nil {
				if done, _, err := overlay.Recorded(one.part, now); err != nil {
					t.Fatal(err)
				} else if done {
					continue
				}
			}
			e := entryOf("test", normalize([]byte(one.line), monday.Add(one.after)))
			e.Part = one.part
			take(now, func() ([]*stream.Entry, error) { return d.notification(overlay, &e, now) })
		}
		return out, clock, overlay
	}
	var clock clock
	first, folds := 0, max(5, len(day)/size/10) // of so many batches one is behind a crash that lost the state, too
	for batch := range slices.Chunk(day, size) {
		if crash != nil && crash.IntN(3) == 0 {
			_, _, lost := decide(first, batch, clock)
			lost.Discard()
		}
		if crash != nil && crash.IntN(folds) == 0 {
			lived := index
			index = folded(t, entries)
			if err := lived.Close(); err != nil {
				t.Fatal(err)
			}
		}
		out, after, overlay := decide(first, batch, clock)
		first += len(batch)
		if err := overlay.Commit(dedup.Mark{}); err != nil {
			t.Fatal(err)
		}
		clock, entries = after, append(entries, out...)
	}
	return index, entries
}

// operator is what one does at a time: he has the last twin that was suppressed forwarded after all, or, where there is
// none any more, does something that is only on record.
func operator(d *decider, b *dedup.Batch, entries []*stream.Entry, now time.Time) func() ([]*stream.Entry, error) {
	return func() ([]*stream.Entry, error) {
		e := new(stream.Entry)
		act := &stream.Act{By: "otto", Verb: "forward_after_all"}
		over := map[dedup.EventKey]bool{}
		for _, last := range slices.Backward(entries) {
			if over[last.Key] {
				continue
			}
			over[last.Key] = true
			if last.Decision.Action != dedup.Suppress || last.Match.Relation == dedup.Resend {
				continue
			}
			a := &afterAll{pipeline: &pipeline{decider: *d}, alert: last.Match.Alert, key: last.Key, act: act}
			out, err := a.byState(b, e, now)
			if _, ok := errors.AsType[*refusalError](err); !ok {
				return out, err
			}
		}
		acted(e, act, now)
		return []*stream.Entry{e}, nil
	}
}

func openIndex(t *testing.T, c config.Config) *dedup.Index {
	t.Helper()
	index, err := dedup.Open("", c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := index.Close(); err != nil {
			t.Error(err)
		}
	})
	return index
}

// folded is the state that the entries make.
func folded(t *testing.T, entries []*stream.Entry) *dedup.Index {
	t.Helper()
	index := openIndex(t, with())
	for _, e := range entries {
		mark := dedup.Mark{}
		if err := foldMessage(index, &stream.Message{Entries: []*stream.Entry{e}}, &mark); err != nil {
			t.Fatal(err)
		}
	}
	b := index.Begin()
	defer b.Discard()
	if err := b.Commit(dedup.Mark{}); err != nil {
		t.Fatal(err)
	}
	return index
}

func dump(t *testing.T, index *dedup.Index) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := index.Each(func(key, value []byte) error {
		out[fmt.Sprintf("%q", key)] = string(bytes.Clone(value))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
