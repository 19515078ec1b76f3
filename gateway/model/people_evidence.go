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
	Told  bool     `json:"told,omitempty"`  // a service itself gives both names to one user
	Alone bool     `json:"alone,omitempty"` // each service names nobody else, and the pairing is sure
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
// The name by which the domain knows an account and its principal name are mostly two, and both are certain. They are one
// user's where one may abbreviate the other, see [dedup.People.Abbreviates], both stand alone in the two notifications
// and these are one alert for sure, whatever the names: see [dedup.Match.Sure].
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
		if err := p.metBy(ctx, e, met{Told: true}, display, upn); err != nil {
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
		alone := len(n.Accounts) == 1 && len(o.Accounts) == 1 && e.Match.Sure()
		for _, a := range n.Accounts {
			for _, b := range o.Accounts {
				if err := p.metBy(ctx, e, met{Alone: alone}, a.Name, b.Name); err != nil {
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
func (p *people) metBy(ctx context.Context, e *stream.Entry, m met, a, b string) error {
	m.Alert = string(e.Match.Alert)
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

// meetAs has a name mean the account that it met, unless something speaks against it.
func (p *people) meetAs(ctx context.Context, key string, m met) error {
	var read [2]dedup.Spelling
	for i, n := range m.Names {
		var s string
		if ok, err := p.f.row(ctx, "SELECT spelling FROM names WHERE n = ?", []any{n}, &s); err != nil || !ok {
			return err
		}
		read[i] = p.read.Read(s)
	}
	for name, account := range [2]int{1, 0} {
		if !p.claims(m, read[name], read[account]) {
			continue
		}
		if err := p.f.exec(ctx, "INSERT INTO name_claims (name, account, key, alert, told) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			m.Names[name], m.Names[account], key, m.Alert, m.Told); err != nil {
			return err
		}
		if err := p.settle(ctx, read[name].Key); err != nil {
			return err
		}
		if read[name].Form == dedup.Display {
			return nil // whose account it is doesn't depend on who else is called so
		}
		return p.settleClaims(ctx, "a.n = ?", m.Names[account])
	}
	return nil
}

// claims says whether two names that met show that the first one means the second one's account.
func (p *people) claims(m met, name, account dedup.Spelling) bool {
	if !account.Certain {
		return false
	}
	if _, well := p.read.Means(name, account); well || m.Told && !name.Certain && name.Form == dedup.Display {
		return true
	}
	return m.Alone && p.read.Abbreviates(name, account)
}

// settleClaims settles the names that were seen to mean the accounts for which that holds.
func (p *people) settleClaims(ctx context.Context, which string, args ...any) error {
	keys, err := p.f.column(ctx, "SELECT DISTINCT v.key FROM names a JOIN name_claims c ON c.account = a.n JOIN names v ON v.n = c.name "+
		"WHERE "+which+" ORDER BY v.n LIMIT ?", append(args, mostAlike)...)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := p.settle(ctx, key); err != nil {
			return err
		}
	}
	return nil
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
	accounts, err := p.f.column(ctx, "SELECT DISTINCT account FROM name_claims WHERE "+those+" ORDER BY account", key, alert)
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
	for _, account := range accounts { // what was doubtful for what is taken back
		if err := p.settleClaims(ctx, "a.n = CAST(? AS INTEGER)", account); err != nil {
			return err
		}
	}
	return nil
}
