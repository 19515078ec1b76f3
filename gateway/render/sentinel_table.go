package render

import (
	"encoding/base64"
	"unicode/utf8"

	"github.com/sluice-siem/sluice/formats"
)

// appendSentinelTable appends the line in the format sentinel_table: a JSON object with the columns of a
// table of our own in Azure Monitor Logs, Sluice_CL. The names have letters only and none of the reserved
// ones, among which is Title; a text has at most 64 KB, as much as Azure Monitor keeps of it, and a list is
// cut to that. EventTime is what TimeGenerated is until Azure Monitor replaces it, after two days.
func (l *line) appendSentinelTable(b []byte) ([]byte, error) {
	w := &writer{b: append(b, '{'), longest: longestColumn}
	_, title := l.names()
	w.time("TimeGenerated", l.when())
	w.time("EventTime", l.when())
	w.text("EventKey", string(l.EventKey))
	w.text("AlertKey", l.AlertID)
	w.text("Kind", string(l.Kind))
	w.text("Service", string(l.Service))
	w.text("Claims", string(l.Claims))
	w.text("NotificationId", l.NotificationID)
	w.text("Origin", string(l.Origin))
	w.text("DetectionType", l.Type)
	w.text("DetectionClass", l.Class)
	w.text("EventTitle", title)
	if l.Severity != formats.NoSeverity {
		w.text("Severity", asimSeverity(l.Severity))
	}
	l.writeRiskColumns(w)
	w.text("Tactics", tacticList(l.Tactics))
	w.text("Techniques", techniqueList(l.Techniques))
	w.texts("Users", l.Users)
	w.texts("Hosts", l.Hosts)
	ips, others := addresses(l.Addresses)
	w.firstIP("SourceIp", ips)
	w.ips("Addresses", ips)
	w.texts("OtherAddresses", others)
	w.text("App", l.App)
	w.text("Url", l.URL)
	l.writeTimes(w)
	w.set("IsUpdate", l.Update)
	if l.Count > 0 {
		w.number("EventCount", int64(l.Count))
	}
	l.writeVerdict(w)
	w.text("Message", l.text())
	w.texts("Extra", l.extras())
	w.set("IsTruncated", l.Truncated)
	w.set("IsShortened", l.Shortened)
	if utf8.Valid(l.Raw) {
		w.text("RawMessage", string(l.Raw))
	} else {
		w.text("RawMessageBase64", base64.StdEncoding.EncodeToString(l.Raw[:min(len(l.Raw), longestColumn/4*3)]))
	}
	return append(w.b, '}'), nil
}

func (l *line) writeTimes(w *writer) {
	w.time("StartTime", l.Start)
	w.time("EndTime", l.End)
	w.time("RaisedTime", l.Raised)
	w.time("SentTime", l.Sent)
	w.time("ArrivedTime", l.Arrived)
	w.time("DecidedTime", l.Decided)
}

// writeVerdict writes what was decided, why, and by which evidence.
func (l *line) writeVerdict(w *writer) {
	w.text("Input", l.Input)
	w.text("ManagedIn", l.ManagedIn)
	w.text("Decision", l.Decision)
	w.text("Would", l.Would)
	w.text("PolicyRule", l.Rule)
	w.text("Reason", string(l.Reason))
	w.text("Relation", string(l.Relation))
	start := len(w.b)
	w.begin("MatchedBy", '[')
	for i := range l.MatchedBy {
		if w.full(start) {
			break
		}
		e := &l.MatchedBy[i]
		w.begin("", '{')
		w.text("what", w.item(e.What))
		w.text("how", w.item(e.How))
		w.number("points", int64(e.Points))
		w.end()
	}
	w.end()
	if len(l.Twins) > 0 {
		w.text("TwinService", string(l.Twins[0].Service))
		w.text("TwinNotificationId", l.Twins[0].NotificationID)
		w.text("TwinUrl", l.Twins[0].URL)
	}
	l.writeTwins(w, "Twins")
}
