package portal

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/model"
)

// visit is one request by somebody who was let in.
type visit struct {
	*portal
	r       *http.Request
	who     access.Principal
	m       *model.Model // of what they see
	now     time.Time
	problem string // why an act was refused, where one was
	told    string // what an act says that stands in no address
}

// view makes what a page shows.
type view func(*visit) (any, error)

// page shows a view to who may see it.
func (p *portal) page(name, operation string, show view) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if v, ok := p.enter(w, r, name, operation); ok {
			p.answer(w, v, name, show, http.StatusOK)
		}
	}
}

// deed does something and leads back to the page it was done on, which shows what came of it. What is refused is
// told on the same page.
func (p *portal) deed(do func(*visit) (*done, error), name, operation string, show view) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, ok := p.enter(w, r, name, operation)
		if !ok {
			return
		}
		d, err := do(v)
		if err == nil && d.told != "" {
			v.told = d.told
			p.answer(w, v, name, show, http.StatusOK)
			return
		}
		if err == nil {
			http.Redirect(w, r, d.back(r.URL), http.StatusSeeOther)
			return
		}
		v.problem = err.Error()
		p.answer(w, v, name, show, statusOf(err))
	}
}

// enter lets in who may see a page.
func (p *portal) enter(w http.ResponseWriter, r *http.Request, name, operation string) (*visit, bool) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	who, err := p.Door.Principal(r)
	var refused *access.RefusalError
	switch {
	case errors.As(err, &refused):
		p.fail(w, r, nil, http.StatusForbidden, refused.Text)
		return nil, false
	case err != nil:
		toLogin(w, r)
		return nil, false
	}
	if _, err := url.ParseQuery(r.URL.RawQuery); err != nil { // its filter would be none, and all would be shown
		p.fail(w, r, nil, http.StatusBadRequest, "The address can't be read: "+err.Error()+".")
		return nil, false
	}
	v := &visit{portal: p, r: r.WithContext(access.With(r.Context(), who)), who: who, now: p.Now()}
	if err := access.Allow(who, operation); err != nil {
		p.Door.Denied(r.Context(), who, operation, err.Error())
		p.fail(w, r, v, http.StatusForbidden, mayNot(who, name, err))
		return nil, false
	}
	if v.m, err = p.Model(who.Scope); err != nil {
		p.fail(w, r, v, http.StatusServiceUnavailable, err.Error())
		return nil, false
	}
	return v, true
}

// toLogin sends the browser to the log-in, from where it comes back.
func toLogin(w http.ResponseWriter, r *http.Request) {
	to := "/login"
	if r.Method == http.MethodGet && r.URL.Path != "/" {
		to += "?to=" + url.QueryEscape(r.URL.RequestURI())
	}
	if current, err := url.Parse(r.Header.Get("HX-Current-URL")); err == nil && r.Header.Get("HX-Request") != "" {
		w.Header().Set("HX-Redirect", "/login?to="+url.QueryEscape(current.RequestURI())) // the whole page, not the part that was asked for
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// May says whether the visitor may do an operation: what they may not isn't offered.
func (v *visit) May(operation string) bool { return access.Allow(v.who, operation) == nil }

// statusOf is the HTTP status for what went wrong.
func statusOf(err error) int {
	var refused *refusal
	var wrong *filter.Error
	switch {
	case errors.As(err, &refused):
		return refused.status
	case errors.Is(err, model.ErrNotFound):
		return http.StatusNotFound
	case errors.As(err, &wrong), errors.Is(err, model.ErrSort), errors.Is(err, model.ErrFacet), errors.Is(err, model.ErrCursor):
		return http.StatusBadRequest
	case errors.Is(err, model.ErrRefused):
		return http.StatusConflict
	case errors.Is(err, model.ErrUnavailable):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// loginPage is what the log-in shows.
type loginPage struct {
	Ways access.Ways
	To   string // where to go then
}

// login offers the ways to log in. Where somebody comes back to is held against this gateway's pages when they do.
func (p *portal) login(w http.ResponseWriter, r *http.Request) {
	to := r.URL.Query().Get("to")
	if !strings.HasPrefix(to, "/") {
		to = "/"
	}
	p.write(w, r, http.StatusOK, "login", frame{Title: "Log in", Theme: themeOf(r), Version: p.Version, View: loginPage{p.Door.Ways(), to}})
}

// theme remembers light, dark or the system's choice, and goes back.
func (p *portal) theme(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	choice := r.PostFormValue("theme")
	if choice != "light" && choice != "dark" {
		choice = "auto"
	}
	http.SetCookie(w, &http.Cookie{Name: "theme", Value: choice, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	to, err := url.Parse(r.PostFormValue("to"))
	if err != nil || to.Host != "" || to.Scheme != "" || !strings.HasPrefix(to.Path, "/") || strings.HasPrefix(to.Path, "//") {
		to = &url.URL{Path: "/"}
	}
	http.Redirect(w, r, to.RequestURI(), http.StatusSeeOther)
}

func themeOf(r *http.Request) string {
	if c, err := r.Cookie("theme"); err == nil && (c.Value == "light" || c.Value == "dark") {
		return c.Value
	}
	return "auto"
}
