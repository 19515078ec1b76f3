package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/model"
)

func (s *service) audit(api huma.API) {
	const tag = "audit"
	huma.Register(api, op("GET", "/audit", "list-audit", "The audit log: every change, export and log-in, and whom it was refused", tag, http.StatusBadRequest),
		func(ctx context.Context, in *PageInput) (*list[model.Audited], error) {
			q, err := s.query(ctx, *in, model.AuditFields())
			if err != nil {
				return nil, err
			}
			p, err := s.Model.Audit(ctx, q)
			return listOf(s, p, err)
		})
	huma.Register(api, export(op("GET", "/audit/export", "export-audit", "Every line of the audit log that fits, as CSV or NDJSON", tag, http.StatusServiceUnavailable)),
		exported(s, "the audit log", model.AuditFields(), auditColumns(), (*model.Model).EachAudited))
}

func auditColumns() []column[model.Audited] {
	return []column[model.Audited]{
		{"time", func(a *model.Audited) string { return stamp(a.Time) }},
		{"by", func(a *model.Audited) string { return a.By }},
		{"act", func(a *model.Audited) string { return a.What }},
		{"details", func(a *model.Audited) string { return string(a.Details) }},
		{"key", func(a *model.Audited) string { return a.Key }},
	}
}

// note puts into the audit log what changes nothing else.
func (s *service) note(ctx context.Context, what, text string) error {
	p, _ := access.From(ctx)
	record, err := model.Record(p.By(), model.Noted{What: what, Text: text})
	if err == nil {
		_, err = s.Recorder.Record(ctx, record)
	}
	if err != nil {
		return fault(err)
	}
	return nil
}
