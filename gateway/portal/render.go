package portal

import (
	"bytes"
	"errors"
	"html/template"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/gateway/access"
)

// templates are the pages by name, each with the layout around it.
type templates map[string]*template.Template

func parse() templates {
	out := templates{}
	base := template.Must(template.New("layout").Funcs(functions()).ParseFS(files, "templates/layout.html", "templates/parts.html"))
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		panic(err) // the pattern is right
	}
	for _, name := range names {
		if page := strings.TrimSuffix(path.Base(name), ".html"); page != "layout" && page != "parts" {
			out[page] = template.Must(template.Must(base.Clone()).ParseFS(files, name))
		}
	}
	return out
}

// frame is what the layout shows around a view.
type frame struct {
	Title   string
	Section string // of the menu, by its path
	Theme   string // auto, light, dark
	Version string
	Who     *access.Principal // nil where nobody is logged in
	Sees    string            // where that is not everything
	Menu    []entry
	Missing []string // services without licence
	Here    string   // the address of the page
	Idle    int      // seconds without a key or a movement, after which the log-in is over
	Problem string   // why an act was refused
	Notice  *notice  // what came of the act before
	Part    bool     // a part that a script puts into a page
	View    any
	May     func(operation string) bool
}

// entry is one of the menu.
type entry struct{ Path, Name, Operation string }

// menu lists the pages.
func menu() []entry {
	return []entry{
		{"/", "Stream", "list-policies"},
		{"/alerts", "Alerts", "list-alerts"},
		{"/activities", "Activity log", "list-activities"},
		{"/users", "Users", "list-users"},
		{"/policies", "Policies", "list-policies"},
		{"/admin", "Administration", "list-audit"},
	}
}

// titled is a view that says what its page is called.
type titled interface{ Title() string }

// answer shows a view, or why it can't be shown.
func (p *portal) answer(w http.ResponseWriter, v *visit, name string, show view, status int) {
	data, err := show(v)
	if err != nil {
		p.fail(w, v.r, v, statusOf(err), err.Error())
		return
	}
	f := p.frame(v)
	f.View, f.Problem, f.Part = data, v.problem, slices.Contains([]string{"facets", "sent"}, name) && v.r.Header.Get("HX-Request") != ""
	if f.Problem != "" {
		f.Notice = nil // of another act
	}
	if t, ok := data.(titled); ok {
		f.Title = t.Title()
	}
	p.write(w, v.r, status, name, f)
}

// fail says what went wrong, in the layout where it is known who asks.
func (p *portal) fail(w http.ResponseWriter, r *http.Request, v *visit, status int, text string) {
	f := frame{Theme: themeOf(r), Version: p.Version}
	if v != nil {
		f = p.frame(v)
	}
	f.Title, f.View = http.StatusText(status), text
	if status >= http.StatusInternalServerError {
		p.Log.Warn("a page can't be shown", "path", r.URL.Path, "err", text)
	}
	p.write(w, r, status, "lost", f)
}

func (p *portal) frame(v *visit) frame {
	f := frame{
		Theme: themeOf(v.r), Version: p.Version, Who: &v.who, Here: v.r.URL.RequestURI(), Idle: int(p.Config.Access.Sessions.Idle / time.Second),
		Notice: noticeOf(v.r.URL.Query()), May: v.May,
	}
	if v.m != nil {
		f.Missing = v.m.Missing()
	}
	if !v.who.Scope.Whole() {
		f.Sees = v.who.Scope.String()
	}
	for _, e := range menu() {
		if v.May(e.Operation) {
			f.Menu = append(f.Menu, e)
		}
		if v.r.URL.Path == e.Path || e.Path != "/" && strings.HasPrefix(v.r.URL.Path, e.Path+"/") {
			f.Section, f.Title = e.Path, e.Name
		}
	}
	return f
}

// write renders a page whole before anything of it is sent. Where a script exchanges a part and the page has that
// part, it alone is rendered.
func (p *portal) write(w http.ResponseWriter, r *http.Request, status int, name string, f frame) {
	t, part := p.templates[name], "layout"
	if wanted := "part-" + r.Header.Get("HX-Target"); f.Part && status == http.StatusOK {
		part = "page"
	} else if r.Header.Get("HX-Request") != "" && t.Lookup(wanted) != nil && status == http.StatusOK {
		part = wanted
	}
	var out bytes.Buffer
	if err := t.ExecuteTemplate(&out, part, f); err != nil {
		p.Log.Error("a page can't be made", "page", name, "err", err)
		http.Error(w, "this page can't be made: the gateway's log says why", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store") // alerts are nobody else's
	h.Set("Vary", "HX-Request, HX-Target")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // who asked may be gone
}

// address is a page with its state.
type address struct {
	path  string
	query url.Values
}

// here is the page that was asked for, without what tells of an act.
func (v *visit) here() address {
	q := v.r.URL.Query()
	for _, key := range []string{"acted", "did", "on"} {
		q.Del(key)
	}
	return address{v.r.URL.Path, q}
}

// Path is the page's, without its state.
func (a address) Path() string { return a.path }

// With is the address with a key set, or taken away where the value is empty.
func (a address) With(pairs ...string) (string, error) {
	if len(pairs)%2 != 0 {
		return "", errors.New("a key without a value")
	}
	q := maps.Clone(a.query)
	for i := 0; i < len(pairs); i += 2 {
		q.Del(pairs[i])
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return a.path, nil
	}
	return a.path + "?" + q.Encode(), nil
}
