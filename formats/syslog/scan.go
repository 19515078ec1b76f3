package syslog

import (
	"bytes"
	"strings"
	"time"
)

// priority reads <0> to <191> (RFC 5424 section 6.2.1), with or without leading zeros, which only
// careless senders write, as they do greater numbers: those are -1, for none.
func priority(b []byte) (n, pri int, ok bool) {
	const digits, greatest = 5, 191
	if len(b) == 0 || b[0] != '<' {
		return 0, 0, false
	}
	for n = 1; n < len(b) && n <= digits && digit(b[n]); n++ {
		pri = pri*10 + int(b[n]-'0')
	}
	if n == 1 || n == len(b) || b[n] != '>' {
		return 0, 0, false
	}
	if pri > greatest {
		pri = -1
	}
	return n + 1, pri, true
}

// counted returns how many bytes of b are an octet count (RFC 6587 section 3.4.1) and its blank, where b ends as it says:
// what a relay forwards, or writes to a file, of a stream that it didn't take apart. Line ends that it counted may be gone.
func counted(b []byte) int {
	const longest, lineEnd = 6, 2
	n, count := 0, 0
	for ; n < len(b) && n <= longest && digit(b[n]); n++ {
		count = count*10 + int(b[n]-'0')
	}
	if n == 0 || n+1 >= len(b) || b[0] == '0' || b[n] != ' ' {
		return 0
	}
	if rest := len(b) - n - 1; count < rest || rest+lineEnd < count {
		return 0
	}
	return n + 1
}

