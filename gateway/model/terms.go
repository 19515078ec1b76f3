package model

import (
	"cmp"
	"context"
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

// So much is remembered by the folder; the rest is looked up.
const (
	mostTerms        = 1 << 18
	mostCombinations = 1 << 15
)

// terms is the dictionary as the folder knows it.
type terms struct {
	seed         maphash.Seed
	numbers      map[uint64]int64 // by the hash of the term: its text would take five times the memory
	combinations map[uint64]int64 // by the hash of their terms' hashes
	counts       map[int64]int64  // lines of the log that came and went since the last flush, by their user agents
	combined     map[int64]int64  // likewise, by combinations
	next         int64            // number that no term has; 0 before the first is made
}

type term struct {
	field field
	value string // in any spelling
}

func newTerms(seed maphash.Seed) terms {
	return terms{
		seed: seed, numbers: map[uint64]int64{}, combinations: map[uint64]int64{},
		counts: map[int64]int64{}, combined: map[int64]int64{},
	}
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

// learn makes the terms known, and those that are new part of the dictionary.
func (f *folder) learn(ctx context.Context, unknown map[term]bool) error {
	spelled := make(map[term][]term, len(unknown)) // by their folded form
	var list []term
	for t := range unknown {
		key := term{t.field, foldTerm(t.value)}
		if spelled[key] = append(spelled[key], t); len(spelled[key]) == 1 {
			list = append(list, key)
		}
	}
	slices.SortFunc(list, term.compare) // so that equal streams give equal numbers
	numbers, err := f.enter(ctx, list, spelled)
	if err != nil {
		return err
	}
	for i, key := range list {
		if numbers[i] == 0 { // it was there
			if _, err := f.row(ctx, "SELECT n FROM terms WHERE field = ? AND folded = ?", []any{key.field, key.value}, &numbers[i]); err != nil {
				return fmt.Errorf("look up %q: %w", key.value, err)
			}
		}
		for _, t := range spelled[key] {
			f.terms.numbers[t.hash(f.terms.seed)] = numbers[i]
		}
	}
	return nil
}

func (t term) compare(o term) int {
	return cmp.Or(cmp.Compare(t.field, o.field), cmp.Compare(t.value, o.value))
}

const insertTerm = "INSERT INTO terms (n, field, value, folded, address) VALUES (?, ?, ?, ?, ?) ON CONFLICT (field, folded) DO NOTHING"

// enter makes entries of the dictionary of those of the folded terms that are new, as most are, each as it is spelled here
// first, and gives their numbers; 0 for the others.
func (f *folder) enter(ctx context.Context, list []term, spelled map[term][]term) ([]int64, error) {
	if f.terms.next == 0 {
		if _, err := f.row(ctx, "SELECT coalesce(max(n), 0) + 1 FROM terms", nil, &f.terms.next); err != nil {
			return nil, err
		}
	}
	numbers := make([]int64, len(list))
	return numbers, f.conn.Raw(func(conn any) error {
		for i, key := range list {
			first := slices.MinFunc(spelled[key], term.compare)
			r, err := f.insertTerm.exec(ctx, conn, f.terms.next, int64(key.field), first.value, key.value, first.address())
			if err != nil {
				return fmt.Errorf("enter %q: %w", key.value, err)
			}
			made, err := r.RowsAffected()
			if err != nil {
				return err
			}
			if made > 0 {
				numbers[i] = f.terms.next
				f.terms.next++
			}
		}
		return nil
	})
}

// foldTerm is the form in which terms are compared. No filter has U+0000, which ends a text for SQLite.
func foldTerm(value string) string { return strings.ReplaceAll(filter.Fold(value), "\x00", "\ufffd") }

// address is the form of an IP address in which those of a network are a range, 16 bytes; nil for what is none.
func (t term) address() any {
	if t.field != fieldIP {
		return nil
	}
	a, err := netip.ParseAddr(t.value)
	if err != nil {
		return nil
	}
	b := a.WithZone("").As16()
	return b[:]
}

// flushTerms writes how often each value was used.
func (f *folder) flushTerms(ctx context.Context) error {
	if len(f.terms.numbers) > mostTerms {
		clear(f.terms.numbers)
	}
	if len(f.terms.combinations) > mostCombinations {
		clear(f.terms.combinations)
	}
	for query, counts := range map[string]map[int64]int64{
		"UPDATE terms SET count = count + ? WHERE n = ?":        f.terms.counts,
		"UPDATE combinations SET count = count + ? WHERE n = ?": f.terms.combined,
	} {
		for n, count := range counts {
			if err := f.exec(ctx, query, count, n); err != nil {
				return err
			}
		}
		clear(counts)
	}
	return nil
}
