package portal

import (
	"cmp"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strconv"

	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/model"
)

// adminPage is about the gateway itself.
type adminPage struct {
	Told    string // what came of a test
	Status  Status
	Letters []Letter
	Model   model.State
	Go      string
	Parts   []madeOf
}

// admin shows the targets, what they refused, and what the program is made of.
func admin(v *visit) (any, error) {
	p := &adminPage{Told: v.told}
	var err error
	if p.Status, err = v.Gateway.Status(v.r.Context()); err != nil {
		return nil, err
	}
	if p.Letters, err = v.Gateway.Letters(v.r.Context()); err != nil {
		return nil, err
	}
	if p.Model, err = v.m.State(v.r.Context()); err != nil {
		return nil, err
	}
	p.Go, p.Parts = runtime.Version(), parts(parseLicences(licencesText))
	return p, nil
}

// adminDeed tests a target, or does something with a dead letter.
func adminDeed(v *visit) (*done, error) {
	if err := v.r.ParseForm(); err != nil {
		return nil, wrong("the form can't be read: %v", err)
	}
	ctx, form := v.r.Context(), v.r.PostForm
	switch target, id := form.Get("target"), form.Get("letter"); form.Get("do") {
	case "test":
		told, err := v.Gateway.Test(ctx, target)
		return &done{told: told}, err
	case "retry":
		return &done{did: "retry"}, v.Gateway.Retry(ctx, target, id)
	case "drop":
		return &done{did: "give_up"}, v.Gateway.Drop(ctx, target, id)
	}
	return nil, wrong("This button isn't known.")
}

// tokensPage are the API tokens that the visitor may see.
type tokensPage struct {
	Told   string // a new token, this once
	Tokens []access.Token
	Roles  []access.Role
	Me     access.Principal
}

func tokens(v *visit) (any, error) {
	p := &tokensPage{Told: v.told, Tokens: v.Door.Tokens(v.who), Me: v.who}
	slices.SortFunc(p.Tokens, func(a, b access.Token) int { return cmp.Compare(a.Name, b.Name) })
	for _, r := range access.Roles() {
		if r <= v.who.Role && (r != access.Ingest || v.who.Role == access.Admin) {
			p.Roles = append(p.Roles, r)
		}
	}
	return p, nil
}

// tokensDeed makes a token, which is told this once, or ends one.
func tokensDeed(v *visit) (*done, error) {
	if err := v.r.ParseForm(); err != nil {
		return nil, wrong("the form can't be read: %v", err)
	}
	form := v.r.PostForm
	if form.Get("do") == "revoke" {
		return &done{did: "drop"}, v.ask(http.MethodDelete, "/tokens/"+segment(form.Get("token")), nil, nil)
	}
	days, err := strconv.Atoi(form.Get("days"))
	if err != nil {
		return nil, wrong("days: found %.20q, expected a number", form.Get("days"))
	}
	var made struct{ Token string }
	err = v.ask(http.MethodPost, "/tokens", map[string]any{"name": form.Get("name"), "role": form.Get("role"), "days": days}, &made)
	return &done{told: fmt.Sprintf("The new token, which is shown this once: %s", made.Token)}, err
}

// auditPage is what was done, and by whom.
type auditPage struct {
	*list
	Lines []model.Audited
}

func audit(v *visit) (any, error) {
	p := &auditPage{list: v.newList(model.AuditFields())}
	if p.Wrong != "" {
		return p, nil
	}
	page, err := v.m.Audit(v.r.Context(), p.query(v))
	p.Lines, p.Next = page.Items, page.Next
	return p, err
}
