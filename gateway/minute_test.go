package gateway

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/ledger"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

func TestAMinuteForgetsWhatIsOlder(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	entry := func(kind stream.Kind, service formats.Service, action dedup.Action) *stream.Entry {
		return &stream.Entry{Kind: kind, Time: start, Notification: formats.Notification{Service: service}, Decision: policy.Decision{Action: action}}
	}
	const defender, cloud = formats.DefenderForIdentity, formats.CloudAppSecurity
	var m minute
	m.decided([]*stream.Entry{
		entry(stream.Notification, defender, dedup.Forward), entry(stream.Notification, cloud, dedup.Suppress), entry(stream.Notification, cloud, dedup.Hold),
	}, start)
	m.decided([]*stream.Entry{entry(stream.Release, cloud, dedup.Forward)}, start.Add(5*time.Second))
	m.delivered("siem", 30, start.Add(10*time.Second))
	in, out, held := passed{string(defender), ledger.Received}, passed{string(defender), ledger.Forwarded}, passed{string(cloud), ledger.Held}
	for _, tt := range []struct {
		after time.Duration
		want  map[passed]float64
	}{
		{0, map[passed]float64{in: 1. / 60, out: 1. / 60, {string(cloud), ledger.Received}: 2. / 60, {string(cloud), ledger.Suppressed}: 1. / 60, held: 1. / 60}},
		{60 * time.Second, map[passed]float64{{string(cloud), ledger.Forwarded}: 1. / 60, {"siem", ledger.Delivered}: .5}},
		{65 * time.Second, map[passed]float64{{"siem", ledger.Delivered}: .5}},
		{70 * time.Second, map[passed]float64{}},
	} {
		got := m.rates(start.Add(tt.after))
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("after %v (-want +got):\n%s", tt.after, diff)
		}
	}
	m.delivered("siem", 6, start.Add(time.Hour+10*time.Second)) // in the place of an old second
	if got := m.rates(start.Add(time.Hour + 10*time.Second)); !cmp.Equal(got, map[passed]float64{{"siem", ledger.Delivered}: .1}) {
		t.Errorf("an hour later: %v", got)
	}
}
