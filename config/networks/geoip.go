package networks

import (
	"net/netip"

	"github.com/oschwald/maxminddb-golang/v2"
)

// Countries is a database in the form of MaxMind (mmdb) that knows the country of addresses, such as GeoLite2
// Country or DB-IP's.
type Countries struct{ db *maxminddb.Reader }

// LoadCountries reads a database into memory: one that is mapped and then written over in place would end the process.
func LoadCountries(path string) (*Countries, error) {
	data, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	db, err := maxminddb.OpenBytes(data)
	if err != nil {
		return nil, err
	}
	return &Countries{db}, nil
}

// Find is the two letters of the country in which an address is, or where there is none, of the one in which its
// network is registered; empty where the database doesn't know.
func (c *Countries) Find(a netip.Addr) string {
	type country struct {
		Code string `maxminddb:"iso_code"`
	}
	var record struct {
		Country    country `maxminddb:"country"`
		Registered country `maxminddb:"registered_country"`
	}
	if err := c.db.Lookup(a.Unmap().WithZone("")).Decode(&record); err != nil || record.Country.Code == "" {
		return record.Registered.Code
	}
	return record.Country.Code
}
