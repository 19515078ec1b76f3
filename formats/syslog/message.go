// Package syslog translates between bytes and syslog messages: RFC 5424 and RFC 3164 through
// go-syslog, the headers that services and collectors really write where that gives up, the framing
// of RFC 6587, and headers of our own for what is forwarded.
//
// # Decisions
//
// Content is found by reading the header from the left, never by looking for it in the text: what a
// web server logs about a request can't become an alert. A second header, which a relay has put its
// own in front of, counts only where the content of the first begins, and only if an event or a JSON
// object begins behind it; else it is text.
//
// A line without any header is content from its first byte; Parse fails for an empty line only.
package syslog

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"time"
)

// ErrEmpty is returned by [Parse] for a line with nothing but blanks, line ends and NULs.
var ErrEmpty = errors.New("empty syslog message")

// Form names the kind of header that stands directly before the content.
type Form string

// The forms.
const (
	RFC5424  Form = "rfc5424"  // with version, time, host, app, process and message id
	RFC3164  Form = "rfc3164"  // with a BSD time stamp
	ISO      Form = "iso"      // with an RFC 3339 time where RFC 3164 has its own, as the SIEM agent writes
	Priority Form = "priority" // a priority and nothing else
	Columns  Form = "columns"  // the columns of a syslog server's display
	Bare     Form = "bare"     // no header
)

// Message is what the header says, and where the content begins. A field that the header doesn't have
// is empty. Behind a relay the values are those of the inner header, the service's own.
type Message struct {
	Priority int       // facility times 8 plus severity; -1 where there is none
	Time     time.Time // a BSD stamp is read as UTC in the year that brings it nearest to the arrival
	Host     string
	App      string // APP-NAME, or the tag
	Proc     string // PROCID, or what stands in the tag's brackets
	MsgID    string
	Body     int // offset of the content, behind structured data and byte order marks; a tag that is CEF belongs to the content
	Form     Form
}

// maxHeaders bounds how many headers may stand in front of each other.
const maxHeaders = 6

// Parse reads the header of line, a message after unframing (RFC 5424, RFC 3164, and the forms of
// this package's constants). received decides the year of a BSD stamp. A line whose header nobody
// understands is [Bare]: all of it is content. The error is [ErrEmpty] or nil.
func Parse(line []byte, received time.Time) (Message, error) {
	end := len(TrimEnd(line))
	// Collectors that read a file may leave its byte order mark in front of the first header, and those that take a NUL
	// for the end of a message and a line feed too, the other one of them.
	start := end - len(bytes.TrimLeft(line[:end], ends))
	start = skipMarks(line[:end], start)
	if start == end {
		return Message{Priority: -1, Form: Bare}, ErrEmpty
	}
	start += counted(line[start:end])
	p := parser{line: line[:end], start: start, received: received}
	m, ok := p.header(start)
	if !ok {
		m, ok = p.addressed(start)
	}
	if !ok {
		m = Message{Priority: -1, Form: Bare, Body: skipMarks(p.line, start)}
		return m, nil
	}
	if p.payload(m) {
		return m, nil
	}
	outer := m
	for range maxHeaders - 1 {
		// A relay that doesn't know octet counts takes one for the beginning of the message.
		inner, ok := p.header(m.Body + counted(p.line[m.Body:]))
		if !ok || inner.Body >= end {
			break
		}
		m = merge(m, inner)
		if p.payload(m) {
			outer = m
		}
	}
	return outer, nil
}

// merge keeps of the outer header only what the inner one doesn't say.
func merge(outer, inner Message) Message {
	if inner.Priority < 0 {
		inner.Priority = outer.Priority
	}
	if inner.Time.IsZero() {
		inner.Time = outer.Time
	}
	if inner.Host == "" {
		inner.Host = outer.Host
	}
	return inner
}

// parser carries what all readers of one line need. line ends before trailing blanks.
type parser struct {
	line     []byte
	start    int // of the first header
	received time.Time
}

// header reads one header at offset at. Not ok means that none stands there.
func (p *parser) header(at int) (Message, bool) {
	m, ok := p.anyHeader(at)
	// Who puts the tag CEF before all that it passes on has it twice before an event that has its own.
	if rest, twice := bytes.CutPrefix(p.line[m.Body:], []byte(tag+":")); ok && twice && hasTag(bytes.TrimLeft(rest, " ")) {
		m.App, m.Body = tag, skipBlanks(p.line, m.Body+len(tag+":"))
	}
	return m, ok
}

