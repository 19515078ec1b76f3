package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/model"
)

// Chosen are the alerts that something is done to: named, or all that fit a filter.
type Chosen struct {
	Alerts []string `json:"alerts,omitempty" doc:"IDs of alerts." maxItems:"2000"`
	Filter string   `json:"filter,omitempty" doc:"Or all alerts that fit; never an empty filter." maxLength:"65536"`
}

// On are the parts of the inputs of acts on alerts.
type On struct {
	Operator
	IfMatch string `header:"If-Match" doc:"The entity tag with which the one alert was read, several or *; what was changed meanwhile is then left alone."`
}

func (s *service) alertActs(api huma.API) {
	failures := []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusServiceUnavailable}
	post := func(path, id, summary string) huma.Operation {
		return op("POST", path, id, summary, "alerts", failures...)
	}
	huma.Register(api, post("/alerts/close", "close-alerts", "Close alerts in a service; the closure rule may close them in others"), s.closeAlerts)
	huma.Register(api, post("/alerts/reopen", "reopen-alerts", "Open alerts again in a service"), s.reopenAlerts)
	huma.Register(api, post("/alerts/assign", "assign-alerts", "Assign alerts to somebody"), s.assignAlerts)
	huma.Register(api, post("/alerts/comment", "comment-alerts", "Write a comment on alerts"), s.commentAlerts)
	huma.Register(api, post("/alerts/mark", "mark-alerts", "Mark alerts read or unread"), s.markAlerts)
	huma.Register(api, post("/alerts/undo", "undo-act", "Take back what was done to alerts, on each that nothing has changed since"), s.undo)
	huma.Register(api, post("/alerts/{id}/notifications/{key}/forward", "forward-notification",
		"Forward a suppressed notification after all, and keep it apart from the alert from then on"), s.forward)
}

// choose finds the alerts, and holds a tag against the one.
func (s *service) choose(ctx context.Context, c Chosen, ifMatch string) ([]string, error) {
	switch {
	case len(c.Alerts) > 0 && c.Filter != "":
		return nil, huma.Error422UnprocessableEntity("found alerts and a filter, expected one of them")
	case len(c.Alerts) > 0:
		return c.Alerts, nil
	case ifMatch != "":
		return nil, huma.Error422UnprocessableEntity("found If-Match with a filter, expected it with one alert")
	}
	f, err := filter.Alerts().Parse(c.Filter)
	if err == nil {
		err = outside(ctx, f)
	}
	if err != nil {
		return nil, err
	}
	short, stop := context.WithTimeout(ctx, s.Patience)
	defer stop()
	ids, err := s.Model.Select(short, f, 2000)
	switch {
	case err != nil && short.Err() != nil && ctx.Err() == nil:
		return nil, huma.Error422UnprocessableEntity(fmt.Sprintf("the filter takes longer than %v, in which nobody else can do anything: narrow it, or list what fits and name it", s.Patience))
	case err == nil && len(ids) == 0:
		err = fmt.Errorf("%w: no alert fits the filter", model.ErrNotFound)
	}
	return ids, err
}

func (s *service) unchanged(ctx context.Context, alerts []string, ifMatch string) error {
	switch {
	case ifMatch == "":
		return nil
	case len(alerts) != 1:
		return huma.Error422UnprocessableEntity("found If-Match with several alerts, expected it with one")
	}
	a, err := s.Model.Alert(ctx, alerts[0])
	if err != nil {
		return err
	}
	return matches(ifMatch, digestTag(a))
}

// each does something to the chosen alerts: those that a filter fits when it is this act's turn, so that what somebody
// else took a moment before isn't taken from them.
func (s *service) each(ctx context.Context, o On, c Chosen, act func(ids []string) model.Act) (*done, error) {
	var ids []string
	return s.actIf(ctx, o.by, func() (_ model.Act, err error) {
		if ids, err = s.choose(ctx, c, o.IfMatch); err != nil {
			return nil, err
		}
		return act(ids), s.unchanged(ctx, ids, o.IfMatch)
	}, func(out *done) {
		s.tellChanged(ctx, o.by, out)
		if len(ids) != 1 {
			return
		}
		if a, err := s.Model.Alert(ctx, ids[0]); err == nil {
			out.ETag = digestTag(a)
		}
	})
}

