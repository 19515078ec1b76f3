package dedup

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/formats"
)

// little is of so few steps that a test needn't ask about hundreds of alerts for them to be too few.
const little = 1 << 17

// TestHostileQuestionsEnd: whatever the senders wrote, a question ends soon after it has cost too much, with no.
func TestHostileQuestionsEnd(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 3, 4, 8, 0, 0, 0, time.UTC)
	for name, write := range hostile() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := openInMemory(t)
			x.effort = little
			for i := range 48 {
				learn(t, x, write(formats.DefenderForIdentity, i, now.Add(time.Duration(i)*time.Second)), now)
			}
			n := write(formats.CloudAppSecurity, 20, now.Add(20*time.Second))
			b := x.Begin()
			defer b.Discard()
			m, tentative, err := b.Match(&n, now.Add(time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			if !b.effort.spent() || m.Relation != First || tentative != nil {
				t.Errorf("Match = %+v, %+v with %d steps left; want an alert of its own with none left", m, tentative, b.effort.left)
			}
		})
	}
}

// TestTooMuchToCompare: a twin among few others is found; among so many that the question isn't answered nothing is taken, as
// one of those who weren't looked at may fit as well.
func TestTooMuchToCompare(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 3, 4, 8, 0, 0, 0, time.UTC)
	write := hostile()["accounts of many words"]
	for crowd, want := range map[int]Relation{0: Twin, 2: Twin, 64: First} {
		x := openInMemory(t)
		x.effort = little
		one := benchAlert(formats.DefenderForIdentity, 500, now)
		learn(t, x, one, now)
		for i := range crowd {
			n := write(formats.DefenderForIdentity, i, now)
			n.Accounts[0].Name += "; worker of a b c d e f g h i j" + n.ID
			learn(t, x, n, now)
		}
		n := benchAlert(formats.CloudAppSecurity, 500, now)
		b := x.Begin()
		defer b.Discard()
		m, tentative, err := b.Match(&n, now.Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if m.Relation != want || tentative != nil || (want == First) != b.effort.spent() {
			t.Errorf("%d others: %s, %+v, %d steps left; want %s", crowd, m.Relation, tentative, b.effort.left, want)
		}
	}
}

// TestEffortKnowsNoMemory: what is kept in memory between questions makes none of them shorter, so that whoever was stopped
// after each message decides as one who ran on, also where many questions are given up.
func TestEffortKnowsNoMemory(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 3, 4, 8, 0, 0, 0, time.UTC)
	decide := func(forgets bool) (decisions []string, spent int) {
		x := openInMemory(t)
		x.effort = 1 << 13
		for i := range 60 {
			s := []formats.Service{formats.DefenderForIdentity, formats.DefenderForIdentity, formats.CloudAppSecurity}[i%3]
			n := stormAlert(s, i/3, now.Add(time.Duration(i/3)*time.Second))
			if i == 30 {
				n = hostile()["accounts of many words"](s, i, n.Start)
			}
			n.ID = fmt.Sprint("message ", i)
			at := now.Add(time.Duration(i) * time.Millisecond)
			b := x.Begin()
			m, tentative, err := b.Match(&n, at)
			if err == nil {
				err = b.Apply(&Outcome{Key: Key(&n, at), Time: at, Notification: &n, Match: m, Action: Forward})
			}
			if err == nil {
				err = b.Commit(Mark{Time: at})
			}
			if err != nil {
				t.Fatal(err)
			}
			b.Discard()
			if b.effort.spent() {
				spent++
			}
			decisions = append(decisions, fmt.Sprint(m.Relation, m.Alert, m.Points, tentative != nil, b.effort.left))
			if forgets {
				x.recent, x.alerts, x.shelves = recent{}, alerts{}, shelves{}
			}
		}
		return decisions, spent
	}
	want, spent := decide(false)
	if spent == 0 || spent == len(want) {
		t.Errorf("%d of %d questions are given up, want some", spent, len(want))
	}
	got, _ := decide(true)
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("message %d: %s by what is stored, want %s", i, got[i], want[i])
		}
	}
}

// TestStormIsAnswered: an incident of a thousand alerts of one type in a minute, as people and machines are called, is recognised
// with steps to spare, also while nothing of it has its twin yet and each may be a rival.
func TestStormIsAnswered(t *testing.T) {
	t.Parallel()
	const alerts, every, later = maxCandidates, 60 * time.Millisecond, 4 * time.Second
	now := time.Date(2024, 3, 4, 8, 0, 0, 0, time.UTC)
	x := openInMemory(t)
	b := x.Begin()
	defer b.Discard()
	for _, s := range []formats.Service{formats.DefenderForIdentity, formats.CloudAppSecurity} {
		for i := range alerts {
			n := stormAlert(s, i, now.Add(time.Duration(i)*every))
			if s == formats.CloudAppSecurity {
				if n.Start = n.Start.Add(later); i%2 == 0 {
					continue // asked below
				}
			}
			own := Match{Alert: newAlertID(&n, now), Relation: First}
			if err := b.Apply(&Outcome{Key: Key(&n, now), Time: now, Notification: &n, Match: own, Action: Forward}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := 0; i < alerts; i += 128 {
		n := stormAlert(formats.CloudAppSecurity, i, now.Add(time.Duration(i)*every+later))
		m, tentative, err := b.Match(&n, now)
		if err != nil {
			t.Fatal(err)
		}
		if tentative == nil && m.Relation != Twin || b.effort.left < mostEffort/2 {
			t.Errorf("alert %d: %s, %+v with %d steps left", i, m.Relation, tentative, b.effort.left)
		}
	}
}

func stormAlert(s formats.Service, i int, at time.Time) formats.Notification {
	given := []string{"Nora", "Anna", "Peter", "Michael", "Susan", "Thomas", "Jörg", "Maria", "Ingrid", "Oliver", "Claudia", "Stefan"}
	family := []string{
		"Falk", "Meier", "Schmidt", "Andersson", "Johnson", "Fischer", "Weber", "Wagner", "Becker", "Schulz", "Hoffmann", "Koch",
		"Richter", "Klein", "Wolf", "Neumann", "Zimmermann", "Braun", "Hofmann", "Hartmann", "Lange", "Krause", "Lehmann", "Maier",
		"Walter", "Kaiser", "Peters", "Scholz", "Jung", "Keller", "Vogel", "Roth", "Beck", "Lorenz", "Baumann", "Franke", "Albrecht",
		"Schuster", "Simon", "Ludwig", "Böhm", "Winter", "Kraus",
	}
	n := benchAlert(s, i, at)
	n.Arrived = at.Add(20 * time.Second)
	first, last := given[i%len(given)], family[i/len(given)%len(family)]
	account, machine := first+"."+last, fmt.Sprintf("WS-BERLIN-%04d.corp.example", i)
	n.Accounts = []formats.Entity{{Name: account, Key: "suser"}}
	if s == formats.DefenderForIdentity {
		n.Devices = []formats.Entity{{Name: machine}}
		n.Message = fmt.Sprintf("An actor took %s %s's Kerberos ticket from %s and used it on SRV-FILES-0001 to access 4 resources on 3 domain controllers.", first, last, machine)
		return n
	}
	address := account + "@corp.example"
	n.ID = fmt.Sprint("cloud ", i)
	n.Accounts = []formats.Entity{{Name: address, Key: "suser"}, {Name: first + " " + last}}
	n.Message = fmt.Sprintf("Active Directory: %s %s (%s) had a ticket that was taken from %s and used on SRV-FILES-0001.", first, last, address, machine)
	return n
}
