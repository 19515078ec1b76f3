package syslog

import (
	"bytes"
	"time"

	"github.com/leodido/go-syslog/v4/rfc5424"
)

// tag is the APP-NAME that Defender for Identity writes, and the tag that RFC 3164 makes of "CEF:".
const tag = "CEF"

// numbered reads a header with APP-NAME, PROCID and MSGID. from is where the message begins and at
// where its priority, if any, ends. The version may be missing if what follows can be nothing else:
// the tag CEF, or structured data in its place.
func (p *parser) numbered(from, at int, m *Message) (body int, ok bool) {
	fields, versioned := bytes.CutPrefix(p.line[at:], []byte("1 "))
	if !versioned && !shaped(fields, "dddd-") {
		return 0, false
	}
	var f [5][]byte // TIMESTAMP HOSTNAME APP-NAME PROCID MSGID
	rest := fields
	for i := range f {
		if f[i], rest, ok = bytes.Cut(rest, []byte{' '}); !ok || len(f[i]) == 0 {
			if i < len(f)-1 || len(f[i]) == 0 {
				return 0, false
			}
		}
		if !versioned && startsContent(f[i][marks(f[i]):]) {
			return 0, false // an event behind a time and perhaps a host, as the SIEM agent writes
		}
	}
	sd := len(rest) > 0 && (rest[0] == '-' || rest[0] == '[')
	if !versioned && string(f[2]) != tag && (!sd || !headerToken(f[2]) || structuredData(rest) <= 0) {
		return 0, false
	}
	when, timed := stamp(f[0])
	if !timed && (!versioned || string(f[0]) != "-") {
		return 0, false
	}
	if hasTag(f[1]) { // the event of an agent that names no host, whose beginning a relay has taken for one
		m.Time, m.App = when, tag
		return at + len("1 ") + len(f[0]) + len(" "), true
	}
	// Without structured data, and with a time in UTC, the library has no other answer than we.
	plain := sd && rest[0] == '-' && (!timed || f[0][len(f[0])-1] == 'Z')
	if sd && !plain && versioned && at > from && p.line[at-1] == '>' {
		if body, ok := p.strict5424(from, m); ok {
			return body, true
		}
	}
	m.Time = when
	m.Host, m.App, m.Proc, m.MsgID = value(f[1]), value(f[2]), value(f[3]), value(f[4])
	body = len(p.line) - len(rest)
	if n := structuredData(rest); n > 0 {
		body += n
	} else if again := body + len(f[4]) + len(" "); bytes.HasPrefix(rest, f[4]) && again < len(p.line) && p.line[again-1] == ' ' && startsContent(p.line[skipMarks(p.line, again):]) {
		body = again // in the place of the structured data that isn't there rsyslog has the message id once more
	}
	return skipMarks(p.line, body), true
}

// strict5424 asks go-syslog, which refuses a message whose structured data is missing.
func (p *parser) strict5424(from int, m *Message) (body int, ok bool) {
	got, err := rfc5424.NewMachine().Parse(p.line[from:])
	msg, isSyslog := got.(*rfc5424.SyslogMessage)
	if err != nil || !isSyslog || msg == nil {
		return 0, false
	}
	if msg.Priority != nil {
		m.Priority = int(*msg.Priority)
	}
	m.Time = deref(msg.Timestamp)
	m.Host, m.App, m.Proc, m.MsgID = deref(msg.Hostname), deref(msg.Appname), deref(msg.ProcID), deref(msg.MsgID)
	return skipMarks(p.line, len(p.line)-len(deref(msg.Message))), true
}

// structuredData returns how many bytes of b are structured data with the blank behind it (RFC 5424
// section 6.3), 0 if it doesn't begin with any. A quoted value may hold anything, also brackets.
func structuredData(b []byte) int {
	i := 0
	if len(b) > 0 && b[0] == '-' {
		i = 1
	}
	for i < len(b) && b[i] == '[' && b[0] == '[' {
		if i++; i == len(b) || b[i] == ' ' || b[i] == ']' {
			return 0
		}
		quoted := false
		for ; i < len(b) && (quoted || b[i] != ']'); i++ {
			switch {
			case b[i] == '"':
				quoted = !quoted
			case b[i] == '\\' && quoted:
				i++
			}
		}
		if i >= len(b) {
			return 0
		}
		i++
	}
	switch {
	case i == 0:
		return 0
	case i == len(b) || marks(b[i:]) > 0 || hasTag(b[i:]): // a template of rsyslog may have no blank there
		return i
	case b[i] == ' ':
		return i + 1
	}
	return 0
}

// headerToken tells a plausible APP-NAME: RFC 5424 allows any printable ASCII, a service or a
// program has a name that begins with a letter or the nil value.
func headerToken(b []byte) bool {
	return string(b) == "-" || letter(b[0]) && b[len(b)-1] != ':'
}

// value turns RFC 5424's nil value into nothing.
func value(b []byte) string {
	if string(b) == "-" {
		return ""
	}
	return string(b)
}

// deref returns what p points to, or the zero value.
func deref[T string | time.Time](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
