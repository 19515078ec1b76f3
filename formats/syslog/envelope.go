package syslog

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// maxEnvelopes bounds how many envelopes may be in each other.
const maxEnvelopes = 3

// Unwrap finds the CEF event in content that is the envelope of a log shipper: a JSON object that has a message in one of its
// members, a list with that object, or a JSON string; or what rsyslog says of repeated messages, and syslog-ng of those that it
// can't read. The message may have headers of
// its own, of which m tells; it counts only where an event begins behind them, or a JSON object that own tells to be a service's,
// which may also be a member itself. own is nil where no such object is wanted. Not ok means that content is no such envelope.
func Unwrap(content []byte, received time.Time, own func(object []byte) bool) (event []byte, m Message, ok bool) {
	for _, cookie := range [...]string{"@cee:", "@cim:"} { // what rsyslog and syslog-ng put before JSON
		if rest, ok := bytes.CutPrefix(content, []byte(cookie)); ok {
			content = bytes.TrimLeft(rest, " ")
			if own != nil && own(content) {
				return content, m, true
			}
		}
	}
	if event, ok := repeated(content); ok {
		return event, m, true
	}
	if line, ok := refused(content); ok {
		return envelope{received, own}.read(line, false, maxEnvelopes)
	}
	if len(content) == 0 || content[0] != '{' && content[0] != '"' && content[0] != '[' {
		return nil, m, false
	}
	// Both services' names spare other objects the decoding.
	if own == nil && !bytes.Contains(content, []byte("|Microsoft|")) && !bytes.Contains(content, []byte("|MCAS|")) {
		return nil, m, false
	}
	return envelope{received, own}.unwrap(content, maxEnvelopes)
}

// repeated returns the event that rsyslog counted instead of passing it on each time: "message repeated 2 times: [CEF:0|...]", or
// where it took CEF for the tag, "CEF: message repeated 2 times: [0|...]".
func repeated(content []byte) (event []byte, ok bool) {
	rest, tagged := bytes.CutPrefix(content, []byte(tag+":"))
	if tagged {
		rest = rest[skipBlanks(rest, 0):]
	}
	rest, ok = bytes.CutPrefix(rest, []byte("message repeated "))
	if !ok {
		return nil, false
	}
	count, event, ok := bytes.Cut(rest, []byte(" times: ["))
	event, closed := bytes.CutSuffix(event, []byte{']'})
	event = TrimEnd(event[skipBlanks(event, 0):])
	return event, ok && closed && len(count) > 0 && len(bytes.Trim(count, "0123456789")) == 0 && (hasTag(event) || tagged && shaped(event, "d|"))
}

// refused returns the message of which syslog-ng says that it isn't one of RFC 5424, as the sensor's isn't, and marks where.
func refused(content []byte) (line []byte, ok bool) {
	line, ok = bytes.CutPrefix(content, []byte("Error processing log message: "))
	header, rest, marked := bytes.Cut(line, []byte(">@<"))
	return slices.Concat(header, rest), ok && marked
}

// envelope carries what is asked of each envelope in another one.
type envelope struct {
	received time.Time
	own      func(object []byte) bool
}

