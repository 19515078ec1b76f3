package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/model"
)

func (s *service) policies(api huma.API) {
	const tag = "policies"
	failures := []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusServiceUnavailable}
	huma.Register(api, op("GET", "/policies", "list-policies", "Activity policies: those that come with Sluice, off until switched on, and one's own", tag),
		func(ctx context.Context, _ *struct{}) (*body[[]policyDocument], error) {
			all, err := s.Model.Policies(ctx)
			out := make([]policyDocument, len(all))
			for i := range all {
				out[i] = documentOf(&all[i])
			}
			return bodyOf(out, err)
		})
	huma.Register(api, rereadable(op("GET", "/policies/{id}", "get-policy", "One activity policy", tag, http.StatusNotFound)),
		func(ctx context.Context, in *struct {
			One
			Reread
		},
		) (*tagged[policyDocument], error) {
			p, err := s.Model.Policy(ctx, in.ID)
			if err != nil {
				return nil, fault(err)
			}
			return unlessRead(in.Reread, revisionTag(p.Revision), documentOf(&p))
		})
	keeps(api, http.StatusCreated, op("POST", "/policies", "create-policy", "Make an activity policy", tag, failures...), s.createPolicy)
	keeps(api, http.StatusOK, edits(api, op("PUT", "/policies/{id}", "replace-policy", "Change an activity policy, or switch it on or off", tag, failures...)), s.replacePolicy)
	huma.Register(api, edits(api, op("DELETE", "/policies/{id}", "delete-policy", "Forget an activity policy", tag, failures...)), s.deletePolicy)
	huma.Register(api, op("POST", "/policies/preview", "preview-policy", "What a policy would have raised on the last days", tag), s.preview)
}

// PolicyFields are what one says of a policy.
type PolicyFields struct {
	Name        string        `json:"name" minLength:"1" maxLength:"256"`
	Description string        `json:"description,omitempty" maxLength:"4096"`
	Severity    string        `json:"severity" enum:"informational,low,medium,high"`
	Category    string        `json:"category,omitempty" maxLength:"256"`
	Filter      string        `json:"filter" doc:"Which activities, in the filter language." maxLength:"65536"`
	Times       int           `json:"times,omitempty" doc:"Raise an alert when one user did so many; 1 for each." minimum:"1" maximum:"100000" default:"1"`
	Within      string        `json:"within,omitempty" doc:"In so long, such as 10m, 24h or 7d, which is the most." maxLength:"32" example:"1h"`
	Outside     *model.Hours  `json:"outside,omitempty" doc:"Only activities outside of these hours."`
	Beyond      *model.Beyond `json:"beyond,omitempty" doc:"Instead of a number: what is usual for the user and the peers."`
	Enabled     bool          `json:"enabled"`
}

// policyDocument is a policy as the API shows it.
type policyDocument struct {
	PolicyFields
	ID       string `json:"id"`
	Revision int64  `json:"revision"`
	Owner    string `json:"owner"`
	Built    bool   `json:"built_in"`
}

func documentOf(p *model.ActivityPolicy) policyDocument {
	within := ""
	if p.Within > 0 {
		within = p.Within.String()
	}
	return policyDocument{
		PolicyFields{p.Name, p.Description, p.Severity.String(), p.Category, p.Filter, p.Times, within, p.Outside, p.Beyond, p.Enabled},
		p.ID, p.Revision, p.Owner, p.Built,
	}
}

func (f PolicyFields) policy(id, owner string, revision int64) (model.ActivityPolicy, error) {
	p := model.ActivityPolicy{
		ID: id, Revision: revision, Owner: owner, Name: f.Name, Description: f.Description, Category: f.Category, Filter: f.Filter,
		Times: f.Times, Outside: f.Outside, Beyond: f.Beyond, Enabled: f.Enabled,
	}
	var severity formats.Severity
	if err := severity.UnmarshalText([]byte(f.Severity)); err != nil {
		return p, err
	}
	p.Severity = severity
	if f.Within == "" {
		return p, nil
	}
	var err error
	if p.Within, err = config.ParseDuration(f.Within); err == nil && p.Within <= 0 {
		err = fmt.Errorf("found %q, expected more than 0s", f.Within)
	}
	if err != nil {
		return p, huma.Error422UnprocessableEntity("within: "+err.Error(), &huma.ErrorDetail{Message: err.Error(), Location: "body.within"})
	}
	return p, nil
}

func (s *service) createPolicy(ctx context.Context, in *struct {
	Operator
	Body PolicyFields
},
) (*kept[policyDocument], error) {
	return s.keepPolicy(ctx, in.by, func() (model.ActivityPolicy, error) { return in.Body.policy("", in.by, 0) })
}

func (s *service) replacePolicy(ctx context.Context, in *struct {
	Edit
	Body PolicyFields
},
) (*kept[policyDocument], error) {
	return s.keepPolicy(ctx, in.by, func() (model.ActivityPolicy, error) {
		old, err := s.Model.Policy(ctx, in.ID)
		if err == nil {
			err = matches(in.IfMatch, revisionTag(old.Revision))
		}
		if err != nil {
			return old, err
		}
		return in.Body.policy(in.ID, old.Owner, old.Revision)
	})
}

// keepPolicy keeps what decide says.
func (s *service) keepPolicy(ctx context.Context, by string, decide func() (model.ActivityPolicy, error)) (*kept[policyDocument], error) {
	var p model.ActivityPolicy
	return keep(ctx, s, by, func() (_ model.Act, err error) {
		p, err = decide()
		return model.SavePolicy{Policy: p}, err
	}, func(act string, visible bool) (_ policyDocument, _ int64, err error) {
		p = p.Kept(act, by)
		if visible {
			p, err = s.Model.Policy(ctx, p.ID)
		}
		return documentOf(&p), p.Revision, err
	})
}

func (s *service) deletePolicy(ctx context.Context, in *Edit) (*done, error) {
	return s.actIf(ctx, in.by, func() (model.Act, error) {
		old, err := s.Model.Policy(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return model.DropPolicy{ID: in.ID}, matches(in.IfMatch, revisionTag(old.Revision))
	}, func(*done) {})
}

type previewInput struct {
	Body struct {
		PolicyFields
		Days int `json:"days,omitempty" minimum:"1" maximum:"30" default:"7"`
	}
}

func (s *service) preview(ctx context.Context, in *previewInput) (*body[model.Preview], error) {
	p, err := in.Body.policy("", "", 0)
	if err != nil {
		return nil, fault(err)
	}
	out, err := s.Model.Preview(ctx, p, in.Body.Days)
	return bodyOf(out, err)
}