func (p *parser) anyHeader(at int) (Message, bool) {
	m := Message{Priority: -1}
	if at == p.start || p.line[at-1] == ' ' {
		if next, ok := p.columns(at, &m); ok {
			m.Form, m.Body = Columns, next
			return m, true
		}
	}
	next := p.original(at, &m)
	if n, pri, ok := priority(p.line[next:]); ok {
		m.Priority, m.Form, next = pri, Priority, next+n
		// The parser test of section 4.1 of the wire formats has a blank between priority and time.
		next = skipBlanks(p.line, next)
	}
	next = p.original(next, &m)
	if body, ok := p.numbered(at, next, &m); ok {
		m.Body, m.Form = body, RFC5424
		return m, true
	}
	if body, ok := p.dated(at, next, &m); ok {
		m.Body = body
		return m, true
	}
	if named := m; m.Form == Priority && !startsContent(p.line[next:]) {
		from := next
		if bytes.HasPrefix(p.line[next:], []byte("- ")) { // the time that it hasn't, as QRadar writes it
			from = skipBlanks(p.line, next+len("-"))
		}
		if named.Body = p.tag(p.host(from, &named), &named); hasTag(p.line[named.Body:]) || bytes.HasPrefix(p.line[named.Body:], []byte{'{'}) {
			return named, true
		}
	}
	m.Body = skipMarks(p.line, next)
	return m, m.Form == Priority
}

// original reads the address of the sender that Kiwi Syslog puts before the message which it passes on, and returns where the
// message begins; at where there is none.
func (p *parser) original(at int, m *Message) (next int) {
	rest, ok := bytes.CutPrefix(p.line[at:], []byte("Original Address="))
	if !ok {
		return at
	}
	address := rest[:wordEnd(rest)]
	if _, err := netip.ParseAddr(string(address)); err != nil {
		return at
	}
	m.Host = string(address)
	return skipBlanks(p.line, len(p.line)-len(rest)+len(address))
}

// addressed reads the address from which a relay had the message, as it is, in brackets or with a colon behind it, and the
// header of the message behind that. Behind brackets or a colon it may be an event without one: behind an address alone a
// program writes what somebody asked it with.
func (p *parser) addressed(at int) (Message, bool) {
	word := string(p.line[at : at+wordEnd(p.line[at:])])
	next := skipBlanks(p.line, at+len(word))
	address := strings.TrimSuffix(word, ":")
	if strings.HasPrefix(word, "[") && strings.HasSuffix(word, "]") {
		address = word[1 : len(word)-1]
	}
	event := address != word && hasTag(p.line[next:])
	if !event && !startsHeader(p.line[next:]) {
		return Message{}, false
	}
	if a, err := netip.ParseAddr(address); err != nil || a.Zone() != "" { // a zone may be any text
		return Message{}, false
	}
	outer := Message{Priority: -1, Host: address}
	if event {
		outer.App, outer.Body, outer.Form = tag, next, Bare
		return outer, true
	}
	m, ok := p.header(next)
	if !ok || m.Form == Priority {
		return Message{}, false
	}
	return merge(outer, m), true
}

// StartsEvent tells whether body, the message's content, begins as a CEF event does. The tag may be
// missing, as Defender for Identity leaves it out, only where the header has CEF for an application or
// names none.
func (m Message) StartsEvent(body []byte) bool {
	if hasTag(body) {
		return true
	}
	return (m.App == "" || strings.EqualFold(m.App, tag)) && (shaped(body, "d|") || len(body) > 0 && body[0] == '|')
}

// Several tells whether content has another event behind one of its line ends, with or without a header of its own: who puts
// several messages into one datagram or frame means none of them by what is read of the whole, in which the last ID counts.
// The services write no line end into a message.
func Several(content []byte) bool {
	if bytes.IndexByte(content, '\n') < 0 && bytes.IndexByte(content, '\r') < 0 && bytes.IndexByte(content, 0) < 0 {
		return false // at a fraction of the cost
	}
	const bars = 7 // of an event's header
	first := true
	for line := range bytes.FieldsFuncSeq(content, func(r rune) bool { return strings.ContainsRune(ends, r) }) {
		if !first && bytes.Count(line, []byte{'|'}) >= bars {
			m, _ := Parse(line, time.Time{})
			if body := line[m.Body:]; hasTag(body) || m.App == tag && m.StartsEvent(body) {
				return true
			}
		}
		first = false
	}
	return false
}

// payload tells whether something that Sluice reads begins at the message's content.
func (p *parser) payload(m Message) bool {
	body := p.line[m.Body:]
	return m.StartsEvent(body) || len(body) > 0 && body[0] == '{'
}
