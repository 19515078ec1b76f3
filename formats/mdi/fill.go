package mdi

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/cef"
)

// fill copies the genuine fields to n.
func (f fields) fill(n *formats.Notification) {
	n.Type = f.get("externalId")
	n.Start, n.End = cef.Time(f.early("start")), cef.Time(f.early("end"))
	n.Count, _ = strconv.Atoi(f.get("cnt"))
	n.Message = strings.TrimSpace(breakLines(f.msg))
	addHost(n, f.early("shost"), "shost")
	fqdn := f.early("shostfqdn")
	if fqdn == "" {
		fqdn, _ = f.labelled("shostfqdn")
	}
	addHost(n, fqdn, "shostfqdn")
	switch user := f.early("suser"); {
	case strings.HasSuffix(user, "$"):
		addHost(n, user, "suser")
	case user != "":
		n.Accounts = []formats.Entity{{Name: user, Key: "suser"}}
	}
	link, whole := f.labelled("url")
	n.URL = plainURL(link)
	if n.Kind == formats.Alert {
		n.ID = alertID(n.URL, whole)
	}
	trigger, _ := f.labelled("trigger")
	n.Update = strings.EqualFold(trigger, "update") || strings.EqualFold(trigger, "updated")
	f.keep(n)
}

// keep puts what fill has no place for into n.Extra, custom strings under their label. A message with
// more fields than any service writes doesn't get more than that looked at.
func (f fields) keep(n *formats.Notification) {
	const most = 64
	for _, part := range [...][]cef.Field{f.head, f.tail} {
		for i := range part[:min(len(part), most)] {
			key := part[i].Key
			switch key {
			case "start", "end", "shost", "shostfqdn", "suser", "msg", "externalId", "cnt":
				continue
			}
			if strings.HasSuffix(key, "Label") {
				continue
			}
			name := key
			if label := f.label(key); label != "" && len(key) == len("cs1") {
				name = label
			}
			switch strings.ToLower(name) {
			case "url", "shostfqdn":
				continue
			}
			if v := f.get(key); v != "" {
				if n.Extra == nil {
					n.Extra = make(map[string]string, 4)
				}
				n.Extra[name] = v
			}
		}
	}
}

// addHost adds a device, and its address where it goes by one.
func addHost(n *formats.Notification, name, key string) {
	if name == "" {
		return
	}
	n.Devices = append(n.Devices, formats.Entity{Name: name, Key: key})
	if _, err := netip.ParseAddr(name); err == nil {
		n.Addresses = append(n.Addresses, name)
	}
}

// breakLines turns the four characters \r\n into a line break and undoes the other escapes. A \n
// alone is the beginning of a name behind a domain.
func breakLines(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	return cef.Unescape(strings.ReplaceAll(s, `\r\n`, "\n"), cef.Thin)
}
