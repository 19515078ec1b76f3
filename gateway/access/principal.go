// Package access says who may see and do what: the roles, how they are limited, the one table of what each operation
// needs, and the ways to log in.
//
// # Decisions
//
// A limit isn't a condition in every query but a model of its own, folded from what is inside of the limit alone
// (package model). What was never told can't leak: not by a count, an order, a cursor, an error or the time it takes.
// So this package only says which model answers.
package access

import (
	"context"
	"time"
)

// How somebody came in.
const (
	ByControl  = "control socket"
	ByToken    = "token"
	ByPassword = "local password"
	ByOpenID   = "OpenID Connect"
)

// Principal is who asks.
type Principal struct {
	ID      string    `json:"id"`   // for ever the same: of an OpenID user the issuer and the subject there
	Name    string    `json:"name"` // to show; others may have it too
	Role    Role      `json:"role"`
	Scope   Scope     `json:"scope"`
	How     string    `json:"how"`
	Expires time.Time `json:"expires,omitzero"` // of the session or token
	From    string    `json:"-"`                // the address that asks; empty over the control socket
}

// By is how acts name who did them: what is shown, and where that may be another's too, what is theirs alone.
func (p Principal) By() string {
	if p.Name == "" || p.Name == p.ID {
		return p.ID
	}
	return p.Name + " (" + p.ID + ")"
}

// KeepsOrder says whether somebody answers for what all share: an admin without a limit, who may also take away what others left.
func (p Principal) KeepsOrder() bool { return p.Role == Admin && p.Scope.Whole() }

// Local is whoever reaches the control socket: the gateway's own user on its own machine, who could read the files.
func Local() Principal { return Principal{ID: "local", Name: "local", Role: Admin, How: ByControl} }

type principalKey struct{}

// With is a context in which p asks.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// From is who asks; false where nobody has been let in.
func From(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(principalKey{}).(Principal)
	return p, ok
}
