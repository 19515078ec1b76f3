package syslog

import (
	"bytes"
	"strconv"
	"time"
)

// Header is what stands in front of a message that we send. Empty fields become the nil value.
type Header struct {
	Priority int // facility times 8 plus severity; outside 0 to 191 it is 13, user.notice
	Time     time.Time
	Host     string
	App      string
	Proc     string
	MsgID    string
	Data     []Param // RFC 5424 only
}

// Param is a parameter of the one element of structured data that we send, sluice@32473; the number is that of
// documents (RFC 5612), as Sluice has none of its own.
type Param struct{ Name, Value string }

// AppendRFC5424 appends h, in RFC 5424's form, and the body to b. Bytes that a
// field can't have become underscores and a field that is too long is cut, so no field can forge
// another one; line ends and NULs in the body become blanks, so it can't forge a second message.
func AppendRFC5424(b []byte, h Header, body []byte) []byte {
	b = appendPriority(b, h.Priority)
	b = append(b, "1 "...)
	if h.Time.IsZero() {
		b = append(b, '-')
	} else {
		b = appendTime(b, h.Time.UTC())
	}
	for _, field := range [...]struct {
		text string
		most int // RFC 5424 section 6
	}{{h.Host, 255}, {h.App, 48}, {h.Proc, 128}, {h.MsgID, 32}} {
		b = append(b, ' ')
		b = appendToken(b, field.text, field.most, "")
	}
	b = append(b, ' ')
	b = append(appendData(b, h.Data), ' ')
	return appendBody(b, body)
}

// appendData appends structured data (RFC 5424 section 6.3). A parameter without a value is left out.
func appendData(b []byte, data []Param) []byte {
	start := len(b)
	for _, p := range data {
		if p.Value == "" {
			continue
		}
		if len(b) == start {
			b = append(b, "[sluice@32473"...)
		}
		b = append(b, ' ')
		b = appendToken(b, p.Name, 32, `=]"`)
		b = append(b, '=', '"')
		for _, c := range []byte(p.Value) {
			switch {
			case c == '"' || c == '\\' || c == ']':
				b = append(b, '\\', c)
			case c < ' ' || c > '~':
				b = append(b, '_')
			default:
				b = append(b, c)
			}
		}
		b = append(b, '"')
	}
	if len(b) == start {
		return append(b, '-')
	}
	return append(b, ']')
}

// AppendRFC3164 appends h, in RFC 3164's form with the time in UTC, and the body to b, as careful as
// [AppendRFC5424]. Without App there is no tag: a CEF event's own "CEF:" stands in its place.
func AppendRFC3164(b []byte, h Header, body []byte) []byte {
	b = appendPriority(b, h.Priority)
	b = h.Time.UTC().AppendFormat(b, time.Stamp)
	b = append(b, ' ')
	b = appendToken(b, h.Host, 255, ":")
	b = append(b, ' ')
	if h.App != "" {
		b = appendToken(b, h.App, 32, ":[]")
		if h.Proc != "" {
			b = append(b, '[')
			b = appendToken(b, h.Proc, 32, ":[]")
			b = append(b, ']')
		}
		b = append(b, ": "...)
	}
	return appendBody(b, body)
}

// appendTime appends a time in UTC with microseconds (RFC 5424 section 6.2.3), at a fraction of what
// AppendFormat costs.
func appendTime(b []byte, t time.Time) []byte {
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.AppendFormat(b, "2006-01-02T15:04:05.000000Z") // whatever that is
	}
	hour, minute, second := t.Clock()
	b = appendDigits(b, year, 4)
	b = appendDigits(append(b, '-'), int(month), 2)
	b = appendDigits(append(b, '-'), day, 2)
	b = appendDigits(append(b, 'T'), hour, 2)
	b = appendDigits(append(b, ':'), minute, 2)
	b = appendDigits(append(b, ':'), second, 2)
	b = appendDigits(append(b, '.'), t.Nanosecond()/1000, 6)
	return append(b, 'Z')
}

// appendDigits appends the last n digits of i, at most six.
func appendDigits(b []byte, i, n int) []byte {
	var digits [6]byte
	for at := n - 1; at >= 0; at-- {
		digits[at] = byte('0' + i%10)
		i /= 10
	}
	return append(b, digits[:n]...)
}

func appendPriority(b []byte, pri int) []byte {
	const userNotice = 13
	if pri < 0 || pri > 191 {
		pri = userNotice
	}
	b = append(b, '<')
	b = strconv.AppendInt(b, int64(pri), 10)
	return append(b, '>')
}

// appendToken appends at most most bytes of s, with an underscore for all that isn't printable ASCII
// or is one of the bytes in not.
func appendToken(b []byte, s string, most int, not string) []byte {
	if s == "" {
		return append(b, '-')
	}
	for i := range min(len(s), most) {
		c := s[i]
		if c <= ' ' || c >= 0x7f {
			c = '_'
		}
		for j := range len(not) {
			if c == not[j] {
				c = '_'
			}
		}
		b = append(b, c)
	}
	return b
}

func appendBody(b, body []byte) []byte {
	if bytes.IndexByte(body, '\n') < 0 && bytes.IndexByte(body, '\r') < 0 && bytes.IndexByte(body, 0) < 0 {
		return append(b, body...)
	}
	for _, c := range body {
		if c == '\r' || c == '\n' || c == 0 {
			c = ' '
		}
		b = append(b, c)
	}
	return b
}
