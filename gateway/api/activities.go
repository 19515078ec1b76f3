package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/gateway/model"
)

func (s *service) activities(api huma.API) {
	const tag = "activities"
	huma.Register(api, op("GET", "/activities", "list-activities", "The activity log, alerts among them", tag, http.StatusBadRequest),
		func(ctx context.Context, in *PageInput) (*list[model.Activity], error) {
			q, err := s.query(ctx, *in, filter.Activities())
			if err != nil {
				return nil, err
			}
			p, err := s.Model.Activities(ctx, q)
			return listOf(s, p, err)
		})
	huma.Register(api, op("GET", "/activities/total", "count-activities", "How many activities fit", tag), counted(s, filter.Activities(), (*model.Model).ActivityTotal))
	huma.Register(api, op("GET", "/activities/facets", "facet-activities", "How many activities have each value", tag), faceted(s, filter.Activities(), (*model.Model).ActivityFacets))
	huma.Register(api, export(op("GET", "/activities/export", "export-activities", "Every activity that fits, as CSV or NDJSON", tag)),
		exported(s, "activities", filter.Activities(), activityColumns(), (*model.Model).EachActivity))
	huma.Register(api, rereadable(op("GET", "/activities/{key}", "get-activity", "One activity", tag, http.StatusNotFound)), s.activity)
}

func (s *service) activity(ctx context.Context, in *struct {
	Reread
	Key string `path:"key" maxLength:"64"`
},
) (*tagged[model.Activity], error) {
	a, err := s.Model.Activity(ctx, in.Key)
	if err != nil {
		return nil, fault(err)
	}
	return unlessRead(in.Reread, digestTag(a), a)
}
