package model

import (
	"hash/fnv"
	"strconv"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/formats"
)

// appendIndexed appends what the index is told of a line.
func (l *line) appendIndexed(b []byte) []byte {
	b = appendTokens(b, l)
	if l.words == nil {
		return appendWords(b, l.texts())
	}
	return append(b, l.words...)
}

// The tokens of the index that are no terms' are named by these letters; a term's by its field's.
const (
	letterID = 'q' + iota
	letterSeverity
	letterName
	letterAlert
	letterFailed
	letterAdmin
	letterKind
	letterSet // by fields that few lines have
	letterCombination
)

// usualSeverity is an activity's; the index has no token for it.
const usualSeverity = formats.Informational

// letter names the field in the index.
func (at field) letter() byte { return 'a' + byte(at) - 1 }

func appendToken(b []byte, letter byte, n int64) []byte {
	return append(strconv.AppendInt(append(b, '#', letter), n, 36), ' ')
}

// hashOf is a number for an ID, which many have: what makes the index large and slow is tokens that only one line has.
// Of a million lines sixty share one.
func hashOf(id string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(filter.Fold(id))) // never fails
	return int64(h.Sum64() >> 50)
}

// appendTokens appends the tokens of all that isn't text.
func appendTokens(b []byte, l *line) []byte {
	t := &l.terms
	if l.ID != "" {
		b = appendToken(b, letterID, hashOf(l.ID))
	}
	b = appendToken(b, letterCombination, t.combination)
	b = appendToken(b, fieldAgent.letter(), t.agent)
	for i, at := range manyFields() {
		if at.rare() && len(l.lists()[i]) == 0 {
			continue
		}
		for _, n := range t.many[i] {
			b = appendToken(b, at.letter(), n)
		}
		if at.rare() {
			b = appendToken(b, letterSet, int64(at))
		}
	}
	b = appendToken(b, letterName, l.name)
	if l.Severity != usualSeverity {
		b = appendToken(b, letterSeverity, int64(l.Severity))
	}
	for _, flag := range [...]struct {
		letter byte
		n      int64
	}{{letterAlert, l.alert}, {letterFailed, one(l.Failed)}, {letterAdmin, one(l.Admin)}, {letterKind, one(l.Kind == formats.Alert)}} {
		if flag.n != 0 {
			b = appendToken(b, flag.letter, flag.n)
		}
	}
	return b
}

func one(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}
