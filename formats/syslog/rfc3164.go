package syslog

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"github.com/leodido/go-syslog/v4/rfc3164"
)

// dated reads a header with a BSD, RFC 3339 or other time and perhaps host and tag. from is where the
// message begins and at where its priority, if any, ends.
func (p *parser) dated(from, at int, m *Message) (body int, ok bool) {
	n, when, year := bsdStamp(p.line[at:], p.received)
	before := m.Form
	m.Form = RFC3164
	if n == 0 {
		n = wordEnd(p.line[at:])
		if when, ok = stamp(p.line[at : at+n]); ok {
			m.Form = ISO
		} else if n, when = otherStamp(p.line[at:]); n == 0 {
			m.Form = before
			return 0, false
		}
		year = true
	} else if rest := p.line[at+n:]; shaped(rest, " 20dd ") || shaped(rest, "+dd") || shaped(rest, "-dd") {
		if whole, at := otherStamp(p.line[at:]); whole > 0 {
			n, when, year = whole, at, true
		}
	}
	m.Time = when
	next := skipBlanks(p.line, at+n+closed(p.line[at+n:]))
	for _, stream := range [...]string{"stdout F ", "stderr F "} { // a container's, whole, as its runtime logs it
		if rest, ok := bytes.CutPrefix(p.line[next:], []byte(stream)); ok && m.Form == ISO {
			return len(p.line) - len(rest), true
		}
	}
	after := p.host(next, m)
	// The library would read a relay's second header as tag and text, so it isn't asked about one, nor
	// about the times that it is known to refuse.
	// Nor about an event without a tag of its own, for which it has no other answer than we, nor about one
	// behind a mark or an object, which it would take for the tag, as it does that of the host, {"ip":.
	asks := p.line[from] == '<' && p.line[at-1] == '>' && !year && bytes.IndexByte(p.line[at:at+n], '.') < 0 &&
		!bytes.HasPrefix(p.line[next:], []byte{'{'})
	if next := p.line[after:]; asks && !startsContent(next) && !startsHeader(next) && marks(next) == 0 {
		if body, ok := p.strict3164(from, m); ok {
			return body, true
		}
	}
	return p.tag(after, m), true
}

// strict3164 asks go-syslog. It returns the message behind the tag; a tag that is CEF is content.
func (p *parser) strict3164(from int, m *Message) (body int, ok bool) {
	got, err := rfc3164.NewMachine(rfc3164.WithRFC3339(), rfc3164.WithLenientDay()).Parse(p.line[from:])
	msg, isSyslog := got.(*rfc3164.SyslogMessage)
	if err != nil || !isSyslog || msg == nil || msg.Message == nil || msg.Appname == nil {
		return 0, false
	}
	if deref(msg.Hostname) != m.Host {
		return 0, false // it takes the host 2001:db8::7 for the tag 2001
	}
	body = len(p.line) - len(*msg.Message)
	if *msg.Appname == tag {
		colon := bytes.LastIndex(p.line[:body], []byte(tag+":"))
		if colon < 0 {
			return 0, false
		}
		if hasTag(p.line[colon:]) { // and not a mark between the tag and the digit
			body = colon
		}
	}
	m.App, m.Proc = *msg.Appname, deref(msg.ProcID)
	return skipMarks(p.line, body), true
}

// host reads the host at offset at and returns where what follows it begins. What is content, a tag
// or a header can't be a host.
func (p *parser) host(at int, m *Message) (next int) {
	rest := p.line[at:]
	word := rest[:wordEnd(rest)]
	if next := p.described(at, m); next > 0 {
		return next
	}
	if next := p.forwarded(at, m); next > 0 {
		return next
	}
	switch {
	case len(word) == 0, len(word) == len(rest), startsContent(rest), startsHeader(rest), marks(rest) > 0, word[len(word)-1] == ':':
		return at
	}
	if n, _ := bareTag(rest); n > 0 {
		return at
	}
	if bytes.IndexByte(word, '|') >= 0 || bytes.HasSuffix(word, []byte("]:")) {
		return at
	}
	m.Host = value(word)
	next = skipBlanks(p.line, at+len(word))
	end, zone := p.second(next), isZone(word)
	if zone && end > 0 {
		m.Host = value(p.line[next : next+end])
	}
	if zone || bytes.ContainsAny(p.line[next:next+end], ".0123456789") {
		next = skipBlanks(p.line, next+end)
	}
	return next
}

