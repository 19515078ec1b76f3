package access

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Reach is how a limit of the role bears on an operation.
type Reach uint8

// The reaches.
const (
	Inside Reach = iota // it shows and does what is inside of the limit, as if there were nothing else
	Same                // it tells nothing that a limit could be about
	Whole               // it is about everything: who is limited may not
)

// String says it as the README's table does.
func (r Reach) String() string {
	return [...]string{"what is inside", "the same for all", "refused"}[r]
}

// Rule is what an operation needs.
type Rule struct {
	Operation string // its ID in the API's description
	Least     Role
	Limited   Reach // what a limited role gets
}

// Rules is the one table: every operation of the API, and Send, which inputs of type http take.
func Rules() []Rule {
	return []Rule{
		{Send, Ingest, Same},

		{"get-me", Viewer, Same},
		{"list-fields", Viewer, Same},
		{"get-state", Viewer, Inside},

		{"list-alerts", Viewer, Inside},
		{"count-alerts", Viewer, Inside},
		{"facet-alerts", Viewer, Inside},
		{"export-alerts", Viewer, Inside},
		{"get-alert", Viewer, Inside},
		{"get-alert-history", Viewer, Inside},
		{"close-alerts", Operator, Inside},
		{"reopen-alerts", Operator, Inside},
		{"assign-alerts", Operator, Inside},
		{"comment-alerts", Operator, Inside},
		{"mark-alerts", Operator, Inside},
		{"undo-act", Operator, Inside},
		{"forward-notification", Operator, Whole}, // it is about a pairing with what another service says

		{"list-activities", Viewer, Inside},
		{"count-activities", Viewer, Inside},
		{"facet-activities", Viewer, Inside},
		{"export-activities", Viewer, Inside},
		{"get-activity", Viewer, Inside},

		{"list-users", Viewer, Inside},
		{"get-user", Viewer, Inside},
		{"get-user-timeline", Viewer, Inside},
		{"get-user-score", Viewer, Inside}, // a limited role's scores are of what is inside, and of its own model
		{"reset-user-score", Operator, Whole},
		{"tag-user", Operator, Whole}, // people are everybody's
		{"join-users", Operator, Whole},
		{"split-user", Operator, Whole},

		{"list-queries", Viewer, Inside}, // a filter may name what its author sees: who shares it has the same limit
		{"get-query", Viewer, Inside},
		{"create-query", Viewer, Inside},
		{"replace-query", Viewer, Inside},
		{"delete-query", Viewer, Inside},

		{"list-policies", Viewer, Whole}, // a policy's filter and numbers tell of what it is for
		{"get-policy", Viewer, Whole},
		{"create-policy", Admin, Whole},
		{"replace-policy", Admin, Whole},
		{"delete-policy", Admin, Whole},
		{"preview-policy", Operator, Inside},

		{"list-audit", Admin, Whole},
		{"export-audit", Admin, Whole},
		{"list-tokens", Viewer, Same}, // one's own; an unlimited admin sees all
		{createToken, Viewer, Same},   // but no token makes others
		{"revoke-token", Viewer, Same},
	}
}

// Send is handing over notifications.
const Send = "send-notifications"

const createToken = "create-token"

// RuleOf is the table's row for an operation.
func RuleOf(operation string) (Rule, bool) {
	all := Rules()
	i := slices.IndexFunc(all, func(r Rule) bool { return r.Operation == operation })
	if i < 0 {
		return Rule{}, false
	}
	return all[i], true
}

// RefusalError is that somebody may not do something, and who may.
type RefusalError struct {
	Text  string
	Needs string // the roles that may; empty where no role helps
}

func (e *RefusalError) Error() string { return e.Text }

// Allow says whether p may do an operation: nil, or a *RefusalError that says which role may.
func Allow(p Principal, operation string) error {
	r, ok := RuleOf(operation)
	switch {
	case !ok:
		return &RefusalError{Text: "operation " + operation + " stands in no rule, so nobody may do it"}
	case operation == createToken && p.How == ByToken:
		return &RefusalError{Text: "a token makes no other tokens: log in, or use sluice token create on the gateway's machine"}
	case !p.Role.covers(r.Least):
		return refuse(fmt.Sprintf("%s is %s, and %s", p.By(), an(p.Role), operation), "the role "+r.needs())
	case r.Limited == Whole && !p.Scope.Whole():
		return refuse(fmt.Sprintf("%s sees %s, and %s", p.By(), p.Scope, operation), "the role "+r.needs()+" without a limit")
	}
	return nil
}

func refuse(who, needs string) error {
	return &RefusalError{Text: who + " needs " + needs, Needs: needs}
}

func an(r Role) string {
	switch r {
	case Operator, Admin:
		return "an " + r.String()
	case Ingest:
		return "a token that may only ingest"
	case None:
		return "nobody in particular"
	}
	return "a " + r.String()
}

// needs names the roles that do.
func (r Rule) needs() string {
	var out []string
	for _, role := range Roles() {
		if role.covers(r.Least) {
			out = append(out, role.String())
		}
	}
	return words(out)
}

// Describe says for an operation's description who may do it.
func (r Rule) Describe() string {
	text := "Needs the role " + r.needs()
	switch r.Limited {
	case Inside:
		text += "; a limited role gets what is inside of its limit."
	case Same:
		text += ", limited or not."
	case Whole:
		text += " without a limit."
	}
	return text
}

// Table writes the rules as the README has them, in Markdown.
func Table() string {
	type row struct {
		least Role
		reach Reach
	}
	rows := map[row][]string{}
	for _, r := range Rules() {
		rows[row{r.Least, r.Limited}] = append(rows[row{r.Least, r.Limited}], "`"+r.Operation+"`")
	}
	order := slices.SortedFunc(maps.Keys(rows), func(a, b row) int {
		if a.least != b.least {
			return int(a.least) - int(b.least)
		}
		return int(a.reach) - int(b.reach)
	})
	var out strings.Builder
	out.WriteString("| operations | roles | a limited role gets |\n|---|---|---|\n")
	for _, k := range order {
		_, _ = fmt.Fprintf(&out, "| %s | %s | %s |\n", strings.Join(rows[k], ", "), Rule{Least: k.least}.needs(), k.reach)
	}
	return out.String()
}
