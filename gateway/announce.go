package gateway

import (
	"net"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// announce says in plain words what the gateway listens on and how to send it a first message.
func (g *Gateway) announce() {
	for _, l := range g.addrs {
		g.log.Info("listening for notifications", "input", l.Input, "type", l.Type, "address", l.Address)
	}
	for _, t := range g.config.Targets {
		g.log.Info("forwarding", "target", t.Name, "type", t.Type, "format", t.Format)
	}
	for _, url := range g.watch.urls {
		g.log.Info("metrics and health", "url", url+"/metrics")
	}
	if g.config.HTTP.Listen != "" {
		g.log.Info("the portal", "url", g.watch.urls[0]+"/")
	}
	s := g.config.Services
	for _, name := range s.Order() {
		if !s.Enabled(name) {
			g.log.Warn("service is disabled: its notifications are forwarded as they come, neither held nor paired", "service", name)
		}
	}
	g.announceGone()
	for _, l := range g.addrs {
		if command := firstMessage(l); command != "" {
			g.log.Info("to send a first message, run in bash", "command", command)
			break
		}
	}
}

// announceGone tells of targets that are not configured any more before they had everything: whoever gave one another name
// may not know that this makes a new target of it.
func (g *Gateway) announceGone() {
	gone, err := g.stream.Left()
	if err != nil {
		g.log.Warn("targets that were here before can't be told of", "err", err)
	}
	for _, t := range gone {
		letters, err := g.letters.List(t.Name)
		if err != nil || t.Entries > 0 || len(letters) > 0 {
			g.log.Warn("a target that was here before is not in the configuration: it goes on only under its own name; remove its file to be "+
				"told no more", "target", t.Name, "waiting_entries", t.Entries, "dead_letters", len(letters), "file", t.File)
		}
	}
}

// firstMessage is a command that sends one alert of Cloud App Security.
func firstMessage(l Listener) string {
	scheme, hostport, _ := strings.Cut(l.Address, "://")
	host, port, err := net.SplitHostPort(hostport)
	if err != nil || l.Type != "syslog" || scheme == "tls" {
		return ""
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	// bash has no need of nc, which a bare machine lacks. Neither quotes nor backslashes, which the log
	// would escape: the command is to be copied from there.
	return `echo 'CEF:0|MCAS|SIEM_Agent|0.1|ALERT_CABINET_EVENT_MATCH_AUDIT|My first alert|3|` +
		`externalId=0123456789abcdef01234567 msg=Hello suser=me@example.com destinationServiceName=Box' > /dev/` +
		scheme + "/" + host + "/" + port
}

// tell logs what an operator at the console wants to see of a durable batch: what is held, for whom
// and until when, and what became of it. It names no people.
func (p *pipeline) tell(entries []*stream.Entry) {
	for _, e := range entries {
		d := e.Decision
		if p.decided != nil {
			p.decided(decidedOf(e))
		}
		switch {
		case e.Kind == stream.Notification && d.Enforced() == dedup.Hold && d.Would == "":
			p.log.Info("held: waiting for the managing service", "alert_id", e.Match.Alert, "service", e.Notification.Service,
				"waiting_for", d.ManagedIn, "until", d.Until, "reason", d.Reason)
		case e.Kind == stream.Release:
			p.log.Info("hold ended", "alert_id", e.Match.Alert, "service", e.Notification.Service,
				"decision", participle(d.Action), "reason", d.Reason)
		case e.Kind == stream.Undo && e.Act != nil:
			p.log.Warn("an operator had a suppressed notification forwarded after all", "alert_id", e.Match.Alert,
				"service", e.Notification.Service, "operator", e.Act.By)
		case e.Kind == stream.Undo:
			p.log.Warn("a pairing was taken back: another notification fits far better", "alert_id", e.Match.Alert,
				"service", e.Notification.Service)
		case e.Kind == stream.Silence:
			last := "never"
			if t := e.Notification.Start; !t.IsZero() {
				last = t.UTC().Format(time.RFC3339)
			}
			p.log.Warn("a service has gone silent: nothing is received from it; look at its agent or sensor and at the way to here",
				"service", e.Notification.Origin, "last_notification", last)
		}
	}
}
