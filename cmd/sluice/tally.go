package main

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/sluice-siem/sluice/gateway"
)

// tally tells a newcomer of each decision of the demo, and adds them up.
type tally struct {
	log *slog.Logger

	mu     sync.Mutex // guards what follows
	alerts map[string]bool
	count  map[string]int // by what became of the notifications
}

func newTally(log *slog.Logger) *tally {
	return &tally{log: log, alerts: map[string]bool{}, count: map[string]int{}}
}

// decided takes one decision.
func (t *tally) decided(d gateway.Decided) {
	t.log.Info("demo", "decision", explain(d), "alert", d.Title)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch d.Entry {
	case "notification":
		t.count["received"]++
		t.count[became(d)]++
	case "release":
		if d.Would == "" { // in shadow mode it was forwarded when it arrived
			t.count["held"]--
			t.count[became(d)]++
		}
	default:
		t.count[d.Entry]++
	}
	if d.Alert != "" {
		t.alerts[d.Alert] = true
	}
}

func became(d gateway.Decided) string {
	if d.Decision == "suppressed" && isTwin(d) {
		return "twin"
	}
	return d.Decision
}

func isTwin(d gateway.Decided) bool {
	return d.Reason == "twin_forwarded" || d.Reason == "twin_held" || d.Reason == "late_twin"
}

// String adds up in plain words.
func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.count
	out := []string{
		fmt.Sprintf("received %d notifications of %d alerts", c["received"], len(t.alerts)),
		fmt.Sprintf("forwarded %d", c["forwarded"]),
		fmt.Sprintf("suppressed %d as the twins of notifications that are forwarded", c["twin"]),
	}
	if n := c["suppressed"]; n > 0 {
		out = append(out, fmt.Sprintf("suppressed %d that say nothing new", n))
	}
	if n := c["dropped"]; n > 0 {
		out = append(out, fmt.Sprintf("dropped %d by policy", n))
	}
	out = append(out, fmt.Sprintf("held now %d", c["held"]))
	if n := c["link"]; n > 0 {
		out = append(out, fmt.Sprintf("and %d link event of Sluice's own, for the twin that came after the hold", n))
	}
	return strings.Join(out, ", ")
}

// explain says a decision to somebody who has not read about the reasons.
func explain(d gateway.Decided) string {
	manager := called(d.ManagedIn)
	why := map[string]string{
		"managed_here":     "such alerts are managed in " + manager + ", and this is its notification",
		"no_twin_expected": "only " + called(d.Service) + " reports this alert, so there is nothing to wait for",
		"waiting":          "such alerts are managed in " + manager + ", which may report this one too",
		"hold_expired":     "the hold is over, and " + manager + " has not reported the alert",
		"twin_forwarded":   "the SIEM gets this alert as the other service reported it; this is the twin",
		"twin_held":        "the other service's notification of this alert is held and will be forwarded; this is the twin",
		"late_twin":        "the other service's notification went out when the hold was over; this is the late twin",
		"linked":           "an event of Sluice's own, which tells the SIEM that two IDs are one alert",
		"update":           called(d.Service) + " has news of an alert it has reported",
		"resend":           "the same notification was handled before",
	}[d.Reason]
	if why == "" {
		why = strings.ReplaceAll(d.Reason, "_", " ")
	}
	out := d.Decision
	if d.Entry == "release" {
		if d.Would != "" {
			return "it went out when it arrived, in shadow mode; else it would have been held, and " + d.Would + " now: " + why
		}
		out = "what was held is " + out
	}
	if d.Would != "" && d.Would != d.Decision {
		out += " in shadow mode, else " + d.Would
	}
	return out + ": " + why
}

// called is a service's name as people say it.
func called(service string) string {
	words := strings.Split(service, "_")
	for i, w := range words {
		if w != "for" && w != "" {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, " ")
}
