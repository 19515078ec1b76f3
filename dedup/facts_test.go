package dedup

import (
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
	n := formats.Notification{Service: formats.CloudAppSecurity, Accounts: []formats.Entity{{Name: strings.Repeat("a;", 100_000)}}}
	if f := s.facts(&n); len(f.accounts) != mostAccounts {
		t.Errorf("%d accounts, want %d", len(f.accounts), mostAccounts)
	}
}
