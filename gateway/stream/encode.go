package stream

import (
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/cbor"
	"github.com/sluice-siem/sluice/gateway/policy"
)

// Every notification is encoded once, on the goroutine that decides, and reflection took a tenth of all
// the time there was. So entries are written by hand, as the tests also have the library write them:
// deterministic CBOR (RFC 8949, 4.2.1), times in RFC 3339 with all their nanoseconds.

// object writes the parts of entries.
type object struct{ cbor.Writer }

// appendEntry appends e to b. A year that RFC 3339 can't write is an error.
func appendEntry(b []byte, e *Entry) ([]byte, error) {
	o := object{cbor.NewWriter(b)}
	o.Open()
	o.Text(1, string(e.Kind))
	o.Time(2, e.Time)
	o.Text(3, string(e.Key))
	o.Optional(4, e.Input)
	o.Key(5)
	o.notification(&e.Notification)
	o.Key(6)
	o.match(&e.Match)
	o.Key(7)
	o.decision(&e.Decision)
	if len(e.Twins) > 0 {
		o.Array(8, len(e.Twins))
		for i := range e.Twins {
			o.sighting(&e.Twins[i])
		}
	}
	if e.Part != nil {
		o.Key(9)
		o.part(e.Part)
	}
	if len(e.Said) > 0 {
		o.Array(10, len(e.Said))
		for i := range e.Said {
			o.notification(&e.Said[i])
		}
	}
	if e.Act != nil {
		o.Key(11)
		o.act(e.Act)
	}
	o.Close()
	out, err := o.Done()
	if err != nil {
		return b, err
	}
	return out, nil
}

func (o *object) notification(n *formats.Notification) {
	o.Open()
	o.Text(1, string(n.Service))
	o.Text(2, string(n.Kind))
	o.Text(3, n.Channel)
	o.Optional(4, string(n.Origin))
	o.Optional(5, n.ID)
	o.Optional(6, n.Type)
	o.Optional(7, n.Class)
	o.Optional(8, n.Title)
	o.Number(9, int(n.Severity))
	o.entities(10, n.Accounts)
	o.entities(11, n.Devices)
	o.Texts(12, n.Addresses)
	o.Optional(13, n.App)
	o.Optional(14, n.URL)
	o.Optional(15, n.Message)
	o.Moment(16, n.Start)
	o.Moment(17, n.End)
	o.Moment(18, n.Raised)
	o.Moment(19, n.Sent)
	o.Moment(20, n.Arrived)
	o.Yes(21, n.Update)
	o.Number(22, n.Count)
	o.Fields(23, n.Extra, nil)
	o.Yes(24, n.Truncated)
	o.Yes(25, n.Parsed)
	o.Bytes(26, n.Content[:])
	o.Number(27, n.Payload)
	o.Bytes(28, n.Raw)
	o.Optional(29, string(n.Claims))
	o.Close()
}

func (o *object) match(m *dedup.Match) {
	o.Open()
	o.Optional(1, string(m.Alert))
	o.Text(2, string(m.Relation))
	o.Optional(3, m.Type)
	if len(m.Evidence) > 0 {
		o.Array(4, len(m.Evidence))
		for i := range m.Evidence {
			e := &m.Evidence[i]
			o.Open()
			o.Text(1, e.What)
			o.Text(2, e.How)
			o.Number(3, e.Points)
			o.Close()
		}
	}
	if c := m.RunnerUp; c != nil {
		o.Key(5)
		o.Open()
		o.Text(1, string(c.Alert))
		o.Integer(2, c.Points)
		o.Text(3, c.Why)
		o.Close()
	}
	o.Optional(6, string(m.Of))
	o.Number(7, m.Points)
	o.Optional(8, string(m.Undoes))
	o.Optional(9, string(m.From))
	o.Close()
}

func (o *object) decision(d *policy.Decision) {
	o.Open()
	o.Text(1, string(d.Action))
	o.Text(2, string(d.Reason))
	o.Optional(3, d.Rule)
	o.Optional(4, string(d.ManagedIn))
	o.Moment(5, d.Until)
	o.Optional(6, string(d.StandsFor))
	o.Optional(7, string(d.Would))
	o.Close()
}

func (o *object) sighting(s *dedup.Sighting) {
	o.Open()
	o.Text(1, string(s.Service))
	o.Text(2, s.Channel)
	o.Optional(3, s.ID)
	o.Optional(4, s.URL)
	o.Text(5, string(s.Key))
	o.Time(6, s.First)
	o.Time(7, s.Last)
	o.Integer(8, s.Count)
	o.Close()
}

func (o *object) act(a *Act) {
	o.Open()
	o.Text(1, a.By)
	o.Text(2, a.Verb)
	if len(a.Args) > 0 {
		o.Bytes(3, a.Args)
	}
	o.Optional(4, a.Scope)
	o.Close()
}

func (o *object) part(p *dedup.Part) {
	o.Open()
	o.Bytes(1, p.Of[:])
	o.Integer(2, p.Index)
	o.Bytes(3, p.Body[:])
	o.Close()
}

func (o *object) entities(k byte, list []formats.Entity) {
	if len(list) == 0 {
		return
	}
	o.Array(k, len(list))
	for i := range list {
		o.Open()
		o.Text(1, list[i].Name)
		o.Optional(2, list[i].Key)
		o.Close()
	}
}
