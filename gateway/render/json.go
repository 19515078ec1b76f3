package render

import (
	"encoding/base64"
	"strconv"
	"unicode/utf8"

	"github.com/sluice-siem/sluice/gateway/stream"
)

// jsonVersion is raised when a key changes its meaning or goes; keys may be added without.
const jsonVersion = 1

// AppendJSON appends e as one line of JSON, without its end; who renders many uses [For]. The line is
// valid JSON and UTF-8 whatever the sender wrote: bytes that aren't UTF-8 become U+FFFD, except in the
// message itself, which is in raw, or in raw_base64 where it isn't UTF-8.
func AppendJSON(b []byte, e *stream.Entry) ([]byte, error) { return appendOne("json", b, e) }

// appendJSON encodes the line as encoding/json would, at a fraction of the cost. An empty text or a time
// that nobody means is null where the schema allows it.
func (l *line) appendJSON(b []byte) ([]byte, error) {
	b = append(b, `{"version":`...)
	b = strconv.AppendInt(b, jsonVersion, 10)
	b = appendMember(b, "event_key", string(l.EventKey))
	b = appendMember(b, "kind", string(l.Kind))
	b = appendOrNull(b, "alert_id", l.AlertID)
	b = appendMember(b, "service", string(l.Service))
	b = appendUnlessEmpty(b, "claims", string(l.Claims))
	b = appendOrNull(b, "notification_id", l.NotificationID)
	b = appendUnlessEmpty(b, "origin", string(l.Origin))
	b = appendMember(b, "type", l.Type)
	b = appendMember(b, "class", l.Class)
	b = appendMember(b, "title", l.Title)
	b = appendMember(b, "severity", l.Severity.String())
	b = l.appendRisk(b)
	b = l.appendAttack(b)
	b = appendList(b, "users", l.Users)
	b = appendList(b, "hosts", l.Hosts)
	b = appendList(b, "addresses", l.Addresses)
	b = appendMember(b, "app", l.App)
	b = appendMember(b, "url", l.URL)
	b = appendInstant(b, "start", l.Start)
	b = appendInstant(b, "end", l.End)
	b = appendInstant(b, "raised", l.Raised)
	b = appendInstant(b, "sent", l.Sent)
	b = appendInstant(b, "arrived", l.Arrived)
	b = appendInstant(b, "decided", l.Decided)
	b = appendMember(b, "input", l.Input)
	b = strconv.AppendBool(appendKey(b, "update"), l.Update)
	if l.Count != 0 {
		b = strconv.AppendInt(appendKey(b, "count"), int64(l.Count), 10)
	}
	b = appendOrNull(b, "managed_in", l.ManagedIn)
	b = appendMember(b, "decision", l.Decision)
	b = appendUnlessEmpty(b, "would", l.Would)
	b = appendMember(b, "rule", l.Rule)
	b = appendMember(b, "reason", string(l.Reason))
	b = appendMember(b, "relation", string(l.Relation))
	b = l.appendEvidence(b)
	b = l.appendTwins(b)
	if l.Act != nil {
		b = appendQuoted(append(appendKey(b, "act"), `{"by":`...), l.Act.By)
		b = appendMember(b, "verb", l.Act.Verb)
		b = append(appendUnlessEmpty(b, "args", string(l.Act.Args)), '}')
	}
	b = appendMember(b, "message", l.Message)
	b = appendObject(b, "extra", l.Extra)
	b = strconv.AppendBool(appendKey(b, "truncated"), l.Truncated)
	if l.Shortened {
		b = append(appendKey(b, "shortened"), "true"...)
	}
	switch {
	case len(l.Raw) == 0:
	case utf8.Valid(l.Raw):
		b = appendQuoted(appendKey(b, "raw"), l.Raw)
	default:
		b = append(appendKey(b, "raw_base64"), '"')
		b = append(base64.StdEncoding.AppendEncode(b, l.Raw), '"')
	}
	return append(b, '}'), nil
}

// appendAttack appends the tactics and techniques, if there are any.
func (l *line) appendAttack(b []byte) []byte {
	for i := range l.Tactics {
		b = appendQuoted(appendItem(b, "tactics", i), l.Tactics[i].Name)
	}
	if len(l.Tactics) > 0 {
		b = append(b, ']')
	}
	for i := range l.Techniques {
		b = appendQuoted(appendItem(b, "techniques", i), l.Techniques[i].ID)
	}
	if len(l.Techniques) > 0 {
		b = append(b, ']')
	}
	return b
}

// appendItem begins a list's item, with the first the list.
func appendItem(b []byte, key string, i int) []byte {
	if i > 0 {
		return append(b, ',')
	}
	return append(appendKey(b, key), '[')
}

// appendEvidence appends what speaks for the alert and for the next best one.
func (l *line) appendEvidence(b []byte) []byte {
	b = append(appendKey(b, "matched_by"), '[')
	for i := range l.MatchedBy {
		e := &l.MatchedBy[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = appendQuoted(append(b, `{"what":`...), e.What)
		b = appendMember(b, "how", e.How)
		if e.Points != 0 {
			b = strconv.AppendInt(appendKey(b, "points"), int64(e.Points), 10)
		}
		b = append(b, '}')
	}
	b = appendKey(append(b, ']'), "runner_up")
	if l.RunnerUp == nil {
		return append(b, "null"...)
	}
	b = appendQuoted(append(b, `{"alert_id":`...), string(l.RunnerUp.Alert))
	b = strconv.AppendInt(appendKey(b, "points"), int64(l.RunnerUp.Points), 10)
	return append(appendMember(b, "why", l.RunnerUp.Why), '}')
}

// appendTwins appends the first twin and all of them.
func (l *line) appendTwins(b []byte) []byte {
	b = appendKey(b, "twin")
	if len(l.Twins) > 0 {
		b = l.Twins[0].append(b)
	} else {
		b = append(b, "null"...)
	}
	b = append(appendKey(b, "twins"), '[')
	for i := range l.Twins {
		if i > 0 {
			b = append(b, ',')
		}
		b = l.Twins[i].append(b)
	}
	return append(b, ']')
}

func (t *twin) append(b []byte) []byte {
	b = appendQuoted(append(b, `{"service":`...), string(t.Service))
	b = appendOrNull(b, "notification_id", t.NotificationID)
	b = appendOrNull(b, "url", t.URL)
	b = appendMember(b, "event_key", string(t.EventKey))
	return append(appendInstant(b, "first", t.First), '}')
}
