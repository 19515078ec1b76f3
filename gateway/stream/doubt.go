package stream

// Doubt is what a reader has committed and may have to hand out again: whoever took it can still lose it.
// It is kept in the cursor's file, in the record that moves the cursor, so that at any moment what is on
// disk covers what can be lost. The zero value is no doubt.
type Doubt struct {
	From Position `json:"from"`           // the oldest entry; from there to the cursor everything is in doubt
	Link string   `json:"link,omitempty"` // how it was sent, which may prove later that it arrived; "": nothing can
}

// None says that nothing is in doubt.
func (d Doubt) None() bool { return d.From == Position{} }

// Suspect makes d the doubt from the next [Reader.Commit] or [Reader.Recount] on that writes.
func (r *Reader) Suspect(d Doubt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cursor != nil {
		r.cursor.record.Doubt = d
	}
}

// Doubt is what was suspected last, before a restart too.
func (r *Reader) Doubt() Doubt {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cursor == nil { // it didn't open
		return Doubt{}
	}
	return r.cursor.record.Doubt
}

// Again makes Next go on with the entry at from, which the cursor has passed. The cursor stays, so that
// a commit before it changes nothing. What was purged meanwhile is passed over and not missed.
func (r *Reader) Again(from Position) {
	r.taking.Lock()
	defer r.taking.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rewind()
	if from.Less(r.next) {
		r.backlog, r.next = nil, from
		r.stream.took(r, r.next.Sequence)
	}
}

// needs is the sequence of the oldest message that the reader may still have to hand out, or that proves
// its cursor.
func (r *Reader) needs() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.cursor == nil: // it didn't open
		return 0
	case r.cursor.record.Doubt.None():
		return r.cursor.record.At.Sequence
	}
	return min(r.cursor.record.At.Sequence, r.cursor.record.Doubt.From.Sequence)
}
