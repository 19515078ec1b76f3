package model

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"time"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// # A model for those who may not see everything
//
// A limited model folds what is inside of its scope, as if there were nothing else in the stream. So it has no need
// to hide anything when it is asked, and no query that is added later can forget to. What an entry says beside its
// notification follows from what others said too: what was decided, how it was paired, its place. That is left out
// here, before anything is folded, and what the model needs of it is made anew from what is inside.

// limited says whether the model is of a part only.
func (m *Model) limited() bool { return !m.options.Scope.Whole() }

// inside leaves of a message what the model may know, and says until when the message reaches.
func (m *Model) inside(message *stream.Message) (until time.Time) {
	for _, e := range message.Entries {
		until = later(until, e.Time)
	}
	if m.limited() {
		message.Entries = slices.DeleteFunc(message.Entries, func(e *stream.Entry) bool { return !m.sees(e) })
		for _, e := range message.Entries {
			m.strip(e)
		}
	}
	return until
}

// sees says whether an entry is inside. Which acts are, limit says.
func (m *Model) sees(e *stream.Entry) bool {
	n := &e.Notification
	switch {
	case e.Kind == stream.Acted:
		return true
	case n.Kind == formats.Link, n.Kind == formats.Silence:
		return false
	case n.Service == formats.Sluice: // an alert of a policy counts what people did anywhere
		return len(m.options.Scope.Applications) == 0 && slices.Contains(m.options.Scope.Services, string(formats.Sluice))
	}
	return m.options.Scope.Sees(string(n.Service), appOf(n))
}

// strip takes out of an entry what follows from others.
func (m *Model) strip(e *stream.Entry) {
	sum := sha256.Sum256([]byte(e.Key))
	e.At = stream.Position{Index: int(binary.BigEndian.Uint32(sum[:]) % serialBound)} // it tells lines of a millisecond apart
	if e.Kind == stream.Acted {
		return
	}
	n := &e.Notification
	inside := func(s formats.Service) bool {
		return m.options.Scope.Service(string(s)) && len(m.options.Scope.Applications) == 0
	}
	ofUs := !slices.ContainsFunc(e.Twins, func(s dedup.Sighting) bool { return !inside(s.Service) })
	e.Match = dedup.Match{
		Alert: e.Match.Alert, Relation: e.Match.Relation, Type: m.catalog.Resolve(n).Type(), Of: e.Match.Of, Evidence: e.Match.Evidence,
	}
	if !ofUs || len(e.Twins) == 0 {
		e.Match.Evidence = nil
	}
	e.Said = slices.DeleteFunc(e.Said, func(o formats.Notification) bool { return !m.options.Scope.Sees(string(o.Service), appOf(&o)) })
	e.Decision = policy.Decision{ManagedIn: e.Decision.ManagedIn}
	e.Twins, e.Part = nil, nil
}

// ownID is a limited model's ID of an alert: of the first notification that it saw. The stream's may be made of
// another service's.
func ownID(key dedup.EventKey, why string) dedup.AlertID {
	sum := sha256.Sum256([]byte("alert\x00" + why + "\x00" + string(key)))
	return dedup.AlertID(hex.EncodeToString(sum[:16]))
}
