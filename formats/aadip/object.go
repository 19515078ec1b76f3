package aadip

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/formats"
)

// object is a JSON object whose members are read when asked for, by their exact names: decoding into
// a struct would take ID for id. Of a repeated member the last counts.
type object map[string]json.RawMessage

// Bounds of what is read. Graph nests a security alert six levels deep; evidence is capped because an
// alert with more would be no less an alert.
const (
	maxDepth = 32
	maxItems = 100
)

// parse reads one JSON object and nothing behind it, a row of Azure Monitor's table as the object that it was made of.
func parse(b []byte) (object, error) {
	b = bytes.Trim(b, " \t\r\n") // what JSON calls blank, and no more
	if len(b) == 0 || b[0] != '{' {
		return nil, errors.New("no object")
	}
	if tooDeep(b) {
		return nil, errors.New("nested too deeply")
	}
	var o object
	if err := json.Unmarshal(b, &o); err != nil {
		return nil, err
	}
	if o["RiskEventType"] != nil && o["riskEventType"] == nil {
		return column(o), nil
	}
	return o, nil
}

// column gives the columns of Azure Monitor's table of these detections, AADUserRiskEvents, the names of the members that they
// are made of. Names that differ only in that letter are not of one table: the column's counts.
func column(row object) object {
	o := make(object, len(row))
	for name, value := range row {
		if name != "" && 'A' <= name[0] && name[0] <= 'Z' {
			o[strings.ToLower(name[:1])+name[1:]] = value
		}
	}
	return o
}

// Mentions tells at little cost whether there may be an object of this service somewhere in a JSON text, such as in the envelope
// of a log shipper.
func Mentions(text []byte) bool {
	for _, name := range [...]string{"iskEventType", "vendorInformation", "serviceSource"} {
		if bytes.Contains(text, []byte(name)) {
			return true
		}
	}
	return false
}

// Unwrap returns the object of which the JSON object b is only the envelope, so that it is the same in whatever envelope it
// comes: the properties of Azure Monitor's record of the category UserRiskEvents, and the one object of a list (Graph's value,
// Azure Monitor's records). Otherwise, and where b is no object, it returns b.
func Unwrap(b []byte) []byte {
	inner, _ := unwrap(b)
	return inner
}

// unwrap is Unwrap, and tells the tenant, which only Azure Monitor's record does.
func unwrap(b []byte) (inner []byte, tenant string) {
	if !bytes.Contains(b, []byte(`"value"`)) && !bytes.Contains(b, []byte(`"records"`)) && !bytes.Contains(b, []byte(`"properties"`)) {
		return b, "" // at a fraction of the cost
	}
	o, err := parse(b)
	if err != nil {
		return b, ""
	}
	for _, list := range [...]string{"value", "records"} {
		var items []json.RawMessage
		if o.text("id") != "" || json.Unmarshal(o[list], &items) != nil || len(items) != 1 {
			continue
		}
		if inner, err := parse(items[0]); err == nil {
			b, o = items[0], inner
		}
	}
	if o.text("category") != "UserRiskEvents" {
		return b, ""
	}
	p := []byte(o["properties"])
	if text := o.text("properties"); text != "" { // as some exports write it
		p = []byte(text)
	}
	if len(p) > 0 && p[0] == '{' {
		return p, o.text("tenantId")
	}
	return b, ""
}

// tooDeep counts brackets outside strings.
func tooDeep(b []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// text returns the member if it is a string.
func (o object) text(name string) string {
	var s string
	if raw := o[name]; len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// time returns the member if it is a time.
func (o object) time(name string) time.Time { return instant(o.text(name)) }

// child returns the member if it is an object; no object has no members.
func (o object) child(name string) object {
	var c object
	if json.Unmarshal(o[name], &c) != nil {
		return nil
	}
	return c
}

// objects returns the objects of a list.
func (o object) objects(name string) []object {
	var raw []json.RawMessage
	if json.Unmarshal(o[name], &raw) != nil {
		return nil
	}
	var list []object
	for _, r := range raw[:min(len(raw), maxItems)] {
		var c object
		if json.Unmarshal(r, &c) == nil && c != nil {
			list = append(list, c)
		}
	}
	return list
}

// list returns the strings of a list, none if there is anything else in it.
func (o object) list(name string) []string {
	var l []string
	if json.Unmarshal(o[name], &l) != nil {
		return nil
	}
	return l
}

// keep copies members that are strings to n.Extra.
func (o object) keep(n *formats.Notification, names ...string) {
	for _, name := range names {
		add(n, name, o.text(name))
	}
}

// add adds a field that nothing of n holds, where there is one.
func add(n *formats.Notification, key, value string) {
	if value == "" {
		return
	}
	if n.Extra == nil {
		n.Extra = map[string]string{}
	}
	n.Extra[key] = value
}
