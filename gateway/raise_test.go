package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/stream"
)

func ofPolicy(id string) formats.Notification {
	return formats.Notification{
		ID: id, Type: "activity_policy", Title: "Mass download", Severity: formats.High, App: "Box", Count: 31,
		Accounts: []formats.Entity{{Name: "ida.brook@harbour.example", Key: "user"}}, Message: "31 files",
		Start: monday, End: monday.Add(h), Extra: map[string]string{"policy": "7"},
	}
}

// TestRaise: an alert of our own goes out once, however often it is raised, to the targets that want it, is accounted
// for under its own service, and comes out the same when it is decided once more.
func TestRaise(t *testing.T) {
	t.Parallel()
	c := frontDoor(t, func(c *config.Config) {
		c.Services.DefenderForIdentity.Enabled, c.Services.CloudAppSecurity.Enabled, c.Services.IdentityProtection.Enabled = false, false, false
		c.Targets[0].When.Service = []string{"sluice"}
		c.Targets = append(c.Targets, config.Target{Name: "other", Type: "file", Path: filepath.Join(c.DataDir, "other.jsonl"), Format: "json"})
		c.Targets[1].When.Service = []string{"defender_for_identity"}
	})
	g := startTimed(t, c, 0)
	g.send(ofMDI(1))
	raise := func(n formats.Notification) {
		t.Helper()
		if err := g.Raise(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	one := ofPolicy("7 ida.brook 1")
	one.Service, one.Kind, one.Raw, one.Claims = formats.DefenderForIdentity, formats.Health, []byte("x"), "x" // which are ours to set
	raise(one)
	again := ofPolicy(one.ID)
	again.Message, again.Count = "32 files, as a rebuilt model counts them", 32
	raise(again)
	raise(ofPolicy("7 ida.brook 2"))
	again.Update = true
	raise(again)
	g.stop()
	g = startTimed(t, c, 0)
	raise(ofPolicy(one.ID))
	raise(again)
	want := []string{
		"notification mdi alert 1 forwarded service_disabled",
		"notification sluice alert 2 forwarded no_twin_expected",
		"notification sluice alert 2 suppressed resend",
		"notification sluice alert 3 forwarded no_twin_expected",
		"notification sluice alert 2 forwarded update",
		"notification sluice alert 2 suppressed resend",
		"notification sluice alert 2 suppressed resend",
	}
	entries := entriesOf(t, g.stream)
	if diff := cmp.Diff(want, (&story{entries: entries}).tell()); diff != "" {
		t.Fatalf("stream (-want +got):\n%s", diff)
	}
	balanced(t, g.Gateway)
	retraced(t, c, g.stream)
	report, err := g.reconcile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	received := map[formats.Service]int64{}
	for _, line := range report.Stream {
		received[line.Service] += line.Terms["received"]
	}
	if diff := cmp.Diff(map[formats.Service]int64{formats.DefenderForIdentity: 1, formats.Sluice: 6}, received); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
	g.stop()
	ours := []string{string(entries[1].Key), string(entries[3].Key), string(entries[4].Key)}
	if diff := cmp.Diff(ours, delivered(t, c.Targets[0].Path)); diff != "" {
		t.Errorf("the target for ours (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{string(entries[0].Key)}, delivered(t, c.Targets[1].Path)); diff != "" {
		t.Errorf("the other target (-want +got):\n%s", diff)
	}

	n := entries[1].Notification
	if n.Service != formats.Sluice || n.Kind != formats.Alert || n.Origin != formats.Sluice || n.Channel != "policy" || n.Claims != "" ||
		!n.Arrived.Equal(entries[1].Time) || !n.Raised.Equal(n.Arrived) || entries[1].Match.Relation != dedup.First {
		t.Errorf("raised as %+v", n)
	}
	var words map[string]any
	if err := json.Unmarshal(n.Raw, &words); err != nil || words["id"] != one.ID || words["count"] != 31.0 || words["severity"] != "high" {
		t.Errorf("the message is %s, %v", n.Raw, err)
	}
}

func TestWhatIsNotRaised(t *testing.T) {
	p := openPipeline(t, t.TempDir(), with())
	g := &Gateway{pipeline: p}
	great := ofPolicy("great")
	for i := range maxEntities {
		great.Accounts = append(great.Accounts, formats.Entity{Name: strings.Repeat("x", maxField) + fmt.Sprint(i)})
	}
	if err := g.Raise(t.Context(), great); !errors.Is(err, stream.ErrTooLarge) {
		t.Errorf("Raise = %v, want %v", err, stream.ErrTooLarge)
	}
	if len(great.Accounts[1].Name) <= maxField {
		t.Error("Raise cut what is the caller's")
	}
	for _, id := range []string{"", strings.Repeat("x", maxID+1)} {
		if err := g.Raise(t.Context(), ofPolicy(id)); err == nil {
			t.Errorf("an ID of %d bytes is taken", len(id))
		}
	}
	odd := ofPolicy("odd")
	odd.Start, odd.Title = time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC), strings.Repeat("x", maxField+1)
	if err := g.Raise(t.Context(), odd); err != nil {
		t.Error(err)
	}
	if got := entriesOf(t, p.stream); len(got) != 1 || !got[0].Notification.Start.IsZero() || len(got[0].Notification.Title) != maxField {
		t.Errorf("recorded: %+v", got)
	}
}
