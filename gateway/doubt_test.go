package gateway

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sluice-siem/sluice/gateway/ledger"
	"github.com/sluice-siem/sluice/gateway/stream"
	"github.com/sluice-siem/sluice/gateway/target"
)

// unsure is a target that may have lost what it took.
type unsure struct {
	picky
	doubt   stream.Doubt
	arrived bool
	tend    func() error
	calls   []string
}

func (u *unsure) Doubt() stream.Doubt { return u.doubt }

func (u *unsure) Tend(context.Context) error {
	u.calls = append(u.calls, "tend")
	if u.tend != nil {
		return u.tend()
	}
	return nil
}

func (u *unsure) Farewell(context.Context) {
	u.calls = append(u.calls, "farewell")
	u.doubt = stream.Doubt{}
}

func (u *unsure) Arrived(_ context.Context, d stream.Doubt) bool {
	u.calls = append(u.calls, "arrived by "+d.Link)
	return u.arrived
}

// untilTheLast stops the delivery after the last entry.
func (p *picky) untilTheLast(d *delivery) {
	take := p.take
	p.take = func(key string) target.Result {
		r := take(key)
		if key == "7" && r == target.Delivered {
			d.finish()
		}
		return r
	}
}

func takes(string) target.Result { return target.Delivered }

// killed is a delivery of nine entries to a target, after a process that delivered five of them, left four
// of these in doubt, and was killed.
func killed(t *testing.T, to Target) *delivery {
	t.Helper()
	d := deliveryTo(t, to, 9)
	entries, err := d.reader.Next(t.Context(), 9)
	if err != nil || len(entries) != 9 {
		t.Fatal(len(entries), err)
	}
	counted := stream.Tally{}
	for i := range entries[:5] {
		if entries[i].Delivered() {
			counted.Add(ledger.Delivered, entries[i], 1)
		}
	}
	d.reader.Suspect(stream.Doubt{From: entries[1].At, Link: "the line"})
	if err := d.reader.Commit(entries[4].At, counted); err != nil {
		t.Fatal(err)
	}
	d.reader.Rewind()
	return d
}

// TestWhatIsInDoubtIsSentAgainAndNotCounted: after a kill, unless it is proven that it arrived.
func TestWhatIsInDoubtIsSentAgainAndNotCounted(t *testing.T) {
	breaks := 3
	tests := []struct {
		name string
		to   *unsure
		want []string
	}{
		{"lost", &unsure{picky: picky{take: takes}}, []string{"1", "3", "4", "6", "7"}},
		{"arrived", &unsure{picky: picky{take: takes}, arrived: true}, []string{"6", "7"}},
		{"refused the second time", &unsure{picky: picky{take: func(key string) target.Result {
			if key == "3" {
				return target.Rejected
			}
			return target.Delivered
		}}}, []string{"1", "4", "6", "7"}},
		{"in parts", &unsure{picky: picky{take: func(key string) target.Result {
			if breaks > 0 && (key == "3" || key == "7") {
				breaks--
				return target.Retry
			}
			return target.Delivered
		}}}, []string{"1", "3", "4", "6", "7"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := killed(t, tt.to)
			tt.to.untilTheLast(d)
			if err := d.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, tt.to.got); diff != "" {
				t.Errorf("delivered (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(map[string]int64{ledger.Delivered: 6}, terms(d)); diff != "" {
				t.Errorf("counted (-want +got):\n%s", diff)
			}
			var letters []string // a reset may have cost what is refused now
			if tt.name == "refused the second time" {
				letters = []string{"1.3"}
			}
			ids, err := d.letters.List("siem")
			if diff := cmp.Diff(letters, ids, cmpopts.EquateEmpty()); diff != "" || err != nil {
				t.Errorf("kept as dead letters: %v (-want +got):\n%s", err, diff)
			}
			if diff := cmp.Diff([]string{"arrived by the line", "tend", "farewell"}, tt.to.calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if got := d.reader.Doubt(); !got.None() {
				t.Errorf("left in doubt: %v", got)
			}
		})
	}
}

// TestTheOldDoubtCoversTheNewOne: while a process sends again what another one left, nothing proves that
// it may stop, and the cursor may move.
func TestTheOldDoubtCoversTheNewOne(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	to := &unsure{doubt: stream.Doubt{From: stream.Position{Sequence: 1, Index: 6}, Link: "a new line"}}
	to.take = func(key string) target.Result {
		if key == "7" {
			cancel()
			return target.Retry
		}
		return target.Delivered
	}
	d := killed(t, to)
	if err := d.run(ctx); err != nil {
		t.Fatal(err)
	}
	want := stream.Doubt{From: stream.Position{Sequence: 1, Index: 1}}
	if at := d.reader.Committed(); at.Index != 6 {
		t.Errorf("the cursor is at %v, want 1.6", at)
	}
	if diff := cmp.Diff(want, d.reader.Doubt()); diff != "" {
		t.Errorf("in doubt (-want +got):\n%s", diff)
	}
}

// TestAnotherKindOfTargetTakesTheDoubtOver: nobody can ask it how the old connection ended, so all of it is sent.
func TestAnotherKindOfTargetTakesTheDoubtOver(t *testing.T) {
	p := &picky{take: takes}
	d := killed(t, p)
	p.untilTheLast(d)
	if err := d.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"1", "3", "4", "6", "7"}, p.got); diff != "" || !d.reader.Doubt().None() {
		t.Errorf("in doubt %v; delivered (-want +got):\n%s", d.reader.Doubt(), diff)
	}
}

// TestATargetInDoubtIsLookedAfter: while nothing is to be delivered, until it is in doubt no more.
func TestATargetInDoubtIsLookedAfter(t *testing.T) {
	to := &unsure{picky: picky{take: takes}, doubt: stream.Doubt{From: stream.Position{Sequence: 1}, Link: "the line"}}
	d := deliveryTo(t, to, 3)
	ctx, cancel := context.WithCancel(t.Context())
	to.tend = func() error {
		switch len(to.calls) {
		case 1:
			return errors.New("the SIEM refuses")
		case 3:
			to.doubt = stream.Doubt{}
			cancel()
		}
		return nil
	}
	if _, err := d.next(ctx); err != nil { // nothing is in doubt yet
		t.Fatal(err)
	}
	d.doubts.ask()
	var pause backoff
	for n := 1; ctx.Err() == nil; n++ {
		if _, err := d.next(ctx); !errors.Is(err, errTend) {
			t.Fatalf("next() = %v", err)
		}
		d.tend(ctx, &pause)
		if got := d.reader.Doubt(); got != to.doubt {
			t.Errorf("kept: %v, want %v", got, to.doubt)
		}
		if refused := n == 1; (pause.tries > 0) != refused {
			t.Errorf("look %d: %d tries", n, pause.tries)
		}
	}
}
