package render

import (
	"cmp"
	"net/netip"
	"time"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/catalog"
	"github.com/sluice-siem/sluice/gateway/policy"
)

// writeFinding writes what Detection Finding has.
func (l *line) writeFinding(w *writer, ips []netip.Addr) {
	uid := l.AlertID
	if uid == "" {
		uid = string(l.EventKey)
	}
	w.set("is_alert", true)
	w.number("status_id", 1)
	w.text("status", "New")
	l.writeOCSFRisk(w)
	class, title := l.names()
	w.begin("finding_info", '{')
	w.text("uid", uid)
	w.text("uid_alt", l.NotificationID)
	w.text("title", title)
	w.text("desc", l.Message)
	w.text("src_url", l.URL)
	w.millis("created_time", l.Raised)
	if l.Update {
		w.millis("modified_time", l.modified())
	}
	w.millis("first_seen_time", l.Start)
	w.millis("last_seen_time", l.End)
	w.begin("analytic", '{')
	w.number("type_id", 1)
	w.text("type", "Rule")
	w.text("uid", l.Type)
	w.text("name", class)
	w.end()
	l.writeAttacks(w)
	if l.Reason != policy.Separated {
		l.writeRelated(w)
	}
	w.end()
	if len(l.Users)+len(l.Hosts)+len(ips) > 0 {
		w.begin("evidences", '[')
		w.begin("", '{')
		if len(l.Users) > 0 {
			w.begin("actor", '{')
			writeOCSFUser(w, l.user())
			w.end()
		}
		l.writeEndpoint(w, ips)
		w.end()
		w.end()
	}
}

// modified is when the service changed the alert, as well as anybody knows: Identity Protection says it, and Defender
// for Identity sends it then, while Cloud App Security writes the event's time there.
func (l *line) modified() time.Time {
	var sent time.Time
	if l.Service != formats.CloudAppSecurity {
		sent = l.Sent
	}
	said, _ := time.Parse(time.RFC3339Nano, cmp.Or(l.Extra["lastUpdatedDateTime"], l.Extra["lastUpdateDateTime"], l.Extra["lastModifiedDateTime"]))
	return happened(said, sent, l.Arrived)
}

// writeRelated writes the other services' notifications of the alert.
func (l *line) writeRelated(w *writer) {
	w.begin("related_events", '[')
	for i := range l.Twins {
		t := &l.Twins[i]
		if t.NotificationID == "" {
			continue
		}
		w.begin("", '{')
		w.text("uid", t.NotificationID)
		w.text("type", string(t.Service))
		w.text("desc", t.URL)
		w.millis("first_seen_time", t.First)
		w.end()
	}
	w.end()
}

// writeAttacks writes each technique, and the tactics, in the way that MITRE ATT&CK numbers them.
func (l *line) writeAttacks(w *writer) {
	w.begin("attacks", '[')
	for _, t := range l.Techniques {
		w.begin("", '{')
		name := t.Name
		if t.Sub() {
			name = t.Parent
			w.begin("sub_technique", '{')
			w.text("uid", t.ID)
			w.text("name", t.Name)
			w.end()
		}
		w.begin("technique", '{')
		w.text("uid", t.Base())
		w.text("name", name)
		w.end()
		w.text("version", catalog.AttackVersion)
		w.end()
	}
	for _, t := range l.Tactics {
		w.begin("", '{')
		w.begin("tactic", '{')
		w.text("uid", t.ID)
		w.text("name", t.Name)
		w.end()
		w.text("version", catalog.AttackVersion)
		w.end()
	}
	w.end()
}
