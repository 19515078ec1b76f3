package portal

import (
	"fmt"
	"strings"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// streamPage is the first page: whether it works, and what it saved.
type streamPage struct {
	At      address
	Status  Status
	Flow    flow
	Total   Service // of all services
	Calm    bool    // nothing asks for anybody
	Tail    []*stream.Entry
	Text    string // of the tail's filter
	Wrong   string
	Paused  bool
	Manages []string
}

// mostTail is how many decisions the tail shows.
const mostTail = 30

// whole shows the stream.
func whole(v *visit) (any, error) {
	q := v.r.URL.Query()
	p := &streamPage{At: v.here(), Text: q.Get("tail"), Paused: q.Get("paused") != ""}
	part := v.r.Header.Get("HX-Target")
	if part != "tail" {
		s, err := v.Gateway.Status(v.r.Context())
		if err != nil {
			return nil, err
		}
		p.status(s)
	}
	if part == "now" {
		return p, nil
	}
	f, err := filter.Notifications().Parse(p.Text)
	if err != nil {
		p.Wrong = err.Error()
		return p, nil
	}
	p.Tail, err = v.Gateway.Tail(v.r.Context(), f, mostTail)
	return p, err
}

func (p *streamPage) status(s Status) {
	p.Status, p.Calm = s, !s.Full
	for i := range s.Services {
		o := &s.Services[i]
		p.Total.Received += o.Received
		p.Total.Forwarded += o.Forwarded
		p.Total.Suppressed += o.Suppressed
		p.Total.Dropped += o.Dropped
		p.Total.Rate.In += o.Rate.In
		p.Total.Rate.Out += o.Rate.Out
		p.Total.Rate.Suppressed += o.Rate.Suppressed
		p.Calm = p.Calm && o.Silent.IsZero()
	}
	for i := range s.Targets {
		t := &s.Targets[i]
		p.Calm = p.Calm && !t.Blocked && t.Trouble == "" && t.Letters == 0
	}
	p.Flow = draw(&s)
}

// Saved is how many in a hundred of what came no SIEM had to take.
func (p *streamPage) Saved() int64 {
	if p.Total.Received == 0 {
		return 0
	}
	return 100 * p.Total.Suppressed / p.Total.Received
}

// flow is a picture of what goes from the services through Sluice to the targets.
type flow struct {
	Height int
	Bands  []band
	Boxes  []box
}

// band is a way, the broader the more goes along it.
type band struct {
	Path, Class string
	Width       float64
}

// box is where ways begin or end.
type box struct {
	X, Y       int
	Name, Text string
	Class      string
}

// Measures of the picture, in its own units.
const (
	boxHigh, boxApart, boxWide = 54, 70, 230
	leftX, middleX, rightX     = 10, 385, 760
)

// draw makes the picture of the last 24 hours.
func draw(s *Status) flow {
	rows := max(len(s.Services), len(s.Targets), 1)
	f := flow{Height: rows*boxApart + 10}
	middle := f.Height/2 - boxHigh/2
	most := int64(1)
	for i := range s.Services {
		most = max(most, s.Services[i].Received)
	}
	for i := range s.Targets {
		most = max(most, s.Targets[i].Delivered)
	}
	place := func(i, of int) int { return (f.Height-of*boxApart)/2 + i*boxApart + (boxApart-boxHigh)/2 }
	var received, suppressed int64
	for i := range s.Services {
		o, y := &s.Services[i], place(i, len(s.Services))
		b := box{leftX, y, serviceName(o.Name), count(o.Received) + " came, " + perSecond(o.Rate.In), ""}
		switch {
		case !o.Enabled:
			b.Text, b.Class = "not licensed", "off"
		case !o.Silent.IsZero():
			b.Text, b.Class = "silent", "bad"
		}
		f.Boxes = append(f.Boxes, b)
		f.Bands = append(f.Bands, curve(leftX+boxWide, y, middleX, middle, o.Received, most, "in"))
		received, suppressed = received+o.Received, suppressed+o.Suppressed
	}
	f.Boxes = append(f.Boxes, box{middleX, middle, "Sluice", fmt.Sprintf("%s suppressed, %s held", count(suppressed), count(int64(s.HeldAll))), "self"})
	for i := range s.Targets {
		t, y := &s.Targets[i], place(i, len(s.Targets))
		b := box{rightX, y, t.Name, count(t.Delivered) + " delivered, " + perSecond(t.Rate), ""}
		if t.Blocked || t.Trouble != "" {
			b.Text, b.Class = "takes nothing", "bad"
		}
		f.Boxes = append(f.Boxes, b)
		f.Bands = append(f.Bands, curve(middleX+boxWide, middle, rightX, y, t.Delivered, most, "out"))
	}
	return f
}

// curve leads from the middle of one box's side to that of another.
func curve(x1, y1, x2, y2 int, n, most int64, class string) band {
	y1, y2 = y1+boxHigh/2, y2+boxHigh/2
	half := (x1 + x2) / 2
	if n == 0 {
		class += " none"
	}
	return band{fmt.Sprintf("M%d %dC%d %d %d %d %d %d", x1, y1, half, y1, half, y2, x2, y2), class, 1.5 + 22*float64(n)/float64(most)}
}

// Bars is a path of the received notifications by hour, in a box of 120 by 24.
func (s *Service) Bars() string {
	most := int64(1)
	for _, n := range s.Hours {
		most = max(most, n)
	}
	var b strings.Builder
	for i, n := range s.Hours {
		if n > 0 {
			_, _ = fmt.Fprintf(&b, "M%d 24v-%.1f", i*5+2, 1+22*float64(n)/float64(most)) // a builder never fails
		}
	}
	return b.String()
}
