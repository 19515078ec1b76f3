package model_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// spoil writes over the page of a file with which a table begins.
func spoil(t *testing.T, path, table string) {
	t.Helper()
	change(t, path, table, func(page []byte) { copy(page, bytes.Repeat([]byte{0xff}, len(page))) })
}

// change changes the page of a file with which a table or an index begins.
func change(t *testing.T, path, of string, do func(page []byte)) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	var page, size int64
	err = db.QueryRowContext(t.Context(), "SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_schema WHERE name = ?", of).Scan(&page, &size)
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, size)
	_, err = f.ReadAt(data, (page-1)*size)
	do(data)
	if err == nil {
		_, err = f.WriteAt(data, (page-1)*size)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestDamageEndsTheModel: a file that opens and turns out to be damaged is not tried for ever: the model ends and says
// so, and begins anew from its snapshot, unless that is damaged too, and the stream. What an operator did is still there.
func TestDamageEndsTheModel(t *testing.T) {
	t.Parallel()
	byIndex, err := filter.Activities().Parse("action = login")
	if err != nil {
		t.Fatal(err)
	}
	for name, one := range map[string]struct {
		spoilt     map[string]string // by file, a table, or an index of which a bit is flipped
		activities int
		gaps       int
	}{
		"tables":              {map[string]string{"model.db": "activities"}, 2, 0},
		"tables, as it opens": {map[string]string{"model.db": "index_changes"}, 2, 0},
		"tables and snapshot": {map[string]string{"model.db": "activities", "model.db.snapshot": "alerts"}, 1, 1},
		"index":               {map[string]string{"model-index.db": "activity_index_data"}, 2, 0},
		"a bit of a key":      {map[string]string{"model.db": "persons_last"}, 2, 0},
		"index, unprepared":   {map[string]string{"model-index.db": "activity_index_config"}, 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
			s, err := stream.Open(t.Context(), stream.Options{Dir: dir + "/stream", Cursors: dir + "/cursors", MaxDisk: 1 << 30, Log: log})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			// run has the model come to a position, or to its end, and gives what Run returned.
			run := func(until stream.Position, do func(*model.Model)) error {
				m, err := model.Open(t.Context(), model.Options{Dir: dir + "/model", Stream: s, Config: config.Default(), Log: log})
				if errors.Is(err, model.ErrDamaged) {
					return err
				}
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				done := make(chan error, 1)
				waiting, over := context.WithCancel(ctx)
				go func() { done <- m.Run(ctx); over() }()
				if m.Wait(waiting, until) == nil {
					do(m)
					stop()
				}
				ended := <-done
				if err := m.Close(); err != nil {
					t.Error(err)
				}
				return ended
			}
			at := time.Now().UTC().Add(-time.Hour)
			act, err := model.Record("ida", model.SaveQuery{Query: model.SavedQuery{Name: "mine", Of: "alerts", Filter: "status = open"}})
			if err != nil {
				t.Fatal(err)
			}
			first := appendTo(t, s, did(at, "old"))
			if err := run(first, func(m *model.Model) {
				if err := m.Snapshot(t.Context()); err != nil {
					t.Fatal(err)
				}
			}); err != nil {
				t.Fatal(err)
			}
			saved := &stream.Entry{
				Kind: stream.Acted, Time: at, Key: "saved", Act: &act, Decision: policy.Decision{Action: dedup.Drop},
				Notification: formats.Notification{Service: formats.Sluice, Kind: formats.Act, Type: act.Verb, Arrived: at},
			}
			last := appendTo(t, s, did(at.Add(time.Minute), "new"), saved)
			if err := s.Purge(t.Context(), last.Sequence); err != nil {
				t.Fatal(err)
			}
			for file, table := range one.spoilt {
				if path := filepath.Join(dir, "model", file); table == "persons_last" {
					change(t, path, table, func(page []byte) { page[len(page)-1] ^= 1 }) // the one user's
				} else {
					spoil(t, path, table)
				}
			}
			if ended := run(last, func(*model.Model) {}); !errors.Is(ended, model.ErrDamaged) {
				t.Fatalf("Run() = %v, want ErrDamaged", ended)
			}
			if err := run(last, func(m *model.Model) {
				state, err := m.State(t.Context())
				if err != nil || int(state.Activities) != one.activities || len(state.Gaps) != one.gaps {
					t.Errorf("State() = %+v, %v; want %d activities and %d gaps", state, err, one.activities, one.gaps)
				}
				if queries, err := m.Queries(t.Context(), "ida"); err != nil || len(queries) == 0 {
					t.Errorf("the operator's query is lost: %v", err)
				}
				if p, err := m.Activities(t.Context(), model.Query{Filter: byIndex}); err != nil || len(p.Items) != one.activities {
					t.Errorf("%d activities are found by the index, %v; want %d", len(p.Items), err, one.activities)
				}
			}); err != nil {
				t.Errorf("Run() = %v after the files were made anew", err)
			}
		})
	}
}

