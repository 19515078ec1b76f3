package api_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// twins are two worlds that grow together: whatever is inside of the limit happens in both, with the words that the
// stream has for it in each; the rest happens in one.
type twins struct {
	random     *rand.Rand
	more, less *past
	alerts     []*twinAlert
	serial     int
	calm       bool // no pairing changes later
}

// twinAlert is an alert by the IDs that the stream has for it in each world, with what each service said first.
type twinAlert struct {
	more, less string
	in, out    *stream.Entry
}

const (
	ours   = formats.DefenderForIdentity
	theirs = formats.CloudAppSecurity
)

func newTwins(seed uint64) *twins {
	start := time.Now().UTC().Add(-time.Hour).Truncate(time.Hour)
	return &twins{
		random: rand.New(rand.NewPCG(seed, 6)),
		more:   &past{now: start, ids: map[string]bool{}}, less: &past{now: start, ids: map[string]bool{}},
	}
}

func (w *twins) user() string {
	return []string{`CORP\anna`, "anna@corp.example", `CORP\bo`, "bo@corp.example", "eve@corp.example"}[w.random.IntN(5)]
}

func (w *twins) id() string {
	w.serial++
	return fmt.Sprintf("%s%d", []string{"m", "c"}[w.random.IntN(2)], w.serial)
}

// pick gives one of the alerts that it is true of, nil for none.
func (w *twins) pick(is func(*twinAlert) bool) *twinAlert {
	for _, i := range w.random.Perm(len(w.alerts)) {
		if is(w.alerts[i]) {
			return w.alerts[i]
		}
	}
	return nil
}

// both records in both worlds, with what each makes of it; only in the one.
func (w *twins) both(more, less *stream.Entry) *stream.Entry {
	w.more.add(more)
	w.less.add(less)
	return more
}

func (w *twins) only(e *stream.Entry) *stream.Entry {
	had := len(w.less.entries)
	copied := *e
	w.less.add(&copied) // time passes there too
	w.less.entries = w.less.entries[:had]
	return w.more.add(e)
}

// again is what is recorded later of a notification.
func again(e *stream.Entry, kind stream.Kind, alert, from string) *stream.Entry {
	copied := &stream.Entry{Kind: kind, Input: e.Input, Notification: e.Notification, Match: dedup.Match{Alert: dedup.AlertID(alert), Relation: dedup.Twin}}
	if kind == stream.Undo {
		copied.Match.Relation = dedup.First
		copied.Match.RunnerUp = &dedup.Candidate{Alert: dedup.AlertID(from)}
	}
	return copied
}

// keyed records it under the notification's own key.
func (w *twins) keyed(e, of *stream.Entry) {
	w.only(e)
	e.Key = of.Key
}

// step is one thing that happens.
func (w *twins) step() {
	decided := policy.Decision{Action: []dedup.Action{dedup.Forward, dedup.Hold, dedup.Suppress}[w.random.IntN(3)], ManagedIn: ours, Reason: policy.TwinForwarded, Rule: "some rule"}
	plain := policy.Decision{Action: dedup.Forward, ManagedIn: ours, Reason: policy.ManagedHere}
	what := w.random.IntN(12)
	if w.calm && (what == 7 || what == 8) {
		return
	}
	switch what {
	case 0: // outside, first
		a := &twinAlert{more: w.id()}
		a.out = w.only(says(theirs, w.id(), a.more, w.user(), dedup.First, decided))
		w.alerts = append(w.alerts, a)
	case 1: // inside, first, as far as is known
		a := &twinAlert{more: w.id()}
		a.less = a.more
		id, user := w.id(), w.user()
		a.in = w.both(says(ours, id, a.more, user, dedup.First, plain), says(ours, id, a.less, user, dedup.First, plain))
		w.alerts = append(w.alerts, a)
	case 2: // inside, of an alert that was outside
		if a := w.pick(func(a *twinAlert) bool { return a.in == nil }); a != nil {
			a.less = w.id()
			id, user := w.id(), w.user()
			e := says(ours, id, a.more, user, dedup.Twin, decided)
			e.Match.Evidence = []dedup.Evidence{{What: "account", How: "eve is anna"}}
			e.Twins = []dedup.Sighting{{Service: theirs, ID: "c", Key: a.out.Key}}
			e.Said = []formats.Notification{a.out.Notification}
			a.in = w.both(e, says(ours, id, a.less, user, dedup.First, plain))
		}
	case 3, 4: // inside, again
		if a := w.pick(func(a *twinAlert) bool { return a.in != nil }); a != nil {
			relation := []dedup.Relation{dedup.Update, dedup.Resend}[w.random.IntN(2)]
			id, user := a.in.Notification.ID, w.user()
			w.both(says(ours, id, a.more, user, relation, decided), says(ours, id, a.less, user, relation, plain))
		}
	case 5: // outside, of an alert that was inside
		if a := w.pick(func(a *twinAlert) bool { return a.in != nil && a.out == nil }); a != nil {
			a.out = w.only(says(theirs, w.id(), a.more, w.user(), dedup.Twin, decided))
		}
	case 6: // outside, again
		if a := w.pick(func(a *twinAlert) bool { return a.out != nil }); a != nil {
			w.only(says(theirs, a.out.Notification.ID, a.more, w.user(), dedup.Update, decided))
		}
	case 7: // what was held turns out to be another alert's
		out := w.pick(func(a *twinAlert) bool { return a.in == nil && a.out != nil })
		in := w.pick(func(a *twinAlert) bool { return a.in != nil && a.out == nil })
		if out != nil && in != nil && w.random.IntN(2) == 0 {
			w.keyed(again(out.out, stream.Release, in.more, ""), out.out)
			in.out, out.out = out.out, nil
			w.forget(out)
		} else if out != nil && in != nil { // or the one inside the other's
			w.keyed(again(in.in, stream.Release, out.more, ""), in.in)
			in.more, in.out = out.more, out.out
			w.forget(out)
		}
	case 8: // a pairing was wrong
		if a := w.pick(func(a *twinAlert) bool { return a.in != nil && a.out != nil }); a != nil {
			apart := &twinAlert{more: w.id()}
			if w.random.IntN(2) == 0 {
				w.keyed(again(a.out, stream.Undo, apart.more, a.more), a.out)
				apart.out, a.out = a.out, nil
			} else {
				w.keyed(again(a.in, stream.Undo, apart.more, a.more), a.in)
				apart.in, apart.less, a.in, a.less = a.in, a.less, nil, ""
			}
			w.alerts = append(w.alerts, apart)
		}
	case 9:
		w.only(did(w.user(), "Box"))
	default:
		w.act()
	}
}

