package syslog

import (
	"bytes"
	"strings"
	"time"
	"unicode/utf8"
)

// otherStamp reads what some relays write in the place of RFC 3164's time: a date in figures, the day of the week, the month in
// another language, the year behind the time, seconds since 1970. It returns its length, 0 if there is none, and the zero time
// for a date that can't be told without knowing the place.
func otherStamp(b []byte) (n int, t time.Time) {
	if n, t = epoch(b); n > 0 {
		return n, t
	}
	const mostWords = 5 // Mon, 06 Mar 2023 08:59:12
	named, numbered := 0, 0
	for range mostWords {
		word := b[n : n+wordEnd(b[n:])]
		switch {
		case isClock(word) && numbered > 0:
			n += behindClock(b[n:])
			return n, dateOf(b[:n])
		case !isDate(word):
			return 0, t
		case bytes.ContainsAny(word, "0123456789"):
			numbered++
		default:
			named++
		}
		if n = skipBlanks(b, n+len(word)); named > 2 || n == len(b) {
			return 0, t
		}
	}
	return 0, t
}

// isClock tells a time of day at the beginning of b. Some leave out the zero before an hour.
func isClock(b []byte) bool { return shaped(b, "dd:dd:dd") || shaped(b, "d:dd:dd") }

// isDate tells a word that may be part of a date: a month or a day in letters of any language, figures, or both.
func isDate(word []byte) bool {
	const longest = 12 // bytes
	word = bytes.TrimRight(word, ".,")
	if len(word) == 0 || len(word) > longest {
		return false
	}
	letters, figures, marks := 0, 0, 0
	for _, c := range word {
		switch {
		case letter(c), c >= utf8.RuneSelf:
			letters++
		case digit(c):
			figures++
		case c == '-', c == '/', c == '.':
			marks++
		default:
			return false
		}
	}
	if marks > 0 {
		return letters == 0 && marks == 2 && figures >= len("1123")
	}
	return figures == 0 && letters > 1 || figures <= len("2023")
}

// behindClock returns the length of a time of day with its half of the day, year and zone.
func behindClock(b []byte) int {
	n := wordEnd(b)
	for range 2 {
		word := b[min(n+1, len(b)):]
		word = word[:wordEnd(word)]
		switch {
		case len(word) == len("PM") && (strings.EqualFold(string(word), "am") || strings.EqualFold(string(word), "pm")):
		case len(word) == len("2023") && shaped(word, "20dd"):
		case len(word) == len("+0100") && (shaped(word, "+dddd") || shaped(word, "-dddd")):
		default:
			return n
		}
		n += 1 + len(word)
	}
	return n
}

// dateOf reads a whole date and time, of whose forms these are unambiguous.
func dateOf(b []byte) time.Time {
	text := strings.Join(strings.Fields(string(b)), " ")
	for _, layout := range [...]string{
		"2006-01-02 15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 -0700", "2006/01/02 15:04:05",
		"02.01.2006 15:04:05", "Mon Jan 2 15:04:05 2006", "Jan 2 15:04:05 2006", "Mon, 02 Jan 2006 15:04:05 -0700",
	} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// epoch reads seconds since 1970, perhaps with a fraction, or milliseconds.
func epoch(b []byte) (n int, t time.Time) {
	const seconds, milliseconds = 10, 13 // figures, up to 2033
	if len(b) == 0 || b[0] != '1' {
		return 0, t
	}
	word := b[:wordEnd(b)]
	whole, fraction, _ := bytes.Cut(word, []byte{'.'})
	number := int64(0)
	for _, c := range append(bytes.Clone(whole), fraction...) {
		if !digit(c) {
			return 0, t
		}
	}
	for _, c := range whole {
		number = number*10 + int64(c-'0')
	}
	switch {
	case len(whole) == seconds:
		return len(word), time.Unix(number, 0).UTC()
	case len(word) == milliseconds:
		return len(word), time.UnixMilli(number).UTC()
	}
	return 0, t
}
