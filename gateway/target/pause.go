package target

import (
	"errors"
	"fmt"
	"time"
)

// PauseError is an error of Deliver that knows when to try again: what wasn't delivered is to be retried, but
// not before. It wraps what the other side said.
type PauseError struct {
	// After is the least time to wait, as the other side asked for; 0 where it asked for nothing, and an hour at most.
	After time.Duration
	// Asked is what it asked for, where that is longer.
	Asked time.Duration
	// Blocked says that it takes somebody to mend it, such as a token that is refused: nothing more gets
	// through until then, and it is tried slowly.
	Blocked bool
	Err     error
}

// Error implements error.
func (p *PauseError) Error() string {
	switch {
	case p.Asked > 0:
		return fmt.Sprintf("%v (asked to wait %v, waits %v)", p.Err, p.Asked, p.After)
	case p.After > 0:
		return fmt.Sprintf("%v (asked to wait %v)", p.Err, p.After)
	}
	return p.Err.Error()
}

// Unwrap implements errors.Is.
func (p *PauseError) Unwrap() error { return p.Err }

// blocked is the error for what an operator must mend.
func blocked(err error) error { return &PauseError{Blocked: true, Err: err} }

// longestWait is as long as the other side may make us wait: what it asks for may be a mistake.
const longestWait = time.Hour

// later is the error for what the other side will take after some time.
func later(after time.Duration, err error) error {
	if after > longestWait {
		return &PauseError{After: longestWait, Asked: after, Err: err}
	}
	return &PauseError{After: after, Err: err}
}

// PauseOf finds what err says of when to try again, anywhere in it.
func PauseOf(err error) PauseError {
	if p, ok := errors.AsType[*PauseError](err); ok {
		return *p
	}
	return PauseError{Err: err}
}
