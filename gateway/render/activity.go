package render

import (
	"strings"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/mcas"
)

// deed is an activity in short, in the words that formats have classes for.
type deed struct{ mcas.Deed }

// did reads the class of an activity of Cloud App Security.
func (l *line) did() deed {
	if l.Kind != formats.Activity {
		return deed{}
	}
	return deed{mcas.DeedOf(l.Class)}
}

// fileName is the file or folder that the text of an activity names, as in "Download file: file
// plan.xlsx".
func (l *line) fileName() (name string, folder bool) {
	_, object, ok := strings.Cut(l.Message, ": ")
	if !ok {
		return "", false
	}
	if name, ok := strings.CutPrefix(object, "file "); ok {
		return name, false
	}
	name, ok = strings.CutPrefix(object, "folder ")
	if !ok {
		return "", false
	}
	return name, true
}
