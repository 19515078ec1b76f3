package dedup

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/fxamacker/cbor/v2"
	"github.com/klauspost/compress/s2"
)

// codec writes the values of the state in CBOR, times with all their digits. A notification says most things
// twice, in its fields and in its raw form, so what is long is packed here, each value for itself: that takes a third off what
// goes through Badger's logs, tables and compactions, while its own compression sees only the last two of these.
type codec struct {
	enc cbor.UserBufferEncMode
	dec cbor.DecMode
}

// room is used again from one value to the next.
type room struct {
	plain bytes.Buffer
	small []byte
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
	enc, err := cbor.EncOptions{Time: cbor.TimeRFC3339NanoUTC, Sort: cbor.SortCanonical}.UserBufferEncMode()
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
func (c codec) encode(value any, in *room) ([]byte, error) {
	in.plain.Reset()
	if err := c.enc.MarshalToBuffer(value, &in.plain); err != nil {
		return nil, err
	}
	v := in.plain.Bytes()
	if len(v) >= worthPacking {
		in.small = slices.Grow(in.small[:0], 1+s2.MaxEncodedLen(len(v)))
		small := append(in.small, packed)
		if n := len(s2.Encode(small[1:cap(small)], v)); 1+n < len(v) {
			v = small[:1+n]
		}
	}
	return slices.Clone(v), nil
}

// decode reads bytes that encode gave.
func (c codec) decode(stored []byte, into any) error {
	if len(stored) == 0 || stored[0] != packed {
		return c.dec.Unmarshal(stored, into)
	}
	n, err := s2.DecodedLen(stored[1:])
	if err == nil && n > maxUnpacked {
		err = fmt.Errorf("a value of %d bytes", n)
	}
	if err != nil {
		return err
	}
	v, err := s2.Decode(make([]byte, n), stored[1:])
	if err != nil {
		return err
	}
	return c.dec.Unmarshal(v, into)
}
