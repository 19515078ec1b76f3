package stream

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
)

var errInjected = errors.New("injected")

func TestAnUnknownOutcomeIsSettled(t *testing.T) {
	for _, synced := range []bool{false, true} {
		o := Options{Dir: t.TempDir(), Synced: synced}
		s := openStream(t, o)
		appendEntries(t, s, 0, 3)
		publish := s.publish

		s.publish = func(context.Context, []byte, uint64) (uint64, error) { return 0, errInjected }
		_, err := s.Append(t.Context(), batchOf(t, entries(10, 3)))
		if !errors.Is(err, ErrNotStored) || !errors.Is(err, errInjected) {
			t.Errorf("Append, not applied = %v, want ErrNotStored with its cause", err)
		}

		s.publish = func(ctx context.Context, data []byte, last uint64) (uint64, error) {
			if _, err := publish(ctx, data, last); err != nil {
				t.Errorf("publish: %v", err)
			}
			return 0, errInjected
		}
		b := batchOf(t, entries(20, 3))
		a, err := s.Append(t.Context(), b)
		if err != nil || a.Sequence != 2 {
			t.Errorf("Append, applied but reported failed = %d, %v, want sequence 2", a.Sequence, err)
		}
		if d := cmp.Diff(placed(entries(20, 3), 2), b.Entries()); d != "" {
			t.Errorf("the batch's entries differ (-want +got):\n%s", d)
		}

		s.publish = publish
		appendEntries(t, s, 30, 1)
		want := append(append(placed(entries(0, 3), 1), placed(entries(20, 3), 2)...), placed(entries(30, 1), 3)...)
		if d := cmp.Diff(want, readAll(t, s, 1)); d != "" {
			t.Errorf("the stream differs (-want +got):\n%s", d)
		}
	}
}

func TestReadersLiveThroughASettlement(t *testing.T) {
	s := openStream(t, Options{Dir: t.TempDir()})
	r, err := s.Reader(t.Context(), "siem", Oldest)
	if err != nil {
		t.Fatal(err)
	}
	appendEntries(t, s, 0, 2)
	publish := s.publish
	s.publish = func(ctx context.Context, data []byte, last uint64) (uint64, error) {
		_, _ = publish(ctx, data, last)
		return 0, errInjected
	}
	appendEntries(t, s, 2, 2)
	s.mu.Lock()
	s.head = head{} // so that they are read from the new server
	s.mu.Unlock()
	var got []*Entry
	for len(got) < 4 {
		es, err := r.Next(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, es...)
	}
	want := append(placed(entries(0, 2), 1), placed(entries(2, 2), 2)...)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the reader's entries differ (-want +got):\n%s", d)
	}
}

func TestAZombieIsRefused(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	s := openStream(t, o)
	appendEntries(t, s, 0, 1)
	other := append([]byte(nil), batchOf(t, entries(5, 1)).seal(1)...)
	if _, err := s.publish(t.Context(), other, 1); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := s.Append(t.Context(), batchOf(t, entries(1, 1))); !errors.Is(err, ErrConflict) {
			t.Errorf("Append after another writer = %v, want ErrConflict", err)
		}
	}
	closeStream(t, s)
	s = openStream(t, o)
	want := append(placed(entries(0, 1), 1), placed(entries(5, 1), 2)...)
	if d := cmp.Diff(want, readAll(t, s, 1)); d != "" {
		t.Errorf("the stream differs (-want +got):\n%s", d)
	}
	appendEntries(t, s, 1, 1)
}

func TestAnotherWritersMessageIsNotTakenForOurs(t *testing.T) {
	s := openStream(t, Options{Dir: t.TempDir()})
	publish := s.publish
	s.publish = func(ctx context.Context, _ []byte, last uint64) (uint64, error) {
		if _, err := publish(ctx, batchOf(t, entries(9, 1)).seal(0), last); err != nil {
			t.Errorf("publish: %v", err)
		}
		return 0, errInjected
	}
	if _, err := s.Append(t.Context(), batchOf(t, entries(1, 1))); !errors.Is(err, ErrConflict) {
		t.Errorf("Append = %v, want ErrConflict", err)
	}
}

