package target

import "time"

// grace is how long something may be missing on the other side, such as a topic that is just being made or
// a stream that elects its leader, before it takes somebody to mend it. The zero value has missed nothing.
type grace struct {
	first time.Time // when it was missing first; zero where it isn't
}

// missing is the error for what is missing now: blocked, when it has been missing for that long.
func (g *grace) missing(now time.Time, most time.Duration, err error) error {
	if g.first.IsZero() {
		g.first = now
	}
	if now.Sub(g.first) >= most {
		return blocked(err)
	}
	return err
}

// found says that it is there.
func (g *grace) found() { g.first = time.Time{} }
