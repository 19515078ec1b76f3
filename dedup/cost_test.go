package dedup

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats"
)

// TestCost: whoever writes texts to be compared at length doesn't hold us up. The limit is far above what it takes.
func TestCost(t *testing.T) {
	x, err := Open(t.TempDir(), config.Default())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	at := time.Date(2024, 3, 4, 8, 0, 0, 0, time.UTC)
	told := func(by formats.Service, account, text string) facts {
		n := benchAlert(by, 1, at)
		n.Message, n.Accounts = text, []formats.Entity{{Name: account, Key: "suser"}}
		return x.scale.facts(&n)
	}
	many := func(format string) string {
		var b strings.Builder
		for i := 0; b.Len() < 4096; i++ {
			fmt.Fprintf(&b, format, string([]byte{byte('a' + i%26), byte('a' + i/26%26)}))
		}
		return b.String()
	}
	const begin = "APPSRV guessed passwords of accounts: "
	ns := strings.Repeat("n", 9)
	m := told(formats.DefenderForIdentity, "nora.falk", begin+many("N"+ns+"%s-"+ns+"-"+ns+" F"+ns+"-"+ns+"-"+ns+" N"+ns+". "))
	c := told(formats.CloudAppSecurity, "nora.falk@x", begin+many(strings.Repeat("n", 40)+"%s@x "))
	took := make([]time.Duration, 7) // of which the least counts: others work here too
	for i := range took {
		began := time.Now()
		x.scale.weigh(&m, &c)
		took[i] = time.Since(began)
	}
	if least := slices.Min(took); least > 40*time.Millisecond {
		t.Errorf("two lists of names that the accounts on the other almost are made of took %v", least)
	}
}
