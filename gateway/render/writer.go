package render

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// writer appends a JSON object on one line, member by member in the order of the calls. What is empty is
// left out: texts, times that nobody means, and objects and lists without anything in them.
type writer struct {
	b       []byte
	longest int   // bytes that a text may have; 0 is any number
	open    []int // where the objects and lists began that haven't ended
}

// key begins a member, or with no key an item of a list.
func (w *writer) key(key string) {
	if c := w.b[len(w.b)-1]; c != '{' && c != '[' {
		w.b = append(w.b, ',')
	}
	if key != "" {
		w.b = append(append(append(w.b, '"'), key...), '"', ':')
	}
}

// begin begins an object, or with '[' a list.
func (w *writer) begin(key string, bracket byte) {
	w.open = append(w.open, len(w.b))
	w.key(key)
	w.b = append(w.b, bracket)
}

// end ends what was begun last. If there is nothing in it, it was never begun.
func (w *writer) end() {
	start := w.open[len(w.open)-1]
	w.open = w.open[:len(w.open)-1]
	switch w.b[len(w.b)-1] {
	case '{', '[': // a text ends in a quotation mark
		w.b = w.b[:start]
		return
	}
	bracket := byte('}')
	for _, c := range w.b[start:] { // ,"key":{ or ,[
		if c == '{' || c == '[' {
			if c == '[' {
				bracket = ']'
			}
			break
		}
	}
	w.b = append(w.b, bracket)
}

func (w *writer) text(key, value string) {
	if value == "" {
		return
	}
	if w.longest > 0 {
		value = cut(value, w.longest)
	}
	w.key(key)
	w.b = appendQuoted(w.b, value)
}

func (w *writer) texts(key string, values []string) {
	start := len(w.b)
	w.begin(key, '[')
	for _, v := range values {
		if w.full(start) {
			break
		}
		w.text("", w.item(v))
	}
	w.end()
}

// full tells whether a list that began there has no room for one more item.
func (w *writer) full(start int) bool {
	return w.longest > 0 && len(w.b)-start > w.longest-8*longestItem
}

// longestItem is how many bytes a text in a list may have, where texts have a limit.
const longestItem = 1 << 10

func (w *writer) item(s string) string {
	if w.longest > 0 {
		return cut(s, longestItem)
	}
	return s
}

func (w *writer) ips(key string, ips []netip.Addr) {
	w.begin(key, '[')
	for _, ip := range ips {
		w.text("", ip.String())
	}
	w.end()
}

// firstIP writes the first of them.
func (w *writer) firstIP(key string, ips []netip.Addr) {
	if len(ips) > 0 {
		w.text(key, ips[0].String())
	}
}

func (w *writer) number(key string, n int64) {
	w.key(key)
	w.b = strconv.AppendInt(w.b, n, 10)
}

// set writes true, and nothing for false.
func (w *writer) set(key string, is bool) {
	if is {
		w.key(key)
		w.b = append(w.b, "true"...)
	}
}

// time writes a time as RFC 3339 in UTC.
func (w *writer) time(key string, t time.Time) {
	if !nobodys(t) {
		w.key(key)
		w.b = append(t.UTC().AppendFormat(append(w.b, '"'), time.RFC3339Nano), '"')
	}
}

// millis writes a time as milliseconds since 1970.
func (w *writer) millis(key string, t time.Time) {
	if !nobodys(t) {
		w.number(key, t.UnixMilli())
	}
}

// writeTwins writes the other services' notifications of the alert.
func (l *line) writeTwins(w *writer, key string) {
	start := len(w.b)
	w.begin(key, '[')
	for i := range l.Twins {
		if w.full(start) {
			break
		}
		t := &l.Twins[i]
		w.begin("", '{')
		w.text("service", string(t.Service))
		w.text("notification_id", w.item(t.NotificationID))
		w.text("url", w.item(t.URL))
		w.text("event_key", string(t.EventKey))
		w.time("first", t.First)
		w.end()
	}
	w.end()
}

// extras are the fields that nobody knows, each as one text.
func (l *line) extras() []string {
	out := make([]string, 0, len(l.Extra))
	for _, key := range slices.Sorted(maps.Keys(l.Extra)) {
		out = append(out, key+"="+l.Extra[key])
	}
	return out
}
