package mcas

import (
	"slices"
	"strings"

	"github.com/sluice-siem/sluice/formats/cef"
)

// fields are the genuine fields of an event. Values are as written, but whole: with what only looks
// like a field put back. The first of a key counts.
type fields struct {
	all []cef.Field
	msg string
}

// genuine tells the fields that the service wrote from text that looks like fields.
func genuine(e cef.Event) fields {
	ext := e.Extension
	msg := slices.IndexFunc(ext, func(f cef.Field) bool { return f.Key == "msg" })
	f := fields{all: ext}
	if msg >= 0 {
		f.msg = ext[msg].Value
	}
	if trusted(ext, msg) {
		return f
	}
	first := msg + 1
	for msg < 0 && first < len(ext) && place(ext[first].Key) == 0 {
		first++
	}
	chosen := row(ext, first)
	f.all = slices.Clone(ext[:first])
	if msg >= 0 {
		end := len(ext)
		if len(chosen) > 0 {
			end = chosen[0]
		}
		f.msg = e.Text(msg, end)
	}
	for k, i := range chosen {
		next := len(ext)
		if k+1 < len(chosen) {
			next = chosen[k+1]
		}
		f.all = append(f.all, cef.Field{Key: ext[i].Key, Value: e.Text(i, next)})
	}
	return f
}

// trusted tells whether nothing in the fields looks smuggled in: no key appears twice, and suser, if
// there is one, directly follows msg in an event that has the service's order. Of that order are the keys before
// msg, which the service never leaves out, and those behind it.
func trusted(ext []cef.Field, msg int) bool {
	var seen uint32
	suser, usual := -1, true
	for i := range ext {
		at := place(ext[i].Key)
		switch at {
		case 0:
			at = placeBefore(ext[i].Key)
		case 1:
			suser = i
		}
		if at > 0 && seen&(1<<at) != 0 {
			return false
		}
		seen |= 1 << at
		early := at == places || at == places+2 || at == places+3 // externalId, start, end
		if i < msg && 0 < at && at < places || i > msg && early {
			usual = false
		}
	}
	return !usual || msg < 0 || suser < 0 || suser == msg+1
}

// places is how many places the order has, and one more.
const places = 24

// place returns where key stands behind msg, from 1 to places-1; 0 for a key that has no place there.
// Alerts and activities have the same order, with some keys in the one or the other only.
func place(key string) int {
	switch key {
	case "suser":
		return 1
	case "destinationServiceName":
		return 2
	case "dvc":
		return 3
	case "src":
		return 4
	case "requestClientApplication":
		return 5
	case "c6a1Label":
		return 22
	case "c6a1":
		return 23
	}
	if len(key) < 3 || key[0] != 'c' || key[1] != 'n' && key[1] != 's' || key[2] < '1' || key[2] > '6' {
		return 0
	}
	at := 2 * int(key[2]-'1')
	switch {
	case key[1] == 's':
		at += 10
	case at > 2:
		return 0 // cn3 isn't written
	default:
		at += 6
	}
	switch key[3:] {
	case "Label":
		return at
	case "":
		return at + 1
	}
	return 0
}

// placeBefore returns a number from places on for the keys up to msg, 0 for any other.
func placeBefore(key string) int {
	switch key {
	case "externalId":
		return places
	case "rt":
		return places + 1
	case "start":
		return places + 2
	case "end":
		return places + 3
	case "msg":
		return places + 4
	}
	return 0
}

// row returns the indexes, at least from, of the longest row of fields in the right order, the latest
// of equally long ones. It takes one pass for any number of fields.
func row(ext []cef.Field, from int) []int {
	var best [places + 1]struct{ length, index int } // the longest row that begins at this place
	next := make([]int, len(ext))
	for i := len(ext) - 1; i >= from; i-- {
		at := place(ext[i].Key)
		if at == 0 {
			continue
		}
		length, follow := 1, -1
		for after := at + 1; after < places; after++ {
			if b := best[after]; b.length >= length {
				length, follow = b.length+1, b.index
			}
		}
		if length > best[at].length {
			best[at].length, best[at].index = length, i
			next[i] = follow
		}
	}
	start, length := -1, 0
	for _, b := range best {
		if b.length > length {
			start, length = b.index, b.length
		}
	}
	chosen := make([]int, 0, length)
	for i := start; i >= 0; i = next[i] {
		chosen = append(chosen, i)
	}
	return chosen
}

// get returns the value of key.
func (f fields) get(key string) string {
	for i := range f.all {
		if f.all[i].Key == key {
			return strings.TrimSpace(f.all[i].Text(cef.Standard))
		}
	}
	return ""
}
