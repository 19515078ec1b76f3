// Package catalog knows which detection a notification speaks of, whatever the service calls it: the
// external ID and class of Defender for Identity, the alert type of Cloud App Security, the risk event
// of Identity Protection, present and previous names.
//
// detections.csv holds what Microsoft published: the security alert guide of Defender for Identity with
// its Cloud App Security IDs, the names the pages had over the years, and the tactics and techniques of
// MITRE ATT&CK of the pages' tables, where a sub-technique stands for its technique too; techniques.csv
// names these as ATT&CK does. Types that no table knows are named by their class, because Cloud App
// Security writes that class in upper snake case.
package catalog

import (
	_ "embed" // detections.csv
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/sluice-siem/sluice/formats"
)

//go:embed detections.csv
var detections string

// Catalog is the table of detections, read once.
type Catalog struct {
	names       map[string][]string // external ID: names, the present one first, folded
	spelt       map[string][]string // the same as they are written
	classes     map[string][]string // folded class: external IDs
	cloudTypes  map[string]string   // Cloud App Security type: external ID
	titles      map[string][]string // folded name: external IDs
	withClasses map[string]bool     // external IDs whose class is known
	attacks     map[string]Attack   // external ID: what it means in MITRE ATT&CK
	techniques  map[string]string   // number of a technique: its name
}

