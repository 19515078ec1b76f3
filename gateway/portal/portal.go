// Package portal shows what the model holds and what the gateway knows of itself as HTML pages, and takes what
// operators do.
//
// # Decisions
//
// The pages are templates; htmx exchanges parts of them, so that nothing jumps, and without scripts they work all the
// same: whatever can be followed is a link, whatever acts is a form, and all state is in the URL.
//
// It reads the model of whoever asks (see package access), and acts by sending the API, in process, what a program
// would send: so there is one place that checks, refuses and records.
package portal

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/problem"
)

// Options are what the portal is made of.
type Options struct {
	Model   func(access.Scope) (*model.Model, error) // whose answers somebody gets who sees that
	API     http.Handler                             // for whoever the context says is asking
	Door    Door
	Gateway Gateway
	Config  config.Config // to be shown: policy, targets, services
	Version string        // of the program
	Log     *slog.Logger
	Now     func() time.Time // the machine's clock where nil
}

// Door says who asks, and how one can log in.
type Door interface {
	Principal(r *http.Request) (access.Principal, error)
	Denied(ctx context.Context, p access.Principal, operation, why string)
	Ways() access.Ways
	Tokens(p access.Principal) []access.Token
}

// portal is what the pages share.
type portal struct {
	Options
	templates templates
}

//go:embed static templates
var files embed.FS

// New is the handler of all pages.
func New(o Options) http.Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	p := &portal{Options: o, templates: parse()}
	mux := http.NewServeMux()
	static, err := fs.Sub(files, "static")
	if err != nil {
		panic(err) // it is embedded
	}
	mux.Handle("GET /static/{file}", http.StripPrefix("/static/", cached(http.FileServerFS(static), o.Version)))
	mux.HandleFunc("GET /login", p.login)
	mux.HandleFunc("POST /theme", p.theme)
	p.routes(mux)
	return secured(mux)
}

// routes are the pages, each with the operation of package access that it needs.
func (p *portal) routes(mux *http.ServeMux) {
	// What is about the whole goes by the operations that a limited role may not do.
	const whoSeesAll, whoRuns = "list-policies", "list-audit"
	mux.HandleFunc("GET /{$}", p.home(p.page("stream", whoSeesAll, whole)))
	mux.HandleFunc("GET /alerts", p.page("alerts", "list-alerts", queue))
	mux.HandleFunc("POST /alerts", p.deed(alertDeed, "alerts", "list-alerts", queue))
	mux.HandleFunc("GET /alerts/facets", p.page("facets", "facet-alerts", alertFacets))
	mux.HandleFunc("GET /alerts/sent", p.page("sent", "get-alert", sent))
	mux.HandleFunc("GET /activities", p.page("activities", "list-activities", activityLog))
	mux.HandleFunc("POST /activities", p.deed(logDeed, "activities", "list-activities", activityLog))
	mux.HandleFunc("GET /activities/facets", p.page("facets", "facet-activities", activityFacets))
	mux.HandleFunc("GET /users", p.page("users", "list-users", users))
	mux.HandleFunc("GET /users/{id}", p.page("user", "get-user", user))
	mux.HandleFunc("POST /users/{id}", p.deed(userDeed, "user", "get-user", user))
	mux.HandleFunc("GET /policies", p.page("policies", "list-policies", policies))
	mux.HandleFunc("GET /policies/{id}", p.page("policy", "get-policy", policyForm))
	mux.HandleFunc("POST /policies/{id}", p.deed(policyDeed, "policy", "get-policy", policyForm))
	mux.HandleFunc("GET /policies/try", p.page("try", whoSeesAll, try))
	mux.HandleFunc("POST /policies/try", p.page("try", whoSeesAll, try))
	mux.HandleFunc("GET /admin", p.page("admin", whoRuns, admin))
	mux.HandleFunc("POST /admin", p.deed(adminDeed, "admin", whoRuns, admin))
	mux.HandleFunc("GET /admin/tokens", p.page("tokens", "list-tokens", tokens))
	mux.HandleFunc("POST /admin/tokens", p.deed(tokensDeed, "tokens", "list-tokens", tokens))
	mux.HandleFunc("GET /admin/licences", p.page("licences", whoRuns, licences))
	mux.HandleFunc("GET /admin/audit", p.page("audit", "list-audit", audit))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		p.page("lost", "get-me", func(*visit) (any, error) {
			status, detail := problem.Unserved(mux, w, r)
			return nil, &refusal{status, detail + ": the menu leads to the pages"}
		})(w, r)
	})
}

// home leads to the alerts whom the first page is not for.
func (p *portal) home(stream http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if who, err := p.Door.Principal(r); err == nil && !who.Scope.Whole() {
			http.Redirect(w, r, "/alerts", http.StatusSeeOther)
			return
		}
		stream(w, r)
	}
}

// secured sets what browsers are to allow: what comes from here, and no script or style within a page.
func secured(next http.Handler) http.Handler {
	const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
		"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// cached lets browsers keep what comes with the program, until there is another version of it.
func cached(next http.Handler, version string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"`+url.QueryEscape(version)+`"`)
		w.Header().Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}
