package model

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// crowd is the tables of users alone, with their fold.
type crowd struct {
	testing.TB
	m     *Model
	f     *folder
	log   bytes.Buffer
	time  time.Time
	count int
}

func newCrowd(t testing.TB, org config.Organisation) *crowd {
	t.Helper()
	c := &crowd{TB: t, time: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)}
	cfg := config.Default()
	cfg.Organisation = org
	log := slog.New(slog.NewTextHandler(&c.log, nil))
	var err error
	if c.m, err = Open(t.Context(), Options{Dir: t.TempDir(), Config: cfg, Log: log}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.f.close()
		if err := c.m.Close(); err != nil {
			t.Error(err)
		}
	})
	c.open()
	return c
}

// open begins with a new folder, as the model does when it is opened or after an error.
func (c *crowd) open() {
	c.Helper()
	if c.f != nil {
		c.f.close()
	}
	var err error
	if c.f, err = c.m.newFolder(context.Background()); err != nil {
		c.Fatal(err)
	}
	c.heed()
}

func (c *crowd) heed() {
	c.Helper()
	c.f.people.file.looked = c.f.people.file.looked.Add(-time.Hour) // it was long ago
	if err := c.f.heed(context.Background()); err != nil {
		c.Fatal(err)
	}
}

func (c *crowd) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

func (c *crowd) begin() { c.Helper(); c.must(c.f.begin(context.Background())) }

func (c *crowd) commit() {
	c.Helper()
	c.begin()
	c.must(c.f.insertRows(context.Background()))
	c.must(c.f.people.flush(context.Background()))
	changes, err := c.f.changes(context.Background())
	c.must(err)
	_, err = c.f.conn.ExecContext(context.Background(), "COMMIT")
	c.must(err)
	c.f.open = false
	c.f.hand(changes)
	c.must(c.f.followed())
}

// entry is one that comes a minute after the one before.
func (c *crowd) entry(s formats.Service, accounts ...string) *stream.Entry {
	c.count++
	c.time = c.time.Add(time.Minute)
	e := &stream.Entry{Kind: stream.Notification, Time: c.time, Key: dedup.EventKey(fmt.Sprintf("k%d", c.count)), Notification: formats.Notification{Service: s}}
	for _, a := range accounts {
		e.Notification.Accounts = append(e.Notification.Accounts, formats.Entity{Name: a})
	}
	return e
}

// fold names everybody whom the entry names, and has it witness.
func (c *crowd) fold(e *stream.Entry) {
	c.Helper()
	c.begin()
	for _, a := range e.Notification.Accounts {
		_, err := c.f.name(context.Background(), e, a.Name)
		c.must(err)
	}
	if e.Match.Alert != "" {
		c.must(c.f.witness(context.Background(), e))
	}
}

func (c *crowd) see(spellings ...string) {
	c.Helper()
	for _, s := range spellings {
		c.fold(c.entry(formats.CloudAppSecurity, s))
	}
	c.commit()
}

// pair folds an alert of Defender for Identity, and its twin. It gives the twin.
func (c *crowd) pair(one, other string) *stream.Entry {
	c.Helper()
	return c.pairBy(one, other, 60)
}

// sure folds an alert and a twin that are one for sure.
func (c *crowd) sure(one, other string) *stream.Entry {
	c.Helper()
	return c.pairBy(one, other, 140)
}

func (c *crowd) pairBy(one, other string, points int, evidence ...dedup.Evidence) *stream.Entry {
	c.Helper()
	first := c.entry(formats.DefenderForIdentity, one)
	first.Match.Alert, first.Match.Relation = dedup.AlertID("alert of "+string(first.Key)), dedup.First
	c.fold(first)
	twin := c.entry(formats.CloudAppSecurity, other)
	twin.Match.Alert, twin.Match.Relation, twin.Said = first.Match.Alert, dedup.Twin, []formats.Notification{first.Notification}
	twin.Match.Points, twin.Match.Evidence = points, evidence
	c.fold(twin)
	c.commit()
	return twin
}

func (c *crowd) act(a Act) {
	c.Helper()
	c.begin()
	c.must(c.f.actOnPeople(context.Background(), c.entry(formats.Sluice), a))
	c.commit()
}

// users lists the users with their names, "a | b".
func (c *crowd) users() []string {
	c.Helper()
	var out []string
	page, err := c.m.Users(context.Background(), Query{Sort: "time", Limit: 500})
	c.must(err)
	for _, u := range page.Items {
		var names []string
		for _, n := range u.Names {
			names = append(names, n.Spelling)
		}
		out = append(out, strings.Join(names, " | "))
	}
	slices.Sort(out)
	return out
}

func (c *crowd) want(want ...string) {
	c.Helper()
	slices.Sort(want)
	if diff := cmp.Diff(want, c.users()); diff != "" {
		c.Errorf("users, -want +got:\n%s", diff)
	}
}

