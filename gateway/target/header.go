package target

import (
	"errors"
	"strconv"
	"strings"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/syslog"
	"github.com/sluice-siem/sluice/gateway/render"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// envelope puts entries into syslog messages, and messages into frames.
type envelope struct {
	render  render.Func
	host    string
	app     string
	append  func(b []byte, h syslog.Header, body []byte) []byte
	labels  render.Labels
	counted bool // octet counting, RFC 6587 section 3.4.1
	limit   int  // bytes of a message; 0: any
	body    []byte
	message []byte
}

func newEnvelope(format, header, host string) (*envelope, error) {
	r, err := render.For(format)
	if err != nil {
		return nil, err
	}
	labels, err := render.LabelsFor(format)
	if err != nil {
		return nil, err
	}
	v := &envelope{render: r, host: host, app: "sluice", labels: labels}
	switch header {
	case "", "rfc5424":
		v.append = syslog.AppendRFC5424
	case "rfc3164":
		v.append = syslog.AppendRFC3164
		if strings.HasPrefix(format, "cef") || strings.HasPrefix(format, "leef") {
			v.app = "" // "CEF:" or "LEEF:" is the tag
		}
	default:
		return nil, errors.New("header " + strconv.Quote(header) + ": want rfc5424 or rfc3164")
	}
	return v, nil
}

// within is what a transport takes, or less where the configuration says so.
func within(most int, longest config.Size) int {
	if longest > 0 {
		return min(most, int(longest))
	}
	return most
}

// pack appends the entry's message, without a frame, to b.
func (v *envelope) pack(b []byte, e *stream.Entry) ([]byte, error) {
	h := v.header(e)
	limit := 0
	if v.limit > 0 {
		limit = v.limit - len(v.append(b[len(b):], h, nil))
	}
	var err error
	if v.body, err = v.render(v.body[:0], e, limit); err != nil {
		return b, err
	}
	return v.append(b, h, v.body), nil
}

// frame appends the entry's message in a frame to b.
func (v *envelope) frame(b []byte, e *stream.Entry) ([]byte, error) {
	var err error
	if v.message, err = v.pack(v.message[:0], e); err != nil {
		return b, err
	}
	if v.counted {
		b = strconv.AppendInt(b, int64(len(v.message)), 10)
		b = append(b, ' ')
		return append(b, v.message...), nil
	}
	b = append(b, v.message...) // without line ends inside: formats/syslog sees to it
	return append(b, '\n'), nil
}

// header says local0, the severity, when the message arrived here, and what kind it is.
func (v *envelope) header(e *stream.Entry) syslog.Header {
	const local0 = 16
	h := syslog.Header{
		Priority: local0*8 + priority(e.Notification.Severity),
		Time:     e.Notification.Arrived, Host: v.host, App: v.app, MsgID: string(e.Notification.Kind),
	}
	if h.Time.IsZero() {
		h.Time = e.Time
	}
	if e.Kind == stream.Link {
		h.MsgID = string(formats.Link)
	}
	for _, l := range v.labels.Of(e) {
		h.Data = append(h.Data, syslog.Param{Name: camel(l.Name), Value: l.Value})
	}
	return h
}

// priority maps to syslog's severities: critical, warning, notice, informational.
func priority(s formats.Severity) int {
	switch s {
	case formats.High:
		return 2
	case formats.Medium:
		return 4
	case formats.Low:
		return 5
	}
	return 6
}
