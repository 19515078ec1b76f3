package mcas

import (
	"cmp"
	"strings"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/cef"
)

// fill copies the genuine fields to n.
func (f fields) fill(n *formats.Notification) {
	n.Start, n.End = cef.Time(f.get("start")), cef.Time(f.get("end"))
	if n.Raised.IsZero() && n.Kind == formats.Alert {
		n.Raised = cef.Time(f.get("rt"))
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
	if strings.EqualFold(name, "portalURL") && n.URL == "" {
		n.URL = strings.ReplaceAll(v, `\:`, ":")
		return
	}
	for _, usual := range [...]string{"policyIDs", "targetObjects", "uniqueServiceAppIds"} { // which others ask for by their names
		if strings.EqualFold(name, usual) {
			name = usual
		}
	}
	if n.Extra == nil {
		n.Extra = make(map[string]string, 4)
	}
	if len(n.Extra) < most {
		n.Extra[name] = v
	}
}
