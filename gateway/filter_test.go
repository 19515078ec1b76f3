package gateway

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// TestATargetJudgesAnAlertByAllItsSightings: what was suppressed for a twin never takes the alert away from a
// target that only the suppressed one speaks to.
func TestATargetJudgesAnAlertByAllItsSightings(t *testing.T) {
	defender := formats.Notification{
		Service: formats.DefenderForIdentity, Kind: formats.Alert, Title: "Suspected DCSync attack", Severity: formats.High,
		Accounts: []formats.Entity{{Name: `HARBOUR\ines`}}, Devices: []formats.Entity{{Name: "DC1"}},
	}
	cloud := formats.Notification{
		Service: formats.CloudAppSecurity, Kind: formats.Alert, Title: "DCSync", Severity: formats.Medium, App: "Active Directory",
		Accounts: []formats.Entity{{Name: "ines@harbour.example"}},
	}
	activity := formats.Notification{Service: formats.CloudAppSecurity, Kind: formats.Activity, App: "Box"}
	link := formats.Notification{Service: formats.Sluice, Kind: formats.Link}
	entry := func(kind stream.Kind, n formats.Notification, action dedup.Action, reason policy.Reason, said ...formats.Notification) *stream.Entry {
		e := &stream.Entry{Kind: kind, Key: "k2", Notification: n, Said: said, Match: dedup.Match{Type: "2006"}}
		e.Decision.Action, e.Decision.Reason = action, reason
		return e
	}
	of := func(when config.When) filter { return newFilter(when, nobody) }
	text := func(when string) filter {
		c, err := config.Parse("sluice.yaml", []byte("targets: [{name: a, type: stdout, when: '"+when+"'}]"), os.LookupEnv)
		if err != nil {
			t.Fatal(err)
		}
		return newFilter(c.Targets[0].When, nobody)
	}
	alerts, byCloud := of(config.When{Kind: []string{"alert"}}), of(config.When{Service: []string{"cloud_app_security"}})
	both := of(config.When{Service: []string{"cloud_app_security"}, Host: []string{"dc*"}})
	tests := []struct {
		name string
		f    filter
		e    *stream.Entry
		want fate
	}{
		{"everything", of(config.When{}), entry(stream.Notification, activity, dedup.Forward, policy.ByKind), forwarded},
		{"everything, suppressed", of(config.When{}), entry(stream.Notification, cloud, dedup.Suppress, policy.TwinForwarded, defender), notForTargets},
		{"an activity for a target of alerts", alerts, entry(stream.Notification, activity, dedup.Forward, policy.ByKind), filtered},
		{"an alert for a target of alerts", alerts, entry(stream.Notification, defender, dedup.Forward, policy.ManagedHere), forwarded},
		{"dropped", alerts, entry(stream.Notification, activity, dedup.Drop, policy.ByKind), notForTargets},
		{"held", byCloud, entry(stream.Notification, cloud, dedup.Hold, policy.Waiting), notForTargets},
		{"the other service's, before its twin", byCloud, entry(stream.Notification, defender, dedup.Forward, policy.ManagedHere), filtered},
		{"the suppressed twin", byCloud, entry(stream.Notification, cloud, dedup.Suppress, policy.TwinForwarded, defender), standingIn},
		{"a second suppressed one", byCloud, entry(stream.Notification, cloud, dedup.Suppress, policy.UpdatesOff, defender, cloud), notForTargets},
		{"both together fit", both, entry(stream.Notification, cloud, dedup.Suppress, policy.LateTwin, defender), standingIn},
		{"forwarded after its twin was held", byCloud, entry(stream.Notification, defender, dedup.Forward, policy.ManagedHere, cloud), forwarded},
		{"its twin, released then", byCloud, entry(stream.Release, cloud, dedup.Suppress, policy.TwinForwarded, cloud, defender), notForTargets},
		{"suppressed for one that is still owed", byCloud, entry(stream.Notification, cloud, dedup.Suppress, policy.TwinHeld, defender), notForTargets},
		{"a resend", byCloud, entry(stream.Notification, cloud, dedup.Suppress, policy.IsResend, defender), notForTargets},
		{"a link", byCloud, entry(stream.Link, link, dedup.Forward, policy.Linked, defender, cloud), forwarded},
		{"a link of others", byCloud, entry(stream.Link, link, dedup.Forward, policy.Linked, defender), filtered},
		{"the type by the catalogue", of(config.When{Type: []string{"2006"}}), entry(stream.Notification, defender, dedup.Forward, policy.ManagedHere), forwarded},
		{"a text, the first of two", text("severity <= medium and app is set"), entry(stream.Notification, defender, dedup.Forward, policy.ManagedHere), filtered},
		{"a text, the twin", text("severity <= medium and app is set"), entry(stream.Notification, cloud, dedup.Suppress, policy.TwinForwarded, defender), standingIn},
		{"any letter case", of(config.When{User: []string{"INES@*"}}), entry(stream.Notification, defender, dedup.Forward, policy.ManagedHere, cloud), forwarded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.f.judge(tt.e); got != tt.want {
				t.Errorf("judge() = %d, want %d", got, tt.want)
			}
		})
	}
}

