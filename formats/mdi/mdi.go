// Package mdi turns the CEF events of Microsoft Defender for Identity, and of the Advanced Threat
// Protection and Analytics it grew out of, into notifications.
//
// # Decisions
//
// The service escapes little, and text that an attacker controls (suser, msg) stands before the keys
// that matter (externalId, cs1). So of a repeated key the last counts from externalId on and the first
// before msg, and whatever looks like a key inside msg stays text of msg. In a message that was cut
// inside msg a forged externalId can't be told from a genuine one. A health alert has msg at its end,
// so there the first of everything counts.
//
// externalId is the type of the alert; its identity is the last part of the URL. The application is
// Active Directory, as Cloud App Security calls it for the same alert; the protocol, which the service
// writes as app, is kept in Extra.
package mdi

import (
	"fmt"
	"strings"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/cef"
)

// Wrote tells whether the event is of this service, by vendor and product under any of its names.
func Wrote(e cef.Event) bool {
	if !strings.EqualFold(strings.TrimSpace(e.Vendor), "Microsoft") {
		return false
	}
	product := strings.TrimSpace(e.Product)
	for _, name := range [...]string{
		"Azure ATP", "ATP", "ATA", "MDI", "Microsoft Defender for Identity", "Defender for Identity",
		"Azure Advanced Threat Protection", "Advanced Threat Analytics", "Microsoft Advanced Threat Analytics",
	} {
		if strings.EqualFold(product, name) {
			return true
		}
	}
	return false
}

// Normalize returns what e, as cef.Parse gives it, says. An event whose class ends in MonitoringAlert
// is a health alert and has no ID; any other is an alert, whose ID is empty only where the message was
// cut before it or its URL names none. It fails for an event that [Wrote] doesn't know.
func Normalize(e cef.Event) (formats.Notification, error) {
	if !Wrote(e) {
		return formats.Notification{}, fmt.Errorf("event of %q %q: not of Defender for Identity", e.Vendor, e.Product)
	}
	n := formats.Notification{
		Service: formats.DefenderForIdentity,
		Kind:    formats.Alert,
		Origin:  formats.DefenderForIdentity,
		Class:   strings.TrimSpace(e.Class),
		Title:   strings.TrimSpace(e.Name),
		App:     "Active Directory",
	}
	if rank, ok := e.Rank(); ok {
		n.Severity = severity(rank)
	}
	var f fields
	const health = "MonitoringAlert"
	if begin := len(n.Class) - len(health); begin >= 0 && strings.EqualFold(n.Class[begin:], health) {
		n.Kind = formats.Health
		f = genuineInHealth(e)
	} else {
		f = genuine(e)
	}
	f.fill(&n)
	return n, nil
}

// severity maps the documented 3, 5 and 10, and what lies between them.
func severity(rank int) formats.Severity {
	switch {
	case rank <= 3:
		return formats.Low
	case rank <= 6:
		return formats.Medium
	}
	return formats.High
}
