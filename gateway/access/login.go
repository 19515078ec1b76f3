package access

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/gateway/problem"
)

// Ways are those to log in: for the page that offers them.
type Ways struct {
	Local   bool     // the local admin's password, by POST /login/local
	Issuers []string // by GET /login/NAME
}

// Ways says how one can log in.
func (d *Door) Ways() Ways {
	w := Ways{Local: d.admin.on}
	for _, i := range d.issuers {
		w.Issuers = append(w.Issuers, i.config.Name)
	}
	return w
}

// Handler answers what logs in and out:
//
//	POST /login/local             name, password, new_password and to, as a form
//	GET  /login/NAME?to=          sends the browser to an issuer
//	GET  /login/NAME/callback     where that sends it back
//	POST /logout                  ends the session, also at the issuer where it can
//
// to is a path of this gateway, to which the browser goes then. Who asks for JSON gets problem documents.
func (d *Door) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login/local", d.local)
	mux.HandleFunc("GET /login/{issuer}", d.start)
	mux.HandleFunc("GET /login/{issuer}/callback", d.callback)
	mux.HandleFunc("POST /logout", d.logout)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		status, detail := problem.Unserved(mux, w, r)
		d.fail(w, r, status, detail)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
		if !d.private(r) {
			d.fail(w, r, http.StatusForbidden, "passwords and sessions travel encrypted or not at all: log in by https://, or on the gateway's own machine")
			return
		}
		if err := d.cross.Check(r); err != nil {
			d.fail(w, r, http.StatusForbidden, "the request comes from another site's page: it is refused")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
		mux.ServeHTTP(w, r)
	})
}

func (d *Door) local(w http.ResponseWriter, r *http.Request) {
	if _ = r.PostFormValue("password"); !r.PostForm.Has("password") { // JSON, too: nobody has tried a password
		d.fail(w, r, http.StatusUnprocessableEntity, "want name and password as a form: application/x-www-form-urlencoded")
		return
	}
	at := d.address(r)
	if !d.tries.allow(at, d.now()) {
		w.Header().Set("Retry-After", "30")
		d.notes.note(r.Context(), Event{What: "log_in_failed", By: localAdmin, Text: "too many tries", From: at})
		d.fail(w, r, http.StatusTooManyRequests, "too many tries from this address: wait for half a minute")
		return
	}
	err := d.admin.enter(r.PostFormValue("name"), r.PostFormValue("password"), r.PostFormValue("new_password"))
	switch {
	case errors.Is(err, errChoose):
		d.fail(w, r, http.StatusUnprocessableEntity, err.Error())
	case err != nil:
		d.notes.note(r.Context(), Event{What: "log_in_failed", By: localAdmin, Text: err.Error(), From: at})
		d.fail(w, r, http.StatusUnauthorized, err.Error())
	default:
		d.tries.forget(at)
		if r.PostFormValue("new_password") != "" {
			d.sessions.endOf(localAdmin) // whoever has the old one
		}
		d.enter(w, r, Principal{ID: localAdmin, Name: localAdmin, Role: Admin, How: ByPassword}, "", r.PostFormValue("to"))
	}
}

// enter begins a session and sends the browser on.
func (d *Door) enter(w http.ResponseWriter, r *http.Request, p Principal, issuer, to string) {
	if c, err := r.Cookie(d.cookieName(r)); err == nil {
		d.sessions.end(c.Value)
	}
	id := d.sessions.begin(p, issuer, d.now())
	d.setCookie(w, r, d.cookieName(r), id, 0)
	d.notes.note(r.Context(), Event{What: "log_in", By: p.By(), Text: p.How + ", as " + an(p.Role) + " who sees " + p.Scope.String(), From: d.address(r)})
	http.Redirect(w, r, local(to), http.StatusSeeOther)
}

// setCookie sets a cookie that no script reads and no other site sends along; an age below 0 takes it away.
func (d *Door) setCookie(w http.ResponseWriter, r *http.Request, name, value string, age time.Duration) {
	c := &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: d.secure(r), SameSite: http.SameSiteLaxMode, MaxAge: int(age.Seconds())}
	http.SetCookie(w, c)
}

// local is a path of this gateway, whatever somebody wrote.
func local(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") {
		return "/"
	}
	return to
}

