package cef

import "strings"

// Start finds where the header's first bar stands in s, if s begins as an event does: "CEF:0|". The
// tag may be missing because Defender for Identity's went into the syslog header, and with it the
// digit, because its documentation lost that: "0|Microsoft|" and "|Microsoft|" begin an event too.
func Start(s string) (bar int, ok bool) {
	const tag = "CEF:"
	rest, tagged := s, len(s) >= len(tag) && strings.EqualFold(s[:len(tag)], tag)
	if tagged {
		rest = strings.TrimLeft(s[len(tag):], " ")
	}
	bar = len(s) - len(rest)
	digits := 0
	for digits < len(rest) && '0' <= rest[digits] && rest[digits] <= '9' {
		digits++
	}
	if digits > 1 && !tagged || digits > 2 || digits == len(rest) || rest[digits] != '|' {
		return 0, false
	}
	return bar + digits, true
}

// Parse reads one event (ArcSight Common Event Format, version 0 or 1). The header must be whole, up
// to the bar after the severity; the extension may be cut anywhere. It returns [ErrNotCEF] for text
// that [Start] refuses, and a [*ParseError] for a header that breaks off.
func Parse(s string) (Event, error) {
	var e Event
	if err := ParseInto(&e, s); err != nil {
		return Event{}, err
	}
	return e, nil
}

// ParseInto is [Parse] for whoever reads many events, one after the other: e is overwritten, and what
// its Extension has room for is used again. After an error e has no meaning but that room.
func ParseInto(e *Event, s string) error {
	*e = Event{Extension: e.Extension[:0]}
	bar, ok := Start(s)
	if !ok {
		return ErrNotCEF
	}
	v := bar
	for v > 0 && '0' <= s[v-1] && s[v-1] <= '9' {
		v--
	}
	e.Version = s[v:bar]
	at := bar + 1
	for _, field := range [...]*string{&e.Vendor, &e.Product, &e.Device, &e.Class, &e.Name, &e.Severity} {
		end := barAfter(s, at)
		if end < 0 {
			return &ParseError{Offset: len(s), Msg: "the text ends before the extension"}
		}
		*field = unescapeHeader(s[at:end])
		at = end + 1
	}
	at = e.nameOn(s, at)
	s = s[at:]
	between := separator(s)
	if between == writtenTab {
		s, between = strings.ReplaceAll(s, writtenTab, "\t"), ""
	}
	e.Extension = appendExtension(e.Extension, s, between, Known)
	var usual func(key string) string // where the keys are in other words or letters
	switch {
	case inFull(e.Extension, s):
		usual = short
	case inLower(e.Extension, s):
		usual = raised
	}
	if usual != nil {
		e.Extension = appendExtension(e.Extension[:0], s, between, func(key string) bool { return Known(usual(key)) })
		for i := range e.Extension {
			e.Extension[i].Key = usual(e.Extension[i].Key)
		}
	}
	unquote(e.Extension)
	return nil
}

// nameOn takes what stands for the severity for a part of the name while it is none and the severity comes after it, or while
// no extension begins behind it: a policy's name is text of people, who write bars. It returns where the extension begins, at
// unless it did that.
func (e *Event) nameOn(s string, at int) int {
	const most = 16 // bars in a name
	name, severity, next := e.Name, e.Severity, at
	for range most {
		column, _, _ := strings.Cut(s[next:], "=") // or what is before the first value
		end := barAfter(column, 0)
		extension := end < 0
		if _, ok := rank(severity); ok && extension {
			e.Name, e.Severity, e.Shifted = name, severity, next != at
			return next
		}
		if extension {
			return at
		}
		name, severity, next = name+"|"+severity, unescapeHeader(column[:end]), next+end+1
	}
	return at
}

// barAfter returns the offset of the first unescaped bar at or after at, or -1.
func barAfter(s string, at int) int {
	for i := at; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '|':
			return i
		}
	}
	return -1
}

// unescapeHeader undoes \| and \\, all that the header may escape.
func unescapeHeader(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '|' || s[i+1] == '\\') {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}

// writtenTab is a tab as rsyslog writes it.
const writtenTab = "#011"

