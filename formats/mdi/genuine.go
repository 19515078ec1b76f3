package mdi

import (
	"slices"
	"strings"

	"github.com/sluice-siem/sluice/formats/cef"
)

// fields are the genuine fields of an event: those before msg, msg with all that only looks like
// fields, and those behind it.
type fields struct {
	head []cef.Field // the first of a key counts
	msg  string      // as written
	tail []cef.Field // the last of a key counts
}

// genuineInHealth is for the order of health alerts, in which msg is last.
func genuineInHealth(e cef.Event) fields {
	at := slices.IndexFunc(e.Extension, func(f cef.Field) bool { return f.Key == "msg" })
	if at < 0 {
		return fields{head: e.Extension}
	}
	if misplaced := has(e.Extension[at:], "externalId"); misplaced && single(e.Extension) {
		return fields{head: e.Extension, msg: e.Extension[at].Value}
	}
	return fields{head: e.Extension[:at], msg: e.Text(at, len(e.Extension))}
}

// genuine is for the order of alerts: start app shost shostfqdn suser outcome msg cnt externalId and
// then the custom strings. suser and shost, outcome and msg swap places in some samples.
func genuine(e cef.Event) fields {
	ext := e.Extension
	msg := slices.IndexFunc(ext, func(f cef.Field) bool { return f.Key == "msg" })
	tail := tailStart(ext, msg+1)
	if msg < 0 {
		return fields{head: unforged(e, tail, tail < len(ext)), tail: ext[tail:]}
	}
	// Somebody between the service and us may have put the fields into another order, as ArcSight's connectors do.
	if misplaced := has(ext[msg:], "start") || has(ext[:msg], "externalId"); misplaced && single(ext) {
		return fields{head: ext, msg: ext[msg].Value}
	}
	head := unforged(e, msg, tail < len(ext) && ext[tail].Key == "externalId")
	// cnt and outcome stand directly before externalId, each once at most.
	count := false
	outcome := has(head, "outcome")
	for tail-1 > msg {
		switch key := ext[tail-1].Key; {
		case key == "cnt" && !count:
			count = true
		case key == "outcome" && !outcome:
			outcome = true
		default:
			return fields{head: head, msg: e.Text(msg, tail), tail: ext[tail:]}
		}
		tail--
	}
	return fields{head: head, msg: e.Text(msg, tail), tail: ext[tail:]}
}

// unforged returns the first n fields, of which those that suser's owner has smuggled into the name are
// part of its text again: keys that were there before and, if the genuine ones stand further on, keys
// of the tail.
func unforged(e cef.Event, n int, tailed bool) []cef.Field {
	const most = 64 // more fields than the service writes
	var forged [most]bool
	found := false
	for i := range min(n, most) {
		key := e.Extension[i].Key
		custom := len(key) > 2 && key[0] == 'c' && key[1] == 's'
		forged[i] = tailed && (custom || key == "externalId") ||
			has(e.Extension[:i], key)
		forged[i] = forged[i] && i > 0
		found = found || forged[i]
	}
	if !found {
		return e.Extension[:n]
	}
	var head []cef.Field
	for i := 0; i < min(n, most); {
		j := i + 1
		for j < min(n, most) && forged[j] {
			j++
		}
		head = append(head, cef.Field{Key: e.Extension[i].Key, Value: e.Text(i, j)})
		i = j
	}
	return head
}

func has(ext []cef.Field, key string) bool {
	return slices.ContainsFunc(ext, func(f cef.Field) bool { return f.Key == key })
}

// single tells whether no key is there twice, as it would be had an attacker written one that the service writes too into a
// name or msg.
func single(ext []cef.Field) bool {
	const most = 64 // more fields than the service writes
	if len(ext) > most {
		return false
	}
	for i := range ext {
		if has(ext[:i], ext[i].Key) {
			return false
		}
	}
	return true
}

// tailStart returns the index, at least from, at which the fields behind msg begin: the last
// externalId, or where the message has none, the last of the labels that follow it.
func tailStart(ext []cef.Field, from int) int {
	for _, key := range [...]string{"externalId", "cs1Label", "cs2Label", "cs3Label"} {
		for i := len(ext) - 1; i >= from; i-- {
			if ext[i].Key == key {
				return i
			}
		}
	}
	return len(ext)
}

// get returns the genuine value of key: the last one behind msg, else the first one before it.
func (f fields) get(key string) string {
	for _, field := range slices.Backward(f.tail) {
		if field.Key == key {
			return strings.TrimSpace(field.Text(cef.Thin))
		}
	}
	return f.early(key)
}

// early returns the first value of key before msg.
func (f fields) early(key string) string {
	for i := range f.head {
		if f.head[i].Key == key {
			return strings.TrimSpace(f.head[i].Text(cef.Thin))
		}
	}
	return ""
}

// labelled returns the value of the custom string with this label, and whether another field stands
// behind it, so that it can't have been cut. Between the service and us labels get lost or are put into other
// words: where none is url, the URL of an alert is known by its form.
func (f fields) labelled(label string) (value string, whole bool) {
	found := ""
	for _, key := range [...]string{"cs1", "cs2", "cs3", "cs4", "cs5", "cs6"} {
		if strings.EqualFold(f.label(key), label) {
			found = key
			break
		}
		if label == "url" && found == "" && alertID(plainURL(f.get(key)), false) != "" {
			found = key
		}
	}
	if found == "" {
		return "", false
	}
	last := f.tail
	if len(last) == 0 && f.msg == "" {
		last = f.head
	}
	return f.get(found), len(last) == 0 || last[len(last)-1].Key != found
}

// label returns the label of a custom string.
func (f fields) label(key string) string { return cef.Unquote(f.get(key + "Label")) }