// id is that of the user who has the name.
func (c *crowd) id(name string) string {
	c.Helper()
	page, err := c.m.Users(context.Background(), Query{Filter: filter.Filter{{Field: "user", Op: filter.Equals, Values: []string{name}}}})
	c.must(err)
	if len(page.Items) != 1 {
		c.Fatalf("%d users have the name %s", len(page.Items), name)
	}
	return page.Items[0].ID
}

func (c *crowd) user(id string) User {
	c.Helper()
	u, err := c.m.User(context.Background(), id)
	c.must(err)
	return u
}

// configure writes the directory file and takes it into use.
func (c *crowd) directory(text string) {
	c.Helper()
	file := c.m.options.Config.Organisation.DirectoryFile
	if file == "" {
		file = filepath.Join(c.TempDir(), "people.csv")
		c.m.options.Config.Organisation.DirectoryFile = file
	}
	c.must(os.WriteFile(file, []byte(text), 0o600))
	c.f.people.file = watched{}
	c.heed()
}

func hill() config.Organisation {
	return config.Organisation{Domains: []config.Domain{{NetBIOS: "HILL", DNS: "ad.hill.example", UPNSuffixes: []string{"hill.example"}}}}
}

func hillAndLake() config.Organisation {
	o := hill()
	o.Domains = append(o.Domains, config.Domain{NetBIOS: "LAKE", DNS: "lake.local", UPNSuffixes: []string{"lake.example"}})
	return o
}

func TestUsersBySpelling(t *testing.T) {
	tests := []struct {
		name string
		org  config.Organisation
		see  []string
		want []string
	}{
		{
			"nothing is configured",
			config.Organisation{},
			[]string{"ibrook", "IBROOK", `HILL\ibrook`, "ibrook@hill.example", "Ida Brook", "Ida Brook (ibrook@hill.example)", "Ída Brook"},
			[]string{"ibrook", `HILL\ibrook`, "ibrook@hill.example | Ida Brook (ibrook@hill.example)", "Ida Brook | Ída Brook"},
		},
		{
			"one domain", hill(),
			[]string{"ibrook", `HILL\ibrook`, "ibrook@hill.example", "ibrook@HILL", "adm-ibrook", "ibrook2", "ibrook@sea.example", "Ida Brook", `WS-1\ibrook`},
			[]string{`ibrook | HILL\ibrook | ibrook@hill.example | ibrook@HILL`, "adm-ibrook", "ibrook2", "ibrook@sea.example", "Ida Brook", `WS-1\ibrook`},
		},
		{
			"two domains", hillAndLake(),
			[]string{"ibrook", `HILL\ibrook`, "ibrook@hill.example", `LAKE\ibrook`, "ibrook@lake.example"},
			[]string{"ibrook", `HILL\ibrook | ibrook@hill.example`, `LAKE\ibrook | ibrook@lake.example`},
		},
		{
			"nobody", hill(),
			[]string{"", " ", "-", "???", "WS-1$", `HILL\WS-1$`, "ws-1$@hill.example", "\u0301", "\xff\xfe"},
			nil,
		},
		{
			"hostile",
			config.Organisation{},
			[]string{"a\x00b", "a\u202eb", "a\tb", "a \n b", "zo\xeb", strings.Repeat("x", 600), strings.Repeat("x", 601), "\u0301a"},
			[]string{
				"a\ufffdb", "a b", "zo\ufffd", "\u0301a",
				strings.Repeat("x", 472) + "…" + idDigest(strings.Repeat("x", 600)), strings.Repeat("x", 472) + "…" + idDigest(strings.Repeat("x", 601)),
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCrowd(t, tt.org)
			c.see(tt.see...)
			c.want(tt.want...)
		})
	}
}

func idDigest(s string) string {
	_, digest, _ := strings.Cut(cleanName(s), "…")
	return digest
}

