package policy

import (
	"slices"
	"strings"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
)

// subject is what a rule judges: an alert by all its notifications, anything else by its one.
type subject struct {
	all []*formats.Notification
	typ string // detection type by the catalogue
}

func newSubject(a *dedup.Alert, n *formats.Notification, typ string) subject {
	s := subject{all: []*formats.Notification{n}, typ: typ}
	for i := range a.Facts {
		s.all = append(s.all, &a.Facts[i])
	}
	return s
}

// fits says whether every key of w that is set fits.
func (s subject) fits(w config.When) bool {
	return s.any(w.Service, func(n *formats.Notification) []string { return []string{string(n.Service)} }) &&
		s.any(w.Kind, func(n *formats.Notification) []string { return []string{string(n.Kind)} }) &&
		s.any(w.Type, func(n *formats.Notification) []string { return []string{s.typ, n.Type, n.Class} }) &&
		s.any(w.Title, func(n *formats.Notification) []string { return []string{n.Title} }) &&
		s.any(w.Severity, func(n *formats.Notification) []string { return []string{n.Severity.String()} }) &&
		s.any(w.User, func(n *formats.Notification) []string { return names(n.Accounts) }) &&
		s.any(w.Host, func(n *formats.Notification) []string { return names(n.Devices) }) &&
		s.any(w.App, func(n *formats.Notification) []string { return []string{n.App} })
}

// Fits says whether an alert of that detection type fits w, by all that is said of it; other things are said
// once, and have no detection type.
func Fits(w config.When, typ string, said ...*formats.Notification) bool {
	return subject{all: said, typ: typ}.fits(w)
}

func names(entities []formats.Entity) []string {
	out := make([]string, len(entities))
	for i, e := range entities {
		out[i] = e.Name
	}
	return out
}

// any says whether a value of any notification fits any pattern; no patterns fit everything.
func (s subject) any(patterns []string, values func(*formats.Notification) []string) bool {
	if len(patterns) == 0 {
		return true
	}
	for _, n := range s.all {
		for _, v := range values(n) {
			if slices.ContainsFunc(patterns, func(p string) bool { return glob(strings.ToLower(p), strings.ToLower(v)) }) {
				return true
			}
		}
	}
	return false
}

// glob matches * to any run of characters. It takes time in proportion to the product of the lengths
// at worst, whatever the pattern.
func glob(pattern, s string) bool {
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// overlay puts the keys that a rule sets over the policy's own.
func overlay(base, rule config.Settings) config.Settings {
	set := func(to *string, from string) {
		if from != "" {
			*to = from
		}
	}
	set(&base.Mode, rule.Mode)
	set(&base.LateTwin, rule.LateTwin)
	set(&base.Updates, rule.Updates)
	set(&base.Health, rule.Health)
	set(&base.Activities, rule.Activities)
	set(&base.Unknown, rule.Unknown)
	if len(rule.ManageIn) > 0 {
		base.ManageIn = rule.ManageIn
	}
	if rule.Hold != nil {
		base.Hold = rule.Hold
	}
	return base
}
