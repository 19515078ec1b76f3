package api

import (
	"context"
	"iter"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/model"
)

// op describes an operation.
func op(method, path, id, summary, tag string, failures ...int) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: method, Path: Prefix + path, Summary: summary, Tags: []string{tag},
		Errors: append([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusInternalServerError}, failures...),
	}
}

func (s *service) alerts(api huma.API) {
	const tag = "alerts"
	huma.Register(api, op("GET", "/alerts", "list-alerts", "The alerts queue", tag, http.StatusBadRequest),
		func(ctx context.Context, in *PageInput) (*list[model.Alert], error) {
			q, err := s.query(ctx, *in, filter.Alerts())
			if err != nil {
				return nil, err
			}
			p, err := s.Model.Alerts(ctx, q)
			return listOf(s, p, err)
		})
	huma.Register(api, op("GET", "/alerts/total", "count-alerts", "How many alerts fit", tag), counted(s, filter.Alerts(), (*model.Model).AlertTotal))
	huma.Register(api, op("GET", "/alerts/facets", "facet-alerts", "How many alerts have each value", tag), faceted(s, filter.Alerts(), (*model.Model).AlertFacets))
	huma.Register(api, export(op("GET", "/alerts/export", "export-alerts", "Every alert that fits, as CSV or NDJSON", tag)),
		exported(s, "alerts", filter.Alerts(), alertColumns(), (*model.Model).EachAlert))
	huma.Register(api, rereadable(op("GET", "/alerts/{id}", "get-alert", "One alert with its notifications and the evidence that paired them", tag, http.StatusNotFound)), s.alert)
	huma.Register(api, op("GET", "/alerts/{id}/history", "get-alert-history", "What was done to an alert", tag, http.StatusNotFound),
		func(ctx context.Context, in *struct {
			Operator
			OneAlert
		},
		) (*body[[]model.Change], error) {
			h, err := s.Model.AlertHistory(ctx, in.ID, in.by)
			if p, _ := access.From(ctx); access.Allow(p, "undo-act") != nil {
				for i := range h {
					h[i].Undo = false
				}
			}
			return bodyOf(h, err)
		})
}

// OneAlert is the path of an alert.
type OneAlert struct {
	ID string `path:"id" doc:"Sluice's ID of the alert." maxLength:"64"`
}

// body is a plain answer.
type body[T any] struct{ Body T }

func bodyOf[T any](v T, err error) (*body[T], error) {
	if err != nil {
		return nil, fault(err)
	}
	return &body[T]{v}, nil
}

func (s *service) alert(ctx context.Context, in *struct {
	OneAlert
	Reread
},
) (*tagged[model.Alert], error) {
	a, err := s.Model.Alert(ctx, in.ID)
	if err != nil {
		return nil, fault(err)
	}
	return unlessRead(in.Reread, digestTag(a), a)
}

// totalOf and the like are the queries that alerts and activities share.
type (
	totalOf       func(*model.Model, context.Context, filter.Filter) (model.Total, error)
	facetOf       func(*model.Model, context.Context, filter.Filter, []string) (map[string][]model.ValueCount, error)
	eachOf[T any] func(*model.Model, context.Context, filter.Filter) iter.Seq2[T, error]
)

// Filtered are the parameters of what is said of all that fit.
type Filtered struct {
	Filter string `query:"filter" doc:"Which ones, in the filter language; all where empty." maxLength:"65536"`
}

// count is a total, and what is not in it.
type count struct {
	model.Total
	NotAvailable []string `json:"not_available" doc:"Services without licence: what only they tell isn't counted."`
}

func counted(s *service, of filter.Fields, total totalOf) func(context.Context, *Filtered) (*body[count], error) {
	return func(ctx context.Context, in *Filtered) (*body[count], error) {
		f, err := parse(ctx, in.Filter, of)
		if err != nil {
			return nil, err
		}
		t, err := total(s.Model, ctx, f)
		return bodyOf(count{t, s.missing()}, err)
	}
}

type facetsInput struct {
	Filtered
	Fields []string `query:"fields" required:"true" doc:"Fields whose values are counted, separated by commas." minItems:"1" maxItems:"10"`
}

func faceted(s *service, of filter.Fields, facets facetOf) func(context.Context, *facetsInput) (*body[map[string][]model.ValueCount], error) {
	return func(ctx context.Context, in *facetsInput) (*body[map[string][]model.ValueCount], error) {
		f, err := parse(ctx, in.Filter, of)
		if err != nil {
			return nil, err
		}
		values, err := facets(s.Model, ctx, f, in.Fields)
		return bodyOf(values, err)
	}
}
