package corpus

import (
	"fmt"
	"strings"
	"time"
)

const (
	s = time.Second
	m = time.Minute
	h = time.Hour
)

// corpora are what is judged, each by one organisation's rules.
func corpora() map[string]*book {
	orgs := organisations()
	out := map[string]*book{}
	for n, org := range orgs {
		b := newBook(uint64(100+n), org)
		b.naming()
		out["naming-"+org.name] = b
	}
	for n, c := range []struct {
		name string
		org  int
		play func(*book)
	}{
		{"timing", 2, (*book).timing},
		{"repeats", 5, (*book).repeats},
		{"storm", 3, (*book).storm},
		{"single", 1, (*book).single},
		{"updates", 2, (*book).updates},
		{"risk", 5, (*book).risk},
		{"hostile", 0, (*book).hostile},
	} {
		b := newBook(uint64(200+n), orgs[c.org])
		c.play(b)
		out[c.name] = b
	}
	return out
}

// naming: every detection with every spelling, in both orders.
func (b *book) naming() {
	for round := range 5 {
		for _, d := range detections() {
			i := b.incident(d)
			i.spelling, i.inText = round%4, (round+b.r.IntN(2))%2
			i.userless = round == 3 && i.inText == 0
			i.generic = round == 4
			i.hostless = b.r.IntN(6) == 0 && strings.Contains(i.text, "{host}")
			i.shift = time.Duration(b.r.IntN(3000)-1500) * time.Millisecond
			if !strings.Contains(i.text, "{user}") {
				i.nobody, i.userless, i.generic = true, true, false
			}
			first, second := 30*s, time.Duration(90+b.r.IntN(600))*s
			if b.r.IntN(2) == 0 {
				first, second = second, first
			}
			b.pair(i, first, second, fmt.Sprintf("spelling %d, text %d", i.spelling, i.inText))
			if b.org.name == "harbour" && i.inText == 1 && i.generic && i.spelling < 2 {
				// A number on one side, a name on the other, and nothing else: nobody could say.
				b.lines[len(b.lines)-1].truth.Ambiguous, b.lines[len(b.lines)-2].truth.Ambiguous = true, true
			}
		}
	}
}

// timing: late by hours and days, the other first, starts seconds and minutes apart, raise times.
func (b *book) timing() {
	ds := detections()
	for round := range 10 {
		for _, c := range []struct {
			note            string
			defender, cloud time.Duration
			shift           time.Duration
			raised          bool // Cloud App Security's start is when it raised the alert
		}{
			{"twin hours late", 30 * s, 7 * h, 0, false},
			{"twin two days late", 30 * s, 47 * h, 0, false},
			{"twin sixty hours late, seconds apart", 30 * s, 60 * h, 4 * s, false},
			{"cloud first by twenty minutes", 22 * m, 2 * m, -2 * s, false},
			{"cloud first by hours", 9 * h, 2 * m, 0, false},
			{"starts minutes apart", 30 * s, 5 * m, 4*m + 10*s, false},
			{"starts minutes apart the other way", 30 * s, 8 * m, -6 * m, false},
			{"start is the time of raising", 30 * s, 50 * m, 0, true},
		} {
			i := b.incident(ds[round%5])
			i.shift = c.shift
			if c.raised {
				i.raise = time.Duration(20+b.r.IntN(25)) * m
				i.shift = i.raise
			}
			if !strings.Contains(i.text, "{user}") {
				i.nobody, i.userless = true, true
			}
			b.pair(i, c.defender, c.cloud, c.note)
		}
	}
}

// repeats: one type, person and machine again and again, arriving in all orders.
func (b *book) repeats() {
	ds := detections()
	for round := range 8 {
		for _, gap := range []time.Duration{1 * m, 3 * m, 10 * m, 70 * m} {
			first := b.incident(ds[round%4])
			for n := range 2 + round%3 {
				i := b.incidentAt(first.detection, first.start.Add(time.Duration(n)*gap))
				i.who, i.machine = first.who, first.machine
				i.shift = time.Duration(b.r.IntN(1600)-800) * time.Millisecond
				i.start = i.start.Truncate(s).Add(time.Duration(b.r.IntN(1e7)) * 100)
				b.pair(i, time.Duration(20+b.r.IntN(200))*s, time.Duration(40+b.r.IntN(500))*s, fmt.Sprintf("%d of several, %s apart", n+1, gap))
			}
		}
	}
}

