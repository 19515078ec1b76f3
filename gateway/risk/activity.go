package risk

import (
	"net/netip"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/formats"
)

// Activity is what somebody did, taken apart. Empty fields are not known and not judged.
type Activity struct {
	ID      string    `cbor:"1,keyasint,omitempty"`
	User    string    `cbor:"2,keyasint"`           // as Person spells it
	At      time.Time `cbor:"3,keyasint"`           // when it was done, to the second
	Class   string    `cbor:"4,keyasint,omitempty"` // type, as the service names it
	App     string    `cbor:"5,keyasint,omitempty"`
	Title   string    `cbor:"6,keyasint,omitempty"` // in words
	Agent   string    `cbor:"7,keyasint,omitempty"` // user agent without its versions
	Range   string    `cbor:"8,keyasint,omitempty"` // of the address
	Country string    `cbor:"9,keyasint,omitempty"`
	Tag     string    `cbor:"10,keyasint,omitempty"` // kind of network
	Device  string    `cbor:"11,keyasint,omitempty"`
	Target  string    `cbor:"12,keyasint,omitempty"` // machine
	Failed  bool      `cbor:"13,keyasint,omitempty"`
}

// Network is what is known of an address.
type Network struct{ Country, Tag string }

// ActivityOf takes a notification apart. The caller knows whose it is, and where its address belongs.
func ActivityOf(n *formats.Notification, user string, at time.Time, locate func(netip.Addr) Network) Activity {
	a := Activity{
		ID: clip(n.ID), User: user, At: at, Class: clip(n.Class), App: clip(n.App), Title: clip(n.Title),
		Agent:  clip(withoutVersions(n.Extra["requestClientApplication"])),
		Device: clip(parameter(n.Message, "SourceComputerDnsName")), Target: clip(parameter(n.Message, "DestinationComputerDnsName")),
		Failed: failed(n),
	}
	if !n.Start.IsZero() && n.Start.Before(at) {
		a.At = n.Start
	}
	for _, text := range n.Addresses {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			continue
		}
		addr = addr.Unmap()
		bits := 24
		if addr.Is6() {
			bits = 48
		}
		if p, err := addr.WithZone("").Prefix(bits); err == nil {
			a.Range = p.String()
		}
		if locate != nil {
			place := locate(addr)
			a.Country, a.Tag = place.Country, place.Tag
		}
		break
	}
	return a
}

// failed tells whether it was only tried. There is no list of all classes, so their words are read.
func failed(n *formats.Notification) bool {
	for word := range strings.SplitSeq(n.Class, "_") {
		switch word {
		case "FAILED", "FAILURE", "FAIL", "UNSUCCESSFUL", "DENIED", "BLOCKED":
			return true
		}
	}
	return strings.Contains(n.Message, "Is Success: False") || strings.Contains(n.Message, "Failure message")
}

// withoutVersions leaves of a user agent what doesn't change with every update.
func withoutVersions(agent string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == '.' || r == '_' {
			return -1
		}
		return r
	}, agent)
}

// parameter reads one of the parameters that activities of Active Directory have in their text, as in
// "Run command: LDAP query; Parameters: Count 6, SourceComputerDnsName pc1.corp.test, ...".
func parameter(message, name string) string {
	_, rest, ok := strings.Cut(message, name+" ")
	if !ok {
		return ""
	}
	if end := strings.IndexAny(rest, ",; "); end >= 0 {
		rest = rest[:end]
	}
	return strings.ToLower(rest)
}

// value is what the activity shows of a feature, empty for nothing.
func (a *Activity) value(f feature) string {
	switch f {
	case app:
		return a.App
	case class:
		return a.Class
	case action:
		if a.App != "" && a.Class != "" {
			return a.Class + " " + a.App
		}
	case country:
		return a.Country
	case tag:
		return a.Tag
	case network:
		return a.Range
	case agent:
		return a.Agent
	case device:
		return a.Device
	case target:
		return a.Target
	}
	return ""
}

// label is what the activity shows of a feature, in words.
func (a *Activity) label(f feature) string {
	switch f {
	case hour:
		return a.At.UTC().Format("15:00 UTC")
	case weekday:
		return a.At.UTC().Weekday().String()
	case jump:
		return "now " + a.Country
	}
	v := a.value(f)
	return clip(v)
}
