package render

import (
	"math"
	"strings"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/catalog"
	"github.com/sluice-siem/sluice/formats/mcas"
)

// What Azure Monitor takes of a text, "Azure Monitor service limits, Logs Ingestion API"; it cuts longer
// ones in silence.
const longestColumn = 64 << 10

// appendASIM appends the line in the format asim: a JSON object with the columns of the schema of
// Microsoft Sentinel's Advanced Security Information Model that fits. Alerts are Alert Events 0.1, log-ons
// and log-offs Authentication 0.1.3, all else Audit Events 0.1. AdditionalFields has what these have no
// column for. TimeGenerated is the time of the event; Sentinel replaces one of more than two days ago, and
// then EventStartTime still has it.
func (l *line) appendASIM(b []byte) ([]byte, error) {
	w := &writer{b: append(b, '{'), longest: longestColumn}
	schema, version := l.asimSchema()
	vendor, name := product(l.Service)
	if name == "" {
		vendor, name = ourName, ourName
	}
	w.time("TimeGenerated", l.when())
	w.text("EventSchema", schema)
	w.text("EventSchemaVersion", version)
	w.text("EventVendor", vendor)
	w.text("EventProduct", name)
	w.text("EventUid", string(l.EventKey))
	w.text("EventOriginalUid", l.NotificationID)
	w.text("EventOriginalType", l.Type)
	w.text("EventOriginalSeverity", l.Severity.String())
	w.text("EventSeverity", asimSeverity(l.Severity))
	w.number("EventCount", int64(max(1, l.Count)))
	start, end := l.when(), l.End
	if nobodys(end) {
		end = start
	}
	w.time("EventStartTime", start)
	w.time("EventEndTime", end)
	w.text("EventMessage", l.ecsMessage())
	w.text("EventReportUrl", l.URL)
	switch schema {
	case "AlertEvent":
		l.writeAlertEvent(w, name)
	case "Authentication":
		l.writeAuthentication(w, name)
	default:
		l.writeAuditEvent(w, name)
	}
	l.writeAdditional(w)
	return append(w.b, '}'), nil
}

func (l *line) asimSchema() (schema, version string) {
	switch d := l.did(); {
	case l.Kind == formats.Alert:
		return "AlertEvent", "0.1"
	case (d.Verb == mcas.Login || d.Verb == mcas.Logout) && len(l.Users) > 0:
		return "Authentication", "0.1.3"
	}
	return "AuditEvent", "0.1"
}

func asimSeverity(s formats.Severity) string {
	switch s {
	case formats.Low:
		return "Low"
	case formats.Medium:
		return "Medium"
	case formats.High:
		return "High"
	}
	return "Informational"
}

func (l *line) writeAlertEvent(w *writer, dvc string) {
	w.text("EventType", "Alert")
	w.text("EventSubType", "Suspicious Activity")
	w.text("EventResult", "NA")
	_, title := l.names()
	w.text("AlertName", title)
	w.text("AlertStatus", "Active")
	switch l.Service {
	case formats.DefenderForIdentity:
		w.text("DetectionMethod", "Behavioral Analytics")
	case formats.CloudAppSecurity:
		w.text("DetectionMethod", "Cloud Application Security")
	default:
		w.text("DetectionMethod", "Other")
	}
	w.text("RuleName", l.Type)
	if l.Score != nil {
		w.number("ThreatRiskLevel", int64(math.Round(l.Score.Bounded)))
	}
	w.text("AttackTactics", tacticList(l.Tactics))
	w.text("AttackTechniques", techniqueNames(l.Techniques))
	l.writeASIMUser(w, "User", "Username", "GUID")
	l.writeASIMDevice(w, "Dvc")
	if len(l.Hosts) > 0 {
		dvc = l.Hosts[0]
	}
	w.text("Dvc", dvc)
}

func (l *line) writeAuthentication(w *writer, dvc string) {
	d := l.did()
	if d.Verb == mcas.Login {
		w.text("EventType", "Logon")
	} else {
		w.text("EventType", "Logoff")
	}
	w.text("EventResult", d.asimResult())
	l.writeASIMUser(w, "TargetUser", "TargetUsername", "AADID")
	w.text("TargetAppName", l.App)
	if l.App != "" {
		w.text("TargetAppType", "SaaS application")
	}
	l.writeASIMDevice(w, "Src")
	w.text("HttpUserAgent", l.Extra["requestClientApplication"])
	w.text("Dvc", dvc) // of a cloud service there is no device: its name
}

