package risk

import (
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// Event is what a scorer is told, for who keeps a record of it: a scorer that is told the same again, in the same order,
// comes to the same scores. One of its fields is set.
type Event struct {
	Activity *Activity `cbor:"1,keyasint,omitempty"`
	Alert    *Alert    `cbor:"2,keyasint,omitempty"`
	Closed   *Closed   `cbor:"3,keyasint,omitempty"`
	Gone     string    `cbor:"4,keyasint,omitempty"` // an alert that turned out to be part of another one
	Reset    *Reset    `cbor:"5,keyasint,omitempty"`
	Joined   *Joined   `cbor:"6,keyasint,omitempty"`
	Person   *Person   `cbor:"7,keyasint,omitempty"`
}

// Closed is whether an alert was closed as nothing.
type Closed struct {
	Alert  string `cbor:"1,keyasint"`
	Closed bool   `cbor:"2,keyasint,omitempty"`
}

// Reset is of a user's score.
type Reset struct {
	User string    `cbor:"1,keyasint"`
	At   time.Time `cbor:"2,keyasint"` // to the second
}

// Joined are two users who are one.
type Joined struct {
	User string `cbor:"1,keyasint"` // stays
	With string `cbor:"2,keyasint"`
}

// Tell tells the scorer of an event.
func (s *Scorer) Tell(e Event) {
	switch {
	case e.Activity != nil:
		s.Activity(*e.Activity)
	case e.Alert != nil:
		s.Alert(*e.Alert)
	case e.Closed != nil:
		s.Close(e.Closed.Alert, e.Closed.Closed)
	case e.Gone != "":
		s.Withdraw(e.Gone)
	case e.Reset != nil:
		s.Reset(e.Reset.User, e.Reset.At)
	case e.Joined != nil:
		s.Join(e.Joined.User, e.Joined.With)
	case e.Person != nil:
		s.Know([]Person{*e.Person})
	}
}

// Record writes events, for [Scorer.TellAgain].
func Record(events []Event) ([]byte, error) { return cbor.Marshal(events) }

// TellAgain tells the scorer of events that Record wrote.
func (s *Scorer) TellAgain(record []byte) error {
	var events []Event
	if err := decode(record, &events); err != nil {
		return fmt.Errorf("read what was told of users: %w", err)
	}
	for _, e := range events {
		s.Tell(e)
	}
	return nil
}
