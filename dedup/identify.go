package dedup

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
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
	h := sha256.New()
	for _, s := range []string{purpose, string(n.Service), n.Channel, string(n.Kind), n.ID} {
		field(h, s)
	}
	h.Write(n.Content[:])
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(at.UnixNano())))
	return [16]byte(h.Sum(nil))
}

// field writes s so that no two lists of fields give the same bytes.
func field(w io.Writer, s string) {
	_, _ = w.Write(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) // a hash never fails
	_, _ = io.WriteString(w, s)
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
