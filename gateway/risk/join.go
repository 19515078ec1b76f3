package risk

import (
	"cmp"
	"slices"
)

// Join makes one user a part of another, who takes over the habits and everything that counts in the score. What both
// were seen with they were seen with on the days of both.
func (s *Scorer) Join(name, with string) {
	other := s.users[with]
	if other == nil || name == with {
		return
	}
	u := s.user(name)
	s.enlist(u, -1)
	s.enlist(other, -1)
	u.take(other)
	s.enlist(u, 1)
	delete(s.users, with)
	s.changed[name], s.changed[with] = true, true
	for i := range u.Items {
		if it := &u.Items[i]; it.Alert {
			users := slices.DeleteFunc(s.alerts[it.ID], func(user string) bool { return user == with || user == name })
			s.alerts[it.ID] = append(users, name)
		}
	}
}

func (u *user) take(o *user) {
	if u.First == 0 || o.First != 0 && o.First < u.First {
		u.First = o.First
	}
	for f := range u.Habits {
		u.Habits[f].join(&o.Habits[f], feature(f).room())
	}
	u.Alerts.join(&o.Alerts, alertTypes)
	u.joinVolumes(o)
	u.Seen, u.Active, u.Since = u.Seen+o.Seen, u.Active+o.Active, max(u.Since, o.Since)
	if o.Placed > u.Placed {
		u.Place, u.Placed = o.Place, o.Placed
	}
	if o.Day > u.Day {
		u.Day, u.Refused = o.Day, o.Refused
	}
	for _, it := range o.Items {
		if !it.Alert || u.alert(it.ID) == nil {
			u.keep(it)
		}
	}
	u.forget(u.Day)
}

// join adds the values of another habit; those shown least have to go where there is no room.
func (h *habit) join(o *habit, room int) {
	h.Total, h.Fresh = h.Total+o.Total, h.Fresh+o.Fresh
	for _, v := range o.Values {
		if at := h.find(v.Hash); at >= 0 {
			h.Values[at].Days, h.Values[at].Last = h.Values[at].Days+v.Days, max(h.Values[at].Last, v.Last)
		} else {
			h.Values = append(h.Values, v)
		}
	}
	slices.SortStableFunc(h.Values, func(a, b value) int {
		return cmp.Or(cmp.Compare(b.Days, a.Days), cmp.Compare(a.Hash, b.Hash))
	})
	h.Values = h.Values[:min(len(h.Values), room)]
}

// joinVolumes keeps of each class what was learnt over more days; today's numbers add up.
func (u *user) joinVolumes(o *user) {
	for _, v := range o.Volumes {
		i := slices.IndexFunc(u.Volumes, func(w amount) bool { return w.Class == v.Class })
		switch {
		case i >= 0:
			today := u.Volumes[i].Today + v.Today
			if v.Days > u.Volumes[i].Days {
				u.Volumes[i] = v
			}
			u.Volumes[i].Today = today
		case len(u.Volumes) < amounts:
			u.Volumes = append(u.Volumes, v)
		}
	}
}
