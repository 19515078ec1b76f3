package threats

import (
	"fmt"
	"time"
)

// plan is an attack on somebody: what the attacker does on each day.
type plan struct {
	Incident
	act  func(day int)
	told []time.Time // when lines of it arrive
}

// plan chooses the victims, and for each what is done to them.
func (o *Organisation) plan() []plan {
	kinds := []func(p *person, first int) plan{
		o.takeover, o.spray, o.massDownload, o.exfiltration, o.lateral, o.privileges, o.service, o.deletion, o.dormant,
	}
	var out []plan
	n := max(len(kinds), o.Size.People/60)
	for i := range n {
		first := o.Size.Quiet + o.r.IntN(max(1, o.Size.Days-o.Size.Quiet-1))
		kind := i % len(kinds)
		p := o.victim(first, kind)
		if p == nil {
			continue
		}
		pl := kinds[kind](p, first)
		pl.User, pl.First = p.upn, first
		pl.Last = min(pl.Last, o.Size.Days-1)
		out = append(out, pl)
	}
	return out
}

// attack does what is planned for a day of the organisation's own zone.
func (o *Organisation) attack(pl *plan, day int) {
	if day < pl.First || day > pl.Last {
		return
	}
	before := len(o.Lines)
	pl.act(day)
	for i := range o.Lines[before:] {
		l := &o.Lines[before+i]
		if user, _ := Subject(l.Text, o.names); user == pl.User {
			pl.told = append(pl.told, l.Sent)
		}
	}
}

// incident is the truth of what was planned: on which days of UTC a SIEM is told of what the attacker did. It isn't the
// plan's, because evenings of a zone to the west are on the next one.
func (o *Organisation) incident(pl *plan) (i Incident, some bool) {
	i = pl.Incident
	i.First, i.Last = o.Size.Days, -1
	for _, t := range pl.told {
		if day := int(t.Sub(o.Start) / (24 * time.Hour)); day < o.Size.Days {
			i.First, i.Last = min(i.First, day), max(i.Last, day)
		}
	}
	return i, i.Last >= i.First
}

// victim finds somebody who has been there for a while.
func (o *Organisation) victim(first, kind int) *person {
	for range 1000 {
		p := pick(o.r, o.people)
		if p.taken || p.robot != (kind == 6) || p.joined > max(0, first-10) || p.left < o.Size.Days || p.away[1] > 0 && kind != 8 || p.admin {
			continue
		}
		if kind == 8 {
			p.away = [2]int{max(1, first-12), o.Size.Days}
		}
		p.taken = true
		return p
	}
	return nil
}

// abroad is an address that an attacker uses; sometimes it is in the victim's own country.
func (o *Organisation) abroad(p *person) string {
	r := o.r
	switch i := r.IntN(30); {
	case chance(r, 0.15):
		return fmt.Sprintf("185.220.10%d.%d", 1+r.IntN(2), 1+r.IntN(250))
	case chance(r, 0.25):
		return fmt.Sprintf("%d.200.%d.%d", 60+o.offices[p.office].index, r.IntN(250), 1+r.IntN(250))
	case chance(r, 0.5):
		return fmt.Sprintf("%d.200.%d.%d", 60+i, r.IntN(250), 1+r.IntN(250))
	default:
		return fmt.Sprintf("%d.%d.%d.%d", 60+i, r.IntN(190), r.IntN(250), 1+r.IntN(250))
	}
}

func (o *Organisation) disguise(p *person) string {
	if chance(o.r, 0.25) {
		return p.agents[0]
	}
	return pick(o.r, tools())
}

func class(name string) deed {
	for _, d := range append(deeds(), adminDeeds()...) {
		if d.class == "EVENT_CATEGORY_"+name {
			return d
		}
	}
	return deed{class: "EVENT_CATEGORY_" + name, name: name}
}

// takeover: somebody else signs in, reads, sets a rule in the mailbox and takes files along.
func (o *Organisation) takeover(p *person, first int) plan {
	from, with := o.abroad(p), o.disguise(p)
	hours := 24 * o.r.Float64()
	return plan{Incident: Incident{Kind: "takeover", Last: first + o.r.IntN(4)}, act: func(day int) {
		at := o.at(day, hours)
		step := func() time.Time {
			at = at.Add(time.Duration(20+o.r.IntN(400)) * time.Second)
			return at
		}
		o.do(p, step(), from, with, class("LOGIN"), "Microsoft Exchange Online")
		if day == first && chance(o.r, 0.35) {
			o.policy(p, at, "ALERT_ANUBIS_DETECTION_VELOCITY", "Impossible travel activity")
		}
		if chance(o.r, 0.6) {
			o.do(p, step(), from, with, deed{class: "EVENT_CATEGORY_CREATE_INBOX_RULE", name: "Create inbox rule"}, "Microsoft Exchange Online")
		}
		for range 5 + o.r.IntN(40) {
			o.do(p, step(), from, with, pick(o.r, []deed{class("VIEW_FILE"), class("DOWNLOAD_FILE"), class("SEND_MESSAGE")}),
				pick(o.r, []string{"Microsoft Exchange Online", "Microsoft SharePoint Online", "Microsoft OneDrive for Business"}))
		}
	}}
}

