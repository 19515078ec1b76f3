package threats

import (
	"fmt"
	"math"
	"strings"
)

type department struct {
	name  string
	apps  []string
	deeds []deed
}

type office struct {
	country string
	index   int // of the country
}

// deed is an activity, how often it is done by who does it, and the application where it isn't any.
type deed struct {
	class, name, object, app string
	often                    float64
}

// person is somebody with habits, or a service account.
type person struct {
	upn, sam, display, title string
	department, office       int
	sensitive, admin, robot  bool
	pace                     float64 // activities on a day
	begin, end               float64 // hours of work
	weekends, home           float64 // chances
	address                  string  // at home
	agents                   []string
	phone                    string
	apps                     []string
	deeds                    []deed
	device                   string
	machines                 []string // on which commands are run
	joined, left             int      // days
	away                     [2]int   // leave
	trip                     *trip
	vpn                      float64
	taken                    bool // in an attacker's hands at some time
}

type trip struct {
	until   int
	country int
	address string
	shift   float64 // hours
}

// settle makes departments and offices.
func (o *Organisation) settle() {
	r := o.r
	everyone := []string{"Microsoft Exchange Online", "Microsoft SharePoint Online", "Microsoft Teams"}
	more := []string{"Microsoft OneDrive for Business", "Salesforce", "Box", "ServiceNow", "GitHub", "Workday", "Jira", "SAP Concur", "Confluence", "Slack", "Tableau", "Microsoft Azure"}
	for name := range strings.FieldsSeq("Sales Finance Engineering HumanResources Legal Operations Marketing Support Research IT") {
		d := department{name: name, apps: append([]string{}, everyone...)}
		for range 2 + r.IntN(3) {
			d.apps = append(d.apps, pick(r, more))
		}
		for _, k := range deeds() {
			k.often *= math.Exp(0.8 * r.NormFloat64())
			d.deeds = append(d.deeds, k)
		}
		if name == "IT" {
			for _, k := range adminDeeds() {
				k.often *= 3
				d.deeds = append(d.deeds, k)
			}
		}
		o.departments = append(o.departments, d)
	}
	for range 1 + r.IntN(4) {
		i := r.IntN(12)
		o.offices = append(o.offices, office{countries()[i], i})
	}
	for range 20 {
		o.carriers = append(o.carriers, fmt.Sprintf("%d.201.%d", 60+pick(r, o.offices).index, r.IntN(250)))
	}
}

func (o *Organisation) newPerson(i int) *person {
	r := o.r
	first, last := pick(r, firstNames()), pick(r, lastNames())
	p := &person{
		display: first + " " + last, sam: fmt.Sprintf("%s%s%d", strings.ToLower(first[:1]), strings.ToLower(last), i),
		upn: fmt.Sprintf("%s.%s%d@%s", strings.ToLower(first), strings.ToLower(last), i, Domain), title: pick(r, []string{"Specialist", "Manager", "Assistant", "Analyst"}),
		office: r.IntN(len(o.offices)), sensitive: chance(r, 0.03), pace: o.character.pace * math.Exp(0.6*r.NormFloat64()),
		begin: 7 + 2.5*r.Float64(), weekends: o.character.weekend, home: o.character.homeworking, joined: 0, left: 1 << 20,
		department: int(float64(len(o.departments)) * math.Pow(r.Float64(), 1.3)), device: fmt.Sprintf("pc-%05d.corp.%s", r.IntN(90000), Domain),
	}
	p.end = p.begin + 7.5 + 2*r.Float64()
	d := o.departments[p.department]
	p.apps = append(append([]string{}, d.apps[:3]...), pick(r, d.apps[3:]))
	p.address, p.agents, p.phone = o.homeAddress(p), []string{pick(r, agents())}, pick(r, phones())
	if chance(r, 0.4) {
		p.agents = append(p.agents, pick(r, agents()))
	}
	for _, k := range d.deeds {
		k.often *= math.Exp(0.7 * r.NormFloat64())
		p.deeds = append(p.deeds, k)
	}
	for range 2 + r.IntN(3) {
		p.machines = append(p.machines, fmt.Sprintf("srv%02d.corp.%s", r.IntN(25), Domain))
	}
	if d.name == "IT" {
		p.admin = true
		p.title = pick(r, []string{"Administrator", "Engineer"})
	}
	switch {
	case i%50 == 49:
		p.robot, p.pace, p.title = true, 30+60*r.Float64(), "Service account"
		p.sam = fmt.Sprintf("svc-%s%d", pick(r, []string{"backup", "sync", "scan", "deploy", "report"}), i)
		p.upn, p.display = p.sam+"@"+Domain, p.sam
		p.agents, p.apps = []string{pick(r, []string{"python-requests/2.31", "Apache-HttpClient/4.5 (Java/11)", "curl/8.1"})}, p.apps[:1+r.IntN(2)]
		p.deeds = p.deeds[:3]
	case chance(r, 0.08):
		p.joined = r.IntN(o.Size.Days)
	case chance(r, 0.02):
		p.left = r.IntN(o.Size.Days)
	}
	if from := r.IntN(o.Size.Days * 3); from < o.Size.Days {
		p.away = [2]int{from, from + 5 + r.IntN(12)}
	}
	if chance(r, 0.1) {
		p.vpn = 0.3
	}
	return p
}