func (e envelope) unwrap(content []byte, most int) (event []byte, m Message, ok bool) {
	if most == 0 || len(content) == 0 {
		return nil, m, false
	}
	switch content[0] {
	case '"':
		return e.opened(content, false, most)
	case '[':
		// One message, perhaps behind a time, as Fluent Bit writes it.
		var list []json.RawMessage
		if json.Unmarshal(content, &list) != nil || len(list) == 0 || len(list) > 2 || len(list) == 2 && !digit(list[0][0]) {
			return nil, m, false
		}
		return e.opened(list[len(list)-1], false, most)
	case '{':
		if most < maxEnvelopes && e.own != nil && e.own(content) {
			return content, m, true
		}
	default:
		return nil, m, false
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(content, &object) != nil && json.Unmarshal(escaped(content), &object) != nil {
		return nil, m, false
	}
	tagged := hasTagMember(content)
	for _, path := range [...][2]string{{"event", "original"}, {"body", "stringValue"}, {"result", "_raw"}, {"jsonPayload", "message"}} {
		if event, m, ok = e.opened(inner(object, path), tagged, most); ok {
			return event, m, true
		}
	}
	if event, m, ok = e.opened(carried(object), tagged, most); ok {
		return event, m, true
	}
	// The members in which log shippers put the message that they took in, or of it what stood behind its tag. Others quote what
	// somebody wrote, such as a request, and so may these beside a text in one that comes before them.
	for _, name := range [...]string{
		"_raw", "rawmsg", "message", "Message", "MESSAGE", "msg", "full_message", "short_message", "SyslogMessage", "log", "raw", "raw_message",
		"rawMessage", "RawData", "raw_event", "rawEvent", "raw_log", "full_log", "event", "textPayload", "_source", "records",
	} {
		value := object[name]
		if event, m, ok = e.opened(value, tagged, most); ok || len(value) > len(`""`) && value[0] == '"' {
			return event, m, ok
		}
	}
	return nil, m, false
}

// hasTagMember tells whether the tag stands in a member of its own, or in one of an object that tells of the header, as Beats write
// it. In a text there is a backslash before each quotation mark.
func hasTagMember(object []byte) bool {
	for _, member := range [...]string{`"` + tag + `"`, `"` + tag + `:"`, `:"` + tag + `[`, `: "` + tag + `[`} {
		if bytes.Contains(object, []byte(member)) {
			return true
		}
	}
	return false
}

// carried is what Kafka's connectors, beside its schema, and QRadar have in a payload, and Kafka's REST interface in the value of
// a record, beside its topic or in a list. Without what those write around it, either may be what somebody sent: many a thing has
// a key and a value.
func carried(object map[string]json.RawMessage) json.RawMessage {
	var records []struct{ Value json.RawMessage }
	switch schema := object["schema"]; {
	case len(schema) > 0 && schema[0] != '"', object["isoTimeFormat"] != nil:
		return object["payload"]
	case object["topic"] != nil:
		return object["value"]
	case json.Unmarshal(object["records"], &records) == nil && len(records) == 1:
		return records[0].Value
	}
	return nil
}

// severalVendors: a text has the vendor of more than one event.
func severalVendors(text string) bool {
	text = strings.ToLower(text)
	return strings.Count(text, "|microsoft|")+strings.Count(text, "|mcas|") > 1
}

// escaped is an object that a relay has put together of texts as they are, as it should have: with two backslashes for each but
// those before a quotation mark.
func escaped(object []byte) []byte {
	out := make([]byte, 0, len(object)+bytes.Count(object, []byte{'\\'}))
	for i, c := range object {
		if out = append(out, c); c == '\\' && i+1 < len(object) && object[i+1] != '"' {
			out = append(out, c)
		}
	}
	return out
}

// inner returns what a member of a member has. So the Elastic Common Schema names the whole message, of which message may be
// what was read; OpenTelemetry the text of a log record; and Splunk what a search found; and Google's agents a message that they read as an object.
// A body or a result with other members, or that is a text itself, is what somebody sent to a program or got from it.
func inner(object map[string]json.RawMessage, path [2]string) json.RawMessage {
	if value := object[path[0]+"."+path[1]]; value != nil {
		return value
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(object[path[0]], &members) != nil {
		return nil
	}
	return members[path[1]]
}

// opened reads a JSON value that may be a message, or an envelope in an envelope.
func (e envelope) opened(value []byte, tagged bool, most int) (event []byte, m Message, ok bool) {
	if len(value) == 0 || value[0] != '"' {
		return e.unwrap(value, most-1)
	}
	var text string
	if json.Unmarshal(value, &text) != nil {
		// Marks around the message as it is, whose backslashes JSON would have two of. A whole envelope's values are valid.
		inner, closed := strings.CutSuffix(string(value[1:]), `"`)
		if !closed {
			return nil, m, false
		}
		text = inner
	}
	if !strings.HasPrefix(text, "{") && strings.ContainsAny(strings.TrimRight(text, "\r\n"), "\r\n") {
		return nil, m, false // several messages are no event, and an object may be written on several lines
	}
	if !strings.HasPrefix(text, "{") && severalVendors(text) {
		return nil, m, false // nor are those whose line ends or marks a relay wrote as they are
	}
	line := []byte(text)
	if whole, ok := refused(line); ok {
		line = whole
	}
	return e.read(line, tagged, most)
}

// read reads a message with its header.
func (e envelope) read(line []byte, tagged bool, most int) (event []byte, m Message, ok bool) {
	m, err := Parse(line, e.received)
	if err != nil {
		return nil, m, false
	}
	event = TrimEnd(line[m.Body:])
	if hasTag(event) || (tagged || m.App == tag) && m.StartsEvent(event) {
		return event, m, true
	}
	return e.unwrap(event, most-1)
}
