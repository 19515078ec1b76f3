package access

import (
	"fmt"
	"slices"

	"github.com/sluice-siem/sluice/config"
)

// Identity is what an issuer says of somebody, as far as roles are given by it.
type Identity struct {
	Issuer   string   `json:"issuer"` // its name in the configuration
	User     string   `json:"user"`   // the claim oid, or sub
	AppRoles []string `json:"app_roles,omitempty"`
	Groups   []string `json:"groups,omitempty"`
	Overage  bool     `json:"overage,omitempty"` // in more groups than a token has room for: which ones isn't known
}

// Grant is the first line of roles that fits: of those with app roles, then of those with groups, then of those with
// users. Where the groups aren't known, and the role could come of one, it is a *RefusalError that says what to do: a line
// further down could give more, or less, than the one that counts.
func (i Identity) Grant(roles []config.Grant) (Role, Scope, error) {
	fits := []func(g *config.Grant) bool{
		func(g *config.Grant) bool { return g.AppRole != "" && slices.Contains(i.AppRoles, g.AppRole) },
		func(g *config.Grant) bool { return g.Group != "" && (i.Overage || slices.Contains(i.Groups, g.Group)) },
		func(g *config.Grant) bool { return g.User != "" && g.User == i.User },
	}
	for _, fit := range fits {
		for n := range roles {
			g := &roles[n]
			if g.Issuer != "" && g.Issuer != i.Issuer || !fit(g) {
				continue
			}
			if g.Group != "" && i.Overage {
				return None, Scope{}, &RefusalError{Text: fmt.Sprintf("%s names no groups, because there are too many for a token, and roles are given by groups: "+
					"give an app role instead, or have the issuer name only the groups assigned to the application", i.Issuer)}
			}
			var role Role
			if err := role.UnmarshalText([]byte(g.Role)); err != nil {
				return None, Scope{}, err
			}
			return role, Scope{Services: g.Services, Applications: g.Applications}, nil
		}
	}
	return None, Scope{}, &RefusalError{Text: "nothing in access.roles fits user " + i.User + " of " + i.Issuer + ": an admin of Sluice adds an app role, a group or the user there"}
}

// Explain says in words who would get what, a line for each.
func Explain(a config.Access) []string {
	var out []string
	for _, kind := range []func(g *config.Grant) bool{
		func(g *config.Grant) bool { return g.AppRole != "" },
		func(g *config.Grant) bool { return g.Group != "" },
		func(g *config.Grant) bool { return g.User != "" },
	} {
		for i := range a.Roles {
			if g := &a.Roles[i]; kind(g) {
				out = append(out, fmt.Sprintf("%s is %s and sees %s", g.Who(), article(g.Role), Scope{Services: g.Services, Applications: g.Applications}))
			}
		}
	}
	if len(a.Issuers) > 0 {
		out = append(out, "whoever else logs in gets nothing")
	}
	if a.LocalAdmin {
		out = append(out, "the local admin is an admin and sees everything, with the password in data_dir")
	}
	return append(out, "who reaches the control socket in data_dir is an admin and sees everything")
}

func article(role string) string {
	var r Role
	if r.UnmarshalText([]byte(role)) != nil {
		return role
	}
	return an(r)
}
