package cef

import (
	"fmt"
	"unicode/utf8"
)

// AppendText appends the event to b. Values are taken as plain text and escaped, so that nothing in
// them can pass for a bar, a key or another message: Parse returns them unchanged, with [Standard]
// unescaping, if the keys are [Known]. Fields without a value are left out; control characters other than line
// breaks, the separators U+0085, U+2028 and U+2029, and in the header line breaks too become blanks; bytes that aren't UTF-8 become U+FFFD.
// It fails on a version that is no number and on a key with characters that no key has.
func (e Event) AppendText(b []byte) ([]byte, error) {
	version := e.Version
	if version == "" {
		version = "0"
	}
	if len(version) > 2 || !all(version, func(c byte) bool { return '0' <= c && c <= '9' }) {
		return b, fmt.Errorf("cef version %q: want one or two digits", e.Version)
	}
	b = append(b, "CEF:"...)
	b = append(b, version...)
	for _, field := range [...]string{e.Vendor, e.Product, e.Device, e.Class, e.Name, e.Severity} {
		b = append(b, '|')
		b = appendEscaped(b, field, '|')
	}
	b = append(b, '|')
	blank := false
	for _, f := range e.Extension {
		if f.Key == "" || !all(f.Key, keyChar) {
			return b, fmt.Errorf("cef key %q: want letters and digits", f.Key)
		}
		if f.Value == "" {
			continue
		}
		if blank {
			b = append(b, ' ')
		}
		blank = true
		b = append(b, f.Key...)
		b = append(b, '=')
		b = appendEscaped(b, f.Value, '=')
	}
	return b, nil
}

// all tells whether every byte of s passes.
func all(s string, pass func(byte) bool) bool {
	for i := range len(s) {
		if !pass(s[i]) {
			return false
		}
	}
	return true
}

// appendEscaped escapes the backslash and special, which is the bar in the header and the equals
// sign in the extension. Only the extension can carry line breaks.
func appendEscaped(b []byte, s string, special byte) []byte {
	for len(s) > 0 {
		n := 0
		for n < len(s) && 0x20 <= s[n] && s[n] < 0x7f && s[n] != '\\' && s[n] != special {
			n++
		}
		if n > 0 { // nearly always all of it
			b, s = append(b, s[:n]...), s[n:]
			continue
		}
		r, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		switch {
		case r == '\\' || r == rune(special):
			b = append(b, '\\', byte(r))
		case r == '\n' && special == '=':
			b = append(b, '\\', 'n')
		case r == '\r' && special == '=':
			b = append(b, '\\', 'r')
		case breaking(r):
			b = append(b, ' ')
		default:
			b = utf8.AppendRune(b, r) // an invalid byte arrives as U+FFFD
		}
	}
	return b
}

// breaking tells the characters at which some reader ends a line or a string.
func breaking(r rune) bool {
	return r < 0x20 || 0x7f <= r && r < 0xa0 || r == '\u2028' || r == '\u2029'
}
