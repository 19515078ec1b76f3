// Package company makes up a company and what its people do, in the words of the services: activities as Cloud App
// Security notifies them, and alerts as both services do, each in its own spelling. The same seed gives the same
// lines. It is traffic to load and to search, not to tune recognition by: nobody here attacks anybody on purpose.
package company

import (
	"cmp"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Size is how much is made.
type Size struct {
	People     int
	Activities int // over all days
	Alerts     int // over all days; Defender for Identity and Cloud App Security notify each
	Days       int
}

// Week is the company of the measurements.
func Week() Size { return Size{People: 5000, Activities: 1_000_000, Alerts: 2000, Days: 7} }

// Line is one message and when it is sent.
type Line struct {
	Sent time.Time
	Text string // without a line feed
}

// Company is the made-up organisation.
type Company struct {
	size   Size
	start  time.Time
	people []person
	random *rand.Rand
}

// person is somebody who works there, or a service account.
type person struct {
	first, last string
	sam, upn    string
	department  string
	office      int // decides the network
	host        int // of the device and in the network
	agent       string
	apps        []app
	weight      float64 // how busy
	robot       bool    // a service account, which never sleeps
}

type app struct{ name, id string }

// Domain is the company's DNS domain, NetBIOS its short name.
const (
	Domain  = "nordhavn.example"
	NetBIOS = "NORDHAVN"
)

// New makes the company. start is the first day's midnight.
func New(seed uint64, size Size, start time.Time) *Company {
	c := &Company{size: size, start: start, random: rand.New(rand.NewPCG(seed, 1))}
	taken := map[string]int{}
	for i := range size.People {
		c.people = append(c.people, c.person(i, taken))
	}
	return c
}

func (c *Company) person(i int, taken map[string]int) person {
	r := c.random
	p := person{
		first: pick(r, firstNames()), last: pick(r, lastNames()), department: pick(r, departments()), office: r.IntN(12),
		host: i, agent: pick(r, agents()), weight: 0.2 + r.ExpFloat64(),
	}
	if p.robot = i%100 == 99; p.robot {
		p.first, p.last, p.weight = "svc", pick(r, []string{"backup", "sync", "scan", "deploy", "report"}), 8
	}
	sam := strings.ToLower(ascii(string([]rune(p.first)[:1])) + ascii(p.last))
	taken[sam]++
	if n := taken[sam]; n > 1 {
		sam += fmt.Sprint(n)
	}
	p.sam, p.upn = sam, sam+"@"+Domain
	all := apps()
	p.apps = []app{all[0], all[1+r.IntN(len(all)-1)], all[1+r.IntN(len(all)-1)]}
	return p
}

// display is the name as people write it.
func (p *person) display() string { return p.first + " " + p.last }

func (p *person) device() string { return fmt.Sprintf("NH-PC%05d", p.host) }

// address is the person's own in the office, or one at home.
func (p *person) address(r *rand.Rand) string {
	if r.IntN(8) == 0 {
		return fmt.Sprintf("198.51.%d.%d", p.host/250%250, p.host%250+1)
	}
	return fmt.Sprintf("10.%d.%d.%d", 20+p.office, p.host/250%250, p.host%250+1)
}

// Lines are all messages in the order in which they are sent.
func (c *Company) Lines() iter.Seq[Line] {
	return func(yield func(Line) bool) {
		total := 0.0
		for i := range c.people {
			total += c.people[i].weight
		}
		for day := range c.size.Days {
			lines := c.day(day, total)
			slices.SortFunc(lines, func(a, b Line) int { return cmp.Or(a.Sent.Compare(b.Sent), strings.Compare(a.Text, b.Text)) })
			for _, l := range lines {
				if !yield(l) {
					return
				}
			}
		}
	}
}

// day is a day's share of everything.
func (c *Company) day(day int, total float64) []Line {
	r := rand.New(rand.NewPCG(uint64(day), c.random.Uint64()))
	share := func(of int) int { return of*(day+1)/c.size.Days - of*day/c.size.Days }
	n := share(c.size.Activities)
	lines := make([]Line, 0, n+n/100)
	for i := range c.people {
		p := &c.people[i]
		for range int(float64(n)*p.weight/total + r.Float64()) {
			at := c.moment(r, p, day)
			lines = append(lines, Line{at.Add(time.Duration(r.IntN(90)) * time.Second), c.activity(r, p, at)})
		}
	}
	for range share(c.size.Alerts) {
		p := &c.people[r.IntN(len(c.people))]
		lines = append(lines, c.alert(r, p, c.moment(r, p, day))...)
	}
	return lines
}

// moment is when somebody does something: in office hours mostly, robots at any time.
func (c *Company) moment(r *rand.Rand, p *person, day int) time.Time {
	minutes := r.IntN(24 * 60)
	if !p.robot && r.IntN(20) > 0 {
		minutes = int(13*60 + 150*r.NormFloat64())
		minutes = min(max(minutes, 5*60), 23*60)
	}
	return c.start.AddDate(0, 0, day).Add(time.Duration(minutes)*time.Minute + time.Duration(r.IntN(60_000))*time.Millisecond)
}
