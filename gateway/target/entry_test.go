package target

import (
	"time"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/mcas"
	"github.com/sluice-siem/sluice/formats/syslog"

	"github.com/sluice-siem/sluice/formats/cef"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

var arrived = time.Date(2031, 5, 6, 7, 8, 9, 123456000, time.UTC)

// received is the entry of a message that was forwarded: an activity of Cloud App Security, or something
// that nobody understood.
func received(raw []byte) stream.Entry {
	n := formats.Notification{Service: formats.UnknownService, Kind: formats.Unknown}
	if m, err := syslog.Parse(raw, arrived); err == nil {
		if e, err := cef.Parse(string(raw[m.Body:])); err == nil {
			if mcas.Wrote(e) {
				n, _ = mcas.Normalize(e)
			}
			n.Parsed = true
		}
		n.Sent, n.Payload = m.Time, m.Body
	}
	n.Channel, n.Arrived, n.Raw = "syslog", arrived, raw
	return stream.Entry{
		Kind: stream.Notification, Time: arrived.Add(time.Second), Key: "e5f60718293a4b5c6d7e8f9011223344", Input: "front",
		Notification: n, Decision: policy.Decision{Action: "forward", Reason: policy.ByKind},
	}
}
