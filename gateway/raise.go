package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// maxRaised is how large an alert of our own may be, in bytes of JSON: as a service's message by default.
const maxRaised = 64 << 10

// Raise records an alert of Sluice's own, such as an activity policy's, and has it forwarded. Its ID says what it is
// about, such as policy, user and window: what is raised under an ID that was raised before is a resend, whatever it
// says, and suppressed; with Update it is news of that alert. Service, kind, channel, origin, the message itself and
// the time of receipt are the gateway's to set. The alert is durable when Raise returns nil. The errors are those of
// [Gateway.Record]; it may be raised again after any of them but [stream.ErrTooLarge].
func (g *Gateway) Raise(ctx context.Context, n formats.Notification) error {
	n, err := ownAlert(n)
	if err != nil {
		return err
	}
	m := &incoming{
		entry: stream.Entry{Kind: stream.Notification, Notification: n},
		order: func(b *dedup.Batch, e *stream.Entry, t time.Time) ([]*stream.Entry, error) {
			e.Notification.Arrived = t
			if e.Notification.Raised.IsZero() {
				e.Notification.Raised = t
			}
			return g.pipeline.decider.notification(b, e, t)
		},
	}
	_, err = g.pipeline.give(ctx, m)
	return err
}

// ownAlert completes an alert of our own but for its time.
func ownAlert(n formats.Notification) (formats.Notification, error) {
	if n.ID == "" || len(n.ID) > maxID {
		return n, fmt.Errorf("an alert of our own has an ID of %d bytes, want 1 to %d", len(n.ID), maxID)
	}
	n.Service, n.Kind, n.Channel, n.Origin = formats.Sluice, formats.Alert, "policy", formats.Sluice
	n.Sent, n.Claims, n.Truncated, n.Parsed, n.Payload = time.Time{}, "", false, false, 0
	// The caller's own stay as they are.
	n.Accounts, n.Devices, n.Addresses, n.Extra = slices.Clone(n.Accounts), slices.Clone(n.Devices), slices.Clone(n.Addresses), maps.Clone(n.Extra)
	bound(&n)
	var err error
	if n.Raw, err = json.Marshal(wordsOf(&n)); err != nil {
		return n, fmt.Errorf("encode alert %s: %w", n.ID, err)
	}
	if len(n.Raw) > maxRaised {
		return n, fmt.Errorf("alert %s has %d bytes, more than %d: %w", n.ID, len(n.Raw), maxRaised, stream.ErrTooLarge)
	}
	n.Content = digest(sha256.New(), []byte(n.ID)) // so that a rebuilt model, which may word it otherwise, raises nothing twice
	if n.Update {
		n.Content = digest(sha256.New(), n.Raw)
	}
	return n, nil
}

// raised is an alert of our own as its message says it.
type raised struct {
	ID        string            `json:"id"`
	Type      string            `json:"type,omitempty"`
	Title     string            `json:"title,omitempty"`
	Severity  formats.Severity  `json:"severity"`
	Users     []formats.Entity  `json:"users,omitempty"`
	Devices   []formats.Entity  `json:"devices,omitempty"`
	Addresses []string          `json:"addresses,omitempty"`
	App       string            `json:"app,omitempty"`
	URL       string            `json:"url,omitempty"`
	Message   string            `json:"message,omitempty"`
	Start     time.Time         `json:"start,omitzero"`
	End       time.Time         `json:"end,omitzero"`
	Raised    time.Time         `json:"raised,omitzero"`
	Update    bool              `json:"update,omitempty"`
	Count     int               `json:"count,omitempty"`
	Extra     map[string]string `json:"extra,omitempty"`
}

func wordsOf(n *formats.Notification) raised {
	return raised{
		n.ID, n.Type, n.Title, n.Severity, n.Accounts, n.Devices, n.Addresses, n.App, n.URL, n.Message,
		n.Start, n.End, n.Raised, n.Update, n.Count, n.Extra,
	}
}