// stamp reads an RFC 3339 time with any number of fractional digits.
func stamp(b []byte) (time.Time, bool) {
	if !shaped(b, "dddd-dd-ddTdd:dd:dd") && !shaped(b, "dddd-dd-ddtdd:dd:dd") {
		return time.Time{}, false
	}
	if bytes.ContainsAny(b, "tz") { // the letters may be small (section 5.6)
		b = bytes.ToUpper(b)
	}
	var t time.Time
	if t.UnmarshalText(b) == nil {
		return t.UTC(), true
	}
	for _, layout := range [...]string{
		"2006-01-02T15:04:05",      // no zone: UTC, as everything the services write
		"2006-01-02T15:04:05Z0700", // no colon in the zone (ISO 8601's basic format), as many a relay writes
		"2006-01-02T15:04:05Z07",   // nor the minutes
	} {
		if t, err := time.Parse(layout, string(b)); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// bareTag returns how many bytes of b are "CEF[123]", with or without a colon and blanks behind it, and the 123: that
// is what a relay makes of the sensor's application and process; or "CEF" and a blank, where there is no process. What stands behind
// it must begin an event.
func bareTag(b []byte) (n int, process string) {
	const longest = 32
	rest, ok := bytes.CutPrefix(b, []byte(tag))
	if !ok || len(rest) == 0 || rest[0] != '[' && !blank(rest[0]) {
		return 0, ""
	}
	if rest[0] == '[' {
		end := bytes.IndexByte(rest, ']')
		if end <= len("[") || end > longest || bytes.IndexByte(rest[:end], ' ') >= 0 {
			return 0, ""
		}
		process, rest = string(rest[len("["):end]), bytes.TrimPrefix(rest[end+1:], []byte{':'})
	}
	n = skipMarks(b, len(b)-len(rest))
	if content := b[n:]; len(content) == 0 || content[0] != '|' && !shaped(content, "d|") {
		return 0, ""
	}
	return n, process
}

// bsdStamp reads "Jan _2 15:04:05" (RFC 3164 section 4.1.2), with a zero for the blank, a year before
// or behind the time, and a fraction of the second. It returns its length, 0 if there is none.
func bsdStamp(b []byte, received time.Time) (n int, t time.Time, year bool) {
	if !shaped(b, "Aaa ") && !shaped(b, "aaa ") || len(b) < len("Jan 2 15:04:05") {
		return 0, t, false
	}
	end := len("Jan 2 15:04:05")
	for end < len(b) && (digit(b[end]) || b[end] == '.') {
		end++
	}
	for _, layout := range [...]string{"Jan _2 15:04:05", "Jan _2 2006 15:04:05"} {
		year = len(layout) > len("Jan _2 15:04:05")
		if year {
			for end = min(len(b), len("Jan 2 2006 15:04:05")); end < len(b) && (digit(b[end]) || b[end] == '.'); end++ {
			}
		}
		if t, err := time.Parse(layout, string(b[:end])); err == nil {
			if !year {
				t = nearest(t, received)
			}
			return end, t, year
		}
	}
	return 0, t, false
}

// nearest returns t in the year that brings it nearest to received, so that a December message that
// arrives in January isn't eleven months in the future.
func nearest(t, received time.Time) time.Time {
	received = received.UTC()
	best := time.Time{}
	for _, year := range [...]int{received.Year(), received.Year() - 1, received.Year() + 1} {
		c := time.Date(year, t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
		if c.Day() != t.Day() {
			continue // 29 February
		}
		if best.IsZero() || c.Sub(received).Abs() < best.Sub(received).Abs() {
			best = c
		}
	}
	return best
}

// columns reads what a syslog server's display puts in front of a message, "02-21-2018 16:19:35
// Auth.Warning 192.168.0.220 " with blanks or tabs between, as in the samples of Microsoft's pages.
func (p *parser) columns(at int, m *Message) (next int, ok bool) {
	rest := p.line[at:]
	if !shaped(rest, "dd-dd-dddd") && !shaped(rest, "ddd-dd-dddd") && !shaped(rest, "dddd-dd-dd ") && !shaped(rest, "dddd-dd-dd\t") {
		return 0, false
	}
	var word [4][]byte
	for i := range word {
		end := wordEnd(rest)
		if end == 0 || end == len(rest) {
			return 0, false
		}
		word[i] = rest[:end]
		rest = rest[skipBlanks(rest, end):]
	}
	facility, severity, dotted := bytes.Cut(word[2], []byte{'.'})
	if !shaped(word[1], "dd:dd:dd") || !dotted || len(facility) == 0 || len(severity) == 0 || !letter(severity[0]) {
		return 0, false
	}
	m.Host = string(word[3])
	return len(p.line) - len(rest), true
}

// startsContent tells whether b begins as an event or a JSON object does.
func startsContent(b []byte) bool {
	return hasTag(b) || len(b) > 0 && (b[0] == '{' || b[0] == '|') || shaped(b, "d|")
}

// hasTag tells whether b begins with "CEF:" and, perhaps after a blank, a version. Some relays fold all that they pass on.
func hasTag(b []byte) bool {
	const begin = tag + ":"
	if len(b) < len(begin) || b[0]|0x20 != 'c' || !strings.EqualFold(string(b[:len(begin)]), begin) {
		return false
	}
	rest := bytes.TrimLeft(b[len(begin):], " ")
	return len(rest) > 0 && digit(rest[0])
}

// startsHeader tells whether b begins as a header does.
func startsHeader(b []byte) bool {
	if len(b) == 0 || b[0] != '<' && !digit(b[0]) && (b[0] < 'A' || 'Z' < b[0]) || hasTag(b) {
		return false
	}
	if _, _, ok := priority(b); ok {
		return true
	}
	for _, shape := range [...]string{
		"1 dddd-dd-ddT", "dddd-dd-ddT", "Aaa dd dd:", "Aaa  d dd:", "Aaa d dd:", "Aaa dd dddd dd:", "Aaa  d dddd dd:",
	} {
		if shaped(b, shape) {
			return true
		}
	}
	return false
}

// shaped tells whether b begins with the shape: d is a digit, A a capital and a a small letter,
// anything else itself.
func shaped(b []byte, shape string) bool {
	if len(b) < len(shape) {
		return false
	}
	for i := range len(shape) {
		c, ok := b[i], false
		switch shape[i] {
		case 'd':
			ok = digit(c)
		case 'A':
			ok = 'A' <= c && c <= 'Z'
		case 'a':
			ok = 'a' <= c && c <= 'z'
		default:
			ok = c == shape[i]
		}
		if !ok {
			return false
		}
	}
	return true
}

// marks returns how many bytes at the beginning of b are byte order marks: U+FEFF in UTF-8, and what is made of its three bytes
// by who takes them for Latin-1, as on Microsoft's pages, for the code page of a console, for ASCII, or for what no terminal
// should see, as rsyslog, syslog-ng and FreeBSD's syslogd.
func marks(b []byte) (n int) {
	for {
		at := n
		if n < len(b) && strings.IndexByte("\xef\xc3\xe2?#\\M", b[n]) >= 0 {
			for _, mark := range [...]string{"\ufeff", "ï»¿", "∩╗┐", "???", "\ufffd\ufffd\ufffd", "#357#273#277", `\xef\xbb\xbf`, "M-oM-;M-?"} {
				if bytes.HasPrefix(b[n:], []byte(mark)) {
					n += len(mark)
				}
			}
		}
		if n == at {
			return n
		}
	}
}

// skipMarks returns the offset at or after at where neither blanks nor byte order marks stand.
func skipMarks(b []byte, at int) int {
	for {
		next := skipBlanks(b, at)
		next += marks(b[next:])
		if next == at {
			return at
		}
		at = next
	}
}

// wordEnd returns where the first blank of b stands, its length if there is none.
func wordEnd(b []byte) int {
	for i, c := range b {
		if blank(c) {
			return i
		}
	}
	return len(b)
}

// skipBlanks returns the offset at or after at where no blank stands.
func skipBlanks(b []byte, at int) int {
	for at < len(b) && blank(b[at]) {
		at++
	}
	return at
}

// ends are line ends, which NULs are too in some streams.
const ends = "\r\n\x00"

// TrimEnd cuts line ends, NULs and blanks off the end, also a carriage return, a line feed or a NUL as rsyslog writes them, #015,
// #012 and #000, directly behind the last word.
func TrimEnd(b []byte) []byte {
	const blanks = " \t"
	for {
		b = bytes.TrimRight(b, ends+blanks)
		text := b
		for _, written := range [...]string{"#000", "#012", "#015"} {
			text = bytes.TrimSuffix(text, []byte(written))
		}
		if len(text) == len(b) || len(bytes.TrimRight(text, blanks)) < len(text) {
			return b
		}
		b = text
	}
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

func digit(c byte) bool { return '0' <= c && c <= '9' }

func letter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
