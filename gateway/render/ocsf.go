package render

import (
	"encoding/base64"
	"net/netip"
	"strings"
	"unicode/utf8"

	"github.com/sluice-siem/sluice/formats/mcas"
)

// ocsfVersion is the release of the Open Cybersecurity Schema Framework that the format ocsf follows:
// the first with is_alert.
const ocsfVersion = "1.4.0"

// appendOCSF appends the line in the format ocsf: one event of OCSF 1.4. Alerts are Detection
// Findings; activities are of the class that fits what was done, as far as the message has what the class
// requires: an API Activity needs an endpoint that it came from. All else is a Base Event: health alerts
// and what nobody understood, because they find nothing, and links, because as updates they would give
// their finding their own title and severity. What the schema has no attribute
// for is in unmapped.
func (l *line) appendOCSF(b []byte) ([]byte, error) {
	w := &writer{b: append(b, '{')}
	c := l.ocsfClass()
	w.number("class_uid", c.uid)
	w.number("category_uid", c.uid/1000)
	w.number("activity_id", c.activity)
	w.text("activity_name", c.name)
	w.number("type_uid", c.uid*100+c.activity)
	w.millis("time", l.when())
	severity := [...]string{"Unknown", "Informational", "Low", "Medium", "High"}
	at := min(int(l.Severity), len(severity)-1)
	w.number("severity_id", int64(at))
	w.text("severity", severity[at])
	w.text("message", l.ecsMessage())
	w.millis("start_time", l.Start)
	w.millis("end_time", l.End)
	if l.Count > 0 {
		w.number("count", int64(l.Count))
	}
	l.writeOCSFMetadata(w)
	ips, others := addresses(l.Addresses)
	switch c.uid {
	case detectionFinding:
		l.writeFinding(w, ips)
	case baseEvent:
	default:
		l.writeOCSFActivity(w, c, ips)
	}
	l.writeObservables(w, c, ips)
	if utf8.Valid(l.Raw) {
		w.text("raw_data", string(l.Raw))
	}
	l.writeUnmapped(w, others)
	return append(w.b, '}'), nil
}

func (l *line) writeOCSFMetadata(w *writer) {
	vendor, name := product(l.Service)
	if name == "" {
		vendor, name = ourName, ourName // it passed it on, and nobody knows whose it is
	}
	w.begin("metadata", '{')
	w.text("version", ocsfVersion)
	w.text("uid", string(l.EventKey))
	w.text("correlation_uid", l.AlertID)
	w.text("tenant_uid", l.tenant())
	w.text("event_code", l.Type)
	w.text("log_name", string(l.Kind))
	w.text("log_provider", ourName)
	w.millis("logged_time", l.Arrived)
	w.millis("processed_time", l.Decided)
	w.begin("product", '{')
	w.text("name", name)
	w.text("vendor_name", vendor)
	w.text("version", l.productVersion())
	w.end()
	w.end()
}

// writeOCSFActivity writes what the classes of activities have.
func (l *line) writeOCSFActivity(w *writer, c class, ips []netip.Addr) {
	switch d := l.did(); {
	case d.Failed:
		w.number("status_id", 2)
		w.text("status", "Failure")
	case d.Verb == mcas.Login || d.Verb == mcas.Logout:
		w.number("status_id", 1)
		w.text("status", "Success")
	}
	actor, user := true, l.user()
	switch c.uid {
	case authentication:
		actor = false
		w.begin("service", '{')
		w.text("name", l.App)
		w.end()
	case accountChange:
		user = accountOf(l.targetUser())
	case fileHosting:
		name, folder := l.fileName()
		w.begin("file", '{')
		w.text("name", name)
		if folder {
			w.number("type_id", 2)
		} else {
			w.number("type_id", 1)
		}
		w.end()
	case apiActivity:
		w.begin("api", '{')
		w.text("operation", l.operation())
		w.begin("service", '{')
		w.text("name", l.App)
		w.end()
		w.end()
	}
	if actor {
		w.begin("actor", '{')
		writeOCSFUser(w, l.user())
		w.end()
	}
	if c.uid == authentication || c.uid == accountChange {
		writeOCSFUser(w, user)
	}
	l.writeEndpoint(w, ips)
	if agent := l.Extra["requestClientApplication"]; c.uid != fileHosting && agent != "" {
		w.begin("http_request", '{')
		w.text("user_agent", agent)
		w.end()
	}
}

func (l *line) writeEndpoint(w *writer, ips []netip.Addr) {
	w.begin("src_endpoint", '{')
	w.firstIP("ip", ips)
	if len(l.Hosts) > 0 {
		w.text("hostname", l.Hosts[0])
	}
	if len(ips) > 0 {
		p := l.place()
		w.begin("location", '{')
		w.text("city", p.City)
		w.text("country", p.Code)
		w.end()
	}
	w.end()
}

// writeOCSFUser writes an account, which must have a name or an identifier.
func writeOCSFUser(w *writer, a account) {
	w.begin("user", '{')
	w.text("uid", a.ID)
	if a.ID != a.Spelling {
		w.text("name", a.Spelling)
	}
	w.text("domain", a.Domain)
	w.text("email_addr", a.UPN)
	w.text("full_name", a.Full)
	w.end()
}

// writeObservables writes all accounts, devices and addresses, for search. The name of the first is where the event
// has it, as OCSF's reference asks; what it has nowhere else is named by its kind.
func (l *line) writeObservables(w *writer, c class, ips []netip.Addr) {
	endpoint, user := c.endpoints()
	observable := func(i int, id int64, kind, name, value string) {
		if value == "" {
			return
		}
		if i > 0 || c.uid == baseEvent {
			name = strings.ToLower(strings.ReplaceAll(kind, " ", "_"))
		}
		w.begin("", '{')
		w.number("type_id", id)
		w.text("type", kind)
		w.text("name", name)
		w.text("value", value)
		w.end()
	}
	w.begin("observables", '[')
	for i, host := range l.Hosts {
		observable(i, 1, "Hostname", endpoint+".hostname", host)
	}
	for i, ip := range ips {
		observable(i, 2, "IP Address", endpoint+".ip", ip.String())
	}
	for i, name := range l.Users {
		attribute := ".name"
		if accountOf(name).ID != "" {
			attribute = ".uid"
		}
		observable(i, 4, "User Name", user+attribute, name)
	}
	w.end()
}

// writeUnmapped writes what the schema has no attribute for.
func (l *line) writeUnmapped(w *writer, others []string) {
	w.begin("unmapped", '{')
	w.text("kind", string(l.Kind))
	w.text("service", string(l.Service))
	w.text("claims", string(l.Claims))
	w.text("origin", string(l.Origin))
	w.text("class", l.Class)
	w.text("notification_id", l.NotificationID)
	w.text("url", l.URL)
	w.text("app", l.App)
	w.text("managed_in", l.ManagedIn)
	w.text("decision", l.Decision)
	w.text("would", l.Would)
	w.text("rule", l.Rule)
	w.text("reason", string(l.Reason))
	w.text("relation", string(l.Relation))
	w.set("update", l.Update)
	w.text("input", l.Input)
	w.millis("sent_time", l.Sent)
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
