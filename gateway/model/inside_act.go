package model

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/sluice-siem/sluice/formats"
)

// Outward is an act as the stream has it: of a limited model that was asked for it, with the IDs by which everybody
// knows the alerts, and with the service that is meant, as others may manage an alert elsewhere. It has been checked.
func (m *Model) Outward(ctx context.Context, by string, a Act) (Act, error) {
	if !m.limited() {
		return a, nil
	}
	var err error
	switch act := a.(type) {
	case Close:
		if act.In == "" {
			act.In, err = m.managedIn(ctx, act.Alerts)
		}
		if err == nil {
			act.Alerts, err = m.streamed(ctx, act.Alerts)
		}
		return act, err
	case Reopen:
		if act.In == "" {
			act.In, err = m.managedIn(ctx, act.Alerts)
		}
		if err == nil {
			act.Alerts, err = m.streamed(ctx, act.Alerts)
		}
		return act, err
	case Assign:
		act.Alerts, err = m.streamed(ctx, act.Alerts)
		return act, err
	case Write:
		act.Alerts, err = m.streamed(ctx, act.Alerts)
		return act, err
	case Mark:
		act.Alerts, err = m.streamed(ctx, act.Alerts)
		return act, err
	case Undo:
		return act, m.checkTheirs(ctx, by, act)
	case SaveQuery, DropQuery:
		return a, nil
	}
	return nil, fmt.Errorf("%w: %s is about everything, and this role is limited", ErrRefused, a.verb())
}

// streamed are the stream's IDs of alerts.
func (m *Model) streamed(ctx context.Context, own []string) ([]string, error) {
	out := make([]string, len(own))
	for i, id := range own {
		err := m.reader.QueryRowContext(ctx, "SELECT s.id FROM alert_ids i JOIN alert_streamed s ON s.alert = i.alert WHERE i.id = ? ORDER BY s.id LIMIT 1", id).Scan(&out[i])
		if errors.Is(err, sql.ErrNoRows) {
			return nil, fmt.Errorf("alert %s: %w", id, ErrNotFound)
		}
		if err != nil {
			return nil, fmt.Errorf("look for alert %s: %w", id, err)
		}
	}
	return out, nil
}

// managedIn is the one service in which all the alerts are managed.
func (m *Model) managedIn(ctx context.Context, own []string) (in formats.Service, err error) {
	for _, id := range own {
		_, r, err := m.recordBy(ctx, id)
		if err != nil {
			return "", err
		}
		if in != "" && r.ManagedIn != in {
			return "", fmt.Errorf("%w: some of the alerts are managed in %s and some in %s: say in which service", ErrRefused, in.Title(), r.ManagedIn.Title())
		}
		in = r.ManagedIn
	}
	return in, nil
}

// checkTheirs refuses to take back what somebody else did.
func (m *Model) checkTheirs(ctx context.Context, by string, u Undo) error {
	done, err := deedsOf(ctx, m.reader, m.codec, u.Act)
	if err != nil {
		return err
	}
	for i := range done {
		if err := m.mayUndo(&done[i], by); err != nil {
			return err
		}
	}
	return nil
}

// mayUndo says whether by may take that back: in a limited model what somebody else did may have been done to more than is
// seen here.
func (m *Model) mayUndo(d *done, by string) error {
	if m.limited() && d.By != by {
		return fmt.Errorf("%w: %s did it, and a limited role takes back only what it did itself", ErrRefused, d.By)
	}
	return nil
}
