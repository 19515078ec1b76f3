package access

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// What is tried in vain.
const (
	triesAtOnce = 5
	triesEvery  = 30 * time.Second // after those, from one address
	mostTriers  = 10_000           // addresses that are remembered
)

// tries bounds how often a password is tried from an address; of IPv6 from a network of 64 bits, which is one
// customer's. Everybody else may still log in.
type tries struct {
	mu sync.Mutex // guards by
	by map[string]*rate.Limiter
}

func newTries() *tries { return &tries{by: map[string]*rate.Limiter{}} }

func (t *tries) allow(address string, now time.Time) bool {
	if a, err := netip.ParseAddr(address); err == nil && a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			address = p.String()
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.by[address]
	if l == nil {
		if len(t.by) >= mostTriers {
			for key, o := range t.by {
				if o.TokensAt(now) >= triesAtOnce {
					delete(t.by, key)
				}
			}
		}
		if len(t.by) >= mostTriers {
			return false
		}
		l = rate.NewLimiter(rate.Every(triesEvery), triesAtOnce)
		t.by[address] = l
	}
	return l.AllowN(now, 1)
}

// forget: who knows the password has tried nothing in vain.
func (t *tries) forget(address string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.by, address)
}

// notes bounds how much those whom nobody let in can write into the stream.
type notes struct {
	to  func(context.Context, Event)
	now func() time.Time

	mu    sync.Mutex // guards left
	limit *rate.Limiter
	left  map[string]int
}

func newNotes(to func(context.Context, Event), now func() time.Time) *notes {
	return &notes{to: to, now: now, limit: rate.NewLimiter(rate.Every(10*time.Second), 30), left: map[string]int{}}
}

func (n *notes) note(ctx context.Context, e Event) {
	if n.to == nil {
		return
	}
	n.mu.Lock()
	vain := e.What == "denied" || e.What == "log_in_failed"
	if vain && !n.limit.AllowN(n.now(), 1) {
		n.left[e.What]++
		n.mu.Unlock()
		return
	}
	if vain {
		e.Left, n.left[e.What] = n.left[e.What], 0
	}
	n.mu.Unlock()
	n.to(ctx, e)
}
