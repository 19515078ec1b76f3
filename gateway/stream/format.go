package stream

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/klauspost/compress/s2"
)

// A message is a head of 13 bytes and, packed as a block of S2, a CBOR sequence (RFC 8742) of its entries in deterministic
// encoding (RFC 8949, 4.2.1). The head is the version of the format, the number of entries in the
// stream before this message, and the number of entries in it, all big-endian. So what lies between
// two messages is counted without reading any other. Packing costs less than it saves where the message is copied, hashed
// and written, and the disk has several times as much.
const (
	formatVersion = 2
	formatPlain   = 1 // of programs that didn't pack
	headLen       = 1 + 8 + 4
)

// ErrFormat is returned for a message that this program can't read: written by a newer one, or damaged.
var ErrFormat = errors.New("unreadable message")

// Hash is the SHA-256 of a message's bytes. Whoever keeps a sequence outside the stream keeps the
// hash of that message with it, as proof of what it has seen; the zero value belongs to sequence 0.
type Hash [sha256.Size]byte

// String is the hash in lower case hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText writes the hash in hex.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(h)) {
		return fmt.Errorf("hash has %d digits, want %d", len(text), hex.EncodedLen(len(h)))
	}
	_, err := hex.Decode(h[:], text)
	return err
}

// Message is one batch as the stream holds it.
type Message struct {
	Sequence uint64
	Hash     Hash
	Stored   time.Time // by the wall clock of the machine that stored it
	Before   uint64    // number of entries in the stream before this message, purged ones included
	Size     int       // bytes, not packed
	Entries  []*Entry  // shared: not to be changed
}

// end is the number of entries in the stream up to and including this message.
func (m *Message) end() uint64 { return m.Before + uint64(len(m.Entries)) }

func putHead(data []byte, before uint64, count int) {
	data[0] = formatVersion
	binary.BigEndian.PutUint64(data[1:], before)
	binary.BigEndian.PutUint32(data[9:], uint32(count))
}

// decode reads a stored message.
func decode(r raw) (*Message, error) {
	if len(r.data) < headLen {
		return nil, fmt.Errorf("message %d has only %d bytes: %w", r.sequence, len(r.data), ErrFormat)
	}
	if v := r.data[0]; v != formatVersion && v != formatPlain {
		return nil, fmt.Errorf("message %d has format %d, this program knows %d; use the version of sluice that wrote it: %w",
			r.sequence, v, formatVersion, ErrFormat)
	}
	rest := r.data[headLen:]
	if r.data[0] == formatVersion {
		var err error
		if rest, err = unpack(rest); err != nil {
			return nil, fmt.Errorf("message %d: %w: %w", r.sequence, ErrFormat, err)
		}
	}
	count := int(binary.BigEndian.Uint32(r.data[9:]))
	if count > min(MaxEntries, len(rest)) {
		return nil, fmt.Errorf("message %d claims %d entries in %d bytes: %w", r.sequence, count, len(rest), ErrFormat)
	}
	m := &Message{
		Sequence: r.sequence, Hash: sha256.Sum256(r.data), Stored: r.stored,
		Before: binary.BigEndian.Uint64(r.data[1:]), Size: headLen + len(rest), Entries: make([]*Entry, count),
	}
	d := newDecoder()
	entries := make([]Entry, count)
	for i := range m.Entries {
		var err error
		m.Entries[i] = &entries[i]
		if rest, err = d.entry(rest, m.Entries[i]); err != nil {
			return nil, fmt.Errorf("message %d, entry %d: %w: %w", r.sequence, i, ErrFormat, err)
		}
		m.Entries[i].At = Position{Sequence: r.sequence, Index: i}
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("message %d has %d bytes too many: %w", r.sequence, len(rest), ErrFormat)
	}
	return m, nil
}

// unpack gives the entries, which are no more than a batch may have.
func unpack(packed []byte) ([]byte, error) {
	n, err := s2.DecodedLen(packed)
	if err != nil {
		return nil, err
	}
	if n > maxMessage {
		return nil, fmt.Errorf("%d bytes unpacked, more than %d", n, maxMessage)
	}
	return s2.Decode(nil, packed)
}

// decoding accepts strings that aren't UTF-8, because senders write such and the encoder keeps them.
func decoding() cbor.DecMode {
	mode, err := cbor.DecOptions{UTF8: cbor.UTF8DecodeInvalid, MaxArrayElements: maxElements, MaxMapPairs: maxElements}.DecMode()
	if err != nil {
		panic(err) // the options above are fixed
	}
	return mode
}

// maxElements is more than a message of maxMessage bytes can hold: what was encoded can be read.
const maxElements = 1 << 20

// EncodeEntry writes one entry as a message of the stream has it, for whoever keeps one elsewhere.
func EncodeEntry(e *Entry) ([]byte, error) {
	b, err := appendEntry(nil, e)
	if err != nil {
		return nil, fmt.Errorf("encode entry: %w", err)
	}
	return b, nil
}

// DecodeEntry reads what EncodeEntry wrote; the position isn't part of it.
func DecodeEntry(data []byte) (Entry, error) {
	var e Entry
	if err := decoding().Unmarshal(data, &e); err != nil {
		return e, fmt.Errorf("decode entry: %w: %w", ErrFormat, err)
	}
	return e, nil
}
