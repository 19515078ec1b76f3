package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/policy"
)

// entry makes the i-th of a run of different entries, about as large as a real alert's.
func entry(i int) *Entry {
	at := time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.UTC).Add(time.Duration(i) * time.Second)
	raw := fmt.Sprintf("<116>1 2026-03-04T05:06:07Z sensor7.norrland-timber.example CEF:0|Microsoft|Azure ATP|2.240.18224|"+
		"AccountEnumerationSecurityAlert|Account enumeration reconnaissance|5|start=2026-03-04T05:01:00Z app=Kerberos "+
		"shost=SAWMILL%04d msg=An actor on SAWMILL%04d asked for %d accounts externalId=2003 cs1Label=url "+
		"cs1=https://norrland-timber.example/securityAlert/%08x %s", i, i, i, i, strings.Repeat("x", 300))
	return &Entry{
		Kind: Notification, Time: at, Key: dedup.EventKey(fmt.Sprintf("%032x", i)), Input: "sensors",
		Notification: formats.Notification{
			Service: formats.DefenderForIdentity, Kind: formats.Alert, Channel: "syslog", Origin: formats.DefenderForIdentity,
			ID: fmt.Sprintf("%08x", i), Type: "2003", Class: "AccountEnumerationSecurityAlert", Title: "Account enumeration reconnaissance",
			Severity: formats.Medium, Devices: []formats.Entity{{Name: fmt.Sprintf("SAWMILL%04d", i), Key: "shost"}},
			Start: at.Add(-5 * time.Minute), Arrived: at, Extra: map[string]string{"b": "2", "a": "1", "cs1Label": "url"},
			Parsed: true, Content: [16]byte{1, 2, byte(i)}, Payload: 56, Raw: []byte(raw),
		},
		Match:    dedup.Match{Alert: dedup.AlertID(fmt.Sprintf("%032x", i*7)), Relation: dedup.First, Type: "account_enumeration"},
		Decision: policy.Decision{Action: dedup.Forward, Reason: policy.ManagedHere, ManagedIn: formats.DefenderForIdentity},
	}
}

// noisy are entries that can't be packed, of some 1,200 bytes.
func noisy(i, n int) []*Entry {
	out := entries(i, n)
	for k, e := range out {
		e.Notification.Raw = noise(i+k, 900)
	}
	return out
}

// noise is n bytes that can't be packed, for each seed the same.
func noise(seed, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b) // never fails
	return b
}

// entries makes n entries from the i-th on.
func entries(i, n int) []*Entry {
	out := make([]*Entry, n)
	for j := range out {
		out[j] = entry(i + j)
	}
	return out
}

// batchOf encodes entries.
func batchOf(tb testing.TB, es []*Entry) *Batch {
	tb.Helper()
	b := new(Batch)
	for _, e := range es {
		if ok, err := b.Add(e); !ok || err != nil {
			tb.Fatalf("Add = %v, %v, want it added", ok, err)
		}
	}
	return b
}

// placed are entries as they are read from that sequence.
func placed(es []*Entry, sequence uint64) []*Entry {
	for i := range es {
		es[i].At = Position{Sequence: sequence, Index: i}
	}
	return es
}

