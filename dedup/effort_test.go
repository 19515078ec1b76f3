package dedup

import (
	"testing"
	"time"

	"github.com/sluice-siem/sluice/formats"
)

// TestHostileQuestionsEnd: whatever the senders wrote, a question ends soon after it has cost too much, with no.
func TestHostileQuestionsEnd(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 3, 4, 8, 0, 0, 0, time.UTC)
	for name, write := range hostile() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := openInMemory(t)
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
