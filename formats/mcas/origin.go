package mcas

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/cef"
)

// origin tells whose alert it is.
func origin(n formats.Notification) formats.Service {
	if n.Kind != formats.Alert {
		return formats.CloudAppSecurity
	}
	class := n.Class
	if i := strings.Index(class, "ALERT_"); i > 0 {
		class = class[i:] // built-in detections have something before it
	}
	external, isExternal := strings.CutPrefix(class, "ALERT_EXTERNAL_")
	switch {
	case own(class):
		return formats.CloudAppSecurity
	case isExternal && hasAnyPrefix(external, "AATP", "MDI", "ATA_", "DEFENDER_FOR_IDENTITY", "MICROSOFT_DEFENDER_FOR_IDENTITY"):
		return formats.DefenderForIdentity
	case isExternal && (hasAnyPrefix(external, "AADIP", "IPC") || strings.Contains(external, "IDENTITY_PROTECTION")):
		return formats.IdentityProtection
	case isExternal && protectionTitle(n.Title):
		return formats.IdentityProtection
	case strings.EqualFold(n.App, "Active Directory") || activeDirectory(n.Extra["uniqueServiceAppIds"]):
		return formats.DefenderForIdentity
	}
	return formats.CloudAppSecurity
}

// own tells the classes of alerts that Cloud App Security raises itself, policies among them.
func own(class string) bool {
	return hasAnyPrefix(class, "ALERT_CABINET_", "ALERT_ANUBIS_", "ALERT_MANAGEMENT_", "ALERT_GEOLOCATION_",
		"ALERT_DISCOVERY_", "ALERT_ADMIN_USER", "ALERT_ZOMBIE_USER", "ALERT_NEW_ADMIN_LOCATION",
		"ALERT_COMPROMISED_ACCOUNT", "ALERT_SUSPICIOUS_ACTIVITY", "ALERT_PERSONAL_USER_SAGE")
}

// protectionTitle tells the names of the two policies under which Identity Protection's alerts appear.
func protectionTitle(title string) bool {
	title = strings.ToLower(strings.TrimPrefix(title, "[PREVIEW] "))
	return title == "leaked credentials" || strings.HasPrefix(title, "risky sign-in")
}

// activeDirectory tells whether the application's id is in the list, by name or by number.
func activeDirectory(list string) bool {
	return slices.ContainsFunc(strings.Split(list, ","), func(id string) bool {
		id = strings.TrimPrefix(strings.TrimSpace(id), "APPID_")
		return id == "ACTIVE_DIRECTORY" || id == "20940"
	})
}

func hasAnyPrefix(s string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}

// alertID brings an alert's id to one spelling: lower case, without the ca that the Microsoft 365
// Defender portal puts before it.
func alertID(s string) string {
	s = strings.ToLower(s)
	if bare, ok := strings.CutPrefix(s, "ca"); ok && (objectID(bare) || len(bare) == 36) {
		return bare
	}
	return s
}

// objectID tells whether s is 24 hexadecimal digits, a MongoDB ObjectId.
func objectID(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) == 24
}

// raised returns when an ObjectId was made, which its first 8 digits say in Unix seconds; the zero
// time if it is none or they can't be a time.
func raised(id string) time.Time {
	if !objectID(id) {
		return time.Time{}
	}
	seconds, err := strconv.ParseInt(id[:8], 16, 64)
	if err != nil {
		return time.Time{}
	}
	return cef.Plausible(time.Unix(seconds, 0))
}
