package gateway

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// monday is when the stories of the tests begin.
var monday = time.Date(2024, 3, 4, 8, 0, 0, 123_456_700, time.UTC)

// story drives the decider on a state in memory, with the clock of the test.
type story struct {
	t       *testing.T
	index   *dedup.Index
	decider decider
	clock   clock
	entries []*stream.Entry
}

func newStory(t *testing.T, c config.Config) *story {
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
	return &story{t: t, index: index, decider: decider{policy: policy.New(c)}}
}

// at lets the clock run to that time after monday and sends the messages.
func (s *story) at(after time.Duration, messages ...string) {
	s.t.Helper()
	for {
		t := s.clock.next(monday.Add(after))
		if !s.step(t, func(b *dedup.Batch) ([]*stream.Entry, error) { return s.decider.due(b, t) }) {
			break
		}
	}
	for _, m := range messages {
		t := s.clock.next(monday.Add(after))
		n := normalize([]byte(m), monday.Add(after))
		s.step(t, func(b *dedup.Batch) ([]*stream.Entry, error) {
			return s.decider.notification(b, new(entryOf("test", n)), t)
		})
	}
}

func (s *story) step(t time.Time, decide func(*dedup.Batch) ([]*stream.Entry, error)) bool {
	s.t.Helper()
	b := s.index.Begin()
	defer b.Discard()
	entries, err := decide(b)
	some := len(entries) > 0
	for err == nil && len(entries) > 0 {
		s.entries = append(s.entries, entries...)
		entries, err = s.decider.follow(b, entries[len(entries)-1], t)
	}
	if err == nil {
		err = b.Commit(dedup.Mark{})
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return some
}

// tell writes the stream: what each entry is, whose, which alert (numbered in order of appearance),
// and what was decided.
func (s *story) tell() []string {
	alerts := map[dedup.AlertID]int{}
	var out []string
	for _, e := range s.entries {
		alert := "-"
		if e.Match.Alert != "" {
			if alerts[e.Match.Alert] == 0 {
				alerts[e.Match.Alert] = len(alerts) + 1
			}
			alert = fmt.Sprintf("alert %d", alerts[e.Match.Alert])
		}
		who := map[string]string{"defender_for_identity": "mdi", "cloud_app_security": "mcas", "identity_protection": "idp"}
		name := string(e.Notification.Service)
		if short, ok := who[name]; ok {
			name = short
		}
		d := participle(e.Decision.Action)
		if e.Decision.Would != "" {
			d += " (would be " + participle(e.Decision.Would) + ")"
		}
		out = append(out, fmt.Sprintf("%s %s %s %s %s", e.Kind, name, alert, d, e.Decision.Reason))
	}
	return out
}

// incident is one thing that happened, as both services tell it.
type incident struct {
	number int           // makes its IDs
	start  time.Duration // after monday
	shift  time.Duration // by which Cloud App Security's start differs
	user   string        // first.last
	host   string
	detail string // a particular of the text
}

func (i incident) account() string {
	first, last, _ := strings.Cut(i.user, ".")
	return first[:1] + last
}

// mdi is Defender for Identity's notification; changed makes it an update with that text.
func (i incident) mdi(changed ...string) string {
	trigger := "new"
	if len(changed) > 0 {
		trigger = "update"
	}
	return fmt.Sprintf(`<36>1 %s HQDC01 CEF 4711 PassTheHashSecurityAlert 0|Microsoft|Azure ATP|2.200.0.0|PassTheHashSecurityAlert|`+
		`Suspected identity theft (pass-the-hash)|10|start=%s app=Ntlm shost=%s suser=%s msg=A hash of %s was used from %s. %s%s `+
		`externalId=2017 cs1Label=url cs1=https\://security.microsoft.com/alerts/aa00000000-0000-4000-8000-%012d cs2Label=trigger cs2=%s`,
		monday.Add(i.start+20*time.Second).Format("2006-01-02T15:04:05.000000-07:00"),
		monday.Add(i.start).Format("2006-01-02T15:04:05.0000000Z"), i.host, i.account(), i.account(), i.host, i.detail,
		strings.Join(changed, ""), i.number, trigger)
}

// mcas is Cloud App Security's notification of the same.
func (i incident) mcas() string {
	start := monday.Add(i.start + i.shift)
	id := fmt.Sprintf("%08x%016x", start.Add(70*time.Second).Unix(), i.number)
	return fmt.Sprintf(`%s HQCAS CEF:0|MCAS|SIEM_Agent|0.259.1|ALERT_EXTERNAL_AATP_PASS_THE_HASH_SECURITY_ALERT|`+
		`Suspected identity theft (pass-the-hash)|9|externalId=%s start=%d end=%[3]d msg=A hash of %s was used from %s. %s `+
		`suser=%s@harbour.example destinationServiceName=Active Directory cn1Label=riskScore cn1= cs1Label=portalURL `+
		`cs1=https://harbour.portal.cloudappsecurity.com/#/alerts/%[2]s cs2Label=uniqueServiceAppIds cs2=APPID_ACTIVE_DIRECTORY `+
		`cs3Label=relatedAudits cs3= cs4Label=policyIDs cs4=`,
		start.Format("2006-01-02T15:04:05.000Z"), id, start.UnixMilli(), i.user, i.host, i.detail, i.user)
}

// raised is mcas where the start is the time at which Cloud App Security made its alert, as the ID says.
func (i incident) raised() string {
	start := monday.Add(i.start + i.shift)
	return strings.ReplaceAll(i.mcas(), fmt.Sprintf("%08x", start.Add(70*time.Second).Unix()), fmt.Sprintf("%08x", start.Unix()))
}

func cloudAlert(number int) string {
	return fmt.Sprintf(`2024-03-04T08:00:00.000Z CEF:0|MCAS|SIEM_Agent|0.259.1|ALERT_CABINET_EVENT_MATCH_AUDIT|`+
		`Suspected identity theft (pass-the-hash)|3|externalId=65e580%018x start=1709539200000 end=1709539200000 msg=Activity policy `+
		`suser=ida.brook@harbour.example destinationServiceName=Box`, number)
}

func riskDetection(number int, typ, upn string, start time.Duration) string {
	return fmt.Sprintf(`<134>1 2024-03-04T08:00:00Z graph IdentityProtection - riskDetection - {"id":"%064d","riskEventType":%q,`+
		`"riskLevel":"high","riskState":"atRisk","ipAddress":"203.0.113.%d","activityDateTime":%q,"detectedDateTime":%[4]q,`+
		`"lastUpdatedDateTime":%[4]q,"userDisplayName":"Ida Brook","userPrincipalName":%[5]q}`,
		number, typ, number, monday.Add(start).Format(time.RFC3339Nano), upn)
}

// offline is that detection, made after a while of Identity Protection's own.
func offline(detection string, start, after time.Duration) string {
	made := monday.Add(start + after).Format(time.RFC3339Nano)
	return strings.Replace(detection, `"detectedDateTime":"`+monday.Add(start).Format(time.RFC3339Nano), `"detectedDateTime":"`+made, 1)
}

func riskySignIn(upn string, start time.Duration) string {
	t := monday.Add(start)
	return fmt.Sprintf(`%s CEF:0|MCAS|SIEM_Agent|0.259.1|ALERT_EXTERNAL_AADIP_RISKY_SIGN_IN|Risky sign-in|9|externalId=%08x%016d start=%d `+
		`end=%[4]d msg=Risky sign-ins suser=%[5]s destinationServiceName=Microsoft Online Services`,
		t.Format("2006-01-02T15:04:05.000Z"), t.Unix()+60, 7, t.UnixMilli(), upn)
}

// raisedSignIn starts when it was raised.
func raisedSignIn(upn string, start time.Duration) string {
	at := monday.Add(start).Unix()
	return strings.Replace(riskySignIn(upn, start), fmt.Sprintf("%08x", at+60), fmt.Sprintf("%08x", at), 1)
}

// with gives the defaults, changed.
func with(change ...func(*config.Config)) config.Config {
	c := config.Default()
	c.Model.Enabled = false // tests of the way don't look at it, and are three times as fast
	for _, f := range change {
		f(&c)
	}
	return c
}

func manageIn(service string) func(*config.Config) {
	return func(c *config.Config) { c.Policy.ManageIn = []string{service} }
}

const (
	s = time.Second
	m = time.Minute
	h = time.Hour
)

func TestDecisions(t *testing.T) {
	ida := incident{number: 1, user: "ida.brook", host: "WS-17"}
	tests := []struct {
		name   string
		config config.Config
		play   func(*story)
		want   []string
	}{
		{"managing service first", with(), func(st *story) {
			st.at(20*s, ida.mdi())
			st.at(3*m, ida.mcas())
			st.at(h)
		}, []string{
			"notification mdi alert 1 forwarded managed_here",
			"notification mcas alert 1 suppressed twin_forwarded",
		}},
		{"managing service second", with(), func(st *story) {
			st.at(20*s, ida.mcas())
			st.at(3*m, ida.mdi())
			st.at(h)
		}, []string{
			"notification mcas alert 1 held waiting",
			"notification mdi alert 1 forwarded managed_here",
			"release mcas alert 1 suppressed twin_forwarded",
		}},
		{"only the other service", with(), func(st *story) {
			st.at(20*s, ida.mcas())
			st.at(h)
		}, []string{
			"notification mcas alert 1 held waiting",
			"release mcas alert 1 forwarded hold_expired",
		}},
		{"managing service too late", with(), func(st *story) {
			st.at(20*s, ida.mcas())
			st.at(26*h, ida.mdi())
		}, []string{
			"notification mcas alert 1 held waiting",
			"release mcas alert 1 forwarded hold_expired",
			"notification mdi alert 1 suppressed late_twin",
			"link sluice alert 1 forwarded linked",
		}},
		{"late twin without a link", with(func(c *config.Config) { c.Policy.LateTwin = "suppress" }), func(st *story) {
			st.at(20*s, ida.mcas())
			st.at(h, ida.mdi())
		}, []string{
			"notification mcas alert 1 held waiting",
			"release mcas alert 1 forwarded hold_expired",
			"notification mdi alert 1 suppressed late_twin",
		}},
		{"twin two days late", with(), func(st *story) {
			st.at(20*s, ida.mdi())
			st.at(60*h, ida.mcas())
			st.at(61 * h)
		}, []string{
			"notification mdi alert 1 forwarded managed_here",
			"notification mcas alert 1 suppressed twin_forwarded",
		}},
		{"managed in Cloud App Security, updates still come from Defender for Identity", with(manageIn("cloud_app_security")), func(st *story) {
			st.at(20*s, ida.mdi())
			st.at(1*m, ida.mdi(" More."))
			st.at(3*m, ida.mcas())
			st.at(4*m, ida.mdi(" Still more."))
			st.at(h)
		}, []string{
			"notification mdi alert 1 held waiting",
			"notification mdi alert 1 held update_of_held",
			"notification mcas alert 1 forwarded managed_here",
			"release mdi alert 1 suppressed twin_forwarded",
			"release mdi alert 1 forwarded update",
			"notification mdi alert 1 forwarded update",
		}},
		{"a cloud alert named like an identity alert", with(), func(st *story) {
			st.at(20*s, ida.mdi(), cloudAlert(5))
			st.at(h)
		}, []string{
			"notification mdi alert 1 forwarded managed_here",
			"notification mcas alert 2 forwarded no_twin_expected",
		}},
		{"the other service is disabled", with(func(c *config.Config) { c.Services.DefenderForIdentity.Enabled = false }), func(st *story) {
			st.at(20*s, ida.mcas(), ida.mdi(), ida.mdi())
			st.at(h)
		}, []string{
			"notification mcas alert 1 forwarded no_twin_expected",
			"notification mdi alert 2 forwarded service_disabled",
			"notification mdi alert 2 suppressed resend",
		}},
		{"the integration is off", with(func(c *config.Config) { c.Services.CloudAppSecurity.Shows = nil }), func(st *story) {
			st.at(20*s, ida.mcas(), ida.mdi())
			st.at(h)
		}, []string{
			"notification mcas alert 1 forwarded no_twin_expected",
			"notification mdi alert 2 forwarded no_twin_expected",
		}},
		{"shadow mode forwards everything once and says what would be", with(func(c *config.Config) { c.Policy.Mode = "shadow" }), func(st *story) {
			st.at(20*s, ida.mcas())
			st.at(3*m, ida.mdi(), ida.mdi())
			st.at(h)
		}, []string{
			"notification mcas alert 1 forwarded (would be held) waiting",
			"notification mdi alert 1 forwarded managed_here",
			"release mcas alert 1 suppressed (would be suppressed) twin_forwarded",
			"notification mdi alert 1 forwarded (would be suppressed) resend",
		}},
		{"held through a downtime that is longer than the memory", with(), func(st *story) {
			st.at(20*s, ida.mcas())
			st.at(60*24*h, incident{number: 2, start: 60 * 24 * h, user: "jan.brook", host: "WS-18"}.mdi())
		}, []string{
			"notification mcas alert 1 held waiting",
			"release mcas alert 1 forwarded hold_expired",
			"notification mdi alert 2 forwarded managed_here",
		}},
		{"paired after a downtime that is longer than the memory", with(), func(st *story) {
			two := ida
			two.shift = 2 * m // plausible, not certain
			st.at(20*s, ida.mdi(), two.mcas())
			st.at(60*24*h, incident{number: 2, start: 60 * 24 * h, user: "jan.brook", host: "WS-18"}.mdi())
		}, []string{
			"notification mdi alert 1 forwarded managed_here",
			"notification mcas alert 2 held waiting",
			"release mcas alert 1 suppressed twin_forwarded",
			"notification mdi alert 3 forwarded managed_here",
		}},
		{"a resend of the first and of an update", with(), func(st *story) {
			st.at(20*s, ida.mdi(), ida.mdi(" More."))
			st.at(40*h, ida.mdi(), ida.mdi(" More."))
		}, []string{
			"notification mdi alert 1 forwarded managed_here",
			"notification mdi alert 1 forwarded update",
			"notification mdi alert 1 suppressed resend",
			"notification mdi alert 1 suppressed resend",
		}},
		{"a resend of what is held, and of what was suppressed", with(), func(st *story) {
			st.at(20*s, ida.mcas(), ida.mcas())
			st.at(3*m, ida.mdi(), ida.mcas())
			st.at(h)
		}, []string{
			"notification mcas alert 1 held waiting",
			"notification mcas alert 1 suppressed resend",
			"notification mdi alert 1 forwarded managed_here",
			"release mcas alert 1 suppressed twin_forwarded",
			"notification mcas alert 1 suppressed resend",
		}},
		{"a resend of a dropped activity is dropped", with(func(c *config.Config) { c.Policy.Activities = "drop" }), func(st *story) {
			st.at(20*s, activity(1), activity(1))
		}, []string{
			"notification mcas - dropped by_kind",
			"notification mcas - dropped by_kind",
		}},
		{"an activity, again, and changed", with(), func(st *story) {
			st.at(20*s, activity(1), activity(1), strings.Replace(activity(1), "msg=Log on", "msg=Log out", 1))
		}, []string{
			"notification mcas - forwarded by_kind",
			"notification mcas - suppressed resend",
			"notification mcas - forwarded update",
		}},
		{"remembered no longer", with(func(c *config.Config) { c.Dedup.Remember.Alerts = 72 * h }), func(st *story) {
			st.at(20*s, ida.mdi())
			st.at(73*h, ida.mdi())
		}, []string{
			"notification mdi alert 1 forwarded managed_here",
			"notification mdi alert 2 forwarded managed_here",
		}},
		{"an update whose first was never seen", with(), func(st *story) {
			st.at(20*s, ida.mdi(" More."))
			st.at(3*m, ida.mcas())
		}, []string{
			"notification mdi alert 1 forwarded managed_here",
			"notification mcas alert 1 suppressed twin_forwarded",
		}},
		{"a forged copy doesn't silence the original", with(func(c *config.Config) { c.Policy.Updates = "suppress" }), func(st *story) {
			forged := strings.Replace(ida.mdi(), "msg=", "msg=nothing to see ", 1)
			st.at(20*s, forged, ida.mdi(), ida.mdi(" More."))
		}, []string{
			"notification mdi alert 1 forwarded managed_here",
			"notification mdi alert 1 forwarded update",
			"notification mdi alert 1 suppressed updates_off",
		}},
		{"a message cut before its ID, then whole", with(), func(st *story) {
			whole := ida.mdi()
			cut := whole[:strings.Index(whole, "externalId=")+4]
			st.at(20*s, cut)
			st.at(1*m, ida.mcas(), whole)
		}, []string{
			"notification mdi alert 1 forwarded managed_here",
			"notification mcas alert 1 suppressed twin_forwarded",
			"notification mdi alert 1 forwarded update",
		}},
		{"a message cut before its ID, then another account's of the same start", with(), func(st *story) {
			whole := ida.mdi()
			st.at(20*s, strings.Replace(whole[:strings.Index(whole, "externalId=")+4], "suser=ibrook", "suser=adm-ibrook", 1))
			st.at(1*m, whole)
		}, []string{
			"notification mdi alert 1 forwarded managed_here",
			"notification mdi alert 2 forwarded managed_here",
		}},
		{"a message cut before its ID, then another machine's of the same start", with(), func(st *story) {
			whole := ida.mdi()
			cut := whole[:strings.Index(whole, "externalId=")+4]
			st.at(20*s, strings.Replace(cut, "suser=", "shost=APPSRV suser=", 1))
			st.at(1*m, strings.Replace(whole, "suser=", "shost=DBSRV suser=", 1))
		}, []string{
			"notification mdi alert 1 forwarded managed_here",
			"notification mdi alert 2 forwarded managed_here",
		}},
		{"a risky sign-in under a tenant's suffix and one's own, from two addresses", with(), func(st *story) {
			st.at(1*m, riskDetection(1, "unfamiliarFeatures", "ida.brook@sea.onmicrosoft.com", 0))
			st.at(3*m, riskySignIn("ida.brook@sea.example", 0)+" src=203.0.113.9")
		}, []string{
			"notification idp alert 1 held waiting",
			"notification mcas alert 1 forwarded managed_here",
			"release idp alert 1 suppressed twin_forwarded",
		}},
		{"risky sign-ins under one name with two suffixes, from two addresses and from one", with(), func(st *story) {
			from := func(address string, start time.Duration) string {
				return riskySignIn("ida.brook@sea.example", start) + " src=" + address
			}
			st.at(1*m, riskDetection(1, "unfamiliarFeatures", "ida.brook@lake.example", 0))
			st.at(3*m, from("203.0.113.9", 0))
			st.at(5*h, riskDetection(2, "unfamiliarFeatures", "ida.brook@lake.example", 5*h))
			st.at(5*h+3*m, from("203.0.113.2", 5*h))
			st.at(9 * h)
		}, []string{
			"notification idp alert 1 held waiting",
			"notification mcas alert 2 forwarded managed_here",
			"release idp alert 1 forwarded hold_expired",
			"notification idp alert 3 held waiting",
			"notification mcas alert 3 forwarded managed_here",
			"release idp alert 3 suppressed twin_forwarded",
		}},
		{"a risky sign-in of a service account under two suffixes", with(), func(st *story) {
			named := func(message string) string { return strings.Replace(message, "Ida Brook", "svc sync", 1) }
			st.at(1*m, named(riskDetection(1, "unfamiliarFeatures", "svc-sync@harbour.example", 0)))
			st.at(3*m, riskySignIn("svc-sync@harbour.onmicrosoft.com", 0))
			st.at(5*h, named(riskDetection(2, "unfamiliarFeatures", "svc-sync@harbour.example", 5*h)))
			st.at(5*h+3*m, riskySignIn("svc-sync2@harbour.onmicrosoft.com", 5*h))
			st.at(9 * h)
		}, []string{
			"notification idp alert 1 held waiting",
			"notification mcas alert 1 forwarded managed_here",
			"release idp alert 1 suppressed twin_forwarded",
			"notification idp alert 2 held waiting",
			"notification mcas alert 3 forwarded managed_here",
			"release idp alert 2 forwarded hold_expired",
		}},
		{"one risky sign-in for several detections", with(), func(st *story) {
			st.at(1*m, riskDetection(1, "unfamiliarFeatures", "ida.brook@harbour.example", 0))
			st.at(2*m, riskDetection(2, "anonymizedIPAddress", "ida.brook@harbour.example", 1*m))
			st.at(3*m, riskySignIn("ida.brook@harbour.example", 0))
			st.at(4*m, riskDetection(3, "passwordSpray", "ida.brook@harbour.example", 2*m))
			st.at(h)
		}, []string{
			"notification idp alert 1 held waiting",
			"notification idp alert 2 held waiting",
			"notification mcas alert 1 forwarded managed_here",
			"release idp alert 1 suppressed twin_forwarded",
			"notification idp alert 1 forwarded update",
			"release idp alert 1 forwarded update",
		}},
		{"risky sign-ins of guests of one name, from two homes", with(), func(st *story) {
			st.at(1*m, riskDetection(1, "unfamiliarFeatures", "ida.brook_one.example#EXT#@harbour.onmicrosoft.example", 0))
			st.at(3*m, riskySignIn("ida.brook@two.example", 0))
			st.at(5*h, riskDetection(2, "unfamiliarFeatures", "ida.brook_one.example#EXT#@harbour.onmicrosoft.example", 5*h))
			st.at(5*h+3*m, riskySignIn("ida.brook@one.example", 5*h))
			st.at(9 * h)
		}, []string{
			"notification idp alert 1 held waiting",
			"notification mcas alert 2 forwarded managed_here",
			"release idp alert 1 forwarded hold_expired",
			"notification idp alert 3 held waiting",
			"notification mcas alert 3 forwarded managed_here",
			"release idp alert 3 suppressed twin_forwarded",
		}},
		{"risky sign-ins of two students of one name, whose accounts are numbers", with(), func(st *story) {
			named := func(upn string, start time.Duration) string {
				return strings.Replace(riskySignIn(upn, start), "Risky sign-ins", "Risky sign-in for Ida Brook", 1)
			}
			st.at(1*m, riskDetection(1, "unfamiliarFeatures", "s1180000@harbour.example", 0))
			st.at(3*m, named("s1190001@harbour.example", 0))
			st.at(9*h, riskDetection(2, "unfamiliarFeatures", "bg01@harbour.example", 9*h)) // the name says nothing of the account
			st.at(9*h+3*m, named("bg01@harbour.example", 9*h))
			st.at(19 * h)
		}, []string{
			"notification idp alert 1 held waiting",
			"notification mcas alert 2 forwarded managed_here",
			"release idp alert 1 forwarded hold_expired",
			"notification idp alert 3 held waiting",
			"notification mcas alert 3 forwarded managed_here",
			"release idp alert 3 suppressed twin_forwarded",
		}},
		{"a second risky sign-in is another alert", with(), func(st *story) {
			st.at(1*m, riskDetection(1, "unfamiliarFeatures", "ida.brook@harbour.example", 0))
			st.at(3*m, riskySignIn("ida.brook@harbour.example", 0))
			st.at(53*m, raisedSignIn("ida.brook@harbour.example", 50*m))
			st.at(9 * h)
		}, []string{
			"notification idp alert 1 held waiting",
			"notification mcas alert 1 forwarded managed_here",
			"release idp alert 1 suppressed twin_forwarded",
			"notification mcas alert 2 forwarded managed_here",
		}},
		{"a risk that is detected hours after the sign-in, when Cloud App Security raises its alert", with(), func(st *story) {
			st.at(8*h+m, offline(riskDetection(1, "unlikelyTravel", "ida.brook@harbour.example", 0), 0, 8*h))
			st.at(8*h+3*m, raisedSignIn("ida.brook@harbour.example", 8*h+2*m))
			st.at(20*h, raisedSignIn("jan.brook@harbour.example", 20*h))
			st.at(20*h+m, offline(riskDetection(2, "unlikelyTravel", "jan.brook@harbour.example", 9*h), 9*h, 11*h))
			st.at(23*h, offline(riskDetection(3, "unlikelyTravel", "jan.brook@harbour.example", h), h, 22*h))
			st.at(48 * h)
		}, []string{
			"notification idp alert 1 held waiting",
			"notification mcas alert 2 forwarded managed_here",
			"release idp alert 2 suppressed twin_forwarded", // not certain before the hold is over
			"notification mcas alert 3 forwarded managed_here",
			"notification idp alert 4 held waiting",
			"release idp alert 3 suppressed twin_forwarded",
			"notification idp alert 5 held waiting",
			"release idp alert 5 forwarded hold_expired",
		}},
		{"the same twice, and a twin that is raised later", with(), func(st *story) {
			again, twin := ida, ida
			again.number, again.start = ida.number+1, ida.start+20*m
			twin.number, twin.start = ida.number+2, ida.start+22*m
			st.at(20*s, ida.mdi())
			st.at(21*m, again.mdi())
			st.at(23*m, twin.raised())
			st.at(h)
		}, []string{
			"notification mdi alert 1 forwarded managed_here",
			"notification mdi alert 2 forwarded managed_here",
			"notification mcas alert 3 held waiting",
			"release mcas alert 2 suppressed twin_forwarded",
		}},
		{"raised much later, with the same count", with(), func(st *story) {
			in, twin := ida, ida
			in.detail, twin.detail, twin.number, twin.start = "It ran 12 times.", "It ran 12 times.", ida.number+1, ida.start+25*m
			st.at(20*s, in.mdi())
			st.at(26*m, twin.raised())
			st.at(h)
		}, []string{
			"notification mdi alert 1 forwarded managed_here",
			"notification mcas alert 2 held waiting",
			"release mcas alert 1 suppressed twin_forwarded",
		}},
		{"the same done again, with another count", with(), func(st *story) {
			in, again := ida, ida
			in.detail, again.detail, again.number, again.start = "It ran 12 times.", "It ran 15 times.", ida.number+1, ida.start+25*m
			st.at(20*s, in.mdi())
			st.at(26*m, again.raised())
			st.at(h)
		}, []string{
			"notification mdi alert 1 forwarded managed_here",
			"notification mcas alert 2 held waiting",
			"release mcas alert 2 forwarded hold_expired",
		}},
		{"a rule sees what both say", with(func(c *config.Config) {
			c.Policy.Rules = []config.Rule{{
				Name: "harbour", When: config.When{User: []string{"*@harbour.example"}, Type: []string{"2017"}},
				Settings: config.Settings{ManageIn: []string{"cloud_app_security"}},
			}}
		}), func(st *story) {
			st.at(20*s, ida.mcas(), ida.mdi())
			st.at(h)
		}, []string{
			"notification mcas alert 1 forwarded managed_here",
			"notification mdi alert 1 suppressed twin_forwarded",
		}},
		{"what is no alert follows its key", with(func(c *config.Config) { c.Policy.Unknown = "drop" }), func(st *story) {
			st.at(20*s, "hello", "")
		}, []string{
			"notification unknown - dropped by_kind",
			"notification unknown - dropped by_kind",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st := newStory(t, tt.config)
			tt.play(st)
			if diff := cmp.Diff(tt.want, st.tell()); diff != "" {
				t.Errorf("stream (-want +got):\n%s", diff)
			}
			st.standing()
		})
	}
}

// standing checks that every suppression names a notification that is forwarded, or still owed, and
// carries its evidence.
func (s *story) standing() {
	s.t.Helper()
	forwarded := map[dedup.EventKey]bool{}
	for _, e := range s.entries {
		if e.Decision.Action == dedup.Forward || e.Decision.Action == dedup.Hold {
			forwarded[e.Key] = true
		}
	}
	for _, e := range s.entries {
		if e.Decision.Action == dedup.Suppress && !forwarded[e.Decision.StandsFor] {
			s.t.Errorf("%s of %s was suppressed for %q, which nobody got", e.Kind, e.Key, e.Decision.StandsFor)
		}
		if e.Decision.Action == dedup.Suppress && len(e.Match.Evidence) == 0 {
			s.t.Errorf("%s of %s was suppressed without evidence", e.Kind, e.Key)
		}
	}
}

// TestTwoAlertsInEveryOrder: two alerts of one type for one user on one machine, three minutes apart,
// each told by both services, are two alerts, whatever the order in which the four arrive.
func TestTwoAlertsInEveryOrder(t *testing.T) {
	one := incident{number: 1, user: "ida.brook", host: "WS-17", shift: 1 * s}
	two := incident{number: 2, user: "ida.brook", host: "WS-17", start: 3 * m, shift: -1 * s}
	messages := map[string]string{"M1": one.mdi(), "M2": two.mdi(), "C1": one.mcas(), "C2": two.mcas()}
	for _, order := range permutations([]string{"M1", "M2", "C1", "C2"}) {
		for _, gap := range []time.Duration{10 * s, 5 * m, 3 * h} {
			t.Run(strings.Join(order, "")+gap.String(), func(t *testing.T) {
				st := newStory(t, with())
				for i, name := range order {
					st.at(4*m+time.Duration(i)*gap, messages[name])
				}
				st.at(20 * h)
				st.standing()
				final := map[string]dedup.AlertID{}
				out := map[dedup.AlertID]int{}
				for _, e := range st.entries {
					if e.Kind == stream.Link {
						continue
					}
					final[string(e.Notification.Service)+e.Notification.ID] = e.Match.Alert
					if e.Delivered() {
						out[e.Match.Alert]++
					}
				}
				ids := map[string]string{}
				for _, e := range st.entries {
					if e.Kind == stream.Notification {
						name := "M"
						if e.Notification.Service == "cloud_app_security" {
							name = "C"
						}
						ids[name+e.Notification.ID[len(e.Notification.ID)-1:]] = string(final[string(e.Notification.Service)+e.Notification.ID])
					}
				}
				if ids["M1"] != ids["C1"] || ids["M2"] != ids["C2"] || ids["M1"] == ids["M2"] {
					t.Errorf("alerts %v, want M1 with C1 and M2 with C2:\n%s", ids, strings.Join(st.tell(), "\n"))
				}
				for id, n := range out {
					if n != 1 {
						t.Errorf("alert %s was forwarded %d times:\n%s", id, n, strings.Join(st.tell(), "\n"))
					}
				}
			})
		}
	}
}

func permutations(list []string) [][]string {
	if len(list) == 0 {
		return [][]string{nil}
	}
	var out [][]string
	for i := range list {
		rest := append(append([]string(nil), list[:i]...), list[i+1:]...)
		for _, p := range permutations(rest) {
			out = append(out, append([]string{list[i]}, p...))
		}
	}
	return out
}

// TestPairingTakenBack: the other service's start is minutes off, and its true twin comes hours later.
// Until then it was taken for the twin of an earlier alert; then it is given back and goes out.
func TestPairingTakenBack(t *testing.T) {
	for _, tt := range []struct{ apart, shift time.Duration }{{3 * m, 0}, {8 * m, 6 * s}, {8 * m, -9 * s}, {14 * m, 40 * s}} {
		t.Run(fmt.Sprintf("%v apart, told %v apart", tt.apart, tt.shift), func(t *testing.T) {
			one := incident{number: 1, user: "ida.brook", host: "WS-17", shift: tt.shift}
			two := incident{number: 2, user: "ida.brook", host: "WS-17", start: tt.apart}
			st := newStory(t, with())
			st.at(20*s, one.mdi())
			st.at(tt.apart+m, two.mcas()) // the datagram of its twin was lost
			st.at(5*h, one.mcas())
			st.at(9 * h)
			told := st.tell()
			want := []string{
				"notification mdi alert 1 forwarded managed_here",
				"notification mcas alert 2 held waiting",
				"release mcas alert 1 suppressed twin_forwarded",
			}
			if diff := cmp.Diff(want, told[:len(want)]); diff != "" {
				t.Errorf("stream (-want +got):\n%s", diff)
			}
			undone := slices.ContainsFunc(told, func(s string) bool {
				return strings.HasPrefix(s, "undo mcas") && strings.HasSuffix(s, "forwarded separated")
			})
			if !undone || !strings.HasSuffix(told[len(told)-1], "mcas alert 1 suppressed twin_forwarded") {
				t.Errorf("the stream ends with %q", told[len(want):])
			}
			st.standing()
		})
	}
}

// TestPairingTakenBackForTheManagingService: the managing service's own notification of the second alert
// comes last, and fits what was taken for the first one's twin.
func TestPairingTakenBackForTheManagingService(t *testing.T) {
	one := incident{number: 1, user: "ida.brook", host: "WS-17"}
	two := incident{number: 2, user: "ida.brook", host: "WS-17", start: 8 * m, shift: 4 * s}
	st := newStory(t, with())
	st.at(8*m+20*s, two.mcas())
	st.at(9*m, one.mdi())
	st.at(35*m, two.mdi())
	st.at(9 * h)
	alerts := map[string]dedup.AlertID{}
	for _, e := range st.entries {
		alerts[e.Notification.ID] = e.Match.Alert
	}
	if first := alerts["00000000-0000-4000-8000-000000000001"]; len(alerts) < 3 || first == alerts["00000000-0000-4000-8000-000000000002"] {
		t.Errorf("one alert of two: %v\n%s", alerts, strings.Join(st.tell(), "\n"))
	}
	for id, alert := range alerts {
		if len(id) == 24 && alert != alerts["00000000-0000-4000-8000-000000000002"] {
			t.Errorf("%s is not with its twin: %v\n%s", id, alerts, strings.Join(st.tell(), "\n"))
		}
	}
	st.standing()
}

// TestASummaryIsNotOutdoneByWords: the twin is a summary, which can't name the machine; the next alert, of which the other
// service's datagram was lost, tells the story, and would fit better only by that.
func TestASummaryIsNotOutdoneByWords(t *testing.T) {
	in := incident{number: 1, user: "ida.brook", host: "WS-17"}
	twin := incident{number: 1, user: "ida.brook", host: "WS-17", start: 45 * s}
	next := incident{number: 2, user: "ida.brook", host: "WS-17", start: 40 * m}
	summary := strings.Replace(twin.raised(), "A hash of ida.brook was used from WS-17.", "ida.brook performed 53 suspicious activities", 1)
	for when, want := range map[time.Duration]string{
		2 * m:  "release mcas alert 1 suppressed twin_forwarded",
		50 * m: "notification mdi alert 1 suppressed late_twin", // when both others are there
	} {
		st := newStory(t, with())
		others := func() {
			st.at(3*m, summary)
			st.at(44*m, next.raised())
		}
		if when < 3*m {
			st.at(when, in.mdi())
			others()
		} else {
			others()
			st.at(when, in.mdi())
		}
		st.at(9 * h)
		told := st.tell()
		if !slices.Contains(told, want) {
			t.Errorf("the stream has no %q:\n%s", want, strings.Join(told, "\n"))
		}
		for _, told := range told {
			if strings.HasPrefix(told, "undo") {
				t.Errorf("the right pairing was taken back: %s", told)
			}
		}
		st.standing()
	}
}

// TestPolicyChanges switches the policy while something is held, or paired: every alert has gone out, and
// none went out twice.
func TestPolicyChanges(t *testing.T) {
	shadow := with(func(c *config.Config) { c.Policy.Mode = "shadow" })
	ida := incident{number: 1, user: "ida.brook", host: "WS-17"}
	two := incident{number: 2, user: "ida.brook", host: "WS-17", start: 3 * m}
	tests := []struct {
		name     string
		from, to config.Config
		before   func(*story)
		after    func(*story)
		want     []string
	}{
		{"held, then shadow", with(), shadow, func(st *story) { st.at(20*s, ida.mcas()) }, func(st *story) { st.at(h) }, []string{
			"notification mcas alert 1 held waiting",
			"release mcas alert 1 forwarded hold_expired",
		}},
		{"held, then shadow, then its twin", with(), shadow, func(st *story) { st.at(20*s, ida.mcas()) }, func(st *story) { st.at(m, ida.mdi()) }, []string{
			"notification mcas alert 1 held waiting",
			"notification mdi alert 1 forwarded managed_here",
			"release mcas alert 1 forwarded (would be suppressed) twin_forwarded",
		}},
		{"shown in shadow, then enforced", shadow, with(), func(st *story) { st.at(20*s, ida.mcas()) }, func(st *story) { st.at(h) }, []string{
			"notification mcas alert 1 forwarded (would be held) waiting",
			"release mcas alert 1 suppressed (would be forwarded) hold_expired",
		}},
		{"dropped, then wanted", with(func(c *config.Config) { c.Policy.Activities = "drop" }), with(), func(st *story) {
			st.at(20*s, activity(1), activity(1))
		}, func(st *story) { st.at(h, activity(1), activity(1)) }, []string{
			"notification mcas - dropped by_kind",
			"notification mcas - dropped by_kind",
			"notification mcas - forwarded by_kind",
			"notification mcas - suppressed resend",
		}},
		{"paired wrongly, then shadow", with(), shadow, func(st *story) {
			st.at(20*s, ida.mdi())
			st.at(4*m, two.mcas())
			st.at(h)
		}, func(st *story) { st.at(5*h, ida.mcas()) }, []string{
			"notification mdi alert 1 forwarded managed_here",
			"notification mcas alert 2 held waiting",
			"release mcas alert 1 suppressed twin_forwarded",
			"undo mcas alert 3 forwarded separated",
			"notification mcas alert 1 forwarded (would be suppressed) twin_forwarded",
		}},
		{"held, then paired wrongly in shadow", with(), shadow, func(st *story) {
			st.at(20*s, ida.mdi())
			st.at(4*m, two.mcas())
		}, func(st *story) {
			st.at(h)
			st.at(5*h, ida.mcas())
		}, []string{
			"notification mdi alert 1 forwarded managed_here",
			"notification mcas alert 2 held waiting",
			"release mcas alert 1 forwarded (would be suppressed) twin_forwarded",
			"undo mcas alert 3 suppressed (would be forwarded) separated",
			"notification mcas alert 1 forwarded (would be suppressed) twin_forwarded",
		}},
		{"paired wrongly in shadow, then enforced", shadow, with(), func(st *story) {
			st.at(20*s, ida.mdi())
			st.at(4*m, two.mcas())
			st.at(h)
		}, func(st *story) { st.at(5*h, ida.mcas()) }, []string{
			"notification mdi alert 1 forwarded managed_here",
			"notification mcas alert 2 forwarded (would be held) waiting",
			"release mcas alert 1 suppressed (would be suppressed) twin_forwarded",
			"undo mcas alert 3 suppressed (would be forwarded) separated",
			"notification mcas alert 1 suppressed twin_forwarded",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st := newStory(t, tt.from)
			tt.before(st)
			st.decider.policy = policy.New(tt.to)
			tt.after(st)
			if diff := cmp.Diff(tt.want, st.tell()); diff != "" {
				t.Errorf("stream (-want +got):\n%s", diff)
			}
			times := map[dedup.EventKey]int{}
			for _, e := range st.entries {
				if e.Delivered() {
					times[e.Key]++
				}
			}
			for key, n := range times {
				if n > 1 {
					t.Errorf("%s went out %d times", key, n)
				}
			}
		})
	}
}
