package policy

import (
	"slices"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
)

// Policy is the configured policy. It holds no state; its zero value is not usable, see [New].
type Policy struct {
	settings config.Settings
	rules    []rule
	services config.Services
	silence  config.Silence
}

// New takes a checked configuration.
func New(c config.Config) *Policy {
	return &Policy{settings: c.Policy.Settings, rules: newRules(c.Policy.Rules), services: c.Services, silence: c.Silence}
}

// Decide says what happens to n, now. a is n's alert as it was before n, the zero value for a first
// notification and for what is no alert.
func (p *Policy) Decide(a *dedup.Alert, n *formats.Notification, m *dedup.Match, now time.Time) Decision {
	s, rule := p.effective(a, n, m)
	d := p.decide(a, n, m, s, now)
	d.Rule = rule
	return shadow(d, s)
}

// Release says what happens to a held notification whose hold is over, or whose alert was decided. It
// never holds again. m is where it belongs now.
func (p *Policy) Release(a *dedup.Alert, h *dedup.Held, m *dedup.Match) Decision {
	n := &h.Notification
	s, rule := p.effective(a, n, m)
	d := p.release(a, h, m, s)
	d.Rule, d.ManagedIn = rule, p.managedIn(a, n, s)
	return again(d, s, h.Key, h.Delivered)
}

// Separate says what happens to a suppressed notification whose pairing o takes back: it goes out.
func (p *Policy) Separate(o *dedup.Outcome) Decision {
	s, rule := p.effective(&dedup.Alert{}, o.Notification, &o.Match)
	d := Decision{Action: dedup.Forward, Reason: Separated, Rule: rule, ManagedIn: o.Notification.Service}
	return again(d, s, o.Key, o.Delivered)
}

// AfterAll says what happens to a suppressed update of a that an operator wants to go out.
func (p *Policy) AfterAll(a *dedup.Alert, n *formats.Notification, m *dedup.Match) Decision {
	s, rule := p.effective(a, n, m)
	return Decision{Action: dedup.Forward, Reason: IsUpdate, Rule: rule, ManagedIn: p.managedIn(a, n, s)}
}

// Link is the decision for the event that tells of a late twin.
func (p *Policy) Link(a *dedup.Alert) Decision {
	return Decision{Action: dedup.Forward, Reason: Linked, ManagedIn: a.ManagedIn}
}

// Silence is the decision for the event that tells of a service that has gone silent. It is on record
// whether the targets get it or not.
func (p *Policy) Silence() Decision {
	if p.silence.Event {
		return Decision{Action: dedup.Forward, Reason: Silent}
	}
	return Decision{Action: dedup.Drop, Reason: Silent}
}

// LateTwinLinks says whether a link event tells of a late twin.
func (p *Policy) LateTwinLinks(a *dedup.Alert, n *formats.Notification, m *dedup.Match) bool {
	s, _ := p.effective(a, n, m)
	return s.LateTwin == "link" && s.Mode != "shadow"
}

// effective gives the settings for n: those of the first rule that fits over the policy's own.
func (p *Policy) effective(a *dedup.Alert, n *formats.Notification, m *dedup.Match) (config.Settings, string) {
	subject := newSubject(a, n, m.Type)
	for _, r := range p.rules {
		if r.scope.fits(subject) {
			return overlay(p.settings, r.settings), r.name
		}
	}
	return p.settings, ""
}

func (p *Policy) decide(a *dedup.Alert, n *formats.Notification, m *dedup.Match, s config.Settings, now time.Time) Decision {
	switch {
	case n.Kind != formats.Alert:
		return byKind(n, m, s)
	case m.Relation == dedup.Resend:
		return Decision{Action: dedup.Suppress, Reason: IsResend, StandsFor: standsFor(a, m), ManagedIn: a.ManagedIn}
	}
	d := Decision{Action: dedup.Forward, ManagedIn: p.managedIn(a, n, s)}
	switch {
	case n.Service != formats.Sluice && !p.services.Enabled(string(n.Service)): // nobody switches us off
		d.Reason = ServiceDisabled
	case m.Relation == dedup.Update:
		return update(d, a, n, s)
	case a.Forwarded != "":
		return twinOfForwarded(d, a, n)
	case n.Service == d.ManagedIn:
		d.Reason = ManagedHere
		if len(p.reporters(a, n)) == 1 {
			d.Reason = NoTwinExpected
		}
	case len(a.Held) > 0 && a.Sighting(d.ManagedIn) != nil:
		// By what both say now, the held one's service manages: it is released in the same batch.
		d.Action, d.Reason, d.StandsFor = dedup.Suppress, TwinHeld, a.Held[0].Key
	case *s.Hold <= 0:
		d.Reason = HoldExpired
	default:
		d.Action, d.Reason, d.Until = dedup.Hold, Waiting, now.Add(*s.Hold)
	}
	return d
}