// storm: one type for everybody at once, and one person everywhere at once.
func (b *book) storm() {
	ds := detections()
	for round := range 4 {
		b.now = b.now.Add(3 * h)
		for who := range b.org.people {
			i := b.incidentAt(ds[round], b.now.Add(time.Duration(b.r.IntN(40))*s))
			i.who, i.machine, i.shift = who, 7, time.Duration(b.r.IntN(800)-400)*time.Millisecond
			i.generic = b.r.IntN(3) == 0
			b.pair(i, time.Duration(10+b.r.IntN(40))*s, time.Duration(30+b.r.IntN(900))*s, "storm: everybody on one machine")
		}
		b.now = b.now.Add(3 * h)
		for machine := range 20 {
			i := b.incidentAt(ds[1+round%2], b.now.Add(time.Duration(b.r.IntN(40))*s))
			i.who, i.machine = round, machine
			b.pair(i, time.Duration(10+b.r.IntN(40))*s, time.Duration(30+b.r.IntN(900))*s, "storm: one person on every machine")
		}
	}
}

// single: what only one service says, and cloud alerts that borrow a name.
func (b *book) single() {
	ds := detections()
	for round := range 40 {
		d := ds[round%len(ds)]
		i := b.incident(d)
		if !strings.Contains(i.text, "{user}") {
			i.nobody, i.userless = true, true
		}
		switch round % 4 {
		case 0:
			b.defender(i, 30*s, b.key(), "no twin: the integration was off")
		case 1:
			b.cloud(i, 2*m, b.key(), "no twin: the datagram was lost")
		case 2:
			key := b.pair(i, 30*s, 2*m, "a pair beside a policy of its name")
			_ = key
			typ := "ALERT_CABINET_EVENT_MATCH_AUDIT"
			id := fmt.Sprintf("%08x%016x", i.start.Unix()+70, b.r.Uint64())
			app, appID := "Box", "APPID_BOX"
			if round%8 == 2 {
				app, appID = "Active Directory", "APPID_ACTIVE_DIRECTORY"
			}
			b.add(i.start.Add(3*m), b.agent(i.start, typ, d.title, id, "Activity policy ''"+d.title+"'' was triggered", b.upn(i), app, appID, 0),
				"cloud_app_security", "alert", id, b.key(), "a policy named like the alert")
		case 3:
			other := i
			other.who = (i.who + 3) % len(b.org.people)
			other.machine = i.machine + 5
			other.object = fmt.Sprintf("%016x", b.r.Uint64())
			other.start = i.start.Add(20 * s)
			other.generic, other.userless, other.nobody = false, i.userless, i.nobody
			b.defender(i, 30*s, b.key(), "no twin; another's alert of the type is near")
			b.cloud(other, 2*m, b.key(), "no twin; another's alert of the type is near")
		}
	}
}

// updates: news before and after, history sent again, messages cut.
func (b *book) updates() {
	ds := detections()
	var again []line
	for round := range 30 {
		i := b.incident(ds[round%4])
		key := b.pair(i, 30*s, 4*m, "pair")
		for n := range round % 3 {
			at := i.start.Add(time.Duration(2+9*n) * m)
			l := b.add(at, b.mdi(i, strings.Repeat(" And more.", n+1)), "defender_for_identity", "alert", i.guid, key, "update")
			l.truth.Update = true
		}
		if round%5 == 0 {
			j := b.incident(ds[1])
			j.header = 0
			text := b.mdi(j, "")
			k := b.key()
			b.add(j.start.Add(30*s), text[:strings.Index(text, "cs1=https")+12], "defender_for_identity", "alert", "", k, "cut before its id")
			b.cloud(j, 3*m, k, "twin of a message that was cut")
		}
	}
	for _, l := range b.lines {
		if *l.truth.Service == "cloud_app_security" {
			again = append(again, l)
		}
	}
	end := b.now.Add(6 * h)
	for times := range 2 {
		for n, l := range again {
			l.at, l.truth.Resend, l.truth.Note = end.Add(time.Duration(times)*h+time.Duration(n)*s), true, "history sent again"
			b.lines = append(b.lines, l)
		}
	}
}

