package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error is one problem of a file. Line is 0 where the problem has no place: what is missing stands at
// what it would belong to.
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

// maxProblems is more than anybody reads. Aliases can blow a small file up to any number of them.
const maxProblems = 1000

// problems collects what is wrong with a file whose keys stand on known lines.
type problems struct {
	file  string
	lines map[string]int
	list  Errors
	full  bool // the file, or what is wrong with it, is too much, and the rest isn't looked at

	spoilt map[string]bool // keys whose values can't be read
	around map[string]bool // what such keys belong to
}

func newProblems(file string) *problems {
	return &problems{file: file, lines: map[string]int{}, spoilt: map[string]bool{}, around: map[string]bool{}}
}

// report notes a problem as it is. After the last one that is listed comes a word on the others, which
// stands first, as it has no line.
func (p *problems) report(line int, key, format string, args ...any) {
	switch n := len(p.list); {
	case n < maxProblems:
		p.list = append(p.list, Error{File: p.file, Line: line, Key: key, Msg: fmt.Sprintf(format, args...)})
	case n == maxProblems:
		p.list = append(p.list, Error{File: p.file, Msg: fmt.Sprintf("found more than %d problems; the others aren't listed", maxProblems)})
		p.full = true
	}
}

// unread notes that the value of a key can't be read, so that nothing that only follows is reported.
func (p *problems) unread(key, format string, args ...any) {
	p.report(p.line(key), key, format, args...)
	p.spoil(key)
}

func (p *problems) spoil(key string) {
	p.spoilt[key] = true
	for key = parent(key); key != ""; key = parent(key) {
		p.around[key] = true
	}
}

// add notes a problem, unless it is only what follows from a value that can't be read.
func (p *problems) add(key, format string, args ...any) {
	if p.known(key) {
		p.report(p.line(key), key, format, args...)
	}
}

// known says whether all was read that the key stands for: it, what is in it and what it is in.
func (p *problems) known(key string) bool {
	if p.around[key] {
		return false
	}
	for ; key != ""; key = parent(key) {
		if p.spoilt[key] {
			return false
		}
	}
	return true
}

// either notes that two keys don't go together, at the first if the file has it, else at the second.
func (p *problems) either(key, msg, partner, partnerMsg string) {
	if !p.known(key) || !p.known(partner) {
		return
	}
	if p.lines[key] == 0 && p.lines[partner] > 0 {
		key, msg = partner, partnerMsg
	}
	p.add(key, "%s", msg)
}

// element is the key of a list's element; where one value stands for the list, it is the list's.
func (p *problems) element(list string, i int) string {
	key := fmt.Sprintf("%s[%d]", list, i)
	if p.lines[key] == 0 && p.lines[list] > 0 {
		return list
	}
	return key
}

// line is where the key stands, or what it would belong to.
func (p *problems) line(key string) int {
	for ; key != ""; key = parent(key) {
		if line, ok := p.lines[key]; ok {
			return line
		}
	}
	return 0
}

// parent is what a key belongs to: targets of targets[1], and that of targets[1].address.
func parent(key string) string { return key[:max(strings.LastIndexAny(key, ".["), 0)] }

// result is c, or all problems by their line.
func (p *problems) result(c Config) (Config, error) {
	if len(p.list) == 0 {
		return c, nil
	}
	slices.SortStableFunc(p.list, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Msg, b.Msg))
	})
	return Config{}, slices.Compact(p.list)
}
