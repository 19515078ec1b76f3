package render

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/catalog"
	"github.com/sluice-siem/sluice/formats/cef"
	"github.com/sluice-siem/sluice/formats/syslog"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// The header of events that no service wrote as CEF.
const (
	ourName    = "Sluice" // vendor and product
	ourVersion = "1"
)

// AppendCEF appends e as one CEF event on one line, without its end; who renders many uses [For]. An
// event that a service wrote as CEF keeps vendor, product, version, class, name and severity, and the
// fields that the service itself wrote, each once; what it doesn't escape itself is escaped. All events
// gain ours: cs5 (sluiceAlertId), cs6 (sluiceTwin), sluiceTwinUrl, sluiceTechniques, sluiceManagedIn,
// sluiceReason, sluiceEventKey, sluiceRiskScore with its bounded value, time and user, in shadow mode sluiceWould, and sluiceClaims
// where the sender may not speak for that service; a sender's fields of these names are removed.
func AppendCEF(b []byte, e *stream.Entry) ([]byte, error) { return appendOne("cef", b, e) }

// cefRenderer renders one entry after the other, for one target: what it has room for is used again.
type cefRenderer struct {
	catalog *catalog.Catalog
	parsed  cef.Event
	written written
	fields  []cef.Field // what the SIEM gets
}

// mostKept is how many fields the renderer keeps room for. Only an attacker writes more.
const mostKept = 256

// append is a [Func]. An event that is longer than the limit loses the end of msg, then of all
// values, then its last fields; of ours, which are never lost, at last the ends of long values, such as the list of twins.
func (r *cefRenderer) append(b []byte, e *stream.Entry, limit int) ([]byte, error) {
	if max(cap(r.parsed.Extension), cap(r.fields)) > mostKept {
		*r = cefRenderer{catalog: r.catalog}
	}
	ev := r.event(e)
	theirs := withoutOurs(ev.Extension, e)
	n := len(theirs)
	r.fields = r.appendOurs(append(r.fields[:0], theirs...), e) // that they begin with already, or a few
	ours := r.fields[n:]
	theirs = r.fields[:n:n]
	ev.Extension = r.fields
	for _, step := range [...]struct{ msg, value, fields, ours int }{
		{}, // whole
		{msg: 32 << 10},
		{msg: 8 << 10},
		{msg: 2 << 10},
		{msg: 1 << 10, value: 1 << 10},
		{msg: 256, value: 256},
		{msg: 64, value: 64, fields: 32},
		{msg: 64, value: 64, fields: 8, ours: 128},
	} {
		if step.msg > 0 {
			ev.Extension = append(shortened(theirs, step.msg, step.value, step.fields), shortened(ours, 0, step.ours, 0)...)
		}
		if step.value > 0 {
			ev.Class, ev.Name = cut(ev.Class, step.value), cut(ev.Name, step.value)
			ev.Vendor, ev.Product, ev.Device = cut(ev.Vendor, step.value), cut(ev.Product, step.value), cut(ev.Device, step.value)
			ev.Severity = cut(ev.Severity, step.value)
		}
		out, err := ev.AppendText(b)
		if err != nil {
			return b, fmt.Errorf("render as cef: %w", err)
		}
		if limit == 0 || len(out)-len(b) <= limit {
			return out, nil
		}
	}
	return b, errors.New("it can't be shortened enough")
}

// shortened gives the fields with their values cut, in a copy; 0 cuts nothing.
func shortened(fields []cef.Field, msg, value, most int) []cef.Field {
	if most > 0 && len(fields) > most {
		fields = fields[:most]
	}
	out := slices.Clone(fields)
	for i := range out {
		switch {
		case out[i].Key == "msg" && msg > 0:
			out[i].Value = cut(out[i].Value, msg)
		case value > 0:
			out[i].Value = cut(out[i].Value, value)
		}
	}
	return out
}

// event is what a SIEM gets of an entry, before our fields. Values are plain text.
func (r *cefRenderer) event(e *stream.Entry) cef.Event {
	n := &e.Notification
	if e.Kind == stream.Link || n.Kind == formats.Link {
		return linkEvent(e)
	}
	if n.Service == formats.Sluice && n.Kind == formats.Alert {
		return plainEvent(n, ourName, ourName)
	}
	if n.Service == formats.Sluice || n.Kind == formats.Silence {
		return ourEvent(e)
	}
	if n.Parsed && n.Payload >= 0 && n.Payload <= len(n.Raw) {
		payload := asText(content(n.Service, n.Raw[n.Payload:], n.Arrived))
		if err := cef.ParseInto(&r.parsed, payload); err == nil && (r.parsed.Vendor != "" || r.parsed.Product != "") {
			return r.forward(n, payload)
		}
	}
	if n.Service == formats.IdentityProtection {
		return plainEvent(n, "Microsoft", "Azure AD Identity Protection")
	}
	return unknownEvent(n)
}

