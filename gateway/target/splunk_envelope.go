package target

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/render"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// hecEnvelope puts entries into the envelopes of Splunk's "Format events for HTTP Event Collector". It
// writes no key that isn't named there: a collector silently ends the request at one that it doesn't know.
type hecEnvelope struct {
	render render.Func
	labels render.Labels
	object bool   // the format is a JSON object; else it goes as a string
	meta   []byte // host, source, sourcetype and index, the same for all; what is empty is left to the token
	body   []byte
	quoted bytes.Buffer
	head   []byte
	tail   []byte
}

func newHECEnvelope(cfg config.Target, host string, s *shipper) *hecEnvelope {
	v := &hecEnvelope{render: s.render, labels: s.labels, object: cfg.JSON()}
	for _, m := range []struct{ key, value string }{
		{"host", host}, {"source", cfg.Source}, {"sourcetype", cfg.SourceType}, {"index", cfg.Index},
	} {
		if m.value != "" {
			v.meta = append(append(v.meta, `"`+m.key+`":`...), v.quote(m.value)...)
			v.meta = append(v.meta, ',')
		}
	}
	return v
}

// append is a [render.Func].
func (v *hecEnvelope) append(b []byte, e *stream.Entry, limit int) ([]byte, error) {
	v.wrap(e)
	around := len(v.head) + len(v.tail)
	room := 0
	if limit > 0 {
		if room = limit - around; room <= 0 {
			return b, errors.New("it can't be shortened enough")
		}
	}
	for range 8 {
		var err error
		if v.body, err = v.render(v.body[:0], e, room); err != nil {
			return b, err
		}
		event := v.body
		if !v.object {
			event = v.quote(string(v.body))
		}
		if limit == 0 || around+len(event) <= limit {
			return append(append(append(b, v.head...), event...), v.tail...), nil
		}
		room = max(1, len(v.body)*(limit-around)/len(event)) // quotes and backslashes are two bytes in a string
	}
	return b, errors.New("it can't be shortened enough")
}

// wrap makes what stands before the event and behind it.
func (v *hecEnvelope) wrap(e *stream.Entry) {
	n := &e.Notification
	v.head = append(v.head[:0], '{')
	for _, t := range []time.Time{render.Happened(e), n.Arrived, e.Time} {
		if ms := t.UnixMilli(); ms > 0 { // Splunk has no time before 1970
			v.head = fmt.Appendf(v.head, `"time":%d.%03d,`, ms/1000, ms%1000)
			break
		}
	}
	v.head = append(append(v.head, v.meta...), `"event":`...)
	kind := cmp.Or(n.Kind, formats.Unknown)
	if e.Kind == stream.Link {
		kind = formats.Link
	}
	v.tail = append(v.tail[:0], `,"fields":{`...)
	fields := append([]render.Label{
		{Name: "event_key", Value: string(e.Key)},
		{Name: "alert_id", Value: string(e.Match.Alert)},
		{Name: "service", Value: string(cmp.Or(n.Service, formats.UnknownService))},
		{Name: "kind", Value: string(kind)},
		{Name: "severity", Value: n.Severity.String()},
	}, v.labels.Of(e)...)
	for i, f := range fields {
		there := slices.ContainsFunc(fields[:i], func(have render.Label) bool { return have.Name == f.Name })
		if (f.Value == "" || there) && i > 0 {
			continue
		}
		if i > 0 {
			v.tail = append(v.tail, ',')
		}
		v.tail = append(append(v.tail, `"`+f.Name+`":`...), v.quote(f.Value)...)
	}
	v.tail = append(v.tail, "}}"...)
}

// quote gives s as a JSON string, until it is called again.
func (v *hecEnvelope) quote(s string) []byte {
	v.quoted.Reset()
	to := json.NewEncoder(&v.quoted)
	to.SetEscapeHTML(false)
	_ = to.Encode(s) // a string can always be encoded
	return bytes.TrimSuffix(v.quoted.Bytes(), []byte("\n"))
}
