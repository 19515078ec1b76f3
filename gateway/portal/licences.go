package portal

import (
	_ "embed"
	"maps"
	"slices"
	"strings"
)

// What others wrote and is in the program, with the texts of its licences, which they demand to come along. A test
// holds the file against what the program is built of.
//
//go:generate go test -run TestLicences -update
//go:embed licences.txt
var licencesText string

// licenceMark begins the line that says what a text is about.
const licenceMark = "§ "

// licence is a text, and the parts of the program to which it belongs.
type licence struct {
	Name  string   // its identifier by SPDX, or notice
	Parts []string // each with its version
	Text  string
}

// madeOf is a part of the program with its licences' names.
type madeOf struct{ Part, Licences string }

// licencesPage are the texts.
type licencesPage struct{ All []licence }

func licences(*visit) (any, error) { return &licencesPage{parseLicences(licencesText)}, nil }

// parseLicences reads the embedded file.
func parseLicences(file string) []licence {
	var out []licence
	for section := range strings.SplitSeq("\n"+file, "\n"+licenceMark) {
		head, text, _ := strings.Cut(section, "\n")
		if name, parts, ok := strings.Cut(head, ": "); ok {
			out = append(out, licence{name, strings.Split(parts, "; "), strings.TrimSpace(text)})
		}
	}
	return out
}

// parts lists what the program is made of.
func parts(all []licence) []madeOf {
	names := map[string][]string{}
	for _, l := range all {
		for _, part := range l.Parts {
			for name := range strings.SplitSeq(l.Name, ", ") {
				if name != besides && !slices.Contains(names[part], name) {
					names[part] = append(names[part], name)
				}
			}
		}
	}
	out := make([]madeOf, 0, len(names))
	for _, part := range slices.Sorted(maps.Keys(names)) {
		out = append(out, madeOf{part, strings.Join(names[part], ", ")})
	}
	return out
}

// besides names a text that belongs to a licence, and is none.
const besides = "notice"
