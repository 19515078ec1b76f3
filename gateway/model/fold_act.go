package model

import (
	"context"

	"github.com/sluice-siem/sluice/gateway/stream"
)

// act folds what an operator did. What can't be read, or is of a later program, is left out.
func (f *folder) act(ctx context.Context, e *stream.Entry) error {
	if e.Act == nil {
		f.m.log.Error("the stream has an act without one", "key", string(e.Key))
		return nil
	}
	act, err := read(e.Act)
	if err != nil || act == nil {
		f.m.log.Error("an act can't be read and is left out", "key", string(e.Key), "verb", e.Act.Verb, "err", err)
		return nil
	}
	switch a := act.(type) {
	case Close, Reopen, Assign, Write, Mark:
		return f.actOnAlerts(ctx, e, act)
	case Undo:
		return f.undo(ctx, e, a)
	case Noted:
		return nil
	case Tag, Join, Split:
		return f.actOnPeople(ctx, e, act)
	case ResetScore:
		return f.resetScore(ctx, e, a)
	}
	return f.actOnDocuments(ctx, e, act)
}