// risk: Identity Protection's detections with and without a twin, and one risky sign-in for several.
func (b *book) risk() {
	types := [][2]string{
		{"anonymizedIPAddress", "Anonymous IP address"},
		{"unfamiliarFeatures", "Unfamiliar sign-in properties"},
		{"leakedCredentials", "Leaked credentials"},
		{"passwordSpray", "Password spray"},
	}
	for round := range 32 {
		b.now = b.now.Add(35 * m)
		i := b.incidentAt(detection{}, b.now)
		typ, key := types[round%4], b.key()
		address := fmt.Sprintf("203.0.113.%d", 1+round)
		b.detected(i, typ[0], address, 5*m, key, "detection", false)
		title, cloudType := "Risky sign-in: "+typ[1], "ALERT_EXTERNAL_AADIP_RISKY_SIGN_IN"
		switch {
		case typ[0] == "leakedCredentials":
			title, cloudType = "Leaked credentials", "ALERT_EXTERNAL_AADIP_LEAKED_CREDENTIALS"
		case round%8 == 1:
			title = "Risky sign-in"
		case round%8 >= 6:
			continue // no twin
		}
		text := b.agent(i.start, cloudType, title, i.cloudID(), typ[1]+" for "+b.org.display(b.user(i)), b.upn(i),
			"Microsoft Online Services", "APPID_11394", i.header)
		b.add(i.start.Add(time.Duration(2+b.r.IntN(9))*m), text, "cloud_app_security", "alert", i.cloudID(), key, "shown by Cloud App Security")
		if title == "Risky sign-in" {
			j := b.incidentAt(detection{}, i.start.Add(90*s))
			j.who = i.who
			b.detected(j, "anonymizedIPAddress", address, 14*m, key, "a further detection behind one risky sign-in", true)
		}
	}
}

func (b *book) detected(i incident, typ, address string, after time.Duration, key, note string, further bool) {
	id := strings.ReplaceAll(i.guid, "-", "") + i.object + i.object
	at := i.start.Format("2006-01-02T15:04:05.0000000Z")
	raised := i.start.Add(4 * m).Format("2006-01-02T15:04:05.0000000Z")
	text := fmt.Sprintf(`<134>1 %s graph IdentityProtection - riskDetection - {"id":%q,"riskEventType":%q,"riskState":"atRisk","riskLevel":"high",`+
		`"activity":"signin","ipAddress":%q,"activityDateTime":%q,"detectedDateTime":%q,"lastUpdatedDateTime":%[6]q,"userDisplayName":%[7]q,"userPrincipalName":%[8]q}`,
		i.start.Add(after).Format(time.RFC3339Nano), id, typ, address, at, raised, b.user(i).display(), b.upn(i))
	b.add(i.start.Add(after), text, "identity_protection", "alert", id, key, note).truth.Update = further
}

// hostile: text that pretends to be something, noise, foreign events, health alerts.
func (b *book) hostile() {
	ds := detections()
	fakes := []string{
		` externalId=2003 cs1Label=url cs1=https\://security.microsoft.com/alerts/aa00000000-0000-4000-8000-000000000001 cs2Label=trigger cs2=update`,
		` <36>1 2023-11-06T07:00:00.000000+00:00 X CEF 1 Y 0|Microsoft|Azure ATP|2|PassTheHashSecurityAlert|x|10|suser=root externalId=2017`,
		` a=b c|d \\ e`, strings.Repeat(" very long", 400), " \u202etxet sdrawkcab",
	}
	for round := range 30 {
		i := b.incident(ds[round%3])
		i.inText = 0
		key := b.key()
		real := b.mdi(i, "")
		forged := strings.Replace(real, " externalId=", fakes[round%len(fakes)]+" externalId=", 1)
		b.add(i.start.Add(30*s), forged, "defender_for_identity", "alert", i.guid, key, "text that pretends")
		b.cloud(i, 3*m, key, "twin of a text that pretends")
		garbage := []string{
			"<14>1 2023-11-06T07:00:00Z web nginx 1 - - GET /?q=" + real, "CEF:0|Firewall Inc|Wall|1|deny|Deny|3|msg=" + real,
			"CEF:0|Microsoft|Azure ATP", "{\"level\":\"info\"}", "", "\xff\xfe\x00",
		}[round%6]
		b.add(i.start.Add(4*m), garbage, "", "garbage", "", "", "no notification of a known service")
		if round%6 == 0 {
			text := fmt.Sprintf("<36>1 %s %s CEF 1 SensorStoppedMonitoringAlert 0|Microsoft|Azure ATP|2.2|SensorStoppedMonitoringAlert|"+
				"SensorStoppedMonitoringAlert|5|externalId=1018 cs1Label=url cs1=https\\://x.atp.azure.com/monitoring msg=The sensor on %s stopped.",
				i.start.Format("2006-01-02T15:04:05.000000-07:00"), b.org.dc, b.org.dc)
			b.add(i.start.Add(5*m), text, "defender_for_identity", "health", "", "", "health alert")
		}
	}
}
