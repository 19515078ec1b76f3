package dedup_test

import (
	"testing"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
)

func one() config.Organisation {
	return config.Organisation{Domains: []config.Domain{
		{NetBIOS: "HILL", DNS: "ad.hill.example", UPNSuffixes: []string{"hill.example", "hillgroup.example"}},
	}}
}

func two() config.Organisation {
	o := one()
	o.Domains = append(o.Domains, config.Domain{NetBIOS: "LAKE", DNS: "lake.local", UPNSuffixes: []string{"lake.example"}})
	return o
}

// TestPeopleSame: every line is a list of spellings of one account, no two lines are of one.
func TestPeopleSame(t *testing.T) {
	tests := []struct {
		name string
		org  config.Organisation
		want [][]string
	}{
		{"nothing is configured", config.Organisation{}, [][]string{
			{"ibrook", "IBROOK", " ibrook "},
			{`HILL\ibrook`, `hill\\ibrook`, `ibrook@HILL`},
			{"ibrook@hill.example", "IBrook@Hill.Example", "Ida Brook (ibrook@hill.example)", "Ida Brook <IBrook@hill.example>", `hill.example\ibrook`},
			{"ibrook@lake.example"},
			{"Ida Brook", "IDA  BROOK", "Ída\u00a0Brook"},
			{"Brook, Ida"},
			{"Ida Brook (Head of Sales)"},
			{"E104233"},
			{"E104234"},
		}},
		{"one domain", one(), [][]string{
			{"ibrook", `HILL\ibrook`, `ad.hill.example\ibrook`, "ibrook@HILL", "ibrook@hill.example", "ibrook@hillgroup.example", "IBROOK@ad.hill.example"},
			{"ida.brook", "ida.brook@hill.example", "Ida Brook (ida.brook@hillgroup.example)"},
			{"ida.brook2", `HILL\ida.brook2`},
			{"adm-ibrook", `HILL\adm-ibrook`, "adm-ibrook@hill.example"},
			{"ibrook.adm"},
			{"ibrook@lake.example", `lake.example\ibrook`},
			{`WS-7\ibrook`},
			{"Ida Brook"},
			{"Ida Brook (Admin)"},
			{"zoe", "Zoë", `HILL\ZOE`, "zoë@hill.example"},
			{"E104233", "e104233@hill.example"},
			{"anna_mail.example#EXT#@hill.onmicrosoft.example", "anna@mail.example"},
			{"anna@hill.example", "anna"},
			{"maximilian.featherst", `HILL\maximilian.featherst`},
			{"maximilian.featherstone@hill.example"},
		}},
		{"two domains", two(), [][]string{
			{"ibrook"},
			{`HILL\ibrook`, "ibrook@hill.example", "ibrook@hillgroup.example"},
			{`LAKE\ibrook`, "ibrook@lake.example", `lake.local\ibrook`},
			{"ibrook@sea.example"},
		}},
		{"a suffix of both domains", config.Organisation{Domains: []config.Domain{
			{NetBIOS: "HILL", UPNSuffixes: []string{"firm.example"}}, {NetBIOS: "LAKE", UPNSuffixes: []string{"firm.example"}},
		}}, [][]string{{`HILL\ibrook`, "ibrook@HILL"}, {`LAKE\ibrook`}, {"ibrook@firm.example"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := dedup.NewPeople(tt.org)
			for i, as := range tt.want {
				for j, bs := range tt.want {
					for _, a := range as {
						for _, b := range bs {
							if got := p.Same(a, b); got != (i == j) {
								t.Errorf("Same(%q, %q) = %v, want %v", a, b, got, i == j)
							}
						}
					}
				}
			}
		})
	}
}

func TestPeopleRead(t *testing.T) {
	p := dedup.NewPeople(one())
	tests := []struct {
		s       string
		form    dedup.Form
		domain  string
		upn     string
		key     string
		certain bool
	}{
		{"Ida Brook", dedup.Display, "", "", "ida brook", false},
		{"Ida Brook (ida.brook@hill.example)", dedup.Principal, "hill.example", "ida.brook@hill.example", `ad.hill.example\ida.brook`, true},
		{"IBrook", dedup.Bare, "ad.hill.example", "", `ad.hill.example\ibrook`, true},
		{`HILL\IBrook`, dedup.InDomain, "hill", "", `ad.hill.example\ibrook`, true},
		{"ibrook@HILL", dedup.InDomain, "hill", "", `ad.hill.example\ibrook`, true},
		{"ibrook@sea.example", dedup.Principal, "sea.example", "ibrook@sea.example", `sea.example\ibrook`, true},
		{`HILL\`, dedup.Display, "hill", "", `hill\`, false},
		{"@hill.example", dedup.Display, "hill.example", "", "@hill.example", false},
		{"CN=IBrook,DC=ad,DC=hill,DC=example", dedup.Display, "ad.hill.example", "", "cn=ibrook,dc=ad,dc=hill,dc=example", false}, // there may be two
		{`NT AUTHORITY\SYSTEM`, dedup.Display, "", "", `nt authority\system`, false},
		{"", dedup.Display, "", "", "", false},
	}
	for _, tt := range tests {
		r := p.Read(tt.s)
		if r.Form != tt.form || r.Domain != tt.domain || r.UPN != tt.upn || r.Key != tt.key || r.Certain != tt.certain {
			t.Errorf("Read(%q) = %+v, want %+v", tt.s, r, tt)
		}
		if key, certain := p.Identity(tt.s); key != tt.key || certain != tt.certain {
			t.Errorf("Identity(%q) = %q, %v", tt.s, key, certain)
		}
	}
}

func TestPeopleMeans(t *testing.T) {
	p := dedup.NewPeople(two())
	tests := []struct {
		vague, account string
		may, well      bool
	}{
		{"Ida Brook", "ida.brook@hill.example", true, true},
		{"Brook, Ida", "ida.brook@hill.example", true, true},
		{"Ida Brook (Head of Sales)", `HILL\ida.brook`, true, true},
		{"Ida Brook", "idabrook@hill.example", true, true},
		{"Giulia De Luca", "giulia.deluca@hill.example", true, true},
		{"Karl Müller", "karl.mueller@hill.example", true, true},
		{"Niamh O'Brien", "niamh.obrien@hill.example", true, true},
		{"Ida Brook", "ida.brook2@hill.example", true, false},
		{"Ida Brook", "ibrook@hill.example", false, false},
		{"Ida Brook (Admin)", "ida.brook@hill.example", false, false},
		{"Ida Brook", "adm-ida.brook@hill.example", false, false},
		{"John Smith Jr.", "john.smith@hill.example", false, false},
		{"ibrook", "ibrook@hill.example", true, true},
		{"ibrook", `LAKE\ibrook`, true, true},
		{"E104233", "e104233@hill.example", true, true},
		{"ida.brook@hill.example", `HILL\ida.brook`, false, false}, // neither is vague
		{"Ida Brook", "Ida Brook", false, false},
	}
	for _, tt := range tests {
		v, a := p.Read(tt.vague), p.Read(tt.account)
		may, well := p.Means(v, a)
		if may != tt.may || well != tt.well {
			t.Errorf("Means(%q, %q) = %v, %v, want %v, %v", tt.vague, tt.account, may, well, tt.may, tt.well)
		}
		if may && v.Letters != a.Letters {
			t.Errorf("%q and %q have the letters %q and %q, and may be alike", tt.vague, tt.account, v.Letters, a.Letters)
		}
	}
}

func TestPeopleIn(t *testing.T) {
	p := dedup.NewPeople(two())
	tests := []struct{ account, of, want string }{
		{"ibrook", "ida.brook@hill.example", `ad.hill.example\ibrook`},
		{"ibrook", "ida.brook@sea.example", "ibrook"}, // of which no NetBIOS name is known
		{`LAKE\ibrook`, "ida.brook@hill.example", `lake.local\ibrook`},
	}
	for _, tt := range tests {
		if got := p.In(p.Read(tt.account), p.Read(tt.of)).Key; got != tt.want {
			t.Errorf("In(%q, %q) = %q, want %q", tt.account, tt.of, got, tt.want)
		}
	}
}

func TestMachine(t *testing.T) {
	for s, want := range map[string]bool{"WS-1$": true, `HILL\WS-1$`: true, "ws-1$@hill.example": true, "ibrook": false, "cash$@x$": true, "a$b@x.example": false, "": false} {
		if got := dedup.Machine(s); got != want {
			t.Errorf("Machine(%q) = %v, want %v", s, got, want)
		}
	}
}

// FuzzPeople: reading a spelling never fails, reads its own key's parts alike, and costs what a name may cost.
func FuzzPeople(f *testing.F) {
	for _, s := range []string{"ibrook", `A\b`, "@", "#ext#@", "x(y@z.example)", "Ü", ", ,", "''", "a$@b", "\x00\xff", `\\`, "¨"} {
		f.Add(s, "ida.brook@hill.example")
	}
	p := dedup.NewPeople(one())
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a)+len(b) > 300 {
			return
		}
		x, y := p.Read(a), p.Read(b)
		if x.Certain && x.Domain == "" {
			t.Errorf("Read(%q) = %+v: certain without a domain", a, x)
		}
		if p.Same(a, b) != p.Same(b, a) || p.Same(a, b) != (x.Key == y.Key) {
			t.Errorf("Same(%q, %q) is of two minds", a, b)
		}
		if may, well := p.Means(x, y); well && !may {
			t.Errorf("Means(%q, %q) = %v, %v", a, b, may, well)
		}
	})
}
