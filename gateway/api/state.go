package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/gateway/model"
)

func (s *service) state(api huma.API) {
	const tag = "state"
	huma.Register(api, op("GET", "/state", "get-state", "How the model stands to the stream, and what it misses", tag),
		func(ctx context.Context, _ *struct{}) (*body[model.State], error) {
			state, err := s.Model.State(ctx)
			return bodyOf(state, err)
		})
	huma.Register(api, op("GET", "/fields", "list-fields", "The fields of the filter language, with their operators", tag),
		func(context.Context, *struct{}) (*body[fields], error) {
			return &body[fields]{fields{fieldsOf(filter.Alerts()), fieldsOf(filter.Activities()), fieldsOf(model.UserFields()), fieldsOf(model.AuditFields())}}, nil
		})
}

type fields struct {
	Alerts     []fieldHelp `json:"alerts"`
	Activities []fieldHelp `json:"activities"`
	Users      []fieldHelp `json:"users"`
	Audit      []fieldHelp `json:"audit"`
}

type fieldHelp struct {
	Name      string      `json:"name"`
	Aliases   []string    `json:"aliases,omitempty"`
	Operators []filter.Op `json:"operators"`
	Words     []string    `json:"words,omitempty" doc:"The values it can have, where they are known."`
	Help      string      `json:"help"`
}

func fieldsOf(fs filter.Fields) []fieldHelp {
	out := make([]fieldHelp, len(fs))
	for i, f := range fs {
		out[i] = fieldHelp{f.Name, f.Aliases, f.Kind.Ops(), f.Words, f.Help}
	}
	return out
}
