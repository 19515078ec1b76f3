package dedup

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/formats"
)

// FuzzWeigh: whatever two alerts of one type and moment say, weighing them ends, within what a question may cost, and says the same both
// ways.
func FuzzWeigh(f *testing.F) {
	for _, seed := range [][2]string{
		{"jdoe", "Jane Doe ran commands on WS-7."},
		{`HARBOUR\jane.doe;a@b,c@d`, "Жанна До (jdoe@x.example), O'Neil; SRV-1, 192.0.2.7"},
		{"CN=Jane Doe,OU=x", "'a' \"b\" «c» 3 suspicious activities by a user on 2 hosts"},
		{"張偉", "- - ( ) @ \\ ,,"},
		{"#EXT#@x", "\x00\xff\ufeff\u202e"},
	} {
		f.Add(seed[0], seed[1], "ws-7$", "j.doe@x.example", "J. Doe was seen", "WS-7.x.example")
		f.Add("a b c", "A B C", "1", seed[0], seed[1], "::1")
	}
	x := openInMemory(f)
	now := time.Date(2024, 3, 4, 8, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, account, text, device, otherAccount, otherText, otherDevice string) {
		said := func(by formats.Service, account, text, device string) facts {
			n := benchAlert(by, len(text), now)
			n.Accounts = []formats.Entity{{Name: strings.ToValidUTF8(account, "?")}}
			n.Devices = []formats.Entity{{Name: strings.ToValidUTF8(device, "?")}}
			n.Message = strings.ToValidUTF8(text, "?")
			return x.scale.facts(&n)
		}
		a, b := said(formats.DefenderForIdentity, account, text, device), said(formats.CloudAppSecurity, otherAccount, otherText, otherDevice)
		weigh := func(a, b *facts) (verdict, bool) {
			s := x.scale
			s.effort = &effort{mostEffort}
			v, ok := s.weigh(a, b)
			s.explain(a, b)
			return v, ok && !s.effort.spent()
		}
		v, ok := weigh(&a, &b)
		w, same := weigh(&b, &a)
		if ok != same || ok && v.points != w.points {
			t.Errorf("%q, %q, %q and %q, %q, %q: %t with %d, and turned round %t with %d", account, text, device, otherAccount, otherText, otherDevice, ok, v.points, same, w.points)
		}
	})
}
