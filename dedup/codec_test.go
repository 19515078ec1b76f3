package dedup

import (
	"bytes"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"

	"github.com/sluice-siem/sluice/formats"
)

func TestCodec(t *testing.T) {
	t.Parallel()
	c, err := newCodec()
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("CEF:0|Microsoft|Azure ATP|2.112|", 40)
	for name, n := range map[string]formats.Notification{
		"short":  {ID: "1"},
		"long":   {ID: "2", Message: long, Raw: []byte(long)},
		"random": {ID: "3", Raw: noise(1000)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var plain bytes.Buffer
			if err := c.enc.MarshalToBuffer(n, &plain); err != nil {
				t.Fatal(err)
			}
			stored, err := c.encode(n, new(room))
			if err != nil {
				t.Fatal(err)
			}
			if len(stored) > plain.Len() || len(n.Message) > 0 && len(stored) > plain.Len()/4 {
				t.Errorf("%d bytes are stored in %d", plain.Len(), len(stored))
			}
			for _, v := range [][]byte{stored, plain.Bytes()} { // the latter as a state of before packing has it
				var got formats.Notification
				if err := c.decode(v, &got); err != nil {
					t.Fatal(err)
				}
				if got.ID != n.ID || got.Message != n.Message || !bytes.Equal(got.Raw, n.Raw) {
					t.Errorf("read back %+v", got)
				}
			}
		})
	}
}

func TestCodecOfDamage(t *testing.T) {
	t.Parallel()
	c, err := newCodec()
	if err != nil {
		t.Fatal(err)
	}
	whole, err := c.encode(formats.Notification{Message: strings.Repeat("a", 1000)}, new(room))
	if err != nil {
		t.Fatal(err)
	}
	for name, stored := range map[string][]byte{
		"nothing":           {},
		"the mark alone":    {packed},
		"a length too long": append([]byte{packed}, 0xff, 0xff, 0xff, 0xff, 0x0f),
		"cut":               whole[:len(whole)-1],
		"packed twice":      append([]byte{packed}, s2.Encode(nil, whole)...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got formats.Notification
			if err := c.decode(stored, &got); err == nil {
				t.Errorf("read %+v", got)
			}
		})
	}
}

// noise is what can't be packed.
func noise(n int) []byte {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}
