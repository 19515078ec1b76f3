package access

import "fmt"

// Role is what somebody may do. The roles from Viewer up are a ladder: each may do what those below it may. Ingest
// stands beside it.
type Role uint8

// The roles. The zero value may do nothing.
const (
	None     Role = iota
	Ingest        // send notifications, and nothing else
	Viewer        // read
	Operator      // handle alerts too
	Admin         // everything
)

// Roles are all there are, the least first.
func Roles() []Role { return []Role{Ingest, Viewer, Operator, Admin} }

// String is the role's name in the configuration and in answers.
func (r Role) String() string {
	names := [...]string{"none", "ingest", "viewer", "operator", "admin"}
	if int(r) < len(names) {
		return names[r]
	}
	return fmt.Sprintf("role(%d)", uint8(r))
}

// MarshalText writes the name.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a name that String wrote.
func (r *Role) UnmarshalText(text []byte) error {
	for _, known := range Roles() {
		if known.String() == string(text) {
			*r = known
			return nil
		}
	}
	return fmt.Errorf("found role %q, expected ingest, viewer, operator or admin", text)
}

// covers says whether who has the role r may do what needs least.
func (r Role) covers(least Role) bool {
	if least == Ingest || r == Ingest {
		return r == least
	}
	return r >= least && least != None
}

// lesser is the role that may do what both may; None where there is nothing.
func lesser(a, b Role) Role {
	switch {
	case a == b:
		return a
	case a == Ingest && b == Admin, a == Admin && b == Ingest:
		return Ingest // an admin hands out tokens that ingest
	case a == Ingest || b == Ingest:
		return None
	}
	return min(a, b)
}
