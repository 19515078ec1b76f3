package render

import (
	"maps"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/catalog"
	"github.com/sluice-siem/sluice/formats/cef"
	"github.com/sluice-siem/sluice/gateway/policy"
)

// The lengths of header fields in the ArcSight "Common Event Format" guide (CEF 0.1).
const (
	longestClass = 1023
	longestName  = 512
)

// appendRenderedCEF appends the line in the format cef_rendered: CEF 0.1 of the ArcSight "Common Event
// Format" guide, all of it from the normal form, with the guide's lengths of values. Vendor and product are
// ours; a custom string says what it is in its label; keys that begin with "sluice" are our own, and "ad."
// is the guide's name space for what a service wrote and nobody has a key for.
func (l *line) appendRenderedCEF(b []byte) ([]byte, error) { return l.event().AppendText(b) }

// event is the line as a CEF event, its values plain text.
func (l *line) event() cef.Event {
	class, name := l.names()
	f := l.appendTimes(make([]cef.Field, 0, 40))
	f = l.appendWho(f)
	f = l.appendIDs(f)
	f = l.appendJudgement(f)
	if l.Kind == formats.Unknown && len(l.Raw) > 0 {
		f = append(f, cef.Field{Key: "rawEvent", Value: strings.TrimRight(string(l.Raw), "\r\n\x00")})
	}
	f = append(f, cef.Field{Key: "msg", Value: l.Message})
	for _, key := range slices.Sorted(maps.Keys(l.Extra)) {
		switch name := keyName(key); key {
		case "app", "requestClientApplication", "rt", "": // appendWho has them; we write rt
		default:
			if name != "" {
				f = append(f, cef.Field{Key: "ad." + name, Value: l.Extra[key]})
			}
		}
	}
	for i := range f {
		f[i].Value = cut(f[i].Value, longestValue(f[i].Key))
	}
	return cef.Event{
		Version: "0", Vendor: ourName, Product: ourName, Device: ourVersion, Class: cut(class, longestClass),
		Name: cut(name, longestName), Severity: rank(l.Severity), Extension: once(f),
	}
}

// names gives the class and the name of the line as an event.
func (l *line) names() (class, name string) {
	class, name = l.Class, l.Title
	if class == "" {
		class = l.Type
	}
	switch {
	case l.Kind == formats.Link && l.Reason == policy.Separated:
		return "separated", "Two notifications taken for one alert are two"
	case l.Kind == formats.Link:
		return "link", "Two notifications are one alert"
	case l.Claims != "":
		return "impostor", "Message of a sender that may not speak for its service"
	case l.Kind == formats.Unknown && name == "":
		name = "Message not understood"
	}
	if class == "" {
		class = string(l.Kind)
	}
	if name == "" {
		name = class
	}
	return class, name
}

func (l *line) appendTimes(f []cef.Field) []cef.Field {
	f = append(f, cef.Field{Key: "rt", Value: millis(l.Arrived)}, cef.Field{Key: "start", Value: millis(l.Start)}, cef.Field{Key: "end", Value: millis(l.End)})
	return appendLabelled(f, "deviceCustomDate1", "raised", millis(l.Raised))
}

// appendWho appends accounts, devices, addresses and the application.
func (l *line) appendWho(f []cef.Field) []cef.Field {
	if len(l.Users) > 0 {
		f = append(f, cef.Field{Key: "suser", Value: l.Users[0]}, cef.Field{Key: "suid", Value: l.user().ID})
	}
	if len(l.Hosts) > 0 {
		f = append(f, cef.Field{Key: "shost", Value: l.Hosts[0]})
	}
	ips, _ := addresses(l.Addresses)
	// CEF 0.1 has src for IPv4 only.
	if i := slices.IndexFunc(ips, netip.Addr.Is4); i >= 0 {
		f = append(f, cef.Field{Key: "src", Value: ips[i].String()})
	}
	if i := slices.IndexFunc(ips, netip.Addr.Is6); i >= 0 {
		f = appendLabelled(f, "c6a2", "Source IPv6 Address", ips[i].String())
	}
	for _, more := range [...]struct {
		key    string
		values []string
	}{{"sluiceUsers", l.Users}, {"sluiceHosts", l.Hosts}, {"sluiceAddresses", l.Addresses}} {
		if len(more.values) > 1 || len(more.values) == 1 && more.key == "sluiceAddresses" && len(ips) == 0 {
			f = append(f, cef.Field{Key: more.key, Value: strings.Join(more.values, ",")})
		}
	}
	if l.did().Failed {
		f = append(f, cef.Field{Key: "outcome", Value: "failure"})
	}
	return append(f,
		cef.Field{Key: "destinationServiceName", Value: l.App}, cef.Field{Key: "app", Value: l.Extra["app"]},
		cef.Field{Key: "requestClientApplication", Value: l.Extra["requestClientApplication"]})
}