// TestUpdatesGoWhereTheirAlertIs: an alert that once fitted stays a target's, whatever an update says; and what the
// policy suppresses stands in once.
func TestUpdatesGoWhereTheirAlertIs(t *testing.T) {
	for updates, want := range map[string][]fate{
		"forward":  {filtered, forwarded, forwarded, forwarded},
		"suppress": {filtered, standingIn, notForTargets, notForTargets},
	} {
		ida := incident{number: 1, user: "ida.brook", host: "WS-17"}
		st := newStory(t, with(func(c *config.Config) { c.Policy.Updates = updates }))
		low := func(s string) string { return strings.Replace(s, "|10|", "|3|", 1) }
		st.at(20*s, low(ida.mdi()))
		st.at(5*m, ida.mdi("raised"))
		st.at(10*m, low(ida.mdi("closed")))
		st.at(15*m, ida.mdi("again"))
		f := newFilter(config.When{Severity: []string{"high"}}, nobody)
		var got []fate
		for _, e := range st.entries {
			got = append(got, f.judge(e))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("updates: %s (-want +got):\n%s", updates, diff)
		}
	}
}

// nobody has a score.
func nobody([]formats.Entity) *stream.Score { return nil }

// TestScoresOfTargets: a target that asks for users of a score gets an alert by how high its user stands as it goes
// out, and says so in it; the entry in the stream stays as it is.
func TestScoresOfTargets(t *testing.T) {
	at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	standing := func(accounts []formats.Entity) *stream.Score {
		for _, a := range accounts {
			if a.Name == "ines@harbour.example" {
				return &stream.Score{User: a.Name, Points: 80.5, Bounded: 31, At: at}
			}
		}
		return nil
	}
	e := &stream.Entry{Kind: stream.Notification, Key: "k1", Notification: formats.Notification{
		Service: formats.CloudAppSecurity, Kind: formats.Alert, Accounts: []formats.Entity{{Name: "olaf"}, {Name: "ines@harbour.example"}},
	}}
	e.Decision.Action = dedup.Forward
	other := *e
	other.Notification.Accounts = e.Notification.Accounts[:1]
	for when, want := range map[string][2]fate{
		`{user_score: ">=80"}`: {forwarded, filtered}, `{user_score: ">80.5"}`: {filtered, filtered}, `"user_score < 80"`: {filtered, forwarded},
		`"user_score = 0"`: {filtered, forwarded}, `{user_score: ">= 80", kind: [activity]}`: {filtered, filtered},
	} {
		c, err := config.Parse("sluice.yaml", []byte("targets: [{name: a, type: stdout, when: "+when+"}]"), os.LookupEnv)
		if err != nil {
			t.Fatal(err)
		}
		f := newFilter(c.Targets[0].When, standing)
		if got := [2]fate{f.judge(e), f.judge(&other)}; got != want {
			t.Errorf("when %s: %v, want %v", when, got, want)
		}
		if out := f.stamped(e); e.Score != nil || out.Score == nil || out.Score.Points != 80.5 || f.stamped(&other) != &other {
			t.Errorf("stamped %+v, left %+v; want the score in a copy", out.Score, e.Score)
		}
	}
}