// tellChanged adds what became of an act on alerts. It is recorded, so what can't be told of it is no error.
func (s *service) tellChanged(ctx context.Context, by string, out *done) {
	if n, err := s.Model.Changed(ctx, out.Body.Act); err == nil {
		out.Body.Alerts = &n
		out.Body.CanUndo = s.Model.Check(ctx, by, model.Undo{Act: out.Body.Act}) == nil
	}
}

type closeInput struct {
	On
	Body struct {
		Chosen
		In      formats.Service `json:"in,omitempty" doc:"The service they are closed in; the one that manages each where empty." enum:"defender_for_identity,cloud_app_security,identity_protection,sluice"`
		Why     string          `json:"classification" enum:"true_positive,benign,false_positive"`
		Comment string          `json:"comment,omitempty" maxLength:"4096"`
	}
}

func (s *service) closeAlerts(ctx context.Context, in *closeInput) (*done, error) {
	return s.each(ctx, in.On, in.Body.Chosen, func(ids []string) model.Act {
		return model.Close{Alerts: ids, In: in.Body.In, Why: in.Body.Why, Comment: in.Body.Comment}
	})
}

type reopenInput struct {
	On
	Body struct {
		Chosen
		In      formats.Service `json:"in,omitempty" doc:"The service they are opened in; the one that manages each where empty." enum:"defender_for_identity,cloud_app_security,identity_protection,sluice"`
		Comment string          `json:"comment,omitempty" maxLength:"4096"`
	}
}

func (s *service) reopenAlerts(ctx context.Context, in *reopenInput) (*done, error) {
	return s.each(ctx, in.On, in.Body.Chosen, func(ids []string) model.Act {
		return model.Reopen{Alerts: ids, In: in.Body.In, Comment: in.Body.Comment}
	})
}

type assignInput struct {
	On
	Body struct {
		Chosen
		To   string            `json:"to" doc:"Whom; nobody where empty." maxLength:"256"`
		Seen map[string]string `json:"seen,omitempty" doc:"Who had each alert when it was looked at, by its ID; without those that nobody had. Where another one has one of them meanwhile nothing is changed. Left out, whoever has it loses it."`
	}
}

func (s *service) assignAlerts(ctx context.Context, in *assignInput) (*done, error) {
	return s.each(ctx, in.On, in.Body.Chosen, func(ids []string) model.Act {
		return model.Assign{Alerts: ids, To: in.Body.To, Seen: in.Body.Seen}
	})
}

type commentInput struct {
	On
	Body struct {
		Chosen
		Text string `json:"text" minLength:"1" maxLength:"4096"`
	}
}

func (s *service) commentAlerts(ctx context.Context, in *commentInput) (*done, error) {
	return s.each(ctx, in.On, in.Body.Chosen, func(ids []string) model.Act { return model.Write{Alerts: ids, Text: in.Body.Text} })
}

type markInput struct {
	On
	Body struct {
		Chosen
		Read bool `json:"read"`
	}
}

func (s *service) markAlerts(ctx context.Context, in *markInput) (*done, error) {
	return s.each(ctx, in.On, in.Body.Chosen, func(ids []string) model.Act { return model.Mark{Alerts: ids, Read: in.Body.Read} })
}

type undoInput struct {
	Operator
	Body struct {
		Act string `json:"act" doc:"The ID of what is taken back." minLength:"1" maxLength:"64"`
	}
}

func (s *service) undo(ctx context.Context, in *undoInput) (*done, error) {
	return s.actIf(ctx, in.by, func() (model.Act, error) { return model.Undo{Act: in.Body.Act}, nil }, func(out *done) { s.tellChanged(ctx, in.by, out) })
}

type forwardInput struct {
	Operator
	OneAlert
	Key  string `path:"key" doc:"The notification's event key." maxLength:"64"`
	Body struct {
		Why string `json:"why,omitempty" maxLength:"4096"`
	}
}

func (s *service) forward(ctx context.Context, in *forwardInput) (*done, error) {
	s.Turn.Lock()
	defer s.Turn.Unlock()
	e, err := s.Recorder.ForwardAfterAll(ctx, dedup.AlertID(in.ID), dedup.EventKey(in.Key), in.by, in.Body.Why)
	if err != nil {
		return nil, fault(err)
	}
	return s.recorded(ctx, e), nil
}
