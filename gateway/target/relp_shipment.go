package target

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-siem/sluice/formats/relp"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// shipment is one batch on its way to a RELP receiver.
type shipment struct {
	*RELP
	batch    []*stream.Entry
	results  []Result
	more     func() []*stream.Entry // nil: there is no more
	rejected error

	next    int      // of the batch, to be sent
	waiting []posted // in the order in which they were sent
}

// posted is a frame without an answer.
type posted struct{ number, entry int }

// refusedError is an answer other than 200.
type refusedError struct{ code, text string }

// Error implements error.
func (r *refusedError) Error() string { return "the receiver answers " + r.code + " " + r.text }

// stream sends what is left of the batch, a window at a time. After a refusal it sends nothing new.
func (s *shipment) stream(ctx context.Context) error {
	if !s.left() {
		return nil
	}
	if err := s.connect(ctx); err != nil {
		return err
	}
	var refused error
	for {
		if refused == nil {
			if err := s.fill(ctx); err != nil {
				s.lastWords(ctx)
				return err
			}
		}
		if len(s.waiting) == 0 {
			return refused
		}
		for again := true; again; again = len(s.session.answers) > 0 { // so that the window is filled in one write
			f, err := s.session.next(ctx, s.patience)
			if err == nil {
				err = s.settle(f)
			}
			if _, ok := errors.AsType[*refusedError](err); ok {
				refused = cmp.Or(refused, err) // the others will say the same
			} else if err != nil {
				return errors.Join(refused, err)
			}
		}
	}
}

// left tells whether there is something to be sent.
func (s *shipment) left() bool {
	if s.next == len(s.batch) && s.more != nil {
		fresh := s.more()
		s.batch = append(slices.Clip(s.batch), fresh...)
		s.results = append(s.results, make([]Result, len(fresh))...)
	}
	return s.next < len(s.batch)
}

// fill sends as many frames as the window has room for.
func (s *shipment) fill(ctx context.Context) error {
	s.frames = s.frames[:0]
	for len(s.waiting) < s.window && s.left() {
		s.post(s.next)
		s.next++
		if len(s.frames) > chunkBytes {
			if err := s.flush(ctx); err != nil {
				return err
			}
		}
	}
	return s.flush(ctx)
}

// post puts an entry's frame to those that are to be written, or marks it as one that can't be sent.
func (s *shipment) post(i int) {
	var err error
	if s.message, err = s.envelope.pack(s.message[:0], s.batch[i]); err != nil {
		s.results[i] = Rejected
		s.rejected = errors.Join(s.rejected, reject(s.batch[i], err))
		return
	}
	s.frames = s.session.frame(s.frames, "syslog", s.message)
	s.waiting = append(s.waiting, posted{s.session.number, i})
}

func (s *shipment) flush(ctx context.Context) error {
	if len(s.frames) == 0 {
		return nil
	}
	err := s.session.write(ctx, s.frames, s.patience)
	if err == nil {
		s.count.bytes.Add(float64(len(s.frames)))
	}
	s.frames = s.frames[:0]
	return err
}

// lastWords reads the answers that came before the session broke under a write.
func (s *shipment) lastWords(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for len(s.waiting) > 0 {
		f, err := s.session.next(ctx, time.Second)
		if err == nil {
			err = s.settle(f)
		}
		if _, refused := errors.AsType[*refusedError](err); err != nil && !refused {
			return
		}
	}
}

// settle notes what an answer says of its entry. The error is a [refusedError] where that is to be retried.
func (s *shipment) settle(f relp.Frame) error {
	at := slices.IndexFunc(s.waiting, func(p posted) bool { return p.number == f.Number })
	code, text, err := answerOf(f)
	switch {
	case err != nil:
		return err
	case at < 0:
		return fmt.Errorf("answer to transaction %d, which waits for none: %w", f.Number, errRELP)
	}
	i := s.waiting[at].entry
	s.waiting = slices.Delete(s.waiting, at, at+1)
	if code != "200" {
		return s.refuse(i, &refusedError{code, text})
	}
	s.results[i] = Delivered
	s.taken++
	delete(s.suspects, s.batch[i].Key)
	return nil
}

// refuse decides whether it is the message that the receiver doesn't want. Where it isn't known, the error is
// the receiver's.
func (s *shipment) refuse(i int, no *refusedError) error {
	e := s.batch[i]
	d, known := s.suspects[e.Key]
	if !known {
		d.taken = s.taken
	}
	d.times++
	alone := len(s.batch) == 1 && s.more == nil
	if d.times >= enoughRefusals && s.taken > d.taken || d.times >= mostRefusals && alone {
		s.results[i] = Rejected
		s.rejected = errors.Join(s.rejected, reject(e, no))
		delete(s.suspects, e.Key)
		return nil
	}
	const most = 4096 // of dead letters that are sent again by hand; those of a batch are fewer
	if len(s.suspects) > most {
		clear(s.suspects)
	}
	s.suspects[e.Key] = d
	return no
}

// single sends one message at a time, from the first, which was refused before, until the receiver takes one
// that it hasn't refused: then it is well, and what it refused gets its last chance. Where it takes none of the
// first few, it is in trouble.
func (s *shipment) single(ctx context.Context) error {
	const most = 16
	var refused []int
	var last error
	for len(refused) < most && s.left() {
		i := s.next
		s.next++
		err := s.alone(ctx, i)
		if no, ok := errors.AsType[*refusedError](err); ok {
			refused, last = append(refused, i), no
			continue
		}
		if err != nil {
			return err
		}
		if s.results[i] == Delivered {
			for _, j := range refused {
				if err := s.alone(ctx, j); err != nil {
					return err
				}
			}
			return nil
		}
	}
	return last
}

// alone sends one message and waits for its answer. After a refusal, which some receivers close the session
// with, the next one gets a session of its own.
func (s *shipment) alone(ctx context.Context, i int) error {
	if err := s.connect(ctx); err != nil {
		return err
	}
	s.post(i)
	if len(s.waiting) == 0 {
		return nil // it can't be sent
	}
	if err := s.flush(ctx); err != nil {
		return err
	}
	f, err := s.session.next(ctx, s.patience)
	if err == nil {
		err = s.settle(f)
	}
	if err != nil || s.results[i] != Delivered {
		s.waiting = s.waiting[:0]
		s.hangUp()
	}
	return err
}
