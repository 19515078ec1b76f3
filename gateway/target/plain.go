package target

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// plain is what the other side said as a line of a log, for an operator: without what a terminal would obey,
// what begins another line, and what hides text or turns it around; and no longer than an operator reads.
func plain(said string) string { return plainUpTo(300, said) }

func plainUpTo(most int, said string) string {
	cut := len(said) > 4*most // of which many may be blanks
	said = strings.ToValidUTF8(said[:min(len(said), 4*most)], "\ufffd")
	said = strings.Join(strings.Fields(strings.Map(visible, said)), " ")
	if len(said) > most {
		end := most
		for !utf8.RuneStart(said[end]) {
			end--
		}
		said, cut = said[:end], true
	}
	if cut {
		said += "…"
	}
	return said
}

// visible is a blank for each character that is none to be seen.
func visible(r rune) rune {
	if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
		return ' '
	}
	return r
}

// saidError is an error with words of the other side in it, and ours around them: it is told in plain text.
type saidError struct{ error }

// Error implements error.
func (s saidError) Error() string { return plainUpTo(1000, s.error.Error()) }

// Unwrap implements errors.Is.
func (s saidError) Unwrap() error { return s.error }
