package stream

import (
	"math"

	library "github.com/fxamacker/cbor/v2"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/cbor"
	"github.com/sluice-siem/sluice/gateway/policy"
)

// Whoever follows the stream from afar reads every entry of it, and reflection was the greatest part of that. So what
// is as appendEntry writes it is read by hand, and everything else by the library, as if nobody had tried before.

// decoder reads entries of one message.
type decoder struct {
	library library.DecMode
	words   map[string]string // what entries have in common, each once
}

func newDecoder() decoder { return decoder{decoding(), map[string]string{}} }

// entry reads the entry that b begins with, and gives what comes after it. b stays as it is as long as the entry is used.
func (d decoder) entry(b []byte, e *Entry) (rest []byte, err error) {
	i := item{cbor.NewReader(b, d.words)}
	i.entry(e)
	if !i.Odd() {
		return i.Rest(), nil
	}
	*e = Entry{}
	return d.library.UnmarshalFirst(b, e)
}

func (i *item) entry(e *Entry) {
	for k := range i.Fields {
		switch k {
		case 1:
			e.Kind = Kind(i.Word())
		case 2:
			e.Time = i.Time()
		case 3:
			e.Key = dedup.EventKey(i.Text())
		case 4:
			e.Input = i.Word()
		case 5:
			i.notification(&e.Notification)
		case 6:
			i.match(&e.Match)
		case 7:
			i.decision(&e.Decision)
		case 8:
			e.Twins = array(i, (*item).sighting)
		case 9:
			e.Part = new(dedup.Part)
			i.part(e.Part)
		case 10:
			e.Said = array(i, (*item).notification)
		case 11:
			e.Act = new(Act)
			i.act(e.Act)
		default:
			i.Reject()
		}
	}
}

func (i *item) notification(n *formats.Notification) {
	for k := range i.Fields {
		switch k {
		case 1:
			n.Service = formats.Service(i.Word())
		case 2:
			n.Kind = formats.Kind(i.Word())
		case 3:
			n.Channel = i.Word()
		case 4:
			n.Origin = formats.Service(i.Word())
		case 5:
			n.ID = i.Text()
		case 6:
			n.Type = i.Word()
		case 7:
			n.Class = i.Word()
		case 8:
			n.Title = i.Word()
		case 9:
			n.Severity = formats.Severity(i.Number(0, math.MaxUint8))
		case 10:
			n.Accounts = array(i, (*item).entity)
		case 11:
			n.Devices = array(i, (*item).entity)
		case 12:
			n.Addresses = array(i, func(i *item, s *string) { *s = i.Text() })
		case 13:
			n.App = i.Word()
		case 14:
			n.URL = i.Text()
		case 15:
			n.Message = i.Text()
		case 16:
			n.Start = i.Time()
		case 17:
			n.End = i.Time()
		case 18:
			n.Raised = i.Time()
		case 19:
			n.Sent = i.Time()
		case 20:
			n.Arrived = i.Time()
		case 21:
			n.Update = i.Yes()
		case 22:
			n.Count = i.Integer()
		case 23:
			n.Extra = i.Texts()
		case 24:
			n.Truncated = i.Yes()
		case 25:
			n.Parsed = i.Yes()
		case 26:
			i.Fixed(n.Content[:])
		case 27:
			n.Payload = i.Integer()
		case 28:
			n.Raw = i.Within()
		case 29:
			n.Claims = formats.Service(i.Word())
		default:
			i.Reject()
		}
	}
}

func (i *item) entity(e *formats.Entity) {
	for k := range i.Fields {
		switch k {
		case 1:
			e.Name = i.Text()
		case 2:
			e.Key = i.Word()
		default:
			i.Reject()
		}
	}
}

func (i *item) match(m *dedup.Match) {
	for k := range i.Fields {
		switch k {
		case 1:
			m.Alert = dedup.AlertID(i.Text())
		case 2:
			m.Relation = dedup.Relation(i.Word())
		case 3:
			m.Type = i.Word()
		case 4:
			m.Evidence = array(i, (*item).evidence)
		case 5:
			m.RunnerUp = new(dedup.Candidate)
			i.candidate(m.RunnerUp)
		case 6:
			m.Of = dedup.EventKey(i.Text())
		case 7:
			m.Points = i.Integer()
		case 8:
			m.Undoes = dedup.EventKey(i.Text())
		case 9:
			m.From = dedup.AlertID(i.Text())
		default:
			i.Reject()
		}
	}
}

func (i *item) evidence(e *dedup.Evidence) {
	for k := range i.Fields {
		switch k {
		case 1:
			e.What = i.Word()
		case 2:
			e.How = i.Word()
		case 3:
			e.Points = i.Integer()
		default:
			i.Reject()
		}
	}
}

func (i *item) candidate(c *dedup.Candidate) {
	for k := range i.Fields {
		switch k {
		case 1:
			c.Alert = dedup.AlertID(i.Text())
		case 2:
			c.Points = i.Integer()
		case 3:
			c.Why = i.Word()
		default:
			i.Reject()
		}
	}
}

func (i *item) decision(d *policy.Decision) {
	for k := range i.Fields {
		switch k {
		case 1:
			d.Action = dedup.Action(i.Word())
		case 2:
			d.Reason = policy.Reason(i.Word())
		case 3:
			d.Rule = i.Word()
		case 4:
			d.ManagedIn = formats.Service(i.Word())
		case 5:
			d.Until = i.Time()
		case 6:
			d.StandsFor = dedup.EventKey(i.Text())
		case 7:
			d.Would = dedup.Action(i.Word())
		default:
			i.Reject()
		}
	}
}

func (i *item) sighting(s *dedup.Sighting) {
	for k := range i.Fields {
		switch k {
		case 1:
			s.Service = formats.Service(i.Word())
		case 2:
			s.Channel = i.Word()
		case 3:
			s.ID = i.Text()
		case 4:
			s.URL = i.Text()
		case 5:
			s.Key = dedup.EventKey(i.Text())
		case 6:
			s.First = i.Time()
		case 7:
			s.Last = i.Time()
		case 8:
			s.Count = i.Integer()
		default:
			i.Reject()
		}
	}
}

func (i *item) part(p *dedup.Part) {
	for k := range i.Fields {
		switch k {
		case 1:
			i.Fixed(p.Of[:])
		case 2:
			p.Index = i.Integer()
		case 3:
			i.Fixed(p.Body[:])
		default:
			i.Reject()
		}
	}
}

func (i *item) act(a *Act) {
	for k := range i.Fields {
		switch k {
		case 1:
			a.By = i.Text()
		case 2:
			a.Verb = i.Word()
		case 3:
			a.Args = i.Bytes()
		case 4:
			a.Scope = i.Text()
		default:
			i.Reject()
		}
	}
}

// item reads the parts of entries.
type item struct{ cbor.Reader }

// array reads a list with at least one element, each with that.
func array[T any](i *item, one func(*item, *T)) []T {
	n := i.Array()
	out := make([]T, 0, min(n, 16)) // what isn't there takes no memory
	for ; n > 0 && !i.Odd(); n-- {
		out = append(out, *new(T))
		one(i, &out[len(out)-1])
	}
	return out
}