func openStream(tb testing.TB, o Options) *Stream {
	tb.Helper()
	s, err := Open(tb.Context(), o)
	if err != nil {
		tb.Fatalf("Open: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return s
}

func closeStream(tb testing.TB, s *Stream) {
	tb.Helper()
	if err := s.Close(); err != nil {
		tb.Fatalf("Close: %v", err)
	}
}

// appendEntries appends n entries from the i-th on as one message.
func appendEntries(tb testing.TB, s *Stream, i, n int) Appended {
	tb.Helper()
	a, err := s.Append(tb.Context(), batchOf(tb, entries(i, n)))
	if err != nil {
		tb.Fatalf("Append: %v", err)
	}
	return a
}

func readAll(tb testing.TB, s *Stream, from uint64) []*Entry {
	tb.Helper()
	var out []*Entry
	for m, err := range s.Scan(tb.Context(), from) {
		if err != nil {
			tb.Fatalf("Scan(%d): %v", from, err)
		}
		out = append(out, m.Entries...)
	}
	return out
}

func TestWhatIsAppendedIsReadBack(t *testing.T) {
	for _, synced := range []bool{false, true} {
		t.Run(fmt.Sprintf("synced %v", synced), func(t *testing.T) {
			o := Options{Dir: t.TempDir(), Synced: synced}
			s := openStream(t, o)
			if first, last := s.Bounds(); first != 1 || last != 0 {
				t.Errorf("Bounds of an empty stream = %d, %d, want 1, 0", first, last)
			}
			var got []Appended
			for i := range 3 {
				got = append(got, appendEntries(t, s, 10*i, i+1))
			}
			closeStream(t, s)

			s = openStream(t, o)
			if first, last := s.Bounds(); first != 1 || last != 3 {
				t.Errorf("Bounds = %d, %d, want 1, 3", first, last)
			}
			var before uint64
			for i, a := range got {
				m, err := s.Read(t.Context(), uint64(i+1))
				if err != nil {
					t.Fatalf("Read: %v", err)
				}
				want := &Message{
					Sequence: uint64(i + 1), Hash: a.Hash, Stored: m.Stored, Before: before, Size: a.Size,
					Entries: placed(entries(10*i, i+1), uint64(i+1)),
				}
				if d := cmp.Diff(want, m); d != "" {
					t.Errorf("Read(%d) differs (-want +got):\n%s", i+1, d)
				}
				before += uint64(i + 1)
			}
			if a := appendEntries(t, s, 90, 1); a.Sequence != 4 {
				t.Errorf("Append after reopening = sequence %d, want 4", a.Sequence)
			}
		})
	}
}

func TestReadSaysWhyThereIsNothing(t *testing.T) {
	s := openStream(t, Options{Dir: t.TempDir()})
	for i := range 5 {
		appendEntries(t, s, i, 1)
	}
	if err := s.Purge(t.Context(), 3); err != nil {
		t.Fatalf("Purge: %v", err)
	}
	tests := []struct {
		sequence uint64
		want     error
	}{{0, ErrPurged}, {2, ErrPurged}, {3, nil}, {5, nil}, {6, ErrNotYet}, {math.MaxUint64, ErrNotYet}}
	for _, test := range tests {
		if _, err := s.Read(t.Context(), test.sequence); !errors.Is(err, test.want) {
			t.Errorf("Read(%d) = %v, want %v", test.sequence, err, test.want)
		}
	}
}

func TestProve(t *testing.T) {
	s := openStream(t, Options{Dir: t.TempDir()})
	var hashes []Hash
	for i := range 4 {
		hashes = append(hashes, appendEntries(t, s, i, 1).Hash)
	}
	if err := s.Purge(t.Context(), 2); err != nil {
		t.Fatalf("Purge: %v", err)
	}
	tests := []struct {
		name     string
		sequence uint64
		hash     Hash
		want     error
	}{
		{"nothing seen", 0, Hash{}, nil},
		{"in the middle", 2, hashes[1], nil},
		{"the last", 4, hashes[3], nil},
		{"another message in the middle", 3, hashes[1], ErrMismatch},
		{"another last message", 4, hashes[1], ErrMismatch},
		{"ahead of the stream", 5, hashes[3], ErrNotYet},
		{"purged", 1, hashes[0], ErrPurged},
	}
	for _, test := range tests {
		if err := s.Prove(t.Context(), test.sequence, test.hash); !errors.Is(err, test.want) {
			t.Errorf("%s: Prove(%d) = %v, want %v", test.name, test.sequence, err, test.want)
		}
	}
}

func TestScanReadsOverManyRoundTrips(t *testing.T) {
	s := openStream(t, Options{Dir: t.TempDir()})
	var want []*Entry
	for i := range fetchMessages + 20 {
		a := appendEntries(t, s, i, 1)
		want = append(want, placed(entries(i, 1), a.Sequence)...)
	}
	if d := cmp.Diff(keys(want[9:]), keys(readAll(t, s, 10))); d != "" {
		t.Errorf("Scan(10) differs (-want +got):\n%s", d)
	}
	if got := readAll(t, s, uint64(len(want))+1); got != nil {
		t.Errorf("Scan after the end = %d entries, want none", len(got))
	}
}

func TestAFullStreamPushesBackUntilItIsPurged(t *testing.T) {
	s := openStream(t, Options{Dir: t.TempDir(), MaxDisk: 100 << 10})
	ctx := t.Context()
	var err error
	stored := 0
	for err == nil {
		if _, err = s.Append(ctx, batchOf(t, entries(10*stored, 10))); err == nil {
			stored++
		}
	}
	if !errors.Is(err, ErrFull) {
		t.Fatalf("Append to a full stream = %v, want ErrFull", err)
	}
	if got := s.Bytes(); got > 101<<10 || got < 80<<10 {
		t.Errorf("Bytes = %d, want nearly %d", got, 100<<10)
	}
	if _, last := s.Bounds(); last != uint64(stored) {
		t.Errorf("last after ErrFull = %d, want %d", last, stored)
	}
	if err := s.Purge(ctx, uint64(stored)); err != nil {
		t.Fatalf("Purge: %v", err)
	}
	if a := appendEntries(t, s, 0, 10); a.Sequence != uint64(stored)+1 {
		t.Errorf("Append after the purge = sequence %d, want %d", a.Sequence, stored+1)
	}
	if first, _ := s.Bounds(); first != uint64(stored) {
		t.Errorf("first after the purge = %d, want %d", first, stored)
	}
}

func TestWhatCantBePackedFits(t *testing.T) {
	s := openStream(t, Options{Dir: t.TempDir()})
	es := entries(0, 1)
	es[0].Notification.Raw = noise(1, MaxEntry-1000)
	a, err := s.Append(t.Context(), batchOf(t, es))
	if err != nil {
		t.Fatal(err)
	}
	closeStream(t, s)
	s = openStream(t, Options{Dir: s.options.Dir})
	m, err := s.Read(t.Context(), a.Sequence)
	if err != nil || len(m.Entries) != 1 || !bytes.Equal(m.Entries[0].Notification.Raw, es[0].Notification.Raw) {
		t.Errorf("Read = %v, %d entries", err, len(m.Entries))
	}
}

func TestBytesAreWhatTheServerCounts(t *testing.T) {
	s := openStream(t, Options{Dir: t.TempDir()})
	for i := range 20 {
		appendEntries(t, s, i, 5)
	}
	state, err := s.current().state(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.Bytes(), int64(state.Bytes); math.Abs(float64(got-want)) > float64(want)/100 {
		t.Errorf("Bytes = %d, want %d within a hundredth", got, want)
	}
}

func TestPurgeKeepsTheLastMessage(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	s := openStream(t, o)
	for i := range 3 {
		appendEntries(t, s, i, 2)
	}
	if err := s.Purge(t.Context(), math.MaxUint64); err != nil {
		t.Fatalf("Purge: %v", err)
	}
	closeStream(t, s)
	s = openStream(t, o)
	if first, last := s.Bounds(); first != 3 || last != 3 {
		t.Errorf("Bounds = %d, %d, want 3, 3", first, last)
	}
	appendEntries(t, s, 3, 1)
	m, err := s.Read(t.Context(), 4)
	if err != nil || m.Before != 6 {
		t.Errorf("Read(4) = %v entries before, %v, want 6", m, err)
	}
}

func TestASecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := openStream(t, Options{Dir: dir})
	_, err := Open(t.Context(), Options{Dir: dir})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("pid %d", os.Getpid())) {
		t.Errorf("second Open = %v, want ErrLocked with our pid", err)
	}
	closeStream(t, s)
	openStream(t, Options{Dir: dir})
}

// TestADamagedDescriptionCostsNothing: JetStream writes two files at every start, one after the other.
func TestADamagedDescriptionCostsNothing(t *testing.T) {
	for name, damage := range map[string]func(description, sum string) error{
		"empty":         func(d, _ string) error { return os.Truncate(d, 0) },
		"another":       func(d, _ string) error { return os.WriteFile(d, []byte(`{"name":"SLUICE"}`), 0o600) },
		"of another":    func(_, s string) error { return os.WriteFile(s, []byte("0123456789abcdef"), 0o600) },
		"gone":          func(d, _ string) error { return os.Remove(d) },
		"sum gone":      func(_, s string) error { return os.Remove(s) },
		"both are gone": func(d, s string) error { return errors.Join(os.Remove(d), os.Remove(s)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for n := range 3 {
				s := openStream(t, Options{Dir: dir, Synced: true})
				if got := keys(readAll(t, s, 1)); len(got) != 5*n {
					t.Fatalf("%d entries, want %d", len(got), 5*n)
				}
				if a := appendEntries(t, s, 5*n, 5); a.Sequence != uint64(n)+1 {
					t.Errorf("goes on at %d, want %d", a.Sequence, n+1)
				}
				closeStream(t, s)
				if err := damage(filepath.Join(streamDir(dir), "meta.inf"), filepath.Join(streamDir(dir), "meta.sum")); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestAStreamThatDoesNotOpenIsLeftAlone: JetStream removes all messages where it fails to open the stream.
func TestAStreamThatDoesNotOpenIsLeftAlone(t *testing.T) {
	for name, spoil := range map[string]func(description string) error{
		"an error of the disk":                  func(string) error { return nil },
		"one, and the description is torn, too": os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Dir: t.TempDir(), Synced: true}
			s := openStream(t, o)
			appendEntries(t, s, 0, 5)
			closeStream(t, s)
			inTheWay := filepath.Join(streamDir(o.Dir), "msgs", "2.blk") // no block can be read there
			if err := errors.Join(os.Mkdir(inTheWay, 0o700), spoil(filepath.Join(streamDir(o.Dir), "meta.inf"))); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if s, err := Open(t.Context(), o); err == nil {
					closeStream(t, s)
					t.Fatal("it opens")
				}
				if err := os.MkdirAll(inTheWay, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Remove(inTheWay); err != nil {
				t.Fatal(err)
			}
			s = openStream(t, o)
			if d := cmp.Diff(placed(entries(0, 5), 1), readAll(t, s, 1)); d != "" {
				t.Errorf("the stream differs (-want +got):\n%s", d)
			}
			if _, err := os.Stat(keptDir(o.Dir)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("there are files that are kept still: %v", err)
			}
		})
	}
}

func TestADamagedStreamIsNotReplacedByAnEmptyOne(t *testing.T) {
	dir := t.TempDir()
	s := openStream(t, Options{Dir: dir})
	appendEntries(t, s, 0, 1)
	closeStream(t, s)
	block := filepath.Join(streamDir(dir), "msgs", "1.blk")
	data, err := os.ReadFile(block)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := os.WriteFile(filepath.Join(streamDir(dir), "meta.inf"), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join(streamDir(dir), "msgs", "index.db")); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(block, bytes.Repeat([]byte("x"), len(data)), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := Open(t.Context(), Options{Dir: dir}); err == nil {
			s.Close()
			t.Error("Open of a stream without description or messages = nil, want an error")
		}
	}
}

func TestAStreamThatWasNeverFinishedIsMade(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(streamDir(dir), "msgs"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := openStream(t, Options{Dir: dir})
	if a := appendEntries(t, s, 0, 1); a.Sequence != 1 {
		t.Errorf("Append = sequence %d, want 1", a.Sequence)
	}
}

func TestTheLimitMayChange(t *testing.T) {
	dir := t.TempDir()
	s := openStream(t, Options{Dir: dir})
	for i := range 20 {
		appendEntries(t, s, 10*i, 10)
	}
	closeStream(t, s)
	s = openStream(t, Options{Dir: dir, MaxDisk: 10 << 10})
	if first, last := s.Bounds(); first != 1 || last != 20 {
		t.Errorf("Bounds after a smaller limit = %d, %d, want 1, 20: nothing may be discarded", first, last)
	}
	if _, err := s.Append(t.Context(), batchOf(t, entries(0, 1))); !errors.Is(err, ErrFull) {
		t.Errorf("Append = %v, want ErrFull", err)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	s := openStream(t, Options{Dir: t.TempDir()})
	r, err := s.Reader(t.Context(), "siem", Oldest)
	if err != nil {
		t.Fatal(err)
	}
	appendEntries(t, s, 0, 1)
	if _, err := r.Next(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := r.Next(context.WithoutCancel(t.Context()), 10)
		done <- err
	}()
	closeStream(t, s)
	closeStream(t, s)
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("waiting Next = %v, want ErrClosed", err)
	}
	if _, err := s.Append(t.Context(), batchOf(t, entries(0, 1))); !errors.Is(err, ErrClosed) {
		t.Errorf("Append = %v, want ErrClosed", err)
	}
	if err := r.Commit(Position{1, 0}, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Commit = %v, want ErrClosed", err)
	}
	if _, err := s.Reader(t.Context(), "archive", Oldest); !errors.Is(err, ErrClosed) {
		t.Errorf("Reader = %v, want ErrClosed", err)
	}
}
