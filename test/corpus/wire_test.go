package corpus

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// person is somebody who works somewhere.
type person struct{ first, last, title string }

func (p person) display() string { return p.first + " " + p.last }

// organisation is how one place names its people and machines.
type organisation struct {
	name, netbios, dns, suffix string
	sam                        func(p person, i int) string
	local                      func(p person, i int) string // local part of the UPN
	display                    func(p person) string
	host                       func(i int) string
	dc                         string
	people                     []person
}

// detection is a kind of alert with the words of both services; {user}, {host}, {dc} and {n} are
// filled in.
type detection struct {
	class, id, cloud, title, text string
}

// line is one message with what is true of it.
type line struct {
	at    time.Time
	text  string
	truth truth
}

// truth is a line of the truth file; see README.md.
type truth struct {
	Line           int     `json:"line"`
	Arrival        string  `json:"arrival"`
	Service        *string `json:"service"`
	Kind           string  `json:"kind"`
	NotificationID *string `json:"notification_id"`
	Alert          *string `json:"alert"`
	Update         bool    `json:"update"`
	Resend         bool    `json:"resend"`
	Ambiguous      bool    `json:"ambiguous,omitempty"`
	Note           string  `json:"note"`
}

// book collects the lines of one corpus.
type book struct {
	r      *rand.Rand
	org    organisation
	now    time.Time
	lines  []line
	alerts int
}

func newBook(seed uint64, org organisation) *book {
	return &book{r: rand.New(rand.NewPCG(seed, 7)), org: org, now: time.Date(2023, 11, 6, 7, 0, 0, 0, time.UTC)}
}

// key names a new true alert.
func (b *book) key() string {
	b.alerts++
	return fmt.Sprintf("K%04d", b.alerts)
}

