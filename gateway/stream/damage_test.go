package stream

import (
	"cmp"
	"encoding/binary"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// blocks are the files of messages of a closed stream, the oldest first.
func blocks(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(streamDir(dir), "msgs", "*.blk"))
	if err != nil || len(names) < 2 {
		t.Fatal(names, err)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	return names
}

// TestDamageCostsWhatIsDamaged: whatever happens to one of its files, the stream opens and has the rest.
func TestDamageCostsWhatIsDamaged(t *testing.T) {
	const messages, each = 250, 40
	tests := []struct {
		name     string
		damage   func(blocks []string) error
		readable int // messages, at least
		told     bool
	}{
		{"nothing", func([]string) error { return nil }, messages, false},
		{"a byte", spoil(0, func(b []byte) []byte { b[len(b)/2] ^= 0xff; return b }), messages - 1, false},
		{"a sector of zeroes", spoil(0, func(b []byte) []byte { clear(b[len(b)/2 : len(b)/2+512]); return b }), messages - 2, false},
		{"the first block cut short", spoil(0, func(b []byte) []byte { return b[:len(b)/2] }), messages / 2, false},
		{"the first message", spoil(0, func(b []byte) []byte { b[200] ^= 0xff; return b }), messages - 1, false},
		{"the last block cut short", spoil(1, func(b []byte) []byte { return b[:len(b)/2] }), messages / 2, true},
		{"the index is garbage", func(b []string) error {
			return os.WriteFile(filepath.Join(filepath.Dir(b[0]), "index.db"), []byte("junk"), 0o600)
		}, messages, false},
		{"the first block is gone", func(b []string) error { return os.Remove(b[0]) }, 30, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := &warnings{}
			o := Options{Dir: t.TempDir(), Log: slog.New(w)}
			s := openStream(t, o)
			for i := range messages {
				if _, err := s.Append(t.Context(), batchOf(t, noisy(i*each, each))); err != nil {
					t.Fatal(err)
				}
			}
			closeStream(t, s)
			if err := tt.damage(blocks(t, o.Dir)); err != nil {
				t.Fatal(err)
			}
			s = openStream(t, o)
			first, last := s.Bounds()
			readable, lost, expected := 0, 0, first
			for m, err := range s.Salvage(t.Context(), 0) {
				switch {
				case m == nil:
					t.Fatal(err)
				case m.Sequence != expected:
					t.Fatalf("message %d, want %d", m.Sequence, expected)
				case err == nil:
					readable++
				case errors.Is(err, ErrLost):
					lost++
				default:
					t.Error(err)
				}
				expected++
			}
			if readable < tt.readable || expected != last+1 {
				t.Errorf("%d messages can be read and %d are lost, up to %d of %d; want %d", readable, lost, expected-1, last, tt.readable)
			}
			r, err := s.Reader(t.Context(), "siem", Oldest)
			if err != nil {
				t.Fatal(err)
			}
			for got := 0; got < readable*each; {
				entries, err := r.Next(t.Context(), each)
				if err != nil {
					t.Fatal(err)
				}
				got += len(entries)
				if r.Done() {
					t.Fatal("it is done before it has everything")
				}
				if err := r.Commit(entries[len(entries)-1].At, nil); err != nil {
					t.Fatal(err)
				}
			}
			if !r.Done() {
				t.Error("it waits for what is lost")
			}
			if told := w.has("damaged at its end"); told != tt.told {
				t.Errorf("told of the damage: %v, want %v", told, tt.told)
			}
			r = openReader(t, s, "new", Oldest) // whatever its first message is like
			if got := next(t, r, 1, 1); len(got) != 1 {
				t.Errorf("a new reader got %d entries", len(got))
			}
			if m := appendEntries(t, s, 1_000_000, 1); m.Sequence != last+1 {
				t.Errorf("goes on at %d, want %d", m.Sequence, last+1)
			}
			closeStream(t, s)
		})
	}
}

// spoil rewrites the n-th block.
func spoil(n int, how func([]byte) []byte) func([]string) error {
	return func(blocks []string) error {
		data, err := os.ReadFile(blocks[n])
		if err != nil {
			return err
		}
		return os.WriteFile(blocks[n], how(data), 0o600)
	}
}

// TestGoesOnBehindADamagedLength: the server reads no further than a message whose length is wrong, and takes its notes
// for the end of the stream nevertheless. What comes then is taken.
func TestGoesOnBehindADamagedLength(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	s := openStream(t, o)
	for i := range 20 {
		appendEntries(t, s, 10*i, 10)
	}
	closeStream(t, s)
	block := filepath.Join(streamDir(o.Dir), "msgs", "1.blk")
	data, err := os.ReadFile(block)
	if err != nil {
		t.Fatal(err)
	}
	at := uint32(0)
	for range 10 {
		at += binary.LittleEndian.Uint32(data[at:]) &^ (1 << 31) // which says that the message has a header
	}
	copy(data[at:], "\xde\xad\xbe\xef")
	if err := os.WriteFile(block, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s = openStream(t, o)
	if first, last := s.Missing(); first != 11 || last != 20 {
		t.Errorf("%d to %d are missing, want 11 to 20", first, last)
	}
	_, last := s.Bounds()
	if a := appendEntries(t, s, 200, 10); a.Sequence != last+1 {
		t.Errorf("appended as %d behind %d", a.Sequence, last)
	}
	closeStream(t, s)
	s = openStream(t, o)
	if _, now := s.Bounds(); now != last+1 {
		t.Errorf("opened again it ends at %d, not %d", now, last+1)
	}
	readable := 0
	for _, err := range s.Salvage(t.Context(), 1) {
		if err == nil {
			readable++
		}
	}
	if readable < 11 {
		t.Errorf("%d messages can be read, of 10 before the damage and one behind it", readable)
	}
}
