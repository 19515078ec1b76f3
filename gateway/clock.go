package gateway

import "time"

// clock gives the decider's times: never twice the same and never back, so that the time of an entry
// orders it and tells it from one with equal bytes.
type clock struct{ last time.Time }

// next is t, or the first moment after the last one where t is not after that.
func (c *clock) next(t time.Time) time.Time {
	if !t.After(c.last) {
		t = c.last.Add(time.Nanosecond)
	}
	c.last = t
	return t
}
