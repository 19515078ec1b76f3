package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/problem"
)

// As lets everybody in who reaches the handler, as p.
func As(p access.Principal, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(access.With(r.Context(), p)))
	})
}

// unserved answers what is no operation of mux.
func unserved(mux *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status, detail := problem.Unserved(mux, w, r)
		problem.Write(w, status, problem.New(status, detail+"; the operations are in "+Prefix+"/openapi.yaml"))
	}
}

// Operator is the part of an input that tells who asks.
type Operator struct{ by string }

// Resolve reads it from the request.
func (o *Operator) Resolve(ctx huma.Context) []error {
	if p, ok := access.From(ctx.Context()); ok {
		o.by = p.By()
		return nil
	}
	return []error{huma.Error401Unauthorized("nobody is logged in")}
}

// ruled has every operation say in the description who may do it, and lets nobody else. One that stands in no rule
// is a mistake of the program.
func ruled(api huma.API, door *access.Door) {
	api.OpenAPI().OnAddOperation = append(api.OpenAPI().OnAddOperation, func(_ *huma.OpenAPI, o *huma.Operation) {
		rule, ok := access.RuleOf(o.OperationID)
		if !ok {
			panic("operation " + o.OperationID + " has no row in access.Rules")
		}
		o.Description = rule.Describe()
		o.Extensions = map[string]any{"x-sluice-role": rule.Least.String(), "x-sluice-limited": rule.Limited.String()}
	})
	api.UseMiddleware(func(ctx huma.Context, next func(huma.Context)) {
		p, ok := access.From(ctx.Context())
		if !ok {
			_ = huma.WriteErr(api, ctx, http.StatusUnauthorized, "nobody is logged in") // who asked may be gone
			return
		}
		if err := access.Allow(p, ctx.Operation().OperationID); err != nil {
			if door != nil {
				door.Denied(ctx.Context(), p, ctx.Operation().OperationID, err.Error())
			}
			_ = huma.WriteErr(api, ctx, http.StatusForbidden, err.Error())
			return
		}
		next(ctx)
	})
}