func (d *Door) start(w http.ResponseWriter, r *http.Request) {
	i := d.issuerOf(r)
	if i == nil {
		d.fail(w, r, http.StatusNotFound, "found no issuer "+r.PathValue("issuer")+" in access.issuers")
		return
	}
	p := attempt{issuer: i, nonce: newSecret(), verifier: newSecret() + newSecret(), browser: newSecret(), to: local(r.URL.Query().Get("to"))}
	state := d.pending.add(p, d.now())
	to, err := i.begin(r.Context(), state, &p)
	if err != nil {
		d.options.Log.Warn("an issuer can't be asked", "issuer", i.config.Name, "err", err)
		d.fail(w, r, http.StatusBadGateway, "the issuer "+i.config.Name+" can't be asked now: the gateway's log says why")
		return
	}
	d.setCookie(w, r, d.cookieName(r)+"-login", p.browser, patience)
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (d *Door) issuerOf(r *http.Request) *issuer {
	n := slices.IndexFunc(d.issuers, func(i *issuer) bool { return i.config.Name == r.PathValue("issuer") })
	if n < 0 {
		return nil
	}
	return d.issuers[n]
}

func (d *Door) callback(w http.ResponseWriter, r *http.Request) {
	p, err := d.arrive(w, r)
	var to string
	var who Principal
	if err == nil {
		to = p.to
		who, err = d.identify(r, p)
	}
	if err != nil {
		by, status := who.By(), http.StatusUnauthorized
		if refused := (*RefusalError)(nil); errors.As(err, &refused) {
			status = http.StatusForbidden
		}
		d.notes.note(r.Context(), Event{What: "log_in_failed", By: by, Text: err.Error(), From: d.address(r)})
		d.fail(w, r, status, err.Error())
		return
	}
	d.enter(w, r, who, p.issuer.config.Name, to)
}

// arrive finds what the browser was sent away with, this once.
func (d *Door) arrive(w http.ResponseWriter, r *http.Request) (attempt, error) {
	name := d.cookieName(r) + "-login"
	c, err := r.Cookie(name)
	d.setCookie(w, r, name, "", -time.Second)
	p, ok := d.pending.take(r.URL.Query().Get("state"), d.now())
	if err != nil || !ok || p.issuer != d.issuerOf(r) || !equal(c.Value, p.browser) {
		return attempt{}, errors.New("this log-in was not begun here, or is over: begin again")
	}
	return p, nil
}

// identify finds out who came back, and what they may.
func (d *Door) identify(r *http.Request, p attempt) (Principal, error) {
	if text := r.URL.Query().Get("error"); text != "" {
		d.options.Log.Info("an issuer refused a log-in", "issuer", p.issuer.config.Name, "error", text, "description", r.URL.Query().Get("error_description"))
		return Principal{}, errors.New("the issuer refused the log-in: the gateway's log says why")
	}
	name, who, err := p.issuer.end(r.Context(), r.URL.Query().Get("code"), &p)
	if err != nil {
		d.options.Log.Warn("a log-in by an issuer is not valid", "issuer", p.issuer.config.Name, "err", err)
		return Principal{}, errors.New("what the issuer says is not valid: the gateway's log says why")
	}
	out := Principal{ID: who.Issuer + "/" + who.User, Name: name, How: ByOpenID}
	if err := d.tokens.met(out.ID, who); err != nil {
		return out, err
	}
	out.Role, out.Scope, err = who.Grant(d.options.Access.Roles)
	if err != nil {
		d.sessions.endOf(out.ID) // what was granted before isn't any more
	}
	return out, err
}

func (d *Door) logout(w http.ResponseWriter, r *http.Request) {
	to := "/login"
	if c, err := r.Cookie(d.cookieName(r)); err == nil {
		if s, ok := d.sessions.end(c.Value); ok {
			d.notes.note(r.Context(), Event{What: "log_out", By: s.who.By(), From: d.address(r)})
			for _, i := range d.issuers {
				if i.config.Name == s.issuer {
					to = i.leave(d.options.Access.URL + "/login")
				}
			}
		}
	}
	d.setCookie(w, r, d.cookieName(r), "", -time.Second)
	w.Header().Set("Clear-Site-Data", `"cache"`)
	if to != "/login" && asksForPage(r) {
		// Browsers hold what a form leads to, over every redirection, against the page's form-action.
		page(w, http.StatusOK, `<meta http-equiv="refresh" content="0; url={{.}}"><title>Sluice: logged out</title>`+
			`<h1>Logged out here</h1><p><a href="{{.}}">Log out there, too</a></p>`, to)
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func asksForPage(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

// page writes a page of our own, which loads nothing.
func page(w http.ResponseWriter, status int, text, about string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	w.WriteHeader(status)
	_ = template.Must(template.New("").Parse(`<!doctype html><html lang="en"><meta charset="utf-8">`+text)).Execute(w, about) // who asked may be gone
}

// fail says what went wrong: to a browser as a page, to a program as a problem document.
func (d *Door) fail(w http.ResponseWriter, r *http.Request, status int, text string) {
	if !asksForPage(r) {
		problem.Write(w, status, problem.New(status, text))
		return
	}
	page(w, status, `<title>Sluice: no log-in</title><h1>No log-in</h1><p>{{.}}</p><p><a href="/login">Try again</a></p>`, text)
}
