package render

import (
	"strings"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/mcas"
)

// The classes in use.
const (
	baseEvent        = 0
	detectionFinding = 2004
	accountChange    = 3001
	authentication   = 3002
	apiActivity      = 6003
	fileHosting      = 6006
)

// class is what OCSF calls an event, and what the class demands of it.
type class struct {
	uid      int64
	activity int64
	name     string // of the activity, where its number is 99, other
}

// endpoints are the attributes in which a class has the first address and device, and the first account.
func (c class) endpoints() (endpoint, user string) {
	switch c.uid {
	case detectionFinding:
		return "evidences[0].src_endpoint", "evidences[0].actor.user"
	case authentication:
		return "src_endpoint", "user"
	}
	return "src_endpoint", "actor.user"
}

// ocsfClass chooses the class by what the line has.
func (l *line) ocsfClass() class {
	ips, _ := addresses(l.Addresses)
	d := l.did()
	name, _ := l.fileName()
	switch {
	case l.Kind == formats.Alert && !l.Update:
		return class{uid: detectionFinding, activity: 1}
	case l.Kind == formats.Alert:
		return class{uid: detectionFinding, activity: 2}
	case l.Kind != formats.Activity || len(l.Users) == 0:
	case d.Verb == mcas.Login && l.App != "":
		return class{uid: authentication, activity: 1}
	case d.Verb == mcas.Logout && l.App != "":
		return class{uid: authentication, activity: 2}
	case d.User && accountVerb(d.Verb) > 0 && l.targetUser() != "":
		return class{uid: accountChange, activity: accountVerb(d.Verb)}
	case len(ips) == 0:
	case d.File && fileVerb(d.Verb) > 0 && name != "":
		return class{uid: fileHosting, activity: fileVerb(d.Verb)}
	case l.Title != "" || l.Type != "":
		return l.apiClass(d)
	}
	return class{uid: baseEvent, activity: 99, name: string(l.Kind)}
}

// apiClass is an API Activity.
func (l *line) apiClass(d deed) class {
	activity := map[mcas.Verb]int64{
		mcas.Create: 1, mcas.Upload: 1, mcas.Duplicate: 1, mcas.Read: 2, mcas.Download: 2, mcas.Change: 3, mcas.Rename: 3, mcas.Move: 3, mcas.Restore: 3,
		mcas.Share: 3, mcas.Unshare: 3, mcas.Enable: 3, mcas.Disable: 3, mcas.Remove: 4,
	}[d.Verb]
	if activity > 0 {
		return class{uid: apiActivity, activity: activity}
	}
	return class{uid: apiActivity, activity: 99, name: l.operation()}
}

// operation names what was done.
func (l *line) operation() string {
	if l.Title != "" {
		return l.Title
	}
	return l.Type
}

// accountVerb is the activity of Account Change; 0 for none.
func accountVerb(v mcas.Verb) int64 {
	return map[mcas.Verb]int64{mcas.Create: 1, mcas.Enable: 2, mcas.Disable: 5, mcas.Remove: 6}[v]
}

// fileVerb is the activity of File Hosting Activity; 0 for none.
func fileVerb(v mcas.Verb) int64 {
	return map[mcas.Verb]int64{
		mcas.Upload: 1, mcas.Download: 2, mcas.Change: 3, mcas.Remove: 4, mcas.Rename: 5, mcas.Duplicate: 6, mcas.Move: 7, mcas.Restore: 8,
		mcas.Share: 12, mcas.Unshare: 13, mcas.Read: 14,
	}[v]
}

// targetUser is the account that an activity was done to, if it names just one object.
func (l *line) targetUser() string {
	target := ""
	for s := range strings.SplitSeq(l.Extra["targetObjects"], ",") {
		if s = strings.TrimSpace(s); s != "" && target != "" {
			return ""
		} else if s != "" {
			target = s
		}
	}
	return target
}
