package target

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/cef"
)

// genuine gives the fields of an event of a service whose dialect we know, as plain text: each key
// once, in the order of the message, and only with the value that the dialect's translator took for
// genuine. A key that it found nothing genuine for was text of somebody's name or msg, and is there.
func genuine(n *formats.Notification, ext []cef.Field) []cef.Field {
	w := newWritten(n, ext)
	out := make([]cef.Field, 0, len(ext)+ownFields)
	for i, f := range ext {
		if strings.HasSuffix(f.Key, "Label") || !w.first(i) {
			continue
		}
		label, value := w.pick(f.Key, w.values(f.Key))
		if value == "" {
			continue
		}
		if label != "" {
			out = append(out, cef.Field{Key: w.labelKey(f.Key), Value: label})
		}
		out = append(out, cef.Field{Key: f.Key, Value: value})
	}
	return out
}

// written is what the message has, before it is known what of it the service wrote.
type written struct {
	n     *formats.Notification
	ext   []cef.Field
	texts []string         // of the fields, plain
	at    map[string][]int // by the key; nil where looking through all fields is cheaper
}

// few is how many fields are rather looked through: more than any service writes, and an attacker's
// thousands don't cost their square.
const few = 40

func newWritten(n *formats.Notification, ext []cef.Field) *written {
	w := &written{n: n, ext: ext, texts: make([]string, len(ext))}
	if len(ext) > few {
		w.at = make(map[string][]int, len(ext))
	}
	for i, f := range ext {
		w.texts[i] = strings.TrimSpace(f.Text(w.dialect()))
		if w.at != nil {
			w.at[f.Key] = append(w.at[f.Key], i)
		}
	}
	return w
}

// first tells whether field i is the first of its key.
func (w *written) first(i int) bool {
	if w.at != nil {
		return w.at[w.ext[i].Key][0] == i
	}
	return !slices.ContainsFunc(w.ext[:i], func(f cef.Field) bool { return f.Key == w.ext[i].Key })
}

// values are the texts of all fields with that key.
func (w *written) values(key string) []string {
	if w.at != nil {
		var out []string
		for _, i := range w.at[key] {
			out = append(out, w.texts[i])
		}
		return out
	}
	return w.having(func(k string) bool { return k == key })
}

// labels are the texts of all labels of that key.
func (w *written) labels(key string) []string {
	if w.at != nil {
		return w.values(key + "Label")
	}
	return w.having(func(k string) bool { return labels(k, key) })
}

// labels tells whether label is that of the key.
func labels(label, key string) bool {
	return len(label) == len(key)+len("Label") && strings.HasPrefix(label, key) && strings.HasSuffix(label, "Label")
}

// labelKey is the key of a key's label.
func (w *written) labelKey(key string) string {
	if w.at == nil {
		for i := range w.ext {
			if labels(w.ext[i].Key, key) {
				return w.ext[i].Key // without making a string
			}
		}
	}
	return key + "Label"
}

// having are the texts of the fields whose key passes; of one, which is usual, without a copy.
func (w *written) having(pass func(key string) bool) []string {
	var out []string
	for i := range w.ext {
		switch {
		case !pass(w.ext[i].Key):
		case out == nil:
			out = w.texts[i : i+1 : i+1]
		default:
			out = append(out, w.texts[i])
		}
	}
	return out
}

// dialect is how the service escapes.
func (w *written) dialect() cef.Dialect {
	if w.n.Service == formats.DefenderForIdentity {
		return cef.Thin
	}
	return cef.Standard
}

// pick returns the genuine value of a key, and the label of a custom one; empty if it has none.
func (w *written) pick(key string, values []string) (label, value string) {
	n := w.n
	cloud := n.Service == formats.CloudAppSecurity
	switch key {
	case "msg":
		return "", n.Message
	case "start":
		return "", w.instant(values, n.Start)
	case "end":
		return "", w.instant(values, n.End)
	case "cnt":
		if n.Count > 0 {
			return "", strconv.Itoa(n.Count)
		}
	case "externalId":
		if !cloud {
			return "", n.Type
		}
		for _, v := range values { // in the service's spelling, where ours is another
			if n.ID != "" && strings.HasSuffix(strings.ToLower(v), strings.ToLower(n.ID)) {
				return "", v
			}
		}
		return "", n.ID
	case "destinationServiceName":
		if cloud {
			return "", n.App
		}
	case "src", "dvc", "c6a1":
		for _, v := range values {
			if slices.Contains(n.Addresses, v) {
				return w.label(key), v
			}
		}
	}
	if v := w.entity(key); v != "" {
		return "", v
	}
	if v := n.Extra[key]; v != "" {
		return "", v
	}
	return w.custom(key)
}

// custom returns the value of a custom string or number, which the normal form keeps by its label.
// Of repeated labels the last is tried first, for what an attacker writes stands in msg, before them.
func (w *written) custom(key string) (label, value string) {
	for _, label := range slices.Backward(w.labels(key)) {
		name := strings.Trim(label, "\"'“”„‟ ")
		switch strings.ToLower(name) {
		case "url", "portalurl":
			value = w.n.URL
		default:
			if value = w.n.Extra[name]; value == "" {
				value = w.entity(name)
			}
		}
		if value != "" {
			return name, value
		}
	}
	return "", ""
}

// label returns what stands in the label of a key that needs none to be understood.
func (w *written) label(key string) string {
	if labels := w.labels(key); len(labels) > 0 {
		return strings.Trim(labels[len(labels)-1], "\"'“”„‟ ")
	}
	return ""
}

// entity returns the account or device that this field named.
func (w *written) entity(key string) string {
	for _, list := range [...][]formats.Entity{w.n.Accounts, w.n.Devices} {
		for _, e := range list {
			if e.Key == key {
				return e.Name
			}
		}
	}
	return ""
}

// instant returns the value that says t, as the service writes it, or t in epoch milliseconds.
func (w *written) instant(values []string, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	ms := millis(t)
	for _, v := range values {
		if v == ms {
			return v
		}
		if p, err := time.Parse(time.RFC3339Nano, v); err == nil && p.Equal(t) {
			return v
		}
	}
	return ms
}

// folded gives the fields of a stranger's event as plain text, each key once: the first of it counts,
// and what repeats it is text of the field before.
func folded(e cef.Event) []cef.Field {
	seen := make(map[string]bool, len(e.Extension))
	out := make([]cef.Field, 0, len(e.Extension))
	for i := 0; i < len(e.Extension); {
		seen[e.Extension[i].Key] = true
		next := i + 1
		for next < len(e.Extension) && seen[e.Extension[next].Key] {
			next++
		}
		value := strings.TrimSpace(cef.Unescape(e.Text(i, next), cef.Standard))
		out = append(out, cef.Field{Key: e.Extension[i].Key, Value: value})
		i = next
	}
	return out
}

// once drops repeated keys.
func once(fields []cef.Field) []cef.Field {
	seen := make(map[string]bool, len(fields))
	return slices.DeleteFunc(fields, func(f cef.Field) bool {
		again := seen[f.Key]
		seen[f.Key] = true
		return again
	})
}
