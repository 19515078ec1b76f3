package gateway

import (
	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// filter is a target's `when`. It judges an alert by all its sightings, as they are known when an entry is
// recorded: where one of them fits, the alert is this target's, whichever of its notifications goes out.
type filter struct {
	scope policy.Scope
	score scorer
}

// scorer gives the investigation priority of the user among these who stands highest; nil where nobody has one.
type scorer func(accounts []formats.Entity) *stream.Score

func newFilter(w config.When, s scorer) filter { return filter{policy.NewScope(w), s} }

// fate is what becomes of an entry at one target.
type fate uint8

const (
	notForTargets fate = iota // it was held, suppressed or dropped
	forwarded                 // this target gets it
	filtered                  // other targets may get it
	standingIn                // suppressed elsewhere: only with it does the alert fit, so this target gets it
)

// judge tells an entry's fate.
func (f filter) judge(e *stream.Entry) fate {
	switch {
	case f.scope.All() && e.Delivered():
		return forwarded
	case f.scope.All():
		return notForTargets
	case e.Delivered() && f.fits(e, true):
		return forwarded
	case e.Delivered():
		return filtered
	case afterwards(e) && !f.fits(e, false) && f.fits(e, true):
		return standingIn
	}
	return notForTargets
}

// afterwards says whether an entry was suppressed because targets had the alert already. Something else that
// is suppressed stands for what is still to come, which then has this one's say too, or says nothing new.
func afterwards(e *stream.Entry) bool {
	switch e.Decision.Reason {
	case policy.TwinForwarded, policy.LateTwin, policy.UpdatesOff:
		return e.Kind != stream.Release || e.Decision.StandsFor != e.Key
	}
	return false
}

// fits judges by what was said before the entry and, if asked to, by the entry itself.
func (f filter) fits(e *stream.Entry, itself bool) bool {
	said := make([]*formats.Notification, 0, len(e.Said)+1)
	for i := range e.Said {
		said = append(said, &e.Said[i])
	}
	if itself {
		said = append(said, &e.Notification)
	}
	return len(said) > 0 && f.scope.FitsScored(func() (float64, bool) { return f.highest(said) }, e.Match.Type, said...)
}

// highest is the highest score of whom something said names.
func (f filter) highest(said []*formats.Notification) (points float64, ok bool) {
	for _, n := range said {
		if s := f.score(n.Accounts); s != nil && (!ok || s.Points > points) {
			points, ok = s.Points, true
		}
	}
	return points, ok
}

// stamped is the entry as it goes out: an alert with the score of its user. Others may read the entry too, so it is
// a copy.
func (f filter) stamped(e *stream.Entry) *stream.Entry {
	if e.Notification.Kind != formats.Alert {
		return e
	}
	s := f.score(e.Notification.Accounts)
	if s == nil {
		return e
	}
	out := *e
	out.Score = s
	return &out
}
