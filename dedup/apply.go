package dedup

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-siem/sluice/formats"
)

// Apply folds one outcome into the state. It is the only thing that changes it, and it does the same
// for what was decided now and for what is read back from the stream.
func (b *Batch) Apply(o *Outcome) error {
	if o.Part != nil {
		if err := b.advance(o.Part, o.Time); err != nil {
			return err
		}
	}
	b.keepTime(o)
	switch {
	case o.Action == Drop:
		return nil // nothing that a resend could be suppressed for
	case o.Notification.Kind == formats.Activity && o.Notification.ID != "" && !o.Released:
		return b.remember(o, "")
	case o.Notification.Kind != formats.Alert:
		return nil
	case o.Undone && o.Match.Relation == Update:
		return nil // it is its alert's still, and was taken note of when it came
	case o.Undone:
		return b.separate(o)
	case o.Released:
		return b.release(o)
	case o.Match.Relation == Resend:
		return nil
	}
	a, err := b.sight(o)
	if err != nil {
		return err
	}
	a.ManagedIn = o.ManagedIn
	if err := b.settle(&a, o); err != nil {
		return err
	}
	return b.store(&a)
}

// remember records the ID and the content of a notification, so that it is known again.
func (b *Batch) remember(o *Outcome, alert AlertID) error {
	n := o.Notification
	p, known, err := b.prior(n, o.Time)
	switch {
	case err != nil:
		return err
	case !known:
		p = prior{Content: n.Content, Key: o.Key, Alert: alert, Time: o.Time}
		return b.putPrior(n, p)
	case p.Content == n.Content:
		return nil
	}
	// Once is enough, or a sender who repeats it would add to the state each time.
	if l, ok, err := b.later(n); err != nil || ok && o.Time.Sub(l.Time) <= b.remembered(n.Kind) {
		return err
	}
	return b.putLater(n, prior{Content: n.Content, Key: o.Key, Time: o.Time})
}

// sight adds the notification to its alert, or makes the alert.
func (b *Batch) sight(o *Outcome) (Alert, error) {
	n := o.Notification
	a, err := b.alert(o.Match.Alert)
	if err != nil {
		return a, err
	}
	if a.ID == "" {
		a = Alert{ID: o.Match.Alert, Type: o.Match.Type, Many: b.detection(n, o.Key).Many}
	}
	if err := b.remember(o, a.ID); err != nil {
		return a, err
	}
	if g := a.Sighting(n.Service); g != nil {
		g.Last, g.Count = o.Time, g.Count+1
		g.ID, g.URL = cmp.Or(g.ID, n.ID), cmp.Or(g.URL, n.URL) // the first one may have been cut before them
		if o.Match.Relation == Update {
			a.hear(n)
		}
		return a, nil
	}
	a.Sightings = append(a.Sightings, Sighting{
		Service: n.Service, Channel: n.Channel, ID: n.ID, URL: n.URL, Key: o.Key, First: o.Time, Last: o.Time, Count: 1,
	})
	if o.Match.Relation == Twin {
		a.Points = o.Match.Points
		a.Many = a.Many || b.detection(n, o.Key).Many
		if a.Type == "" {
			a.Type = o.Match.Type
		}
	}
	first := sighted{o.Key, o.Input, *n, o.Delivered}
	if o.Match.Relation != Twin {
		return a, b.list(&first, a.ID, 0, o.Time)
	}
	if err := b.relist(&a, n.Service); err != nil {
		return a, err
	}
	return a, b.list(&first, a.ID, a.listed(), o.Time)
}

// listed are the points that stand beside a pair's listings.
func (a *Alert) listed() int {
	if a.Many {
		return 0
	}
	return a.Points
}

// settled: nobody could displace a pairing of that many points.
func settled(points int) bool { return points+displaces > most(0) }

// list makes the notification, which isn't yet, findable by the services that may report its alert too.
// points are those of its pairing, 0 while it has none.
func (b *Batch) list(s *sighted, id AlertID, points int, at time.Time) error {
	n := &s.Notification
	if exactStart(n) {
		p := prior{Content: n.Content, Key: s.Key, Alert: id, Time: at}
		if err := b.put(startKey(n), p, b.x.remember.Alerts); err != nil {
			return err
		}
	}
	ttl := 2 * b.x.window
	if err := b.put(firstKey(id, n.Service), s, ttl); err != nil {
		return err
	}
	if settled(points) {
		return nil
	}
	return b.headings(b.plainFacts(n, s.Key), id, func(at []byte) error { return b.set(at, listedValue(s.Key, points), ttl) })
}

// relist notes beside every listing of a pair how well it fits, so that those who could not displace it
// don't even look, and takes those off the list that nobody could. That of the service but, if one, is not
// on the list yet.
func (b *Batch) relist(a *Alert, but formats.Service) error {
	if a.Many {
		return nil
	}
	for _, g := range a.Sightings {
		if g.Service == but {
			continue
		}
		f, err := b.factsOf(a.ID, g.Service, g.Key)
		if err != nil {
			return err
		}
		if f == nil {
			continue
		}
		note := func(at []byte) error { return b.set(at, listedValue(g.Key, a.Points), 2*b.x.window) }
		if settled(a.Points) {
			note = b.remove
		}
		if err := b.headings(f, a.ID, note); err != nil {
			return err
		}
	}
	return nil
}

