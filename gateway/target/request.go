package target

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/render"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// item is an entry of a batch, rendered.
type item struct {
	entry *stream.Entry
	body  []byte
}

// request sends items in one request, in order, and tells what became of each. A result that is missing
// is Retry. errSplit among its errors says that the other side takes no such request as a whole and is to
// get each half of it; of a single item, that it is refused for good.
type request func(ctx context.Context, items []item) ([]Result, error)

// errSplit: the request is too large, or one of its items spoils it, and nobody knows which.
var errSplit = errors.New("the request is refused as a whole")

// shipper renders batches and cuts them into requests.
type shipper struct {
	render  render.Func
	entries int // of a request, at most
	size    int // bytes of a request's items, at most, with overhead for each; an item that is longer is shortened
	extra   int // bytes that the request adds to each item
	labels  render.Labels
}

func newShipper(cfg config.Target, extra int) (*shipper, error) {
	r, err := render.For(cfg.Format)
	if err != nil {
		return nil, err
	}
	l, err := render.LabelsFor(cfg.Format)
	return &shipper{render: r, labels: l, entries: max(cfg.Batch.Entries, 1), size: int(cfg.Batch.Size), extra: extra + l.Bytes()}, err
}

// ship delivers a batch with as many requests as it takes, one after the other. It stops at the first that
// leaves something to be retried, so that order is kept.
func (s *shipper) ship(ctx context.Context, batch []*stream.Entry, send request) ([]Result, error) {
	results := make([]Result, len(batch))
	var failed error
	at := make([]int, 0, len(batch)) // of each item in the batch
	items := make([]item, 0, len(batch))
	for i, e := range batch {
		body, err := s.render(nil, e, max(0, s.size-s.extra))
		if err != nil {
			results[i] = Rejected
			failed = errors.Join(failed, reject(e, err))
			continue
		}
		items, at = append(items, item{e, body}), append(at, i)
	}
	for len(items) > 0 {
		n := s.next(items)
		got, err := halve(ctx, items[:n], send)
		failed = errors.Join(failed, err)
		through := true
		for i, r := range got {
			results[at[i]] = r
			through = through && r != Retry
		}
		if !through {
			break
		}
		items, at = items[n:], at[n:]
	}
	return results, failed
}

// next says how many items the next request has.
func (s *shipper) next(items []item) int {
	size := 0
	for i := range items {
		size += len(items[i].body) + s.extra
		if i > 0 && (i == s.entries || s.size > 0 && size > s.size) {
			return i
		}
	}
	return len(items)
}

// halve sends items, and where they are refused as a whole the first half and then the second, down to
// single ones. The result is one for each item.
func halve(ctx context.Context, items []item, send request) ([]Result, error) {
	results, err := send(ctx, items)
	for len(results) < len(items) {
		results = append(results, Retry)
	}
	if !errors.Is(err, errSplit) || ctx.Err() != nil {
		return results, err
	}
	if len(items) == 1 {
		if results[0] == Retry {
			results[0] = Rejected
		}
		return results, reject(items[0].entry, err)
	}
	if left := leftOver(results); len(left) < len(items) { // it has taken, or refused, some of them
		rest := make([]item, len(left))
		for i, at := range left {
			rest[i] = items[at]
		}
		got, err2 := halve(ctx, rest, send)
		for i, at := range left {
			results[at] = got[i]
		}
		return results, errors.Join(err, err2)
	}
	middle := len(items) / 2
	first, err := halve(ctx, items[:middle], send)
	if slices.Contains(first, Retry) {
		return append(first, make([]Result, len(items)-middle)...), err
	}
	second, err2 := halve(ctx, items[middle:], send)
	return append(first, second...), errors.Join(err, err2)
}

// leftOver lists what is to be retried.
func leftOver(results []Result) []int {
	var left []int
	for i, r := range results {
		if r == Retry {
			left = append(left, i)
		}
	}
	return left
}

// refusal is the error for an item that is [Rejected], with what the other side said of it.
func refusal(i item, format string, args ...any) error {
	return reject(i.entry, fmt.Errorf(format, args...))
}
