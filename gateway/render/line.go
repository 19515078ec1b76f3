package render

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/catalog"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// line is what every format tells of an entry, in the order of the keys of the format json, which
// stream.schema.json describes. The formats that are rendered by us are functions of it.
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
	Score          *stream.Score
	Tactics        []catalog.Tactic
	Techniques     []catalog.Technique
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
	Act            *stream.Act
	Message        string
	Extra          map[string]string
	Truncated      bool
	Shortened      bool
	Raw            []byte
	Payload        int // where Raw's content begins
}

// twin is another service's sighting of the alert.
type twin struct {
	Service        formats.Service
	NotificationID string
	URL            string
	EventKey       dedup.EventKey
	First          time.Time
}

// renderer renders one entry after the other, for one target: what it has room for is used again.
type renderer struct {
	catalog *catalog.Catalog
	write   func(l *line, b []byte) ([]byte, error) // appends a line in the renderer's format
	line    line
}

// append is a [Func]. A line that is longer than the limit goes without the message itself, the
// extra fields and the operator's word, then with shortened texts and lists, and says so. Of a message that nobody
// understood, the text is kept as long as it can be.
func (r *renderer) append(b []byte, e *stream.Entry, limit int) ([]byte, error) {
	l := &r.line
	l.fill(e, r.catalog)
	out, err := r.write(l, b)
	if err != nil || limit == 0 || len(out)-len(b) <= limit {
		return out, err
	}
	l.Message = l.text()
	l.Shortened, l.Raw, l.Extra, l.Act = true, nil, nil, nil
	for longest := 16 << 10; ; longest /= 4 {
		if out, err = r.write(l, b); err != nil || len(out)-len(b) <= limit {
			return out, err
		}
		if longest < 32 {
			return b, errors.New("it can't be shortened enough")
		}
		l.shorten(longest)
	}
}

// fill makes l the line of e, of which it holds on to parts.
func (l *line) fill(e *stream.Entry, c *catalog.Catalog) {
	n := &e.Notification
	*l = line{
		EventKey: e.Key, Kind: n.Kind, AlertID: string(e.Match.Alert), Service: n.Service, Claims: n.Claims,
		NotificationID: n.ID, Origin: n.Origin, Type: n.Type, Class: n.Class, Title: n.Title,
		Severity: n.Severity, Score: e.Score, Users: appendNames(l.Users[:0], n.Accounts), Hosts: appendNames(l.Hosts[:0], n.Devices),
		Addresses: n.Addresses, App: n.App, URL: n.URL,
		Start: n.Start, End: n.End, Raised: n.Raised, Sent: n.Sent,
		Arrived: n.Arrived, Decided: e.Time, Input: e.Input, Update: n.Update || e.Match.Relation == dedup.Update,
		Count: n.Count, ManagedIn: string(e.Decision.ManagedIn), Decision: past(e.Decision.Action), Would: past(e.Decision.Would),
		Rule: e.Decision.Rule, Reason: e.Decision.Reason, Relation: e.Match.Relation,
		MatchedBy: e.Match.Evidence, RunnerUp: e.Match.RunnerUp,
		Twins: l.Twins[:0], Act: e.Act, Message: n.Message, Extra: n.Extra, Truncated: n.Truncated, Raw: n.Raw, Payload: n.Payload,
	}
	attack := c.Attack(n, e.Match.Type)
	l.Tactics, l.Techniques = attack.Tactics, attack.Techniques
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

// text is the service's text, or of what nobody understood the message itself.
func (l *line) text() string {
	if l.Kind != formats.Unknown || l.Message != "" {
		return l.Message
	}
	return strings.TrimRight(string(l.Raw), "\r\n\x00")
}

// when is [Happened] for the line.
func (l *line) when() time.Time {
	return happened(l.Start, l.Raised, l.End, l.Sent, l.Arrived, l.Decided)
}

// Happened is when what an entry tells happened, as well as anybody knows: when it began, or else when the
// service raised it, when it ended, when it was sent, when it arrived. It is a time that RFC 3339 can write.
func Happened(e *stream.Entry) time.Time {
	n := &e.Notification
	return happened(n.Start, n.Raised, n.End, n.Sent, n.Arrived, e.Time).UTC()
}

// happened is the first time that is one, or else the last.
func happened(times ...time.Time) time.Time {
	for _, t := range times {
		if !nobodys(t) {
			return t
		}
	}
	return times[len(times)-1]
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
