package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-siem/sluice/gateway/model"
)

// priority are the operations on users' investigation priority. Who stands highest the list of users tells, sorted by
// -score.
func (s *service) priority(api huma.API) {
	const tag = "users"
	huma.Register(api, op("GET", "/users/{id}/score", "get-user-score", "A person's investigation priority, and what it is made of", tag,
		http.StatusNotFound, http.StatusServiceUnavailable), s.score)
	huma.Register(api, op("POST", "/users/{id}/score/reset", "reset-user-score", "Begin a person's investigation priority anew", tag,
		http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable), s.resetScore)
}

// scored is a score, and what is missing in it.
type scored struct {
	Body struct {
		model.Priority
		NotAvailable []string `json:"not_available" doc:"Services without licence: what only they tell is missing here, not zero."`
	}
}

func (s *service) score(ctx context.Context, in *OneUser) (*scored, error) {
	p, err := s.Model.Priority(ctx, in.ID)
	if err != nil {
		return nil, fault(err)
	}
	out := &scored{}
	out.Body.Priority, out.Body.NotAvailable = p, s.missing()
	return out, nil
}

type resetInput struct {
	Operator
	OneUser
	Body struct {
		Why string `json:"why" doc:"Why what happened so far is to count no more." minLength:"1" maxLength:"4096"`
	}
}

func (s *service) resetScore(ctx context.Context, in *resetInput) (*done, error) {
	return s.act(ctx, in.by, model.ResetScore{User: in.ID, Why: in.Body.Why})
}
