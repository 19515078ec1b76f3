package gateway

import (
	"context"
	"fmt"
	"net/http"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/portal"
	"github.com/sluice-siem/sluice/gateway/render"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// newPortal is the handler of the portal's pages.
func newPortal(g *Gateway) http.Handler {
	return portal.New(portal.Options{
		Model: g.show.of, API: g.show, Door: g.door, Gateway: pages{g}, Config: g.config, Version: Version(), Log: g.log.With("component", "portal"),
	})
}

// of is the model of what somebody sees.
func (s *show) of(scope access.Scope) (*model.Model, error) {
	if !s.g.config.Model.Enabled {
		return nil, fmt.Errorf("%w: nothing is kept to be shown, for model.enabled is false in the configuration", model.ErrUnavailable)
	}
	if scope.Whole() {
		if m := s.model.Load(); m != nil {
			return m, nil
		}
		return nil, fmt.Errorf("%w: the model isn't open; it is tried again, and the gateway's log says why", model.ErrUnavailable)
	}
	v, err := s.views.of(scope)
	if err != nil {
		s.g.log.Error("the view of a limited role can't be opened", "sees", scope.String(), "err", err)
		return nil, fmt.Errorf("%w: what you may see can't be shown, and the gateway's log says why", model.ErrUnavailable)
	}
	return v.model, nil
}

// pages tells the portal what the gateway knows beyond the model.
type pages struct{ g *Gateway }

// Sent implements [portal.Gateway].
func (p pages) Sent(ctx context.Context, at stream.Position) ([]portal.Sent, error) {
	e, err := p.entry(ctx, at)
	if err != nil {
		return nil, err
	}
	return p.render(e)
}

// Received implements [portal.Gateway]. A limited model knows no places in the stream; the whole one knows that of the
// same notification.
func (p pages) Received(ctx context.Context, a *model.Activity) (*formats.Notification, error) {
	whole, err := p.g.show.of(access.Scope{})
	if err != nil {
		return nil, err
	}
	at, err := whole.PlaceOf(ctx, a)
	if err != nil {
		return nil, err
	}
	e, err := p.entry(ctx, at)
	if err != nil {
		return nil, err
	}
	return &e.Notification, nil
}

func (p pages) entry(ctx context.Context, at stream.Position) (*stream.Entry, error) {
	m, err := p.g.stream.Read(ctx, at.Sequence)
	if err == nil && at.Index >= len(m.Entries) {
		err = stream.ErrPurged
	}
	if err != nil {
		return nil, fmt.Errorf("read the stream: %w", err)
	}
	return m.Entries[at.Index], nil
}

// render writes an entry as each target gets it.
func (p pages) render(e *stream.Entry) ([]portal.Sent, error) {
	var out []portal.Sent
	for i := range p.g.config.Targets {
		t := &p.g.config.Targets[i]
		s := portal.Sent{Target: t.Name, Format: t.Format}
		switch newFilter(t.When, p.g.score).judge(e) {
		case notForTargets:
			s.Not = "It is not forwarded, so this target doesn't get it."
		case filtered:
			s.Not = "By its when, this target doesn't get it."
		case forwarded, standingIn:
			r, err := render.For(s.Format)
			if err != nil {
				return nil, err
			}
			text, err := r(nil, e, 0)
			if err != nil {
				s.Not = "It can't be written in this format: " + err.Error()
			}
			s.Text = string(text)
		}
		out = append(out, s)
	}
	return out, nil
}