func TestUsersByAlerts(t *testing.T) {
	tests := []struct {
		name string
		org  config.Organisation
		do   func(*crowd)
		want []string
	}{
		{"a display name and the account of the twin", config.Organisation{}, func(c *crowd) {
			c.pair("Ida Brook", "ida.brook@hill.example")
		}, []string{"Ida Brook | ida.brook@hill.example"}},
		{"the other way round", config.Organisation{}, func(c *crowd) {
			c.see("ida.brook@hill.example", "Brook, Ida")
			c.pair("ida.brook@hill.example", "Brook, Ida")
		}, []string{"ida.brook@hill.example | Brook, Ida"}},
		{"an account without its domain", hillAndLake(), func(c *crowd) {
			c.pair("ibrook", "ibrook@hill.example")
		}, []string{"ibrook | ibrook@hill.example"}},
		{"an abbreviation is only likely", config.Organisation{}, func(c *crowd) {
			c.pair("ibrook", "ida.brook@hill.example")
		}, []string{"ibrook", "ida.brook@hill.example"}},
		{"an abbreviation, and an alert that is one for sure", config.Organisation{}, func(c *crowd) {
			c.sure("ibrook", "ida.brook@hill.example")
		}, []string{"ibrook | ida.brook@hill.example"}},
		{"an abbreviation in its domain", hill(), func(c *crowd) {
			c.see(`HILL\ibrook`, "ida.brook@hill.example")
			c.sure("ibrook", "ida.brook@hill.example")
		}, []string{`HILL\ibrook | ida.brook@hill.example | ibrook`}},
		{"an abbreviation of two", hill(), func(c *crowd) {
			c.sure("ibrook", "ida.brook@hill.example")
			c.sure("ibrook", "ian.brook@hill.example")
		}, []string{"ibrook", "ida.brook@hill.example", "ian.brook@hill.example"}},
		{"two abbreviations of one", hill(), func(c *crowd) {
			c.sure("ibrook", "ida.brook@hill.example")
			c.sure("idabr", "ida.brook@hill.example")
		}, []string{"ibrook", "idabr", "ida.brook@hill.example"}},
		{"two abbreviations of one, until one turns out to be wrong", hill(), func(c *crowd) {
			c.sure("ibrook", "ida.brook@hill.example")
			twin := c.sure("idabr", "ida.brook@hill.example")
			undo := c.entry(formats.CloudAppSecurity, "ida.brook@hill.example")
			undo.Kind, undo.Key, undo.Match.Alert, undo.Match.RunnerUp = stream.Undo, twin.Key, "another", &dedup.Candidate{Alert: twin.Match.Alert}
			c.fold(undo)
			c.commit()
		}, []string{"ibrook | ida.brook@hill.example", "idabr"}},
		{"an account in two spellings, and its abbreviation", hillAndLake(), func(c *crowd) {
			c.sure("ibrook", "ida.brook@hill.example")
			c.sure(`HILL\ibrook`, "ida.brook@hill.example")
		}, []string{`ibrook | ida.brook@hill.example | HILL\ibrook`}},
		{"two accounts of one domain but for a number", hill(), func(c *crowd) {
			c.sure(`HILL\ibrook`, "ida.brook@hill.example")
			c.sure(`HILL\ibrook2`, "ida.brook@hill.example")
		}, []string{`HILL\ibrook`, `HILL\ibrook2`, "ida.brook@hill.example"}},
		{"an abbreviation beside what is spelt as the principal", hillAndLake(), func(c *crowd) {
			c.pair("ida.brook", "ida.brook@hill.example")
			c.sure(`HILL\ibrook`, "ida.brook@hill.example")
		}, []string{`ida.brook | ida.brook@hill.example | HILL\ibrook`}},
		{"an abbreviation that made the pairing certain", hill(), func(c *crowd) {
			c.pairBy("ibrook", "ida.brook@hill.example", 90, dedup.Evidence{What: "account", Points: 28})
		}, []string{"ibrook", "ida.brook@hill.example"}},
		{"a display name of an account whose principal name comes later", hill(), func(c *crowd) {
			c.pair("Ida Brook", `HILL\ida.brook`)
			c.sure(`HILL\ida.brook`, "ida.marie.brook@hill.example")
		}, []string{`Ida Brook | HILL\ida.brook | ida.marie.brook@hill.example`}},
		{"an abbreviation beside another account", config.Organisation{}, func(c *crowd) {
			first := c.entry(formats.DefenderForIdentity, "ibrook", "max")
			twin := c.entry(formats.CloudAppSecurity, "ida.brook@hill.example")
			twin.Match.Alert, twin.Match.Relation, twin.Said, twin.Match.Points = "x", dedup.Twin, []formats.Notification{first.Notification}, 140
			c.fold(first)
			c.fold(twin)
			c.commit()
		}, []string{"ibrook", "max", "ida.brook@hill.example"}},
		{"an administrator's account by its number", hill(), func(c *crowd) {
			c.sure(`HILL\12345`, "a12345@hill.example")
		}, []string{`HILL\12345`, "a12345@hill.example"}},
		{"an administrator's account, abbreviated", hill(), func(c *crowd) {
			c.sure("a-ibrook", "ida.brook@hill.example")
		}, []string{"a-ibrook", "ida.brook@hill.example"}},
		{"an abbreviation, and the pairing was wrong", hill(), func(c *crowd) {
			twin := c.sure("ibrook", "ida.brook@hill.example")
			undo := c.entry(formats.CloudAppSecurity, "ida.brook@hill.example")
			undo.Kind, undo.Key, undo.Match.Alert, undo.Match.RunnerUp = stream.Undo, twin.Key, "another", &dedup.Candidate{Alert: twin.Match.Alert}
			c.fold(undo)
			c.commit()
		}, []string{"ibrook", "ida.brook@hill.example"}},
		{"an administrator's account", config.Organisation{}, func(c *crowd) {
			c.pair("Ida Brook", "adm-ida.brook@hill.example")
		}, []string{"Ida Brook", "adm-ida.brook@hill.example"}},
		{"the number says that there is another one", config.Organisation{}, func(c *crowd) {
			c.pair("Ida Brook", "ida.brook2@hill.example")
		}, []string{"Ida Brook", "ida.brook2@hill.example"}},
		{"two accounts", config.Organisation{}, func(c *crowd) {
			c.pair(`HILL\ida.brook`, "ida.brook@sea.example")
		}, []string{`HILL\ida.brook`, "ida.brook@sea.example"}},
		{"two people of one name, known before", config.Organisation{}, func(c *crowd) {
			c.see("ida.brook@sea.example")
			c.pair("Ida Brook", "ida.brook@hill.example")
		}, []string{"ida.brook@sea.example", "Ida Brook", "ida.brook@hill.example"}},
		{"two people of one name, known later", config.Organisation{}, func(c *crowd) {
			c.pair("Ida Brook", "ida.brook@hill.example")
			c.see("ida.brook2@hill.example")
		}, []string{"Ida Brook", "ida.brook@hill.example", "ida.brook2@hill.example"}},
		{"an account of both domains", hillAndLake(), func(c *crowd) {
			c.pair("ibrook", "ibrook@hill.example")
			c.pair("ibrook", "ibrook@lake.example")
		}, []string{"ibrook", "ibrook@hill.example", "ibrook@lake.example"}},
		{"the pairing was wrong", config.Organisation{}, func(c *crowd) {
			twin := c.pair("Ida Brook", "ida.brook@hill.example")
			undo := c.entry(formats.CloudAppSecurity, "ida.brook@hill.example")
			undo.Kind, undo.Key, undo.Match.Alert, undo.Match.RunnerUp = stream.Undo, twin.Key, "another", &dedup.Candidate{Alert: twin.Match.Alert}
			c.fold(undo)
			c.commit()
		}, []string{"Ida Brook", "ida.brook@hill.example"}},
		{"the other half of the pairing was taken back", config.Organisation{}, func(c *crowd) {
			twin := c.pair("Ida Brook", "ida.brook@hill.example")
			undo := c.entry(formats.DefenderForIdentity, "Ida Brook")
			undo.Kind, undo.Match.Alert, undo.Match.RunnerUp = stream.Undo, "another", &dedup.Candidate{Alert: twin.Match.Alert}
			c.fold(undo)
			c.commit()
		}, []string{"Ida Brook", "ida.brook@hill.example"}},
		{"a crowd", config.Organisation{}, func(c *crowd) {
			first := c.entry(formats.DefenderForIdentity, "Ida Brook", "a", "b", "c", "d")
			twin := c.entry(formats.CloudAppSecurity, "ida.brook@hill.example")
			twin.Match.Alert, twin.Match.Relation, twin.Said = "x", dedup.Twin, []formats.Notification{first.Notification}
			c.fold(first)
			c.fold(twin)
			c.commit()
		}, []string{"Ida Brook", "a", "b", "c", "d", "ida.brook@hill.example"}},
		{"a service's own word", config.Organisation{}, func(c *crowd) {
			e := c.entry(formats.IdentityProtection, "e104233@hill.example", "Ida Brook")
			e.Notification.Accounts[0].Key, e.Notification.Accounts[1].Key = "userPrincipalName", "userDisplayName"
			e.Match.Alert, e.Match.Relation = "x", dedup.First
			c.fold(e)
			c.commit()
			c.see("IDA BROOK")
		}, []string{"e104233@hill.example | Ida Brook"}},
		{"a service's own word of two", config.Organisation{}, func(c *crowd) {
			for i, upn := range []string{"e104233@hill.example", "e104234@hill.example"} {
				e := c.entry(formats.IdentityProtection, upn, "Ida Brook")
				e.Notification.Accounts[0].Key, e.Notification.Accounts[1].Key = "userPrincipalName", "userDisplayName"
				e.Match.Alert, e.Match.Relation = dedup.AlertID(fmt.Sprint(i)), dedup.First
				c.fold(e)
			}
			c.commit()
		}, []string{"e104233@hill.example", "Ida Brook", "e104234@hill.example"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCrowd(t, tt.org)
			tt.do(c)
			c.want(tt.want...)
		})
	}
}

