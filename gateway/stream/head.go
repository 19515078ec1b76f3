package stream

// Bounds of what is kept decoded for readers that are nearly at the end. A slower one reads the stream.
// A message may have one entry only, where few come.
const (
	headMessages = 4096
	headBytes    = 8 << 20 // encoded
)

// head is the run of the newest messages that some reader hasn't taken yet, without gaps.
type head struct {
	messages []*Message
	bytes    int
}

// push adds the newest message and lets the oldest go where that is too much. The newest stays.
func (h *head) push(m *Message) {
	if n := len(h.messages); n > 0 && h.messages[n-1].Sequence+1 != m.Sequence {
		*h = head{}
	}
	h.messages = append(h.messages, m)
	h.bytes += m.Size
	for len(h.messages) > 1 && (len(h.messages) > headMessages || h.bytes > headBytes) {
		h.shift()
	}
}

// at returns the message of that sequence, or nil.
func (h *head) at(sequence uint64) *Message {
	if len(h.messages) == 0 || sequence < h.messages[0].Sequence {
		return nil
	}
	if i := sequence - h.messages[0].Sequence; i < uint64(len(h.messages)) {
		return h.messages[i]
	}
	return nil
}

// drop lets go of the messages before keep.
func (h *head) drop(keep uint64) {
	for len(h.messages) > 0 && h.messages[0].Sequence < keep {
		h.shift()
	}
}

// took notes that r needs nothing before that sequence from memory.
func (s *Stream) took(r *Reader, next uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.taken = next
	s.trim()
}

// trim keeps in memory only what a reader will take from there. One that is behind the head comes
// to it by way of the stream, and by then it has moved on: nothing is kept for it. mu must be held.
func (s *Stream) trim() {
	if len(s.head.messages) == 0 {
		return
	}
	first, keep := s.head.messages[0].Sequence, s.last+1
	for _, r := range s.readers {
		if r.taken >= first {
			keep = min(keep, r.taken)
		}
	}
	s.head.drop(keep)
}

func (h *head) shift() {
	h.bytes -= h.messages[0].Size
	h.messages[0] = nil // the array lives on
	h.messages = h.messages[1:]
	if len(h.messages) == 0 {
		h.messages = nil
	}
}
