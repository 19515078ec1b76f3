package dedup

import (
	"html"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/catalog"
)

// facts is a notification as the weighing sees it.
type facts struct {
	n          *formats.Notification
	others     []formats.Service // that may notify its alert too
	detection  catalog.Detection
	accounts   []name
	devices    []device
	addresses  []string // as canonical has them
	text       prose
	principals []name // the accounts that are spelt as principal names, which no two people share
	best       []name // by which accounts are compared first

	tenant string // whose alert it is, where more than one organisation sends here; folded, empty where nothing tells

	ids     []string // what may be another service's id, in the URL and the fields
	parties parties  // what related compares
	names   []string // the parties' names, plain
	open    bool     // names nobody, or in a way that can't be compared

	unresolved bool // it is about a machine that has no name

	payload int // bytes that its strings may keep in memory
	steps   int // what it takes to be looked at
}

// mostAccounts is how many are looked at: a field may have thousands, and each is compared with each of the other notification.
const mostAccounts = 16

func (s scale) facts(n *formats.Notification) facts {
	f := facts{n: n, others: Counterparts(s.services, n), detection: s.catalog.Resolve(n)}
	message, broken := wholeWords(n)
	f.text = readProse(message, n.Service)
	f.text.broken = broken
	looked := 0
	for _, a := range n.Accounts {
		for _, name := range listedNames(html.UnescapeString(a.Name)) {
			if looked++; looked > mostAccounts {
				break
			}
			f.addAccount(name)
		}
	}
	for _, d := range n.Devices {
		f.addDevice(d.Name)
	}
	for _, a := range n.Addresses {
		f.addresses = append(f.addresses, canonical(a))
	}
	f.tenant = tenantOf(n)
	f.sketch()
	reading := effort{mostReading}
	s.effort = &reading
	f.best = s.bestNames(&f)
	f.steps = (mostReading - reading.left) / readOnce
	if reading.spent() {
		f.steps = mostEffort
	}
	return f
}

// wholeWords is the text without the word in which it breaks off, if it does: a part of a machine's name is another machine's.
// Both services write the URL behind the text.
func wholeWords(n *formats.Notification) (text string, broken bool) {
	if n.URL != "" || n.Service == formats.IdentityProtection || n.Message == "" || strings.HasSuffix(n.Message, ".") {
		return n.Message, false
	}
	return n.Message[:strings.LastIndexByte(n.Message, ' ')+1], true
}

// listedNames takes a list apart, at semicolons, which no name has in it, and at commas where each stands behind an address.
func listedNames(list string) (out []string) {
	for one := range strings.SplitSeq(list, ";") {
		addresses := strings.SplitN(one, ",", mostAccounts+1)
		if slices.ContainsFunc(addresses, func(s string) bool { return !strings.Contains(s, "@") }) {
			addresses = []string{one} // Brook, Ida
		}
		if out = append(out, addresses...); len(out) > mostAccounts {
			break
		}
	}
	return out
}

// tenantOf is the tenant's ID, which Identity Protection has in a field and the portals in a page's address.
func tenantOf(n *formats.Notification) string {
	for _, key := range [...]string{"tenantId", "azureTenantId"} {
		if id := fold(n.Extra[key]); isGUID(id) {
			return id
		}
	}
	page, err := url.Parse(n.URL)
	if err != nil {
		return ""
	}
	if id := fold(page.Query().Get("tid")); isGUID(id) {
		return id
	}
	return ""
}

// canonical is an address in the one spelling of RFC 5952, without a zone, brackets or a port, and an IPv4 address as that;
// anything else as it is. Of the brackets the first may be gone with the marks before a word.
func canonical(s string) string {
	host, port, _ := strings.Cut(strings.TrimPrefix(s, "["), "]")
	if port != "" && port[0] != ':' {
		return s
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		p, err := netip.ParseAddrPort(s)
		if err != nil {
			return s
		}
		a = p.Addr()
	}
	return a.Unmap().WithZone("").String()
}

// unresolved is in the place of a machine or an account that has no name, folded.
const unresolved = "unknown"

// nobody tells what is written where there is no account, by the services or by collectors that leave no field empty.
func nobody(account string) bool {
	switch fold(strings.Trim(account, " ()<>[]")) {
	case "", "-", "n/a", "none", "null", "somebody", "someone", unresolved, "s-1-0-0": // the last is Windows' own nobody
		return true
	}
	return false
}

func (f *facts) addAccount(s string) {
	account, _, _ := strings.Cut(s, "@")
	switch {
	case strings.HasSuffix(account, "$"):
		f.addDevice(account) // the suffix is people's and no machine's domain
	case !nobody(s):
		n := parseName(s)
		f.accounts = append(f.accounts, n)
		if n.upn {
			f.principals = append(f.principals, n)
		}
	}
}

// addDevice takes a machine's name; the short and the full one are one machine.
func (f *facts) addDevice(s string) {
	d := parseDevice(canonical(s))
	i := slices.IndexFunc(f.devices, func(o device) bool {
		return o.short == d.short && (o.domain == "" || d.domain == "" || o.domain == d.domain)
	})
	switch {
	case d.short == "":
	case d.short == unresolved:
		f.unresolved = true
	case i < 0:
		f.devices = append(f.devices, d)
	case f.devices[i].domain == "":
		f.devices[i] = d
	}
}
