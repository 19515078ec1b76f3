package render

import (
	"hash/maphash"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/cef"
)

// appendGenuine appends the fields of an event of a service whose dialect we know, as plain text: each
// key once, in the order of the message, and only with the value that the dialect's translator took for
// genuine. A key that it found nothing genuine for was text of somebody's name or msg, and is there.
func (w *written) appendGenuine(out []cef.Field, n *formats.Notification, ext []cef.Field) []cef.Field {
	w.read(n, ext)
	for i := range ext {
		key := ext[i].Key
		if w.fields[i].again || isLabel(key) {
			continue
		}
		label, value := w.pick(i)
		if value == "" {
			continue
		}
		if label.Value != "" {
			out = append(out, label)
		}
		out = append(out, cef.Field{Key: key, Value: value})
	}
	return out
}

// written is what the message has, before it is known what of it the service wrote. Of one message
// after the other: what it has room for is used again.
type written struct {
	n      *formats.Notification
	ext    []cef.Field
	fields []writtenField
	slots  []int32      // open hash table of the keys, each slot 1 + the index of a field, or 0
	seed   maphash.Seed // keeps who chooses thousands of keys from choosing such as cost their square
}

// writtenField is what we make of a field.
type writtenField struct {
	text  string // plain
	next  int32  // field with the same key, or -1: the one behind it, or for a label the one before it
	again bool   // there is one with the same key before it
}

// none is no field's index.
const none = -1

// few is how many fields may all have one hash, for all it costs: more than any service writes.
const few = 40

// read takes a message up.
func (w *written) read(n *formats.Notification, ext []cef.Field) {
	dialect := cef.Standard
	if n.Service == formats.DefenderForIdentity {
		dialect = cef.Thin
	}
	w.n = n
	w.index(ext)
	for i := range ext {
		w.fields[i].text = strings.TrimSpace(ext[i].Text(dialect))
	}
}

// index finds out which keys are the same. So the fields of one key are a chain, which begins with the
// first of them, or, of labels, with the last.
func (w *written) index(ext []cef.Field) {
	w.ext = ext
	w.fields = slices.Grow(w.fields[:0], len(ext))[:len(ext)]
	size := 64
	for size < 2*len(ext) {
		size *= 2
	}
	w.slots = slices.Grow(w.slots[:0], size)[:size]
	clear(w.slots)
	if len(ext) > few && w.seed == (maphash.Seed{}) {
		w.seed = maphash.MakeSeed()
	}
	for i := range ext {
		if name, ok := strings.CutSuffix(ext[i].Key, "Label"); ok {
			slot := w.slot(name, true)
			w.fields[i] = writtenField{next: *slot - 1, again: *slot > 0}
			*slot = int32(i) + 1
		}
	}
	for i := len(ext) - 1; i >= 0; i-- {
		if isLabel(ext[i].Key) {
			continue
		}
		slot := w.slot(ext[i].Key, false)
		w.fields[i] = writtenField{next: *slot - 1}
		if *slot > 0 {
			w.fields[*slot-1].again = true
		}
		*slot = int32(i) + 1
	}
}

// slot returns where the fields of a key, or of its label, begin or would begin.
func (w *written) slot(key string, label bool) *int32 {
	var hash uint64
	switch n := len(key); {
	case len(w.ext) > few:
		hash = maphash.String(w.seed, key)
	case n > 0: // what the keys of the services differ in
		hash = uint64(n) + 3*uint64(key[0]) + 5*uint64(key[n/2]) + 17*uint64(key[n-1])
	}
	if label {
		hash = ^hash
	}
	mask := uint64(len(w.slots) - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		slot := &w.slots[at]
		if *slot == 0 {
			return slot
		}
		if k := w.ext[*slot-1].Key; !label && k == key || label && isLabelOf(k, key) {
			return slot
		}
	}
}

// isLabel tells whether a key is that of a label.
func isLabel(key string) bool { return strings.HasSuffix(key, "Label") }

