package gateway

import (
	"testing"
	"time"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// retrace gives what deviates in entries, of which each run is one message of the stream.
func retrace(t *testing.T, messages ...[]*stream.Entry) ([]Deviation, *Retrace) {
	t.Helper()
	r, err := NewRetrace(with())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	var out []Deviation
	for i, entries := range messages {
		for j := range entries {
			entries[j].At = stream.Position{Sequence: uint64(i + 1), Index: j}
		}
		found, err := r.Message(&stream.Message{Sequence: uint64(i + 1), Entries: entries})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, found...)
	}
	return out, r
}

// retraceable is a story with every kind of entry that a gateway records.
func retraceable(t *testing.T) []*stream.Entry {
	t.Helper()
	s := newStory(t, with())
	early := incident{number: 1, start: 0, user: "ida.brook", host: "WS-17"}
	late := incident{number: 2, start: 3 * time.Hour, user: "tom.reed", host: "WS-18"}
	s.at(time.Minute, early.mcas())
	s.at(2*time.Minute, early.mdi(), early.mdi(), early.mdi(" More."))
	s.at(4*time.Hour, late.mcas(), "not understood")
	s.at(5*time.Hour, late.mdi())
	kinds := map[stream.Kind]int{}
	for _, e := range s.entries {
		kinds[e.Kind]++
	}
	if kinds[stream.Release] < 2 || kinds[stream.Link] == 0 {
		t.Fatalf("%v, want releases by a twin and by time, and a link", kinds)
	}
	return s.entries
}

func TestRetraceFindsWhatWasRecorded(t *testing.T) {
	if found, r := retrace(t, retraceable(t)); len(found) > 0 || r.Cuts() != 0 {
		t.Errorf("%d deviations, %d cuts, want none: %+v", len(found), r.Cuts(), found)
	}
}

// TestRetraceNamesAnotherDecision: one that was changed is found, and what comes after it is compared
// with what is recorded.
func TestRetraceNamesAnotherDecision(t *testing.T) {
	for i, e := range retraceable(t) {
		entries := retraceable(t)
		entries[i].Decision.Rule = "another"
		found, _ := retrace(t, entries)
		if len(found) != 1 {
			t.Errorf("%s %d was changed: %d deviations, want one", e.Kind, i, len(found))
			continue
		}
		if at := found[0].At.Index; at > i {
			t.Errorf("%s %d was changed: found at %d", e.Kind, i, at)
		}
	}
}

// TestRetraceObeysReleases: a hold that was not ended by what should have ended it, because the gateway
// died between two batches, ends when the stream says so. Within a batch that is a deviation.
func TestRetraceObeysReleases(t *testing.T) {
	s := newStory(t, with())
	in := incident{number: 1, user: "ida.brook", host: "WS-17"}
	s.at(time.Minute, in.mcas())
	// Without what follows.
	at := s.clock.next(monday.Add(2 * time.Minute))
	b := s.index.Begin()
	defer b.Discard()
	n := normalize([]byte(in.mdi()), at)
	twin, err := s.decider.notification(b, new(entryOf("test", n)), at)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(dedup.Mark{}); err != nil {
		t.Fatal(err)
	}
	s.entries = append(s.entries, twin...)
	s.at(time.Hour)
	if got := s.entries[len(s.entries)-1]; got.Kind != stream.Release || got.Decision.Reason != policy.TwinForwarded {
		t.Fatalf("%s %s, want a release", got.Kind, got.Decision.Reason)
	}
	if found, r := retrace(t, s.entries[:2:2], s.entries[2:]); len(found) > 0 || r.Cuts() != 1 {
		t.Errorf("%d deviations, %d cuts, want a cut: %+v", len(found), r.Cuts(), found)
	}
	if found, _ := retrace(t, s.entries); len(found) != 1 {
		t.Errorf("%d deviations within one batch, want one", len(found))
	}
}
