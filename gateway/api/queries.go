package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/model"
)

func (s *service) queries(api huma.API) {
	const tag = "queries"
	failures := []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusServiceUnavailable}
	huma.Register(api, op("GET", "/queries", "list-queries", "Saved queries: one's own, the shared, and those that Sluice suggests", tag), s.listQueries)
	huma.Register(api, rereadable(op("GET", "/queries/{id}", "get-query", "One saved query", tag, http.StatusNotFound)), s.oneQuery)
	keeps(api, http.StatusCreated, op("POST", "/queries", "create-query", "Save a query", tag, failures...), s.createQuery)
	keeps(api, http.StatusOK, edits(api, op("PUT", "/queries/{id}", "replace-query", "Change a saved query", tag, failures...)), s.replaceQuery)
	huma.Register(api, edits(api, op("DELETE", "/queries/{id}", "delete-query", "Forget a saved query; an unlimited admin any that is shared", tag, failures...)), s.deleteQuery)
}

// queryFields are what one says of a query.
type queryFields struct {
	Name   string `json:"name" minLength:"1" maxLength:"256"`
	Of     string `json:"of" enum:"alerts,activities"`
	Filter string `json:"filter" maxLength:"65536"`
	Sort   string `json:"sort,omitempty" maxLength:"64"`
	Shared bool   `json:"shared" doc:"Everybody sees it."`
}

func (f queryFields) query(id, owner string, revision int64) model.SavedQuery {
	return model.SavedQuery{ID: id, Revision: revision, Name: f.Name, Of: f.Of, Filter: f.Filter, Sort: f.Sort, Shared: f.Shared, Owner: owner}
}

// One is the path of a document.
type One struct {
	ID string `path:"id" maxLength:"64"`
}

// Edit names a document and the version that was read.
type Edit struct {
	Operator
	One
	IfMatch string `header:"If-Match" required:"true" doc:"The entity tag with which it was read, several or *."`
}

func (s *service) listQueries(ctx context.Context, in *Operator) (*body[[]model.SavedQuery], error) {
	q, err := s.Model.Queries(ctx, in.by)
	return bodyOf(q, err)
}

func (s *service) oneQuery(ctx context.Context, in *struct {
	Operator
	One
	Reread
},
) (*tagged[model.SavedQuery], error) {
	q, err := s.queryOf(ctx, in.by, in.ID)
	if err != nil {
		return nil, fault(err)
	}
	return unlessRead(in.Reread, revisionTag(q.Revision), q)
}

// queryOf reads a query that somebody may see; another's private one isn't there for them.
func (s *service) queryOf(ctx context.Context, by, id string) (model.SavedQuery, error) {
	q, err := s.Model.Query(ctx, id)
	if err == nil && q.Owner != by && !q.Shared && !q.Built {
		return model.SavedQuery{}, fmt.Errorf("query %.64q: %w", id, model.ErrNotFound)
	}
	return q, err
}

func (s *service) createQuery(ctx context.Context, in *struct {
	Operator
	Body queryFields
},
) (*kept[model.SavedQuery], error) {
	return s.keepQuery(ctx, in.by, func() (model.SavedQuery, error) { return in.Body.query("", in.by, 0), nil })
}

func (s *service) replaceQuery(ctx context.Context, in *struct {
	Edit
	Body queryFields
},
) (*kept[model.SavedQuery], error) {
	return s.keepQuery(ctx, in.by, func() (model.SavedQuery, error) {
		old, err := s.queryOf(ctx, in.by, in.ID)
		if err != nil {
			return old, err
		}
		return in.Body.query(in.ID, old.Owner, old.Revision), matches(in.IfMatch, revisionTag(old.Revision))
	})
}

// keepQuery keeps what decide says.
func (s *service) keepQuery(ctx context.Context, by string, decide func() (model.SavedQuery, error)) (*kept[model.SavedQuery], error) {
	var q model.SavedQuery
	return keep(ctx, s, by, func() (_ model.Act, err error) {
		q, err = decide()
		return model.SaveQuery{Query: q}, err
	}, func(act string, visible bool) (_ model.SavedQuery, _ int64, err error) {
		q = q.Kept(act, by)
		if visible {
			q, err = s.queryOf(ctx, by, q.ID)
		}
		return q, q.Revision, err
	})
}

func (s *service) deleteQuery(ctx context.Context, in *Edit) (*done, error) {
	who, _ := access.From(ctx)
	return s.actIf(ctx, in.by, func() (model.Act, error) {
		old, err := s.queryOf(ctx, in.by, in.ID)
		if err != nil {
			return nil, err
		}
		return model.DropQuery{ID: in.ID, Shared: old.Owner != in.by && who.KeepsOrder()}, matches(in.IfMatch, revisionTag(old.Revision))
	}, func(*done) {})
}
