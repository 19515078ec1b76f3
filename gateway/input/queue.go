package input

import "sync"

// queue holds messages between a reader that must not wait and an Accept that may.
type queue struct {
	limit int // bytes; the message that reaches it still fits

	mu      sync.Mutex // guards what follows
	changed *sync.Cond
	waiting []Message
	size    int
	closed  bool
}

// overhead is what a message costs beside its bytes, roughly, so that empty ones cost something.
const overhead = 128

func newQueue(limit int) *queue {
	q := &queue{limit: limit}
	q.changed = sync.NewCond(&q.mu)
	return q
}

// put waits for room. It reports false, and keeps nothing, if the queue is closed.
func (q *queue) put(m Message) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.size >= q.limit && !q.closed {
		q.changed.Wait()
	}
	if q.closed {
		return false
	}
	q.waiting = append(q.waiting, m)
	q.size += len(m.Raw) + overhead
	q.changed.Broadcast()
	return true
}

// take waits for messages and returns a batch of them; nil when the queue is closed and empty.
func (q *queue) take() []Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 && !q.closed {
		q.changed.Wait()
	}
	n, size := 0, 0
	for n < len(q.waiting) && n < batchMessages && size < batchBytes {
		size += len(q.waiting[n].Raw)
		n++
	}
	if n == 0 {
		return nil
	}
	batch := make([]Message, n)
	copy(batch, q.waiting)
	rest := copy(q.waiting, q.waiting[n:])
	clear(q.waiting[rest:])
	q.waiting = q.waiting[:rest]
	q.size -= size + n*overhead
	q.changed.Broadcast()
	return batch
}

// close ends all waiting. What is in the queue can still be taken.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
}
