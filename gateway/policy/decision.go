// Package policy decides what happens to a notification: the first rule that fits says in which
// service the alert is handled, and from that follow forward, hold and suppress. It is pure: values
// and a time in, a decision out.
package policy

import (
	"time"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
)

// Reason is the short stable code of why a decision was made.
type Reason string

// The reasons. README.md explains each to an operator.
const (
	ManagedHere     Reason = "managed_here"     // the service that manages the alert says it
	NoTwinExpected  Reason = "no_twin_expected" // only this service can report it
	ServiceDisabled Reason = "service_disabled" // its service is switched off in the configuration, so it is neither held nor paired
	Waiting         Reason = "waiting"          // held for the managing service's notification
	HoldExpired     Reason = "hold_expired"     // released: the managing service did not report it in time
	TwinForwarded   Reason = "twin_forwarded"   // suppressed: the other service's notification stands for it
	TwinHeld        Reason = "twin_held"        // suppressed: a notification that is still owed stands for it
	LateTwin        Reason = "late_twin"        // suppressed: its twin was forwarded when the hold ran out; a link tells both IDs
	IsUpdate        Reason = "update"           // a later notification of the same alert by the same service
	UpdateOfHeld    Reason = "update_of_held"   // held until the alert it belongs to is released
	UpdatesOff      Reason = "updates_off"      // suppressed by policy.updates
	IsResend        Reason = "resend"           // suppressed: the same bytes under the same ID were handled before
	ByKind          Reason = "by_kind"          // forwarded or dropped by policy.health, policy.activities or policy.unknown
	Linked          Reason = "linked"           // our own event: two notifications are one alert
	Separated       Reason = "separated"        // our own event: two notifications taken for one are two
	Silent          Reason = "silent"           // our own event: a service has been quiet for longer than it usually is
	Operated        Reason = "operated"         // our own event: what an operator did, for the record
	Tested          Reason = "test"             // our own event: an operator tries a target; it isn't in the stream
)

// Decision is what was decided for one notification and why.
type Decision struct {
	Action    dedup.Action    `cbor:"1,keyasint"`
	Reason    Reason          `cbor:"2,keyasint"`
	Rule      string          `cbor:"3,keyasint,omitempty"` // name of the rule; empty where the policy's own keys decided
	ManagedIn formats.Service `cbor:"4,keyasint,omitempty"` // where people handle the alert
	Until     time.Time       `cbor:"5,keyasint,omitzero"`  // held: when it is released at the latest
	StandsFor dedup.EventKey  `cbor:"6,keyasint,omitempty"` // suppressed: the forwarded or owed notification that stands for it
	Would     dedup.Action    `cbor:"7,keyasint,omitempty"` // what enforce mode does, where it was decided or delivered in shadow mode; Action is what was done
}

// Enforced is what enforce mode does: the state follows it in shadow mode too, so that what shadow
// mode says would have happened is what happens after the switch.
func (d Decision) Enforced() dedup.Action {
	if d.Would != "" {
		return d.Would
	}
	return d.Action
}
