package model

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// story is what happened to a crowd: entries, acts among them, and changes of the configuration, which the stream
// doesn't have.
type story struct {
	*rand.Rand
	steps []func(*crowd) // what the stream has
	twins []*stream.Entry
	names []string
}

// spelling is one of few people, so that they meet often: in all forms, with roles and numbers, some of one name.
func (h *story) spelling() string {
	first, last, domain := h.person()
	if h.IntN(15) == 0 {
		domain = "lake.example" // somebody else of that name
	}
	netbios := strings.ToUpper(strings.TrimSuffix(domain, ".example"))
	number := ""
	if h.IntN(15) == 0 {
		number = "2"
	}
	switch h.IntN(8) {
	case 0:
		return first + " " + last
	case 1:
		return last + ", " + first
	case 2:
		return first + "." + last + number + "@" + domain
	case 3:
		return netbios + `\` + first + "." + last + number
	case 4:
		return first[:1] + last + number
	case 5:
		return netbios + `\` + first[:1] + last
	case 6:
		return first + "." + last
	}
	return "adm-" + first[:1] + last
}

// person is somebody with the usual domain.
func (h *story) person() (first, last, domain string) {
	i := h.IntN(5)
	return []string{"ida", "isa", "zoë"}[h.IntN(3)], []string{"brook", "reed", "vale", "moor", "holt"}[i],
		[]string{"hill.example", "lake.example", "sea.example", "hill.example", "hill.example"}[i]
}

func (h *story) user() string {
	if len(h.names) == 0 || h.IntN(10) == 0 {
		return "nobody"
	}
	return idOf(strings.ToLower(cleanName(h.names[h.IntN(len(h.names))])))
}

func (h *story) add(step func(*crowd)) { h.steps = append(h.steps, step) }

func (h *story) seen() {
	s, service := h.spelling(), []formats.Service{formats.CloudAppSecurity, formats.DefenderForIdentity}[h.IntN(2)]
	h.names = append(h.names, s)
	h.add(func(c *crowd) { c.fold(c.entry(service, s)) })
}

func (h *story) paired() {
	a, b := h.spelling(), h.spelling()
	if h.IntN(4) > 0 { // of one person
		first, last, domain := h.person()
		a = []string{first + " " + last, first + "." + last, strings.ToUpper(last) + ", " + first, first[:1] + last, `HILL\` + first[:1] + last}[h.IntN(5)]
		b = first + "." + last + "@" + domain
	}
	h.names = append(h.names, a, b)
	points := 60 + 80*h.IntN(2) // sure or not
	h.add(func(c *crowd) { h.twins = append(h.twins, c.pairBy(a, b, points)) })
}

func (h *story) parted() {
	i := h.Uint32()
	h.add(func(c *crowd) {
		if len(h.twins) == 0 {
			return
		}
		twin := h.twins[int(i)%len(h.twins)]
		undo := c.entry(formats.CloudAppSecurity)
		undo.Kind, undo.Key, undo.Match.Alert, undo.Match.RunnerUp = stream.Undo, twin.Key, "another", &dedup.Candidate{Alert: twin.Match.Alert}
		c.fold(undo)
	})
}

func (h *story) acted() {
	var a Act
	switch h.IntN(4) {
	case 0:
		a = Tag{User: h.user(), Tags: tagNames()[h.IntN(3):]}
	case 1:
		a = Join{User: h.user(), With: h.user()}
	default:
		s := Split{User: h.user()}
		for range 1 + h.IntN(3) {
			if len(h.names) > 0 {
				s.Spellings = append(s.Spellings, h.names[h.IntN(len(h.names))])
			}
		}
		a = s
	}
	h.add(func(c *crowd) { c.act(a) })
}

// configurations are what may be in force at any time.
func configurations() []func(*crowd) {
	files := []string{
		"upn\n",
		"upn,sam,display_name,department\nida.brook@hill.example,ibrook,Ida Brook,Sales\nzoe.reed@lake.example,LAKE\\zreed,Zoë Reed,IT\n",
		"upn,sam,display_name,sensitive\nida.brook@hill.example,HILL\\ireed,Ida Brook,yes\nida.brook@lake.example,ibrook,Ida Brook,\nisa.reed@sea.example,adm-ireed,Reed Isa,\n",
	}
	orgs := []config.Organisation{{}, hill(), hillAndLake()}
	var out []func(*crowd)
	for _, file := range files {
		out = append(out, func(c *crowd) { c.directory(file) })
	}
	for _, org := range orgs {
		out = append(out, func(c *crowd) {
			file := c.m.options.Config.Organisation.DirectoryFile
			c.m.options.Config.Organisation = org
			c.m.options.Config.Organisation.DirectoryFile = file
			c.open()
		})
	}
	return out
}

// dump is all that the tables say, but for the numbers of users, which nobody sees.
func (c *crowd) dump() string {
	c.Helper()
	var b strings.Builder
	for _, query := range []string{
		"SELECT x.n || ' ' || x.spelling || ' ' || coalesce(x.domain, '-') || ' ' || x.key || ' ' || x.certain || ' ' || x.identity || ' of ' || p.id || ' ' || x.by_hand || ' ' || x.why FROM names x JOIN persons p ON p.n = x.person ORDER BY x.n",
		"SELECT json_array(id, display, folded, upn, department, peers, title, tags, sensitive, first, last) FROM persons WHERE into_n IS NULL ORDER BY id",
		"SELECT json_array(name, service, first, last) FROM name_seen ORDER BY name, service",
		"SELECT json_array(name, account, key) FROM name_claims ORDER BY name, account, key",
		"SELECT json_array(after, key, alert, what, data) FROM people_log ORDER BY n",
		"SELECT 'nobody has ' || count(*) FROM names WHERE person NOT IN (SELECT n FROM persons WHERE into_n IS NULL)",
		"SELECT 'without names ' || count(*) FROM persons WHERE into_n IS NULL AND n NOT IN (SELECT person FROM names)",
	} {
		rows, err := c.m.reader.QueryContext(context.Background(), query)
		c.must(err)
		for rows.Next() {
			var line string
			c.must(rows.Scan(&line))
			b.WriteString(line + "\n")
		}
		c.must(rows.Err())
	}
	rows, err := c.m.reader.QueryContext(context.Background(), "SELECT id FROM names ORDER BY n")
	c.must(err)
	defer rows.Close()
	for rows.Next() {
		var id string
		c.must(rows.Scan(&id))
		fmt.Fprintf(&b, "%s is %s\n", id, c.user(id).ID)
	}
	return b.String()
}

// TestTheLiveModelIsTheRebuiltOne: a model that was kept through changes of domains and directory, with joins and
// splits between, and was opened again, says what one says that folds the same stream under the last configuration.
func TestTheLiveModelIsTheRebuiltOne(t *testing.T) {
	runs := 20
	if testing.Short() {
		runs = 2
	}
	for seed := range runs {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			h := &story{Rand: rand.New(rand.NewPCG(uint64(seed), 5))}
			for range 120 {
				switch h.IntN(10) {
				case 0, 1, 2, 3, 4:
					h.seen()
				case 5, 6:
					h.paired()
				case 7:
					h.parted()
				default:
					h.acted()
				}
			}
			live, rebuilt := newCrowd(t, config.Organisation{}), newCrowd(t, config.Organisation{})
			var last [2]func(*crowd)
			changes := configurations()
			for _, step := range h.steps {
				if h.IntN(12) == 0 {
					live.commit()
					i := h.IntN(len(changes))
					changes[i](live)
					last[i/3] = changes[i]
				}
				step(live)
				if h.IntN(5) == 0 {
					live.commit()
				}
			}
			live.commit()
			h.twins = nil
			for _, change := range last {
				if change != nil {
					change(rebuilt)
				}
			}
			for _, step := range h.steps {
				step(rebuilt)
			}
			rebuilt.commit()
			got, want := live.dump(), rebuilt.dump()
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("-rebuilt +live:\n%s", diff)
			}
			if !strings.Contains(got, "nobody has 0\n") || !strings.Contains(got, "without names 0\n") {
				t.Errorf("the tables contradict each other:\n%s", got)
			}
		})
	}
}
