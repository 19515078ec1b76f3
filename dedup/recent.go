package dedup

import "time"

// recent keeps the facts of notifications that were weighed lately, so that a storm of one type doesn't
// read and take apart the same texts over and over, and a twin not that of the alert before it. A key never
// stands for other facts, so it doesn't matter whether what is decided with them is recorded. Its memory is
// bounded by two generations of recentBytes; the older one is dropped whole.
type recent struct {
	young, old map[EventKey]*facts
	bytes      int // of young, more or less
}

const (
	recentBytes = 16 << 20
	factsBytes  = 1 << 10 // beside the text and what is read in it
	nameBytes   = 256     // of an account
)

func (r *recent) get(key EventKey) (*facts, bool) {
	f, ok := r.young[key]
	if !ok {
		if f, ok = r.old[key]; ok {
			r.keep(key, f)
		}
	}
	return f, ok
}

// put keeps f, without the message itself, with the times as a stored notification has them.
func (r *recent) put(key EventKey, f facts) *facts {
	n := *f.n
	for _, t := range [...]*time.Time{&n.Start, &n.End, &n.Raised, &n.Sent, &n.Arrived} {
		*t = asStored(*t)
	}
	f.payload = len(n.Raw) // the strings may be cut from one that is as long
	n.Raw = nil
	f.n = &n
	r.keep(key, &f)
	return &f
}

func (r *recent) keep(key EventKey, f *facts) {
	size := factsBytes + f.payload + f.text.bytes() + nameBytes*(len(f.accounts)+len(f.best))
	for k, v := range f.n.Extra {
		size += len(k) + len(v)
	}
	if r.young == nil || r.bytes+size > recentBytes {
		r.young, r.old, r.bytes = map[EventKey]*facts{}, r.young, 0
	}
	r.young[key] = f
	r.bytes += size
}