func TestUsersByDirectory(t *testing.T) {
	const file = `upn,sam,display_name,title,department,manager,sensitive,groups
ida.brook@hill.example,ibrook,Ida Brook,Clerk,Sales,max@hill.example,no,VPN
isa.brook@hill.example,ibrook2,Ida Brook,Head of Sales,Sales,,yes,VPN|Board
max.reed@hill.example,HILL\ida.brook,Max Reed,,IT,,no,
e77@lake.example,LAKE\zed,Zed Lake,,,,no,
`
	tests := []struct {
		name string
		org  config.Organisation
		see  []string
		want []string
	}{
		{
			"an account and the UPN", hill(),
			[]string{"ibrook", "ida.brook@hill.example", `HILL\ibrook2`, "isa.brook@hill.example", "ibrook@hill.example"},
			[]string{"ibrook | ida.brook@hill.example | ibrook@hill.example", `HILL\ibrook2 | isa.brook@hill.example`},
		},
		{
			"an account that is spelt like another one's UPN", hill(),
			[]string{"ida.brook@hill.example", `HILL\ida.brook`, "Max Reed"},
			[]string{"ida.brook@hill.example", `HILL\ida.brook | Max Reed`},
		},
		{
			"a display name of two, with the title of one", hill(),
			[]string{"ibrook", "ibrook2", "Ida Brook", "Ida Brook (Head of Sales)", "Ida Brook (Clerk)"},
			[]string{"ibrook | Ida Brook (Clerk)", "ibrook2 | Ida Brook (Head of Sales)", "Ida Brook"},
		},
		{
			"accounts without a domain", hillAndLake(),
			[]string{"ibrook", "ida.brook@hill.example", "zed", `LAKE\zed`, "e77@lake.example", `HILL\zed`},
			[]string{"ibrook | ida.brook@hill.example", `zed | LAKE\zed | e77@lake.example`, `HILL\zed`},
		},
		{
			"no domain is configured",
			config.Organisation{},
			[]string{"ibrook", "ida.brook@hill.example", `HILL\ibrook`, `HILL\ida.brook`, "max.reed@hill.example", "Zed Lake", "zed"},
			[]string{"ibrook | ida.brook@hill.example", `HILL\ibrook`, `HILL\ida.brook | max.reed@hill.example`, "Zed Lake | zed"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before, after := newCrowd(t, tt.org), newCrowd(t, tt.org)
			before.directory(file)
			before.see(tt.see...)
			before.want(tt.want...)
			after.see(tt.see...)
			without := after.users()
			after.directory(file)
			after.want(tt.want...)
			after.directory("upn\n")
			after.want(without...)
		})
	}
}

