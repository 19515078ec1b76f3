// Package formats holds the normal form in which Sluice handles what the services say, and below it
// the pure translators between that form and the wire: no files, no sockets, no clock.
package formats

import (
	"fmt"
	"time"
)

// Service is the product that raises a notification, named as Microsoft Graph's serviceSource does
// but in snake case.
type Service string

// The services whose dialects Sluice speaks, and the two names for everything else.
const (
	DefenderForIdentity Service = "defender_for_identity"
	CloudAppSecurity    Service = "cloud_app_security"
	IdentityProtection  Service = "identity_protection"
	UnknownService      Service = "unknown" // the message was not understood
	Sluice              Service = "sluice"  // events of our own, such as links
)

// Title names a service as Microsoft does, for people to read. A service that isn't known has its own name.
func (s Service) Title() string {
	switch s {
	case DefenderForIdentity:
		return "Defender for Identity"
	case CloudAppSecurity:
		return "Cloud App Security"
	case IdentityProtection:
		return "Identity Protection"
	case Sluice:
		return "Sluice"
	case UnknownService:
	}
	return string(s)
}

// Kind says what a notification speaks of.
type Kind string

// The kinds of notifications, and those of Sluice's own small events: Link tells a SIEM that two
// notifications it may have seen are one alert, Silence that a service no longer notifies. Act is what an
// operator of Sluice did, which goes to no SIEM.
const (
	Alert    Kind = "alert"
	Activity Kind = "activity"
	Health   Kind = "health"
	Unknown  Kind = "unknown"
	Link     Kind = "link"
	Silence  Kind = "silence"
	Act      Kind = "act"
)

// Severity is the scale of Microsoft Graph. The services' own numbers are mapped once, in their
// translators. The zero value means that the service named none.
type Severity uint8

// The severities, in rising order.
const (
	NoSeverity Severity = iota
	Informational
	Low
	Medium
	High
)

// String returns the name that rules and targets use.
func (s Severity) String() string {
	names := [...]string{"unknown", "informational", "low", "medium", "high"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("severity(%d)", uint8(s))
}

// MarshalText writes the name, as JSON shows it.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a name that String wrote; an unknown name is an error.
func (s *Severity) UnmarshalText(text []byte) error {
	for v := NoSeverity; v <= High; v++ {
		if v.String() == string(text) {
			*s = v
			return nil
		}
	}
	return fmt.Errorf("severity %q: want unknown, informational, low, medium or high", text)
}

// Entity is an account or a device in the spelling of the service that names it.
type Entity struct {
	Name string `cbor:"1,keyasint" json:"name"`
	Key  string `cbor:"2,keyasint,omitempty" json:"key,omitempty"` // the field that named it, for the evidence
}

// Notification is what one service says, once, about one thing. Strings hold what the sender wrote,
// unescaped but otherwise untouched; only ID is brought to one spelling.
type Notification struct {
	Service Service `cbor:"1,keyasint"`           // who sent it
	Kind    Kind    `cbor:"2,keyasint"`           //
	Channel string  `cbor:"3,keyasint"`           // how it came: syslog
	Origin  Service `cbor:"4,keyasint,omitempty"` // whose alert it is; differs from Service where a service shows another's alert

	ID    string `cbor:"5,keyasint,omitempty"` // the service's id of it, lower case, without the portal's aa or ca; empty where the message carries none
	Type  string `cbor:"6,keyasint,omitempty"` // the service's own detection type: externalId, CEF class, riskEventType
	Class string `cbor:"7,keyasint,omitempty"` // the CEF class id, as in the header
	Title string `cbor:"8,keyasint,omitempty"` //

	Severity  Severity `cbor:"9,keyasint,omitempty"`  //
	Accounts  []Entity `cbor:"10,keyasint,omitempty"` //
	Devices   []Entity `cbor:"11,keyasint,omitempty"` //
	Addresses []string `cbor:"12,keyasint,omitempty"` // of the client
	App       string   `cbor:"13,keyasint,omitempty"` // application, as the service names it
	URL       string   `cbor:"14,keyasint,omitempty"` // of the alert in the service's portal
	Message   string   `cbor:"15,keyasint,omitempty"` // the service's free text

	Start  time.Time `cbor:"16,keyasint,omitzero"` // when what it tells began
	End    time.Time `cbor:"17,keyasint,omitzero"` //
	Raised time.Time `cbor:"18,keyasint,omitzero"` // when the service made the alert of it, where the message tells
	Sent   time.Time `cbor:"19,keyasint,omitzero"` // the syslog header's time; Cloud App Security writes the event's time there

	Arrived time.Time `cbor:"20,keyasint,omitzero"`  // when Sluice received it, by the wall clock
	Update  bool      `cbor:"21,keyasint,omitempty"` // the service itself calls it an update
	Count   int       `cbor:"22,keyasint,omitempty"` // occurrences, where the service counts

	Extra     map[string]string `cbor:"23,keyasint,omitempty"` // fields that nothing above holds, by their key
	Truncated bool              `cbor:"24,keyasint,omitempty"` // longer than max_message and cut by us
	Parsed    bool              `cbor:"25,keyasint,omitempty"` // Payload is a CEF event or a JSON object, though maybe of a stranger
	Content   [16]byte          `cbor:"26,keyasint"`           // digest of what it says: equal for a resend, whatever relays make of header, letters and keys
	Payload   int               `cbor:"27,keyasint,omitempty"` // offset in Raw where the syslog header ends
	Raw       []byte            `cbor:"28,keyasint"`           // the message, every byte of it
	Claims    Service           `cbor:"29,keyasint,omitempty"` // whose it claims to be, where its sender may not speak for that service
}
