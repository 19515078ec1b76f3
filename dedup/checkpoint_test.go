package dedup_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
)

// headPart and sumPart are how many bytes of a checkpoint say that it has a sum, and are its sum.
const headPart, sumPart = 8 + 3, 8 + 35

// TestADamagedCheckpointIsTold: whatever is in a checkpoint's file, it is loaded or damaged.
func TestADamagedCheckpointIsTold(t *testing.T) {
	t.Parallel()
	x, err := dedup.Open("", config.Default())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "checkpoint")
	err = x.Begin().Commit(dedup.Mark{Sequence: 7})
	if err == nil {
		_, err = x.Checkpoint(path)
	}
	if err = errors.Join(err, x.Close()); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil || len(whole) < 16 {
		t.Fatal(len(whole), err)
	}
	damaged := map[string][]byte{
		"cut":        whole[:len(whole)-1],
		"cut early":  whole[:5],
		"noise":      bytes.Repeat([]byte{0xff}, 64),
		"huge":       append([]byte{0, 0, 0, 0, 0, 0, 1, 0}, whole[8:]...),
		"no meta":    {6, 0, 0, 0, 0, 0, 0, 0, 0x0a, 4, 0x0a, 2, 'k', 'k'},
		"more after": append(bytes.Clone(whole), 1, 2, 3),
	}
	for name, data := range damaged {
		if err := restored(t, data); !errors.Is(err, dedup.ErrDamaged) {
			t.Errorf("%s: %v, want ErrDamaged", name, err)
		}
	}
	if err := restored(t, whole); err != nil {
		t.Errorf("whole: %v", err)
	}
	for at := range whole {
		data := bytes.Clone(whole)
		data[at] ^= 0x55
		if err := restored(t, data); !errors.Is(err, dedup.ErrDamaged) && at < len(whole)-sumPart {
			t.Errorf("byte %d is another: %v, want ErrDamaged", at, err)
		}
	}
	for at := 0; at < len(whole); at += 8 + int(binary.LittleEndian.Uint64(whole[at:])) {
		if err := restored(t, whole[:at]); !errors.Is(err, dedup.ErrDamaged) {
			t.Errorf("cut at byte %d, where a part ends: %v, want ErrDamaged", at, err)
		}
	}
	if err := restored(t, whole[headPart:]); !errors.Is(err, dedup.ErrDamaged) {
		t.Errorf("without a beginning: %v, want ErrDamaged", err)
	}
	old := whole[headPart : len(whole)-sumPart] // as it was written before it had a sum
	if err := restored(t, old); err != nil {
		t.Errorf("without a sum: %v", err)
	}
	for at := range old {
		data := bytes.Clone(old)
		data[at] ^= 0x55
		_ = restored(t, data) // it may be none the worse for it
	}
}

// restored loads a checkpoint into an empty state.
func restored(t *testing.T, data []byte) error {
	t.Helper()
	path := filepath.Join(t.TempDir(), "checkpoint")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	x, err := dedup.Open("", config.Default())
	if err != nil {
		t.Fatal(err)
	}
	m, err := x.Restore(path)
	if err == nil && m.Sequence != 7 {
		err = fmt.Errorf("the mark is %d", m.Sequence)
	}
	return errors.Join(err, x.Close())
}