// spray: one password is tried with many accounts, and fits one.
func (o *Organisation) spray(p *person, first int) plan {
	from, with := o.abroad(p), pick(o.r, tools())
	later := from
	if chance(o.r, 0.4) {
		later = o.abroad(p)
	}
	return plan{Incident: Incident{Kind: "spray", Last: first + 1 + o.r.IntN(2)}, act: func(day int) {
		at := o.at(day, 2+8*o.r.Float64())
		if day == first {
			for _, other := range o.people {
				if chance(o.r, 0.3) && other != p {
					o.fail(other, at.Add(time.Duration(o.r.IntN(5400))*time.Second), from, with)
				}
			}
			at = at.Add(time.Hour)
			o.do(p, at, from, with, class("LOGIN"), "Microsoft Exchange Online")
			return
		}
		for i := range 3 + o.r.IntN(12) {
			o.do(p, at.Add(time.Duration(i*90)*time.Second), later, with, pick(o.r, []deed{class("LOGIN"), class("VIEW_FILE"), class("DOWNLOAD_FILE")}), pick(o.r, p.apps))
		}
	}}
}

// massDownload: somebody takes everything along before leaving, at the own desk.
func (o *Organisation) massDownload(p *person, first int) plan {
	return plan{Incident: Incident{Kind: "mass download", Last: first}, act: func(day int) {
		hours := p.begin + 8*o.r.Float64()
		for range 150 + o.r.IntN(450) {
			o.do(p, o.at(day, hours+2*o.r.Float64()), p.workplace(o, false), p.agents[0], class("DOWNLOAD_FILE"), pick(o.r, p.apps[:2]))
		}
		if chance(o.r, 0.3) {
			o.policy(p, o.at(day, hours+1), "ALERT_CABINET_EVENT_MATCH_AUDIT", "Mass download by a single user")
		}
	}}
}

// exfiltration: files go to a private place, some every day, mostly in the evening.
func (o *Organisation) exfiltration(p *person, first int) plan {
	private := pick(o.r, []string{"Dropbox", "MEGA", "Google Drive", "WeTransfer"})
	rate := 12 + o.r.IntN(30)
	return plan{Incident: Incident{Kind: "slow exfiltration", Last: first + 4 + o.r.IntN(5)}, act: func(day int) {
		for range rate/2 + o.r.IntN(rate) {
			at := o.at(day, p.end-1+3*o.r.Float64())
			o.do(p, at, p.address, p.agents[0], class("DOWNLOAD_FILE"), p.apps[1])
			if chance(o.r, 0.5) {
				o.do(p, at.Add(time.Minute), p.address, p.agents[0], class("UPLOAD_FILE"), private)
			}
		}
	}}
}

// lateral: from one machine to the next, seen by both services.
func (o *Organisation) lateral(p *person, first int) plan {
	return plan{Incident: Incident{Kind: "lateral movement", Last: first + 1 + o.r.IntN(2)}, act: func(day int) {
		hours := 24 * o.r.Float64()
		for i := range 3 + o.r.IntN(9) {
			at := o.at(day, hours+float64(i)/6)
			machine := fmt.Sprintf("srv%02d.corp.%s", o.r.IntN(60), Domain)
			o.write(p, at, p.workplace(o, false), p.agents[0], "EVENT_CATEGORY_RUN_COMMAND", "Run command", "Run command"+o.command(p, machine), "Active Directory")
		}
		for range 1 + o.r.IntN(2) {
			o.detect(p, o.at(day, hours+o.r.Float64()), pick(o.r, suspicions()))
		}
	}}
}

// privileges: somebody who is no administrator does what administrators do.
func (o *Organisation) privileges(p *person, first int) plan {
	from := p.workplace(o, true)
	if chance(o.r, 0.4) {
		from = o.abroad(p)
	}
	return plan{Incident: Incident{Kind: "privileges", Last: first + o.r.IntN(2)}, act: func(day int) {
		for _, d := range adminDeeds() {
			if chance(o.r, 0.7) {
				o.do(p, o.at(day, p.begin+10*o.r.Float64()), from, p.agents[0], d, "Microsoft Azure")
			}
		}
	}}
}

// service: somebody signs in with a service account, from a machine with a browser.
func (o *Organisation) service(p *person, first int) plan {
	from := fmt.Sprintf("10.%d.%d.%d", 20+p.office, o.r.IntN(10), 1+o.r.IntN(200))
	if chance(o.r, 0.5) {
		from = o.abroad(p)
	}
	with := pick(o.r, agents())
	return plan{Incident: Incident{Kind: "service account", Last: first + o.r.IntN(3)}, act: func(day int) {
		for range 4 + o.r.IntN(15) {
			o.do(p, o.at(day, 8+6*o.r.Float64()), from, with, pick(o.r, []deed{class("LOGIN"), class("VIEW_FILE"), class("DOWNLOAD_FILE")}),
				pick(o.r, []string{"Microsoft Exchange Online", "Microsoft SharePoint Online"}))
		}
	}}
}

// deletion: somebody destroys what others need.
func (o *Organisation) deletion(p *person, first int) plan {
	return plan{Incident: Incident{Kind: "deletion", Last: first}, act: func(day int) {
		hours := p.begin + 10*o.r.Float64()
		for range 60 + o.r.IntN(300) {
			o.do(p, o.at(day, hours+o.r.Float64()), p.workplace(o, true), p.agents[0], class("DELETE_FILE"), p.apps[1])
		}
	}}
}

// dormant: an account that nobody used for a while is used by somebody.
func (o *Organisation) dormant(p *person, first int) plan {
	from, with := o.abroad(p), o.disguise(p)
	return plan{Incident: Incident{Kind: "dormant account", Last: first + o.r.IntN(3)}, act: func(day int) {
		hours := 24 * o.r.Float64()
		for i := range 4 + o.r.IntN(20) {
			o.do(p, o.at(day, hours+float64(i)/20), from, with, pick(o.r, []deed{class("LOGIN"), class("VIEW_FILE"), class("DOWNLOAD_FILE")}), pick(o.r, p.apps))
		}
	}}
}