// separator returns what a relay has put between the fields in the place of blanks, "" where it has put nothing there. The first
// field tells, because it has a time or an ID, and the last key: what somebody wrote into one text isn't before both.
func separator(extension string) string {
	_, rest, _ := strings.Cut(extension, "=")
	end := 0
	for end < len(rest) && (keyChar(rest[end]) || rest[end] == ':' || rest[end] == '+' || rest[end] == '\\') {
		end++
	}
	rest = strings.TrimLeft(rest[end:], " ")
	for _, between := range [...]string{";", "|", ",", writtenTab} {
		if next, ok := strings.CutPrefix(rest, between); ok {
			if key, _, ok := strings.Cut(strings.TrimLeft(next, " "), "="); ok && named(key) && closes(next, between) {
				return between
			}
		}
	}
	return ""
}

// named tells whether key is one that is known, by its full name or its usual one.
func named(key string) bool { return Known(key) || Known(short(key)) }

// closes tells whether between stands before the last key that is known, or there is none but the one with which s begins.
func closes(s, between string) bool {
	for {
		equals := strings.LastIndexByte(s, '=')
		if equals < 0 {
			return false
		}
		key := equals
		for key > 0 && keyChar(s[key-1]) {
			key--
		}
		name := s[key:equals]
		if tab, ok := strings.CutPrefix(s[max(key-1, 0):equals], writtenTab); ok && between == writtenTab {
			key, name = equals-len(tab), tab
		}
		before := strings.TrimRight(s[:key], " \t")
		switch {
		case !named(name):
		case before == "" || strings.HasSuffix(before, between):
			return true
		case len(before) < key:
			return false
		}
		s = s[:equals]
	}
}

// valueEnd returns where in s the value that begins at offset value ends, if the field that begins at key is separated from it.
func valueEnd(s string, value, key int, between string) (end int, ok bool) {
	if between == "" {
		return key - 1, s[key-1] == ' ' || s[key-1] == '\t'
	}
	text, ok := strings.CutSuffix(strings.TrimRight(s[value:key], " "), between)
	return value + len(strings.TrimRight(text, " ")), ok
}

// appendExtension cuts s at its known keys and appends the fields to the empty fields. It takes one pass: the
// search back from an equals sign stops at the equals sign before it at the latest. between is what separates the fields, ""
// for blanks.
func appendExtension(fields []Field, s, between string, known func(key string) bool) []Field {
	first := len(s) - len(strings.TrimLeft(s, " \t"))
	if first == len(s) {
		return fields
	}
	if fields == nil {
		const usual = 24 // what a Cloud App Security activity has, rounded up
		fields = make([]Field, 0, min(usual, 1+strings.Count(s, "=")))
	}
	value := 0 // where the value of the last field begins
	for at := first; ; {
		n := strings.IndexByte(s[at:], '=')
		if n < 0 {
			break
		}
		equals := at + n
		at = equals + 1
		key := equals
		for key > value && key > first && keyChar(s[key-1]) {
			key--
		}
		switch {
		case key == equals:
			continue
		case len(fields) == 0:
			if key != first {
				return fields // text without a key in front is no extension
			}
		case key == value:
			continue
		default:
			end, separated := valueEnd(s, value, key, between)
			if !separated || !known(s[key:equals]) {
				continue
			}
			fields[len(fields)-1].Value = s[value:end]
		}
		fields = append(fields, Field{Key: s[key:equals]})
		value = equals + 1
	}
	if len(fields) > 0 {
		fields[len(fields)-1].Value = strings.TrimSuffix(s[value:], between)
	}
	return fields
}

// unquote takes the quotation marks off the values of a relay that puts them around every value.
func unquote(fields []Field) {
	const few = 3 // fields, of which each may have its own reason
	if len(fields) < few {
		return
	}
	for _, f := range fields {
		if v := strings.TrimSpace(f.Value); len(v) < 2 || v[0] != '"' || v[len(v)-1] != '"' {
			return
		}
	}
	for i := range fields {
		v := strings.TrimSpace(fields[i].Value)
		fields[i].Value = v[1 : len(v)-1]
	}
}

// keyChar tells the bytes of a key: those of the dictionary, and what extended keys add.
func keyChar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '_' || c == '.' || c == '-' || c == '[' || c == ']'
}
