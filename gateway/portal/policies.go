package portal

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/model"
)

// policiesPage shows what decides.
type policiesPage struct {
	Own   config.Settings // the policy's own keys
	Rules []rule
	Ruled Ruled
	All   []model.ActivityPolicy
	Edit  bool
}

// rule is one of the manage-here policy with how often it decided.
type rule struct {
	config.Rule
	If    string
	Times int
	Last  time.Time
}

// policies shows the manage-here rules as they are configured, and the activity policies.
func policies(v *visit) (any, error) {
	ruled, err := v.Gateway.Rules(v.r.Context())
	if err != nil {
		return nil, err
	}
	p := &policiesPage{Own: v.Config.Policy.Settings, Ruled: ruled, Edit: v.May("replace-policy")}
	for _, r := range v.Config.Policy.Rules {
		p.Rules = append(p.Rules, rule{r, cmp.Or(r.When.Conditions().String(), "anything"), ruled.By[r.Name], ruled.Last[r.Name]})
	}
	p.All, err = v.m.Policies(v.r.Context())
	return p, err
}

// policyPage is the form of one activity policy, with what it would have raised.
type policyPage struct {
	model.ActivityPolicy
	Lasts   string // Within
	New     bool
	Edit    bool
	Preview *model.Preview
	Most    int // of the preview's days
}

// Title names the policy for the window's title.
func (p *policyPage) Title() string { return cmp.Or(cut(80, p.Name), "New policy") }

// Severities are those that a policy may give.
func (p *policyPage) Severities() []string { return []string{"informational", "low", "medium", "high"} }

// policyForm shows a form: of one that is there, or of a new one for a search. Its fields stand in the URL where somebody
// has asked for a preview.
func policyForm(v *visit) (any, error) {
	p := &policyPage{Edit: v.May("replace-policy"), New: v.r.PathValue("id") == "new"}
	if p.New {
		p.Times, p.Severity, p.Enabled = 1, formats.Medium, true
	} else {
		var err error
		if p.ActivityPolicy, err = v.m.Policy(v.r.Context(), v.r.PathValue("id")); err != nil {
			return nil, err
		}
	}
	if p.Within > 0 {
		p.Lasts = lasts(p.Within)
	}
	form := v.r.URL.Query()
	if v.r.Method == http.MethodPost {
		form = v.r.PostForm
	}
	if form.Has("filter") {
		if err := p.read(form.Get); err != nil {
			v.problem = cmp.Or(v.problem, err.Error())
			return p, nil
		}
	}
	if form.Get("do") != "preview" {
		return p, nil
	}
	ctx, stop := context.WithTimeout(v.r.Context(), 20*time.Second)
	defer stop()
	judged := p.ActivityPolicy
	judged.Name = cmp.Or(judged.Name, p.Title()) // whoever comes from a search looks first, and names it then
	preview, err := v.m.Preview(ctx, judged, 7)
	if err != nil {
		v.problem = "The preview can't be made: " + err.Error()
		return p, nil
	}
	for _, d := range preview.Days {
		p.Most = max(p.Most, d.Count)
	}
	p.Preview = &preview
	return p, nil
}

// read takes over what a form says.
func (p *policyPage) read(of func(string) string) error {
	if !p.Built {
		p.Filter, p.Name, p.Description, p.Category = of("filter"), cmp.Or(strings.TrimSpace(of("name")), p.Name), of("description"), of("category")
	}
	if s := of("severity"); s != "" {
		if err := p.Severity.UnmarshalText([]byte(s)); err != nil {
			return err
		}
		p.Enabled = of("enabled") != ""
	}
	if s := of("times"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return fmt.Errorf("times: found %.20q, expected a number from 1 on", s)
		}
		p.Times = n
	}
	if s := of("revision"); s != "" { // it was filled in by what was there then
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return fmt.Errorf("revision: found %.20q, expected a number", s)
		}
		p.Revision = n
	}
	if p.Lasts = cmp.Or(of("within"), p.Lasts); p.Lasts != "" {
		d, err := config.ParseDuration(p.Lasts)
		if err == nil && d <= 0 {
			err = fmt.Errorf("found %q, expected more than 0s", p.Lasts)
		}
		if err != nil {
			return fmt.Errorf("within: %w", err)
		}
		p.Within = d
	}
	return nil
}

// policyDeed saves the form, leads to its preview, or removes the policy.
func policyDeed(v *visit) (*done, error) {
	if err := v.r.ParseForm(); err != nil {
		return nil, wrong("the form can't be read: %v", err)
	}
	form, id := v.r.PostForm, v.r.PathValue("id")
	switch form.Get("do") {
	case "save", "drop":
	case "preview":
		return &done{to: "/policies/" + segment(id) + "?" + form.Encode()}, nil
	default:
		return nil, wrong("This button isn't known.")
	}
	fields, revision := map[string]any{}, ""
	if id != "new" {
		if err := v.ask(http.MethodGet, "/policies/"+segment(id), nil, &fields); err != nil {
			return nil, err
		}
		revision = fmt.Sprintf("%q", form.Get("revision"))
	}
	if form.Get("do") == "drop" {
		return &done{did: "drop", to: "/policies"}, v.ask(http.MethodDelete, "/policies/"+segment(id), nil, nil, "If-Match", revision)
	}
	maps.DeleteFunc(fields, func(key string, _ any) bool {
		return key == "id" || key == "revision" || key == "owner" || key == "built_in"
	})
	for _, key := range []string{"name", "description", "severity", "category", "filter", "within"} {
		if form.Has(key) {
			fields[key] = form.Get(key)
		}
	}
	if s := form.Get("times"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			return nil, wrong("times: found %.20q, expected a number from 1 on", s)
		}
		fields["times"] = n
	}
	fields["enabled"] = form.Get("enabled") != ""
	if id == "new" {
		return &done{did: "save", to: "/policies"}, v.ask(http.MethodPost, "/policies", fields, nil)
	}
	return &done{did: "save", to: "/policies"}, v.ask(http.MethodPut, "/policies/"+segment(id), fields, nil, "If-Match", revision)
}

// tryPage is what would become of a line.
type tryPage struct {
	Line  string
	Trial *Trial
	Said  model.Told
}

// try shows the form, and every step for the line that was pasted.
func try(v *visit) (any, error) {
	if err := v.r.ParseForm(); err != nil {
		return nil, wrong("the form can't be read: %v", err)
	}
	p := &tryPage{Line: v.r.PostForm.Get("line")}
	if p.Line == "" {
		return p, nil
	}
	t, err := v.Gateway.Try(v.r.Context(), strings.TrimRight(p.Line, "\r\n"))
	p.Trial = &t
	return p, err
}
