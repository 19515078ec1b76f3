package model

import (
	"time"
	"unicode/utf8"

	"github.com/sluice-siem/sluice/formats"
)

// Told is a notification as the service told it, for people and programs to read.
type Told struct {
	Service   formats.Service   `json:"service"`
	Kind      formats.Kind      `json:"kind"`
	Origin    formats.Service   `json:"origin,omitempty"` // whose alert it is
	ID        string            `json:"id,omitempty"`
	Type      string            `json:"type,omitempty"`
	Title     string            `json:"title,omitempty"`
	Severity  formats.Severity  `json:"severity"`
	Users     []string          `json:"users,omitempty"`
	Devices   []string          `json:"devices,omitempty"`
	Addresses []string          `json:"ips,omitempty"`
	App       string            `json:"application,omitempty"`
	URL       string            `json:"url,omitempty"`
	Message   string            `json:"message,omitempty"`
	Start     time.Time         `json:"start,omitzero"`
	End       time.Time         `json:"end,omitzero"`
	Raised    time.Time         `json:"raised,omitzero"`
	Sent      time.Time         `json:"sent,omitzero"` // by the syslog header
	Arrived   time.Time         `json:"arrived,omitzero"`
	Update    bool              `json:"update,omitempty"`
	Count     int               `json:"count,omitempty"`
	Extra     map[string]string `json:"extra,omitempty"`
	Truncated bool              `json:"truncated,omitempty"`  // longer than max_message and cut
	Raw       string            `json:"raw,omitempty"`        // the message, every byte of it
	Bytes     []byte            `json:"raw_base64,omitempty"` // instead, where that is no UTF-8
}

func toldBy(n *formats.Notification) Told {
	t := Told{
		Service: n.Service, Kind: n.Kind, Origin: n.Origin, ID: n.ID, Type: n.Type, Title: n.Title, Severity: n.Severity,
		Users: names(n.Accounts), Devices: names(n.Devices), Addresses: n.Addresses, App: n.App, URL: n.URL, Message: n.Message,
		Start: n.Start, End: n.End, Raised: n.Raised, Sent: n.Sent, Arrived: n.Arrived, Update: n.Update, Count: n.Count,
		Extra: n.Extra, Truncated: n.Truncated,
	}
	if utf8.Valid(n.Raw) {
		t.Raw = string(n.Raw)
	} else {
		t.Bytes = n.Raw
	}
	return t
}
