package stream

import (
	"errors"
	"fmt"
	"slices"

	"github.com/klauspost/compress/s2"
)

// Limits of a batch, which is one message of the stream, before it is packed. JetStream's max_payload is 1 MiB, which
// what can't be packed has to fit into.
const (
	MaxEntries = 512       // entries, at which a batch is full
	MaxBytes   = 512 << 10 // bytes encoded, at which a batch is full
	MaxEntry   = 900 << 10 // bytes encoded that a single entry may have
	maxMessage = 960 << 10 // bytes of a message, including the entry that made the batch full
)

// ErrTooLarge is returned by [Batch.Add] for an entry of more than [MaxEntry] encoded bytes.
var ErrTooLarge = errors.New("entry is too large for the stream")

// Batch collects decided entries and encodes each as it is added, so that the decider knows when to
// stop. Decide and add while the batch isn't Full: an entry of up to 448 KiB then always finds room.
// It is for one goroutine. The zero value is an empty batch; it needs no stream, so a replay cuts its input in
// the same way.
type Batch struct {
	entries []*Entry // as they were handed over
	buf     []byte   // the entries, encoded
	sealed  []byte   // the message
}

// Add appends e. It returns false, and leaves the batch as it was, where e doesn't fit any more and
// the batch must be appended to the stream first; an empty batch takes every entry that Add accepts
// at all. ErrTooLarge and an entry that can't be encoded, such as one with a year beyond 9999, are
// errors that only another entry can mend. The batch keeps e, which the caller must not change afterwards.
func (b *Batch) Add(e *Entry) (bool, error) {
	n := len(b.entries)
	longer, err := appendEntry(b.buf, e)
	size := len(longer) - len(b.buf)
	switch {
	case err != nil:
		err = fmt.Errorf("encode entry %s: %w", e.Key, err)
	case size > MaxEntry:
		err = fmt.Errorf("entry %s has %d bytes encoded, more than %d: %w", e.Key, size, MaxEntry, ErrTooLarge)
	case n == 0 || n < MaxEntries && headLen+len(longer) <= maxMessage:
		b.buf, b.entries = longer, append(b.entries, e)
		return true, nil
	}
	return false, err
}

// Full says that the batch has reached MaxEntries or MaxBytes and must be appended now.
func (b *Batch) Full() bool { return len(b.entries) >= MaxEntries || b.Size() >= MaxBytes }

// Len is the number of entries.
func (b *Batch) Len() int { return len(b.entries) }

// Size is the number of bytes that the batch has as a message of the stream before it is packed.
func (b *Batch) Size() int { return headLen + len(b.buf) }

// Entries are what was added, with their positions once [Stream.Append] stored them. They are shared
// with the readers: nobody may change them after the append.
func (b *Batch) Entries() []*Entry { return b.entries }

// Reset empties the batch for new entries; those returned by Entries stay as they are.
func (b *Batch) Reset() {
	b.entries = make([]*Entry, 0, len(b.entries)) // as many as last time; the old ones may be with the readers
	b.buf = b.buf[:0]
}

// seal gives the message, packed. The bytes are valid until the next one.
func (b *Batch) seal(before uint64) []byte {
	b.sealed = slices.Grow(b.sealed[:0], headLen+s2.MaxEncodedLen(len(b.buf)))[:headLen]
	putHead(b.sealed, before, len(b.entries))
	packed := s2.Encode(b.sealed[headLen:cap(b.sealed)], b.buf)
	return b.sealed[:headLen+len(packed)]
}
