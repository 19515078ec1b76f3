package render

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/leef"
	"github.com/sluice-siem/sluice/formats/mcas"
)

// caret separates the attributes of LEEF 2.0. It is a mark that few values have, and no reader of
// syslog takes it for a control character and escapes it, as some do with the tab that LEEF 1.0 has.
const caret = '^'

// appendLEEF1 appends the line in the format leef1: LEEF 1.0 of IBM's "LEEF: Log Event Extended Format",
// its attributes separated by tabs.
func (l *line) appendLEEF1(b []byte) ([]byte, error) { return l.leef("1.0", 0).AppendText(b) }

// appendLEEF2 appends the line in the format leef2: LEEF 2.0, its attributes separated by carets.
func (l *line) appendLEEF2(b []byte) ([]byte, error) { return l.leef("2.0", caret).AppendText(b) }

// leef is the line as a LEEF event: the guide's predefined keys where they fit, then ours.
func (l *line) leef(version string, delimiter byte) leef.Event {
	id, title := l.names()
	var a []leef.Attribute
	add := func(key, value string) { a = append(a, leef.Attribute{Key: key, Value: value}) }
	add("devTime", millis(l.when())) // epoch milliseconds need no devTimeFormat
	add("sev", gravity(l.Severity))
	add("cat", string(l.Kind))
	l.addWho(add)
	add("policy", title)
	add("url", l.URL)
	add("resource", l.App)
	switch l.did().Verb {
	case mcas.Login:
		add("isLoginEvent", strconv.FormatBool(!l.did().Failed))
	case mcas.Logout:
		add("isLogoutEvent", "true")
	}
	add("eventKey", string(l.EventKey))
	add("alertId", l.AlertID)
	add("service", string(l.Service))
	add("notificationId", l.NotificationID)
	add("detectionType", l.Type)
	add("twin", l.twinIDs())
	add("twinUrl", l.twinURLs())
	add("managedIn", l.ManagedIn)
	add("reason", string(l.Reason))
	add("severity", l.Severity.String())
	if s := l.Score; s != nil {
		add("riskScore", decimal(s.Points))
		add("riskScoreBounded", decimal(s.Bounded))
		add("riskScoreTime", millis(s.At))
		add("riskUser", s.User)
	}
	add("tactics", tacticList(l.Tactics))
	add("techniques", techniqueList(l.Techniques))
	l.addRest(add)
	return leef.Event{Version: version, Vendor: ourName, Product: ourName, Device: ourVersion, ID: id, Delimiter: delimiter, Attributes: a}
}

// addWho adds accounts, devices and addresses.
func (l *line) addWho(add func(key, value string)) {
	if len(l.Users) > 0 {
		who := accountOf(l.Users[0])
		add("usrName", who.Spelling)
		add("domain", who.Domain)
	}
	ips, _ := addresses(l.Addresses)
	if len(ips) > 0 {
		add("src", ips[0].String())
	}
	if len(l.Hosts) > 0 {
		add("identHostName", l.Hosts[0])
	}
	if len(l.Users) > 1 {
		add("users", strings.Join(l.Users, ","))
	}
	if len(l.Hosts) > 1 {
		add("hosts", strings.Join(l.Hosts, ","))
	}
	if len(l.Addresses) > 1 || len(l.Addresses) > len(ips) {
		add("addresses", strings.Join(l.Addresses, ","))
	}
}

// addRest adds what only an investigator wants to know; the texts, which may be long, come last.
func (l *line) addRest(add func(key, value string)) {
	add("startTime", millis(l.Start))
	add("endTime", millis(l.End))
	add("raisedTime", millis(l.Raised))
	add("receivedTime", millis(l.Arrived))
	if l.Count > 0 {
		add("count", strconv.Itoa(l.Count))
	}
	add("origin", string(l.Origin))
	add("claims", string(l.Claims))
	add("relation", string(l.Relation))
	add("rule", l.Rule)
	add("would", l.Would)
	if l.Truncated {
		add("truncated", "true")
	}
	if l.Shortened {
		add("shortened", "true")
	}
	for _, key := range slices.Sorted(maps.Keys(l.Extra)) {
		if name := keyName(key); name != "" {
			add("x-"+name, l.Extra[key])
		}
	}
	add("msg", l.text())
}

// gravity is a severity on LEEF's scale of 1 to 10; nothing for none.
func gravity(s formats.Severity) string {
	grades := [...]string{"", "1", "3", "6", "9"}
	if int(s) < len(grades) {
		return grades[s]
	}
	return ""
}
