package dedup

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats"
)

// BenchmarkMatch asks, without deciding anything, for an activity that is new, for one that is known, and
// for the twin of an alert among a hundred that an hour brought.
func BenchmarkMatch(b *testing.B) {
	now := time.Date(2024, 3, 4, 8, 0, 0, 0, time.UTC)
	x, err := Open(b.TempDir(), config.Default())
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := x.Close(); err != nil {
			b.Error(err)
		}
	}()
	for i := range 100 {
		learn(b, x, benchActivity(fmt.Sprint("known ", i)), now)
		learn(b, x, benchAlert(formats.DefenderForIdentity, i, now.Add(time.Duration(i)*36*time.Second)), now)
	}
	for _, bb := range []struct {
		name string
		n    formats.Notification
		want Relation
	}{
		{"new activity", benchActivity("new"), First},
		{"known activity", benchActivity("known 50"), Resend},
		{"twin", benchAlert(formats.CloudAppSecurity, 50, now.Add(50*36*time.Second)), Twin},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				batch := x.Begin()
				if m, _, err := batch.Match(&bb.n, now.Add(time.Hour)); err != nil || m.Relation != bb.want {
					b.Fatalf("Match = %+v, %v; want %s", m, err, bb.want)
				}
				batch.Discard()
			}
		})
	}
}

func learn(b *testing.B, x *Index, n formats.Notification, now time.Time) {
	b.Helper()
	batch := x.Begin()
	defer batch.Discard()
	m, _, err := batch.Match(&n, now)
	if err != nil {
		b.Fatal(err)
	}
	if err := batch.Apply(&Outcome{Key: Key(&n, now), Time: now, Notification: &n, Match: m, Action: Forward}); err != nil {
		b.Fatal(err)
	}
	if err := batch.Commit(Mark{}); err != nil {
		b.Fatal(err)
	}
}

func benchActivity(id string) formats.Notification {
	return formats.Notification{
		Service: formats.CloudAppSecurity, Origin: formats.CloudAppSecurity, Kind: formats.Activity, Channel: "syslog", ID: id,
	}
}

func benchAlert(s formats.Service, i int, start time.Time) formats.Notification {
	n := formats.Notification{
		Service: s, Origin: formats.DefenderForIdentity, Kind: formats.Alert, Channel: "syslog", ID: fmt.Sprintf("%032x", i),
		Type: "2017", Class: "PassTheHashSecurityAlert", Title: "Suspected identity theft (pass-the-hash)",
		Accounts: []formats.Entity{{Name: fmt.Sprintf("worker%03d", i), Key: "suser"}},
		Message:  fmt.Sprintf("A hash of worker%03d was used from WS-%03d.", i, i), Start: start, App: "Active Directory",
	}
	if s == formats.CloudAppSecurity {
		n.Class = "ALERT_EXTERNAL_AATP_PASS_THE_HASH_SECURITY_ALERT"
		n.Type = n.Class
	}
	return n
}

// BenchmarkWeighLists weighs two texts that are written to be compared at length: two lists of names of which the accounts
// on the other list are almost made.
func BenchmarkWeighLists(b *testing.B) {
	x := openInMemory(b)
	at := time.Date(2024, 3, 4, 8, 0, 0, 0, time.UTC)
	told := func(by formats.Service, account, text string) facts {
		n := benchAlert(by, 1, at)
		n.Message, n.Accounts = text, []formats.Entity{{Name: account, Key: "suser"}}
		return x.scale.facts(&n)
	}
	many := func(format string) string {
		var list strings.Builder
		for i := 0; list.Len() < 4096; i++ {
			fmt.Fprintf(&list, format, string([]byte{byte('a' + i%26), byte('a' + i/26%26)}))
		}
		return list.String()
	}
	const begin = "APPSRV guessed passwords of accounts: "
	ns := strings.Repeat("n", 9)
	m := told(formats.DefenderForIdentity, "nora.falk", begin+many("N"+ns+"%s-"+ns+"-"+ns+" F"+ns+"-"+ns+"-"+ns+" N"+ns+". "))
	c := told(formats.CloudAppSecurity, "nora.falk@x", begin+many(strings.Repeat("n", 40)+"%s@x "))
	for b.Loop() {
		x.scale.weigh(&m, &c)
	}
}