// described returns the offset behind an object at offset at that tells of the host, as Logstash writes it in the host's place,
// {"ip":"192.0.2.9"}, or behind a priority {name=relay}; 0 where there is none, or no event or header behind it and perhaps a tag.
// A program's own object may begin there too, in whose texts, which anybody can write, a brace closes nothing.
func (p *parser) described(at int, m *Message) (next int) {
	const longest = 1 << 10
	rest := p.line[at:]
	if len(rest) == 0 || rest[0] != '{' {
		return 0
	}
	var object json.RawMessage
	d := json.NewDecoder(bytes.NewReader(rest[:min(len(rest), longest)]))
	if d.Decode(&object) == nil {
		next = at + len(object)
	} else if name, ok := bytes.CutPrefix(rest, []byte("{name=")); ok && m.Priority >= 0 {
		next = at + len("{name=") + len(name) - len(bytes.TrimLeftFunc(name, inHost))
		if next == len(p.line) || p.line[next] != '}' {
			return 0
		}
		next++
	}
	if next == 0 || next == len(p.line) || !blank(p.line[next]) {
		return 0
	}
	next = skipBlanks(p.line, next)
	if body := p.line[p.tag(next, &Message{}):]; !hasTag(body) && !startsHeader(body) {
		return 0
	}
	return next
}

// inHost tells what stands in the name of a host.
func inHost(r rune) bool {
	return r < utf8.RuneSelf && (letter(byte(r)) || digit(byte(r)) || r == '.' || r == '-' || r == '_')
}

// forwarded reads the host as AIX writes it before what it passes on, and returns where the message begins; 0 where it isn't there.
func (p *parser) forwarded(at int, m *Message) (next int) {
	rest := p.line[at:]
	for _, begin := range [...]string{"Message forwarded from ", "Forwarded from "} {
		from, ok := bytes.CutPrefix(rest, []byte(begin))
		if host, colon := bytes.CutSuffix(from[:wordEnd(from)], []byte{':'}); ok && colon && len(host) > 0 {
			m.Host = string(host)
			return skipBlanks(p.line, len(p.line)-len(from)+len(host)+1)
		}
	}
	return 0
}

// numberedBySolaris returns how many bytes of b are the number of a message with its facility, [ID 702911 auth.warning], and a blank.
func numberedBySolaris(b []byte) int {
	const longest = 48
	rest, ok := bytes.CutPrefix(b, []byte("[ID "))
	end := bytes.Index(rest[:min(len(rest), longest)], []byte("] "))
	if number, of, two := bytes.Cut(rest[:max(end, 0)], []byte{' '}); !ok || !two || len(bytes.Trim(number, "0123456789")) > 0 || bytes.IndexByte(of, '.') < 0 {
		return 0
	}
	return len(b) - len(rest) + end + len("] ")
}

// second returns how long the word at offset at is, if one stands between what was taken for the host and an event that has
// its own tag: the host behind a zone, or the one before which a relay has put its own name. A word of a language would be
// what somebody says of an event.
func (p *parser) second(at int) int {
	rest := p.line[at:]
	end := wordEnd(rest)
	if end == 0 || end == len(rest) || !hasTag(p.line[skipBlanks(p.line, at+end):]) || startsContent(rest) || startsHeader(rest) {
		return 0
	}
	if len(bytes.TrimLeftFunc(rest[:end], inHost)) > 0 {
		return 0
	}
	return end
}

// closed returns how many bytes of b are a colon that closes the time, as some devices write it, with the zone before it.
func closed(b []byte) int {
	word := b
	if len(b) > 0 && b[0] == ' ' {
		word = b[1:]
	}
	zone, colon := bytes.CutSuffix(word[:wordEnd(word)], []byte{':'})
	if !colon || len(zone) > 0 && !isZone(zone) {
		return 0
	}
	return len(b) - len(word) + len(zone) + 1
}

// isZone tells the abbreviations that some devices write behind a BSD time.
func isZone(word []byte) bool {
	switch string(word) {
	case "UTC", "GMT", "WET", "WEST", "CET", "CEST", "EET", "EEST", "MSK", "BST", "EST", "EDT", "CST", "CDT", "MST", "MDT", "PST", "PDT",
		"SGT", "HKT", "JST", "IST", "AEST", "AEDT", "NZST", "NZDT":
		return true
	}
	return false
}

// tag reads the tag at offset at, "app:" or "app[proc]:" and a blank, and returns where the content
// begins. CEF is no tag but how an event begins.
func (p *parser) tag(at int, m *Message) (body int) {
	const longest = 48 // as go-syslog, which follows what is seen rather than RFC 3164's 32
	at = skipMarks(p.line, at)
	if word := p.line[at:]; len(word) > 1 && word[0] == ':' && blank(word[1]) { // by itself, as some devices write it
		at = skipMarks(p.line, at+1)
	}
	at += numberedBySolaris(p.line[at:])
	rest := p.line[at:]
	if startsContent(rest) {
		if hasTag(rest) {
			m.App = tag
		}
		return at
	}
	if startsHeader(rest) {
		return at
	}
	if n, process := bareTag(rest); n > 0 {
		m.App, m.Proc = tag, process
		return at + n
	}
	word := rest[:wordEnd(rest)]
	name, isTag := bytes.CutSuffix(word, []byte{':'})
	if !isTag || len(name) == 0 || len(name) > longest {
		return at
	}
	if open := bytes.IndexByte(name, '['); open > 0 && name[len(name)-1] == ']' {
		m.Proc, name = string(name[open+1:len(name)-1]), name[:open]
	}
	m.App = string(name)
	return skipMarks(p.line, skipBlanks(p.line, at+len(word)))
}
