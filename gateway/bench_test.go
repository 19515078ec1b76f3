package gateway

import (
	"testing"
	"time"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// BenchmarkDecide is steps 2 to 6 of the way for activities that are all new, up to the append.
func BenchmarkDecide(b *testing.B) {
	index, err := dedup.Open(b.TempDir(), with())
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := index.Close(); err != nil {
			b.Error(err)
		}
	}()
	d := decider{policy: policy.New(with())}
	var clock clock
	overlay, batch := index.Begin(), stream.NewBatch()
	i := 0
	for b.Loop() {
		n := normalize([]byte(activity(i)), monday)
		i++
		now := clock.next(monday)
		if _, err := d.due(overlay, now); err != nil {
			b.Fatal(err)
		}
		entries, err := d.notification(overlay, "bench", &n, now)
		if err != nil {
			b.Fatal(err)
		}
		if ok, err := batch.Add(entries[0]); err != nil || !ok {
			b.Fatal(ok, err)
		}
		if batch.Len() == stream.MaxEntries {
			if err := overlay.Commit(dedup.Mark{Time: time.Time{}}); err != nil {
				b.Fatal(err)
			}
			overlay, batch = index.Begin(), stream.NewBatch()
		}
	}
	overlay.Discard()
}

// BenchmarkRecognise is replay of pairs of four types in three busy days, 140 an hour.
func BenchmarkRecognise(b *testing.B) {
	people := []string{"ida.brook", "otto.stein", "mia.lund", "jan.brook", "nora.falk", "omar.haddad", "karl.weber"}
	r, err := NewReplay(with())
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			b.Error(err)
		}
	}()
	i := 0
	for b.Loop() {
		in := incident{
			number: i, start: time.Duration(i) * 26 * time.Second, user: people[i%len(people)],
			host: "WS-" + string(rune('A'+i%26)) + string(rune('A'+i/26%26)),
		}
		i++
		for _, line := range []string{in.mdi(), in.mcas()} {
			if err := r.Message([]byte(line), monday.Add(in.start+time.Minute)); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkFlood is one message among five hundred of each service that are the same but for their IDs:
// what an attacker may send for the dearest question there is.
func BenchmarkFlood(b *testing.B) {
	r, err := NewReplay(with())
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			b.Error(err)
		}
	}()
	i := 0
	send := func() {
		i++
		in := incident{number: i, user: "ida.brook", host: "WS-17"}
		line := in.mdi()
		if i%2 == 0 {
			line = in.mcas()
		}
		if err := r.Message([]byte(line), monday.Add(time.Minute)); err != nil {
			b.Fatal(err)
		}
	}
	for range 1000 {
		send()
	}
	for b.Loop() {
		send()
	}
}
