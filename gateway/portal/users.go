package portal

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/gateway/model"
)

// usersPage is the list of users.
type usersPage struct {
	*list
	Users []model.User
}

// users shows those who fit, by investigation priority where no other order is asked for.
func users(v *visit) (any, error) {
	l := v.newList(model.UserFields())
	p := &usersPage{list: l}
	if l.Wrong != "" {
		return p, nil
	}
	q := l.query(v)
	q.Sort = cmp.Or(q.Sort, "-score")
	page, err := v.m.Users(v.r.Context(), q)
	p.Users, p.Next = page.Items, page.Next
	return p, err
}

// order is one by which users can be listed.
type order struct {
	Name string
	To   string // the address of the list so
	Now  string // as aria-sort says it; empty where it isn't the list's
}

// Orders are those there are. The one that the list has leads to its reverse.
func (p *usersPage) Orders() (out []order, err error) {
	now := cmp.Or(p.Sort, "-score")
	for _, o := range []struct{ name, first, reverse string }{
		{"Investigation priority", "-score", "score"}, {"User", "display", "-display"}, {"Last seen", "-time", "time"},
	} {
		next, to := order{Name: o.name}, o.first
		switch now {
		case o.first:
			next.Now, to = directionOf(now), o.reverse
		case o.reverse:
			next.Now = directionOf(now)
		}
		if next.To, err = p.Fresh("sort", to); err != nil {
			return nil, err
		}
		out = append(out, next)
	}
	return out, nil
}

// directionOf is the direction of an order, as aria-sort says it.
func directionOf(sort string) string {
	if strings.HasPrefix(sort, "-") {
		return "descending"
	}
	return "ascending"
}

// userPage is one user: who it is, and what is known of them over all services.
type userPage struct {
	*list
	User     model.User
	Priority *priority
	Lines    []model.Activity
	Edit     bool // the visitor may tag, join and split
}

// Title names the user for the window's title.
func (p *userPage) Title() string { return cut(80, p.User.Display) }

// Tagged says whether the user has a tag.
func (p *userPage) Tagged(tag string) bool { return slices.Contains(p.User.Tags, tag) }

// Tags are all there are.
func (p *userPage) Tags() []string { return []string{"sensitive", "admin", "watched"} }

// user shows one.
func user(v *visit) (any, error) {
	p := &userPage{list: v.newList(filter.Activities()), Edit: v.May("tag-user")}
	var err error
	if p.User, err = v.m.User(v.r.Context(), v.r.PathValue("id")); err != nil {
		return nil, err
	}
	if p.Priority, err = v.priority(p.User.ID); err != nil || p.Wrong != "" {
		return p, err
	}
	page, err := v.m.Timeline(v.r.Context(), p.User.ID, p.query(v))
	p.Lines, p.Next = page.Items, page.Next
	return p, err
}

// userDeed does what a button of the user's page says.
func userDeed(v *visit) (*done, error) {
	if err := v.r.ParseForm(); err != nil {
		return nil, wrong("the form can't be read: %v", err)
	}
	form, at := v.r.PostForm, "/users/"+segment(v.r.PathValue("id"))
	switch form.Get("do") {
	case "tag":
		return v.post("save", at+"/tags", map[string]any{"tags": append([]string{}, form["tag"]...), "seen": append([]string{}, form["had"]...)})
	case "join":
		with, err := v.called(form.Get("with"))
		if err != nil {
			return nil, err
		}
		return v.post("join", at+"/join", map[string]any{"with": with})
	case "reset":
		return v.resetDeed(at)
	case "split":
		if len(form["spelling"]) == 0 {
			return nil, wrong("No name is selected: select those that are somebody else's, and try again.")
		}
		return v.post("split", at+"/split", map[string]any{"spellings": form["spelling"]})
	}
	return nil, wrong("This button isn't known.")
}

// called is the ID of the one user who has a name.
func (v *visit) called(name string) (string, error) {
	f := filter.Filter{{Field: "user", Op: filter.Equals, Values: []string{name}}}
	page, err := v.m.Users(v.r.Context(), model.Query{Filter: f, Limit: 2})
	switch {
	case err != nil:
		return "", err
	case len(page.Items) != 1:
		return "", &refusal{http.StatusUnprocessableEntity, fmt.Sprintf("%d users are called %.100q: write a name that one user alone has, as it was seen.", len(page.Items), name)}
	}
	return page.Items[0].ID, nil
}