func TestAnOutcomeThatStaysUnknownEndsTheStream(t *testing.T) {
	s := openStream(t, Options{Dir: t.TempDir()})
	appendEntries(t, s, 0, 1)
	ctx, cancel := context.WithCancel(t.Context())
	broken := s.options
	s.options.Dir = "/dev/null" // nothing opens there
	s.publish = func(context.Context, []byte, uint64) (uint64, error) {
		cancel()
		return 0, errInjected
	}
	if _, err := s.Append(ctx, batchOf(t, entries(1, 1))); !errors.Is(err, ErrUnknown) {
		t.Errorf("Append = %v, want ErrUnknown", err)
	}
	s.options = broken
	if _, err := s.Append(t.Context(), batchOf(t, entries(1, 1))); !errors.Is(err, ErrUnknown) {
		t.Errorf("next Append = %v, want ErrUnknown", err)
	}
}

// TestAStreamThatDoesNotOpenKeepsNobodyWaitingWhoLooks: who asks how much waits is answered, though nothing can be read.
func TestAStreamThatDoesNotOpenKeepsNobodyWaitingWhoLooks(t *testing.T) {
	s := openStream(t, Options{Dir: t.TempDir()})
	r := openReader(t, s, "siem", Oldest)
	appendEntries(t, s, 0, 3)
	appendEntries(t, s, 3, 1)
	s.head = head{} // so that the oldest has to be read
	ctx, cancel := context.WithCancel(t.Context())
	s.options.Dir = "/dev/null" // nothing opens there
	s.publish = func(context.Context, []byte, uint64) (uint64, error) {
		cancel()
		return 0, errInjected
	}
	if !s.Opened() {
		t.Error("Opened() = false before")
	}
	if _, err := s.Append(ctx, batchOf(t, entries(1, 1))); !errors.Is(err, ErrUnknown) {
		t.Errorf("Append = %v, want ErrUnknown", err)
	}
	if s.Opened() {
		t.Error("Opened() = true, and nothing can be read")
	}
	if lag, err := r.Lag(t.Context(), time.Now()); !errors.Is(err, ErrOpening) || lag.Entries != 4 {
		t.Errorf("Lag = %v, %v, want 4 entries, ErrOpening", lag, err)
	}
	if lag, err := s.Behind(t.Context(), 0, time.Now()); !errors.Is(err, ErrOpening) {
		t.Errorf("Behind = %v, %v, want ErrOpening", lag, err)
	}
}

func TestAnEmptyBatchIsRefused(t *testing.T) {
	s := openStream(t, Options{Dir: t.TempDir()})
	if _, err := s.Append(t.Context(), new(Batch)); err == nil {
		t.Error("Append of nothing = nil, want an error")
	}
}

func TestAnEndedContextDoesNotBreakAnAppendOff(t *testing.T) {
	s := openStream(t, Options{Dir: t.TempDir()})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if a, err := s.Append(ctx, batchOf(t, entries(0, 1))); err != nil || a.Sequence != 1 {
		t.Errorf("Append = %v, %v, want it stored", a, err)
	}
}

func TestALostConnectionIsReplaced(t *testing.T) {
	s := openStream(t, Options{Dir: t.TempDir()})
	appendEntries(t, s, 0, 1)
	e := s.current()
	drop := func(name string) {
		t.Helper()
		conn := map[string]*nats.Conn{"read": e.read, "write": e.write}[name]
		id, err := conn.GetClientID()
		if err != nil {
			t.Fatal(err)
		}
		gone := conn.StatusChanged(nats.CLOSED, nats.RECONNECTING)
		if err := e.server.DisconnectClientByID(id); err != nil {
			t.Fatal(err)
		}
		<-gone
	}
	drop("write")
	if _, err := s.Append(t.Context(), batchOf(t, entries(1, 1))); !errors.Is(err, ErrNotStored) {
		t.Errorf("Append on a lost connection = %v, want ErrNotStored", err)
	}
	appendEntries(t, s, 1, 1)
	e = s.current()
	drop("read")
	if got := keys(readAll(t, s, 1)); len(got) != 2 {
		t.Errorf("%d entries are read on a lost connection, want 2", len(got))
	}
}