// TestTheDirectoryDescribes: what the directory says of people shows, and changes with the file.
func TestTheDirectoryDescribes(t *testing.T) {
	c := newCrowd(t, hill())
	c.directory("upn,sam,display_name,department,title,manager,sensitive,groups\nida.brook@hill.example,ibrook,Ida Brook,Sales,Clerk,max@hill.example,yes,VPN|Board\nmax@hill.example,,Max,SALES,,,no,\n")
	c.see("ibrook", "max", "zoe")
	c.act(Tag{User: c.id("ibrook"), Tags: []string{"watched"}})
	u := c.user(c.id("ida brook"))
	u.Names, u.First, u.Last = nil, time.Time{}, time.Time{}
	want := User{
		ID: idOf("ibrook"), Display: "Ida Brook", UPN: "ida.brook@hill.example", Tags: []string{"sensitive", "watched"}, Department: "Sales", Title: "Clerk",
		Manager: "max@hill.example", Groups: []string{"Board", "VPN"}, Peers: 1,
	}
	if diff := cmp.Diff(want, u); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	c.directory("upn,sam,display_name,department\nida.brook@hill.example,ibrook,Ida Brook-Reed,Board\n")
	u = c.user(c.id("ida brook-reed"))
	if u.Department != "Board" || u.Peers != 0 || !slices.Equal(u.Tags, []string{"watched"}) {
		t.Errorf("user = %+v", u)
	}
	if u := c.user(c.id("max")); u.Department != "" || u.Display != "max" {
		t.Errorf("user = %+v, who isn't in the directory any more", u)
	}
}

// TestABrokenDirectory: what it said before stays, also for a model that is opened again, and the log says why.
func TestABrokenDirectory(t *testing.T) {
	c := newCrowd(t, hill())
	c.directory("upn,sam,display_name\nida.brook@hill.example,ibrook,Ida Brook\n")
	c.see("ibrook", "ida.brook@hill.example")
	const joined = "ibrook | ida.brook@hill.example"
	c.directory("upn,sam,display_name\nida.brook@hill.example,ibrook,Ida Brook\nno upn,x,y\n")
	if !strings.Contains(c.log.String(), "line 3") {
		t.Errorf("the log has no line: %s", c.log.String())
	}
	c.want(joined)
	c.open()
	c.want(joined)
	logged := strings.Count(c.log.String(), "can't be used")
	c.heed()
	c.must(os.Remove(c.m.options.Config.Organisation.DirectoryFile))
	c.heed()
	c.heed()
	c.want(joined)
	if got := strings.Count(c.log.String(), "can't be used"); got != logged+1 {
		t.Errorf("%d times more the log says that the file can't be used, want 1", got-logged)
	}
	c.directory("upn,sam\nida.brook@hill.example,other\n")
	c.want("ibrook", "ida.brook@hill.example")
	c.m.options.Config.Organisation.DirectoryFile = ""
	c.open()
	c.want("ibrook", "ida.brook@hill.example")
}

