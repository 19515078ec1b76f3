package gateway

import (
	"context"

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
