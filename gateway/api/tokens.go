package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-siem/sluice/gateway/access"
)

func (s *service) tokens(api huma.API) {
	const tag = "access"
	huma.Register(api, op("GET", "/me", "get-me", "Who asks, and what they may", tag),
		func(ctx context.Context, _ *struct{}) (*body[me], error) {
			p, _ := access.From(ctx)
			return &body[me]{meOf(p)}, nil
		})
	huma.Register(api, op("GET", "/tokens", "list-tokens", "One's own API tokens; for an unlimited admin everybody's", tag),
		func(ctx context.Context, _ *struct{}) (*body[[]access.Token], error) {
			p, _ := access.From(ctx)
			return &body[[]access.Token]{s.Door.Tokens(p)}, nil
		})
	create := op("POST", "/tokens", "create-token", "Make an API token, which is told this once; a token makes no others", tag, http.StatusServiceUnavailable)
	create.DefaultStatus = http.StatusCreated
	huma.Register(api, create, s.createToken)
	huma.Register(api, op("DELETE", "/tokens/{id}", "revoke-token", "End an API token for good", tag, http.StatusNotFound, http.StatusServiceUnavailable), s.revokeToken)
}

// me is who asks.
type me struct {
	access.Principal
	Sees string   `json:"sees" doc:"The limit, in words."`
	May  []string `json:"may" doc:"The operations that are allowed, by their IDs."`
}

func meOf(p access.Principal) me {
	out := me{Principal: p, Sees: p.Scope.String(), May: []string{}}
	for _, r := range access.Rules() {
		if r.Operation != access.Send && access.Allow(p, r.Operation) == nil {
			out.May = append(out.May, r.Operation)
		}
	}
	return out
}

type tokenInput struct {
	Body struct {
		Name         string   `json:"name" minLength:"1" maxLength:"100"`
		Role         string   `json:"role" enum:"ingest,viewer,operator,admin"`
		Services     []string `json:"services,omitempty" doc:"Limit: what these services say; no limit where left out." maxItems:"10"`
		Applications []string `json:"applications,omitempty" doc:"Limit: what is of these applications; no limit where left out." maxItems:"100"`
		Days         int      `json:"days,omitempty" doc:"How long it is good." minimum:"1" maximum:"365" default:"90"`
	}
}

// newToken is the only answer that has the token itself.
type newToken struct {
	access.Token
	Secret string `json:"token" doc:"The token; nobody is told it again."`
}

func (s *service) createToken(ctx context.Context, in *tokenInput) (*body[newToken], error) {
	p, _ := access.From(ctx)
	var role access.Role
	if err := role.UnmarshalText([]byte(in.Body.Role)); err != nil {
		return nil, huma.Error422UnprocessableEntity(err.Error())
	}
	scope := access.Scope{Services: in.Body.Services, Applications: in.Body.Applications}
	expires := s.Now().Add(time.Duration(in.Body.Days) * 24 * time.Hour)
	if err := s.Door.CheckToken(p, in.Body.Name, role, scope, expires); err != nil {
		if refused, ok := errors.AsType[*access.RefusalError](err); ok {
			s.Door.Denied(ctx, p, "create-token", refused.Text) // whoever asks for more than they have is worth a line
		}
		return nil, noToken(err)
	}
	if err := s.note(ctx, "create_token", fmt.Sprintf("%s: %s, sees %s, for %d days", in.Body.Name, role, scope.Within(p.Scope), in.Body.Days)); err != nil {
		return nil, err // before: a token that nobody knows of would be worse than a line for one that wasn't made
	}
	t, secret, err := s.Door.Create(p, in.Body.Name, role, scope, expires)
	return bodyOf(newToken{t, secret}, noToken(err))
}

// noToken is the problem document for a token that isn't made.
func noToken(err error) error {
	if refused, ok := errors.AsType[*access.RefusalError](err); ok {
		return huma.Error403Forbidden(refused.Text)
	}
	if errors.Is(err, access.ErrToken) {
		return huma.Error422UnprocessableEntity(err.Error())
	}
	return err
}

func (s *service) revokeToken(ctx context.Context, in *One) (*body[access.Token], error) {
	p, _ := access.From(ctx)
	t, ok, err := s.Door.Revoke(p, in.ID)
	if err == nil && !ok {
		return nil, huma.Error404NotFound(fmt.Sprintf("token %.64q: not found among yours", in.ID))
	}
	if err == nil {
		err = s.note(ctx, "revoke_token", t.Name+" of "+t.By)
	}
	return bodyOf(t, err)
}
