package networks_test

import (
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/sluice-siem/sluice/config/networks"
)

// text and pairs are values in the form of MaxMind's databases: a byte with type and size, and the value.
func text(s string) []byte { return append([]byte{2<<5 | byte(len(s))}, s...) }

func pairs(of ...[]byte) []byte {
	out := []byte{7<<5 | byte(len(of)/2)}
	for _, v := range of {
		out = append(out, v...)
	}
	return out
}

func number(kind byte, n uint32) []byte {
	out := []byte{kind<<5 | 4}
	if kind > 7 { // an extended type
		out = []byte{4, kind - 7}
	}
	return binary.BigEndian.AppendUint32(out, n)
}

// database holds one network, 11.0.0.0/8, in a country.
func database(country string) []byte {
	const first, nodes = 11, 8
	var out []byte
	record := func(n uint32) { out = append(out, byte(n>>16), byte(n>>8), byte(n)) }
	for bit := range uint32(nodes) {
		next := []uint32{nodes, nodes} // nothing
		next[first>>(nodes-1-bit)&1] = bit + 1
		if bit == nodes-1 {
			next[first&1] = nodes + 16 // the first of the data
		}
		record(next[0])
		record(next[1])
	}
	out = append(out, make([]byte, 16)...)
	out = append(out, pairs(text("country"), pairs(text("iso_code"), text(country)))...)
	out = append(out, "\xab\xcd\xefMaxMind.com"...)
	return append(out, pairs(
		text("node_count"), number(6, nodes), text("record_size"), number(6, 24), text("ip_version"), number(6, 4),
		text("binary_format_major_version"), number(6, 2), text("binary_format_minor_version"), number(6, 0), text("database_type"), text("Test"),
		text("build_epoch"), number(6, 1), text("languages"), []byte{0, 4}, text("description"), pairs(),
	)...)
}

func TestCountries(t *testing.T) {
	dir := t.TempDir()
	path, wrong := filepath.Join(dir, "countries.mmdb"), filepath.Join(dir, "wrong.mmdb")
	for name, data := range map[string][]byte{path: database("NO"), wrong: []byte("cidr,country,tag\n")} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := networks.LoadCountries(path)
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{"11.2.3.4": "NO", "::ffff:11.2.3.4": "NO", "12.0.0.1": "", "2001:db8::1": ""} {
		if got := c.Find(netip.MustParseAddr(address)); got != want {
			t.Errorf("Find(%s) = %q, want %q", address, got, want)
		}
	}
	for _, path := range []string{wrong, filepath.Join(dir, "missing.mmdb")} {
		if _, err := networks.LoadCountries(path); err == nil {
			t.Errorf("LoadCountries(%s) = nil", path)
		}
	}
}