func (o *Organisation) homeAddress(p *person) string {
	return fmt.Sprintf("%d.%d.%d.%d", 60+o.offices[p.office].index, o.r.IntN(190), o.r.IntN(250), 1+o.r.IntN(250))
}

// rollOut gives a department something new now and then.
func (o *Organisation) rollOut(day int) {
	if !chance(o.r, 0.04) {
		return
	}
	d, app := o.r.IntN(len(o.departments)), pick(o.r, []string{"Miro", "Notion", "Zoom", "Dropbox", "Asana"})
	for _, p := range o.people {
		if p.department == d && !p.robot && chance(o.r, 0.5) {
			p.apps = append(p.apps, app)
		}
	}
}

// live is a day of somebody.
func (o *Organisation) live(p *person, day int) {
	r, c := o.r, o.character
	if day < p.joined || day >= p.left || day >= p.away[0] && day < p.away[1] {
		return
	}
	if p.robot {
		for range int(p.pace * (0.9 + 0.2*r.Float64())) {
			o.do(p, o.at(day, 24*r.Float64()), p.office24(o), p.agents[0], pick(r, p.deeds), pick(r, p.apps))
		}
		return
	}
	o.change(p, day)
	weekend := (int(o.Start.Weekday())+day)%7%6 == 0
	if weekend && !chance(r, p.weekends) {
		return
	}
	n := int(p.pace * math.Exp(0.35*r.NormFloat64()))
	if weekend {
		n /= 3
	}
	atHome := chance(r, p.home)
	agent := pick(r, p.agents)
	for range n {
		hours := p.begin + (p.end-p.begin)*r.Float64()
		if chance(r, 0.04) {
			hours += 4 * r.Float64() // in the evening
		}
		from, with := p.workplace(o, atHome), agent
		switch {
		case p.trip != nil:
			from, hours = p.trip.address, hours+p.trip.shift
		case chance(r, p.vpn):
			from = fmt.Sprintf("192.0.2.%d", 1+r.IntN(250))
		}
		if chance(r, 0.1) {
			with = p.phone
			if p.trip == nil {
				from = fmt.Sprintf("%s.%d", pick(r, o.carriers), 1+r.IntN(250))
			}
		}
		o.do(p, o.at(day, hours), from, with, p.choose(o), pick(r, p.apps))
	}
	if chance(r, 0.05) { // typed it wrongly
		for range 1 + r.IntN(4) {
			o.fail(p, o.at(day, p.begin+r.Float64()), p.workplace(o, atHome), agent)
		}
	}
	if chance(r, c.burst) { // a project is copied, or tidied up
		k := pick(r, p.deeds)
		hours := p.begin + 6*r.Float64()
		for range 25 + r.IntN(90) {
			o.do(p, o.at(day, hours+1.5*r.Float64()), p.workplace(o, atHome), agent, k, p.apps[0])
		}
	}
}

// change is what changes in somebody's life.
func (o *Organisation) change(p *person, day int) {
	r, c := o.r, o.character
	if chance(r, c.newDevice) {
		p.agents[r.IntN(len(p.agents))] = pick(r, agents())
	}
	if chance(r, c.newAddress) {
		p.address = o.homeAddress(p)
	}
	if chance(r, 0.002) {
		p.apps = append(p.apps, pick(r, o.departments[r.IntN(len(o.departments))].apps))
	}
	if p.trip != nil && day >= p.trip.until {
		p.trip = nil
	}
	if p.trip == nil && chance(r, c.travel) {
		i := int(float64(len(countries())) * math.Pow(r.Float64(), 1.8))
		p.trip = &trip{
			until: day + 1 + r.IntN(5), country: i, shift: float64(r.IntN(7) - 3),
			address: fmt.Sprintf("%d.%d.%d.%d", 60+i, r.IntN(190), r.IntN(250), 1+r.IntN(250)),
		}
	}
}

func (p *person) office24(o *Organisation) string {
	return fmt.Sprintf("10.%d.%d.%d", 20+p.office, p.department, 200)
}

func (p *person) workplace(o *Organisation, atHome bool) string {
	if atHome {
		return p.address
	}
	return fmt.Sprintf("10.%d.%d.%d", 20+p.office, p.department, 1+o.r.IntN(200))
}

func (p *person) choose(o *Organisation) deed {
	sum := 0.0
	for _, k := range p.deeds {
		sum += k.often
	}
	x := sum * o.r.Float64()
	for _, k := range p.deeds {
		if x -= k.often; x < 0 {
			return k
		}
	}
	return p.deeds[0]
}
