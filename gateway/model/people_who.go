package model

import (
	"context"
	"fmt"
	"strconv"

	"github.com/sluice-siem/sluice/dedup"
)

// Why a name is a user's.
const (
	whyAccount   = "same account"
	whySpelling  = "same spelling"
	whyDirectory = "directory"
	whyAlert     = "alert" // an alert, or several, name the account so
	whyByHand    = "by hand"
)

// byHand says what operators did with a name.
const (
	joinedByHand = 1
	splitByHand  = 2
)

// mostAlike bounds how many accounts of the same letters are compared. Where there are more, a name that
// could be any of theirs is nobody's.
const mostAlike = 100

// identity is whom a spelling means: its own key, or that of the account which it is known to mean.
func (p *people) identity(ctx context.Context, r dedup.Spelling) (identity, why string, err error) {
	why = whySpelling
	if r.Certain {
		why = whyAccount
	}
	listed, known, err := p.listed(ctx, r)
	switch {
	case err != nil:
		return "", "", err
	case listed != "" && listed != r.Key:
		return listed, whyDirectory, nil
	case r.Form == dedup.Principal, known: // the directory has several who are called so, or one without another name
		return r.Key, why, nil
	}
	meant, err := p.meant(ctx, r)
	if err != nil || meant == "" {
		return r.Key, why, err
	}
	return meant, whyAlert, nil
}

// meant is the one account that alerts showed to be meant by a name which isn't a principal's. Where they showed two, or
// another account is known that the name fits as well, nobody is. An account has one principal name, and one name in its
// domain: where alerts showed two for one of either, none of them is believed.
func (p *people) meant(ctx context.Context, r dedup.Spelling) (string, error) {
	var meant, most string
	ok, err := p.f.row(ctx, "SELECT coalesce(min(a.identity), ''), coalesce(max(a.identity), '') FROM name_claims c JOIN names v ON v.n = c.name "+
		"JOIN names a ON a.n = c.account WHERE v.key = ?", []any{r.Key}, &meant, &most)
	if err != nil || !ok || meant != most || meant == "" {
		return "", err
	}
	others, err := p.f.column(ctx, "SELECT spelling FROM names WHERE letters = ? AND certain = 1 AND identity <> '' AND identity <> ? ORDER BY n LIMIT ?",
		r.Letters, meant, mostAlike)
	if err != nil || len(others) == mostAlike {
		return "", err
	}
	for _, other := range others {
		if may, _ := p.read.Means(r, p.read.Read(other)); may {
			return "", nil
		}
	}
	if r.Form == dedup.Display {
		return meant, nil
	}
	return p.meantAlone(ctx, r, meant)
}

// meantAlone is that account where no other name in a domain was seen to mean it. Names that are spelt as the principal's
// own don't count.
func (p *people) meantAlone(ctx context.Context, r dedup.Spelling, meant string) (string, error) {
	rivals, err := p.f.column(ctx, "SELECT DISTINCT v.spelling FROM names a JOIN name_claims c ON c.account = a.n JOIN names v ON v.n = c.name "+
		"WHERE a.identity = ? AND v.key <> ? ORDER BY v.n LIMIT ?", meant, r.Key, mostAlike)
	if err != nil || len(rivals) == mostAlike {
		return "", err
	}
	accounts, err := p.f.column(ctx, "SELECT spelling FROM names WHERE key = ? ORDER BY n LIMIT 1", meant)
	if err != nil || len(accounts) == 0 {
		return "", err
	}
	account := p.read.Read(accounts[0])
	if r.SameLocal(account) {
		return meant, nil
	}
	for _, rival := range rivals {
		if o := p.read.Read(rival); o.Form != dedup.Display && !o.SameLocal(r) && !o.SameLocal(account) {
			return "", nil
		}
	}
	return meant, nil
}

// belonging is whose a name is.
type belonging struct {
	identity, why string
	person        int64
}

// place finds whom a new name means, or makes a user for it.
func (p *people) place(ctx context.Context, id string, r dedup.Spelling) (b belonging, err error) {
	if b.identity, b.why, err = p.identity(ctx, r); err != nil {
		return b, err
	}
	b.person, err = p.personOf(ctx, b.identity, "")
	if err == nil && b.person == 0 {
		b.person, err = p.own(ctx, id)
	}
	return b, err
}

