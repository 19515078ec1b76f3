package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/ledger"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// Report is what the control socket answers to /reconcile.
type Report = ledger.Report

// reconcile compares what was received with what became of it, and for each target what was forwarded.
func (g *Gateway) reconcile(ctx context.Context) (ledger.Report, error) {
	var accounts []ledger.Account
	for _, d := range g.deliveries {
		t, at, since := d.reader.Tally()
		accounts = append(accounts, ledger.Account{Target: d.name, Tally: t, At: at, Since: since})
	}
	held, mark, err := g.index.Holding()
	if err != nil {
		return ledger.Report{}, err
	}
	s := ledger.State{At: mark.Sequence}
	for _, h := range held {
		if !h.Delivered { // in shadow mode it was forwarded when it arrived
			s.Held = append(s.Held, &stream.Entry{Kind: stream.Notification, Key: h.Key, Notification: h.Notification})
		}
	}
	return g.ledger.Reconcile(ctx, s, accounts)
}

// ReconcileStore is the account of a gateway that doesn't run, from its files. Each is opened as a start would
// open it; where one isn't as it was left, it is not mended, and the error says so.
func ReconcileStore(ctx context.Context, c config.Config, log *slog.Logger) (r Report, err error) {
	s, err := openStore(ctx, c, log)
	if err != nil {
		return r, err
	}
	g := &Gateway{stream: s.stream}
	g.closers = append(g.closers, s.stream.Close)
	defer func() { err = errors.Join(err, g.close()) }()
	var damaged error
	s.eachCursor(func(name, reader string) {
		if _, err := s.stream.Cursor(ctx, reader); err != nil && !errors.Is(err, fs.ErrNotExist) {
			damaged = errors.Join(damaged, fmt.Errorf("%s: %w", name, err))
		}
	})
	if damaged != nil {
		return r, damaged
	}
	if g.index, err = openProved(ctx, c, stateDir(c), s.stream); err != nil {
		return r, fmt.Errorf("state: %w", err)
	}
	g.closers = append(g.closers, g.index.Close)
	if g.ledger, err = ledger.Open(ctx, s.stream, c.DataDir, log); err != nil {
		return r, err
	}
	for _, t := range c.Targets {
		if _, err := s.stream.Cursor(ctx, t.Name); errors.Is(err, fs.ErrNotExist) {
			continue // it is new, and begins where the next start finds the stream
		}
		d := &delivery{name: t.Name}
		if d.reader, err = s.stream.Reader(ctx, t.Name, stream.Oldest); err != nil {
			return r, err
		}
		g.deliveries = append(g.deliveries, d)
	}
	return g.reconcile(ctx)
}
