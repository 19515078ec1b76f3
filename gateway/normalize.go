package gateway

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/aadip"
	"github.com/sluice-siem/sluice/formats/cef"
	"github.com/sluice-siem/sluice/formats/mcas"
	"github.com/sluice-siem/sluice/formats/mdi"
	"github.com/sluice-siem/sluice/formats/syslog"
)

// normalize turns one message, as it was after unframing, into a notification. It never fails: what
// nobody understands is of kind unknown and has every byte in Raw, which normalize keeps a reference
// to. received is when the message arrived.
func normalize(raw []byte, received time.Time) formats.Notification {
	m, _ := syslog.Parse(raw, received) // an empty message is an unknown one
	payload := bytes.TrimRight(raw[m.Body:], "\r\n\x00 \t")
	n := translate(payload, m)
	n.Channel = "syslog"
	n.Sent, n.Arrived = m.Time, received
	n.Payload, n.Raw = m.Body, raw
	n.Content = digest(payload)
	bound(&n)
	return n
}

// disbelieve makes of a notification, whose sender may not speak for its service, a message that is kept
// and not understood. As it isn't parsed either, no target shows it as that service's own.
func disbelieve(n *formats.Notification) formats.Notification {
	return formats.Notification{
		Service: formats.UnknownService, Kind: formats.Unknown, Claims: n.Service,
		Channel: n.Channel, Sent: n.Sent, Arrived: n.Arrived, Content: n.Content, Payload: n.Payload, Raw: n.Raw,
	}
}

// translate is where services are told apart: by vendor and product of a CEF event, and by the
// members of a JSON object.
func translate(payload []byte, m syslog.Message) formats.Notification {
	unknown := formats.Notification{Service: formats.UnknownService, Kind: formats.Unknown}
	if len(payload) > 0 && payload[0] == '{' {
		n, err := aadip.Normalize(payload)
		if err != nil {
			unknown.Parsed = errors.Is(err, aadip.ErrForeign)
			return unknown
		}
		n.Parsed = true
		return n
	}
	if !m.StartsEvent(payload) {
		return unknown
	}
	text := string(payload)
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\ufffd") // it goes out as JSON; Raw keeps the bytes
	}
	e, err := cef.Parse(text)
	if err != nil {
		return unknown
	}
	unknown.Parsed = true
	var n formats.Notification
	switch {
	case mdi.Wrote(e):
		n, err = mdi.Normalize(e)
	case mcas.Wrote(e):
		n, err = mcas.Normalize(e)
	default:
		return unknown
	}
	if err != nil {
		return unknown
	}
	n.Parsed = true
	return n
}

// digest is the first half of the payload's SHA-256, without what may come and go with the framing of
// one and the same event: "CEF:" and the version.
func digest(payload []byte) (d [16]byte) {
	head := payload[:min(len(payload), len("CEF: 00|"))]
	if bar, ok := cef.Start(string(head)); ok {
		payload = payload[bar:]
	}
	sum := sha256.Sum256(payload)
	copy(d[:], sum[:])
	return d
}