func TestJoinAndSplit(t *testing.T) {
	c := newCrowd(t, hill())
	c.see("ibrook", "Ida Brook", "ida.brook@hill.example", "zoe")
	account, display, upn := c.id("ibrook"), c.id("Ida Brook"), c.id("ida.brook@hill.example")
	c.act(Tag{User: display, Tags: []string{"watched", "admin"}})
	c.act(Join{User: account, With: display})
	c.act(Join{User: account, With: upn})
	c.want("ibrook | Ida Brook | ida.brook@hill.example", "zoe")
	for _, id := range []string{account, display, upn} {
		if u := c.user(id); u.ID != account || !slices.Equal(u.Tags, []string{"admin", "watched"}) || u.Display != "Ida Brook" {
			t.Errorf("User(%s) = %+v, want %s", id, u, account)
		}
	}
	c.see(`HILL\ida.brook`) // the same account as one that was joined
	c.want(`ibrook | Ida Brook | ida.brook@hill.example | HILL\ida.brook`, "zoe")
	c.pair("Ida Brook", "ida.brook@hill.example") // by which it would be of one user anyway
	c.see("ida.brook2@hill.example")              // and which this would make doubtful
	c.want(`ibrook | Ida Brook | ida.brook@hill.example | HILL\ida.brook`, "ida.brook2@hill.example", "zoe")

	c.act(Split{User: display, Spellings: []string{"IDA BROOK"}})
	c.want(`ibrook | ida.brook@hill.example | HILL\ida.brook`, "Ida Brook", "ida.brook2@hill.example", "zoe")
	if u := c.user(display); u.ID != display || !slices.Equal(u.Tags, []string{"admin", "watched"}) {
		t.Errorf("User(%s) = %+v, want it back", display, u)
	}
	c.act(Split{User: account, Spellings: []string{"ibrook"}}) // whose ID the user has
	c.want("ibrook", `ida.brook@hill.example | HILL\ida.brook`, "Ida Brook", "ida.brook2@hill.example", "zoe")
	if u := c.user(account); u.ID != account || u.Names[0].Spelling != "ida.brook@hill.example" {
		t.Errorf("User(%s) = %+v, want the ID to stay with who kept the other names", account, u)
	}
	c.see(`HILL\ibrook`)
	c.want(`ibrook | HILL\ibrook`, `ida.brook@hill.example | HILL\ida.brook`, "Ida Brook", "ida.brook2@hill.example", "zoe")
	// What doesn't fit changes nothing.
	c.act(Join{User: account, With: account})
	c.act(Join{User: account, With: "nobody"})
	c.act(Split{User: c.id("zoe"), Spellings: []string{"zoe"}})
	c.act(Split{User: c.id("zoe"), Spellings: []string{"ibrook"}})
	c.want(`ibrook | HILL\ibrook`, `ida.brook@hill.example | HILL\ida.brook`, "Ida Brook", "ida.brook2@hill.example", "zoe")
}

// TestSplitStays: what an operator split stays so, whatever the directory says.
func TestSplitStays(t *testing.T) {
	c := newCrowd(t, hill())
	c.see("ibrook", `HILL\ibrook`, "ida.brook@hill.example")
	c.act(Split{User: c.id("ibrook"), Spellings: []string{`HILL\ibrook`}})
	c.directory("upn,sam\nida.brook@hill.example,ibrook\n")
	c.want("ibrook | ida.brook@hill.example", `HILL\ibrook`)
	c.see("ibrook@HILL") // the split was of one spelling
	c.want("ibrook | ida.brook@hill.example | ibrook@HILL", `HILL\ibrook`)
}

func TestCheckPeople(t *testing.T) {
	c := newCrowd(t, hill())
	c.see("ibrook", `HILL\ibrook`, "zoe")
	ida, zoe := c.id("ibrook"), c.id("zoe")
	tests := []struct {
		act  Act
		want error
	}{
		{Tag{User: ida, Tags: []string{"admin", "sensitive"}}, nil},
		{Tag{User: ida}, nil},
		{Tag{User: ida, Tags: []string{"Admin"}}, ErrRefused},
		{Tag{User: ida, Tags: make([]string, 100)}, ErrRefused},
		{Tag{User: "nobody"}, ErrNotFound},
		{Tag{User: ""}, ErrNotFound},
		{Join{User: ida, With: zoe}, nil},
		{Join{User: ida, With: ida}, ErrRefused},
		{Join{User: ida, With: idOf(`hill\ibrook`)}, ErrRefused},
		{Join{User: ida, With: "nobody"}, ErrNotFound},
		{Join{User: "nobody", With: ida}, ErrNotFound},
		{Split{User: ida, Spellings: []string{`hill\IBROOK`}}, nil},
		{Split{User: ida, Spellings: []string{"ibrook", `HILL\ibrook`}}, ErrRefused},
		{Split{User: zoe, Spellings: []string{"zoe"}}, ErrRefused},
		{Split{User: ida, Spellings: []string{"zoe"}}, ErrRefused},
		{Split{User: ida}, ErrRefused},
		{Split{User: ida, Spellings: make([]string, 2000)}, ErrRefused},
		{Split{User: "nobody", Spellings: []string{"x"}}, ErrNotFound},
		{Close{}, ErrRefused},
	}
	for _, tt := range tests {
		if err := c.m.checkPeople(t.Context(), "op", tt.act); !errors.Is(err, tt.want) {
			t.Errorf("checkPeople(%+v) = %v, want %v", tt.act, err, tt.want)
		}
	}
}