// TestWhatCannotBeReadIsKept: a file that can't be read now is no damaged one, and is there when it can be.
func TestWhatCannotBeReadIsKept(t *testing.T) {
	t.Parallel()
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	s, err := stream.Open(t.Context(), stream.Options{Dir: dir + "/stream", Cursors: dir + "/cursors", MaxDisk: 1 << 30, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	options := model.Options{Dir: dir + "/model", Stream: s, Config: config.Default(), Log: log}
	m, err := model.Open(t.Context(), options)
	if err == nil {
		err = m.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	tables := filepath.Join(options.Dir, "model.db")
	unreadable := func(path string) {
		t.Helper()
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := model.Open(t.Context(), options); err == nil {
			t.Fatalf("it opens with %s", path)
		}
		if files, err := model.Inspect(t.Context(), options.Dir); err != nil || files[0].Damage != nil || files[0].Unread == nil {
			t.Errorf("Inspect() = %+v, %v; want what can't be read", files, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatalf("it was set aside: %v", err)
		}
		if aside, _ := filepath.Glob(filepath.Join(options.Dir, "*.damaged*")); len(aside) > 0 {
			t.Errorf("set aside: %v", aside)
		}
	}
	unreadable(tables + "-wal")
	if _, err := os.Stat(tables); err != nil {
		t.Error(err)
	}
	if err := os.Remove(tables); err != nil {
		t.Fatal(err)
	}
	unreadable(tables + ".snapshot")
}

// TestWhatWasSetAsideStays: the damaged file is kept, not the copy of a snapshot that can't be used in its place.
func TestWhatWasSetAsideStays(t *testing.T) {
	t.Parallel()
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	s, err := stream.Open(t.Context(), stream.Options{Dir: dir + "/stream", Cursors: dir + "/cursors", MaxDisk: 1 << 30, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	options := model.Options{Dir: dir + "/model", Stream: s, Config: config.Default(), Log: log}
	reopen := func() *model.Model {
		t.Helper()
		m, err := model.Open(t.Context(), options)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := reopen()
	if err := errors.Join(m.Snapshot(t.Context()), m.Close()); err != nil {
		t.Fatal(err)
	}
	tables := filepath.Join(options.Dir, "model.db")
	versioned(t, tables, 98)
	versioned(t, tables+".snapshot", 99)
	if err := reopen().Close(); err != nil {
		t.Fatal(err)
	}
	if v := versioned(t, tables+".damaged", 0); v != 98 {
		t.Errorf("what is set aside has version %d, want 98", v)
	}
}

// versioned gives a file another version, and returns what it had.
func versioned(t *testing.T, path string, version int) (had int) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	err = db.QueryRowContext(t.Context(), "PRAGMA user_version").Scan(&had)
	if err == nil {
		_, err = db.ExecContext(t.Context(), fmt.Sprintf("PRAGMA user_version = %d", version))
	}
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return had
}

// TestAMissingTableIsDamage: a file that has its version and lacks a table is told of, and is made anew.
func TestAMissingTableIsDamage(t *testing.T) {
	t.Parallel()
	for file, table := range map[string]string{"model.db": "place", "model-index.db": "index_place"} {
		dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
		s, err := stream.Open(t.Context(), stream.Options{Dir: dir + "/stream", Cursors: dir + "/cursors", MaxDisk: 1 << 30, Log: log})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		options := model.Options{Dir: dir + "/model", Stream: s, Config: config.Default(), Log: log}
		reopen := func() {
			t.Helper()
			m, err := model.Open(t.Context(), options)
			if err == nil {
				err = m.Close()
			}
			if err != nil {
				t.Fatalf("without the table %s: %v", table, err)
			}
		}
		reopen()
		db, err := sql.Open("sqlite", filepath.Join(options.Dir, file))
		if err == nil {
			_, err = db.ExecContext(t.Context(), "DROP TABLE "+table)
			err = errors.Join(err, db.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		if files, err := model.Inspect(t.Context(), options.Dir); err != nil || file == "model.db" && files[0].Damage == nil {
			t.Errorf("Inspect() = %+v, %v; want damage", files, err)
		}
		reopen()
	}
}
