package gateway

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config"
	language "github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/ledger"
	"github.com/sluice-siem/sluice/gateway/portal"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// What the portal's pages look at, at most.
const (
	mostHeldShown = 20
	mostLookedAt  = 64 // batches from the end of the stream
)

// Status implements [portal.Gateway].
func (p pages) Status(ctx context.Context) (portal.Status, error) {
	now := time.Now()
	s := portal.Status{Now: now, Disk: p.g.stream.Bytes(), Most: int64(p.g.config.Stream.MaxDisk), HeldAll: p.g.index.Held()}
	s.Full = s.Most > 0 && s.Disk >= s.Most
	rates := p.g.pipeline.metrics.minute.rates(now)
	s.Services = p.services(now, rates)
	for _, leg := range Route(p.g.config) {
		plain := strings.NewReplacer("`", "").Replace // no Markdown here
		r := portal.Route{Name: leg.Name, Via: leg.Via, Kept: plain(leg.Kept), Lost: plain(leg.Lost)}
		switch leg.Role {
		case "input":
			s.Inputs = append(s.Inputs, r)
		case "stream":
			s.Stream = r
		case "target":
			s.Targets = append(s.Targets, p.target(ctx, &r, now, rates))
		}
	}
	if s.HeldAll == 0 {
		return s, nil
	}
	held, _, err := p.g.index.Holding()
	for i := range held {
		h := &held[i]
		s.Held = append(s.Held, portal.Held{Alert: h.Alert, Title: h.Notification.Title, Service: h.Service, Due: h.Due, From: h.Held})
	}
	slices.SortFunc(s.Held, func(a, b portal.Held) int { return a.Due.Compare(b.Due) })
	s.Held = s.Held[:min(len(s.Held), mostHeldShown)]
	return s, err
}

// services sums up the ledger's last 24 hours, and the last minute.
func (p pages) services(now time.Time, rates map[passed]float64) []portal.Service {
	tally, _, _ := p.g.ledger.Tally()
	hour := now.Unix() / 3600
	var out []portal.Service
	for _, name := range p.g.config.Services.Order() {
		r := p.g.index.Rhythm(formats.Service(name))
		out = append(out, portal.Service{Name: formats.Service(name), Enabled: p.g.config.Services.Enabled(name), Last: r.Last, Silent: r.Silent})
	}
	for _, name := range []formats.Service{formats.UnknownService, formats.Sluice} { // where there are any, so that the sums are whole
		out = append(out, portal.Service{Name: name, Enabled: true})
	}
	for i := range out {
		name := string(out[i].Name)
		out[i].Rate = portal.Rate{In: rates[passed{name, ledger.Received}], Out: rates[passed{name, ledger.Forwarded}], Suppressed: rates[passed{name, ledger.Suppressed}]}
	}
	for cell, c := range tally {
		i := slices.IndexFunc(out, func(s portal.Service) bool { return s.Name == cell.Service })
		age := hour - cell.Hour
		if i < 0 || age < 0 || age >= int64(len(out[i].Hours)) {
			continue
		}
		switch s := &out[i]; cell.Term {
		case ledger.Received:
			s.Received += c.N
			s.Hours[int64(len(s.Hours))-1-age] += c.N
		case ledger.Forwarded:
			s.Forwarded += c.N
		case ledger.Suppressed:
			s.Suppressed += c.N
		case ledger.Dropped:
			s.Dropped += c.N
		}
	}
	return slices.DeleteFunc(out, func(s portal.Service) bool {
		return s.Received == 0 && (s.Name == formats.UnknownService || s.Name == formats.Sluice)
	})
}

func (p pages) target(ctx context.Context, r *portal.Route, now time.Time, rates map[passed]float64) portal.Target {
	t := portal.Target{Name: r.Name, Via: r.Via, Kept: r.Kept, Lost: r.Lost, Rate: rates[passed{r.Name, ledger.Delivered}]}
	for i := range p.g.config.Targets {
		if c := &p.g.config.Targets[i]; c.Name == r.Name {
			t.Type, t.Format = c.Type, c.Format
		}
	}
	d, err := p.delivery(r.Name)
	if err != nil {
		t.Trouble = err.Error()
		return t
	}
	lag, err := d.reader.Lag(ctx, now)
	if err != nil {
		t.Trouble = err.Error()
	}
	t.Waiting, t.Age, t.Blocked = lag.Entries, lag.Age, d.blocked.Load()
	if trouble := d.trouble.Load(); trouble != nil {
		t.Trouble, t.Since = trouble.why, trouble.at
	}
	tally, _, _ := d.reader.Tally()
	for cell, c := range tally {
		if now.Unix()/3600-cell.Hour >= 24 {
			continue
		}
		switch cell.Term {
		case ledger.Delivered:
			t.Delivered += c.N
		case ledger.Filtered:
			t.Filtered += c.N
		}
	}
	if ids, err := p.g.letters.List(d.name); err == nil {
		t.Letters = len(ids)
	}
	return t
}

// back visits the newest entries, the newest first, until visit returns false.
func (p pages) back(ctx context.Context, visit func(*stream.Entry) bool) error {
	first, last := p.g.stream.Bounds()
	for n := last; n >= max(first, 1) && n+mostLookedAt > last; n-- {
		m, err := p.g.stream.Read(ctx, n)
		if err != nil {
			return err
		}
		for _, e := range slices.Backward(m.Entries) {
			if !visit(e) {
				return nil
			}
		}
	}
	return nil
}

// Tail implements [portal.Gateway].
func (p pages) Tail(ctx context.Context, f language.Filter, most int) ([]*stream.Entry, error) {
	fits := newFilter(config.When{Filter: f}, p.g.score)
	var out []*stream.Entry
	err := p.back(ctx, func(e *stream.Entry) bool {
		if e.Kind != stream.Acted && (len(f) == 0 || fits.fits(e, true)) {
			out = append(out, e)
		}
		return len(out) < most
	})
	return out, err
}

// Rules implements [portal.Gateway].
func (p pages) Rules(ctx context.Context) (portal.Ruled, error) {
	r := portal.Ruled{By: map[string]int{}, Last: map[string]time.Time{}}
	err := p.back(ctx, func(e *stream.Entry) bool {
		if e.Kind == stream.Notification || e.Kind == stream.Release {
			r.By[e.Decision.Rule]++
			r.Of++
			r.Since = e.Time
			if r.Last[e.Decision.Rule].IsZero() {
				r.Last[e.Decision.Rule] = e.Time
			}
		}
		return true
	})
	return r, err
}

// Letters implements [portal.Gateway].
func (p pages) Letters(context.Context) ([]portal.Letter, error) {
	var out []portal.Letter
	for _, d := range p.g.deliveries {
		ids, err := p.g.letters.List(d.name)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			l, err := p.g.letters.Read(d.name, id)
			if err != nil {
				out = append(out, portal.Letter{Target: d.name, ID: id, Damaged: err.Error()})
				continue
			}
			out = append(out, portal.Letter{
				Target: d.name, ID: id, Title: l.Entry.Notification.Title, Reply: strings.ToValidUTF8(l.Reply, "\ufffd"), Refused: l.Refused, Attempts: l.Attempts,
			})
		}
	}
	return out, nil
}
