package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error is one problem of a file. Line is 0 where the problem is that something is missing.
type Error struct {
	File string
	Line int
	Key  string // such as targets[1].address; empty for the file as a whole
	Msg  string // what was found and what was expected
}

// Error is the problem as editors and operators read it: file:line: key: what.
func (e Error) Error() string {
	place := e.File
	if e.Line > 0 {
		place = fmt.Sprintf("%s:%d", e.File, e.Line)
	}
	if e.Key == "" {
		return place + ": " + e.Msg
	}
	return place + ": " + e.Key + ": " + e.Msg
}

// Errors are all problems of a file, in the order of its lines.
type Errors []Error

// Error writes a problem a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, p := range e {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// problems collects what is wrong with a file whose keys stand on known lines.
type problems struct {
	file  string
	lines map[string]int
	list  Errors

	unread int // how many of list say that a value can't be read
}

// add notes a problem, unless it is only what follows from a value that can't be read.
func (p *problems) add(key, format string, args ...any) {
	for _, e := range p.list[:p.unread] {
		if e.Key == key || strings.HasPrefix(key, e.Key+".") || strings.HasPrefix(e.Key, key+".") || strings.HasPrefix(key, e.Key+"[") {
			return
		}
	}
	p.list = append(p.list, Error{File: p.file, Line: p.line(key), Key: key, Msg: fmt.Sprintf(format, args...)})
}

// line is where the key stands, or what it would belong to.
func (p *problems) line(key string) int {
	for key != "" {
		if line, ok := p.lines[key]; ok {
			return line
		}
		key = key[:max(strings.LastIndexAny(key, ".["), 0)]
	}
	return 0
}

func (p *problems) sorted() error {
	if len(p.list) == 0 {
		return nil
	}
	slices.SortStableFunc(p.list, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Msg, b.Msg))
	})
	return slices.Compact(p.list)
}

// nearest is the known word that a misspelt one most likely means, or "".
func nearest(word string, known []string) string {
	best, least := "", max(len(word)/3, 1)+1
	for _, k := range known {
		if d := distance(word, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
