package model

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"hash/maphash"
	"net/netip"
	"slices"
	"strings"

	"github.com/sluice-siem/sluice/config/filter"
)

// field numbers a field of the dictionary. The numbers stand in files and never change.
type field int

// The fields of the dictionary.
const (
	fieldService field = iota + 1
	fieldApp
	fieldType
	fieldAction
	fieldTitle
	fieldInput
	fieldIP
	fieldDevice
	fieldAgent
	fieldObject
	fieldPolicy
	fieldCategory
	fieldManagedIn
	fieldAssigned
	fieldTactic
	fieldTechnique
)

// most terms are remembered by the folder; the others are looked up.
const mostTerms = 1 << 18

// terms is the dictionary as the folder knows it.
type terms struct {
	seed    maphash.Seed
	numbers map[uint64]int64 // by the hash of the term: its text would take five times the memory
	counts  map[int64]int64  // lines of the log that came and went since the last flush
	next    int64            // number that no term has; 0 before the first is made
}

type term struct {
	field field
	value string // in any spelling
}

func newTerms(seed maphash.Seed) terms {
	return terms{seed: seed, numbers: map[uint64]int64{}, counts: map[int64]int64{}}
}

// known gives the number of a term; 0 where it has to be looked up.
func (t *terms) known(of term) int64 { return t.numbers[of.hash(t.seed)] }

func (t term) hash(seed maphash.Seed) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	_ = h.WriteByte(byte(t.field)) // never fails
	_, _ = h.WriteString(t.value)  // neither
	return h.Sum64()
}

// number gives the number of a value; an empty one has one too.
func (f *folder) number(ctx context.Context, at field, value string) (int64, error) {
	t := term{at, value}
	if f.terms.known(t) == 0 {
		if err := f.learn(ctx, map[term]bool{t: true}); err != nil {
			return 0, err
		}
	}
	return f.terms.known(t), nil
}

// learn makes the terms known, those that are new to the dictionary in one statement.
func (f *folder) learn(ctx context.Context, unknown map[term]bool) error {
	spelled := make(map[term][]term, len(unknown)) // by their folded form
	var list []entry
	for t := range unknown {
		key := term{t.field, foldTerm(t.value)}
		if spelled[key] = append(spelled[key], t); len(spelled[key]) == 1 {
			list = append(list, entry{Field: t.field, Value: t.value, Folded: key.value, Address: t.address()})
		}
	}
	if len(list) == 0 {
		return nil
	}
	slices.SortFunc(list, func(a, b entry) int { return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.Folded, b.Folded)) })
	if err := f.find(ctx, list); err != nil {
		return err
	}
	if err := f.add(ctx, list); err != nil {
		return err
	}
	for _, e := range list {
		for _, t := range spelled[term{e.Field, e.Folded}] {
			f.terms.numbers[t.hash(f.terms.seed)] = e.N
		}
	}
	return nil
}

// entry is a row of the dictionary.
type entry struct {
	N       int64  `json:"n"`
	Field   field  `json:"f"`
	Value   string `json:"v"`
	Folded  string `json:"d"`
	Address string `json:"a,omitempty"`
}

// find fills in the numbers of those that the dictionary has.
func (f *folder) find(ctx context.Context, list []entry) error {
	s, err := f.stmt(ctx, "SELECT j.key, t.n FROM json_each(?) j CROSS JOIN terms t ON t.field = j.value ->> 'f' AND t.folded = j.value ->> 'd'")
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(ctx, jsonOf(list))
	if err != nil {
		return fmt.Errorf("look up terms: %w", err)
	}
	defer rows.Close() //nolint:errcheck // what is wrong, Err says
	for rows.Next() {
		var i, n int64
		if err := rows.Scan(&i, &n); err != nil {
			return err
		}
		list[i].N = n
	}
	return rows.Err()
}

// add gives numbers to those that have none, in the order of the list, and writes them.
func (f *folder) add(ctx context.Context, list []entry) error {
	if f.terms.next == 0 {
		if _, err := f.row(ctx, "SELECT coalesce(max(n), 0) + 1 FROM terms", nil, &f.terms.next); err != nil {
			return err
		}
	}
	var added []entry
	for i := range list {
		if list[i].N == 0 {
			list[i].N = f.terms.next
			f.terms.next++
			added = append(added, list[i])
		}
	}
	if len(added) == 0 {
		return nil
	}
	return f.exec(ctx, "INSERT INTO terms (n, field, value, folded, address) SELECT value ->> 'n', value ->> 'f', value ->> 'v', value ->> 'd', unhex(value ->> 'a') FROM json_each(?)",
		jsonOf(added))
}

// foldTerm is the form in which terms are compared. No filter has U+0000, which ends a text for SQLite.
func foldTerm(value string) string { return strings.ReplaceAll(filter.Fold(value), "\x00", "\ufffd") }

// address is the form of an IP address in which those of a network are a range, in hexadecimal; empty for what
// is none.
func (t term) address() string {
	if t.field != fieldIP {
		return ""
	}
	a, err := netip.ParseAddr(t.value)
	if err != nil {
		return ""
	}
	b := a.WithZone("").As16()
	return hex.EncodeToString(b[:])
}

// flushTerms writes how often each value was used.
func (f *folder) flushTerms(ctx context.Context) error {
	if len(f.terms.numbers) > mostTerms {
		clear(f.terms.numbers)
	}
	for n, count := range f.terms.counts {
		if err := f.exec(ctx, "UPDATE terms SET count = count + ? WHERE n = ?", count, n); err != nil {
			return err
		}
	}
	clear(f.terms.counts)
	return nil
}
