package model_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// did is an activity at a time.
func did(at time.Time, key string) *stream.Entry {
	return &stream.Entry{
		Kind: stream.Notification, Time: at, Key: dedup.EventKey(key), Decision: policy.Decision{Action: dedup.Forward},
		Notification: formats.Notification{
			Service: formats.CloudAppSecurity, Kind: formats.Activity, ID: key, Class: "EVENT_CATEGORY_LOGIN", App: "Box",
			Accounts: []formats.Entity{{Name: "ines@harbour.example"}}, Start: at, Arrived: at, Raw: []byte(key),
		},
	}
}

// TestRetention: what is too old goes by the clock of what is recorded, and takes nothing else with it.
func TestRetention(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	start := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	w.append(did(start, "a"), did(start.AddDate(0, 0, 1), "b"))
	w.append(did(start.AddDate(0, 0, 90).Add(time.Hour), "c"))
	w.append(did(start.AddDate(0, 0, 90).Add(2*time.Hour), "d"))
	w.append(did(start, "late")) // and goes with the transaction that it came with
	w.append(did(start, "later"))
	state, err := w.model.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if state.Activities != 3 || !state.Oldest.Activities.Equal(start.AddDate(0, 0, 1)) || state.Behind != 0 || state.Users != 1 {
		t.Errorf("State() = %+v, want b, c and d of one user", state)
	}
	for _, key := range []string{"b", "c", "d"} {
		if n := len(w.activities("id = " + key)); n != 1 {
			t.Errorf("%d activities %s, want 1", n, key)
		}
	}
	for _, key := range []string{"a", "late", "later"} {
		if n := len(w.activities("id = " + key)); n != 0 {
			t.Errorf("%d activities %s, want none", n, key)
		}
	}
	if n := len(w.activities("action = login")); n != 3 {
		t.Errorf("%d log-ins, want 3", n)
	}
}

// TestMadeAnew: a model that is gone or damaged begins from its snapshot, and has what the stream has purged by now.
func TestMadeAnew(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(path string) error{
		"gone": os.Remove,
		"garbage": func(path string) error {
			return os.WriteFile(path, []byte("this is no database at all, and long enough to be looked at"), 0o600)
		},
		"cut off": func(path string) error { return os.Truncate(path, 5000) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
			s, err := stream.Open(t.Context(), stream.Options{Dir: dir + "/stream", Cursors: dir + "/cursors", MaxDisk: 1 << 30, Log: log})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			at := time.Now().UTC().Add(-time.Hour)
			run := func(until stream.Position, do func(*model.Model)) {
				m, err := model.Open(t.Context(), model.Options{Dir: dir + "/model", Stream: s, Config: config.Default(), Log: log})
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- m.Run(ctx) }()
				if err := m.Wait(ctx, until); err != nil {
					t.Fatal(err)
				}
				do(m)
				stop()
				if err := <-done; err != nil {
					t.Error(err)
				}
				if err := m.Close(); err != nil {
					t.Error(err)
				}
			}
			first := appendTo(t, s, did(at, "old"))
			run(first, func(m *model.Model) {
				if err := m.Snapshot(t.Context()); err != nil {
					t.Fatal(err)
				}
			})
			last := appendTo(t, s, did(at.Add(time.Minute), "new"))
			if err := s.Purge(t.Context(), last.Sequence); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "model", "model.db")
			if err := damage(path); err != nil {
				t.Fatal(err)
			}
			for _, suffix := range []string{"-wal", "-shm"} {
				_ = os.Remove(path + suffix) // they are gone after an orderly end
			}
			run(last, func(m *model.Model) {
				state, err := m.State(t.Context())
				if err != nil || state.Activities != 2 || len(state.Gaps) != 0 {
					t.Errorf("State() = %+v, %v; want both activities and no gap", state, err)
				}
			})
		})
	}
}

// appendTo records entries and says where the last one is.
func appendTo(t *testing.T, s *stream.Stream, entries ...*stream.Entry) stream.Position {
	t.Helper()
	var b stream.Batch
	for _, e := range entries {
		if _, err := b.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Append(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return entries[len(entries)-1].At
}
