package gateway

import (
	"time"
	"unicode/utf8"

	"github.com/sluice-siem/sluice/formats"
)

// Limits of what is kept of a message in the normal form, beside Raw, which has every byte. No service
// reaches them; they keep an entry within a batch of the stream, whatever is sent.
const (
	maxText     = 16 << 10 // bytes of the free text
	maxField    = 2 << 10  // bytes of any other field
	maxID       = 512      // bytes of an ID; a longer one is none, for cutting it could make two IDs one
	maxEntities = 64       // accounts, devices, addresses
	maxExtra    = 32 << 10 // bytes of all further fields
)

// bound cuts what is longer.
func bound(n *formats.Notification) {
	if len(n.ID) > maxID {
		n.ID = ""
	}
	n.Message = clip(n.Message, maxText)
	for _, s := range []*string{&n.Type, &n.Class, &n.Title, &n.App, &n.URL} {
		*s = clip(*s, maxField)
	}
	for _, list := range []*[]formats.Entity{&n.Accounts, &n.Devices} {
		*list = (*list)[:min(len(*list), maxEntities)]
		for i := range *list {
			(*list)[i].Name = clip((*list)[i].Name, maxField)
		}
	}
	n.Addresses = n.Addresses[:min(len(n.Addresses), maxEntities)]
	for i := range n.Addresses {
		n.Addresses[i] = clip(n.Addresses[i], maxField)
	}
	for _, t := range []*time.Time{&n.Start, &n.End, &n.Raised, &n.Sent} {
		if t.Year() < 1970 || t.Year() > 9999 {
			*t = time.Time{} // no time of an alert, and more than RFC 3339 can write
		}
	}
	total := 0
	for k, v := range n.Extra {
		total += len(k) + len(v)
	}
	if total <= maxExtra {
		return
	}
	share := maxExtra / len(n.Extra)
	for k, v := range n.Extra {
		n.Extra[k] = clip(v, share)
	}
}

// clip cuts s to at most limit bytes, not within a character.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
