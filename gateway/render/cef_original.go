package render

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/cef"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// originalRenderer renders the format cef_original: the CEF event as its service wrote it, every byte of
// it, for whoever has rules for these. It has nothing of ours, neither the alert's ID nor the event key nor
// the twin, which are [Labels] of the transport's header, and a reader may take text of a name or of msg for fields,
// as it could before there was Sluice.
//
// What no service wrote as one line of CEF, what is longer than the limit, and an alert given back from a
// pairing are rendered as in the format cef. "CEF:" is put before an event whose sender wrote it into the
// syslog header, as Defender for Identity does.
type originalRenderer struct{ cef cefRenderer }

// append is a [Func].
func (r *originalRenderer) append(b []byte, e *stream.Entry, limit int) ([]byte, error) {
	text, ok := original(e)
	const start = "CEF:"
	text = strings.TrimPrefix(text, start)
	if !ok || limit > 0 && len(start)+len(text) > limit {
		return r.cef.append(b, e, limit)
	}
	return append(append(b, start...), text...), nil
}

// original gives the event that a service wrote as CEF, if it is one and nobody can take it for several
// messages or for anything but text.
func original(e *stream.Entry) (string, bool) {
	n := &e.Notification
	fromService := n.Service == formats.DefenderForIdentity || n.Service == formats.CloudAppSecurity
	if !fromService || !n.Parsed || n.Kind == formats.Link || e.Kind == stream.Link || e.Kind == stream.Undo ||
		n.Payload < 0 || n.Payload > len(n.Raw) {
		return "", false
	}
	text := strings.TrimPrefix(asText(bytes.TrimRight(n.Raw[n.Payload:], "\r\n\x00")), "\ufeff")
	for i, r := range text {
		if breaking(r) || r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd") {
			return "", false
		}
	}
	ev, err := cef.Parse(text)
	return text, err == nil && !ev.Shifted && ev.Version != "" && digits(ev.Version) && severity(ev.Severity)
}

// breaking tells the characters at which some reader ends a line, and those that a terminal obeys.
func breaking(r rune) bool {
	return r < ' ' || 0x7f <= r && r < 0xa0 || r == '\u2028' || r == '\u2029'
}
