// Package leef translates between IBM's Log Event Extended Format and Events: versions 1.0 and 2.0 of
// "LEEF: Log Event Extended Format", the guide for QRadar.
//
// # Decisions
//
// The format has no escapes. What would end a value, a header field or the line is therefore replaced by
// a blank when an event is written, and the text of a value is what stands between its key and the next
// delimiter when one is read.
package leef

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrNotLEEF is returned by [Parse] for text that doesn't begin as a LEEF event does.
var ErrNotLEEF = errors.New("not a LEEF event")

// Event is one LEEF event.
type Event struct {
	Version    string // 1.0 or 2.0
	Vendor     string
	Product    string
	Device     string // version of the product
	ID         string // what kind of event it is
	Delimiter  byte   // between attributes; 0 is a tab, which 1.0 always has
	Attributes []Attribute
}

// Attribute is one key with its value. Their order is kept.
type Attribute struct{ Key, Value string }

// Get returns the first value of a key, or "".
func (e Event) Get(key string) string {
	for _, a := range e.Attributes {
		if a.Key == key {
			return a.Value
		}
	}
	return ""
}

// AppendText appends the event to b, on one line: bars in the header, the delimiter in values, and in both
// what ends a line or obeys a terminal become blanks, bytes that aren't UTF-8 U+FFFD. Attributes without a
// value are left out. It fails for a version other than 1.0 and 2.0, a delimiter that can be part of a key
// or of the header or a line end, and a key with other characters than letters, digits, '_', '-' and '.'.
func (e Event) AppendText(b []byte) ([]byte, error) {
	d := e.delimiter()
	switch {
	case e.Version != "1.0" && e.Version != "2.0":
		return b, fmt.Errorf("leef version %q: want 1.0 or 2.0", e.Version)
	case e.Version == "1.0" && d != '\t':
		return b, fmt.Errorf("leef delimiter %q: version 1.0 knows only the tab", d)
	case d != '\t' && (d <= ' ' || d >= 0x7f || d == '=' || d == '|' || keyChar(d)):
		return b, fmt.Errorf("leef delimiter %q: want a tab or a mark other than = and |", d)
	}
	out := append(append(b, "LEEF:"...), e.Version...)
	for _, field := range [...]string{e.Vendor, e.Product, e.Device, e.ID} {
		out = appendWithout(append(out, '|'), field, '|')
	}
	out = append(out, '|')
	switch {
	case e.Version == "1.0":
	case d == '\t':
		out = append(out, "x09|"...)
	default:
		out = append(out, d, '|')
	}
	first := true
	for _, a := range e.Attributes {
		if !isKey(a.Key) {
			return b, fmt.Errorf("leef key %q: want letters and digits", a.Key)
		}
		if a.Value == "" {
			continue
		}
		if !first {
			out = append(out, d)
		}
		first = false
		out = appendWithout(append(append(out, a.Key...), '='), a.Value, d)
	}
	return out, nil
}

func (e Event) delimiter() byte {
	if e.Delimiter == 0 {
		return '\t'
	}
	return e.Delimiter
}

// appendWithout appends s with a blank for each special and each character that ends a line or a string
// for some reader.
func appendWithout(b []byte, s string, special byte) []byte {
	for len(s) > 0 {
		n := 0
		for n < len(s) && ' ' <= s[n] && s[n] < 0x7f && s[n] != special {
			n++
		}
		if n > 0 { // nearly always all of it
			b, s = append(b, s[:n]...), s[n:]
			continue
		}
		r, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		if r == rune(special) || r < ' ' || 0x7f <= r && r < 0xa0 || r == '\u2028' || r == '\u2029' {
			r = ' '
		}
		b = utf8.AppendRune(b, r) // an invalid byte arrives as U+FFFD
	}
	return b
}

func isKey(s string) bool {
	for i := range len(s) {
		if !keyChar(s[i]) {
			return false
		}
	}
	return s != ""
}

func keyChar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-' || c == '.'
}

// Parse reads one event, without a syslog header before it. Text between two delimiters that has no key
// belongs to the value before it; before the first key it is lost. The error is ErrNotLEEF, or says what
// of the header is missing.
func Parse(text string) (Event, error) {
	rest, ok := strings.CutPrefix(text, "LEEF:")
	if !ok {
		return Event{}, ErrNotLEEF
	}
	var e Event
	for _, field := range [...]*string{&e.Version, &e.Vendor, &e.Product, &e.Device, &e.ID} {
		if *field, rest, ok = strings.Cut(rest, "|"); !ok {
			return Event{}, fmt.Errorf("leef header: no bar after %q", *field)
		}
	}
	e.Version = strings.TrimSpace(e.Version)
	e.Delimiter = '\t'
	switch e.Version {
	case "1.0":
	case "2.0":
		var err error
		if e.Delimiter, rest, err = delimiter(rest); err != nil {
			return Event{}, err
		}
	default:
		return Event{}, fmt.Errorf("leef version %q: want 1.0 or 2.0", e.Version)
	}
	d := string(rune(e.Delimiter))
	for part := range strings.SplitSeq(rest, d) {
		key, value, ok := strings.Cut(part, "=")
		last := len(e.Attributes) - 1
		switch {
		case ok && isKey(key):
			e.Attributes = append(e.Attributes, Attribute{key, value})
		case last >= 0:
			e.Attributes[last].Value += d + part
		}
	}
	return e, nil
}

// delimiter reads the header field of that name: a character, a hexadecimal number as in x09 or 0x5E, or
// nothing for a tab. Some senders leave the field out; then the first attribute stands in its place.
func delimiter(rest string) (d byte, attributes string, err error) {
	field, after, ok := strings.Cut(rest, "|")
	switch {
	case !ok || len(field) > len("0x0000"):
		return '\t', rest, nil
	case field == "":
		return '\t', after, nil
	case len(field) == 1 && field[0] < 0x80:
		return field[0], after, nil
	}
	digits, isHex := strings.CutPrefix(strings.ToLower(strings.TrimPrefix(field, "0")), "x")
	n, err := strconv.ParseUint(digits, 16, 7)
	if !isHex || err != nil {
		return 0, "", fmt.Errorf("leef delimiter %q: want a character or its hexadecimal number", field)
	}
	return byte(n), after, nil
}
