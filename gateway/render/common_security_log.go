package render

import (
	"math"
	"strings"

	"github.com/sluice-siem/sluice/formats/cef"
)

// appendCommonSecurityLog appends the line in the format common_security_log: a JSON object with the
// columns of Microsoft Sentinel's table CommonSecurityLog, which has a column for each key of CEF ("CEF and
// CommonSecurityLog field mapping"). It is the event of cef_rendered, column by column. ExternalID is a
// number, and no service's ID is one: these are in ExtID and FlexString1. What has no column is in
// AdditionalExtensions, as key=value;key=value, where a value can have no semicolon. The time of the event
// is in TimeGenerated, which Sentinel replaces after two days, and in DeviceCustomDate2.
func (l *line) appendCommonSecurityLog(b []byte) ([]byte, error) {
	w := &writer{b: append(b, '{'), longest: longestColumn}
	e := l.event()
	w.time("TimeGenerated", l.when())
	w.text("DeviceVendor", e.Vendor)
	w.text("DeviceProduct", e.Product)
	w.text("DeviceVersion", e.Device)
	w.text("DeviceEventClassID", e.Class)
	w.text("Activity", e.Name)
	w.text("LogSeverity", e.Severity)
	w.time("StartTime", l.Start)
	w.time("EndTime", l.End)
	w.time("ReceiptTime", l.Arrived)
	w.time("DeviceCustomDate2", l.when())
	w.text("DeviceCustomDate2Label", "eventTime")
	if l.Count > 0 {
		w.number("EventCount", int64(l.Count))
	}
	var rest []cef.Field
	for _, f := range e.Extension {
		switch column := columnOf(f.Key); {
		case f.Key == "cn1":
			w.number("DeviceCustomNumber1", int64(math.Round(l.Score.Points)))
		case f.Key == "deviceCustomDate1":
			w.time("DeviceCustomDate1", l.Raised)
		case column != "":
			w.text(column, f.Value)
		case f.Key != "rt" && f.Key != "start" && f.Key != "end" && f.Key != "cnt":
			rest = append(rest, f)
		}
	}
	w.text("AdditionalExtensions", additional(rest))
	return append(w.b, '}'), nil
}

// additional joins fields as AdditionalExtensions does.
func additional(fields []cef.Field) string {
	var b strings.Builder
	for _, f := range fields {
		if f.Value == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(';')
		}
		b.WriteString(f.Key + "=" + strings.ReplaceAll(f.Value, ";", ","))
	}
	return b.String()
}

// columnOf names the column of a key of CEF that event writes as text; empty if there is none.
func columnOf(key string) string {
	if name, ok := strings.CutSuffix(key, "Label"); ok {
		if column := columnOf(name); column != "" {
			return column + "Label"
		}
	}
	switch key {
	case "app":
		return "ApplicationProtocol"
	case "c6a2":
		return "DeviceCustomIPv6Address2"
	case "cat":
		return "DeviceEventCategory"
	case "cs1", "cs2", "cs3", "cs4", "cs5", "cs6":
		return "DeviceCustomString" + key[len("cs"):]
	case "cn1Label":
		return "DeviceCustomNumber1Label"
	case "destinationServiceName":
		return "DestinationServiceName"
	case "deviceCustomDate1":
		return "DeviceCustomDate1"
	case "externalId":
		return "ExtID"
	case "flexString1", "flexString2":
		return "FlexString" + key[len("flexString"):]
	case "msg":
		return "Message"
	case "outcome":
		return "EventOutcome"
	case "reason":
		return "Reason"
	case "requestClientApplication":
		return "RequestClientApplication"
	case "shost":
		return "SourceHostName"
	case "src":
		return "SourceIP"
	case "suid":
		return "SourceUserID"
	case "suser":
		return "SourceUserName"
	}
	return ""
}
