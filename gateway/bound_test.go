package gateway

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// TestGreatestMessagesFitTheStream: whatever fills a message of the greatest size, the entries of one
// decision fit into a batch.
func TestGreatestMessagesFitTheStream(t *testing.T) {
	const max = 256 << 10
	in := incident{number: 1, user: "ida.brook", host: "WS-17"}
	long := strings.Repeat("ü7 ", max/4)[:max-2000]
	for name, line := range map[string]string{
		"text":      strings.Replace(in.mdi(), "msg=", "msg="+long, 1),
		"user":      strings.Replace(in.mdi(), "suser=", "suser="+long, 1),
		"host":      strings.Replace(in.mdi(), "shost=", "shost="+long, 1),
		"url":       strings.Replace(in.mdi(), "cs1=https", "cs1="+long, 1),
		"extra":     strings.Replace(in.mcas(), "cs3=", "cs3="+long, 1),
		"title":     strings.Replace(in.mdi(), "Suspected identity", long+" identity", 1),
		"id":        strings.Replace(in.mcas(), "externalId=", "externalId="+strings.ReplaceAll(long, " ", "x"), 1),
		"no notion": long,
	} {
		t.Run(name, func(t *testing.T) {
			st := newStory(t, with())
			st.at(0, in.mcas(), line[:min(len(line), max)])
			st.at(h)
			batch := new(stream.Batch)
			for _, e := range st.entries {
				if ok, err := batch.Add(e); err != nil || !ok {
					t.Fatalf("entry %s doesn't fit: %v, %v", e.Kind, ok, err)
				}
			}
		})
	}
}

// TestEvidenceIsBounded: names in the evidence don't grow an entry.
func TestEvidenceIsBounded(t *testing.T) {
	in := incident{number: 1, user: "ida.brook" + strings.Repeat("x", 1500), host: "WS-17"}
	st := newStory(t, with())
	st.at(0, strings.ReplaceAll(in.mdi(), in.account(), `HARBOUR\`+in.user), in.mcas())
	for _, e := range st.entries {
		if e.Match.Relation != dedup.Twin {
			continue
		}
		if got := len(fmt.Sprint(e.Match.Evidence)); got > 4000 {
			t.Errorf("evidence of %d bytes", got)
		}
		return
	}
	t.Error("the two were not paired")
}