func (b *book) add(at time.Time, text, service, kind, id, alert, note string) *line {
	t := truth{Kind: kind, Note: note, Service: optional(service), NotificationID: optional(id), Alert: optional(alert)}
	b.lines = append(b.lines, line{at, text, t})
	return &b.lines[len(b.lines)-1]
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// incident is one thing that happened. The zero value of a field is the ordinary case.
type incident struct {
	detection
	who, machine, n int
	start           time.Time
	shift           time.Duration // of Cloud App Security's start
	raise           time.Duration // after the start, when Cloud App Security made its alert
	guid, object    string
	userless        bool // Cloud App Security leaves suser empty
	generic         bool // Cloud App Security's text is a summary
	hostless        bool // Defender for Identity leaves shost out
	nobody          bool // Defender for Identity leaves suser out
	spelling        int  // of Defender for Identity's suser: 0 account, 1 DOMAIN\account, 2 display name, 3 UPN
	inText          int  // how its text calls the user: 0 display name and job, 1 account
	header          int  // framing
}

func (b *book) incident(d detection) incident {
	b.now = b.now.Add(time.Duration(20+b.r.IntN(90)) * time.Minute)
	return b.incidentAt(d, b.now)
}

func (b *book) incidentAt(d detection, at time.Time) incident {
	return incident{
		detection: d, who: b.r.IntN(len(b.org.people)), machine: b.r.IntN(60), n: 2 + b.r.IntN(90),
		start: at.Add(time.Duration(b.r.IntN(1e9)) / 100 * 100), raise: time.Duration(40+b.r.IntN(120)) * time.Second,
		guid:   fmt.Sprintf("%08x-%04x-4%03x-9%03x-%012x", b.r.Uint32(), b.r.IntN(1<<16), b.r.IntN(1<<12), b.r.IntN(1<<12), b.r.Int64N(1<<48)),
		object: fmt.Sprintf("%016x", b.r.Uint64()), header: b.r.IntN(4), inText: b.r.IntN(2), spelling: b.r.IntN(4),
	}
}

func (b *book) user(i incident) person { return b.org.people[i.who] }

func (b *book) upn(i incident) string {
	return b.org.local(b.user(i), i.who) + "@" + b.org.suffix
}

func (b *book) fill(text, user string, i incident) string {
	return strings.NewReplacer("{user}", user, "{host}", strings.TrimSuffix(b.org.host(i.machine), "."+b.org.dns),
		"{dc}", b.org.dc, "{n}", fmt.Sprint(i.n), "{dns}", b.org.dns).Replace(text)
}

// mdi is Defender for Identity's notification; more is appended to its text and makes it an update.
func (b *book) mdi(i incident, more string) string {
	p := b.user(i)
	sam := b.org.sam(p, i.who)
	called := b.org.display(p) + " (" + p.title + ")"
	if i.inText == 1 {
		called = sam
	}
	f := []string{"start=" + i.start.Format("2006-01-02T15:04:05.0000000Z"), "app=Kerberos"}
	if !i.hostless {
		f = append(f, "shost="+b.org.host(i.machine))
	}
	if !i.nobody {
		f = append(f, "suser="+[]string{sam, b.org.netbios + `\` + sam, b.org.display(p), b.upn(i)}[i.spelling])
	}
	trigger := "new"
	if more != "" {
		trigger = "update"
	}
	f = append(f, "msg="+b.fill(i.text, called, i)+more, "externalId="+i.id, "cs1Label=url",
		`cs1=https\://security.microsoft.com/alerts/aa`+i.guid, "cs2Label=trigger", "cs2="+trigger)
	event := "|Microsoft|Azure ATP|2.220.17123.1|" + i.class + "|" + i.title + "|5|" + strings.Join(f, " ")
	sent := i.start.Add(15 * time.Second)
	return []string{
		fmt.Sprintf("<36>1 %s %s CEF 2210 %.32s 0%s", sent.Format("2006-01-02T15:04:05.000000-07:00"), b.org.dc, i.class, event),
		fmt.Sprintf("<36>%s %s CEF:0%s", sent.Format(time.Stamp), b.org.dc, event),
		fmt.Sprintf("<36>1 %s %s CEF 2210 %.32s \ufeff0%s", sent.Format("2006-01-02T15:04:05.000000-07:00"), b.org.dc, i.class, event),
		fmt.Sprintf("<36>1 %s %s CEF 2210 %.32s - CEF:0%s", sent.Format("2006-01-02T15:04:05.000000-07:00"), b.org.dc, i.class, event),
	}[i.header]
}

// id is Cloud App Security's id of it.
func (i incident) cloudID() string {
	return fmt.Sprintf("%08x%s", i.start.Add(i.raise).Unix(), i.object)
}

func (b *book) mcas(i incident) string {
	p, start := b.user(i), i.start.Add(i.shift)
	upn := b.upn(i)
	text := b.fill(i.text, []string{b.org.display(p), upn, p.display()}[i.n%3], i)
	if i.generic {
		text = fmt.Sprintf("%s performed %d suspicious activities MITRE Technique used Account Discovery (T1087)", p.display(), 1+i.n%9)
	}
	if i.userless {
		upn = ""
	}
	return b.agent(start, i.cloud, i.title, i.cloudID(), text, upn, "Active Directory", "APPID_ACTIVE_DIRECTORY", i.header)
}

// agent is a line of the SIEM agent.
func (b *book) agent(start time.Time, typ, title, id, text, upn, app, appID string, header int) string {
	stamp := start.Format("2006-01-02T15:04:05.000Z")
	return []string{stamp + " ", stamp + " cas-agent ", "<134> " + stamp + " cas-agent ", ""}[header] + fmt.Sprintf(
		"CEF:0|MCAS|SIEM_Agent|0.271.12|%s|%s|6|externalId=%s start=%d end=%[4]d msg=%[5]s suser=%[6]s destinationServiceName=%[7]s "+
			"cn1Label=riskScore cn1= cs1Label=portalURL cs1=https://%[8]s.portal.cloudappsecurity.com/#/alerts/%[3]s "+
			"cs2Label=uniqueServiceAppIds cs2=%[9]s cs3Label=relatedAudits cs3= cs4Label=policyIDs cs4=",
		typ, title, id, start.UnixMilli(), text, upn, app, b.org.name, appID)
}

// pair adds both notifications; they arrive after those times from the start.
func (b *book) pair(i incident, defender, cloud time.Duration, note string) string {
	key := b.key()
	b.defender(i, defender, key, note)
	b.cloud(i, cloud, key, note)
	return key
}

func (b *book) defender(i incident, after time.Duration, key, note string) *line {
	return b.add(i.start.Add(after), b.mdi(i, ""), "defender_for_identity", "alert", i.guid, key, note)
}

func (b *book) cloud(i incident, after time.Duration, key, note string) *line {
	return b.add(i.start.Add(after), b.mcas(i), "cloud_app_security", "alert", i.cloudID(), key, note)
}

// write gives the three files.
func (b *book) write() (log, arrivals, truths []byte) {
	slices.SortStableFunc(b.lines, func(x, y line) int { return x.at.Compare(y.at) })
	for n, l := range b.lines {
		l.truth.Line, l.truth.Arrival = n+1, l.at.Format("2006-01-02T15:04:05.000Z")
		log = append(append(log, l.text...), '\n')
		arrivals = append(append(arrivals, l.truth.Arrival...), '\n')
		data, err := json.Marshal(l.truth)
		if err != nil {
			panic(err) // strings and booleans
		}
		truths = append(append(truths, data...), '\n')
	}
	return log, arrivals, truths
}
