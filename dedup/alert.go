// Package dedup answers which alert a notification speaks of and what proves it.
//
// Two services notify the same alert under different IDs, with other spellings of the people and
// machines, other times, sometimes another name. The package weighs the evidence (detection type,
// accounts, devices, times, text) and pairs one to one between two services. What stays uncertain
// stays apart: a duplicate annoys, a false merge hides an attack.
//
// The state is a fold of the stream: only [Batch.Apply] changes it, with what was decided, and it
// does the same for a decision made now and for one read back after a crash.
package dedup

import (
	"time"

	"github.com/sluice-siem/sluice/formats"
)

// AlertID is Sluice's own name of an alert: 32 hex digits made of its first notification's content
// and arrival, the same for all its notifications.
type AlertID string

// EventKey names one notification for ever: 32 hex digits made of what it is and when it arrived.
// Targets use it to recognise a repeated delivery.
type EventKey string

// Relation is how a notification stands to its alert.
type Relation string

// The relations. Activities, health alerts and unknown messages know First, Update and Resend only.
const (
	First  Relation = "first"  // nobody spoke of this alert before
	Twin   Relation = "twin"   // another service did
	Update Relation = "update" // the same service did, with other content; also a further detection behind one risky sign-in
	Resend Relation = "resend" // the same service did, with the same content
)

// Action is what happens to a notification.
type Action string

// The actions. Suppress always names the notification that stands for the suppressed one; Drop is
// never an alert's.
const (
	Forward  Action = "forward"
	Hold     Action = "hold"
	Suppress Action = "suppress"
	Drop     Action = "drop"
)

// Evidence is one reason to believe, or to doubt, that two notifications are one alert.
type Evidence struct {
	What   string `cbor:"1,keyasint" json:"what"`                       // type, account, device, time, text, address, id
	How    string `cbor:"2,keyasint" json:"how"`                        // in words, with both spellings
	Points int    `cbor:"3,keyasint,omitempty" json:"points,omitempty"` // weight; negative speaks against
}

// Candidate is an alert that was considered and not taken.
type Candidate struct {
	Alert  AlertID `cbor:"1,keyasint" json:"alert_id"`
	Points int     `cbor:"2,keyasint" json:"points"`
	Why    string  `cbor:"3,keyasint" json:"why"`
}

// Match is the answer for one notification.
type Match struct {
	Alert    AlertID    `cbor:"1,keyasint,omitempty"` // empty for what is no alert
	Relation Relation   `cbor:"2,keyasint"`
	Type     string     `cbor:"3,keyasint,omitempty"` // detection type by the catalogue, where it knows it
	Evidence []Evidence `cbor:"4,keyasint,omitempty"`
	RunnerUp *Candidate `cbor:"5,keyasint,omitempty"` // the best candidate that was not taken
	Of       EventKey   `cbor:"6,keyasint,omitempty"` // resend and update: the first notification of the same ID
	Points   int        `cbor:"7,keyasint,omitempty"` // twin: weight of all the evidence
	Undoes   EventKey   `cbor:"8,keyasint,omitempty"` // twin: the suppressed notification whose pairing this one shows to be wrong
	From     AlertID    `cbor:"9,keyasint,omitempty"` // the alert from which that one is given back
}

// Sure says whether the two notifications are one alert whoever they name: the same type at the same millisecond, on one
// machine about the same time, or because one names the other's ID. It asks for the points of the evidence, never for its words.
func (m Match) Sure() bool {
	points := m.Points
	for _, e := range m.Evidence {
		if e.What == "account" {
			points -= e.Points
		}
	}
	return points >= pointsType+pointsSameTime
}

// Sighting is the trace of one service's notifications on an alert.
type Sighting struct {
	Service formats.Service `cbor:"1,keyasint" json:"service"`
	Channel string          `cbor:"2,keyasint" json:"channel"`
	ID      string          `cbor:"3,keyasint,omitempty" json:"notification_id"`
	URL     string          `cbor:"4,keyasint,omitempty" json:"url,omitempty"`
	Key     EventKey        `cbor:"5,keyasint" json:"event_key"` // of its first notification
	First   time.Time       `cbor:"6,keyasint" json:"first"`
	Last    time.Time       `cbor:"7,keyasint" json:"last"`
	Count   int             `cbor:"8,keyasint" json:"count"`
}

// Owed is a held notification as its alert remembers it.
type Owed struct {
	Key      EventKey        `cbor:"1,keyasint"`
	Service  formats.Service `cbor:"2,keyasint"`
	Relation Relation        `cbor:"3,keyasint"`
	Due      time.Time       `cbor:"4,keyasint"`
	Held     time.Time       `cbor:"5,keyasint"` // since when
}

// Alert is one thing to handle, whatever the number of notifications.
type Alert struct {
	ID          AlertID         `cbor:"1,keyasint"`
	Type        string          `cbor:"2,keyasint,omitempty"`
	ManagedIn   formats.Service `cbor:"3,keyasint,omitempty"`
	Sightings   []Sighting      `cbor:"4,keyasint"`
	Forwarded   EventKey        `cbor:"5,keyasint,omitempty"`  // the notification that a SIEM has of it; empty while none
	ForwardedBy formats.Service `cbor:"6,keyasint,omitempty"`  //
	Held        []Owed          `cbor:"7,keyasint,omitempty"`  // in order of arrival
	Points      int             `cbor:"8,keyasint,omitempty"`  // weight of the pairing
	Many        bool            `cbor:"9,keyasint,omitempty"`  // stands for several detections of the other service
	Apart       []EventKey      `cbor:"10,keyasint,omitempty"` // notifications that were given back: never again a twin of this alert
	Into        AlertID         `cbor:"11,keyasint,omitempty"` // what was held under this ID became part of that alert

	// News is what updates said that had not been said before, as [Said] keeps it; of the first few.
	News []formats.Notification `cbor:"12,keyasint,omitempty"`

	// Facts holds the first notification of each service, without Raw, while it can still be paired: for
	// the rules, which judge an alert by all that is said of it. [Batch.Facts] reads it.
	Facts []formats.Notification `cbor:"-"`
}

// Sighting gives the trace of a service's notifications, nil where it sent none.
func (a *Alert) Sighting(s formats.Service) *Sighting {
	for i := range a.Sightings {
		if a.Sightings[i].Service == s {
			return &a.Sightings[i]
		}
	}
	return nil
}

// Others lists the sightings of all services but s.
func (a *Alert) Others(s formats.Service) []Sighting {
	var out []Sighting
	for _, g := range a.Sightings {
		if g.Service != s {
			out = append(out, g)
		}
	}
	return out
}

// Held is a notification that waits, whole.
type Held struct {
	Owed
	Alert        AlertID              `cbor:"10,keyasint"`
	Input        string               `cbor:"11,keyasint,omitempty"`
	Notification formats.Notification `cbor:"12,keyasint"`
	Match        Match                `cbor:"13,keyasint"`
	Delivered    bool                 `cbor:"14,keyasint,omitempty"` // held in shadow mode: targets have had it since it arrived
}

// Outcome is what was decided for one notification, as the fold takes it.
type Outcome struct {
	Key          EventKey
	Time         time.Time // the decider's clock
	Input        string
	Part         *Part // of which request; nil for most
	Notification *formats.Notification
	Match        Match
	Action       Action
	ManagedIn    formats.Service
	Until        time.Time // Hold only
	Delivered    bool      // targets get it, or have had it: in shadow mode also what Action holds or suppresses
	Released     bool      // the end of a hold
	Undone       bool      // the end of a pairing: the notification is an alert of its own again
}
