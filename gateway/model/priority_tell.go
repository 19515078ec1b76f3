package model

import (
	"context"
	"fmt"

	"github.com/sluice-siem/sluice/gateway/risk"
)

// tellAtOnce is how many events the scorer is told at once.
const tellAtOnce = 256

// telling are events that the scorer is told, in their order, and that are written down to be told again, while the fold
// goes on.
type telling struct {
	events []risk.Event
	record []byte // as risk_told has it, once it is done
	err    error
	done   chan struct{} // closed then
}

// tell has the scorer told.
func (p *priority) tell(e risk.Event) {
	p.told = append(p.told, e)
	if len(p.told) >= tellAtOnce {
		p.hand()
	}
}

// hand hands over what is to be told.
func (p *priority) hand() {
	if len(p.told) == 0 {
		return
	}
	t := &telling{events: p.told, done: make(chan struct{})}
	var before *telling
	if n := len(p.telling); n > 0 {
		before = p.telling[n-1]
	}
	p.telling, p.told = append(p.telling, t), make([]risk.Event, 0, tellAtOnce)
	scores, turn := &p.f.m.scores, p.f.m.turn()
	go func() {
		defer close(t.done)
		if before != nil {
			<-before.done
		}
		turn.take()
		defer turn.give()
		for _, e := range t.events {
			scores.tell(e)
		}
		t.record, t.err = risk.Record(t.events)
	}()
}

// settle waits until the scorer has been told everything.
func (p *priority) settle() {
	p.hand()
	if n := len(p.telling); n > 0 {
		p.f.turn.without(func() { <-p.telling[n-1].done })
	}
	clear(p.acted)
}

// scorer is the one that the fold has told everything. Nobody else changes it, so that it may be read as it is.
func (p *priority) scorer() *risk.Scorer {
	p.settle()
	return p.f.m.scores.scorer
}

// acts says whether a user was ever active, or is only spoken of. It waits for nothing.
func (p *priority) acts(id string) bool {
	if acted, ok := p.acted[id]; ok {
		return acted
	}
	return p.f.m.scores.acts(id)
}

// keepTold writes what the scorer was told in the transaction.
func (p *priority) keepTold(ctx context.Context) error {
	p.settle()
	for _, t := range p.telling {
		if t.err != nil {
			return fmt.Errorf("write what users did: %w", t.err)
		}
		if err := p.f.exec(ctx, "INSERT INTO risk_told (data) VALUES (?)", t.record); err != nil {
			return err
		}
		p.size += int64(len(t.record))
	}
	clear(p.telling)
	p.telling = p.telling[:0]
	return nil
}
