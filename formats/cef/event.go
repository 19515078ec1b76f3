// Package cef translates between ArcSight's Common Event Format and Events: the header with its
// escapes and the extension with its keys, also where a service writes either of them carelessly.
//
// # Decisions
//
// A key counts only if it is in the dictionary (see [Known]) and stands after a blank or a tab, which some
// collectors write, because the services leave the equals sign unescaped in values. Everything else is text of
// the value before it. Values stay as they were written, every byte: joining them gives the extension back
// ([Event.Text]), with a blank for such a tab or another separator, which lets a translator put a key that somebody
// smuggled into a value back into that value. Four things that some relays do to every field are undone first: keys
// under their full names, keys in lower case, quotation marks around the values, and other separators than blanks.
package cef

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrNotCEF is returned by [Parse] for text that doesn't begin as a CEF event does.
var ErrNotCEF = errors.New("not a CEF event")

// ParseError says where the header of a CEF event breaks off.
type ParseError struct {
	Offset int // in the text given to Parse, in bytes
	Msg    string
}

// Error gives the offset and what was missed there.
func (e *ParseError) Error() string { return fmt.Sprintf("cef header at byte %d: %s", e.Offset, e.Msg) }

// Event is one CEF event. The header fields are unescaped. The values of the extension are as written
// after Parse, and plain text in an event that is to be written; [Event.Unescaped] leads from the
// first to the second.
type Event struct {
	Version   string // digits, 0 in nearly all events; empty where the sender left it out
	Vendor    string // Device Vendor
	Product   string // Device Product
	Device    string // Device Version
	Class     string // Device Event Class ID
	Name      string //
	Severity  string // 0 to 10, or a word
	Extension []Field
	Shifted   bool // the name has a bar that isn't escaped, which shifts the columns for whoever doesn't expect it
}

// Field is one key with its value. Keys may repeat; their order is kept.
type Field struct{ Key, Value string }

// Dialect is the care with which a sender escapes values.
type Dialect uint8

// The dialects. Thin senders write a backslash of their own unescaped, as in HARBOUR\nadia, so a
// backslash before n or r is no line break.
const (
	Standard Dialect = iota
	Thin
)

// Text returns the value without its escapes: \= \\ \| and, except in the thin dialect, \n and \r.
// Any other backslash stands for itself.
func (f Field) Text(d Dialect) string { return Unescape(f.Value, d) }

// Unescape is [Field.Text] for a value that has no field.
func Unescape(s string, d Dialect) string {
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	b.WriteString(s[:i])
	for ; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		c := s[i+1]
		switch {
		case c == '=' || c == '\\' || c == '|':
		case c == 'n' && d == Standard:
			c = '\n'
		case c == 'r' && d == Standard:
			c = '\r'
		default:
			b.WriteByte('\\')
			continue
		}
		b.WriteByte(c)
		i++
	}
	return b.String()
}

// Unquote returns the text of a label without the quotation marks and blanks around it, of whatever
// language's kind.
func Unquote(label string) string {
	if label == "" || bare(label[0]) && bare(label[len(label)-1]) {
		return label // at a fraction of the cost
	}
	return strings.Trim(label, "\"'“”„‟ ")
}

// bare tells whether c is a character by itself, and no blank or quotation mark.
func bare(c byte) bool { return ' ' < c && c < 0x7f && c != '"' && c != '\'' }

// Text returns what the sender wrote from the value of field i up to the key of field j, escapes and
// all: the value of field i where j is i+1, else that value with the fields between as part of it.
func (e Event) Text(i, j int) string {
	if j <= i+1 {
		return e.Extension[i].Value
	}
	var b strings.Builder
	b.WriteString(e.Extension[i].Value)
	for _, f := range e.Extension[i+1 : j] {
		b.WriteByte(' ')
		b.WriteString(f.Key)
		b.WriteByte('=')
		b.WriteString(f.Value)
	}
	return b.String()
}

// Unescaped returns the event with plain text in its values, as [Event.AppendText] wants it.
func (e Event) Unescaped(d Dialect) Event {
	plain := make([]Field, len(e.Extension))
	for i, f := range e.Extension {
		plain[i] = Field{Key: f.Key, Value: f.Text(d)}
	}
	e.Extension = plain
	return e
}

// Rank returns the severity as a number from 0 to 10. The words are those of the CEF guide, each as
// the highest number it stands for; anything else has no rank.
func (e Event) Rank() (n int, ok bool) { return rank(e.Severity) }

func rank(severity string) (n int, ok bool) {
	s := strings.TrimSpace(severity)
	if n, err := strconv.Atoi(s); err == nil {
		return n, 0 <= n && n <= 10
	}
	switch strings.ToLower(s) {
	case "informational", "info":
		return 0, true
	case "low":
		return 3, true
	case "medium":
		return 6, true
	case "high":
		return 8, true
	case "very-high":
		return 10, true
	}
	return 0, false
}
