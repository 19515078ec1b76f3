package dedup

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"github.com/sluice-siem/sluice/config"
)

// People tells whose a spelling is, as far as that is certain. It reads spellings as the pairing does, and
// takes nothing for certain that is only likely: two people under one name is worse than one under two.
type People struct {
	directory directory
	domains   []string // what each configured domain is called in keys
}

// NewPeople makes them of the domains that are configured.
func NewPeople(o config.Organisation) People {
	p := People{directory: newDirectory(o)}
	for _, d := range o.Domains {
		p.domains = append(p.domains, fold(cmp.Or(d.DNS, d.NetBIOS)))
	}
	return p
}

// Form is how somebody is named.
type Form uint8

// The forms.
const (
	Display   Form = iota // Ida Brook; Brook, Ida
	Bare                  // ibrook
	InDomain              // HILL\ibrook, ibrook@HILL
	Principal             // ida.brook@hill.example, also in parentheses behind a display name
)

// Spelling is a spelling of somebody, taken apart.
type Spelling struct {
	Form    Form
	Domain  string // folded, as it is written; that of the organisation for a bare account, where it has just one
	UPN     string // folded; where there is one
	Key     string // equal for spellings of one account, or where no account is named, for equal spellings
	Certain bool   // the key is an account's
	Letters string // equal for all that one may mean by the other

	name name
}

// Read takes a spelling apart.
func (p People) Read(s string) Spelling {
	s = strings.Join(strings.Fields(s), " ")
	n := parseName(s)
	r := Spelling{Domain: n.domain, Key: fold(s), Letters: lettersOf(n), name: n}
	switch {
	case n.local == "", n.entry != "": // a display name, or half of an account
	case n.upn && strings.Contains(n.domain, "."):
		r.Form, r.UPN = Principal, n.String()
	case n.domain != "":
		r.Form = InDomain
	default:
		r.Form = Bare
		if len(p.domains) == 1 {
			r.Domain = p.domains[0]
		}
	}
	if r.Form != Display && r.Domain != "" {
		r.Key, r.Certain = p.domain(r.Domain)+`\`+n.local, true
	}
	return r
}

// In is the account of that name in the domain of another one; as it is where it has a domain or the other
// has none.
func (p People) In(account, of Spelling) Spelling {
	if account.Form != Bare || account.Certain || of.Domain == "" || p.domain(of.Domain) == of.Domain && !slices.Contains(p.domains, of.Domain) {
		return account
	}
	return p.Read(of.Domain + `\` + account.name.local)
}

// domain brings the names of one configured domain, and of no other, to one.
func (p People) domain(s string) string {
	if in := p.directory.domains[s]; len(in) == 1 {
		return p.domains[in[0]]
	}
	return s
}

// Identity is what a spelling says of whose it is: the key is equal for equal spellings, and where it is
// certain, for all spellings of one account.
func (p People) Identity(s string) (key string, certain bool) {
	r := p.Read(s)
	return r.Key, r.Certain
}

// Same says whether two spellings are one account's for certain, or one spelling but for letter case and
// accents.
func (p People) Same(a, b string) bool { return p.Read(a).Key == p.Read(b).Key }

// Means says whether who writes the first spelling, which names no account for certain, may mean the
// account: the names are the same whatever their order and separators. well is false where something, such
// as the number of ida.brook2, stands on one side only.
func (p People) Means(vague, account Spelling) (may, well bool) {
	may = !vague.Certain && account.Certain && p.directory.kin(vague.name, account.name) == same
	return may, may && vague.name.number == account.name.number && vague.name.role == account.name.role
}

// Abbreviates says whether the first spelling, which is an account's name in its domain, may be that of the account with
// the second one, a principal name: ibrook of ida.brook@hill.example. It says so too where they are equal but for domains
// of which nothing is known.
func (p People) Abbreviates(account, principal Spelling) bool {
	return (account.Form == Bare || account.Form == InDomain) && principal.Form == Principal && p.directory.kin(account.name, principal.name) >= likely
}

// SameLocal says whether two spellings name an account alike, whatever the domain: ibrook is HILL\ibrook, and not
// HILL\ibrook2.
func (s Spelling) SameLocal(o Spelling) bool { return s.name.local == o.name.local }

// Machine says whether a spelling is that of a machine's account, which ends in a dollar sign.
func Machine(s string) bool {
	account, _, _ := strings.Cut(strings.TrimSpace(s), "@")
	return strings.HasSuffix(account, "$")
}

// lettersOf are the letters of a name in their order, so that names that differ in the order of the words,
// separators and transcribed accents have the same ones.
func lettersOf(n name) string {
	if n.opaque {
		return "#" + n.local
	}
	words := n.words
	if len(words) == 0 {
		words = []string{strings.TrimRightFunc(n.base, unicode.IsDigit)}
	}
	var letters []rune
	for _, w := range words {
		letters = append(letters, []rune(plain(w))...)
	}
	slices.Sort(letters)
	return string(letters)
}