// standsFor is what a SIEM has, or is going to get, instead of a resend: its alert's forwarded or held
// notification, which need not be the same service's.
func standsFor(a *dedup.Alert, m *dedup.Match) dedup.EventKey {
	switch {
	case a.Forwarded != "":
		return a.Forwarded
	case len(a.Held) > 0:
		return a.Held[0].Key
	}
	return m.Of
}

// byKind decides what is no alert.
func byKind(n *formats.Notification, m *dedup.Match, s config.Settings) Decision {
	keys := map[formats.Kind]string{formats.Health: s.Health, formats.Activity: s.Activities, formats.Unknown: s.Unknown}
	d := Decision{Action: dedup.Forward, Reason: ByKind}
	switch {
	case keys[n.Kind] == "drop":
		d.Action = dedup.Drop
	case m.Relation == dedup.Resend:
		d.Action, d.Reason, d.StandsFor = dedup.Suppress, IsResend, m.Of
	case m.Relation == dedup.Update:
		d.Reason = IsUpdate
	}
	return d
}

// update decides a later notification of a service that reported the alert before. What joins a held
// alert is never forwarded before it. policy.updates takes the service at its word: something that
// has the ID of an alert and doesn't call itself an update may be the original after a forged copy.
func update(d Decision, a *dedup.Alert, n *formats.Notification, s config.Settings) Decision {
	switch {
	case a.Forwarded == "" && len(a.Held) > 0:
		d.Action, d.Reason, d.Until = dedup.Hold, UpdateOfHeld, a.Held[0].Due
	case a.Forwarded != "" && s.Updates == "suppress" && n.Update:
		d.Action, d.Reason, d.StandsFor = dedup.Suppress, UpdatesOff, a.Forwarded
	default:
		d.Reason = IsUpdate
	}
	return d
}

func twinOfForwarded(d Decision, a *dedup.Alert, n *formats.Notification) Decision {
	d.Action, d.Reason, d.StandsFor = dedup.Suppress, TwinForwarded, a.Forwarded
	if n.Service == d.ManagedIn {
		d.Reason = LateTwin
	}
	return d
}

func (p *Policy) release(a *dedup.Alert, h *dedup.Held, m *dedup.Match, s config.Settings) Decision {
	switch {
	case h.Relation == dedup.Update || m.Relation == dedup.Update:
		if a.Forwarded != "" && s.Updates == "suppress" && h.Notification.Update {
			return Decision{Action: dedup.Suppress, Reason: UpdatesOff, StandsFor: a.Forwarded}
		}
		return Decision{Action: dedup.Forward, Reason: IsUpdate}
	case a.Forwarded != "":
		return Decision{Action: dedup.Suppress, Reason: TwinForwarded, StandsFor: a.Forwarded}
	case m.Relation == dedup.Twin && len(a.Held) > 0:
		return Decision{Action: dedup.Suppress, Reason: TwinHeld, StandsFor: a.Held[0].Key}
	case a.ManagedIn == h.Service:
		return Decision{Action: dedup.Forward, Reason: ManagedHere}
	}
	return Decision{Action: dedup.Forward, Reason: HoldExpired}
}

// reporters are the services that report the alert or may do so.
func (p *Policy) reporters(a *dedup.Alert, n *formats.Notification) []formats.Service {
	out := append([]formats.Service{n.Service}, dedup.Counterparts(p.services, n)...)
	for _, g := range a.Sightings {
		if !slices.Contains(out, g.Service) {
			out = append(out, g.Service)
		}
	}
	return out
}

// managedIn is the first service of the order that reports the alert or may do so.
func (p *Policy) managedIn(a *dedup.Alert, n *formats.Notification, s config.Settings) formats.Service {
	reporters := p.reporters(a, n)
	for _, name := range append(slices.Clone(s.ManageIn), p.services.Order()...) {
		if slices.Contains(reporters, formats.Service(name)) {
			return formats.Service(name)
		}
	}
	return n.Service
}

// shadow forwards everything and says what would have happened.
func shadow(d Decision, s config.Settings) Decision {
	if s.Mode != "shadow" || d.Action == dedup.Forward {
		return d
	}
	d.Would, d.Action = d.Action, dedup.Forward
	return d
}

// again is shadow for a notification that was decided before, maybe in another mode. What targets have
// had since it arrived doesn't go out once more: what is decided now is for the record only. What they
// haven't had goes out in shadow mode whatever is decided.
func again(d Decision, s config.Settings, key dedup.EventKey, delivered bool) Decision {
	if !delivered {
		return shadow(d, s)
	}
	d.Would, d.Action, d.StandsFor = d.Action, dedup.Suppress, key
	return d
}
