package render

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/mcas"
)

// ecsVersion is the release of the Elastic Common Schema whose field reference this follows.
const ecsVersion = "8.11.0"

// appendECS appends the line in the format ecs: one JSON document by the Elastic Common Schema 8.11. What
// the schema has no field for is below sluice, which is a name that it leaves to us; there, what a service
// wrote and nobody knows is in the list sluice.extra, because as fields it would fill up an index's mapping.
// Only IP addresses reach fields of the type ip, which otherwise refuse the document.
func (l *line) appendECS(b []byte) ([]byte, error) {
	w := &writer{b: append(b, '{')}
	w.time("@timestamp", l.when())
	w.begin("ecs", '{')
	w.text("version", ecsVersion)
	w.end()
	w.text("message", l.ecsMessage())
	l.writeECSEvent(w)
	if l.Kind == formats.Alert {
		w.begin("rule", '{')
		w.text("id", l.ruleID())
		w.text("name", l.Title)
		w.end()
	}
	l.writeECSThreat(w)
	others := l.writeECSWho(w)
	w.begin("cloud", '{')
	w.begin("account", '{')
	w.text("id", l.tenant())
	w.end()
	if l.tenant() != "" || l.Origin == formats.IdentityProtection { // which is a part of Azure
		w.text("provider", "azure")
	}
	w.begin("service", '{')
	if l.Origin != formats.DefenderForIdentity {
		w.text("name", l.App)
	}
	w.end()
	w.end()
	w.begin("user_agent", '{')
	w.text("original", cmp.Or(l.Extra["requestClientApplication"], l.Extra["userAgent"]))
	w.end()
	vendor, name := product(l.Service)
	w.begin("observer", '{')
	w.text("type", "siem-gateway")
	w.text("vendor", vendor)
	w.text("product", name)
	w.text("version", l.productVersion())
	w.end()
	l.writeECSOwn(w, others)
	return append(w.b, '}'), nil
}

func (l *line) ecsMessage() string {
	if text := l.text(); text != "" {
		return text
	}
	_, name := l.names()
	return name
}

// ruleID names what raised the alert: the service's detector or the one policy, else the detection type.
func (l *line) ruleID() string {
	policy := l.Extra["policyIDs"]
	if strings.Contains(policy, ",") {
		policy = ""
	}
	return cmp.Or(l.Extra["detectorId"], policy, l.Type)
}

func (l *line) writeECSEvent(w *writer) {
	w.begin("event", '{')
	if l.Kind == formats.Alert {
		w.text("kind", "alert")
	} else {
		w.text("kind", "event")
	}
	categories, types := l.ecsClass()
	w.texts("category", categories)
	w.texts("type", types)
	if l.Kind == formats.Alert {
		w.text("id", cmp.Or(l.AlertID, string(l.EventKey))) // all that is said of one alert; sluice.event_key tells it apart
	} else {
		w.text("id", string(l.EventKey))
	}
	w.text("code", l.Type)
	if l.Kind == formats.Activity {
		w.text("action", l.Title)
	}
	if d := l.did(); d.Failed {
		w.text("outcome", "failure")
	} else if d.Verb == mcas.Login {
		w.text("outcome", "success")
	}
	w.text("provider", string(l.Service))
	w.text("module", "sluice")
	w.text("dataset", "sluice."+string(l.Kind))
	if s := ecsSeverity(l.Severity); s > 0 {
		w.number("severity", s)
	}
	w.time("created", happened(l.Raised, l.Arrived))
	w.time("start", l.Start)
	w.time("end", l.End)
	if !nobodys(l.Start) && !nobodys(l.End) && !l.End.Before(l.Start) {
		w.number("duration", l.End.Sub(l.Start).Nanoseconds())
	}
	w.text("url", l.URL)
	if utf8.Valid(l.Raw) {
		w.text("original", string(l.Raw))
	}
	w.end()
}

// ecsClass gives event.category and event.type, by the values that the schema expects together.
func (l *line) ecsClass() (categories, types []string) {
	switch l.Kind {
	case formats.Alert:
		categories = []string{"intrusion_detection"}
		if len(l.Users) > 0 {
			categories = append(categories, "iam")
		}
		if len(l.Hosts) > 0 {
			categories = append(categories, "host")
		}
		if ips, _ := addresses(l.Addresses); len(ips) > 0 {
			categories = append(categories, "network")
		}
		return categories, []string{"info"}
	case formats.Health:
		return []string{"host"}, []string{"info"}
	case formats.Activity:
		return l.did().ecsClass()
	}
	return nil, []string{"info"}
}

