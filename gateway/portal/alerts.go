package portal

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/gateway/model"
)

// queuePage is the alerts queue, with the alert that is open.
type queuePage struct {
	*list
	Alerts []model.Alert
	Alert  *drawer
	Lost   string // why the alert that is to be open isn't
	Acts   bool   // the visitor may handle alerts
	Me     string
}

func alertList(v *visit) *list { return v.newList(filter.Alerts()) }

// queue shows the alerts that fit, and the drawer.
func queue(v *visit) (any, error) {
	l := alertList(v)
	p := &queuePage{list: l, Acts: v.May("close-alerts"), Me: v.who.By()}
	ctx := v.r.Context()
	if v.r.Header.Get("HX-Target") != "drawer" {
		if err := p.fill(ctx, v); err != nil {
			return nil, err
		}
	}
	if id := l.Open(); id != "" {
		d, err := v.drawer(id)
		if errors.Is(err, model.ErrNotFound) {
			p.Lost = "There is no such alert: it may have become part of another one, or be older than what is kept."
			return p, nil
		}
		if err != nil {
			return nil, err
		}
		p.Alert = d
	}
	return p, nil
}

func (p *queuePage) fill(ctx context.Context, v *visit) (err error) {
	if p.Saved, err = v.saved("alerts"); err != nil || p.Wrong != "" {
		return err
	}
	page, err := v.m.Alerts(ctx, p.query(v))
	if err != nil {
		return err
	}
	p.Alerts, p.Next = page.Items, page.Next
	for i := range p.Alerts {
		p.Alerts[i].Users = persons(p.Alerts[i].Users)
	}
	p.Total, err = v.m.AlertTotal(ctx, p.Filter)
	return err
}

// alertFacets counts what fits by the fields that people filter by. The queue asks for it when it is shown.
func alertFacets(v *visit) (any, error) {
	l := alertList(v)
	l.At.path = "/alerts"
	if l.Wrong != "" {
		return &queuePage{list: l}, nil
	}
	return &queuePage{list: l}, l.facets(v, 6, []string{
		"status", "severity", "managed_in", "service", "application", "user", "drift", "read", "assigned", "category", "policy", "tactic", "technique", "device", "ip",
	}, v.m.AlertFacets)
}

// assign says who had the alerts that are named when the page was shown, so that none is taken from somebody who took it since. Of
// all that fit a page doesn't show each.
func (v *visit) assign(form url.Values, on map[string]any) (*done, error) {
	if form.Get("fitting") == "" {
		seen := map[string]string{}
		for _, had := range form["assigned"] {
			id, who, _ := strings.Cut(had, " ")
			seen[id] = who
		}
		on["seen"] = seen
	}
	return v.post("assign", "/alerts/assign", on)
}

// alertDeed does what a button of the queue or the drawer says.
func alertDeed(v *visit) (*done, error) {
	if err := v.r.ParseForm(); err != nil {
		return nil, wrong("the form can't be read: %v", err)
	}
	form := v.r.PostForm
	on := map[string]any{"alerts": form["alert"]}
	if form.Get("fitting") != "" {
		text, err := alertList(v).shown()
		if err != nil {
			return nil, err
		}
		on = map[string]any{"filter": text}
	}
	with := func(pairs ...string) map[string]any {
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i+1] != "" {
				on[pairs[i]] = pairs[i+1]
			}
		}
		return on
	}
	do := form.Get("do")
	if strings.HasSuffix(do, "_query") {
		return queryDeed("alerts", alertList)(v)
	}
	if do == "undo" {
		return v.post(do, "/alerts/undo", map[string]string{"act": form.Get("act")})
	}
	if do == "forward" {
		return v.post(do, "/alerts/"+segment(form.Get("alert"))+"/notifications/"+segment(form.Get("key"))+"/forward", map[string]string{"why": form.Get("comment")})
	}
	if len(form["alert"]) == 0 && form.Get("fitting") == "" {
		return nil, wrong("No alert is selected: select some with the boxes, or with x, and try again.")
	}
	switch do {
	case "true_positive", "benign", "false_positive":
		return v.post("close", "/alerts/close", with("in", form.Get("in"), "classification", do, "comment", form.Get("comment")))
	case "reopen":
		return v.post(do, "/alerts/reopen", with("in", form.Get("in"), "comment", form.Get("comment")))
	case "take":
		on["to"] = v.who.By()
		return v.assign(form, on)
	case "assign":
		on["to"] = form.Get("to")
		return v.assign(form, on)
	case "comment":
		return v.post(do, "/alerts/comment", with("text", form.Get("comment")))
	case "read", "unread":
		on["read"] = do == "read"
		return v.post("mark", "/alerts/mark", on)
	}
	return nil, &refusal{http.StatusUnprocessableEntity, "This button isn't known."}
}
