package model

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// mostAccounts is how many accounts two notifications may name so that their names are compared: of a crowd
// nobody can say who is who.
const mostAccounts = 4

// What people_log says beside acts.
const (
	logMet    = "met"    // two names of one account
	logParted = "parted" // what was met by an alert's pairing isn't so
)

// met is that two names were used for one account, as far as the names themselves bear it out.
type met struct {
	Names [2]int64 `json:"names"`
	Alert string   `json:"alert"`
	Told  bool     `json:"told,omitempty"` // a service itself gives both names to one user
}

// witness takes from an alert's entry what it tells of who is who.
//
// Two services that notify one alert name its account each in its own way. That alone is not enough, as alerts
// have victims and attackers and pairings can be wrong: it counts where one name is an account's for certain, the
// other one isn't, and dedup takes them for the same (not for likely so), see [dedup.People.Means]. It counts
// from one alert on, because three things take it back: the pairing is undone, another account turns out to be
// meant by that name too, or one becomes known that it fits as well. It is read from the notifications and not
// from the evidence's words, which hold what senders wrote.
//
// Identity Protection gives a user's principal name and display name side by side, which is its word for it.
func (f *folder) witness(ctx context.Context, e *stream.Entry) error {
	if err := f.people.witness(ctx, e); err != nil {
		return err
	}
	return f.people.refreshStale(ctx)
}

func (p *people) witness(ctx context.Context, e *stream.Entry) error {
	if e.Kind == stream.Undo {
		alert := ""
		if e.Match.RunnerUp != nil {
			alert = string(e.Match.RunnerUp.Alert) // which it was taken from
		}
		return p.partedBy(ctx, string(e.Key), alert)
	}
	if e.Kind != stream.Notification && e.Kind != stream.Release || e.Match.Relation == dedup.Resend {
		return nil
	}
	n := &e.Notification
	if upn, display := accountIn(n, "userPrincipalName"), accountIn(n, "userDisplayName"); n.Service == formats.IdentityProtection && upn != "" && display != "" {
		if err := p.metBy(ctx, e, display, upn, true); err != nil {
			return err
		}
	}
	if e.Match.Relation != dedup.Twin || len(n.Accounts) > mostAccounts {
		return nil
	}
	for i := range e.Said {
		o := &e.Said[i]
		if o.Service == n.Service || len(o.Accounts) > mostAccounts {
			continue
		}
		for _, a := range n.Accounts {
			for _, b := range o.Accounts {
				if err := p.metBy(ctx, e, a.Name, b.Name, false); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// accountIn is the account that a field of the notification names.
func accountIn(n *formats.Notification, key string) string {
	for _, a := range n.Accounts {
		if a.Key == key {
			return a.Name
		}
	}
	return ""
}

// metBy keeps that an entry uses two names for one account. It is kept whatever the names are, because which of
// them are certain depends on the configuration.
func (p *people) metBy(ctx context.Context, e *stream.Entry, a, b string, told bool) error {
	m := met{Alert: string(e.Match.Alert), Told: told}
	for i, s := range [2]string{a, b} {
		if ok, err := p.f.row(ctx, "SELECT n FROM names WHERE folded = ?", []any{filter.Fold(cleanName(s))}, &m.Names[i]); err != nil || !ok {
			return err
		}
	}
	if m.Names[0] == m.Names[1] {
		return nil
	}
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("write what an alert tells: %w", err)
	}
	var some int
	if ok, err := p.f.row(ctx, "SELECT 1 FROM people_log WHERE key = ? AND what = ? AND data = ?", []any{e.Key, logMet, string(data)}, &some); err != nil || ok {
		return err
	}
	if err := p.log(ctx, string(e.Key), m.Alert, logMet, string(data)); err != nil {
		return err
	}
	return p.meetAs(ctx, string(e.Key), m)
}

// meetAs has a name that is no account's for certain mean the account that it met, unless something speaks
// against it.
func (p *people) meetAs(ctx context.Context, key string, m met) error {
	var read [2]dedup.Spelling
	for i, n := range m.Names {
		var s string
		if ok, err := p.f.row(ctx, "SELECT spelling FROM names WHERE n = ?", []any{n}, &s); err != nil || !ok {
			return err
		}
		read[i] = p.read.Read(s)
	}
	vague, account := 0, 1
	if read[0].Certain {
		vague, account = 1, 0
	}
	if read[vague].Certain || !read[account].Certain {
		return nil
	}
	if _, well := p.read.Means(read[vague], read[account]); !well && (!m.Told || read[vague].Form != dedup.Display) {
		return nil
	}
	if err := p.f.exec(ctx, "INSERT INTO name_claims (name, account, key, alert, told) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		m.Names[vague], m.Names[account], key, m.Alert, m.Told); err != nil {
		return err
	}
	return p.settle(ctx, read[vague].Key)
}

// partedBy keeps that a pairing was wrong.
func (p *people) partedBy(ctx context.Context, key, alert string) error {
	var some int
	if ok, err := p.f.row(ctx, "SELECT 1 FROM people_log WHERE what = ? AND (key = ? OR alert = ? AND alert <> '')", []any{logMet, key, alert}, &some); err != nil || !ok {
		return err
	}
	if err := p.log(ctx, key, alert, logParted, ""); err != nil {
		return err
	}
	return p.part(ctx, key, alert)
}

// part takes back what a pairing told, though not what a service told itself.
func (p *people) part(ctx context.Context, key, alert string) error {
	const those = "told = 0 AND (key = ? OR alert = ? AND alert <> '')"
	keys, err := p.f.column(ctx, "SELECT DISTINCT key FROM names WHERE n IN (SELECT name FROM name_claims WHERE "+those+") ORDER BY n", key, alert)
	if err != nil {
		return err
	}
	if err := p.f.exec(ctx, "DELETE FROM name_claims WHERE "+those, key, alert); err != nil {
		return err
	}
	for _, k := range keys {
		if err := p.settle(ctx, k); err != nil {
			return err
		}
	}
	return nil
}