// New reads the embedded table. An error means that the program was built with a broken one.
func New() (*Catalog, error) {
	rows, err := csv.NewReader(strings.NewReader(detections)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read embedded detections: %w", err)
	}
	c := &Catalog{
		names: map[string][]string{}, spelt: map[string][]string{}, classes: map[string][]string{}, cloudTypes: map[string]string{},
		titles: map[string][]string{}, withClasses: map[string]bool{},
		attacks: map[string]Attack{}, techniques: map[string]string{},
	}
	if err := c.readTechniques(); err != nil {
		return nil, err
	}
	for _, row := range rows[1:] {
		id := current(row[0])
		for class := range strings.SplitSeq(row[1], ";") {
			if class != "" {
				c.classes[foldClass(class)] = add(c.classes[foldClass(class)], id)
				c.withClasses[id] = true
			}
		}
		if row[2] != "" {
			c.cloudTypes[row[2]] = id
		}
		for name := range strings.SplitSeq(row[3], ";") {
			c.names[id] = add(c.names[id], foldTitle(name))
			c.spelt[id] = add(c.spelt[id], name)
			c.titles[foldTitle(name)] = add(c.titles[foldTitle(name)], id)
		}
		if err := c.readAttack(id, row[4], row[5]); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// current gives the number that replaced an external ID: 2011 became 2010, with the same class and name.
func current(id string) string {
	if id == "2011" {
		return "2010"
	}
	return id
}

// Detection is what a notification may speak of.
type Detection struct {
	// Keys name the types it may be, most often one: an external ID ("2003"), the folded class of a type
	// no table knows ("class:foo"), or a risk event ("risk:leakedcredentials").
	Keys []string
	// Titles are the folded names it goes by: its own and the catalogue's. They are a hint, because
	// anybody can name a policy like an alert.
	Titles []string
	// Known says that a table knows the type; otherwise two services may well call it differently.
	Known bool
	// Many says that one such alert may stand for several detections of the other service.
	Many bool
}

// Type gives the one key of a detection that is certain, and "" otherwise.
func (d Detection) Type() string {
	if len(d.Keys) == 1 && d.Known {
		return d.Keys[0]
	}
	return ""
}

// Names lists what the type of that key is or was called, the present name first; none for a key that no table
// has. The list may be shared: nobody may change it.
func (c *Catalog) Names(key string) []string { return c.spelt[current(key)] }

// OwnTitles lists the titles of d that don't follow from its keys.
func (c *Catalog) OwnTitles(d Detection) []string {
	var out []string
	for _, t := range d.Titles {
		if !slices.ContainsFunc(d.Keys, func(k string) bool { return slices.Contains(c.names[k], t) }) {
			out = add(out, t)
		}
	}
	return out
}

// Named lists the keys that have a title of d among their names, without d's own.
func (c *Catalog) Named(d Detection) []string {
	var out []string
	for _, t := range d.Titles {
		for _, k := range c.titles[t] {
			if !slices.Contains(d.Keys, k) {
				out = add(out, k)
			}
		}
	}
	return out
}

// Agreement says how well two detections fit.
type Agreement uint8

// The agreements, from none to best.
const (
	Conflict Agreement = iota // two types
	ByTitle                   // one of the types is in no table, and the names are equal
	ByType                    // one type
)

// Compare says whether two detections of different services may be one type.
func (d Detection) Compare(o Detection) (Agreement, string) {
	for _, k := range d.Keys {
		if slices.Contains(o.Keys, k) {
			return ByType, k
		}
	}
	if d.Known && o.Known {
		return Conflict, ""
	}
	for _, t := range d.Titles {
		if slices.Contains(o.Titles, t) {
			return ByTitle, t
		}
	}
	return Conflict, ""
}

// Resolve tells what n speaks of. It never fails: what no table knows is named by its class or title.
func (c *Catalog) Resolve(n *formats.Notification) Detection {
	switch {
	case n.Service == formats.IdentityProtection || n.Origin == formats.IdentityProtection:
		return resolveRisk(n)
	case n.Service == formats.DefenderForIdentity:
		return c.resolveDefender(n)
	case n.Origin == formats.DefenderForIdentity:
		return c.resolveShown(n)
	}
	return Detection{Keys: []string{n.Type}, Titles: []string{foldTitle(n.Title)}, Known: true}
}

// resolveDefender reads Defender for Identity's own words. Where class and external ID disagree the
// class is right: Microsoft moved external IDs, and its own samples have wrong ones.
func (c *Catalog) resolveDefender(n *formats.Notification) Detection {
	class, id, title := foldClass(n.Class), current(n.Type), foldTitle(n.Title)
	ids := c.classes[class]
	switch {
	case slices.Contains(ids, id):
		return c.known([]string{id}, title)
	case len(ids) > 0:
		return c.known(c.narrow(ids, title), title)
	}
	d := Detection{Titles: titles(title)}
	if class != "" {
		d.Keys = []string{"class:" + class}
	}
	if c.names[id] != nil && !c.withClasses[id] {
		d.Keys = append([]string{id}, d.Keys...)
		d.Titles = append(d.Titles, c.names[id]...)
	}
	return d
}

// resolveShown reads an alert of Defender for Identity in the words of Cloud App Security.
func (c *Catalog) resolveShown(n *formats.Notification) Detection {
	title := foldTitle(n.Title)
	if id, ok := c.cloudTypes[n.Type]; ok {
		return c.known([]string{id}, title)
	}
	d := Detection{Titles: titles(title)}
	for _, id := range c.titles[title] {
		d.Titles = append(d.Titles, c.names[id]...)
	}
	for _, prefix := range []string{"ALERT_EXTERNAL_AATP_", "ALERT_EXTERNAL_MDI_"} {
		class, ok := strings.CutPrefix(n.Type, prefix)
		if !ok || foldClass(class) == "" {
			continue
		}
		if ids := c.classes[foldClass(class)]; len(ids) > 0 {
			return c.known(c.narrow(ids, title), title)
		}
		d.Keys = []string{"class:" + foldClass(class)}
	}
	return d
}

func (c *Catalog) known(ids []string, title string) Detection {
	d := Detection{Keys: ids, Titles: titles(title), Known: true}
	for _, id := range ids {
		d.Titles = append(d.Titles, c.names[id]...)
	}
	return d
}

// narrow keeps of the types that share a class those that go by title, or all where none does.
func (c *Catalog) narrow(ids []string, title string) []string {
	var out []string
	for _, id := range ids {
		if slices.Contains(c.names[id], title) {
			out = append(out, id)
		}
	}
	if out == nil {
		return ids
	}
	return out
}

const (
	leaked    = "risk:leakedcredentials"
	anySignIn = "risk:signin"
)

// resolveRisk reads Identity Protection's detections and the two policies under which Cloud App
// Security shows them: "Leaked credentials" and "Risky sign-in", the latter for several detections.
func resolveRisk(n *formats.Notification) Detection {
	title := foldTitle(n.Title)
	if n.Service == formats.IdentityProtection {
		if foldTitle(n.Type) == "leakedcredentials" {
			return Detection{Keys: []string{leaked}, Titles: titles(title), Known: true}
		}
		keys := []string{anySignIn}
		for _, name := range []string{foldTitle(n.Type), title} {
			keys = add(keys, anySignIn+":"+name)
		}
		return Detection{Keys: keys, Titles: titles(title), Known: true}
	}
	switch sub, risky := strings.CutPrefix(title, "riskysignin"); {
	case strings.Contains(n.Type, "LEAKED_CREDENTIALS") || title == "leakedcredentials":
		return Detection{Keys: []string{leaked}, Titles: titles(title), Known: true}
	case risky && sub != "" && sub != "s":
		// "generic" is what Graph says where the licence hides the type.
		keys := []string{anySignIn + ":" + sub, anySignIn + ":generic"}
		if now := formerRisk(sub); now != "" {
			keys = append(keys, anySignIn+":"+now)
		}
		return Detection{Keys: keys, Titles: titles(title), Known: true}
	case risky || strings.Contains(n.Type, "RISKY_SIGN_IN"):
		return Detection{Keys: []string{anySignIn}, Titles: titles(title), Known: true, Many: true}
	}
	return Detection{Titles: titles(title)}
}

// formerRisk is the risk event that went by that name while Cloud App Security showed Identity Protection's alerts, to the end of
// 2022, and was renamed since; folded, "" for another name.
func formerRisk(name string) string {
	switch name {
	case "azureadthreatintelligence":
		return "investigationsthreatintelligence"
	case "signinsfromanonymousipaddresses":
		return "anonymizedipaddress"
	case "signinsfrominfecteddevices":
		return "malwareinfectedipaddress"
	case "signinsfromipaddresseswithsuspiciousactivity":
		return "suspiciousipaddress"
	case "signinsfromunfamiliarlocations":
		return "unfamiliarfeatures"
	case "impossibletraveltoatypicallocations":
		return "unlikelytravel"
	}
	return ""
}

func titles(title string) []string {
	if title == "" {
		return nil
	}
	return []string{title}
}

func add(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// foldTitle makes names comparable that differ in letter case, punctuation, blanks and the preview
// mark, all of which Microsoft changed over the years.
func foldTitle(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	s = strings.TrimPrefix(s, "[preview]")
	s = strings.TrimSuffix(strings.TrimSpace(s), "(preview)")
	return letters(s)
}

// foldClass makes "FooBarSecurityAlert" and "FOO_BAR_SECURITY_ALERT" the same word.
func foldClass(s string) string {
	s = letters(strings.ToLower(s))
	for _, suffix := range []string{"securityalert", "suspiciousactivity", "alert"} {
		if cut, ok := strings.CutSuffix(s, suffix); ok {
			return cut
		}
	}
	return s
}

func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, s)
}
