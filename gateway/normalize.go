package gateway

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"runtime/debug"
	"time"
	"unicode/utf8"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/aadip"
	"github.com/sluice-siem/sluice/formats/cef"
	"github.com/sluice-siem/sluice/formats/mcas"
	"github.com/sluice-siem/sluice/formats/mdi"
	"github.com/sluice-siem/sluice/formats/syslog"
)

// normalize is [normalizer.normalize] for one message and no other.
func normalize(raw []byte, received time.Time) formats.Notification {
	return new(normalizer).normalize(raw, received)
}

// normalizer turns one message after the other into notifications.
type normalizer struct {
	event cef.Event // whose fields' room is used again
	text  []byte    // the same, of said
	sum   hash.Hash // the same, of digest; nil before the first
	broke error     // why the last message that broke a parser did, with the stack
}

// mostKept is how many fields there is room kept for. Only an attacker writes more.
const mostKept = 256

// normalize turns one message, as it was after unframing, into a notification. It never fails: what
// nobody understands is of kind unknown and has every byte in Raw, which normalize keeps a reference
// to. received is when the message arrived.
//
// Nor does a mistake of ours in a parser end the gateway, to which a sender that resends what wasn't acknowledged would bring the same
// message again and again: such a message is one that nobody understands, and z.broke says why.
func (z *normalizer) normalize(raw []byte, received time.Time) (n formats.Notification) {
	defer func() {
		if r := recover(); r != nil {
			*z = normalizer{broke: fmt.Errorf("%v\n%s", r, debug.Stack())}
			sum := sha256.Sum256(raw)
			n = formats.Notification{
				Service: formats.UnknownService, Kind: formats.Unknown, Channel: "syslog", Arrived: received, Content: [16]byte(sum[:16]), Raw: raw,
			}
		}
	}()
	return z.read(raw, received)
}

func (z *normalizer) read(raw []byte, received time.Time) formats.Notification {
	m, _ := syslog.Parse(raw, received) // an empty message is an unknown one
	payload := syslog.TrimEnd(raw[m.Body:])
	n := z.translate(payload, m)
	if n.Service == formats.UnknownService {
		envelope := payload
		if !utf8.Valid(envelope) {
			envelope = []byte(readable(envelope)) // or the decoding would damage what readable can read
		}
		var own func([]byte) bool
		if aadip.Mentions(envelope) {
			own = aadip.Wrote
		}
		if event, inner, ok := syslog.Unwrap(envelope, received, own); ok {
			if n = z.translate(event, inner); n.Service != formats.UnknownService {
				payload = event
			}
			if !inner.Time.IsZero() {
				m.Time = inner.Time
			}
		}
	}
	n.Channel = "syslog"
	n.Sent, n.Arrived = m.Time, received
	n.Payload, n.Raw = m.Body, raw
	n.Content = z.digest(n.Service, payload)
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
func (z *normalizer) translate(payload []byte, m syslog.Message) formats.Notification {
	unknown := formats.Notification{Service: formats.UnknownService, Kind: formats.Unknown}
	if len(payload) > 0 && payload[0] == '{' {
		n, err := aadip.Normalize([]byte(readable(payload)))
		if err != nil {
			unknown.Parsed = errors.Is(err, aadip.ErrForeign)
			return unknown
		}
		n.Parsed = true
		return n
	}
	if !m.StartsEvent(payload) || syslog.Several(payload) {
		return unknown
	}
	text := respelt(readable(payload))
	if cap(z.event.Extension) > mostKept {
		z.event.Extension = nil
	}
	if err := cef.ParseInto(&z.event, text); err != nil {
		return unknown
	}
	unknown.Parsed = true
	var n formats.Notification
	var err error
	switch {
	case mdi.Wrote(z.event):
		n, err = mdi.Normalize(z.event)
	case mcas.Wrote(z.event):
		n, err = mcas.Normalize(z.event)
	default:
		return unknown
	}
	if err != nil {
		return unknown
	}
	n.Parsed = true
	return n
}

// digest is that of what a notification of a service says, or of its payload where nobody can tell.
func (z *normalizer) digest(service formats.Service, payload []byte) [16]byte {
	if z.sum == nil {
		z.sum = sha256.New()
	}
	switch {
	case service == formats.IdentityProtection:
		payload = aadip.Unwrap(payload)
	case service != formats.UnknownService && len(z.event.Extension) > 0: // without one there may be text that isn't in the event
		z.sum.Reset()
		writeUnreceived(z.sum, z.said())
		return half(z.sum)
	}
	return digest(z.sum, payload)
}

// digest is the first half of the payload's SHA-256, without what may come and go with one and the same event: of CEF the
// tag and its version, the version of the program that wrote it, which sends the last days again when it is a new one, and
// what ArcSight's connectors write anew each time; of JSON the order of the members and the blanks between them. h is a
// SHA-256, whose room is used again.
func digest(h hash.Hash, payload []byte) (d [16]byte) {
	h.Reset()
	switch {
	case len(payload) > 0 && payload[0] == '{':
		h.Write(canonicalJSON(payload))
	default:
		head := payload[:min(len(payload), len("CEF: 00|"))]
		if bar, ok := cef.Start(string(head)); ok {
			payload = payload[bar:]
			product, rest := cutVersion(payload)
			h.Write(product)
			payload = rest
		}
		writeUnreceived(h, payload)
	}
	return half(h)
}

// half is the first half of h's sum.
func half(h hash.Hash) (d [16]byte) {
	var sum [sha256.Size]byte
	copy(d[:], h.Sum(sum[:0]))
	return d
}

// said is the last event as it was read, as its service writes it: whatever a relay has made of its letters, its keys and
// what stands between them. It is good until the next one.
func (z *normalizer) said() []byte {
	const most = 64 << 10 // bytes that there is room kept for
	if cap(z.text) > most {
		z.text = nil
	}
	b, e := z.text[:0], &z.event
	for _, field := range [...]string{e.Vendor, e.Product, e.Class, e.Name, e.Severity} {
		b = append(append(b, '|'), field...)
	}
	between := byte('|')
	for _, f := range e.Extension {
		b = append(append(b, between), f.Key...)
		b = append(append(b, '='), f.Value...)
		between = ' '
	}
	z.text = b
	return b
}

// writeUnreceived writes an event without the numbers and times of receipt of ArcSight's connectors.
func writeUnreceived(h hash.Hash, event []byte) {
	if !bytes.Contains(event, []byte(" art=")) { // which they always write
		h.Write(event)
		return
	}
	for word := range bytes.SplitAfterSeq(event, []byte{' '}) {
		field := word[bytes.LastIndexByte(word, '|')+1:]
		switch key, _, _ := bytes.Cut(field, []byte{'='}); string(key) {
		case "eventId", "art", "mrt":
			word = word[:len(word)-len(field)]
		}
		h.Write(word)
	}
}

// cutVersion cuts the third field, the device version, out of a header from its first bar on: what stands before it, and from
// the bar behind it on. Where there is none, before is empty.
func cutVersion(header []byte) (before, rest []byte) {
	at := 0
	for range 2 { // vendor and product
		end := bytes.IndexByte(header[at+1:], '|')
		if end < 0 {
			return nil, header
		}
		at += 1 + end
	}
	end := bytes.IndexByte(header[at+1:], '|')
	if end < 0 {
		return nil, header
	}
	return header[:at], header[at+1+end:]
}

// canonicalJSON has the members of each object in the order of their names and no blanks; it is the text itself where that
// isn't one JSON value.
func canonicalJSON(text []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return text
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return text
	}
	b, err := json.Marshal(v)
	if err != nil {
		return text
	}
	return b
}
