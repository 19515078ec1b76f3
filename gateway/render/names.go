package render

import (
	"cmp"
	"net/netip"
	"strings"

	"github.com/sluice-siem/sluice/formats"
)

// account is what the spelling of an account tells of it. The parts that it doesn't tell are empty.
type account struct {
	Spelling string // as the service has it
	Name     string // without the domain
	Domain   string // of Windows or of a user principal name
	UPN      string // user principal name
	ID       string // security identifier or object ID
	Full     string // display name
}

// accountOf reads DOMAIN\name, name@domain, S-1-5-21-…, an object ID, a display name, a name.
func accountOf(s string) account {
	a := account{Spelling: s}
	switch domain, name, windows := strings.Cut(s, `\`); {
	case windows && domain != "" && name != "":
		a.Domain, a.Name = domain, name
		return a
	case strings.HasPrefix(s, "S-1-") || objectID(s):
		a.ID = s
		return a
	}
	name, domain, at := strings.Cut(s, "@")
	switch {
	case at && name != "" && mailName(name) && mailDomain(domain):
		a.Name, a.Domain, a.UPN = name, domain, s
	case strings.ContainsAny(s, " \u00a0"):
		a.Full = s
	default:
		a.Name = s
	}
	return a
}

// user is the first account. A risk detection of Identity Protection is of one user, and says the object ID and the
// display name, too; Defender for Identity's and Cloud App Security's alerts don't.
func (l *line) user() account {
	a := accountOf(l.Users[0])
	if id := l.Extra["userId"]; l.Service == formats.IdentityProtection && objectID(id) {
		a.ID = cmp.Or(a.ID, id)
		if len(l.Users) == 2 {
			a.Full = cmp.Or(a.Full, accountOf(l.Users[1]).Full)
		}
	}
	return a
}

// mailName tells whether s can stand before the at sign of an address, by the pattern of OCSF's email_t.
func mailName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !letterOrDigit(c) && !strings.ContainsRune("!#$%&'*+,-./=?^_`{|}~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// mailDomain tells whether s is a domain of at least two labels.
func mailDomain(s string) bool {
	for i := range len(s) {
		if c := s[i]; !letterOrDigit(c) && c != '-' && c != '.' {
			return false
		}
	}
	first, rest, ok := strings.Cut(s, ".")
	return ok && first != "" && rest != ""
}

func letterOrDigit(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// objectID tells whether s has the form of a GUID.
func objectID(s string) bool {
	if len(s) != len("00000000-0000-0000-0000-000000000000") {
		return false
	}
	for i := range len(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (s[i] == '-') || !dash && !strings.ContainsRune("0123456789abcdefABCDEF", rune(s[i])) {
			return false
		}
	}
	return true
}

// addresses sorts the texts that a service calls addresses into IP addresses, each once and in one
// spelling, and everything else, an address with a zone among it: no ip-typed field takes that.
func addresses(texts []string) (ips []netip.Addr, others []string) {
	for _, s := range texts {
		ip, err := netip.ParseAddr(s)
		if err != nil || ip.Zone() != "" {
			others = append(others, s)
			continue
		}
		ip = ip.Unmap()
		known := false
		for _, other := range ips {
			known = known || other == ip
		}
		if !known {
			ips = append(ips, ip)
		}
	}
	return ips, others
}

// tenant is that of Microsoft's cloud whose alert it is, where the service tells.
func (l *line) tenant() string { return cmp.Or(l.Extra["azureTenantId"], l.Extra["tenantId"]) }

// place is where an address is.
type place struct{ City, State, Code, Country string } // Code is ISO 3166's of two letters, Country a name without one

// place is where Identity Protection says that the address of a detection is. No other service does.
func (l *line) place() place {
	if l.Service != formats.IdentityProtection {
		return place{}
	}
	p := place{City: l.Extra["city"], State: l.Extra["state"], Country: l.Extra["countryOrRegion"]}
	code := strings.ToUpper(p.Country)
	if len(code) == 2 && 'A' <= code[0] && code[0] <= 'Z' && 'A' <= code[1] && code[1] <= 'Z' {
		p.Code, p.Country = code, ""
	}
	return p
}

// product names a service as its vendor does today; empty for what nobody knows.
func product(s formats.Service) (vendor, name string) {
	switch s {
	case formats.DefenderForIdentity:
		return "Microsoft", "Microsoft Defender for Identity"
	case formats.CloudAppSecurity:
		return "Microsoft", "Microsoft Defender for Cloud Apps"
	case formats.IdentityProtection:
		return "Microsoft", "Microsoft Entra ID Protection"
	case formats.Sluice:
		return ourName, ourName
	}
	return "", ""
}

// productVersion is that of the service's product, where its message is a CEF event, whose header has it.
func (l *line) productVersion() string {
	if l.Service != formats.DefenderForIdentity && l.Service != formats.CloudAppSecurity || l.Payload < 0 || l.Payload > len(l.Raw) {
		return ""
	}
	const version = 3 // of the header's columns
	event := content(l.Service, l.Raw[l.Payload:], l.Arrived)
	header := strings.SplitN(string(event[:min(len(event), longestHeader)]), "|", version+2)
	if len(header) < version+2 || strings.Contains(header[version], `\`) {
		return ""
	}
	return header[version]
}

// longestHeader is more than the columns before the version and it take.
const longestHeader = 256
