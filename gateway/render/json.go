package render

import (
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// jsonVersion is raised when a key changes its meaning or goes; keys may be added without.
const jsonVersion = 1

// line is one line of the JSON format, in the order of its keys. stream.schema.json describes it. An
// empty text or a time that nobody means is null where the schema allows it.
type line struct {
	EventKey       dedup.EventKey
	Kind           formats.Kind
	AlertID        string
	Service        formats.Service
	Claims         formats.Service
	NotificationID string
	Origin         formats.Service
	Type           string
	Class          string
	Title          string
	Severity       formats.Severity
	Users          []string
	Hosts          []string
	Addresses      []string
	App            string
	URL            string
	Start          time.Time
	End            time.Time
	Raised         time.Time
	Sent           time.Time
	Arrived        time.Time
	Decided        time.Time
	Input          string
	Update         bool
	Count          int
	ManagedIn      string
	Decision       string
	Would          string
	Rule           string
	Reason         policy.Reason
	Relation       dedup.Relation
	MatchedBy      []dedup.Evidence
	RunnerUp       *dedup.Candidate
	Twins          []twin
	Message        string
	Extra          map[string]string
	Truncated      bool
	Shortened      bool
	Raw            []byte
}

// twin is another service's sighting of the alert.
type twin struct {
	Service        formats.Service
	NotificationID string
	URL            string
	EventKey       dedup.EventKey
	First          time.Time
}

// AppendJSON appends e as one line of JSON, without its end. The line is valid JSON and UTF-8
// whatever the sender wrote: bytes that aren't UTF-8 become U+FFFD, except in the message itself,
// which is in raw, or in raw_base64 where it isn't UTF-8. It never fails.
func AppendJSON(b []byte, e *stream.Entry) ([]byte, error) { return appendJSON(b, e, 0) }

// appendJSON is a [Func] for one entry and no other.
func appendJSON(b []byte, e *stream.Entry, limit int) ([]byte, error) {
	return new(jsonRenderer).append(b, e, limit)
}

// jsonRenderer renders one entry after the other, for one target: what it has room for is used again.
type jsonRenderer struct{ line line }

// append is a [Func]. A line that is longer than the limit goes without the message itself and
// the extra fields, then with shortened texts and lists, and says so.
func (r *jsonRenderer) append(b []byte, e *stream.Entry, limit int) ([]byte, error) {
	l := &r.line
	l.fill(e)
	out := l.append(b)
	if limit == 0 || len(out)-len(b) <= limit {
		return out, nil
	}
	l.Shortened, l.Raw, l.Extra = true, nil, nil
	for longest := 16 << 10; longest >= 32; longest /= 4 {
		if out = l.append(b); len(out)-len(b) <= limit {
			return out, nil
		}
		l.shorten(longest)
	}
	if out = l.append(b); len(out)-len(b) <= limit {
		return out, nil
	}
	return b, errors.New("it can't be shortened enough")
}

// fill makes l the line of e, of which it holds on to parts.
func (l *line) fill(e *stream.Entry) {
	n := &e.Notification
	*l = line{
		EventKey: e.Key, Kind: n.Kind, AlertID: string(e.Match.Alert), Service: n.Service, Claims: n.Claims,
		NotificationID: n.ID, Origin: n.Origin, Type: n.Type, Class: n.Class, Title: n.Title,
		Severity: n.Severity, Users: appendNames(l.Users[:0], n.Accounts), Hosts: appendNames(l.Hosts[:0], n.Devices),
		Addresses: n.Addresses, App: n.App, URL: n.URL,
		Start: n.Start, End: n.End, Raised: n.Raised, Sent: n.Sent,
		Arrived: n.Arrived, Decided: e.Time, Input: e.Input, Update: n.Update || e.Match.Relation == dedup.Update,
		Count: n.Count, ManagedIn: string(e.Decision.ManagedIn), Decision: past(e.Decision.Action), Would: past(e.Decision.Would),
		Rule: e.Decision.Rule, Reason: e.Decision.Reason, Relation: e.Match.Relation,
		MatchedBy: e.Match.Evidence, RunnerUp: e.Match.RunnerUp,
		Twins: l.Twins[:0], Message: n.Message, Extra: n.Extra, Truncated: n.Truncated, Raw: n.Raw,
	}
	if e.Match.Type != "" {
		l.Type = e.Match.Type
	}
	if e.Kind == stream.Link {
		l.Kind = formats.Link
	}
	if l.Kind == "" {
		l.Kind = formats.Unknown
	}
	if l.Service == "" {
		l.Service = formats.UnknownService
	}
	for _, s := range e.Twins {
		l.Twins = append(l.Twins, twin{Service: s.Service, NotificationID: s.ID, URL: s.URL, EventKey: s.Key, First: s.First})
	}
}

// append encodes the line as encoding/json would, at a fraction of the cost.
func (l *line) append(b []byte) []byte {
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
	return append(b, '}')
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

// appendKey appends the key of a member that isn't the first.
func appendKey(b []byte, key string) []byte {
	b = append(b, ',', '"')
	b = append(b, key...)
	return append(b, '"', ':')
}

func appendMember(b []byte, key, value string) []byte { return appendQuoted(appendKey(b, key), value) }

func appendOrNull(b []byte, key, value string) []byte {
	if value == "" {
		return append(appendKey(b, key), "null"...)
	}
	return appendMember(b, key, value)
}

func appendUnlessEmpty(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	return appendMember(b, key, value)
}

func appendList(b []byte, key string, values []string) []byte {
	b = append(appendKey(b, key), '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendQuoted(b, v)
	}
	return append(b, ']')
}

// appendObject appends the members in the order of their keys; without any, nothing.
func appendObject(b []byte, key string, members map[string]string) []byte {
	if len(members) == 0 {
		return b
	}
	b = append(appendKey(b, key), '{')
	var room [16]string // more than the services' events have
	keys := slices.AppendSeq(room[:0], maps.Keys(members))
	slices.Sort(keys)
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendQuoted(b, k), ':')
		b = appendQuoted(b, members[k])
	}
	return append(b, '}')
}

