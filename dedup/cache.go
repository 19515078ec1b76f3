package dedup

import (
	"slices"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/formats/catalog"
)

// alerts keeps alerts as they are committed, because one that was decided lately is asked for several times
// by its next notification, and each time it would be decoded anew. What is in it is shared and never
// changed. Its memory is bounded by two generations of alertsBytes; the older one is dropped whole.
type alerts struct {
	young, old map[AlertID]*Alert
	bytes      int // of young, more or less
}

const (
	alertsBytes   = 4 << 20
	alertBytes    = 512 // without its lists
	sightingBytes = 384
	owedBytes     = 192
)

func (c *alerts) get(id AlertID) (*Alert, bool) {
	a, ok := c.young[id]
	if !ok {
		if a, ok = c.old[id]; ok {
			c.keep(id, a)
		}
	}
	return a, ok
}

func (c *alerts) keep(id AlertID, a *Alert) {
	size := alertBytes + len(a.Type) + owedBytes*len(a.Held) + 48*len(a.Apart)
	for i := range a.Sightings {
		size += sightingBytes + len(a.Sightings[i].ID) + len(a.Sightings[i].URL)
	}
	if c.young == nil || c.bytes+size > alertsBytes {
		c.young, c.old, c.bytes = map[AlertID]*Alert{}, c.young, 0
	}
	c.young[id] = a
	c.bytes += size
}

// kept are the alerts that an overlay wrote, and nil for an ID that is not in the state: only the overlay
// sees them until it is committed.
type kept map[AlertID]*Alert

// commit hands them to those who come after.
func (k kept) commit(to *alerts) {
	for id, a := range k {
		if a != nil {
			to.keep(id, a)
		}
	}
}

// stored gives the alert as it is stored under the ID, nil where there is none. It is shared: whoever
// changes it takes a clone.
func (b *Batch) stored(id AlertID) (*Alert, error) {
	if a, ok := b.kept[id]; ok {
		return a, nil
	}
	if a, ok := b.x.alerts.get(id); ok {
		return a, nil
	}
	a := new(Alert)
	ok, err := b.get(alertKey(id), a)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		b.keep(id, nil)
		return nil, nil
	}
	b.x.alerts.keep(id, a) // what b wrote it keeps itself, so this is committed
	return a, nil
}

// putAlert stores an alert. The caller may change it afterwards.
func (b *Batch) putAlert(a *Alert, ttl time.Duration) error {
	if err := b.put(alertKey(a.ID), a, ttl); err != nil {
		return err
	}
	same := a.clone()
	for i := range same.Sightings {
		g := &same.Sightings[i]
		g.First, g.Last = asStored(g.First), asStored(g.Last)
		g.ID, g.URL = strings.Clone(g.ID), strings.Clone(g.URL) // of the message, which must not be kept for them
	}
	for i := range same.Held {
		o := &same.Held[i]
		o.Due, o.Held = asStored(o.Due), asStored(o.Held)
	}
	same.Type = strings.Clone(same.Type)
	b.keep(a.ID, &same)
	return nil
}

// mint notes that there is no alert of an ID that was made just now: a moment comes only once.
func (b *Batch) mint(id AlertID) {
	if _, ok := b.kept[id]; !ok {
		b.keep(id, nil)
	}
}

func (b *Batch) keep(id AlertID, a *Alert) {
	if b.kept == nil {
		b.kept = kept{}
	}
	b.kept[id] = a
}

// clone shares nothing with a that anybody changes. It leaves out the facts, which are not stored.
func (a *Alert) clone() Alert {
	c := *a
	c.Sightings, c.Held, c.Apart, c.News, c.Facts = slices.Clone(a.Sightings), slices.Clone(a.Held), slices.Clone(a.Apart), slices.Clip(a.News), nil
	return c
}

// asStored is the time as it would be read back, so that nothing depends on whether it was: without the
// reading of a monotonic clock, by which times of one process are compared otherwise.
func asStored(t time.Time) time.Time { return t.Round(0).UTC() }

// factsOf gives the facts of a service's first notification of an alert, none where it is gone. key is the
// notification's.
func (b *Batch) factsOf(id AlertID, from formats.Service, key EventKey) (*facts, error) {
	if f, ok := b.x.recent.get(key); ok {
		return f, nil
	}
	var s sighted
	if ok, err := b.get(firstKey(id, from), &s); err != nil || !ok {
		return nil, err
	}
	return b.x.recent.put(key, b.x.scale.facts(&s.Notification)), nil
}

// factsOfNew gives the facts of a notification that is at hand, and keeps them: its twin, which most often
// comes soon, is going to ask for them. There are none where it can't have a twin.
func (b *Batch) factsOfNew(n *formats.Notification, key EventKey) *facts {
	if f, ok := b.x.recent.get(key); ok {
		return f
	}
	if len(Counterparts(b.x.services, n)) == 0 {
		return nil
	}
	return b.x.recent.put(key, b.x.scale.facts(n))
}

// plainFacts are those that listing a notification needs, without its texts.
func (b *Batch) plainFacts(n *formats.Notification, key EventKey) *facts {
	if f, ok := b.x.recent.get(key); ok {
		return f
	}
	return &facts{n: n, others: Counterparts(b.x.services, n), detection: b.x.scale.catalog.Resolve(n)}
}

// detection resolves what a notification speaks of, once.
func (b *Batch) detection(n *formats.Notification, key EventKey) catalog.Detection {
	if f, ok := b.x.recent.get(key); ok {
		return f.detection
	}
	return b.x.scale.catalog.Resolve(n)
}
