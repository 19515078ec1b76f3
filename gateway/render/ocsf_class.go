package render

import (
	"strings"

	"github.com/sluice-siem/sluice/formats"
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
	case d.verb == login && l.App != "":
		return class{uid: authentication, activity: 1}
	case d.verb == logout && l.App != "":
		return class{uid: authentication, activity: 2}
	case d.user && accountVerb(d.verb) > 0 && l.targetUser() != "":
		return class{uid: accountChange, activity: accountVerb(d.verb)}
	case len(ips) == 0:
	case d.file && fileVerb(d.verb) > 0 && name != "":
		return class{uid: fileHosting, activity: fileVerb(d.verb)}
	case l.Title != "" || l.Type != "":
		return l.apiClass(d)
	}
	return class{uid: baseEvent, activity: 99, name: string(l.Kind)}
}

// apiClass is an API Activity.
func (l *line) apiClass(d deed) class {
	activity := map[verb]int64{
		create: 1, upload: 1, duplicate: 1, read: 2, download: 2, change: 3, rename: 3, move: 3, restore: 3,
		share: 3, unshare: 3, enable: 3, disable: 3, remove: 4,
	}[d.verb]
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
func accountVerb(v verb) int64 {
	return map[verb]int64{create: 1, enable: 2, disable: 5, remove: 6}[v]
}

// fileVerb is the activity of File Hosting Activity; 0 for none.
func fileVerb(v verb) int64 {
	return map[verb]int64{
		upload: 1, download: 2, change: 3, remove: 4, rename: 5, duplicate: 6, move: 7, restore: 8,
		share: 12, unshare: 13, read: 14,
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