// appendInstant appends a time in UTC with the precision it has, or null. Years that RFC 3339 can't
// write are nobody's time.
func appendInstant(b []byte, key string, t time.Time) []byte {
	b, t = appendKey(b, key), t.UTC()
	if t.IsZero() || t.Year() < 0 || t.Year() > 9999 {
		return append(b, "null"...)
	}
	b = t.AppendFormat(append(b, '"'), time.RFC3339Nano)
	return append(b, '"')
}

// appendQuoted appends s as a JSON string, as encoding/json does without escaping for HTML. Besides, it
// escapes the control characters that JSON allows and terminals obey: DEL and C1 (U+0080 to U+009F),
// among them a line end and the beginning of an escape sequence.
func appendQuoted[S string | []byte](b []byte, s S) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if ' ' <= c && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, s[start:i]...)
		r, size := utf8.DecodeRuneInString(string(s[i:min(len(s), i+utf8.UTFMax)]))
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', c)
		case '\b' <= r && r <= '\r' && r != '\v':
			b = append(b, '\\', "btn-fr"[r-'\b'])
		case r < 0xa0:
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		case r == utf8.RuneError && size == 1:
			b = append(b, `\ufffd`...)
		case r == '\u2028' || r == '\u2029':
			b = append(b, '\\', 'u', '2', '0', '2', hex[r&15])
		default:
			b = append(b, s[i:i+size]...)
		}
		i += size
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// appendNames lists entities, each spelling once. The lists are short.
func appendNames(names []string, entities []formats.Entity) []string {
	for i := range entities {
		if !slices.Contains(names, entities[i].Name) {
			names = append(names, entities[i].Name)
		}
	}
	return names
}

// past says what was done, in the words of the command line and the metrics.
func past(a dedup.Action) string {
	switch a {
	case dedup.Forward:
		return "forwarded"
	case dedup.Hold:
		return "held"
	case dedup.Suppress:
		return "suppressed"
	case dedup.Drop:
		return "dropped"
	}
	return string(a)
}
