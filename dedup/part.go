package dedup

import "time"

// rememberRequests is how long a request is known again, from its first message on. Whoever repeats one
// does so within minutes; a day is for an agent whose machine was off over night.
const rememberRequests = 24 * time.Hour

// Part says that a message is one of a request that its sender may repeat, under a key of its choice.
type Part struct {
	Of    [16]byte `cbor:"1,keyasint"` // digest of the input and the sender's key
	Index int      `cbor:"2,keyasint"` // among the request's messages
	Body  [16]byte `cbor:"3,keyasint"` // digest of the whole request
}

// progress is how much of a request is recorded. Its messages are recorded in order.
type progress struct {
	Body  [16]byte  `cbor:"1,keyasint"`
	Count int       `cbor:"2,keyasint"` // messages, from the first
	Time  time.Time `cbor:"3,keyasint"` // of the first
}

func partKey(p *Part) []byte { return append([]byte{tableRequest}, p.Of[:]...) }

func (b *Batch) progress(p *Part, now time.Time) (known progress, ok bool, err error) {
	ok, err = b.get(partKey(p), &known)
	return known, ok && now.Sub(known.Time) < rememberRequests, err
}

// Recorded says whether a message was recorded when its request came before, or whether that was another
// request under the same key.
func (b *Batch) Recorded(p *Part, now time.Time) (done, other bool, err error) {
	known, ok, err := b.progress(p, now)
	if err != nil || !ok {
		return false, false, err
	}
	return p.Index < known.Count, p.Body != known.Body, nil
}

// advance records that a message of a request is recorded.
func (b *Batch) advance(p *Part, at time.Time) error {
	known, ok, err := b.progress(p, at)
	if err != nil {
		return err
	}
	if !ok {
		known = progress{Body: p.Body, Time: at}
	}
	known.Count = p.Index + 1
	return b.put(partKey(p), known, rememberRequests)
}
