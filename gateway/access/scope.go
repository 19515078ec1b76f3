package access

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-siem/sluice/config"
)

// Scope limits what somebody sees: to what one of the services says, of one of the applications. An empty list is
// no limit, so the zero value sees everything.
type Scope struct {
	Services     []string `json:"services,omitempty"`
	Applications []string `json:"applications,omitempty"`
}

// nothing is no service's and no application's name: a list that holds it alone lets nothing through.
const nothing = "-"

// Whole says that there is no limit.
func (s Scope) Whole() bool { return len(s.Services) == 0 && len(s.Applications) == 0 }

// fault says what is wrong with a limit that somebody gives; nothing where it can be one. A list that is there and empty
// would be no limit to us, and everything or nothing to who wrote it.
func (s Scope) fault() string {
	known := append(config.Services{}.Order(), "sluice")
	for _, name := range s.Services {
		if !lets(known, name) {
			return fmt.Sprintf("found the service %.100q, expected one of %s", name, strings.Join(known, ", "))
		}
	}
	for _, name := range s.Applications {
		if strings.TrimSpace(name) == "" {
			return "found an application without a name, expected one as alerts show it, such as Active Directory"
		}
	}
	if s.Services != nil && len(s.Services) == 0 || s.Applications != nil && len(s.Applications) == 0 {
		return "found an empty list of services or applications, expected names, or no list for no limit"
	}
	return ""
}

// Sees says whether what a service says of an application is inside. Letter case doesn't count.
func (s Scope) Sees(service, application string) bool {
	return s.Service(service) && s.Application(application)
}

// Service says whether the limits let a service through.
func (s Scope) Service(name string) bool { return lets(s.Services, name) }

// Application says whether the limits let an application through.
func (s Scope) Application(name string) bool { return lets(s.Applications, name) }

func lets(list []string, name string) bool {
	return len(list) == 0 || slices.ContainsFunc(list, func(v string) bool { return strings.EqualFold(v, name) })
}

// Within is what both scopes see.
func (s Scope) Within(o Scope) Scope {
	return Scope{Services: both(s.Services, o.Services), Applications: both(s.Applications, o.Applications)}
}

func both(a, b []string) []string {
	switch {
	case len(a) == 0:
		return slices.Clone(b)
	case len(b) == 0:
		return slices.Clone(a)
	}
	out := slices.DeleteFunc(slices.Clone(a), func(v string) bool { return !lets(b, v) })
	if len(out) == 0 {
		return []string{nothing}
	}
	return out
}

// Key is equal for scopes that see the same: a name for files, which tells nobody what it stands for.
func (s Scope) Key() string {
	sum := sha256.Sum256([]byte(sorted(s.Services) + "\n" + sorted(s.Applications)))
	return hex.EncodeToString(sum[:8])
}

func sorted(list []string) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = strings.ToLower(v)
	}
	slices.Sort(out)
	text, err := json.Marshal(slices.Compact(out))
	if err != nil {
		panic(err) // of texts
	}
	return string(text)
}

// String says in words what is seen.
func (s Scope) String() string {
	switch {
	case s.Whole():
		return "everything"
	case slices.Contains(s.Services, nothing), slices.Contains(s.Applications, nothing):
		return "nothing"
	}
	var parts []string
	if len(s.Services) > 0 {
		parts = append(parts, "what "+words(s.Services)+" says")
	}
	if len(s.Applications) > 0 {
		parts = append(parts, "what is of "+words(s.Applications))
	}
	return strings.Join(parts, ", and of that ")
}

// words writes a, b or c.
func words(list []string) string {
	last := len(list) - 1
	if last < 1 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:last], ", ") + " or " + list[last]
}
