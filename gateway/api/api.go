// Package api is the model over HTTP: JSON under /api/v1, described by an OpenAPI 3.1 document that is made of
// this code, with problem documents (RFC 9457), cursor paging, and entity tags on what is edited.
//
// # Decisions
//
// Whatever changes something is an act, which the gateway records in the stream before the answer; the answer
// waits until the model has folded it, so that who asks next sees it. Acts are checked, recorded and folded one
// at a time: what was checked still holds when it is folded.
package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// Recorder puts into the stream what operators do. When it returns nil it is durable. Errors wrap those of
// package model where the request is at fault.
type Recorder interface {
	Record(ctx context.Context, a stream.Act) (*stream.Entry, error)
	// ForwardAfterAll sends a suppressed notification to the targets and keeps it apart from its alert from then on.
	ForwardAfterAll(ctx context.Context, alert dedup.AlertID, key dedup.EventKey, by, why string) (*stream.Entry, error)
}

// Options are what the API is made of.
type Options struct {
	Model    *model.Model
	Recorder Recorder
	Version  string // of the program
	Log      *slog.Logger
	Now      func() time.Time // for relative times in filters; the machine's clock where nil
	Door     *access.Door     // who makes tokens, and is told whom the table refused
	Turn     sync.Locker      // one act at a time, in all that share it; one of its own where nil
	Patience time.Duration    // how long an answer waits for the model, and others for an act's filter; 5 seconds where 0
}

// service is what the operations share.
type service struct{ Options }

// Prefix is the path under which everything is.
const Prefix = "/api/v1"

// New is the handler of everything under [Prefix], for whoever the context says is asking: see [access.Door] and [As].
func New(o Options) http.Handler {
	handler, _ := build(o)
	return handler
}

// OpenAPI is the document that describes the operations.
func OpenAPI(version string) *huma.OpenAPI {
	_, api := build(Options{Version: version})
	return api.OpenAPI()
}

func build(o Options) (http.Handler, huma.API) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Turn == nil {
		o.Turn = &sync.Mutex{}
	}
	if o.Patience == 0 {
		o.Patience = 5 * time.Second
	}
	mux := http.NewServeMux()
	c := huma.DefaultConfig("Sluice", o.Version)
	c.Info.Description = "Alerts, activities and users as Sluice knows them, and what operators do with them. " +
		"Filters are written in one language: see /fields."
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = Prefix+"/openapi", "", "" // the viewer would load scripts from elsewhere
	c.CreateHooks = nil                                                  // no links to schemas in the answers
	c.RejectUnknownQueryParameters = true                                // a misspelt filter must not show everything
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}}
	c.Security = []map[string][]string{{"token": {}}}
	c.Servers = []*huma.Server{{URL: "/"}}
	api := humago.New(mux, c)
	ruled(api, o.Door)
	s := &service{o}
	api.UseMiddleware(once(api), s.tellMissing)
	s.alerts(api)
	s.alertActs(api)
	s.activities(api)
	s.users(api)
	s.queries(api)
	s.policies(api)
	s.state(api)
	s.audit(api)
	s.tokens(api)
	mux.HandleFunc(Prefix+"/", unserved(mux))
	return mux, api
}

// once refuses a parameter that is there twice, of which only the first would be heard, and what can't be read, which would not
// be heard at all: either would answer with more alerts than were asked for.
func once(api huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		u := ctx.URL()
		parameters, err := url.ParseQuery(u.RawQuery)
		for name, values := range parameters {
			if len(values) > 1 {
				err = fmt.Errorf("found the parameter %.40q %d times, expected it once", name, len(values))
			}
		}
		if err != nil {
			_ = huma.WriteErr(api, ctx, http.StatusUnprocessableEntity, "the parameters: "+err.Error()) // who asked may be gone
			return
		}
		next(ctx)
	}
}

// PageInput are the parameters of every list.
type PageInput struct {
	Filter string `query:"filter" doc:"Which ones, in the filter language; all where empty." example:"severity >= medium and user contains alice" maxLength:"65536"`
	Sort   string `query:"sort" doc:"Field to sort by; with a minus the greatest first."`
	Cursor string `query:"cursor" doc:"next of the page before." maxLength:"1024"`
	Limit  int    `query:"limit" doc:"How many at most." minimum:"1" maximum:"500" default:"50"`
}

// query checks what a list is asked for.
func (s *service) query(ctx context.Context, p PageInput, of filter.Fields) (model.Query, error) {
	f, err := parse(ctx, p.Filter, of)
	if err != nil {
		return model.Query{}, err
	}
	return model.Query{Filter: f, Sort: p.Sort, Cursor: p.Cursor, Limit: p.Limit}, nil
}

// parse reads a filter of a request.
func parse(ctx context.Context, text string, of filter.Fields) (filter.Filter, error) {
	f, err := of.Parse(text)
	if err != nil {
		return nil, misread("query.filter", err)
	}
	return f, outside(ctx, f)
}

// misread is the problem of a filter that can't be read, which says where in the request it stands.
func misread(where string, err error) error {
	return huma.Error422UnprocessableEntity("filter: "+err.Error(), &huma.ErrorDetail{Message: err.Error(), Location: where})
}

