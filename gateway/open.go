package gateway

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/input"
	"github.com/sluice-siem/sluice/gateway/stream"
	"github.com/sluice-siem/sluice/gateway/target"
)

// Options are what a gateway is made of.
type Options struct {
	Config   config.Config
	Log      *slog.Logger
	Metrics  prometheus.Registerer
	Gatherer prometheus.Gatherer // what /metrics shows
	Stdout   io.Writer           // where a target of type stdout writes
	Hostname string              // the name in outgoing syslog headers
	Decided  func(Decided)       // is told of every decision when it is durable, in order, and may not block; nil for nobody
	Now      func() time.Time    // the wall clock, of which only the start is asked; the machine's where nil
}

// openInput opens one input. A new protocol adds its case here.
func (g *Gateway) openInput(c config.Input, m *input.Metrics) error {
	var s *input.Socket
	var err error
	switch c.Type {
	case "syslog":
		s, err = input.ListenSyslog(c, g.log, m)
	case "relp":
		s, err = input.ListenRELP(c, g.log, m)
	case "http":
		s, err = input.ListenHTTP(c, g.door.Sender, g.log, m)
	default:
		err = fmt.Errorf("no type %q", c.Type)
	}
	if err != nil {
		return fmt.Errorf("input %s: %w", c.Name, err)
	}
	g.inputs = append(g.inputs, s)
	scheme, _, _ := strings.Cut(c.Listen, "://")
	g.addrs = append(g.addrs, Listener{c.Name, c.Type, scheme + "://" + s.Addr().String()})
	g.closers = append(g.closers, func() error { _ = s.Close(); return nil }) // Run has closed it already
	return nil
}

// newTarget makes one target. A new type adds its case here.
func newTarget(c config.Target, o Options, tm *target.Metrics) (t Target, err error) {
	switch {
	case c.Type == "syslog" && strings.HasPrefix(c.Address, "udp://"):
		t, err = target.NewDatagrams(c, o.Hostname, tm)
	case c.Type == "syslog" && c.RELP():
		t, err = target.NewRELP(c, o.Hostname, o.Log, tm)
	case c.Type == "syslog":
		t, err = target.NewSyslog(c, o.Hostname, o.Log, tm)
	case c.Type == "elasticsearch":
		t, err = target.NewElastic(c, tm)
	case c.Type == "http":
		t, err = target.NewWebhook(c, time.Now, tm)
	case c.Type == "file":
		t, err = target.NewFile(c, o.Log)
	case c.Type == "kafka":
		t, err = target.NewKafka(c, tm)
	case c.Type == "nats":
		t, err = target.NewNATS(c, tm)
	case c.Type == "stdout":
		t, err = target.NewStdout(c, o.Stdout)
	case c.Type == "sentinel":
		t, err = target.NewSentinel(c, os.Getenv, time.Now, tm)
	case c.Type == "splunk_hec":
		t, err = target.NewSplunkHEC(c, o.Hostname, o.Log, tm)
	default:
		err = fmt.Errorf("no type %q", c.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("target %s: %w", c.Name, err)
	}
	return t, nil
}

// openTarget opens one target and its cursor on the stream.
func (g *Gateway) openTarget(ctx context.Context, c config.Target, o Options, m *metrics, tm *target.Metrics) error {
	t, err := newTarget(c, o, tm)
	if err != nil {
		return err
	}
	g.closers = append(g.closers, t.Close)
	r, err := g.stream.Reader(ctx, c.Name, startOf(c.From))
	if err != nil {
		return fmt.Errorf("target %s: %w", c.Name, err)
	}
	g.closers = append(g.closers, r.Close)
	if err := g.ledger.Begin(ctx, r); err != nil {
		return fmt.Errorf("target %s: %w", c.Name, err)
	}
	g.deliveries = append(g.deliveries, newDelivery(c, t, r, g, m))
	return nil
}

// startOf is where a target begins that has no place yet.
func startOf(f config.From) stream.Start {
	switch {
	case f.Now:
		return stream.Now
	case !f.Time.IsZero():
		return stream.Since(f.Time)
	}
	return stream.Oldest
}
