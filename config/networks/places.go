package networks

import (
	"cmp"
	"fmt"
	"net/netip"
)

// Places tells where addresses are: by the table where that lists them, and the country of the others by the
// database. Either may be nil.
type Places struct {
	Table     *Table
	Countries *Countries
}

// unlisted is the tag of an address that the table doesn't list: a kind of its own.
const unlisted = "unlisted"

// LoadPlaces reads the files that are named; it is nil where none is.
func LoadPlaces(table, countries string) (p *Places, err error) {
	if table == "" && countries == "" {
		return nil, nil
	}
	p = &Places{}
	if table != "" {
		if p.Table, err = Load(table); err != nil {
			return nil, fmt.Errorf("organisation.networks_file %s: %w", table, err)
		}
	}
	if countries != "" {
		if p.Countries, err = LoadCountries(countries); err != nil {
			return nil, fmt.Errorf("organisation.geoip_file %s: %w", countries, err)
		}
	}
	return p, nil
}

// Find says where an address is, as far as anybody knows.
func (p *Places) Find(a netip.Addr) (out Network) {
	if p == nil {
		return out
	}
	if p.Table != nil {
		n, listed := p.Table.Find(a)
		if out = n; !listed {
			out.Tag = unlisted
		}
	}
	if p.Countries != nil {
		out.Country = cmp.Or(out.Country, p.Countries.Find(a))
	}
	return out
}
