package dedup

import (
	"slices"
	"strings"
	"unicode"

	"github.com/sluice-siem/sluice/config"
)

// directory knows the organisation's domains: spellings of one domain agree, spellings of two don't. A spelling may be of
// several: the domains of a forest often share a suffix, and those of two companies that merged a NetBIOS name.
type directory struct{ domains map[string][]int }

func newDirectory(o config.Organisation) directory {
	d := directory{domains: map[string][]int{}}
	for i, domain := range o.Domains {
		for _, s := range append([]string{domain.NetBIOS, domain.DNS}, domain.UPNSuffixes...) {
			if s = fold(s); s != "" && !slices.Contains(d.domains[s], i) {
				d.domains[s] = append(d.domains[s], i)
			}
		}
	}
	return d
}

// bond says how two domain spellings stand to each other.
type bond uint8

const (
	together  bond = iota // one domain, or one of them isn't told
	unrelated             // nothing is known
	dubious               // by their form two domains of one forest
	apart                 // two domains
)

func (d directory) between(a, b string) bond {
	x, y := d.domains[a], d.domains[b]
	switch {
	case a == "" || b == "" || a == b || slices.ContainsFunc(x, func(i int) bool { return slices.Contains(y, i) }):
		return together
	case len(x) > 0 && len(y) > 0:
		return apart
	case siblings(a, b):
		return dubious
	}
	return unrelated
}

// siblings: emea.corp.example and na.corp.example, or EMEA and na.corp.example. The NetBIOS name of a
// domain is nearly always the first label of its DNS name, while a UPN suffix of two labels belongs to
// the whole organisation, as does the one that every tenant has.
func siblings(a, b string) bool {
	const tenants = "onmicrosoft.com"
	x, y := labels(a), labels(b)
	if len(x) > len(y) {
		x, y = y, x
	}
	switch {
	case len(y) < 3:
		return false
	case len(x) == 1:
		return !slices.Contains(y, x[0]) && strings.Join(y[len(y)-2:], ".") != tenants
	}
	return len(x) >= 3 && slices.Equal(x[len(x)-2:], y[len(y)-2:]) && !slices.Equal(x, y[len(y)-len(x):])
}

// labels of a domain; what registries give out below a country (co.uk) is one.
func labels(domain string) []string {
	l := strings.Split(domain, ".")
	if n := len(l); n >= 3 && len(l[n-1]) == 2 {
		switch l[n-2] {
		case "ac", "co", "com", "edu", "gob", "gov", "gv", "ne", "net", "or", "org":
			return append(slices.Clone(l[:n-2]), l[n-2]+"."+l[n-1])
		}
	}
	return l
}

// device is one spelling of a machine.
type device struct {
	short  string // name without domain and without the $ of its account; or an address
	domain string // folded; empty where the spelling has none
}

// parseDevice reads WS-1, WS-1$, DOMAIN\WS-1$ and ws-1.corp.example.
func parseDevice(s string) device {
	s, _, _ = strings.Cut(fold(strings.TrimSpace(s)), "$@") // the suffix of a machine's account is people's
	s = strings.TrimSuffix(s, "$")
	if i := strings.LastIndex(s, `\`); i >= 0 {
		s = s[i+1:]
	}
	if short, rest, ok := strings.Cut(s, "."); ok && strings.ContainsFunc(short, unicode.IsLetter) && rest != "" {
		return device{short, rest}
	}
	return device{short: s}
}

// one says whether two spellings may be one machine's. It serves for any two words of texts: what is no
// machine's name is one only with itself.
func (d directory) one(a, b device) bool {
	return alikeInShort(a, b) && (a.domain == b.domain || d.between(a.domain, b.domain) == together)
}

// holds: a part of a word is a spelling of the machine or thing: of a distinguished name, a path, a URL or the principal name
// of a service.
func (d directory) holds(word string, o device) bool {
	const between = `=,:/\`
	return strings.ContainsAny(word, between) && slices.ContainsFunc(
		strings.FieldsFunc(word, func(r rune) bool { return strings.ContainsRune(between, r) }),
		func(part string) bool { return d.one(parseDevice(part), o) },
	)
}

// longestNetBIOS is where a machine's name is cut to be its NetBIOS name.
const longestNetBIOS = 15

// alikeInShort: in their domains, the two are one machine. In a domain no two machines have one NetBIOS name.
func alikeInShort(a, b device) bool {
	long, short := a.short, b.short
	if len(long) < len(short) {
		long, short = short, long
	}
	return long == short || len(short) == longestNetBIOS && strings.HasPrefix(long, short)
}

// String is the spelling as evidence shows it.
func (d device) String() string {
	if d.domain == "" {
		return d.short
	}
	return d.short + "." + d.domain
}
