package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
	"github.com/sluice-siem/sluice/gateway/target"
)

// Trial is what came back from a target that was sent a test event.
type Trial struct {
	Key       dedup.EventKey // of the test event, by which it is found in the SIEM
	Delivered bool
	Blocked   bool          // it takes somebody to mend it
	After     time.Duration // the target asked to come again after so long
	Refused   bool          // the target refuses this event for good, not the whole
	Err       error         // its words, or ours; nil where all is well
	Took      time.Duration
}

// ErrNoTarget says that the configuration has no target of that name.
var ErrNoTarget = errors.New("no such target")

// TryTarget sends one test event to the target of that name, over a connection of its own, once, and tells what came
// back. It needs no running gateway and disturbs none: the event is not in the stream, no equation counts it,
// and the target's `when` doesn't keep it away. The error is that there is no such target, or that its
// settings are wrong.
func TryTarget(ctx context.Context, o Options, name string) (Trial, error) {
	var names []string
	for _, c := range o.Config.Targets {
		if c.Name == name {
			return try(ctx, o, c)
		}
		names = append(names, c.Name)
	}
	return Trial{}, fmt.Errorf("%w as %q; there are %q", ErrNoTarget, name, names)
}

func try(ctx context.Context, o Options, c config.Target) (Trial, error) {
	c.Batch.Wait, c.Rotate = 0, config.Rotate{} // a running gateway puts its files aside itself
	t, err := newTarget(c, o, target.NewMetrics(nil))
	if err != nil {
		return Trial{}, err
	}
	now := time.Now()
	e := testEvent(c.Name, o.Hostname, now)
	results, err := t.Deliver(ctx, []*stream.Entry{e})
	trial := Trial{Key: e.Key, Err: err, Took: time.Since(now)}
	if len(results) == 1 {
		trial.Delivered, trial.Refused = results[0] == target.Delivered, results[0] == target.Rejected
	}
	if p := target.PauseOf(err); !trial.Delivered {
		trial.Blocked, trial.After = p.Blocked, p.After
	}
	return trial, t.Close()
}

// testEvent is an event that nobody can take for an alert, and that no other one equals.
func testEvent(name, host string, t time.Time) *stream.Entry {
	n := formats.Notification{
		Service: formats.Sluice, Kind: formats.Health, Channel: "sluice", Origin: formats.Sluice, Type: "test",
		Title: "Sluice test event: nothing to do", Severity: formats.Informational, Start: t, End: t, Arrived: t, Parsed: true,
		Message: fmt.Sprintf("An operator of Sluice on %s tries target %s. This is no alert, and nothing has happened.", host, name),
	}
	_, _ = rand.Read(n.Content[:]) // never fails
	return &stream.Entry{
		Kind: stream.Notification, Time: t, Key: dedup.Key(&n, t), Notification: n,
		Decision: policy.Decision{Action: dedup.Forward, Reason: policy.Tested},
	}
}
