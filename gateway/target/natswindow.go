package target

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// window is what was published at once.
type window struct {
	nats    *NATS
	items   []item
	prefix  string // of the subjects of the answers, before the number of an item
	ends    []outcome
	waiting int
	stray   string // an answer that no stream gives
}

// outcome is what became of an item.
type outcome struct {
	known  bool
	result Result
	err    error // where it is not delivered
}

// end notes what became of an item.
func (w *window) end(i int, r Result, err error) { w.ends[i] = outcome{true, r, err} }

// await reads answers until all are there, and says why they can't be.
func (w *window) await(ctx context.Context) error {
	n := w.nats
	var broken error
	for w.waiting > 0 && broken == nil {
		select {
		case m := <-n.acks:
			w.answer(m)
		case err := <-n.faults:
			broken = n.class(err)
		case <-n.over:
			broken = n.class(errors.Join(errors.New("the connection is over"), n.conn.LastError(), n.below.why()))
		case <-ctx.Done():
			broken = ctx.Err()
		}
	}
	for more := true; more && w.waiting > 0; { // what came before it broke
		select {
		case m := <-n.acks:
			w.answer(m)
		default:
			more = false
		}
	}
	switch {
	case w.waiting == 0:
		return nil
	case ctx.Err() != nil:
		broken = ctx.Err() // that is why the connection is over
	}
	if w.stray != "" {
		broken = fmt.Errorf("%w; somebody else answered %s", broken, w.stray)
	}
	return broken
}

// answer takes an answer to one of the items. Others may listen to the subject and answer too; only a
// stream's answer counts.
func (w *window) answer(m *nats.Msg) {
	number, ok := strings.CutPrefix(m.Subject, w.prefix)
	i, err := strconv.Atoi(number)
	if !ok || err != nil || i < 0 || i >= len(w.items) || w.ends[i].known {
		return // of an earlier window, or twice
	}
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		w.waiting--
		err := fmt.Errorf("no stream listens to %s: %w", w.nats.cfg.Subject, nats.ErrNoResponders)
		w.end(i, Retry, w.nats.silence.missing(w.nats.now(), silent, err))
		return
	}
	var ack struct {
		Stream   string `json:"stream"`
		Sequence uint64 `json:"seq"`
		Error    *struct {
			Code        int    `json:"code"`
			ErrCode     int    `json:"err_code"`
			Description string `json:"description"`
		} `json:"error"`
	}
	err = json.Unmarshal(m.Data, &ack)
	switch {
	case err == nil && ack.Error != nil:
		w.nats.silence.found()
		r, err := refused(w.items[i], ack.Error.Code, ack.Error.ErrCode, ack.Error.Description)
		w.end(i, r, err)
	case err == nil && ack.Stream != "" && ack.Sequence > 0: // also where it is a duplicate
		w.nats.silence.found()
		w.end(i, Delivered, nil)
		if want := w.nats.cfg.Stream; want != "" && ack.Stream != want {
			w.end(i, Retry, blocked(fmt.Errorf("%s leads to stream %q, expected %s", w.nats.cfg.Subject, plain(ack.Stream), want)))
		}
	default:
		w.stray = fmt.Sprintf("%q", plain(string(m.Data)))
		return
	}
	w.waiting--
}

// results tells what became of each item, why items were refused, and why the first that is left is left.
func (w *window) results(broken error) ([]Result, error) {
	results := make([]Result, len(w.items))
	var all []error
	left := false
	for i, e := range w.ends {
		results[i] = e.result
		if !e.known {
			e.err = broken
		}
		if e.result == Rejected || e.result == Retry && !left {
			all = append(all, e.err)
		}
		left = left || e.result == Retry
	}
	return results, errors.Join(all...)
}

// refused says what an error of JetStream means (nats-server, errors.json).
func refused(it item, code, number int, text string) (Result, error) {
	err := fmt.Errorf("the stream says: %s (%d, error %d)", plain(text), code, number)
	const (
		badRequest, conflict, tooMany, internal = 400, 409, 429, 500

		accountFull, noResources, noMemory, noStorage, storeFailed = 10002, 10023, 10028, 10047, 10077
		tooLong, headersTooLong                                    = 10054, 10097
	)
	switch {
	case number == tooLong || number == headersTooLong:
		return Rejected, refusal(it, "%w; batch.size must be below the stream's max_msg_size", err)
	case slices.Contains([]int{accountFull, noResources, noMemory, noStorage, storeFailed}, number):
		return Retry, later(full, err)
	case code == tooMany:
		return Retry, later(time.Second, err)
	case code == conflict || code >= internal || code < badRequest:
		return Retry, err // no quorum, or the message is being stored already
	}
	return Retry, blocked(err) // another stream, a sealed one: what nothing here can mend
}