// appendIDs appends what names the event and its alert. Sentinel reads externalId into a number, and so
// it loses the services' IDs: they are in flexString1, too.
func (l *line) appendIDs(f []cef.Field) []cef.Field {
	if len(l.NotificationID) <= longestValue("externalId") {
		f = append(f, cef.Field{Key: "externalId", Value: l.NotificationID})
	}
	f = appendLabelled(f, "cs1", "url", l.URL)
	f = appendLabelled(f, "cs2", "sluiceEventKey", string(l.EventKey))
	f = appendLabelled(f, "cs3", "sluiceTwinUrl", l.twinURLs())
	f = appendLabelled(f, "cs4", "mitreTechniques", techniqueList(l.Techniques))
	f = appendLabelled(f, "cs5", "sluiceAlertId", l.AlertID)
	f = appendLabelled(f, "cs6", "sluiceTwin", l.twinIDs())
	f = appendLabelled(f, "flexString1", "notificationId", l.NotificationID)
	return appendLabelled(f, "flexString2", "detectionType", l.Type)
}

// appendJudgement appends what was decided and why.
func (l *line) appendJudgement(f []cef.Field) []cef.Field {
	count := ""
	if l.Count > 0 {
		count = strconv.Itoa(l.Count)
	}
	f = append(f,
		cef.Field{Key: "cat", Value: string(l.Kind)}, cef.Field{Key: "cnt", Value: count},
		cef.Field{Key: "reason", Value: string(l.Reason)}, cef.Field{Key: "sluiceService", Value: string(l.Service)},
		cef.Field{Key: "sluiceOrigin", Value: string(l.Origin)}, cef.Field{Key: "sluiceManagedIn", Value: l.ManagedIn},
		cef.Field{Key: "sluiceRule", Value: l.Rule}, cef.Field{Key: "sluiceRelation", Value: string(l.Relation)},
		cef.Field{Key: "sluiceWould", Value: l.Would}, cef.Field{Key: "sluiceClaims", Value: string(l.Claims)},
		cef.Field{Key: "sluiceTactics", Value: tacticList(l.Tactics)})
	if l.Score != nil {
		f = appendLabelled(f, "cn1", "riskScore", strconv.FormatInt(int64(math.Round(l.Score.Points)), 10))
	}
	f = appendScore(f, l.Score)
	if l.Truncated {
		f = append(f, cef.Field{Key: "sluiceTruncated", Value: "true"})
	}
	if l.Shortened {
		f = append(f, cef.Field{Key: "sluiceShortened", Value: "true"})
	}
	return f
}

// twinIDs names the other services' notifications, as cef's sluiceTwin does.
func (l *line) twinIDs() string {
	twins := make([]string, 0, len(l.Twins))
	for i := range l.Twins[:min(16, len(l.Twins))] {
		twins = append(twins, string(l.Twins[i].Service)+":"+cut(l.Twins[i].NotificationID, 256))
	}
	return strings.Join(twins, ",")
}

// twinURLs are the pages of the other services' notifications.
func (l *line) twinURLs() string {
	urls := make([]string, 0, len(l.Twins))
	for i := range l.Twins[:min(4, len(l.Twins))] {
		if l.Twins[i].URL != "" {
			urls = append(urls, l.Twins[i].URL)
		}
	}
	return strings.Join(urls, " ")
}

// tacticList is the names of tactics in one text.
func tacticList(tactics []catalog.Tactic) string {
	names := make([]string, len(tactics))
	for i := range tactics {
		names[i] = tactics[i].Name
	}
	return strings.Join(names, ", ")
}

// appendLabelled appends a custom field with its label, if there is anything to label.
func appendLabelled(f []cef.Field, key, label, value string) []cef.Field {
	if value == "" {
		return f
	}
	return append(f, cef.Field{Key: key + "Label", Value: label}, cef.Field{Key: key, Value: value})
}

// longestValue is the length that the CEF dictionary gives a key, in characters, which we take for bytes;
// for keys of ours that of a custom string.
func longestValue(key string) int {
	switch key {
	case "app":
		return 31
	case "externalId":
		return 40
	case "outcome":
		return 63
	case "cat", "destinationServiceName", "flexString1", "flexString2", "msg", "reason", "requestClientApplication", "shost", "suid", "suser":
		return 1023
	}
	if isLabel(key) {
		return 1023
	}
	return 4000 // cs1 to cs6, rawEvent
}
