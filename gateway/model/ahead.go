package model

import (
	"context"
	"iter"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/sluice-siem/sluice/gateway/stream"
)

const (
	aheadBytes    = 8 << 20 // of messages that are read while the transaction before theirs ends
	aheadMessages = 256     // likewise
)

// prepared is a message of the stream.
type prepared struct {
	message *stream.Message
	lines   []*line // those of its entries that are activities; nil for the others
	until   time.Time
	err     error
}

// readAhead reads and decodes messages, and makes of their activities what needs no table, while others are folded:
// that is a third of all the work.
func (f *folder) readAhead(messages iter.Seq2[*stream.Message, error]) iter.Seq[prepared] {
	return func(yield func(prepared) bool) {
		ctx, stop := context.WithCancel(context.Background())
		reads, room := make(chan prepared, aheadMessages), semaphore.NewWeighted(aheadBytes)
		go func() {
			defer close(reads)
			turn := f.m.turn()
			for m, err := range messages {
				turn.take()
				r := f.prepare(m, err)
				turn.give()
				if room.Acquire(ctx, r.weight()) != nil || ctx.Err() != nil {
					return
				}
				reads <- r // there is place for it, or it is waited for below
			}
		}()
		for r := range reads {
			room.Release(r.weight())
			f.turn.take()
			more := yield(r)
			f.turn.give() // whoever reads needs it
			if !more {
				break
			}
		}
		stop()
		for range reads { // until nothing is read any more
		}
	}
}

func (f *folder) prepare(m *stream.Message, err error) prepared {
	r := prepared{message: m, err: err}
	if m == nil || err != nil {
		return r
	}
	r.until = f.m.inside(m)
	r.lines, r.err = f.scribe.prepare(m)
	return r
}

// weight is what the message takes of the room for those that are read ahead: one that is too large for it takes all.
func (r prepared) weight() int64 {
	if r.message == nil {
		return 0
	}
	return min(int64(r.message.Size), aheadBytes)
}
