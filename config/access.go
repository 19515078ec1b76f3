package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Access says who may see and do what over the API and in the portal.
type Access struct {
	LocalAdmin bool     `koanf:"local_admin"` // one admin whose password stands in data_dir, for when nothing else lets anybody in
	URL        string   `koanf:"url"`         // by which browsers reach the gateway; issuers send them back there
	Issuers    []Issuer `koanf:"issuers"`
	Sessions   Sessions `koanf:"sessions"`
	Roles      []Grant  `koanf:"roles"` // the first that fits counts: of app roles, then of groups, then of users
}

// Issuer is an OpenID provider, such as a tenant of Entra ID.
type Issuer struct {
	Name         string        `koanf:"name"`
	Issuer       string        `koanf:"issuer"` // byte for byte as its tokens name it
	ClientID     string        `koanf:"client_id"`
	ClientSecret Secret        `koanf:"client_secret"`
	Skew         time.Duration `koanf:"skew"` // by which its clock may differ
}

// Sessions says how long a log-in lasts.
type Sessions struct {
	Idle   time.Duration `koanf:"idle"`   // without a request
	Length time.Duration `koanf:"length"` // in all: then who it is, and what they may, is asked anew
}

// Grant gives a role to those who have an app role or are in a group, or to one user. An empty list is no limit.
type Grant struct {
	Issuer       string   `koanf:"issuer"`   // its name; any where empty
	AppRole      string   `koanf:"app_role"` // a value of the claim roles
	Group        string   `koanf:"group"`    // of the claim groups: in Entra ID its object ID
	User         string   `koanf:"user"`     // of the claim oid, or sub where there is none; never a name, which can be changed
	Role         string   `koanf:"role"`     // viewer | operator | admin
	Services     []string `koanf:"services"`
	Applications []string `koanf:"applications"`
}

// maxLimits is how many different limits there may be: each is a model of its own on disk.
const maxLimits = 16

// Login says whether anybody can log in, so that more than this machine may ask.
func (a Access) Login() bool { return a.LocalAdmin || len(a.Issuers) > 0 }

func (a Access) check(p *problems) {
	positive(p, "access.sessions.idle", a.Sessions.Idle)
	positive(p, "access.sessions.length", a.Sessions.Length)
	atMost(p, "access.sessions.idle", a.Sessions.Idle, "access.sessions.length", a.Sessions.Length)
	a.checkURL(p)
	unique(p, "access.issuers", len(a.Issuers), func(i int) string { return a.Issuers[i].Name })
	for i := range a.Issuers {
		a.Issuers[i].check(p, fmt.Sprintf("access.issuers[%d]", i))
		if j := slices.IndexFunc(a.Issuers[:i], func(o Issuer) bool { return o.Issuer == a.Issuers[i].Issuer }); j >= 0 && a.Issuers[i].Issuer != "" {
			p.add(fmt.Sprintf("access.issuers[%d].issuer", i), "found the issuer of issuers[%d] too, expected another one", j)
		}
	}
	if len(a.Issuers) > 0 && len(a.Roles) == 0 {
		p.add("access.roles", "found none beside issuers, expected who gets which role: nobody who logs in there would get one")
	}
	if len(a.Issuers) == 0 && len(a.Roles) > 0 {
		p.add("access.roles", "found without issuers, expected at least one, which says who somebody is")
	}
	limits := map[string]bool{}
	for i := range a.Roles {
		a.Roles[i].check(p, fmt.Sprintf("access.roles[%d]", i), a.Issuers)
		if g := a.Roles[i]; len(g.Services)+len(g.Applications) > 0 {
			limits[strings.ToLower(fmt.Sprintf("%q %q", g.Services, g.Applications))] = true
		}
	}
	if len(limits) > maxLimits {
		p.add("access.roles", "found %d different limits, expected at most %d: each is a model of its own on disk", len(limits), maxLimits)
	}
}

func (a Access) checkURL(p *problems) {
	const key = "access.url"
	u, err := url.Parse(a.URL)
	switch {
	case a.URL == "" && len(a.Issuers) > 0:
		p.add(key, "found nothing beside issuers, expected the address by which browsers reach the gateway, such as https://sluice.example.com")
	case a.URL == "":
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		p.add(key, "found %s, expected https:// with host and port and nothing else, such as https://sluice.example.com", quote(a.URL))
	case u.Scheme == "http" && !localHost(u.Hostname()):
		p.add(key, "found %s, expected https://: over http:// anybody on the way could take over a session", quote(a.URL))
	}
}

func localHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func (o *Issuer) check(p *problems, path string) {
	u, err := url.Parse(o.Issuer)
	switch {
	case err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil ||
		u.Scheme != "https" && (u.Scheme != "http" || !localHost(u.Hostname())):
		p.add(path+".issuer", "found %s, expected https:// with host and path, such as https://login.microsoftonline.com/TENANT-ID/v2.0", quote(o.Issuer))
	case u.Host == "login.microsoftonline.com" && !tenant().MatchString(u.Path):
		p.add(path+".issuer", "found %s, expected the ID of one tenant in it: https://login.microsoftonline.com/TENANT-ID/v2.0; "+
			"with common or organizations every tenant of Entra ID could log in", quote(o.Issuer))
	}
	if o.ClientID == "" {
		p.add(path+".client_id", "found nothing, expected the ID under which the issuer knows the gateway")
	}
	if o.ClientSecret == "" {
		p.add(path+".client_secret", "found nothing, expected the secret that the issuer gave, better \"${file:/run/secrets/sluice}\"")
	}
	if o.Skew < 0 || o.Skew > 10*time.Minute {
		p.add(path+".skew", "found %s, expected 0s to 10m", show(o.Skew))
	}
}

// tenant is the path of an issuer of Entra ID.
func tenant() *regexp.Regexp {
	return regexp.MustCompile(`^/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/v2\.0$`)
}

func (g *Grant) check(p *problems, path string, issuers []Issuer) {
	if named := slices.ContainsFunc(issuers, func(o Issuer) bool { return o.Name == g.Issuer }); g.Issuer != "" && !named && len(issuers) > 0 {
		p.add(path+".issuer", "found %s, expected the name of one of access.issuers", quote(g.Issuer))
	}
	who := 0
	for _, v := range []string{g.AppRole, g.Group, g.User} {
		if v != "" {
			who++
		}
	}
	if who != 1 {
		p.add(path, "found %d of app_role, group and user, expected one of them", who)
	}
	if strings.Contains(g.User, "@") {
		p.add(path+".user", "found %s, expected the user's object ID (claim oid, or sub): names and addresses can be changed, and given to others", quote(g.User))
	}
	oneOf(p, path+".role", g.Role, "viewer", "operator", "admin")
	for i, s := range g.Services {
		oneOf(p, p.element(path+".services", i), s, append(Services{}.Order(), "sluice")...)
	}
	for i, s := range g.Applications {
		if s == "" {
			p.add(p.element(path+".applications", i), "found nothing, expected the name of an application as alerts show it, such as Active Directory")
		}
	}
	if g.Services != nil && len(g.Services) == 0 || g.Applications != nil && len(g.Applications) == 0 {
		p.add(path, "found an empty list of services or applications, expected names, or no list for no limit")
	}
}

// Who is to whom the role is given, in words.
func (g *Grant) Who() string {
	at := ""
	if g.Issuer != "" {
		at = " of " + g.Issuer
	}
	switch {
	case g.AppRole != "":
		return "who has the app role " + g.AppRole + at
	case g.Group != "":
		return "who is in the group " + g.Group + at
	}
	return "the user " + g.User + at
}
