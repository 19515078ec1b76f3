package main

import (
	"log/slog"
	"testing"

	"github.com/sluice-siem/sluice/gateway"
)

// TestTallyOfShadowMode: what was forwarded when it arrived isn't counted again when its hold ends.
func TestTallyOfShadowMode(t *testing.T) {
	sum := newTally(slog.New(slog.DiscardHandler))
	for _, d := range []gateway.Decided{
		{Entry: "notification", Decision: "forwarded", Would: "held", Reason: "waiting", Alert: "a"},
		{Entry: "release", Decision: "suppressed", Would: "forwarded", Reason: "hold_expired", Alert: "a"},
		{Entry: "notification", Decision: "suppressed", Reason: "resend", Alert: "a"},
		{Entry: "notification", Decision: "dropped", Reason: "by_kind"},
	} {
		sum.decided(d)
	}
	const want = "received 3 notifications of 1 alerts, forwarded 1, suppressed 0 as the twins of notifications that are forwarded, " +
		"suppressed 1 that say nothing new, dropped 1 by policy, held now 0"
	if got := sum.String(); got != want {
		t.Errorf("tally:\n got %s\nwant %s", got, want)
	}
	const held = "forwarded in shadow mode, else held: such alerts are managed in Defender for Identity, which may report this one too"
	if got := explain(gateway.Decided{Entry: "notification", Decision: "forwarded", Would: "held", Reason: "waiting", ManagedIn: "defender_for_identity"}); got != held {
		t.Errorf("explain: %s", got)
	}
}