func (w *twins) forget(a *twinAlert) {
	for i, o := range w.alerts {
		if o == a {
			w.alerts = append(w.alerts[:i], w.alerts[i+1:]...)
			return
		}
	}
}

// act is what an admin does who sees everything.
func (w *twins) act() {
	a := w.pick(func(*twinAlert) bool { return true })
	if a == nil {
		return
	}
	on := []func(id string) model.Act{
		func(id string) model.Act { return model.Write{Alerts: []string{id}, Text: "looked at it"} },
		func(id string) model.Act { return model.Assign{Alerts: []string{id}, To: "ida"} },
		func(id string) model.Act { return model.Mark{Alerts: []string{id}, Read: true} },
		func(id string) model.Act { return model.Close{Alerts: []string{id}, In: ours, Why: "benign"} },
		func(id string) model.Act { return model.Reopen{Alerts: []string{id}, In: ours} },
		func(id string) model.Act { return model.Close{Alerts: []string{id}, In: theirs, Why: "benign"} },
	}
	i := w.random.IntN(len(on))
	if a.in == nil || i == len(on)-1 {
		w.only(acted(on[i](a.more)))
		return
	}
	w.both(acted(on[i](a.more)), acted(on[i](a.less)))
}

func acted(a model.Act) *stream.Entry {
	record, err := model.Record("root", a)
	if err != nil {
		panic(err)
	}
	return &stream.Entry{Kind: stream.Acted, Act: &record, Decision: policy.Decision{Action: dedup.Drop, Reason: policy.Operated}}
}

// TestWorldsAtRandom lets two worlds grow as it happens: no answer tells a limited role which of them it is in.
func TestWorldsAtRandom(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := newTwins(seed)
			for range 120 {
				w.step()
			}
			scope := access.Scope{Services: []string{string(ours)}}
			a, b := limitedTo(t, w.more, scope), limitedTo(t, w.less, scope)
			if x := answer(a, "/alerts/total"); strings.Contains(x, `"count":0`) || len(w.more.entries) < len(w.less.entries)+20 {
				t.Fatalf("the worlds are too small to tell anything: %s, %d and %d entries", x, len(w.more.entries), len(w.less.entries))
			}
			for _, path := range everything(t, []http.Handler{a, b}, w.more.ids) {
				if d := cmp.Diff(answer(b, path), answer(a, path)); d != "" {
					t.Fatalf("GET %s tells the worlds apart (-without +with what is outside): %.3000s", path, d)
				}
			}
		})
	}
}

// everything asks for all that is listed, counted and found.
func everything(t *testing.T, worlds []http.Handler, ids map[string]bool) []string {
	t.Helper()
	out := []string{
		"/alerts?limit=500", "/alerts?sort=severity&limit=3", "/alerts/total", "/alerts/export", "/activities?limit=500", "/activities/export?format=csv", "/activities/total",
		"/users?limit=500", "/users?sort=display&limit=2", "/state", "/alerts/facets?fields=service,application,type,title,user,severity,ip,device,status,read",
		"/activities/facets?fields=service,application,type,title,user,kind", "/alerts?filter=drift+%3D+yes", "/alerts?filter=status+%3D+closed", "/alerts?filter=user+contains+eve",
	}
	for _, h := range worlds {
		for _, list := range []string{"/alerts?limit=500", "/activities?limit=500", "/users?limit=500"} {
			for _, id := range found(t, answer(h, list)) {
				ids[id] = true
			}
		}
	}
	for id := range ids {
		if id != "" {
			out = append(out, "/alerts/"+id, "/alerts/"+id+"/history", "/activities/"+id, "/users/"+id, "/users/"+id+"/timeline")
		}
	}
	return out
}
