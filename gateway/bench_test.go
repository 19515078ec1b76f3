package gateway

import (
	"fmt"
	"log/slog"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
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
	overlay, batch := index.Begin(), new(stream.Batch)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		n := normalize([]byte(activity(i)), monday)
		i++
		now := clock.next(monday)
		if _, err := d.due(overlay, now); err != nil {
			b.Fatal(err)
		}
		entries, err := d.notification(overlay, new(entryOf("bench", n)), now)
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
			overlay, batch = index.Begin(), new(stream.Batch)
		}
	}
	overlay.Discard()
}

// BenchmarkWay is the whole way of a message, from its bytes to the durable, decided entry and the state
// that follows from it, in batches as one connection hands them over. Of 20 messages 18 are activities,
// one is an alert and one its twin. An op is one message.
func BenchmarkWay(b *testing.B) {
	p := newWay(b)
	messages := make([]*incoming, 0, 100)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		raw := []byte(passing(i))
		m := &incoming{of: &request{left: 2 * cap(messages)}, entry: entryOf("bench", normalize(raw, longAfter))}
		messages = append(messages, m)
		if len(messages) < cap(messages) && i < b.N-1 {
			continue
		}
		if n, err := p.attempt(b.Context(), messages); err != nil || n != len(messages) {
			b.Fatal(n, err)
		}
		messages = messages[:0]
	}
}

// newWay is a pipeline on an empty stream and state.
func newWay(b *testing.B) *pipeline {
	b.Helper()
	p, _ := newPipelineIn(b, b.TempDir(), with(), slog.New(slog.DiscardHandler), monday)
	return p
}

// longAfter all that passing tells of has happened: what a service dates later than its arrival counts for nothing.
var longAfter = monday.AddDate(2, 0, 0)

// passing is the i-th message of a busy organisation, with an alert every ten minutes.
func passing(i int) string {
	n := i / 20
	in := incident{
		number: n, start: time.Duration(n) * 10 * time.Minute, user: fmt.Sprintf("worker%05d", n), host: fmt.Sprintf("WS-%05d", n),
	}
	switch i % 20 {
	case 7:
		return in.mdi()
	case 13:
		return in.mcas()
	}
	return fmt.Sprintf(`2024-03-04T08:00:00.000Z hb-agent CEF:0|MCAS|SIEM_Agent|0.259.1|EVENT_CATEGORY_LOGIN|Log on|0|`+
		`externalId=1709539200000_20893_%09d rt=1709539200000 start=1709539200000 end=1709539200000 msg=Log on: file plan.xlsx `+
		`suser=ida.brook@harbour.example destinationServiceName=Box dvc=198.51.100.23 requestClientApplication=Mozilla/5.0 (X11) `+
		`cs1Label=portalURL cs1=https://security.microsoft.com/cloudapps/activity-log?activity.id=eq(%d,) cs2Label=uniqueServiceAppIds `+
		`cs2=APPID_BOX,APPID_X cs3Label=targetObjects cs3=,ida.brook cs4Label=policyIDs cs4= c6a1Label="Device IPv6 Address" c6a1=`, i, i)
}

// worker is the name of one of a hundred thousand people.
func worker(n int) string {
	const first, last = "abdefghijk", "babecidofugakelimonu"
	name := first[n%10:n%10+1] + "na."
	for _, digit := range fmt.Sprintf("%05d", n) {
		name += last[2*(digit-'0'):][:2]
	}
	return name
}

// BenchmarkAlert is steps 4 and 5 of the way for alerts alone, of which every second is the twin of the one
// before, and the state that follows from them, in batches of a hundred. An op is one alert. The machine's
// other work is in its time and not in its CPU, which is the whole process's.
func BenchmarkAlert(b *testing.B) {
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
	// The messages of a week, which is longer than anything stays findable.
	messages := make([]formats.Notification, 0, 2000)
	for i := range cap(messages) / 2 {
		in := incident{number: i, start: time.Duration(i) * 10 * time.Minute, user: worker(i), host: fmt.Sprintf("WS-%05d", i)}
		arrived := monday.Add(in.start + time.Minute)
		messages = append(messages, normalize([]byte(in.mdi()), arrived), normalize([]byte(in.mcas()), arrived))
	}
	overlay := index.Begin()
	defer func() { overlay.Discard() }()
	twins := 0
	before := spent(b)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		n := messages[i%len(messages)]
		week := time.Duration(i/len(messages)) * 7 * 24 * time.Hour
		n.ID = fmt.Sprintf("%s%d", n.ID, i/len(messages))
		n.Start, n.Arrived = n.Start.Add(week), n.Arrived.Add(week)
		now := clock.next(n.Arrived)
		entries, err := d.notification(overlay, new(entryOf("bench", n)), now)
		if err == nil && entries[len(entries)-1].Match.Relation == dedup.Twin {
			twins++
		}
		for err == nil && len(entries) > 0 {
			entries, err = d.follow(overlay, entries[len(entries)-1], now)
		}
		if err == nil && i%100 == 99 {
			err = overlay.Commit(dedup.Mark{})
			overlay = index.Begin()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if twins < b.N/2 {
		b.Fatalf("%d twins of %d alerts", twins, b.N)
	}
	b.ReportMetric(float64((spent(b)-before).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
}

// spent is the process's CPU.
func spent(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
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
	b.ReportAllocs()
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
