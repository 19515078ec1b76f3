package model

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/config/networks"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/risk"
)

// Investigation priority is judged by package risk, as things are folded, and by the users as they are then. Its
// profiles are in memory. In the tables is what it was told since the profiles were written there, in the transaction
// of what told it: a model that is opened again tells it once more, and comes to the same scores. What the files of
// networks and the directory say counts from when they say it; a model that is made anew has judged all by what they
// say today.
//
// Who becomes one user with somebody else takes over the habits and all that counts. A name that is split off begins
// without habits; alerts that name it go with it, activities stay with whom they were judged for.

// priority is what the folder knows of it.
type priority struct {
	f       *folder
	told    []risk.Event           // not handed over yet, see tell
	telling []*telling             // in the transaction
	persons map[string]risk.Person // as the scorer was told of them last, since the start: it need not be asked and waited for
	acted   map[string]bool        // users who did something, or are somebody else now, of which the scorer may not have been told yet
	size    int64                  // bytes of risk_told
	unkept  map[string]bool        // users whose profiles have changed since they were written
	day     int64                  // of the fold's time, since 1970; 0 before the first entry
	moved   []move                 // names, since follow
	anewAll bool                   // who is who was decided anew
	watched map[string]bool        // keys and identities of names; nil until they are looked up
	places  [2]watched
	again   map[string]bool // users whose names changed
	today   int64           // for which the scores are, since 1970; 0 where they have to be made
	next    []standing      // to be shown when the transaction is through
}

// move is that names of one user (persons.n) became another one's.
type move struct{ from, to int64 }

// RiskOptions are the scorer's, by the configuration.
func RiskOptions(c config.Risk) risk.Options {
	return risk.Options{
		Learning: int(c.Learning / (24 * time.Hour)), Sensitive: c.Impact.Sensitive, Admin: c.Impact.Admin, Watched: c.Impact.Watched,
	}
}

// Administers tells the titles and groups of those who may do more than others, such as "Domain Admins".
func Administers(words string) bool {
	words = strings.ReplaceAll(strings.ToLower(words), "administrative", "") // assistants
	return strings.Contains(words, "admin")
}

// activity has an activity judged.
func (p *priority) activity(ctx context.Context, l *line) error {
	if l.deed == nil || l.name == 0 {
		return nil
	}
	by, err := p.f.people.owner(ctx, l.name)
	if err != nil || by.id == "" {
		return err
	}
	l.deed.User = by.id
	p.tell(risk.Event{Activity: l.deed})
	if !l.deed.Failed {
		p.acted[by.id] = true
	}
	return nil
}

// alert has an alert judged, by all that is said of it.
func (p *priority) alert(ctx context.Context, a *row) error {
	v := risk.Alert{ID: a.ID, At: a.Last, News: a.Last, Type: riskType(&a.alertRecord), Severity: a.severity()}
	if first := a.first(); a.Last.Sub(first) < risk.Window {
		v.At = first
	}
	devices := map[string]bool{}
	for _, s := range a.ordered() {
		v.Title = cmp.Or(v.Title, s.Title)
		for _, d := range s.Devices {
			devices[d] = true
		}
	}
	all, err := p.alertUsers(ctx, a, &v)
	if err != nil {
		return err
	}
	v.Entities = all + len(devices)
	p.tell(risk.Event{Alert: &v})
	closed := a.closure()
	p.tell(risk.Event{Closed: &risk.Closed{Alert: a.ID, Closed: closed != nil && closed.Why != "true_positive"}})
	return nil
}

// alertUsers fills in whose alert it is, and says how many it names. Who is only a name in it doesn't count beside
// those who do something, or are in the directory.
func (p *priority) alertUsers(ctx context.Context, a *row, v *risk.Alert) (all int, err error) {
	var known, others []string
	for _, u := range a.users() {
		by, err := p.f.people.owner(ctx, u.Name)
		if err != nil {
			return 0, err
		}
		id := by.id
		if id == "" || slices.Contains(known, id) || slices.Contains(others, id) {
			continue
		}
		listed := p.acts(id)
		if !listed {
			if listed, err = p.f.row(ctx, "SELECT 1 FROM names x JOIN names o ON o.person = x.person JOIN directory d ON d.identity = o.identity "+
				"WHERE x.n = ? LIMIT 1", []any{u.Name}, new(int)); err != nil {
				return 0, err
			}
		}
		if listed {
			known = append(known, id)
		} else {
			others = append(others, id)
		}
	}
	if v.Users = known; len(known) == 0 {
		v.Users = others
	}
	slices.Sort(v.Users)
	return len(known) + len(others), nil
}

// riskType is the type of an alert. Policies share theirs, and differ by the names that somebody gave them.
func riskType(r *alertRecord) string {
	lead := r.managing()
	if r.Type == "" || lead.Service == formats.Sluice {
		return r.typ() + " " + lead.Title
	}
	return r.Type
}

