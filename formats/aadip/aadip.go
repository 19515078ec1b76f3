// Package aadip turns what Microsoft Graph tells of Azure AD Identity Protection, one JSON object for
// each detection, into notifications.
//
// # Decisions
//
// The service has no syslog of its own: a collector sends Graph's objects. A riskDetection is known by
// its riskEventType, a security alert by its provider; any other object is somebody else's.
//
// The application is Microsoft Online Services, as Cloud App Security calls it for the same alert; the
// object itself names none. Types that Cloud App Security detects are that service's alerts, which
// Identity Protection only shows.
package aadip

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/formats"
)

// ErrForeign is returned for a JSON object that isn't of Identity Protection.
var ErrForeign = errors.New("json object is not of Identity Protection")

// Normalize returns what a Graph riskDetection or a Graph security alert of Identity Protection
// (version 1 with vendorInformation.provider IPC, version 2 with serviceSource
// azureAdIdentityProtection) says. It fails with [ErrForeign] for other objects, and for text that is
// not one JSON object, is nested deeper than any of these, or has no id.
func Normalize(text []byte) (formats.Notification, error) {
	inner, tenant := unwrap(text)
	o, err := parse(inner)
	if err != nil {
		return formats.Notification{}, fmt.Errorf("read identity protection object: %w", err)
	}
	n := formats.Notification{
		Service: formats.IdentityProtection,
		Kind:    formats.Alert,
		Origin:  formats.IdentityProtection,
		ID:      strings.ToLower(o.text("id")),
		App:     "Microsoft Online Services",
	}
	switch {
	case n.ID == "":
		return formats.Notification{}, ErrForeign
	case o.text("riskEventType") != "":
		detection(o, &n)
	case ours(o):
		alert(o, &n)
	default:
		return formats.Notification{}, ErrForeign
	}
	add(&n, "tenantId", tenant)
	if byCloudAppSecurity(n.Type) {
		n.Origin = formats.CloudAppSecurity
	}
	return n, nil
}

// Wrote tells whether text is an object that [Normalize] reads.
func Wrote(text []byte) bool {
	_, err := Normalize(text)
	return err == nil
}

// detection fills n from a riskDetection (Graph v1.0, Identity Protection).
func detection(o object, n *formats.Notification) {
	n.Type = o.text("riskEventType")
	n.Title = title(n.Type)
	switch o.text("riskLevel") {
	case "low":
		n.Severity = formats.Low
	case "medium":
		n.Severity = formats.Medium
	case "high":
		n.Severity = formats.High
	case "none":
		n.Severity = formats.Informational
	}
	addAccount(n, o.text("userPrincipalName"), "userPrincipalName")
	addAccount(n, o.text("userDisplayName"), "userDisplayName")
	if ip := o.text("ipAddress"); ip != "" {
		n.Addresses = []string{ip}
	}
	n.Start, n.Raised = o.time("activityDateTime"), o.time("detectedDateTime")
	n.Update = !n.Raised.IsZero() && o.time("lastUpdatedDateTime").After(n.Raised)
	o.keep(n, "requestId", "correlationId", "riskState", "riskLevel", "riskDetail", "source", "detectionTimingType",
		"activity", "tokenIssuerType", "lastUpdatedDateTime", "userId", "additionalInfo")
	o.child("location").keep(n, "city", "state", "countryOrRegion") // of the address
	add(n, "userAgent", userAgent(o.text("additionalInfo")))
}

// userAgent reads the program out of a list of keys and values, which is written as text.
func userAgent(additional string) string {
	for _, pair := range (object{"list": json.RawMessage(additional)}).objects("list") {
		if pair.text("Key") == "userAgent" {
			return pair.text("Value")
		}
	}
	return ""
}

// addAccount adds a name that isn't there yet.
func addAccount(n *formats.Notification, name, key string) {
	for _, a := range n.Accounts {
		if strings.EqualFold(a.Name, name) {
			return
		}
	}
	if name != "" {
		n.Accounts = append(n.Accounts, formats.Entity{Name: name, Key: key})
	}
}

// instant reads Graph's times, which have up to seven fractional digits. Where somebody left out the zone it is UTC, as all of
// Graph's times are.
func instant(s string) time.Time {
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
