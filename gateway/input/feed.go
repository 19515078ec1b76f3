package input

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// feed stands between a connection and its splitter. The splitter asks for more bytes only when no
// whole message is left in what it has; so before each read, the messages cut so far are a batch and
// are handed over. What was cut is never kept waiting for a sender.
type feed struct {
	input string
	peer  *peer
	may   *Grant
	idle  time.Duration
	count counters
	hand  func(batch []Message) error

	until time.Time // when the connection is idle
	read  time.Time // when the last bytes came
	batch []Message
	size  int   // bytes in batch
	last  int   // messages in the batch before, as many as there will be in this one
	err   error // of hand: nothing is handed over after it
}

// Read hands over the batch, waits for bytes and reads them.
func (f *feed) Read(b []byte) (int, error) {
	if err := f.flush(); err != nil {
		return 0, err
	}
	if err := f.peer.readUntil(f.until); err != nil {
		return 0, err
	}
	n, err := f.peer.Read(b)
	f.read = time.Now()
	f.count.bytes.Add(float64(n))
	return n, err
}

// add puts a message into the batch, and hands the batch over if that fills it.
func (f *feed) add(raw []byte, truncated bool) {
	if truncated {
		f.count.truncated.Inc()
	}
	if f.batch == nil {
		f.batch = make([]Message, 0, f.last)
	}
	f.batch = append(f.batch, Message{Input: f.input, Received: f.read, Truncated: truncated, Raw: raw, Granted: f.may})
	f.size += len(raw)
	if len(f.batch) >= batchMessages || f.size >= batchBytes {
		_ = f.flush() // its error is remembered, and told by the next read
	}
}

// flush hands the batch over, if there is one. Its error stays.
func (f *feed) flush() error {
	if f.err == nil && len(f.batch) > 0 {
		f.err = f.hand(f.batch)
		f.last, f.batch, f.size = len(f.batch), nil, 0
		f.until = time.Now().Add(f.idle)
	}
	return f.err
}

// peer is a connection that can be told, from another goroutine, that it ends soon.
type peer struct {
	net.Conn
	mu     sync.Mutex // guards ending
	ending bool       // the last deadline is set
}

// readUntil sets the deadline of reads, unless the connection is ending.
func (p *peer) readUntil(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ending {
		return nil
	}
	return p.SetReadDeadline(t)
}

// end tells the other side that we stop and gives it a moment to finish.
func (p *peer) end() {
	p.stop(linger)
	if half, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // courtesy
	}
}

// stop ends the reading some time from now, whatever readUntil is asked for later.
func (p *peer) stop(after time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ending = true
	_ = p.SetReadDeadline(time.Now().Add(after)) // a connection that has gone fails at its next read
}

// leave ends our side, waits a moment for the end of the other, and throws away what it still says.
func (p *peer) leave() {
	p.end()
	_, _ = io.Copy(io.Discard, p.Conn)
}

// pause waits, or not if ctx is done.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
