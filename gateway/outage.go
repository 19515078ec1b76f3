package gateway

import (
	"context"
	"time"
)

// outage is the time for which a batch has not got through to its target.
type outage struct {
	since time.Time // zero where it got through at once
}

func (o *outage) failed() {
	if o.since.IsZero() {
		o.since = time.Now()
	}
}

// over tells how long an outage was and what has gathered meanwhile, before the cursor moves on.
func (o *outage) over(ctx context.Context, d *delivery) {
	if o.since.IsZero() {
		return
	}
	after := time.Since(o.since).Round(100 * time.Millisecond).String()
	d.log.Info("delivering again", append([]any{"after", after}, d.waiting(ctx)...)...)
}