// headings does something with every key under which an alert is found by what a notification says.
func (b *Batch) headings(f *facts, id AlertID, do func(key []byte) error) error {
	if len(f.others) == 0 {
		return nil
	}
	under := b.x.scale.listings(f.detection)
	times, n := moments(f.n)
	for _, w := range f.others {
		for _, heading := range under {
			for _, at := range times[:n] {
				if err := do(openKey(openPrefix(w, f.n.Service, heading), at, id)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// settle takes note of what happens to the notification.
func (b *Batch) settle(a *Alert, o *Outcome) error {
	switch o.Action {
	case Forward:
		if a.Forwarded == "" {
			a.Forwarded, a.ForwardedBy = o.Key, o.Notification.Service
		}
	case Hold:
		owed := Owed{Key: o.Key, Service: o.Notification.Service, Relation: o.Match.Relation, Due: o.Until, Held: o.Time}
		a.Held = append(a.Held, owed)
		b.waiting.count++
		return b.hold(Held{Owed: owed, Alert: a.ID, Input: o.Input, Notification: *o.Notification, Match: o.Match, Delivered: o.Delivered})
	case Suppress, Drop:
	}
	return nil
}

func (b *Batch) hold(h Held) error {
	key := heldKey(h.Owed)
	b.waiting.moved = true
	if b.waiting.due.IsZero() || h.Due.Before(b.waiting.due) {
		b.waiting.due = h.Due
	}
	if bytes.Compare(key, b.waiting.floor) < 0 {
		b.waiting.floor = key
	}
	return b.put(key, h, 0)
}

func (b *Batch) store(a *Alert) error {
	ttl := b.x.remember.Alerts + b.x.window
	if len(a.Held) > 0 {
		ttl = 0 // what is owed is never cleaned up
	}
	return b.putAlert(a, ttl)
}

// release ends a hold. Where the notification turned out to be another alert's, everything that was
// held under its own goes there.
func (b *Batch) release(o *Outcome) error {
	a, err := b.alert(o.Match.Alert)
	if err != nil {
		return err
	}
	owner, err := b.owner(&a, o)
	if err != nil {
		return err
	}
	if i := owedIndex(owner.Held, o.Key); i >= 0 {
		if err := b.remove(heldKey(owner.Held[i])); err != nil {
			return err
		}
		b.waiting.stale, b.waiting.moved = true, true
		b.waiting.count--
		owner.Held = slices.Delete(owner.Held, i, i+1)
	}
	if owner.ID != "" && owner.ID != a.ID {
		if err := b.join(&a, &owner, o); err != nil {
			return err
		}
	} else if owner.ID != "" {
		a = owner
	}
	a.ManagedIn = o.ManagedIn
	if o.Action == Forward && a.Forwarded == "" {
		a.Forwarded, a.ForwardedBy = o.Key, o.Notification.Service
	}
	if o.Delivered { // so that it doesn't go out again if its pairing is taken back
		var s sighted
		if ok, err := b.get(firstKey(a.ID, o.Notification.Service), &s); err != nil {
			return err
		} else if ok && s.Key == o.Key {
			s.Delivered = true
			if err := b.put(firstKey(a.ID, o.Notification.Service), s, 2*b.x.window); err != nil {
				return err
			}
		}
	}
	return b.store(&a)
}

// owner is the alert under which a notification that is released was held, a if it is that one.
func (b *Batch) owner(a *Alert, o *Outcome) (Alert, error) {
	if owedIndex(a.Held, o.Key) >= 0 {
		return *a, nil
	}
	p, ok, err := b.prior(o.Notification, o.Time)
	if err == nil && ok {
		var owner Alert
		if owner, err = b.alert(p.Alert); err == nil && owedIndex(owner.Held, o.Key) >= 0 {
			return owner, nil
		}
	}
	if err != nil {
		return Alert{}, err
	}
	// Its ID is not remembered: it was held through a downtime that was longer.
	var id AlertID
	err = b.scan([]byte{tableHeld}, []byte{tableHeld}, func(_, value []byte) (bool, error) {
		var h Held
		if err := b.x.codec.decode(value, &h); err != nil {
			return false, err
		}
		if h.Key == o.Key {
			id = h.Alert
		}
		return id == "", nil
	})
	if err != nil {
		return Alert{}, fmt.Errorf("read what is held: %w", err)
	}
	return b.alert(id)
}

func owedIndex(list []Owed, key EventKey) int {
	return slices.IndexFunc(list, func(o Owed) bool { return o.Key == key })
}

// join makes from, of which nobody was told yet, a part of into.
func (b *Batch) join(into, from *Alert, o *Outcome) error {
	for _, g := range from.Sightings {
		var s sighted
		if ok, err := b.get(firstKey(from.ID, g.Service), &s); err != nil {
			return err
		} else if ok {
			if err := b.unlist(&s.Notification, s.Key, from.ID); err != nil {
				return err
			}
			if into.Sighting(g.Service) == nil {
				if err := b.list(&s, into.ID, 0, o.Time); err != nil {
					return err
				}
			}
		}
		if have := into.Sighting(g.Service); have != nil {
			have.Last, have.Count = o.Time, have.Count+g.Count
		} else {
			into.Sightings = append(into.Sightings, g)
		}
	}
	for _, owed := range from.Held {
		h, err := b.Held(owed)
		if err != nil {
			return err
		}
		h.Alert, h.Match.Alert = into.ID, into.ID
		if err := b.hold(h); err != nil {
			return err
		}
		into.Held = append(into.Held, owed)
	}
	if o.Match.Relation == Twin {
		into.Points = o.Match.Points
	}
	into.Many = into.Many || from.Many
	into.Apart = append(into.Apart, from.Apart...)
	if err := b.relist(into, ""); err != nil {
		return err
	}
	return b.putAlert(&Alert{ID: from.ID, Into: into.ID}, b.x.remember.Alerts+b.x.window)
}

func (b *Batch) unlist(n *formats.Notification, key EventKey, id AlertID) error {
	if err := b.remove(firstKey(id, n.Service)); err != nil {
		return err
	}
	return b.headings(b.plainFacts(n, key), id, b.remove)
}
