package model

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/risk"
)

// TestProfilesAreKept: whether the profiles were written or what was told is told again, the scores go on as if nothing
// had been.
func TestProfilesAreKept(t *testing.T) {
	always, stopped := newCrowd(t, config.Organisation{}), newCrowd(t, config.Organisation{})
	at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	for d := range 20 {
		at = at.AddDate(0, 0, 1)
		for _, c := range []*crowd{always, stopped} {
			for i := range 10 {
				user := fmt.Sprint("user", i)
				a := risk.Activity{ID: fmt.Sprint(d, i), User: user, At: at, Class: "LOGIN", App: "Box", Range: "10.0.0.0/24", Title: "\xff"}
				if (d+i)%7 == 0 {
					a.Range, a.App = fmt.Sprintf("198.51.%d.0/24", i), "Dropbox"
				}
				c.f.priority.tell(risk.Event{Activity: &a})
				if (d+i)%9 == 0 {
					c.f.priority.tell(risk.Event{Alert: &risk.Alert{ID: a.ID, Users: []string{user}, At: at, News: at, Type: "x", Severity: formats.High}})
				}
			}
			c.begin()
			c.must(c.f.priority.flush(t.Context(), at))
			c.commit()
		}
		stopped.begin()
		if d%3 == 0 {
			stopped.must(stopped.f.priority.keep(t.Context()))
		}
		stopped.commit()
		stopped.open()
	}
	for _, day := range []time.Time{at, at.AddDate(0, 0, 3)} {
		want, got := always.m.scores.scorer.Ranking(day), stopped.m.scores.scorer.Ranking(day)
		if diff := cmp.Diff(want, got); diff != "" || len(want) < 5 {
			t.Errorf("of %d users with a score (-always open +opened again):\n%s", len(want), diff)
		}
	}
	var kept int
	stopped.must(stopped.m.reader.QueryRowContext(t.Context(), "SELECT count(*) FROM risk_profiles").Scan(&kept))
	if kept != 10 {
		t.Errorf("%d profiles are written, want 10", kept)
	}
}

// TestFilesOfNetworks: what changes in them counts from then on; what can't be read leaves things as they are.
func TestFilesOfNetworks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "networks.csv")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("cidr,country,tag\n10.0.0.0/8,NO,corporate\n")
	c := newCrowd(t, config.Organisation{NetworksFile: file})
	look := func() risk.Network {
		c.heed()
		for i := range c.f.priority.places {
			c.f.priority.places[i].looked = time.Time{} // it was long ago
		}
		return c.f.scribe.locate(netip.MustParseAddr("10.1.2.3"))
	}
	if got := look(); got != (risk.Network{Country: "NO", Tag: "corporate"}) {
		t.Errorf("%+v, want what the file says", got)
	}
	write("cidr,country,tag\n10.0.0.0/8,SE,vpn\n11.0.0.0/8,NO,vpn\n")
	if got := look(); got != (risk.Network{Country: "SE", Tag: "vpn"}) {
		t.Errorf("%+v, want what the file says now", got)
	}
	write("cidr\nnowhere\n")
	if got := look(); got.Country != "SE" || !strings.Contains(c.log.String(), `line 2: found \"nowhere\"`) {
		t.Errorf("%+v, want what it said before, and the log tell it: %s", got, &c.log)
	}
}

// TestWhoIsWatched: by the configuration in any spelling, and by tags.
func TestWhoIsWatched(t *testing.T) {
	c := newCrowd(t, config.Organisation{Domains: []config.Domain{{NetBIOS: "HILL", DNS: "hill.example"}}})
	c.see(`HILL\ida`, "olaf@hill.example")
	c.m.options.Config.Risk.Watched = []string{"ida@hill.example"}
	c.open()
	c.act(Tag{User: idOf("olaf@hill.example"), Tags: []string{"admin"}})
	c.commit()
	for id, want := range map[string]risk.Person{
		idOf(`hill\ida`): {User: idOf(`hill\ida`), Watched: true}, idOf("olaf@hill.example"): {User: idOf("olaf@hill.example"), Admin: true},
	} {
		if got, known := c.f.priority.scorer().Knows(id); !known || got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}
