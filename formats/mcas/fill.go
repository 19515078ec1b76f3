package mcas

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/cef"
)

// fill copies the genuine fields to n.
func (f fields) fill(n *formats.Notification) {
	n.Start, n.End = instant(f.get("start")), instant(f.get("end"))
	if n.Raised.IsZero() && n.Kind == formats.Alert {
		n.Raised = instant(f.get("rt"))
	}
	n.Message = strings.TrimSpace(cef.Unescape(f.msg, cef.Standard))
	var label cef.Field
	for i := range f.all {
		field := f.all[i]
		v := strings.TrimSpace(field.Text(cef.Standard))
		switch field.Key {
		case "externalId", "start", "end", "msg":
			continue
		case "suser":
			// A domain's backslash may be unescaped, and then \n begins a name.
			addUser(n, strings.TrimSpace(field.Text(cef.Thin)))
		}
		if custom, ok := strings.CutSuffix(field.Key, "Label"); ok {
			label = cef.Field{Key: custom, Value: v}
			continue
		}
		if v == "" {
			continue
		}
		switch field.Key {
		case "suser":
		case "destinationServiceName":
			n.App = v
		case "dvc", "src", "c6a1":
			n.Addresses = append(n.Addresses, v)
		default:
			if label.Key != field.Key && place(field.Key) > place("requestClientApplication") {
				label = cef.Field{Key: field.Key, Value: f.label(field.Key)}
			}
			name := field.Key
			if label.Key == field.Key {
				name = cmp.Or(cef.Unquote(label.Value), name)
			}
			keep(n, name, v)
		}
	}
}

// label returns the label of a custom field, wherever it stands.
func (f fields) label(key string) string {
	for i := range f.all {
		if k, ok := strings.CutSuffix(f.all[i].Key, "Label"); ok && k == key {
			return strings.TrimSpace(f.all[i].Text(cef.Standard))
		}
	}
	return ""
}

// addUser sets the subject; of several the last is genuine. A name that ends in a dollar sign is a
// machine's account.
func addUser(n *formats.Notification, name string) {
	n.Accounts, n.Devices = nil, nil
	switch user := (formats.Entity{Name: name, Key: "suser"}); {
	case name == "":
	case strings.HasSuffix(name, "$"):
		n.Devices = append(n.Devices, user)
	default:
		n.Accounts = append(n.Accounts, user)
	}
}

// keep puts a value that has no place of its own into n.URL or n.Extra.
func keep(n *formats.Notification, name, v string) {
	const most = 64 // more than the service writes
	if name == "portalURL" && n.URL == "" {
		n.URL = strings.ReplaceAll(v, `\:`, ":")
		return
	}
	if n.Extra == nil {
		n.Extra = make(map[string]string, 4)
	}
	if len(n.Extra) < most {
		n.Extra[name] = v
	}
}

// instant reads epoch milliseconds, as the service writes them, or an RFC 3339 time; the zero time if
// it is neither or nowhere near our time.
func instant(s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil {
		return plausible(time.UnixMilli(ms))
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return plausible(t)
}

// plausible returns t in UTC, or the zero time if it is before 2010 or after 2100.
func plausible(t time.Time) time.Time {
	const from, to = 1262304000, 4133980800 // 2010 and 2101 begin
	if s := t.Unix(); s < from || s >= to {
		return time.Time{}
	}
	return t.UTC()
}
