package dedup

import (
	"slices"

	"github.com/sluice-siem/sluice/formats"
)

// mostNews bounds what updates add to an alert.
const mostNews = 8

// Said is what was said of the alert, as far as somebody may choose alerts by it: of the first notification of
// each service, while its facts are read and still there, and of the updates that had news.
func (a *Alert) Said() []formats.Notification {
	if len(a.Facts)+len(a.News) == 0 {
		return nil
	}
	out := make([]formats.Notification, 0, len(a.Facts)+len(a.News))
	for i := range a.Facts {
		out = append(out, chosenBy(&a.Facts[i]))
	}
	return append(out, a.News...)
}

// hear adds what an update says, unless an update said it before.
func (a *Alert) hear(n *formats.Notification) {
	said := chosenBy(n)
	if len(a.News) >= mostNews || slices.ContainsFunc(a.News, func(o formats.Notification) bool { return sameSaid(&o, &said) }) {
		return
	}
	a.News = append(slices.Clip(a.News), said)
}

// chosenBy keeps of a notification what alerts are chosen by.
func chosenBy(n *formats.Notification) formats.Notification {
	return formats.Notification{
		Service: n.Service, Kind: n.Kind, Channel: n.Channel, Type: n.Type, Class: n.Class, Title: n.Title, Severity: n.Severity,
		Accounts: n.Accounts, Devices: n.Devices, App: n.App,
	}
}

func sameSaid(a, b *formats.Notification) bool {
	return a.Service == b.Service && a.Kind == b.Kind && a.Type == b.Type && a.Class == b.Class && a.Title == b.Title &&
		a.Severity == b.Severity && a.App == b.App && slices.Equal(a.Accounts, b.Accounts) && slices.Equal(a.Devices, b.Devices)
}
