package dedup

import (
	"time"

	"github.com/sluice-siem/sluice/formats"
)

// Match tells which alert n speaks of. It reads; what it decided becomes state by Apply.
//
// Where the best candidate is plausible and not certain, the second answer holds the pairing and the
// first says that n is an alert of its own. A notification that is going to be held anyway should
// wait: [Batch.Settle] asks again when the hold ends, when better evidence may have come.
func (b *Batch) Match(n *formats.Notification, now time.Time) (m Match, tentative *Match, err error) {
	if n.Kind != formats.Alert && n.Kind != formats.Activity || n.Kind == formats.Activity && n.ID == "" {
		return Match{Relation: First}, nil, nil
	}
	known, ok, err := b.known(n, now)
	if err != nil || ok {
		return known, nil, err
	}
	if n.Kind == formats.Activity {
		return Match{Relation: First}, nil, nil
	}
	key := Key(n, now)
	p, err := b.pair(n, key, "", now)
	if err != nil {
		return Match{}, nil, err
	}
	own := Match{Alert: newAlertID(n, now), Relation: First, Type: b.detection(n, key).Type(), RunnerUp: p.runnerUp}
	b.mint(own.Alert)
	if p.best == nil {
		return own, nil, nil
	}
	found := p.match()
	if found.Relation == Update || p.certain() {
		return found, nil, nil
	}
	own.RunnerUp = &Candidate{Alert: found.Alert, Points: found.Points, Why: "plausible, not certain: waiting for better evidence"}
	return own, &found, nil
}

// known finds the notification of an ID that was seen before: a resend with the same content, an
// update with any other, whatever its trigger says, so that a forged copy can't silence the original.
func (b *Batch) known(n *formats.Notification, now time.Time) (Match, bool, error) {
	p, ok, err := b.prior(n, now)
	if err != nil {
		return Match{}, false, err
	}
	if !ok {
		return b.sameStart(n, now)
	}
	m := Match{Alert: p.Alert, Relation: Update, Of: p.Key}
	if p.Content == n.Content {
		m.Relation = Resend
	} else {
		later, ok, err := b.later(n)
		if err != nil {
			return m, false, err
		}
		if ok && now.Sub(later.Time) <= b.remembered(n.Kind) {
			m.Relation, m.Of = Resend, later.Key
		}
	}
	m.Evidence = []Evidence{{What: "id", How: "the same id of the same service"}}
	if n.ID == "" {
		m.Evidence[0].How = "the same content of the same service, which gives no id"
	}
	if p.Alert != "" {
		a, err := b.alert(p.Alert)
		if err != nil {
			return m, false, err
		}
		m.Alert, m.Type = a.ID, a.Type
	}
	return m, true, nil
}

func (b *Batch) prior(n *formats.Notification, now time.Time) (prior, bool, error) {
	if !b.asked.about(n) {
		a := asked{kind: n.Kind, service: n.Service, channel: n.Channel, id: n.ID, content: n.Content}
		var err error
		if n.Kind == formats.Activity {
			a.of = activityOf(n)
			a.p, a.ok, err = b.activity(a.of)
		} else {
			var p prior // on the heap, where an activity's needn't be
			a.key = priorKey(n)
			a.ok, err = b.get(a.key, &p)
			a.p = p
		}
		if err != nil {
			return prior{}, false, err
		}
		b.asked = a
	}
	p := b.asked.p
	return p, b.asked.ok && now.Sub(p.Time) <= b.remembered(n.Kind), nil
}

// asked is the last answer of prior: a notification is looked up when it is matched, and again when the
// outcome is applied.
type asked struct {
	kind    formats.Kind // empty: nothing was asked
	service formats.Service
	channel string
	id      string
	content [16]byte
	of      [16]byte // an activity's
	key     []byte   // any other's
	p       prior
	ok      bool
}

