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

// withoutOctal puts bytes beyond ASCII in the place of rsyslog's numbers where they are characters of UTF-8.
func withoutOctal(text string) string {
	const number = len("#303")
	var b strings.Builder
	for {
		at := strings.IndexByte(text, '#')
		if at < 0 {
			return b.String() + text
		}
		b.WriteString(text[:at])
		text = text[at:]
		var run []byte
		rest := text
		for len(rest) >= number && rest[0] == '#' {
			n, err := strconv.ParseUint(rest[1:number], 8, 8)
			if err != nil || n < utf8.RuneSelf {
				break
			}
			run, rest = append(run, byte(n)), rest[number:]
		}
		if len(run) == 0 || !utf8.Valid(run) {
			run, rest = append(run[:0], '#'), text[1:]
		}
		b.Write(run)
		text = rest
	}
}

// withoutEscapes puts letters beyond ASCII in the place of their escapes in JSON. No other escape is one for sure: behind a
// domain's backslash the name of an account begins.
func withoutEscapes(text string) string {
	const digits = 4
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(text, `\u`)
		if !ok {
			return b.String() + text
		}
		b.WriteString(before)
		text = after
		n, err := strconv.ParseUint(text[:min(digits, len(text))], 16, 16)
		if r := rune(n); err != nil || len(text) < digits || r < utf8.RuneSelf || !unicode.IsLetter(r) {
			b.WriteString(`\u`)
			continue
		}
		b.WriteRune(rune(n))
		text = text[digits:]
	}
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
