package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/sluice-siem/sluice/gateway/stream"
)

// doubtful is a target whose other side acknowledges what it can still lose. See [target.Syslog] for what
// its methods promise.
type doubtful interface {
	Doubt() stream.Doubt
	Tend(ctx context.Context) error
	Farewell(ctx context.Context)
	Arrived(ctx context.Context, d stream.Doubt) bool
}

const (
	// tendPause is how often a target in doubt is looked after while nothing is delivered.
	tendPause = time.Second
	// farewell is how long a SIEM may take to read what it has when the gateway stops.
	farewell = 3 * time.Second
)

// errTend is why Next returns when it is time to look after the target, and its cursor.
var errTend = errors.New("time to look after the target")

// doubts is what one delivery must send again should this process be killed now.
type doubts struct {
	target doubtful // nil: there are none
	latest stream.Doubt
	old    stream.Doubt    // of the process before, while that is being sent again
	until  stream.Position // where that ends
}

// ask asks the target. Whoever calls it has the target's turn.
func (d *doubts) ask() {
	if d.target != nil {
		d.latest = d.target.Doubt()
	}
}

// now is what to keep on disk. What the process before left covers all of ours, which comes after it, but
// how its connection ended proves nothing of ours.
func (d *doubts) now() stream.Doubt {
	if !d.old.None() {
		return stream.Doubt{From: d.old.From}
	}
	return d.latest
}

// repeated notes that everything up to at is delivered, perhaps again.
func (d *doubts) repeated(at stream.Position) {
	if !at.Less(d.until) {
		d.old = stream.Doubt{}
	}
}

// recall begins with what a process that was killed left in doubt, unless it is proven that it arrived.
func (d *delivery) recall(ctx context.Context) {
	doubt, at := d.reader.Doubt(), d.reader.Committed()
	switch {
	case doubt.None():
	case at.Less(doubt.From): // the cursor went back
		d.keepDoubt()
	case d.doubts.target != nil && d.doubts.target.Arrived(ctx, doubt): // of another kind of target nobody can ask
		d.log.Info("Sluice had been killed; the SIEM has read everything that it acknowledged")
		d.keepDoubt()
	default:
		d.doubts.old, d.doubts.until = doubt, at
		d.reader.Again(doubt.From)
		d.log.Warn("when Sluice ended the SIEM may not have read what it acknowledged: that is sent again",
			"from_sequence", doubt.From.Sequence, "to_sequence", d.doubts.until.Sequence)
	}
}

// inDoubt says that something is in doubt.
func (d *delivery) inDoubt() bool { return !d.doubts.now().None() || !d.reader.Doubt().None() }

// next waits for entries. While something is in doubt, or the cursor is behind, it returns errTend from time to time.
func (d *delivery) next(ctx context.Context) ([]*stream.Entry, error) {
	if !d.inDoubt() && !d.behind() {
		return d.reader.Next(ctx, d.batch.Entries)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, tendPause, errTend)
	defer cancel()
	entries, err := d.reader.Next(ctx, d.batch.Entries)
	if err != nil && errors.Is(context.Cause(ctx), errTend) {
		err = errTend // whatever was interrupted
	}
	return entries, err
}

// tend has the target send again what a reset has cost, and keeps what is in doubt now: after a while
// without deliveries, nothing.
func (d *delivery) tend(ctx context.Context, pause *backoff) {
	if d.doubts.target == nil { // it was the doubt of another kind of target, and is over when all is sent again
		d.keepDoubt()
		return
	}
	select {
	case <-d.turn:
	case <-ctx.Done():
		return
	}
	err := d.doubts.target.Tend(ctx)
	d.doubts.ask()
	d.turn <- struct{}{}
	d.keepDoubt()
	if err == nil {
		*pause = backoff{}
		return
	}
	if pause.tries%10 == 0 {
		d.log.Warn("what a reset has cost can't be sent again yet, trying again", "attempt", pause.tries+1, "err", err)
	}
	pause.wait(ctx, 0)
}

// part closes the connection in order. What the SIEM has read then is not in doubt any more.
func (d *delivery) part(ctx context.Context) {
	if d.doubts.target == nil {
		return
	}
	select {
	case <-d.turn:
	case <-time.After(farewell): // an operator's, who sends a dead letter again
		return
	}
	defer func() { d.turn <- struct{}{} }()
	ctx, cancel := context.WithTimeout(ctx, farewell)
	defer cancel()
	if err := d.doubts.target.Tend(ctx); err != nil {
		d.log.Warn("what a reset has cost could not be sent again and is left for the next start", "err", err)
	}
	d.doubts.target.Farewell(ctx)
	d.doubts.ask()
	d.keepDoubt()
}

// keepDoubt writes it though the cursor doesn't move.
func (d *delivery) keepDoubt() {
	doubt := d.doubts.now()
	if d.reader.Doubt() == doubt && !doubt.None() || !d.doubts.old.None() {
		return // what is on disk covers it
	}
	d.reader.Suspect(doubt)
	if err := d.reader.Recount(nil); err != nil && !errors.Is(err, stream.ErrClosed) {
		d.log.Error("what is in doubt can't be kept; events may be delivered twice after a kill", "err", err)
	}
}