// placed is called when a new name is in the table: who was meant by another one may no longer be sure.
func (p *people) placed(ctx context.Context, b belonging, r dedup.Spelling) error {
	p.stale[b.person] = struct{}{}
	if !r.Certain || r.Letters == "" {
		return nil
	}
	keys, err := p.f.column(ctx, "SELECT DISTINCT key FROM names WHERE letters = ? AND certain = 0 AND identity <> key AND identity <> '' ORDER BY key LIMIT ?",
		r.Letters, mostAlike)
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

// personOf is the user that has the names of an identity, 0 where there is none. Where operators gave some of
// them to another one, it is the one who kept the others. Names of the key except don't count, unless operators
// put them where they are.
func (p *people) personOf(ctx context.Context, identity, except string) (int64, error) {
	var person int64
	_, err := p.f.row(ctx, "SELECT person FROM names WHERE identity = ? AND person <> 0 AND (key <> ? OR by_hand <> 0) ORDER BY by_hand = ?, n LIMIT 1",
		[]any{identity, except, splitByHand}, &person)
	return person, err
}

// own is the user whose ID that is, made or brought back where it isn't there.
func (p *people) own(ctx context.Context, id string) (int64, error) {
	var n int64
	ok, err := p.f.row(ctx, "SELECT n FROM persons WHERE id = ?", []any{id}, &n)
	switch {
	case err != nil:
		return 0, err
	case ok:
		return n, p.f.exec(ctx, "UPDATE persons SET into_n = NULL WHERE n = ?", n)
	}
	return p.f.insert(ctx, "INSERT INTO persons (id) VALUES (?)", id)
}

// settle gives the names of a key, which is no principal's, to whom they mean by now.
func (p *people) settle(ctx context.Context, key string) error {
	var spelling, was string
	ok, err := p.f.row(ctx, "SELECT spelling, identity FROM names WHERE key = ? AND identity <> '' ORDER BY n LIMIT 1", []any{key}, &spelling, &was)
	if err != nil || !ok {
		return err
	}
	r := p.read.Read(spelling)
	identity, why, err := p.identity(ctx, r)
	if err != nil || identity == was {
		return err
	}
	if err := p.f.exec(ctx, "UPDATE names SET identity = ?, why = CASE by_hand WHEN 0 THEN ? ELSE why END WHERE key = ? AND identity <> ''", identity, why, key); err != nil {
		return err
	}
	if err := p.describeAgain(ctx, key); err != nil {
		return err
	}
	if err := p.move(ctx, key, identity); err != nil {
		return err
	}
	if !r.Certain {
		return nil
	}
	return p.settleClaims(ctx, "a.key = ?", key) // who means this account means whom it means
}

// describeAgain has the rows of those who have the names of a key follow: the directory describes an identity, also where
// operators have put its names.
func (p *people) describeAgain(ctx context.Context, key string) error {
	persons, err := p.f.column(ctx, "SELECT DISTINCT person FROM names WHERE key = ? AND person <> 0", key)
	for _, person := range persons {
		n, err := strconv.ParseInt(person, 10, 64)
		if err != nil {
			return fmt.Errorf("user of %.50q: %w", key, err)
		}
		p.stale[n] = struct{}{}
	}
	return err
}

// move gives the names of a key to the user of an identity.
func (p *people) move(ctx context.Context, key, identity string) error {
	var id string
	var person int64
	if ok, err := p.f.row(ctx, "SELECT id, person FROM names WHERE key = ? AND by_hand = 0 AND identity <> '' ORDER BY n LIMIT 1", []any{key}, &id, &person); err != nil || !ok {
		return err // operators have put all of them where they are
	}
	to, err := p.personOf(ctx, identity, key)
	if err == nil && to == 0 {
		to, err = p.own(ctx, id)
	}
	if err != nil || to == person {
		return err
	}
	if err := p.f.exec(ctx, "UPDATE names SET person = ? WHERE key = ? AND by_hand = 0 AND identity <> ''", to, key); err != nil {
		return err
	}
	return p.left(ctx, person, to)
}

// left is called when a user has lost names to another one. One that has none any more leads to that one, which
// takes over what operators said of it.
func (p *people) left(ctx context.Context, from, to int64) error {
	p.f.priority.moved = append(p.f.priority.moved, move{from, to})
	p.stale[from], p.stale[to] = struct{}{}, struct{}{}
	p.lost[from]++
	var some int
	if ok, err := p.f.row(ctx, "SELECT 1 FROM names WHERE person = ? LIMIT 1", []any{from}, &some); err != nil || ok {
		return err
	}
	if err := p.f.exec(ctx, "UPDATE persons SET into_n = ?, display = '', folded = '', upn = NULL, upn_folded = NULL, department = NULL, peers = NULL, "+
		"title = NULL, sensitive = 0, first = 0, last = 0 WHERE n = ?", to, from); err != nil {
		return err
	}
	return p.tagAlso(ctx, to, from)
}

// tagAlso adds the tags of another user.
func (p *people) tagAlso(ctx context.Context, person, other int64) error {
	var own, more string
	if _, err := p.f.row(ctx, "SELECT tags FROM persons WHERE n = ?", []any{person}, &own); err != nil {
		return err
	}
	if _, err := p.f.row(ctx, "SELECT tags FROM persons WHERE n = ?", []any{other}, &more); err != nil {
		return err
	}
	if more == "" {
		return nil
	}
	return p.f.exec(ctx, "UPDATE persons SET tags = ? WHERE n = ?", joinTags(append(splitTags(own), splitTags(more)...)), person)
}