// know tells what is said of a user that weighs.
func (p *priority) know(ctx context.Context, person int64) error {
	var said risk.Person
	var title, tags string
	ok, err := p.f.row(ctx, "SELECT id, coalesce(peers, ''), coalesce(title, ''), tags, sensitive FROM persons WHERE n = ? AND into_n IS NULL", []any{person},
		&said.User, &said.Department, &title, &tags, &said.Sensitive)
	if err != nil || !ok {
		return err
	}
	by := splitTags(tags)
	said.Sensitive = said.Sensitive || slices.Contains(by, "sensitive")
	said.Admin = Administers(title) || slices.Contains(by, "admin")
	said.Watched = slices.Contains(by, "watched")
	if !said.Admin {
		groups, err := p.f.column(ctx, "SELECT DISTINCT g.folded FROM names x JOIN directory_groups g ON g.identity = x.identity "+
			"WHERE x.person = ? AND instr(g.folded, 'admin') > 0", person)
		if err != nil {
			return err
		}
		said.Admin = slices.ContainsFunc(groups, Administers)
	}
	if err := p.watches(ctx); err != nil {
		return err
	}
	if !said.Watched && len(p.watched) > 0 {
		keys, err := p.f.column(ctx, "SELECT key FROM names WHERE person = ?1 UNION SELECT identity FROM names WHERE person = ?1", person)
		if err != nil {
			return err
		}
		said.Watched = slices.ContainsFunc(keys, func(key string) bool { return p.watched[key] })
	}
	if was, told := p.persons[said.User]; !told || was != said {
		p.persons[said.User] = said
		p.tell(risk.Event{Person: &said})
	}
	return nil
}

// watches looks up whom risk.watched names, by the directory too.
func (p *priority) watches(ctx context.Context) error {
	if p.watched != nil {
		return nil
	}
	p.watched = map[string]bool{}
	for _, w := range p.f.m.options.Config.Risk.Watched {
		r := p.f.people.read.Read(w)
		identity, _, err := p.f.people.listed(ctx, r)
		if err != nil {
			return err
		}
		for _, key := range []string{r.Key, identity} {
			if key != "" {
				p.watched[key] = true
			}
		}
	}
	return nil
}

// anew is called when who is who was decided anew.
func (p *priority) anew() { p.moved, p.anewAll = nil, true }

// follow takes over what changed of who is who: whoever has no names any more is joined with whom they went to, and
// alerts count for whom they name now. It is called behind every entry, so that it doesn't matter where a transaction
// ends.
func (p *priority) follow(ctx context.Context) error {
	if p.anewAll {
		p.anewAll, p.moved = false, nil
		return p.followAll(ctx)
	}
	if len(p.moved) == 0 {
		return nil
	}
	moved := p.moved
	p.moved = nil
	persons := map[int64]bool{}
	for _, m := range moved {
		persons[m.from], persons[m.to] = true, true
		var from, to string
		var joined bool
		ok, err := p.f.row(ctx, "SELECT a.id, b.id, coalesce(a.into_n = b.n, 0) FROM persons a JOIN persons b ON b.n = ? WHERE a.n = ?", []any{m.to, m.from}, &from, &to, &joined)
		if ok {
			p.again[from], p.again[to] = true, true
		}
		if err == nil && joined {
			err = p.join(ctx, to, from)
		}
		if err != nil {
			return err
		}
	}
	var b strings.Builder
	for n := range persons {
		fmt.Fprintf(&b, ",%d", n)
	}
	return p.alertsAgain(ctx, "a.n IN (SELECT y.alert FROM names x JOIN alert_names y ON y.name = x.n WHERE x.person IN (SELECT value FROM json_each(?)))",
		"["+b.String()[1:]+"]")
}

func (p *priority) followAll(ctx context.Context) error {
	for _, id := range p.scorer().Users() {
		var now string
		ok, err := p.f.row(ctx, "SELECT id FROM persons WHERE n = ("+userQuery()+")", []any{id, id}, &now)
		if err == nil && ok && now != id {
			err = p.join(ctx, now, id)
		}
		if err != nil {
			return err
		}
	}
	p.today = 0
	return p.alertsAgain(ctx, "? <> ''", "all")
}

func (p *priority) join(ctx context.Context, user, with string) error {
	p.tell(risk.Event{Joined: &risk.Joined{User: user, With: with}})
	delete(p.persons, with)
	if p.acts(with) { // which must not depend on how far the scorer is
		p.acted[user] = true
	}
	p.acted[with] = false
	err := p.f.exec(ctx, "INSERT INTO score_days (user, day, points, bounded, percentile) SELECT ?, day, points, bounded, percentile FROM score_days WHERE user = ? "+
		"ON CONFLICT (user, day) DO UPDATE SET points = excluded.points, bounded = excluded.bounded, percentile = excluded.percentile WHERE excluded.points > points", user, with)
	if err != nil {
		return err
	}
	if err := p.f.exec(ctx, "UPDATE score_resets SET user = ? WHERE user = ?", user, with); err != nil {
		return err
	}
	return p.f.exec(ctx, "DELETE FROM score_days WHERE user = ?", with)
}

// alertsAgain has alerts that count judged again, in the order in which they came.
func (p *priority) alertsAgain(ctx context.Context, which string, arg any) error {
	s, err := p.f.stmt(ctx, "SELECT a.n FROM alerts a WHERE a.last > ? AND "+which+" ORDER BY a.n")
	if err != nil {
		return err
	}
	numbers, err := readNumbers(s.QueryContext(ctx, millis(p.f.place.time.Add(-risk.Window)), arg))
	if err != nil {
		return err
	}
	for _, n := range numbers {
		a, err := p.f.alertAt(ctx, n)
		if err == nil && a != nil {
			err = p.alert(ctx, a)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// locate reads the files of networks where they have changed. What can't be read is told, and what was read before
// stays.
func (f *folder) locate(now time.Time) {
	o := f.m.options.Config.Organisation
	table, countries := f.priority.places[0].changed(o.NetworksFile, now), f.priority.places[1].changed(o.GeoIPFile, now)
	if !table && !countries {
		return
	}
	places, err := networks.LoadPlaces(o.NetworksFile, o.GeoIPFile)
	if err != nil {
		f.m.log.Error("a file of networks can't be used, what they said before stays", "err", err)
		return
	}
	f.scribe.places = places
}
