// Package threats makes up an organisation with its people's habits and, among them, attacks: weeks of activities
// and alerts in the words of the services, with the truth beside them. The seed decides how large the departments
// are, how much people travel, how many alerts are false, and what the attackers do; equal seeds give equal lines.
//
// It is for measuring investigation priority. Whoever changes the scoring looks at some seeds and reports others.
package threats

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Size is how much is made.
type Size struct {
	People int
	Days   int
	Quiet  int // days at the beginning without an attack
}

// Line is one message and when it arrives.
type Line struct {
	Sent time.Time
	Text string // without a line feed
}

// Incident is an attack: who is in an attacker's hands, and from which day to which.
type Incident struct {
	Kind        string
	User        string // UPN
	First, Last int    // days of UTC from the start
}

// Organisation is what was made up.
type Organisation struct {
	Size      Size
	Start     time.Time // midnight
	Incidents []Incident
	Lines     []Line // in order of time

	r           *rand.Rand
	character   character
	departments []department
	offices     []office
	people      []*person
	names       map[string]string
	carriers    []string // /24 of mobile networks, by the first three numbers
}

// character is what differs from one organisation to another.
type character struct {
	travel, weekend, homeworking, newDevice, newAddress, burst float64 // chances, of a person on a day
	falseAlerts                                                float64 // of a thousand people on a day
	pace                                                       float64 // activities of an average person on a day
	zone                                                       int     // hours to UTC
}

// New makes an organisation and everything that happens in it.
func New(seed uint64, size Size, start time.Time) *Organisation {
	r := rand.New(rand.NewPCG(seed, 77))
	o := &Organisation{Size: size, Start: start, r: r}
	between := func(low, high float64) float64 { return low + (high-low)*r.Float64() }
	o.character = character{
		travel: between(0.002, 0.01), weekend: between(0.01, 0.08), homeworking: between(0.1, 0.5), newDevice: between(0.002, 0.008),
		newAddress: between(0.005, 0.03), burst: between(0.001, 0.004), falseAlerts: between(1.5, 6), pace: between(8, 16), zone: r.IntN(12) - 6,
	}
	o.settle()
	for i := range size.People {
		o.people = append(o.people, o.newPerson(i))
	}
	o.names = o.Names()
	plans := o.plan()
	for day := range size.Days {
		o.rollOut(day)
		for _, p := range o.people {
			o.live(p, day)
		}
		for i := range plans {
			o.attack(&plans[i], day)
		}
		o.falseAlerts(day)
	}
	for i := range plans {
		if incident, some := o.incident(&plans[i]); some {
			o.Incidents = append(o.Incidents, incident)
		}
	}
	slices.SortStableFunc(o.Lines, func(a, b Line) int { return cmp.Or(a.Sent.Compare(b.Sent), cmp.Compare(a.Text, b.Text)) })
	return o
}

// Directory is the organisation's directory file.
func (o *Organisation) Directory() string {
	var b strings.Builder
	b.WriteString("upn,sam,display_name,department,title,sensitive\n")
	for _, p := range o.people {
		sensitive := "no"
		if p.sensitive {
			sensitive = "yes"
		}
		fmt.Fprintf(&b, "%s,%s,%s,%s,%s,%s\n", p.upn, p.sam, p.display, o.departments[p.department].name, p.title, sensitive)
	}
	return b.String()
}

// Networks is the organisation's networks file.
func (o *Organisation) Networks() string {
	var b strings.Builder
	b.WriteString("cidr,country,tag\n")
	for i, office := range o.offices {
		fmt.Fprintf(&b, "10.%d.0.0/16,%s,corporate\n", 20+i, office.country)
	}
	fmt.Fprintf(&b, "192.0.2.0/24,%s,vpn\n", o.offices[len(o.offices)-1].country)
	for i, c := range countries() {
		fmt.Fprintf(&b, "%d.0.0.0/8,%s,residential\n", 60+i, c)
		fmt.Fprintf(&b, "%d.200.0.0/16,%s,hosting\n", 60+i, c)
		fmt.Fprintf(&b, "%d.201.0.0/16,%s,mobile\n", 60+i, c)
	}
	b.WriteString("185.220.101.0/24,,anonymous\n185.220.102.0/24,,anonymous\n")
	return b.String()
}

// at is a time of a day, in hours of the organisation's own zone.
func (o *Organisation) at(day int, hours float64) time.Time {
	return o.Start.AddDate(0, 0, day).Add(time.Duration((hours - float64(o.character.zone)) * float64(time.Hour)))
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

func chance(r *rand.Rand, p float64) bool { return r.Float64() < p }

func countries() []string {
	return []string{
		"DE", "FR", "NL", "GB", "US", "ES", "IT", "PL", "SE", "CH", "AT", "BE", "DK", "IN", "CN", "JP", "BR", "CA", "AU", "RO", "UA", "NG", "VN", "RU", "TR",
		"ID", "IR", "ZA", "MX", "KR",
	}
}

// Names are the users by the spellings of the lines.
func (o *Organisation) Names() map[string]string {
	out := map[string]string{}
	for _, p := range o.people {
		out[p.sam], out[p.upn] = p.upn, p.upn
	}
	return out
}

// Subject reads of the line of an alert whose it is, and its severity on CEF's scale.
func Subject(line string, names map[string]string) (user string, severity float64) {
	_, rest, _ := strings.Cut(line, " suser=")
	account, _, _ := strings.Cut(rest, " ")
	_, event, _ := strings.Cut(line, "0|M")
	if head := strings.SplitN(event, "|", 7); len(head) == 7 {
		severity, _ = strconv.ParseFloat(head[5], 64)
	}
	return names[account], severity
}
