package gateway

import "time"

// Senders wait where all there is to work with is needed, and where the disk is slow, for which nobody can make way.
const (
	hardPressed = 8    // behind so many batches in a row somebody waited: what can wait should
	busyRate    = 1000 // messages a second in these; where there are fewer, it is the disk
)

// pressure is what was decided since senders wait for us.
type pressure struct {
	batches, messages int
	since             time.Time
}

// feel takes note of a batch of so many messages that was decided, and says whether all there is to work with is needed.
func (p *pressure) feel(messages int, waiting bool, now time.Time) (pressed bool) {
	switch {
	case !waiting:
		*p = pressure{}
	case p.batches == 0:
		*p = pressure{batches: 1, since: now}
	default:
		p.batches++
		p.messages += messages
	}
	return p.batches >= hardPressed && float64(p.messages) >= busyRate*now.Sub(p.since).Seconds()
}
