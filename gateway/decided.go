package gateway

import "github.com/sluice-siem/sluice/gateway/stream"

// Decided is one decision that is durable, for those who follow along; words as in the documents.
type Decided struct {
	Entry     string // what the stream records: notification, release, link, undo, silence or act
	Service   string
	Alert     string // the alert's ID; empty for what is no alert
	Title     string
	Decision  string // forwarded, suppressed, held or dropped
	Would     string // what enforce mode does, where it was decided in shadow mode; else empty
	Reason    string
	ManagedIn string
}

func decidedOf(e *stream.Entry) Decided {
	d := Decided{
		Entry: string(e.Kind), Service: string(e.Notification.Service), Alert: string(e.Match.Alert), Title: e.Notification.Title,
		Decision: participle(e.Decision.Action), Reason: string(e.Decision.Reason), ManagedIn: string(e.Decision.ManagedIn),
	}
	if e.Decision.Would != "" {
		d.Would = participle(e.Decision.Would)
	}
	return d
}
