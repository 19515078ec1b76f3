package dedup

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/catalog"
)

// TestAFieldOfManyAccounts: what is kept of one is bounded, however many somebody writes.
func TestAFieldOfManyAccounts(t *testing.T) {
	t.Parallel()
	cat, err := catalog.New()
	if err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	s := scale{catalog: cat, directory: newDirectory(c.Organisation), config: c.Dedup, services: c.Services}
	for _, form := range []string{"a%d;", "a%d$;"} {
		var list strings.Builder
		for i := range 10_000 {
			fmt.Fprintf(&list, form, i)
		}
		n := formats.Notification{Service: formats.CloudAppSecurity, Accounts: []formats.Entity{{Name: list.String()}}}
		if f := s.facts(&n); len(f.accounts)+len(f.devices) != mostAccounts {
			t.Errorf("%s: %d accounts and %d machines, want %d", form, len(f.accounts), len(f.devices), mostAccounts)
		}
	}
}
