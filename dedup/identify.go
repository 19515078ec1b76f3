package dedup

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats"
)

// Key names a notification that arrived at a time of the decider's clock, which is never twice the
// same, so that two messages with equal bytes have two keys.
func Key(n *formats.Notification, at time.Time) EventKey {
	sum := digest("event", n, at)
	return EventKey(hex.EncodeToString(sum[:]))
}

// newAlertID names the alert whose first notification is n.
func newAlertID(n *formats.Notification, at time.Time) AlertID {
	sum := digest("alert", n, at)
	return AlertID(hex.EncodeToString(sum[:]))
}

func digest(purpose string, n *formats.Notification, at time.Time) [16]byte {
	var usual [256]byte // on the stack
	b := usual[:0]
	for _, s := range [...]string{purpose, string(n.Service), n.Channel, string(n.Kind), n.ID} {
		b = appendField(b, s)
	}
	b = append(b, n.Content[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(at.UnixNano()))
	sum := sha256.Sum256(b)
	return [16]byte(sum[:16])
}

// appendField appends s so that no two lists of fields give the same bytes.
func appendField(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

// Counterparts lists the services that may notify n's alert too: those that show the alerts of its
// service, or the one whose alert n shows. There is none for what only one service can report, and
// none where a service is disabled.
func Counterparts(services config.Services, n *formats.Notification) []formats.Service {
	if n.Kind != formats.Alert || !services.Enabled(string(n.Service)) {
		return nil
	}
	var out []formats.Service
	for _, shower := range services.ShownBy(string(n.Origin)) {
		switch {
		case formats.Service(shower) == n.Service && services.Enabled(string(n.Origin)):
			out = append(out, n.Origin)
		case n.Origin == n.Service && services.Enabled(shower):
			out = append(out, formats.Service(shower))
		}
	}
	return out
}
