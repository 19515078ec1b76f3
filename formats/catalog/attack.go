package catalog

import (
	_ "embed" // techniques.csv
	"encoding/csv"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-siem/sluice/formats"
)

// AttackVersion is the release of MITRE ATT&CK whose names techniques.csv has.
const AttackVersion = "14.1"

//go:embed techniques.csv
var techniqueNames string

// Attack is what a detection means in MITRE ATT&CK. The lists may be shared: nobody may change them.
type Attack struct {
	Tactics    []Tactic
	Techniques []Technique // a technique of which a sub-technique is known is not listed beside it
}

// Tactic is one of ATT&CK's tactics.
type Tactic struct{ ID, Name string }

// Technique is a technique ("T1110") or a sub-technique ("T1110.003") of ATT&CK. The names are empty
// where techniques.csv has none.
type Technique struct {
	ID     string
	Name   string
	Parent string // name of the technique that a sub-technique belongs to
}

// Base gives the number of the technique: of a sub-technique, that of the technique it belongs to.
func (t Technique) Base() string {
	base, _, _ := strings.Cut(t.ID, ".")
	return base
}

// Sub tells whether t is a sub-technique.
func (t Technique) Sub() bool { return strings.Contains(t.ID, ".") }

// Attack gives what Microsoft documents of the detection that n speaks of: of detection, where somebody
// who knows more than n tells it ("2006"), and otherwise of the type that n says by itself. To that come
// the techniques that Cloud App Security names in its text. Only alerts have any.
func (c *Catalog) Attack(n *formats.Notification, detection string) Attack {
	if n.Kind != formats.Alert {
		return Attack{}
	}
	a, known := c.attacks[current(detection)]
	if !known {
		a = c.attacks[c.Resolve(n).Type()]
	}
	if n.Service == formats.CloudAppSecurity {
		a.Techniques = c.named(a.Techniques, n.Message)
	}
	return a
}

// named adds the techniques that a message of Cloud App Security ends in, as in "performed 3 suspicious
// activities MITRE Technique used Account Discovery (T1087) and subtechnique used Domain Account
// (T1087.002)". What stands before that may be a name that somebody gave himself.
func (c *Catalog) named(known []Technique, message string) []Technique {
	const intro, most = "MITRE Technique used ", 16 // more than the service names
	at := strings.LastIndex(message, intro)
	if at < 0 {
		return known
	}
	out := slices.Clone(known)
	for part := range strings.SplitSeq(message[at+len(intro):], "(") {
		if id, _, ok := strings.Cut(part, ")"); ok && techniqueID(id) && len(out) < most {
			out = addTechnique(out, c.technique(id))
		}
	}
	return out
}

// addTechnique adds t, unless it or a part of it is there; what it is a part of, it replaces.
func addTechnique(list []Technique, t Technique) []Technique {
	for i := range list {
		switch {
		case list[i].ID == t.ID || list[i].Base() == t.ID:
			return list
		case list[i].ID == t.Base():
			list[i] = t
			return list
		}
	}
	return append(list, t)
}

// techniqueID tells whether s is T and four digits, with or without a dot and three more.
func techniqueID(s string) bool {
	if len(s) != len("T1234") && len(s) != len("T1234.001") || s[0] != 'T' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if (i == len("T1234")) != (s[i] == '.') || s[i] != '.' && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}

func (c *Catalog) technique(id string) Technique {
	t := Technique{ID: id, Name: c.techniques[id]}
	if t.Sub() {
		t.Parent = c.techniques[t.Base()]
	}
	return t
}

// readAttack keeps the tactics and techniques of a row of the detections.
func (c *Catalog) readAttack(id, tactics, techniques string) error {
	var a Attack
	for name := range strings.SplitSeq(tactics, ";") {
		if name == "" {
			continue
		}
		t := Tactic{ID: tacticID(name), Name: name}
		if t.ID == "" {
			return fmt.Errorf("detection %s: no tactic is called %q", id, name)
		}
		a.Tactics = append(a.Tactics, t)
	}
	for number := range strings.SplitSeq(techniques, ";") {
		if number == "" {
			continue
		}
		if !techniqueID(number) || c.techniques[number] == "" {
			return fmt.Errorf("detection %s: no technique has the number %q", id, number)
		}
		a.Techniques = append(a.Techniques, c.technique(number))
	}
	c.attacks[id] = a
	return nil
}

// readTechniques reads the embedded names.
func (c *Catalog) readTechniques() error {
	rows, err := csv.NewReader(strings.NewReader(techniqueNames)).ReadAll()
	if err != nil {
		return fmt.Errorf("read embedded techniques: %w", err)
	}
	for _, row := range rows[1:] {
		c.techniques[row[0]] = row[1]
	}
	return nil
}

// tacticID gives the number of a tactic of the enterprise matrix, or "".
func tacticID(name string) string {
	switch name {
	case "Reconnaissance":
		return "TA0043"
	case "Resource Development":
		return "TA0042"
	case "Initial Access":
		return "TA0001"
	case "Execution":
		return "TA0002"
	case "Persistence":
		return "TA0003"
	case "Privilege Escalation":
		return "TA0004"
	case "Defense Evasion":
		return "TA0005"
	case "Credential Access":
		return "TA0006"
	case "Discovery":
		return "TA0007"
	case "Lateral Movement":
		return "TA0008"
	case "Collection":
		return "TA0009"
	case "Exfiltration":
		return "TA0010"
	case "Command and Control":
		return "TA0011"
	case "Impact":
		return "TA0040"
	}
	return ""
}
