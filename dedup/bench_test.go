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

func learn(b testing.TB, x *Index, n formats.Notification, now time.Time) {
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

// BenchmarkHostile asks for the twin of an alert among 64 of one minute that are all written to be compared at length.
func BenchmarkHostile(b *testing.B) {
	now := time.Date(2024, 3, 4, 8, 0, 0, 0, time.UTC)
	for name, write := range hostile() {
		b.Run(name, func(b *testing.B) {
			x := openInMemory(b)
			for i := range 64 {
				learn(b, x, write(formats.DefenderForIdentity, i, now.Add(time.Duration(i)*time.Second)), now)
			}
			n := write(formats.CloudAppSecurity, 64, now.Add(30*time.Second))
			for at := now.Add(time.Minute); b.Loop(); at = at.Add(1) { // another one each time, which is read anew
				batch := x.Begin()
				if _, _, err := batch.Match(&n, at); err != nil {
					b.Fatal(err)
				}
				batch.Discard()
			}
		})
	}
}

// hostile are writers of alerts that take long to be compared, each in another way.
func hostile() map[string]func(by formats.Service, i int, at time.Time) formats.Notification {
	write := func(accounts, text func(cloud bool, i int) string) func(by formats.Service, i int, at time.Time) formats.Notification {
		return func(by formats.Service, i int, at time.Time) formats.Notification {
			n, cloud := benchAlert(by, i, at), by == formats.CloudAppSecurity
			n.Accounts, n.Message = []formats.Entity{{Name: accounts(cloud, i), Key: "suser"}}, text(cloud, i)
			return n
		}
	}
	word := func(i, long int) string {
		w := []byte("a")
		for ; len(w) < long; i = i/7 + 3*len(w) {
			w = append(w, byte('b'+i%7))
		}
		return string(w)
	}
	many := func(count int, between string, one func(j int) string) string {
		var list []string
		for j := range count {
			list = append(list, one(j))
		}
		return strings.Join(list, between)
	}
	wordy := func(cloud bool, i int) string {
		return many(mostAccounts, ";", func(j int) string {
			return many(mostWords, " ", func(k int) string { return word(1000*i+100*j+k+map[bool]int{true: 50}[cloud], 10) })
		})
	}
	short := func(cloud bool, i int) string {
		return many(mostAccounts, ";", func(j int) string { return fmt.Sprint("nfalk", 100*i+j+map[bool]int{true: 50}[cloud]) })
	}
	said := func(text string) func(bool, int) string { return func(bool, int) string { return text } }
	names := many(400, ". ", func(j int) string { return "Nora F" + word(j, 5) })
	return map[string]func(by formats.Service, i int, at time.Time) formats.Notification{
		"accounts of many words": write(wordy, said("Somebody ran commands.")),
		"names in the text":      write(short, said(names)),
		"one name in the text":   write(short, said(many(370, ". ", func(int) string { return "Nora Falk" }))),
		"names to be abbreviated": write(func(bool, int) string {
			return many(mostAccounts, ";", func(j int) string { return strings.Repeat("n", 38) + word(j, 3)[1:] })
		}, said(many(80, ". ", func(j int) string {
			return many(5, " ", func(k int) string { return "N" + strings.Repeat("n", 7+(j+k)%3) })
		}))),
		"accounts in the text": write(wordy, func(bool, int) string { return many(500, " ", func(j int) string { return word(j%12, 10) }) }),
		"figures":              write(said("nora.falk"), said(many(900, " ", func(j int) string { return fmt.Sprint(j) }))),
		"machines": write(short, func(cloud bool, i int) string {
			return many(200, " ", func(j int) string { return fmt.Sprintf("SRV%d%v-%014d", i, cloud, j) })
		}),
		"words": write(short, said(many(2000, " ", func(j int) string { return word(j, 1) }))),
	}
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