// about tells whether that was the question: what priorKey makes a key of is the same.
func (a *asked) about(n *formats.Notification) bool {
	return a.kind == n.Kind && a.id == n.ID && (a.id != "" || a.content == n.Content) && a.service == n.Service && a.channel == n.Channel
}

// putPrior records what is known of n's ID from now on.
func (b *Batch) putPrior(n *formats.Notification, p prior) error {
	a := b.asked
	asks := a.about(n)
	b.asked = asked{}
	if n.Kind == formats.Activity {
		if !asks {
			a.of = activityOf(n)
		}
		b.block.add(a.of, &p)
		return nil
	}
	if !asks {
		a.key = priorKey(n)
	}
	return b.put(a.key, p, b.remembered(n.Kind))
}

// later is what is known of another content of n's ID.
func (b *Batch) later(n *formats.Notification) (p prior, ok bool, err error) {
	if n.Kind == formats.Activity {
		return b.activity(laterOf(n))
	}
	ok, err = b.get(laterKey(n), &p)
	return p, ok, err
}

func (b *Batch) putLater(n *formats.Notification, p prior) error {
	if n.Kind == formats.Activity {
		b.block.add(laterOf(n), &p)
		return nil
	}
	return b.put(laterKey(n), p, b.remembered(n.Kind))
}

func (b *Batch) remembered(k formats.Kind) time.Duration {
	if k == formats.Activity {
		return b.x.remember.Activities
	}
	return b.x.remember.Alerts
}

// sameStart finds the alert of a message whose ID was cut off, or for such a message the alert that
// has one: the same service, class, people, machines and start. Defender for Identity writes the start with
// seven digits, so that it is as good as an ID.
func (b *Batch) sameStart(n *formats.Notification, now time.Time) (Match, bool, error) {
	if n.Kind != formats.Alert || !exactStart(n) {
		return Match{}, false, nil
	}
	var p prior
	if ok, err := b.get(startKey(n), &p); err != nil || !ok || now.Sub(p.Time) > b.remembered(n.Kind) {
		return Match{}, false, err
	}
	a, err := b.alert(p.Alert)
	if err != nil || a.ID == "" {
		return Match{}, false, err
	}
	g := a.Sighting(n.Service)
	if g == nil || g.ID != "" && n.ID != "" {
		return Match{}, false, nil // both have one, and they differ: two alerts
	}
	var s sighted
	if ok, err := b.get(firstKey(a.ID, n.Service), &s); err != nil || !ok {
		return Match{}, false, err
	}
	scale := b.x.scale
	scale.effort = &effort{b.x.effort}
	x, y := scale.facts(n), scale.facts(&s.Notification)
	if k, _, _ := scale.closest(x.accounts, y.accounts); k <= stranger || scale.otherDevices(&x, &y) {
		return Match{}, false, nil
	}
	return Match{
		Alert: a.ID, Relation: Update, Type: a.Type, Of: p.Key,
		Evidence: []Evidence{{What: "id", How: "one message was cut before its id; service, class, start and people are the same"}},
	}, true, nil
}

// exactStart: the start has digits beyond the millisecond, which make it as good as an ID.
func exactStart(n *formats.Notification) bool {
	return !n.Start.IsZero() && n.Start.Nanosecond()%int(time.Millisecond) != 0
}

// Settle asks again for a held notification whose hold is over: First where it stays an alert of its
// own, otherwise Twin or Update of the alert it is.
func (b *Batch) Settle(h Held, now time.Time) (Match, error) {
	if h.Relation == Update {
		return h.Match, nil
	}
	a, err := b.alert(h.Alert)
	if err != nil {
		return Match{}, err
	}
	m := h.Match
	m.Alert = a.ID
	if len(a.Sightings) > 1 {
		return m, nil // paired while it was held
	}
	p, err := b.pair(&h.Notification, h.Key, a.ID, now)
	if err != nil {
		return Match{}, err
	}
	if p.best == nil {
		m.RunnerUp = p.runnerUp
		return m, nil
	}
	return p.match(), nil
}
