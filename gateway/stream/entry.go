// Package stream keeps the one durable stream of decided notifications, in order, and gives readers
// a cursor on it. It lives in NATS JetStream, one message per batch.
package stream

import (
	"time"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/policy"
)

// Kind says what an entry records.
type Kind string

// The kinds of entries.
const (
	Notification Kind = "notification" // a notification as it arrived, with its decision
	Release      Kind = "release"      // the end of a hold: forwarded now, or suppressed for its twin
	Link         Kind = "link"         // an event of our own: two notifications are one alert
	Undo         Kind = "undo"         // a pairing taken back; carries the notification whole
	Silence      Kind = "silence"      // an event of our own: a service, the notification's origin, has gone silent
	Acted        Kind = "act"          // what an operator did; for the record, and for those who fold the stream
)

// Position is where an entry stands: the sequence of its batch and its index therein. The zero
// value is before the first entry.
type Position struct {
	Sequence uint64 `json:"sequence"`
	Index    int    `json:"index"`
}

// Less says whether p comes before q.
func (p Position) Less(q Position) bool {
	return p.Sequence < q.Sequence || p.Sequence == q.Sequence && p.Index < q.Index
}

// Entry is one line of the stream with everything needed to fold it and to deliver it.
type Entry struct {
	At           Position             `cbor:"-"` // set when read or appended
	Kind         Kind                 `cbor:"1,keyasint"`
	Time         time.Time            `cbor:"2,keyasint"` // the decider's clock, which never goes back; holds run on it
	Key          dedup.EventKey       `cbor:"3,keyasint"`
	Input        string               `cbor:"4,keyasint,omitempty"` // name of the input that received it
	Notification formats.Notification `cbor:"5,keyasint"`
	Match        dedup.Match          `cbor:"6,keyasint"`
	Decision     policy.Decision      `cbor:"7,keyasint"`
	Twins        []dedup.Sighting     `cbor:"8,keyasint,omitempty"` // the other services' sightings of the alert, as known now
	Part         *dedup.Part          `cbor:"9,keyasint,omitempty"` // of which request; nil where its sender can't repeat it

	// Said is what was said of the alert before, as far as a target's `when` may ask for it: it judges an
	// alert by all its sightings.
	Said []formats.Notification `cbor:"10,keyasint,omitempty"`

	// Act is an operator's: the whole of an [Acted] entry, and of an [Undo] that he asked for who he is and why.
	Act *Act `cbor:"11,keyasint,omitempty"`

	// Score is that of the user of an alert who stands highest, as it goes out. The stream doesn't keep it.
	Score *Score `cbor:"-"`
}

// Score is a user's investigation priority as of a time.
type Score struct {
	User    string  // as the alert spells it
	Points  float64 // 0 or more
	Bounded float64 // 0 to 100
	At      time.Time
}

// Act is something that an operator did. The stream keeps it in order and knows nothing of what it means.
type Act struct {
	By   string `cbor:"1,keyasint"`           // who
	Verb string `cbor:"2,keyasint"`           // what, in a word
	Args []byte `cbor:"3,keyasint,omitempty"` // with what, as JSON; empty where the word says it all

	Scope string `cbor:"4,keyasint,omitempty"` // of who did it, as package access names it; empty where nothing limits it
}

// Delivered says whether targets get the entry: it was forwarded, now and not before.
func (e *Entry) Delivered() bool { return e.Decision.Action == dedup.Forward }
