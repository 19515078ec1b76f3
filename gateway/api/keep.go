package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-siem/sluice/gateway/model"
)

// kept is an answer with a document as it is from now on.
type kept[T any] struct {
	Status int
	ETag   string `header:"ETag"`
	Body   T
}

// keeps registers what answers so, and with 202 where the document is recorded for good and can't be read yet.
func keeps[I, T any](api huma.API, status int, o huma.Operation, do func(context.Context, *I) (*kept[T], error)) {
	later := &huma.Response{Description: "It is recorded for good, but the model lags and doesn't show it yet."}
	o.DefaultStatus, o.Responses = status, map[string]*huma.Response{strconv.Itoa(http.StatusAccepted): later}
	huma.Register(api, o, func(ctx context.Context, in *I) (*kept[T], error) {
		out, err := do(ctx, in)
		if err == nil && out.Status == 0 {
			out.Status = status
		}
		return out, err
	})
	now := o.Responses[strconv.Itoa(status)]
	later.Content, later.Headers = now.Content, now.Headers
}

// keep does what decide says. document is what the act of that ID keeps, and its revision: as the model shows it, or as it will.
func keep[T any](ctx context.Context, s *service, by string, decide func() (model.Act, error), document func(act string, visible bool) (T, int64, error)) (*kept[T], error) {
	d, err := s.actIf(ctx, by, decide, func(*done) {})
	if err != nil {
		return nil, err
	}
	v, revision, err := document(d.Body.Act, d.Body.Visible)
	if err != nil {
		return nil, fault(err)
	}
	out := &kept[T]{ETag: revisionTag(revision), Body: v}
	if !d.Body.Visible {
		out.Status = http.StatusAccepted
	}
	return out, nil
}