// isLabelOf tells whether label is that of the key.
func isLabelOf(label, key string) bool {
	return len(label) == len(key)+len("Label") && isLabel(label) && strings.HasPrefix(label, key)
}

// label returns the last label of that key, or none.
func (w *written) label(key string) int { return int(*w.slot(key, true)) - 1 }

// pick returns the genuine value of field i's key, of which it is the first, and the label of a custom
// one; empty if it has none.
func (w *written) pick(i int) (label cef.Field, value string) {
	n, key := w.n, w.ext[i].Key
	cloud := n.Service == formats.CloudAppSecurity
	switch key {
	case "msg":
		return label, n.Message
	case "start":
		return label, w.instant(i, n.Start)
	case "end":
		return label, w.instant(i, n.End)
	case "cnt":
		if n.Count > 0 {
			return label, strconv.Itoa(n.Count)
		}
	case "externalId":
		if !cloud {
			return label, n.Type
		}
		return label, w.spelled(i, n.ID)
	case "destinationServiceName":
		if cloud {
			return label, n.App
		}
	case "src", "dvc", "c6a1":
		for ; i != none; i = int(w.fields[i].next) {
			if slices.Contains(n.Addresses, w.fields[i].text) {
				if last := w.label(key); last != none {
					label = cef.Field{Key: w.ext[last].Key, Value: cef.Unquote(w.fields[last].text)}
				}
				return label, w.fields[i].text
			}
		}
	}
	if v := w.entity(key); v != "" {
		return label, v
	}
	if v := n.Extra[key]; v != "" {
		return label, v
	}
	return w.custom(key)
}

// spelled returns the ID in the service's spelling, where ours is another.
func (w *written) spelled(i int, id string) string {
	for ; i != none && id != ""; i = int(w.fields[i].next) {
		v := w.fields[i].text
		if v == id || strings.HasSuffix(strings.ToLower(v), strings.ToLower(id)) {
			return v
		}
	}
	return id
}

// custom returns the value of a custom string or number, which the normal form keeps by its label.
// Of repeated labels the last is tried first, for what an attacker writes stands in msg, before them.
func (w *written) custom(key string) (label cef.Field, value string) {
	for i := w.label(key); i != none; i = int(w.fields[i].next) {
		name := cef.Unquote(w.fields[i].text)
		if strings.EqualFold(name, "url") || strings.EqualFold(name, "portalurl") {
			value = w.n.URL
		} else if value = w.n.Extra[name]; value == "" {
			value = w.entity(name)
		}
		if value != "" {
			return cef.Field{Key: w.ext[i].Key, Value: name}, value
		}
	}
	return cef.Field{}, ""
}

// entity returns the account or device that this field named.
func (w *written) entity(key string) string {
	for i := range w.n.Accounts {
		if w.n.Accounts[i].Key == key {
			return w.n.Accounts[i].Name
		}
	}
	for i := range w.n.Devices {
		if w.n.Devices[i].Key == key {
			return w.n.Devices[i].Name
		}
	}
	return ""
}

// instant returns the value that says t, as the service writes it, or t in epoch milliseconds.
func (w *written) instant(i int, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	var digits [20]byte
	ms := strconv.AppendInt(digits[:0], t.UnixMilli(), 10)
	for ; i != none; i = int(w.fields[i].next) {
		v := w.fields[i].text
		if v == string(ms) {
			return v
		}
		if p, err := time.Parse(time.RFC3339Nano, v); err == nil && p.Equal(t) {
			return v
		}
	}
	return string(ms)
}

// appendFolded appends the fields of a stranger's event as plain text, each key once: the first of it
// counts, and what repeats it is text of the field before.
func (w *written) appendFolded(out []cef.Field, e cef.Event) []cef.Field {
	w.index(e.Extension)
	for i := 0; i < len(e.Extension); {
		next := i + 1
		for next < len(e.Extension) && w.fields[next].again {
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
