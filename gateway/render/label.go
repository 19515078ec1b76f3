package render

import (
	"cmp"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/catalog"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// Label is what a transport's header says of an entry. Its name is in snake_case, its value printable ASCII.
type Label struct{ Name, Value string }

// Labels gives the labels of entries: what every other format has in the event, for the format cef_original,
// which has nothing of ours there. The zero value gives none.
type Labels struct{ catalog *catalog.Catalog }

// LabelsFor makes the Labels for a format. Those that need none get none.
func LabelsFor(format string) (Labels, error) {
	if format != "cef_original" {
		return Labels{}, nil
	}
	c, err := catalog.New()
	return Labels{c}, err
}

// Bytes is more than the labels of one entry take in any header, with their names.
func (l Labels) Bytes() int {
	if l.catalog == nil {
		return 0
	}
	return 2 << 10
}

// Of gives the labels of one entry. What is longer than any ID or page of a service is left out: a part of it
// would lead nowhere.
func (l Labels) Of(e *stream.Entry) []Label {
	if l.catalog == nil {
		return nil
	}
	const longest = 200
	n := &e.Notification
	var techniques []string
	for _, t := range l.catalog.Attack(n, e.Match.Type).Techniques {
		techniques = append(techniques, t.ID)
	}
	all := []Label{
		{"event_key", string(e.Key)},
		{"alert_id", string(e.Match.Alert)},
		{"service", string(cmp.Or(n.Service, formats.UnknownService))},
		{"notification_id", n.ID},
		{"url", n.URL},
		{"severity", n.Severity.String()},
		{"techniques", strings.Join(techniques, ",")},
		{"managed_in", string(e.Decision.ManagedIn)},
		{"reason", string(e.Decision.Reason)},
	}
	if s := e.Score; s != nil {
		all = append(all, Label{"risk_score", decimal(s.Points)}, Label{"risk_score_time", s.At.UTC().Format(time.RFC3339)})
	}
	if len(e.Twins) > 0 {
		t := &e.Twins[0]
		all = append(all, Label{"twin", string(t.Service) + ":" + t.ID}, Label{"twin_url", t.URL})
	}
	out := all[:0]
	for _, l := range all {
		if l.Value != "" && len(l.Value) <= longest {
			out = append(out, Label{l.Name, strings.Map(printable, l.Value)})
		}
	}
	return out
}

// printable is r where every header takes it, and else an underscore.
func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return '_'
	}
	return r
}
