package dedup

import (
	"cmp"
	"fmt"
	"slices"
)

// edge is a possible pair of two alerts that each lack the other's service.
type edge struct {
	x, y   AlertID // x of the service that asks
	points int
}

// equals is how many others may fit about as well before a question is given up: more would cost more
// than they could tell.
const equals = 8

// assign is one to one: me gets the best of the free alerts unless another free alert fits about as
// well, or another notification fits that alert about as well. Rivals that have a better match of
// their own are no rivals. It gives the place of mine among the free, or -1 and why in words.
func (b *Batch) assign(me *facts, own AlertID, free []candidate) (mine int, why string, err error) {
	const tooMany = "too many others fit about as well"
	if len(free) > equals && !me.detection.Many && free[equals].points > free[0].points-margin {
		return -1, tooMany, nil
	}
	edges, err := b.rivals(me, own, free[:min(len(free), equals)])
	if err != nil || edges == nil {
		return -1, tooMany, err
	}
	for len(edges) > 0 {
		e := edges[0]
		if o := tied(edges, own, me.detection.Many); o != nil {
			if e.x == own || o.x == own {
				return -1, fmt.Sprintf("another pair fits about as well (%d against %d points)", o.points, e.points), nil
			}
			// Whoever is in the tie stays undecided; that is nothing to me.
			edges = slices.DeleteFunc(edges, func(d edge) bool { return d.x == e.x || d.x == o.x })
			continue
		}
		if e.x == own {
			return slices.IndexFunc(free, func(c candidate) bool { return c.alert.ID == e.y }), "", nil
		}
		edges = slices.DeleteFunc(edges, func(d edge) bool { return d.x == e.x || d.y == e.y })
	}
	return -1, "it fits another notification better", nil
}

// tied finds the edge that shares one end with the best one and is about as good. An alert that stands
// for several detections has room for all.
func tied(edges []edge, own AlertID, many bool) *edge {
	e := edges[0]
	for i, o := range edges[1:] {
		if (o.x == e.x) != (o.y == e.y) && o.points > e.points-margin && (!many || o.x != own) {
			return &edges[i+1]
		}
	}
	return nil
}

// rivals lists my edges, those of the notifications that could have my candidates instead of me, and
// what else these could have; the best first. What fits worse by more than the margin changes nothing and
// is left out. It gives none where there are too many.
func (b *Batch) rivals(me *facts, own AlertID, free []candidate) ([]edge, error) {
	var edges []edge
	seen := map[AlertID]bool{own: true}
	for _, c := range free {
		edges = append(edges, edge{own, c.alert.ID, c.points})
		if c.alert.Many {
			continue
		}
		back, err := b.candidates(c.facts, c.alert.ID)
		if err != nil {
			return nil, err
		}
		back = slices.DeleteFunc(back, func(r candidate) bool {
			return r.alert.ID == own || r.points <= c.points-margin ||
				r.alert.Sighting(c.facts.n.Service) != nil || r.facts.n.Service != me.n.Service
		})
		if len(back) > equals {
			return nil, nil
		}
		for _, r := range back {
			edges = append(edges, edge{r.alert.ID, c.alert.ID, r.points})
			if seen[r.alert.ID] {
				continue
			}
			seen[r.alert.ID] = true
			if len(seen) > 2*equals {
				return nil, nil
			}
			forth, err := b.candidates(r.facts, r.alert.ID)
			if err != nil {
				return nil, err
			}
			for _, f := range forth {
				if f.alert.Sighting(me.n.Service) == nil && f.points > r.points-margin {
					edges = append(edges, edge{r.alert.ID, f.alert.ID, f.points})
				}
			}
		}
	}
	slices.SortFunc(edges, func(a, b edge) int {
		return cmp.Or(cmp.Compare(b.points, a.points), cmp.Compare(a.x, b.x), cmp.Compare(a.y, b.y))
	})
	return slices.Compact(edges), nil
}