func (l *line) writeAuditEvent(w *writer, dvc string) {
	d := l.did()
	w.text("EventType", d.asimType())
	w.text("EventResult", d.asimResult())
	class, title := l.names()
	w.text("Operation", title)
	object, kind := class, "Other"
	if name, _ := l.fileName(); name != "" {
		object, kind = name, "Cloud Resource"
	} else if l.App != "" {
		object, kind = l.App, "Cloud Resource"
	}
	w.text("Object", object)
	w.text("ObjectType", kind)
	l.writeASIMUser(w, "ActorUser", "ActorUsername", "AADID")
	w.text("TargetAppName", l.App)
	l.writeASIMDevice(w, "Src")
	w.text("HttpUserAgent", l.Extra["requestClientApplication"])
	w.text("Dvc", dvc)
}

// asimType is the operation of an Audit Event.
func (d deed) asimType() string {
	switch d.Verb {
	case mcas.Create, mcas.Upload, mcas.Duplicate:
		return "Create"
	case mcas.Read, mcas.Download:
		return "Read"
	case mcas.Remove:
		return "Delete"
	case mcas.Change, mcas.Rename, mcas.Move, mcas.Restore, mcas.Share, mcas.Unshare:
		return "Set"
	case mcas.Execute:
		return "Execute"
	case mcas.Enable:
		return "Enable"
	case mcas.Disable:
		return "Disable"
	}
	return "Other"
}

// asimResult is how it ended, where the class of the activity tells.
func (d deed) asimResult() string {
	switch {
	case d.Failed:
		return "Failure"
	case d.Verb == mcas.Login || d.Verb == mcas.Logout:
		return "Success"
	}
	return "NA"
}

// writeASIMUser writes the first account by the rules of ASIM's user entity: its name with its domain,
// its identifier, and what kind of either it is. objectID is what the schema calls the form of a GUID.
func (l *line) writeASIMUser(w *writer, prefix, nameColumn, objectID string) {
	if len(l.Users) == 0 {
		return
	}
	a := l.user()
	switch {
	case strings.HasPrefix(a.ID, "S-1-"):
		w.text(prefix+"Id", a.ID)
		w.text(prefix+"IdType", "SID")
	case a.ID != "":
		w.text(prefix+"Id", a.ID)
		w.text(prefix+"IdType", objectID)
	}
	if a.Spelling != "" && a.Spelling != a.ID {
		w.text(nameColumn, a.Spelling)
		kind := "Simple"
		if a.UPN != "" {
			kind = "UPN"
		} else if a.Domain != "" {
			kind = "Windows"
		}
		w.text(nameColumn+"Type", kind)
	}
}

// writeASIMDevice writes the first device and the first address.
func (l *line) writeASIMDevice(w *writer, prefix string) {
	ips, _ := addresses(l.Addresses)
	w.firstIP(prefix+"IpAddr", ips)
	if len(l.Hosts) > 0 {
		w.text(prefix+"Hostname", l.Hosts[0])
	}
}

// techniqueNames is a list of techniques as the Alert schema prefers it: Local Groups (T1069.001).
func techniqueNames(techniques []catalog.Technique) string {
	out := make([]string, 0, len(techniques))
	for _, t := range techniques {
		if t.Name == "" {
			out = append(out, t.ID)
		} else {
			out = append(out, t.Name+" ("+t.ID+")")
		}
	}
	return strings.Join(out, ", ")
}

// writeAdditional writes the column for all that has none. It is one value, and may be as long as one.
func (l *line) writeAdditional(w *writer) {
	w.longest = longestColumn * 3 / 16 // of each of the five lists
	w.begin("AdditionalFields", '{')
	w.text("AlertKey", l.AlertID)
	w.text("Kind", string(l.Kind))
	w.text("Service", string(l.Service))
	w.text("Claims", string(l.Claims))
	w.text("Origin", string(l.Origin))
	w.text("ManagedIn", l.ManagedIn)
	w.text("Decision", l.Decision)
	w.text("Would", l.Would)
	w.text("Reason", string(l.Reason))
	w.text("Relation", string(l.Relation))
	w.text("Rule", w.item(l.Rule))
	w.text("App", w.item(l.App))
	w.text("Input", w.item(l.Input))
	w.set("Update", l.Update)
	w.time("ArrivedTime", l.Arrived)
	w.time("RaisedTime", l.Raised)
	w.time("DecidedTime", l.Decided)
	l.writeRiskColumns(w)
	l.writeTwins(w, "Twins")
	w.texts("Users", l.Users)
	w.texts("Hosts", l.Hosts)
	w.texts("Addresses", l.Addresses)
	w.texts("Extra", l.extras())
	w.set("Truncated", l.Truncated)
	w.set("Shortened", l.Shortened)
	w.end()
	w.longest = longestColumn
}
