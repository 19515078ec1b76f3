package target

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// jsonVersion is raised when a key changes its meaning or goes; keys may be added without.
const jsonVersion = 1

// line is one line of the JSON format, in the order of its keys. stream.schema.json describes it.
type line struct {
	Version        int               `json:"version"`
	EventKey       dedup.EventKey    `json:"event_key"`
	Kind           formats.Kind      `json:"kind"`
	AlertID        *string           `json:"alert_id"`
	Service        formats.Service   `json:"service"`
	Claims         formats.Service   `json:"claims,omitempty"`
	NotificationID *string           `json:"notification_id"`
	Origin         formats.Service   `json:"origin,omitempty"`
	Type           string            `json:"type"`
	Class          string            `json:"class"`
	Title          string            `json:"title"`
	Severity       formats.Severity  `json:"severity"`
	Users          []string          `json:"users"`
	Hosts          []string          `json:"hosts"`
	Addresses      []string          `json:"addresses"`
	App            string            `json:"app"`
	URL            string            `json:"url"`
	Start          *string           `json:"start"`
	End            *string           `json:"end"`
	Raised         *string           `json:"raised"`
	Sent           *string           `json:"sent"`
	Arrived        *string           `json:"arrived"`
	Decided        *string           `json:"decided"`
	Input          string            `json:"input"`
	Update         bool              `json:"update"`
	Count          int               `json:"count,omitempty"`
	ManagedIn      *string           `json:"managed_in"`
	Decision       string            `json:"decision"`
	Would          string            `json:"would,omitempty"`
	Rule           string            `json:"rule"`
	Reason         policy.Reason     `json:"reason"`
	Relation       dedup.Relation    `json:"relation"`
	MatchedBy      []dedup.Evidence  `json:"matched_by"`
	RunnerUp       *dedup.Candidate  `json:"runner_up"`
	Twin           *twin             `json:"twin"`
	Twins          []twin            `json:"twins"`
	Message        string            `json:"message"`
	Extra          map[string]string `json:"extra,omitempty"`
	Truncated      bool              `json:"truncated"`
	Shortened      bool              `json:"shortened,omitempty"`
	Raw            *string           `json:"raw,omitempty"`
	RawBase64      *string           `json:"raw_base64,omitempty"`
}

// twin is another service's sighting of the alert.
type twin struct {
	Service        formats.Service `json:"service"`
	NotificationID *string         `json:"notification_id"`
	URL            *string         `json:"url"`
	EventKey       dedup.EventKey  `json:"event_key"`
	First          *string         `json:"first"`
}

// AppendJSON appends e as one line of JSON, without its end. The line is valid JSON and UTF-8
// whatever the sender wrote: bytes that aren't UTF-8 become U+FFFD, except in the message itself,
// which is in raw, or in raw_base64 where it isn't UTF-8. The error is one of encoding/json's, for
// which nobody knows a cause.
func AppendJSON(b []byte, e *stream.Entry) ([]byte, error) { return appendJSON(b, e, 0) }

// appendJSON is a [render]. A line that is longer than the limit goes without the message itself and
// the extra fields, then with shortened texts and lists, and says so.
func appendJSON(b []byte, e *stream.Entry, limit int) ([]byte, error) {
	l := newLine(e)
	out, err := l.append(b)
	if err != nil || limit == 0 || len(out)-len(b) <= limit {
		return out, err
	}
	l.Shortened, l.Raw, l.RawBase64, l.Extra = true, nil, nil, nil
	for longest := 16 << 10; longest >= 32; longest /= 4 {
		if out, err = l.append(b); err != nil || len(out)-len(b) <= limit {
			return out, err
		}
		l.shorten(longest)
	}
	if out, err = l.append(b); err != nil || len(out)-len(b) <= limit {
		return out, err
	}
	return b, errors.New("it can't be shortened enough")
}

func newLine(e *stream.Entry) *line {
	n := &e.Notification
	l := &line{
		Version: jsonVersion, EventKey: e.Key, Kind: n.Kind, AlertID: text(e.Match.Alert), Service: n.Service, Claims: n.Claims,
		NotificationID: text(n.ID), Origin: n.Origin, Type: n.Type, Class: n.Class, Title: n.Title,
		Severity: n.Severity, Users: names(n.Accounts), Hosts: names(n.Devices),
		Addresses: append([]string{}, n.Addresses...), App: n.App, URL: n.URL,
		Start: instant(n.Start), End: instant(n.End), Raised: instant(n.Raised), Sent: instant(n.Sent),
		Arrived: instant(n.Arrived), Decided: instant(e.Time), Input: e.Input, Update: n.Update || e.Match.Relation == dedup.Update,
		Count: n.Count, ManagedIn: text(e.Decision.ManagedIn), Decision: past(e.Decision.Action), Would: past(e.Decision.Would),
		Rule: e.Decision.Rule, Reason: e.Decision.Reason, Relation: e.Match.Relation,
		MatchedBy: append([]dedup.Evidence{}, e.Match.Evidence...), RunnerUp: e.Match.RunnerUp,
		Twins: make([]twin, 0, len(e.Twins)), Message: n.Message, Extra: n.Extra, Truncated: n.Truncated,
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
		l.Twins = append(l.Twins, twin{
			Service: s.Service, NotificationID: text(s.ID), URL: text(s.URL), EventKey: s.Key, First: instant(s.First),
		})
	}
	if len(l.Twins) > 0 {
		l.Twin = &l.Twins[0]
	}
	switch {
	case len(n.Raw) == 0:
	case utf8.Valid(n.Raw):
		l.Raw = text(string(n.Raw))
	default:
		l.RawBase64 = text(base64.StdEncoding.EncodeToString(n.Raw))
	}
	return l
}

// append encodes the line.
func (l *line) append(b []byte) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(l); err != nil {
		return b, fmt.Errorf("render as json: %w", err)
	}
	return appendPrintable(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))), nil
}

// appendPrintable escapes in JSON the control characters that JSON allows and terminals obey: DEL and
// C1 (U+0080 to U+009F), among them a line end and the beginning of an escape sequence.
func appendPrintable(b, text []byte) []byte {
	const hex = "0123456789abcdef"
	start := 0
	for i := 0; i < len(text); i++ {
		c, n := text[i], 1
		if c == 0xc2 && i+1 < len(text) && text[i+1] < 0xa0 {
			c, n = text[i+1], 2
		} else if c != 0x7f {
			continue
		}
		b = append(b, text[start:i]...)
		b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		i += n - 1
		start = i + 1
	}
	return append(b, text[start:]...)
}

// text is s, or null where there is none.
func text[S ~string](s S) *string {
	if s == "" {
		return nil
	}
	t := string(s)
	return &t
}

// instant is a time in UTC with the precision it has, or null. Years that RFC 3339 can't write are
// nobody's time.
func instant(t time.Time) *string {
	t = t.UTC()
	if t.IsZero() || t.Year() < 0 || t.Year() > 9999 {
		return nil
	}
	s := t.Format(time.RFC3339Nano)
	return &s
}

// names lists entities, each spelling once.
func names(entities []formats.Entity) []string {
	out := make([]string, 0, len(entities))
	seen := make(map[string]bool, len(entities))
	for _, e := range entities {
		if !seen[e.Name] {
			seen[e.Name] = true
			out = append(out, e.Name)
		}
	}
	return out
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