func (d deed) ecsClass() (categories, types []string) {
	switch {
	case d.Verb == mcas.Login:
		return []string{"authentication"}, []string{"start"}
	case d.Verb == mcas.Logout:
		return []string{"authentication"}, []string{"end"}
	case d.File:
		categories = []string{"file"}
	case d.User:
		categories, types = []string{"iam"}, []string{"user"}
	default:
		return nil, []string{"info"}
	}
	switch d.Verb {
	case mcas.Create, mcas.Upload, mcas.Duplicate, mcas.Restore:
		return categories, append(types, "creation")
	case mcas.Read, mcas.Download:
		if d.File {
			return categories, []string{"access"}
		}
	case mcas.Remove:
		return categories, append(types, "deletion")
	case mcas.Change, mcas.Rename, mcas.Move, mcas.Share, mcas.Unshare, mcas.Enable, mcas.Disable:
		return categories, append(types, "change")
	}
	return categories, append(types, "info")
}

// ecsSeverity is a severity as Elastic's own rules number it; 0 for none.
func ecsSeverity(s formats.Severity) int64 {
	switch s {
	case formats.Informational, formats.Low:
		return 21
	case formats.Medium:
		return 47
	case formats.High:
		return 73
	}
	return 0
}

func (l *line) writeECSThreat(w *writer) {
	if len(l.Tactics)+len(l.Techniques) == 0 {
		return
	}
	var tactics, tacticNames, techniques, techniqueNames, subs, subNames []string
	for _, t := range l.Tactics {
		tactics, tacticNames = append(tactics, t.ID), append(tacticNames, t.Name)
	}
	for _, t := range l.Techniques {
		name := t.Name
		if t.Sub() {
			subs, subNames, name = append(subs, t.ID), append(subNames, t.Name), t.Parent
		}
		if !slices.Contains(techniques, t.Base()) {
			techniques, techniqueNames = append(techniques, t.Base()), append(techniqueNames, name)
		}
	}
	w.begin("threat", '{')
	w.text("framework", "MITRE ATT&CK")
	w.begin("tactic", '{')
	w.texts("id", tactics)
	w.texts("name", tacticNames)
	w.end()
	w.begin("technique", '{')
	w.texts("id", techniques)
	w.texts("name", techniqueNames)
	w.begin("subtechnique", '{')
	w.texts("id", subs)
	w.texts("name", subNames)
	w.end()
	w.end()
	w.end()
}

// writeECSWho writes accounts, devices and addresses, and gives the addresses that are none.
func (l *line) writeECSWho(w *writer) (others []string) {
	if len(l.Users) > 0 {
		who := l.user()
		w.begin("user", '{')
		w.text("id", who.ID)
		w.text("name", who.Name)
		w.text("domain", who.Domain)
		w.text("email", who.UPN)
		w.text("full_name", who.Full)
		l.writeECSRisk(w)
		w.end()
	}
	ips, others := addresses(l.Addresses)
	w.begin("source", '{')
	w.firstIP("ip", ips)
	if len(ips) > 0 {
		writeECSGeo(w, l.place())
	}
	w.end()
	if len(l.Hosts) > 0 {
		w.begin("host", '{')
		w.text("name", l.Hosts[0])
		w.text("hostname", l.Hosts[0])
		own, _ := addresses(l.Hosts[:1]) // a sensor that knows no name of it writes its address
		w.ips("ip", own)
		w.end()
	}
	w.begin("related", '{')
	w.texts("user", l.Users)
	w.ips("ip", ips)
	w.texts("hosts", l.Hosts)
	w.end()
	return others
}

func writeECSGeo(w *writer, p place) {
	w.begin("geo", '{')
	w.text("city_name", p.City)
	w.text("region_name", p.State)
	w.text("country_iso_code", p.Code)
	w.text("country_name", p.Country)
	w.end()
}

// writeECSOwn writes what the schema has no field for.
func (l *line) writeECSOwn(w *writer, others []string) {
	w.begin("sluice", '{')
	w.text("event_key", string(l.EventKey))
	w.text("alert_id", l.AlertID)
	w.text("kind", string(l.Kind))
	w.text("service", string(l.Service))
	w.text("claims", string(l.Claims))
	w.text("notification_id", l.NotificationID)
	w.text("origin", string(l.Origin))
	w.text("class", l.Class)
	w.text("app", l.App)
	w.text("managed_in", l.ManagedIn)
	w.text("decision", l.Decision)
	w.text("would", l.Would)
	w.text("rule", l.Rule)
	w.text("reason", string(l.Reason))
	w.text("relation", string(l.Relation))
	w.set("update", l.Update)
	if l.Count > 0 {
		w.number("count", int64(l.Count))
	}
	w.text("input", l.Input)
	w.time("raised", l.Raised)
	w.time("sent", l.Sent)
	w.time("arrived", l.Arrived)
	w.time("decided", l.Decided)
	l.writeOwnRisk(w, "risk")
	l.writeTwins(w, "twins")
	w.texts("addresses", others)
	w.texts("extra", l.extras())
	w.set("truncated", l.Truncated)
	w.set("shortened", l.Shortened)
	if !utf8.Valid(l.Raw) {
		w.text("raw_base64", base64.StdEncoding.EncodeToString(l.Raw))
	}
	w.end()
}