// outside says that a filter names a service or an application that a limited role doesn't see, which no answer
// would tell from one of which there is nothing.
func outside(ctx context.Context, f filter.Filter) error {
	p, _ := access.From(ctx)
	for _, c := range f {
		if c.Op != filter.Equals {
			continue
		}
		for _, v := range c.Values {
			if c.Field == "service" && !p.Scope.Service(v) || c.Field == "application" && !p.Scope.Application(v) {
				return huma.Error403Forbidden(fmt.Sprintf("the filter asks for the %s %s, and %s sees %s alone; a role without that limit sees it", c.Field, v, p.By(), p.Scope))
			}
		}
	}
	return nil
}

// list is a page of an answer.
type list[T any] struct {
	Body struct {
		model.Page[T]
		NotAvailable []string `json:"not_available" doc:"Services without licence: what only they tell is missing here, not zero."`
	}
}

// notAvailable is the header of an answer that names the services without licence, as lists do in themselves: an export or
// a count has no other place for it.
const notAvailable = "Sluice-Not-Available"

func (s *service) tellMissing(ctx huma.Context, next func(huma.Context)) {
	if missing := s.missing(); len(missing) > 0 {
		ctx.SetHeader(notAvailable, strings.Join(missing, ", "))
	}
	next(ctx)
}

func (s *service) missing() []string {
	if m := s.Model.Missing(); m != nil {
		return m
	}
	return []string{}
}

func listOf[T any](s *service, p model.Page[T], err error) (*list[T], error) {
	if err != nil {
		return nil, fault(err)
	}
	out := &list[T]{}
	out.Body.Page, out.Body.NotAvailable = p, s.missing()
	if out.Body.Items == nil {
		out.Body.Items = []T{}
	}
	return out, nil
}

// fault is the problem document for an error.
func fault(err error) error {
	var status huma.StatusError
	var unread *filter.Error
	switch {
	case errors.As(err, &status):
		return err
	case errors.As(err, &unread):
		return misread("body.filter", unread)
	case errors.Is(err, model.ErrNotFound):
		return huma.Error404NotFound(err.Error())
	case errors.Is(err, model.ErrChanged):
		return huma.Error412PreconditionFailed(err.Error())
	case errors.Is(err, model.ErrSort), errors.Is(err, model.ErrFacet), errors.Is(err, model.ErrInvalid):
		return huma.Error422UnprocessableEntity(err.Error())
	case errors.Is(err, model.ErrCursor):
		return huma.Error400BadRequest(err.Error())
	case errors.Is(err, model.ErrRefused):
		return huma.Error409Conflict(err.Error())
	case errors.Is(err, model.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return huma.ErrorWithHeaders(huma.Error503ServiceUnavailable(err.Error()), http.Header{"Retry-After": {"10"}})
	}
	return huma.Error500InternalServerError(err.Error())
}

// done is the answer to an act.
type done struct {
	ETag string `header:"ETag"`
	Body struct {
		Act     string `json:"act" doc:"The act's ID."`
		Alerts  *int   `json:"alerts,omitempty" doc:"How many alerts it changed: those that were so already are not among them. Left out of what isn't visible yet, and of acts on anything else."`
		CanUndo bool   `json:"can_undo" doc:"It can be taken back, by the act's ID."`
		Visible bool   `json:"visible" doc:"False where it is recorded for good, but the model lags and doesn't show it yet."`
	}
}

// act checks, records and waits.
func (s *service) act(ctx context.Context, by string, a model.Act) (*done, error) {
	return s.actIf(ctx, by, func() (model.Act, error) { return a, nil }, func(*done) {})
}

// actIf does what decide says, by what is so now and what nobody else's act changes before this one is done; tell adds what
// became of it before the next one, where that can be seen.
func (s *service) actIf(ctx context.Context, by string, decide func() (model.Act, error), tell func(*done)) (*done, error) {
	s.Turn.Lock()
	defer s.Turn.Unlock()
	a, err := decide()
	if err != nil {
		return nil, fault(err)
	}
	if err := s.Model.Check(ctx, by, a); err != nil {
		return nil, fault(err)
	}
	a, err = s.Model.Outward(ctx, by, a)
	if err != nil {
		return nil, fault(err)
	}
	record, err := model.Record(by, a)
	if err != nil {
		return nil, fault(err)
	}
	if p, ok := access.From(ctx); ok && !p.Scope.Whole() {
		record.Scope = p.Scope.Key()
	}
	e, err := s.Recorder.Record(ctx, record)
	if err != nil {
		return nil, fault(err)
	}
	out := s.recorded(ctx, e)
	if out.Body.Visible {
		tell(out)
	}
	return out, nil
}

func (s *service) recorded(ctx context.Context, e *stream.Entry) *done {
	ctx, stop := context.WithTimeout(ctx, s.Patience)
	defer stop()
	out := &done{}
	out.Body.Act, out.Body.Visible = string(e.Key), s.Model.Wait(ctx, e.At) == nil
	return out
}
