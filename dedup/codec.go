package dedup

import (
	"fmt"
	"slices"

	"github.com/fxamacker/cbor/v2"
	"github.com/klauspost/compress/s2"
)

// codec writes the values of the state in CBOR, times with all their digits. A notification says most things
// twice, in its fields and in its raw form, so what is long is packed here, each value for itself: that is half of what
// goes through Badger's logs, tables and compactions, while its own compression sees only the last of these.
type codec struct {
	enc cbor.EncMode
	dec cbor.DecMode
}

const (
	// packed stands before a value in S2's block format. No value in CBOR begins with it.
	packed = 0xff
	// worthPacking is the length in bytes from which on a value is packed.
	worthPacking = 256
	// maxUnpacked is more than any value of ours is; a longer one is damaged.
	maxUnpacked = 64 << 20
)

func newCodec() (codec, error) {
	enc, err := cbor.EncOptions{Time: cbor.TimeRFC3339NanoUTC, Sort: cbor.SortCanonical}.EncMode()
	if err != nil {
		return codec{}, fmt.Errorf("set up encoding: %w", err)
	}
	dec, err := cbor.DecOptions{UTF8: cbor.UTF8DecodeInvalid}.DecMode()
	if err != nil {
		return codec{}, fmt.Errorf("set up decoding: %w", err)
	}
	return codec{enc, dec}, nil
}

// encode gives the bytes of a value, as they are stored.
func (c codec) encode(value any) ([]byte, error) {
	v, err := c.enc.Marshal(value)
	if err != nil || len(v) < worthPacking {
		return v, err
	}
	out := make([]byte, 1+s2.MaxEncodedLen(len(v)))
	out[0] = packed
	n := 1 + len(s2.Encode(out[1:], v))
	if n >= len(v) {
		return v, nil
	}
	return slices.Clone(out[:n]), nil // without the room for what can't be packed
}

// decode reads bytes that encode gave.
func (c codec) decode(stored []byte, into any) error {
	v, err := c.unpacked(stored)
	if err != nil {
		return err
	}
	return c.dec.Unmarshal(v, into)
}

// unpacked gives what was packed, or stored itself where it wasn't.
func (c codec) unpacked(stored []byte) ([]byte, error) {
	if len(stored) == 0 || stored[0] != packed {
		return stored, nil
	}
	n, err := s2.DecodedLen(stored[1:])
	if err == nil && n > maxUnpacked {
		err = fmt.Errorf("a value of %d bytes", n)
	}
	if err != nil {
		return nil, err
	}
	return s2.Decode(make([]byte, n), stored[1:])
}
