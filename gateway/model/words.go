package model

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/sluice-siem/sluice/config/filter"
)

// What the full-text indexes hold are words as filter.Words gives them, a blank between them, and # after each text, so
// that nothing is found that begins in one and ends in the other.

// appendWords appends the words of the texts. One that stands in an earlier one already adds nothing.
func appendWords(b []byte, texts []string) []byte {
	begin := len(b)
	for _, text := range texts {
		at := len(b)
		b = appendText(append(b, ' '), text)
		if words := b[at:]; len(words) == 1 || bytes.Contains(b[begin:at], words) {
			b = b[:at]
		} else {
			b = append(b, '#')
		}
	}
	if len(b) == begin {
		b = append(b, '#')
	}
	return b
}

// appendText appends each word with a blank behind it.
func appendText(b []byte, text string) []byte {
	text = searched(text)
	at := len(b)
	for i := range len(text) {
		c := text[i]
		switch {
		case c >= utf8.RuneSelf:
			b = b[:at]
			for _, w := range filter.Words(text) {
				b = append(append(b, w...), ' ')
			}
			return b
		case 'A' <= c && c <= 'Z':
			b = append(b, c+'a'-'A')
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
			b = append(b, c)
		case len(b) > at && b[len(b)-1] != ' ':
			b = append(b, ' ')
		}
	}
	if len(b) > at && b[len(b)-1] != ' ' {
		b = append(b, ' ')
	}
	return b
}

// searched is as much of a text as words are looked for in.
func searched(text string) string {
	if len(text) <= mostText {
		return text
	}
	end := mostText
	for end > mostText-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// phrase is the expression that finds these words one after the other.
func phrase(words ...string) string {
	return `"` + strings.ReplaceAll(strings.Join(words, " "), `"`, `""`) + `"`
}