func TestSeen(t *testing.T) {
	c := newCrowd(t, hill())
	at := func(minute int) time.Time { return time.Date(2026, 3, 2, 8, minute, 0, 0, time.UTC) }
	c.fold(c.entry(formats.CloudAppSecurity, "ibrook"))
	c.fold(c.entry(formats.DefenderForIdentity, "ibrook"))
	late := c.entry(formats.CloudAppSecurity, "IBROOK") // tells of what was before
	late.Notification.Start = at(0)
	c.fold(late)
	wrong := c.entry(formats.CloudAppSecurity, "ibrook") // a clock that is ahead
	wrong.Notification.Start = at(0).AddDate(10, 0, 0)
	c.fold(wrong)
	c.commit()
	u := c.user(c.id("ibrook"))
	want := []Name{{Spelling: "ibrook", First: at(0), Last: at(4), Why: whyAccount, Seen: []Seen{
		{formats.CloudAppSecurity, at(0), at(4)}, {formats.DefenderForIdentity, at(2), at(2)},
	}}}
	if diff := cmp.Diff(want, u.Names); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !u.First.Equal(at(0)) || !u.Last.Equal(at(4)) {
		t.Errorf("the user was seen from %s to %s", u.First, u.Last)
	}
	// What is remembered is written once it moves again.
	c.see("ibrook")
	if u = c.user(u.ID); !u.Last.Equal(at(5)) {
		t.Errorf("the user was last seen %s, want %s", u.Last, at(5))
	}
}

