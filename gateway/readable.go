package gateway

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// readable is the payload as UTF-8, for it goes out as JSON; Raw keeps the bytes. A relay that knows no UTF-8 writes a name
// in the code page of Western Windows: so it is read where no character of more than one byte is in UTF-8. In other text
// what is damaged, or cut at the end, is one replacement character.
func readable(payload []byte) string {
	if utf8.Valid(payload) {
		return string(payload)
	}
	cut := 0
	for n := 1; n < utf8.UTFMax && n <= len(payload); n++ {
		if tail := payload[len(payload)-n:]; utf8.RuneStart(tail[0]) && !utf8.FullRune(tail) {
			cut = n
		}
	}
	whole, long := payload[:len(payload)-cut], false
	for rest := whole; len(rest) > 0 && !long; {
		_, size := utf8.DecodeRune(rest)
		long, rest = size > 1, rest[size:]
	}
	if !long && !utf8.Valid(whole) {
		if text, err := charmap.Windows1252.NewDecoder().Bytes(payload); err == nil {
			return string(text)
		}
	}
	return strings.ToValidUTF8(string(payload), "\ufffd")
}

// respelt undoes what relays make of letters beyond ASCII in names, so that they are those of the other service: rsyslog's octal
// numbers (#303#274), JSON's escapes (\u00fc), and UTF-8 that was taken for the code page of Western Windows and encoded once
// more (Ã¼).
func respelt(text string) string {
	if strings.Contains(text, "#3") { // with which all characters beyond ASCII begin
		text = withoutOctal(text)
	}
	if strings.Contains(text, `\u`) {
		text = withoutEscapes(text)
	}
	return encodedOnce(text)
}

// withoutOctal puts characters beyond ASCII in the place of rsyslog's numbers for the bytes of one.
func withoutOctal(text string) string {
	const number = len("#303")
	var b strings.Builder
	for at, done := 0, 0; ; {
		n := strings.IndexByte(text[at:], '#')
		if n < 0 {
			return b.String() + text[done:]
		}
		at += n
		var char [utf8.UTFMax]byte
		bytes := 0
		for bytes < len(char) {
			c, ok := octal(text[at+bytes*number:])
			if !ok {
				break
			}
			char[bytes] = c
			bytes++
		}
		_, size := utf8.DecodeRune(char[:bytes])
		if size < 2 { // and so no character beyond ASCII
			at++
			continue
		}
		b.WriteString(text[done:at])
		b.Write(char[:size])
		at += size * number
		done = at
	}
}

// octal reads the number for a byte beyond ASCII with which s may begin.
func octal(s string) (c byte, ok bool) {
	if len(s) < len("#303") || s[0] != '#' || s[1] != '2' && s[1] != '3' || s[2]&^7 != '0' || s[3]&^7 != '0' {
		return 0, false
	}
	return (s[1]-'0')<<6 | (s[2]-'0')<<3 | (s[3] - '0'), true
}

const escapeSize = len(`\u00fc`)

// withoutEscapes puts letters beyond ASCII in the place of their escapes in JSON. No other escape is one for sure: behind a
// domain's backslash the name of an account begins, as u0123456 and ubeda do.
func withoutEscapes(text string) string {
	var b strings.Builder
	for at, done := 0, 0; ; {
		n := strings.Index(text[at:], `\u`)
		if n < 0 {
			return b.String() + text[done:]
		}
		at += n
		r, ok := escaped(text[at:])
		if !ok || !surely(text, at, at > 0 && at == done) {
			at += len(`\u`)
			continue
		}
		b.WriteString(text[done:at])
		b.WriteRune(r)
		at += escapeSize
		done = at
	}
}

// escaped reads the escape of a letter beyond ASCII with which text may begin.
func escaped(text string) (r rune, ok bool) {
	if len(text) < escapeSize || text[:2] != `\u` || strings.Trim(text[2:escapeSize], "0123456789abcdefABCDEF") != "" {
		return 0, false
	}
	n, err := strconv.ParseUint(text[2:escapeSize], 16, 16)
	r = rune(n)
	return r, err == nil && r >= utf8.RuneSelf && unicode.IsLetter(r)
}

// surely tells whether what reads as an escape at offset at is one, and not the beginning of an account. behind tells that
// there is another one directly before it.
func surely(text string, at int, behind bool) bool {
	rest := text[at+escapeSize:]
	if _, before := escaped(rest); before || behind {
		return true
	}
	digits := text[at+2 : at+escapeSize]
	switch {
	case at > 0 && text[at-1] == '\\': // which is the backslash that is escaped
		return false
	case digits[0] != '0' || rest != "" && '0' <= rest[0] && rest[0] <= '9':
		return false
	case strings.ContainsAny(digits, "abcdefABCDEF"):
		return true
	}
	last, _ := utf8.DecodeLastRuneInString(text[:at]) // of a domain, perhaps
	return !unicode.IsLetter(last) && !unicode.IsDigit(last)
}

// encodedOnce undoes the second encoding where all characters beyond ASCII are those of one.
func encodedOnce(text string) string {
	const first = 0xc3 // the byte of UTF-8 with which each character that was encoded twice begins
	if strings.IndexByte(text, first) < 0 {
		return text
	}
	out := make([]byte, 0, len(text))
	for _, r := range text {
		c, ok := charmap.Windows1252.EncodeRune(r)
		if !ok && r < 0xa0 { // five bytes have no character there
			c, ok = byte(r), true
		}
		if !ok {
			return text
		}
		out = append(out, c)
	}
	if !utf8.Valid(out) {
		return text
	}
	return string(out)
}