// content is a message behind its header, out of the envelope of a log shipper as it was read there. Identity Protection's own
// JSON is none, whatever somebody wrote into it.
func content(s formats.Service, payload []byte, arrived time.Time) []byte {
	payload = bytes.TrimRight(payload, "\r\n\x00")
	if s == formats.IdentityProtection {
		return payload
	}
	if event, _, ok := syslog.Unwrap(syslog.TrimEnd(payload), arrived, nil); ok {
		return event
	}
	return payload
}

// asText is b as a string without a copy, which would be what rendering costs most for. An entry's
// bytes never change: the stream hands it to all targets. After the rendering nobody looks at it.
func asText(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// forward is the event that was parsed, of the payload, as it goes on to a SIEM.
func (r *cefRenderer) forward(n *formats.Notification, payload string) cef.Event {
	ev := r.parsed
	if !digits(ev.Version) {
		ev.Version = ""
	}
	if !severity(ev.Severity) {
		// The header is not what its columns say, and so the extension may not be found: keep the text.
		ev.Severity = rank(n.Severity)
		ev.Extension = once(r.written.appendFolded([]cef.Field{{Key: "msg", Value: payload}}, ev))
		return ev
	}
	switch n.Service {
	case formats.DefenderForIdentity, formats.CloudAppSecurity:
		r.fields = r.written.appendGenuine(r.fields[:0], n, ev.Extension)
	default:
		r.fields = r.written.appendFolded(r.fields[:0], ev)
	}
	ev.Extension = r.fields
	return ev
}

// severity says whether s is one that CEF knows: 0 to 10, or a word.
func severity(s string) bool {
	if len(s) == 1 && '0' <= s[0] && s[0] <= '9' {
		return true // as nearly all are
	}
	if n, err := strconv.Atoi(s); err == nil {
		return n >= 0 && n <= 10
	}
	return slices.ContainsFunc([]string{"Unknown", "Low", "Medium", "High", "Very-High"}, func(w string) bool {
		return strings.EqualFold(s, w)
	})
}

func digits(s string) bool {
	_, err := strconv.ParseUint(s, 10, 8)
	return err == nil && len(s) <= 2
}

// plainEvent is a detection of a service that doesn't write CEF: Identity Protection writes JSON, and so do we.
func plainEvent(n *formats.Notification, vendor, product string) cef.Event {
	f := []cef.Field{}
	add := func(key, value string) { f = append(f, cef.Field{Key: key, Value: value}) }
	if len(n.ID) <= longestValue("externalId") {
		add("externalId", n.ID)
	} else { // as Identity Protection's are: a reader would cut it, and then it names nothing
		add("flexString1Label", "notificationId")
		add("flexString1", n.ID)
	}
	add("start", millis(n.Start))
	add("end", millis(n.End))
	add("rt", millis(n.Raised))
	for _, user := range n.Accounts[:min(1, len(n.Accounts))] {
		add("suser", user.Name)
	}
	for _, host := range n.Devices[:min(1, len(n.Devices))] {
		add("shost", host.Name)
	}
	for _, address := range n.Addresses[:min(1, len(n.Addresses))] {
		if ip, err := netip.ParseAddr(address); err == nil && ip.Unmap().Is4() {
			add("src", ip.Unmap().String())
		} else if err == nil {
			add("c6a2Label", "Source IPv6 Address")
			add("c6a2", address)
		}
	}
	add("destinationServiceName", n.App)
	add("msg", n.Message)
	if n.URL != "" {
		add("cs1Label", "url")
		add("cs1", n.URL)
	}
	for _, key := range slices.Sorted(maps.Keys(n.Extra)) {
		if name := keyName(key); name != "" {
			add("ad."+name, n.Extra[key]) // CEF's name space for whatever it has no key for
		}
	}
	return cef.Event{
		Vendor: vendor, Product: product, Device: ourVersion,
		Class: n.Type, Name: n.Title, Severity: rank(n.Severity), Extension: once(f),
	}
}

// unknownEvent is a message that nobody understood, as text, and exactly where it is no text.
func unknownEvent(n *formats.Notification) cef.Event {
	f := []cef.Field{
		{Key: "rt", Value: millis(n.Arrived)},
		{Key: "msg", Value: string(bytes.TrimRight(n.Raw, "\r\n\x00"))},
	}
	if !utf8.Valid(n.Raw) {
		f = append(f, cef.Field{Key: "flexString1Label", Value: "base64"},
			cef.Field{Key: "flexString1", Value: base64.StdEncoding.EncodeToString(n.Raw)})
	}
	class, name := "unknown", "Message not understood"
	if n.Claims != "" {
		class, name = "impostor", "Message of a sender that may not speak for its service"
	}
	return cef.Event{
		Vendor: ourName, Product: ourName, Device: ourVersion,
		Class: class, Name: name, Severity: rank(n.Severity), Extension: f,
	}
}

// linkEvent is our own: the notifications in e.Twins are one alert, or no longer are.
func linkEvent(e *stream.Entry) cef.Event {
	ev := cef.Event{
		Vendor: ourName, Product: ourName, Device: ourVersion,
		Class: "link", Name: "Two notifications are one alert", Severity: "1",
	}
	if e.Decision.Reason == policy.Separated {
		ev.Class, ev.Name = "separated", "Two notifications taken for one alert are two"
	}
	ev.Extension = []cef.Field{{Key: "rt", Value: millis(e.Time)}, {Key: "msg", Value: e.Notification.Message}}
	for i, s := range e.Twins[:min(4, len(e.Twins))] { // cs1 to cs4
		if s.URL != "" {
			key := "cs" + strconv.Itoa(i+1)
			ev.Extension = append(ev.Extension, cef.Field{Key: key + "Label", Value: string(s.Service) + " url"},
				cef.Field{Key: key, Value: s.URL})
		}
	}
	return ev
}

// ourEvent is any other event of our own, such as that a service has gone silent: what is in it is our own
// word, and no message stands behind it.
func ourEvent(e *stream.Entry) cef.Event {
	n := &e.Notification
	f := []cef.Field{{Key: "rt", Value: millis(e.Time)}}
	if !n.Start.IsZero() {
		f = append(f, cef.Field{Key: "start", Value: millis(n.Start)})
	}
	f = append(f, cef.Field{Key: "msg", Value: n.Message})
	if n.Kind == formats.Silence {
		f = append(f, cef.Field{Key: "cs1Label", Value: "silentService"}, cef.Field{Key: "cs1", Value: string(n.Origin)})
	}
	return cef.Event{
		Vendor: ourName, Product: ourName, Device: ourVersion,
		Class: cmp.Or(n.Type, string(n.Kind)), Name: cmp.Or(n.Title, "Event of Sluice"), Severity: rank(n.Severity), Extension: f,
	}
}

// appendOurs appends what every event gains.
func (r *cefRenderer) appendOurs(f []cef.Field, e *stream.Entry) []cef.Field {
	if e.Match.Alert != "" {
		f = append(f, cef.Field{Key: "cs5Label", Value: "sluiceAlertId"}, cef.Field{Key: "cs5", Value: string(e.Match.Alert)})
	}
	if len(e.Twins) > 0 {
		twins := make([]string, 0, len(e.Twins))
		for _, s := range e.Twins[:min(16, len(e.Twins))] {
			twins = append(twins, string(s.Service)+":"+cut(s.ID, 256))
		}
		f = append(f, cef.Field{Key: "cs6Label", Value: "sluiceTwin"}, cef.Field{Key: "cs6", Value: strings.Join(twins, ",")},
			cef.Field{Key: "sluiceTwinUrl", Value: cut(e.Twins[0].URL, 1024)})
	}
	f = appendScore(f, e.Score)
	return append(f,
		cef.Field{Key: "sluiceTechniques", Value: techniqueList(r.catalog.Attack(&e.Notification, e.Match.Type).Techniques)},
		cef.Field{Key: "sluiceManagedIn", Value: string(e.Decision.ManagedIn)},
		cef.Field{Key: "sluiceReason", Value: string(e.Decision.Reason)},
		cef.Field{Key: "sluiceWould", Value: past(e.Decision.Would)},
		cef.Field{Key: "sluiceClaims", Value: string(e.Notification.Claims)},
		cef.Field{Key: "sluiceEventKey", Value: string(e.Key)},
	)
}

// withoutOurs drops a sender's fields that would stand beside ours or pretend to be ours. It works in
// place.
func withoutOurs(theirs []cef.Field, e *stream.Entry) []cef.Field {
	const brand = "sluice"
	alert, twins := e.Match.Alert != "", len(e.Twins) > 0
	branded := func(s string) bool { return len(s) >= len(brand) && strings.EqualFold(s[:len(brand)], brand) }
	return slices.DeleteFunc(theirs, func(f cef.Field) bool {
		if branded(f.Key) {
			return true
		}
		custom := strings.TrimSuffix(f.Key, "Label")
		switch custom { // what stands in appendOurs without the brand
		case "cs5", "cs5Label":
			if alert {
				return true
			}
		case "cs6", "cs6Label":
			if twins {
				return true
			}
		}
		return f.Key != custom && len(f.Value) > len(brand) && branded(f.Value)
	})
}

// techniqueList is the numbers of techniques in one text.
func techniqueList(techniques []catalog.Technique) string {
	if len(techniques) == 0 {
		return ""
	}
	numbers := make([]string, len(techniques))
	for i := range techniques {
		numbers[i] = techniques[i].ID
	}
	return strings.Join(numbers, ",")
}

// millis is a time as CEF prefers it, epoch milliseconds; empty for none.
func millis(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.UnixMilli(), 10)
}

// rank is a severity on CEF's scale, as Defender for Identity uses it.
func rank(s formats.Severity) string {
	ranks := [...]string{"0", "1", "3", "5", "10"}
	if int(s) < len(ranks) {
		return ranks[s]
	}
	return "0"
}

// keyName keeps of a JSON key what a CEF key may have.
func keyName(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '.' || r == '_' {
			return r
		}
		return -1
	}, cut(s, 64))
}
