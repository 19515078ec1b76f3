package networks_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-siem/sluice/config/networks"
)

const file = "\ufeffcidr,country,tag\n# offices\n10.0.0.0/8,no,Corporate\n10.9.0.0/16,SE,vpn\n\n203.0.113.7,,anonymous\n2001:db8::/32,DE,hosting\n"

func TestFind(t *testing.T) {
	table, err := networks.Read([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	if table.Len() != 4 {
		t.Errorf("%d networks, want 4", table.Len())
	}
	for _, tt := range []struct {
		address string
		want    networks.Network
		listed  bool
	}{
		{"10.1.2.3", networks.Network{Country: "NO", Tag: "corporate"}, true},
		{"10.9.2.3", networks.Network{Country: "SE", Tag: "vpn"}, true},
		{"::ffff:10.9.2.3", networks.Network{Country: "SE", Tag: "vpn"}, true},
		{"203.0.113.7", networks.Network{Tag: "anonymous"}, true},
		{"203.0.113.8", networks.Network{}, false},
		{"2001:db8::1%eth0", networks.Network{Country: "DE", Tag: "hosting"}, true},
		{"2001:db9::1", networks.Network{}, false},
	} {
		if got, listed := table.Find(netip.MustParseAddr(tt.address)); got != tt.want || listed != tt.listed {
			t.Errorf("Find(%s) = %+v, %v, want %+v, %v", tt.address, got, listed, tt.want, tt.listed)
		}
	}
}

func TestProblems(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "found no header"},
		{"another table", "upn,sam\n", "found no column cidr"},
		{"no network", "cidr\nx\n", `line 2: found "x"`},
		{"an address in a network", "cidr\n10.0.0.1/8\n", "expected 10.0.0.0/8"},
		{"twice", "cidr,country,tag\n10.0.0.0/8,NO,\n10.0.0.0/8,SE,\n", "line 3: found the network 10.0.0.0/8 again"},
		{"columns", "cidr,tag\n10.0.0.0/8\n11.0.0.0/8,a\n", "line 2: wrong number of fields"},
		{"a long tag", "cidr,tag\n10.0.0.0/8," + strings.Repeat("x", 65) + "\n", "more than 64 bytes"},
	} {
		if _, err := networks.Read([]byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "networks.csv")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(file, ",", ";")), 0o600); err != nil {
		t.Fatal(err)
	}
	if table, err := networks.Load(path); err != nil || table.Len() != 4 {
		t.Errorf("Load = %v", err)
	}
	for _, path := range []string{dir, filepath.Join(dir, "missing")} {
		if _, err := networks.Load(path); err == nil || strings.Contains(err.Error(), dir) {
			t.Errorf("Load(%s) = %v, want an error without the name", path, err)
		}
	}
}