func TestUsersList(t *testing.T) {
	c := newCrowd(t, hill())
	c.directory("upn,department,groups,sensitive\nida@hill.example,Sales,VPN,yes\nmax@hill.example,IT,VPN,\n")
	c.see("ida", "zoe", "max@hill.example", "ida@sea.example", "Ída Lake")
	c.act(Tag{User: c.id("zoe"), Tags: []string{"admin"}})
	tests := []struct {
		filter string
		c      filter.Condition
		sort   string
		want   []string
	}{
		{"", filter.Condition{}, "", []string{"Ída Lake", "ida@sea.example", "max@hill.example", "zoe", "ida"}},
		{"", filter.Condition{}, "time", []string{"ida", "zoe", "max@hill.example", "ida@sea.example", "Ída Lake"}},
		{"", filter.Condition{}, "display", []string{"ida", "ida@sea.example", "max@hill.example", "zoe", "Ída Lake"}},
		{"user", filter.Condition{Op: filter.StartsWith, Values: []string{"IDA"}}, "time", []string{"ida", "ida@sea.example"}},
		{"user", filter.Condition{Op: filter.NotContains, Values: []string{"a"}}, "", []string{"zoe"}},
		{"user_group", filter.Condition{Op: filter.Equals, Values: []string{"vpn"}}, "time", []string{"ida", "max@hill.example"}},
		{"user_group", filter.Condition{Op: filter.NotSet}, "time", []string{"zoe", "ida@sea.example", "Ída Lake"}},
		{"user_domain", filter.Condition{Op: filter.Equals, Values: []string{"sea.example"}}, "", []string{"ida@sea.example"}},
		{"tag", filter.Condition{Op: filter.Equals, Values: []string{"sensitive", "admin"}}, "time", []string{"ida", "zoe"}},
		{"tag", filter.Condition{Op: filter.NotEquals, Values: []string{"sensitive"}}, "time", []string{"zoe", "max@hill.example", "ida@sea.example", "Ída Lake"}},
		{"tag", filter.Condition{Op: filter.NotSet}, "time", []string{"max@hill.example", "ida@sea.example", "Ída Lake"}},
		{"time", filter.Condition{Op: filter.Above, Values: []string{"2026-03-02T08:04:00Z"}}, "time", []string{"Ída Lake"}},
		{"first_seen", filter.Condition{Op: filter.AtMost, Values: []string{"2026-03-02T08:01:00Z"}}, "time", []string{"ida"}},
	}
	for _, tt := range tests {
		var f filter.Filter
		if tt.filter != "" {
			tt.c.Field = tt.filter
			f = filter.Filter{tt.c}
		}
		var got []string
		for cursor, pages := "", 0; ; pages++ {
			page, err := c.m.Users(t.Context(), Query{Filter: f, Sort: tt.sort, Limit: 2, Cursor: cursor})
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range page.Items {
				got = append(got, u.Display)
			}
			if cursor = page.Next; cursor == "" || pages > 5 {
				break
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%v sorted by %q, -want +got:\n%s", f, tt.sort, diff)
		}
	}
	for _, q := range []Query{
		{Sort: "n"},
		{Cursor: "x"},
		{Cursor: "1.x"},
		{Filter: filter.Filter{{Field: "ip", Op: filter.Set}}},
		{Filter: filter.Filter{{Field: "time", Op: filter.Equals, Values: []string{"x"}}}},
		{Filter: filter.Filter{{Field: "time", Op: filter.Above, Values: []string{"x"}}}},
	} {
		if _, err := c.m.Users(t.Context(), q); !errors.Is(err, ErrRefused) && !errors.Is(err, ErrCursor) && !errors.Is(err, ErrSort) {
			t.Errorf("Users(%+v) = %v, want it refused", q, err)
		}
	}
	if _, err := c.m.User(t.Context(), "nobody"); !errors.Is(err, ErrNotFound) {
		t.Errorf("User(nobody) = %v", err)
	}
}

// TestAUserIsDescribedAtOnce: within a transaction already, policies find what the user is called by now.
func TestAUserIsDescribedAtOnce(t *testing.T) {
	c := newCrowd(t, hill())
	c.directory("upn,sam,display_name,department\nida.brook@hill.example,ibrook,Ida Brook,Sales\n")
	c.fold(c.entry(formats.CloudAppSecurity, "ibrook"))
	c.fold(c.entry(formats.CloudAppSecurity, "max@hill.example"))
	c.fold(c.entry(formats.CloudAppSecurity, "Max Reed"))
	c.must(c.f.actOnPeople(t.Context(), c.entry(formats.Sluice), Join{User: idOf("max@hill.example"), With: idOf("max reed")}))
	rows, err := c.f.conn.QueryContext(t.Context(), "SELECT json_array(display, folded, upn, peers) FROM persons WHERE into_n IS NULL ORDER BY n")
	c.must(err)
	defer rows.Close()
	var got []string
	for rows.Next() {
		var row string
		c.must(rows.Scan(&row))
		got = append(got, row)
	}
	want := []string{`["Ida Brook","ida brook","ida.brook@hill.example","sales"]`, `["Max Reed","max reed","max@hill.example",null]`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestManySpellings: who varies an account's spelling makes no end of names, and no end of users.
func TestManySpellings(t *testing.T) {
	c := newCrowd(t, hill())
	c.begin()
	for i := range 600 {
		_, err := c.f.name(t.Context(), c.entry(formats.CloudAppSecurity), fmt.Sprintf("x%d (ibrook@hill.example)", i))
		c.must(err)
	}
	c.commit()
	var names, persons int
	c.must(c.m.reader.QueryRowContext(t.Context(), "SELECT (SELECT count(*) FROM names), (SELECT count(*) FROM persons)").Scan(&names, &persons))
	if names != mostSpellings || persons != 1 {
		t.Errorf("%d names of %d users, want %d of 1", names, persons, mostSpellings)
	}
}

// TestPlansOfUsers: who is looked up by what they are called is not looked for among all.
func TestPlansOfUsers(t *testing.T) {
	c := newCrowd(t, hill())
	for _, field := range []string{"user", "user_domain", "user_group"} {
		for _, op := range []filter.Op{filter.Equals, filter.StartsWith} {
			query, args, err := nameCondition(filter.Condition{Field: field, Op: op, Values: []string{"x"}})
			c.must(err)
			rows, err := c.m.reader.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
			c.must(err)
			for rows.Next() {
				var id, parent, unused int
				var step string
				c.must(rows.Scan(&id, &parent, &unused, &step))
				if strings.HasPrefix(step, "SCAN names") || strings.HasPrefix(step, "SCAN persons") || strings.HasPrefix(step, "SCAN directory") {
					t.Errorf("%s %s: %s", field, op, step)
				}
			}
			c.must(rows.Err())
		}
	}
}

// FuzzCleanName: a clean name is text of bounded length that is clean, and the ID of whoever has it is the same for
// all that is folded to the same.
func FuzzCleanName(f *testing.F) {
	for _, s := range []string{"ibrook", " Ida\u00a0 Brook ", "a\x00\xff", "\u202ex", strings.Repeat("a\xff", 400), strings.Repeat("é", 600), "\u0301"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		clean := cleanName(s)
		if len(clean) > mostSpelling || !utf8.ValidString(clean) || cleanName(clean) != clean || strings.ContainsFunc(clean, unicode.IsControl) {
			t.Errorf("cleanName(%q) = %q", s, clean)
		}
	})
}

// TestTheFoldForgets: after a rollback nothing is remembered that isn't there.
func TestTheFoldForgets(t *testing.T) {
	c := newCrowd(t, hill())
	c.fold(c.entry(formats.CloudAppSecurity, "zoe"))
	c.f.rollback()
	c.open()
	c.see("ibrook", "zoe")
	c.want("ibrook", "zoe")
}
