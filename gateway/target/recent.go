package target

import "time"

// recent holds what was sent and acknowledged not long ago. A peer's kernel acknowledges what its
// SIEM has not read yet, and throws it away with a reset; so after one this is sent again.
type recent struct {
	chunks []sentChunk
	size   int
}

type sentChunk struct {
	frames []byte
	at     time.Time
}

const (
	recentBytes = 1 << 20
	recentTime  = 10 * time.Second
)

// add remembers frames, which it keeps, and forgets what is old or too much.
func (r *recent) add(frames []byte, now time.Time) {
	r.chunks = append(r.chunks, sentChunk{frames: frames, at: now})
	r.size += len(frames)
	for len(r.chunks) > 0 && (r.size > recentBytes || now.Sub(r.chunks[0].at) > recentTime) {
		r.size -= len(r.chunks[0].frames)
		r.chunks[0].frames = nil
		r.chunks = r.chunks[1:]
	}
}

// before returns the frames that were acknowledged less than [recentTime] before a reset.
func (r *recent) before(reset time.Time) []byte {
	var out []byte
	for _, c := range r.chunks {
		if reset.Sub(c.at) <= recentTime {
			out = append(out, c.frames...)
		}
	}
	return out
}
