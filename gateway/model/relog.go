package model

import (
	"context"
	"slices"

	"github.com/sluice-siem/sluice/dedup"
)

// noAlert is no number of an alert.
const noAlert = 0

// relogAlert gives the lines of the log that an alert is, and that these events told, to another alert; with noAlert they
// are deleted. What is gone by now stays gone.
func (f *folder) relogAlert(ctx context.Context, events []dedup.EventKey, from, to int64) error {
	for _, event := range events {
		if l := f.log.events[event]; l != nil && l.alert == from {
			if err := f.unwrite(ctx, l); err != nil {
				return err
			}
			if to == noAlert {
				continue
			}
			moved := *l
			moved.alert, moved.stored, moved.gone = to, false, false
			f.write(&moved)
		}
	}
	found, err := f.numbersByAlert(ctx, events, from)
	if err != nil {
		return err
	}
	for _, n := range found {
		l, err := f.readLine(ctx, n)
		if err != nil {
			return err
		}
		if l == nil || l.alert != from || !slices.Contains(events, l.Event) {
			continue
		}
		if err := f.deleteLine(ctx, l); err != nil {
			return err
		}
		if to == noAlert {
			continue
		}
		l.alert, l.stored = to, false
		f.write(l) // under its number, which is free now
	}
	return nil
}

// numbersByAlert gives the numbers of lines of transactions before that may be an alert's and told by these events.
func (f *folder) numbersByAlert(ctx context.Context, events []dedup.EventKey, alert int64) ([]int64, error) {
	s, err := f.stmt(ctx, "SELECT rowid FROM activity_index WHERE activity_index MATCH ?")
	if err != nil {
		return nil, err
	}
	found, err := readNumbers(s.QueryContext(ctx, phrase(tokensOf(letterAlert, []int64{alert})...)))
	for _, event := range events {
		if l := f.log.before[event]; l != nil && !slices.Contains(found, l.n) {
			found = append(found, l.n)
		}
	}
	slices.Sort(found)
	return found, err
}
