package model_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
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
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	var page, size int64
	err = db.QueryRowContext(t.Context(), "SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_schema WHERE name = ?", table).Scan(&page, &size)
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(bytes.Repeat([]byte{0xff}, int(size)), (page-1)*size)
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
		spoilt     map[string]string // by file, a table
		activities int
		gaps       int
	}{
		"tables":              {map[string]string{"model.db": "activities"}, 2, 0},
		"tables, as it opens": {map[string]string{"model.db": "index_changes"}, 2, 0},
		"tables and snapshot": {map[string]string{"model.db": "activities", "model.db.snapshot": "alerts"}, 1, 1},
		"index":               {map[string]string{"model-index.db": "activity_index_data"}, 2, 0},
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
				go func() { done <- m.Run(ctx); stop() }()
				if m.Wait(ctx, until) == nil {
					do(m)
				}
				stop()
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
				spoil(t, filepath.Join(dir, "model", file), table)
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
