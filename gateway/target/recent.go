package target

import (
	"time"

	"github.com/sluice-siem/sluice/gateway/stream"
)

// recent holds what was sent and acknowledged not long ago. A peer's kernel acknowledges what its
// SIEM has not read yet, and throws it away with a reset; so after one this is sent again.
type recent struct {
	chunks []sentChunk
	size   int
}

// sentChunk is what was sent at once.
type sentChunk struct {
	frames []byte
	from   stream.Position // of its first entry; zero for what isn't delivered in the stream's order
	at     time.Time       // when it was acknowledged
	route  string          // of the connection
}

const (
	recentBytes = 1 << 20
	recentTime  = 10 * time.Second
)

// add remembers a chunk, whose frames it keeps, and forgets what is old or too much.
func (r *recent) add(c sentChunk) {
	r.chunks = append(r.chunks, c)
	r.size += len(c.frames)
	r.forget(c.at)
}

// forget drops what was acknowledged too long before now, or is too much.
func (r *recent) forget(now time.Time) {
	for len(r.chunks) > 0 && (r.size > recentBytes || now.Sub(r.chunks[0].at) > recentTime) {
		r.size -= len(r.chunks[0].frames)
		r.chunks[0].frames = nil
		r.chunks = r.chunks[1:]
	}
}

// before returns the chunks that were acknowledged less than [recentTime] before a reset.
func (r *recent) before(reset time.Time) []sentChunk {
	r.forget(reset)
	return r.chunks
}

// arrived drops what was sent on a connection that the peer has closed in order: it had read everything.
func (r *recent) arrived(route string) {
	old := r.chunks
	*r = recent{}
	for _, c := range old {
		if c.route != route {
			r.chunks, r.size = append(r.chunks, c), r.size+len(c.frames)
		}
	}
}

// doubt says where the oldest of the chunks begins. It names their connection, unless they are of several.
func doubt(chunks []sentChunk) (d stream.Doubt) {
	for _, c := range chunks {
		switch {
		case c.from == stream.Position{}:
			continue
		case d.None():
			d = stream.Doubt{From: c.from, Link: c.route}
		case c.from.Less(d.From): // it was sent again
			d.From = c.from
		}
		if c.route != d.Link {
			d.Link = ""
		}
	}
	return d
}
