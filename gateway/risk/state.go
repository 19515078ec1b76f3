package risk

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// # State
//
// What a scorer knows is a record for each user and one for what is counted over all. The counts of who has which
// value follow from the records of the users, so they aren't kept twice. Who keeps the records writes those of the
// users that changed, and the world's, together: a scorer that is restored from them scores the same.

// Changed lists the users whose records changed since the last call.
func (s *Scorer) Changed() []string {
	out := sorted(s.changed)
	clear(s.changed)
	return out
}

// UserState is the record of a user, nil for an unknown one.
func (s *Scorer) UserState(name string) ([]byte, error) {
	u := s.users[name]
	if u == nil {
		return nil, nil
	}
	return cbor.Marshal(u)
}

// WorldState is the record of what is counted over all.
func (s *Scorer) WorldState() ([]byte, error) { return cbor.Marshal(&s.world) }

// RestoreUser takes a record that UserState gave into a scorer that doesn't know the user's habits yet.
func (s *Scorer) RestoreUser(record []byte) error {
	var kept user
	if err := decode(record, &kept); err != nil {
		return fmt.Errorf("read a user's profile: %w", err)
	}
	u := s.user(kept.Name)
	s.enlist(u, -1)
	*u = kept
	s.enlist(u, 1)
	for i := range u.Items {
		if it := &u.Items[i]; it.Alert {
			s.alerts[it.ID] = append(s.alerts[it.ID], u.Name)
		}
	}
	return nil
}

// RestoreWorld takes a record that WorldState gave.
func (s *Scorer) RestoreWorld(record []byte) error {
	w := newWorld()
	if err := decode(record, &w); err != nil {
		return fmt.Errorf("read what is counted over all users: %w", err)
	}
	s.world = w
	return nil
}

// decode reads what was written here, where a service's text may be no UTF-8.
func decode(data []byte, into any) error {
	mode, err := cbor.DecOptions{UTF8: cbor.UTF8DecodeInvalid}.DecMode()
	if err != nil {
		return err
	}
	return mode.Unmarshal(data, into)
}

// Bytes is about how much memory the profiles take.
func (s *Scorer) Bytes() int64 {
	const (
		perUser   = 900 // the struct with its place in the map, and what the allocator rounds up
		perHolder = 12
	)
	n := perHolder * len(s.holders)
	for _, u := range s.users {
		n += perUser + 2*len(u.Name) + 12*cap(u.Alerts.Values) + 24*cap(u.Volumes) + 100*cap(u.Items)
		for f := range u.Habits {
			n += 12 * cap(u.Habits[f].Values)
		}
		for i := range u.Items {
			it := &u.Items[i]
			n += len(it.ID) + len(it.Title)
			for j := range it.Found {
				n += 48 + len(it.Found[j].Words)
			}
		}
	}
	return int64(n)
}
