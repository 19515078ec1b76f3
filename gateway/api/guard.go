package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/problem"
)

// Digest is what is kept of a token.
type Digest [sha256.Size]byte

// DigestOf a token.
func DigestOf(token string) Digest { return sha256.Sum256([]byte(token)) }

// As lets everybody in who reaches the handler, as p.
func As(p access.Principal, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(access.With(r.Context(), p)))
	})
}

// Guard lets in who shows the token, on connections that came to a loopback address only: until there are
// roles, nobody else is meant to come.
func Guard(token Digest, next http.Handler) http.Handler {
	admin := As(access.Principal{ID: "admin", Name: "admin", Role: access.Admin, How: access.ByToken}, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		digest := DigestOf(shown)
		switch {
		case !loopback(r):
			refuse(w, http.StatusForbidden, "the API answers on loopback addresses only: ask on the gateway's own machine, "+
				"or use sluice alerts, activities and users there")
		case !bearer || subtle.ConstantTimeCompare(digest[:], token[:]) != 1:
			w.Header().Set("WWW-Authenticate", `Bearer realm="sluice"`)
			refuse(w, http.StatusUnauthorized, "found no valid token, expected the header Authorization: Bearer TOKEN with the token that the gateway's first start printed")
		default:
			admin.ServeHTTP(w, r)
		}
	})
}

// loopback says whether the connection came to a loopback address.
func loopback(r *http.Request) bool {
	a, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return a != nil && a.IP.IsLoopback()
}

func refuse(w http.ResponseWriter, status int, detail string) {
	problem.Write(w, status, problem.New(status, detail))
}

func unknown(w http.ResponseWriter, r *http.Request) {
	refuse(w, http.StatusNotFound, "found no operation "+r.Method+" "+r.URL.Path+", expected one of "+Prefix+"/openapi.yaml")
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
func ruled(api huma.API) {
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
			_ = huma.WriteErr(api, ctx, http.StatusForbidden, err.Error())
			return
		}
		next(ctx)
	})
}
