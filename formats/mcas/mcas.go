// Package mcas turns the CEF events of Microsoft Cloud App Security's SIEM agent into notifications:
// alerts, also those that it shows for other services, and activities.
//
// # Decisions
//
// The id, the times and externalId stand before any text that somebody else controls, so of a repeated
// key there the first counts. Behind msg the keys have a fixed order; where a key appears that breaks
// it, the longest row of keys in the right order is taken for genuine and everything else for text of
// the value before it. Of two equally long rows the later one is taken, because msg is what an
// attacker can write most easily.
//
// Anybody can give a policy the name of a Defender for Identity alert. So whose alert it is depends on
// the class first, and a class of Cloud App Security's own is never another service's alert.
package mcas

import (
	"fmt"
	"strings"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/cef"
)

// Wrote tells whether the event is of this service, by vendor and product: those of its agent, or, from a relay that puts a
// product's name there, any of its names.
func Wrote(e cef.Event) bool {
	vendor, product := strings.TrimSpace(e.Vendor), strings.TrimSpace(e.Product)
	if !strings.EqualFold(vendor, "Microsoft") {
		return strings.EqualFold(vendor, "MCAS") && strings.EqualFold(product, "SIEM_Agent")
	}
	for _, name := range [...]string{
		"Microsoft Defender for Cloud Apps", "Defender for Cloud Apps", "Microsoft Cloud App Security", "Cloud App Security", "MCAS",
	} {
		if strings.EqualFold(product, name) {
			return true
		}
	}
	return false
}

// Normalize returns what e, as cef.Parse gives it, says. A class EVENT_… is an activity, one with
// ALERT_ in it an alert, and any other an alert only if its externalId has the form of an alert's id.
// It fails for an event that is none of these or that [Wrote] doesn't know.
func Normalize(e cef.Event) (formats.Notification, error) {
	if !Wrote(e) {
		return formats.Notification{}, fmt.Errorf("event of %q %q: not of Cloud App Security", e.Vendor, e.Product)
	}
	n := formats.Notification{
		Service: formats.CloudAppSecurity,
		Kind:    formats.Alert,
		Class:   strings.ToUpper(strings.TrimSpace(e.Class)), // which all are, as the service writes them
		Title:   strings.TrimSpace(e.Name),
	}
	n.Type = n.Class
	f := genuine(e)
	n.ID = f.get("externalId")
	switch {
	case strings.HasPrefix(n.Class, "EVENT_"):
		n.Kind = formats.Activity // its id is case sensitive
	case !strings.Contains(n.Class, "ALERT_") && !objectID(alertID(n.ID)):
		return formats.Notification{}, fmt.Errorf("cloud app security class %q: neither alert nor activity", n.Class)
	default:
		n.ID = alertID(n.ID)
		n.Raised = raised(n.ID)
	}
	if rank, ok := e.Rank(); ok {
		n.Severity = severity(rank)
	}
	f.fill(&n)
	n.Origin = origin(n)
	return n, nil
}

// severity maps CEF's scale. The service documents 0 for activities and 3 for everything else.
func severity(rank int) formats.Severity {
	switch {
	case rank == 0:
		return formats.Informational
	case rank <= 3:
		return formats.Low
	case rank <= 6:
		return formats.Medium
	}
	return formats.High
}
