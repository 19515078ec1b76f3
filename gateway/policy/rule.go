package policy

import (
	"strconv"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
)

// Scope is a `when` that was taken apart once, to be asked often. The zero value is everything.
type Scope struct{ conditions filter.Filter }

// NewScope takes a checked `when`.
func NewScope(w config.When) Scope { return Scope{w.Conditions()} }

// All says whether everything is in it.
func (s Scope) All() bool { return len(s.conditions) == 0 }

// Fits says whether an alert of that detection type is in the scope, by all that is said of it; other things
// are said once, and have no detection type. A condition fits where a value of any notification does, one with
// a "not" where no notification has such a value.
func (s Scope) Fits(typ string, said ...*formats.Notification) bool {
	return s.fits(subject{all: said, typ: typ})
}

// FitsScored is Fits where a user's score matters too: score gives the highest of those whom something said names, and
// false where nobody has one.
func (s Scope) FitsScored(score func() (float64, bool), typ string, said ...*formats.Notification) bool {
	what := subject{all: said, typ: typ}
	return s.conditions.Match(time.Time{}, func(field string) []string {
		if field != userScore {
			return what.values(field)
		}
		n, ok := score()
		if !ok {
			n = 0
		}
		return []string{strconv.FormatFloat(n, 'f', -1, 64)}
	})
}

// userScore is the field of a `when` that no notification says.
const userScore = "user_score"

func (s Scope) fits(what subject) bool {
	return s.conditions.Match(time.Time{}, what.values) // no condition asks for the time
}

// rule is one of the configured ones.
type rule struct {
	name     string
	scope    Scope
	settings config.Settings
}

func newRules(configured []config.Rule) []rule {
	rules := make([]rule, len(configured))
	for i, r := range configured {
		rules[i] = rule{r.Name, NewScope(r.When), r.Settings}
	}
	return rules
}

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

// values are those of a field in all notifications, see [filter.Notifications].
func (s subject) values(field string) []string {
	out := make([]string, 0, 8) // enough for most
	for _, n := range s.all {
		switch field {
		case "service":
			out = append(out, string(n.Service))
		case "kind":
			out = append(out, string(n.Kind))
		case "type":
			out = append(out, s.typ, n.Type, n.Class)
		case "title":
			out = append(out, n.Title)
		case "severity":
			out = append(out, n.Severity.String())
		case "user":
			out = appendNames(out, n.Accounts)
		case "device":
			out = appendNames(out, n.Devices)
		case "application":
			out = append(out, n.App)
		}
	}
	return out
}

func appendNames(out []string, entities []formats.Entity) []string {
	for _, e := range entities {
		out = append(out, e.Name)
	}
	return out
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
