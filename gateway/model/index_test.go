package model_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// tokens are all that the index of a model that nobody runs has, in order.
func tokens(t *testing.T, m *model.Model) []string {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+m.IndexPath())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(t.Context(), "CREATE VIRTUAL TABLE temp.token USING fts5vocab(main, activity_index, instance)"); err != nil {
		t.Fatal(err)
	}
	rows, err := db.QueryContext(t.Context(), `SELECT doc || ' ' || "offset" || ' ' || term FROM token ORDER BY doc, "offset"`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var token string
		if err := rows.Scan(&token); err != nil {
			t.Fatal(err)
		}
		out = append(out, token)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// files are a model's, as they lie.
type files map[string][]byte

func (f files) read(t *testing.T, path string) files {
	t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(path + suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		f[path+suffix] = data // nil where there is none
	}
	return f
}

// write puts them back, as after a crash.
func (f files) write(t *testing.T) {
	t.Helper()
	for path, data := range f {
		_ = os.Remove(strings.TrimSuffix(path, "-wal") + "-shm")
		if data == nil {
			_ = os.Remove(path)
			continue
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTheIndexOfTheLogComesBack: whatever a crash, or somebody, leaves of the index, filters find what is in the log.
func TestTheIndexOfTheLogComesBack(t *testing.T) {
	t.Parallel()
	type past struct {
		tables, index []files // after each transaction
		dir           string
	}
	for name, test := range map[string]struct {
		damage func(t *testing.T, p past)
		anew   bool
	}{
		"as it was":               {func(*testing.T, past) {}, false},
		"a transaction behind":    {func(t *testing.T, p past) { p.index[1].write(t) }, false},
		"two transactions behind": {func(t *testing.T, p past) { p.index[0].write(t) }, true},
		"ahead":                   {func(t *testing.T, p past) { p.tables[1].write(t) }, true},
		"gone": {func(t *testing.T, p past) {
			for path := range p.index[0] {
				_ = os.Remove(path)
			}
		}, true},
		"garbage": {func(t *testing.T, p past) {
			if err := os.WriteFile(filepath.Join(p.dir, "model-index.db"), []byte(strings.Repeat("no database", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, true},
		"cut off": {func(t *testing.T, p past) {
			if err := os.Truncate(filepath.Join(p.dir, "model-index.db"), 5000); err != nil {
				t.Fatal(err)
			}
		}, true},
		"behind and broken": {func(t *testing.T, p past) {
			p.index[1].write(t)
			path := filepath.Join(p.dir, "model-index.db")
			db, err := sql.Open("sqlite", "file:"+path)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			for _, query := range []string{"PRAGMA wal_checkpoint(TRUNCATE)", "UPDATE activity_index_data SET block = x'00'"} {
				if _, err := db.ExecContext(t.Context(), query); err != nil {
					t.Fatal(err)
				}
			}
		}, true},
		"broken tables": {func(t *testing.T, p past) {
			p.index[1].write(t)
			path := filepath.Join(p.dir, "model-index.db")
			f, err := os.OpenFile(path, os.O_RDWR, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = f.Close() }()
			if _, err := f.WriteAt(bytes.Repeat([]byte{0xa5}, 8<<10), 4096); err != nil { // all but the first page
				t.Fatal(err)
			}
		}, true},
		"of other tables": {func(t *testing.T, p past) {
			db, err := sql.Open("sqlite", "file:"+filepath.Join(p.dir, "model-index.db"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			if _, err := db.ExecContext(t.Context(), "UPDATE index_place SET id = randomblob(16)"); err != nil {
				t.Fatal(err)
			}
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s, err := stream.Open(t.Context(), stream.Options{Dir: dir + "/stream", Cursors: dir + "/cursors", MaxDisk: 1 << 30, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			var log bytes.Buffer
			p := past{dir: dir + "/model"}
			run := func(do func(*model.Model)) *model.Model {
				t.Helper()
				m, err := model.Open(t.Context(), model.Options{Dir: p.dir, Stream: s, Config: config.Default(), Log: slog.New(slog.NewTextHandler(&log, nil))})
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- m.Run(ctx) }()
				_, last := s.Bounds()
				if err := m.Wait(ctx, stream.Position{Sequence: last}); err != nil {
					t.Fatal(err)
				}
				do(m)
				stop()
				if err := errors.Join(<-done, m.Close()); err != nil {
					t.Error(err)
				}
				return m
			}
			at := time.Now().UTC().Truncate(time.Second).Add(-time.Hour)
			titled := func(e *stream.Entry, title string) *stream.Entry {
				e.Notification.Title = title
				return e
			}
			anew := titled(did(at, "a"), "Newword")
			anew.Key, anew.Match = "a2", dedup.Match{Relation: dedup.Update, Of: "a"}
			for _, some := range [][]*stream.Entry{
				{titled(did(at, "a"), "Oldword"), did(at.Add(time.Second), "b")},
				{did(at.Add(2*time.Second), "c")},
				{anew, did(at.Add(3*time.Second), "d")},
			} {
				appendTo(t, s, some...)
				m := run(func(*model.Model) {})
				p.tables, p.index = append(p.tables, files{}.read(t, m.Path())), append(p.index, files{}.read(t, m.IndexPath()))
			}
			log.Reset()
			test.damage(t, p)
			m := run(func(m *model.Model) {
				for text, want := range map[string]int{"id is set": 4, "text contains newword": 1, "text contains oldword": 0, "id = a": 1, "action = login": 4} {
					f, err := filter.Activities().Parse(text)
					if err != nil {
						t.Fatal(err)
					}
					page, err := m.Activities(t.Context(), model.Query{Filter: f})
					total, err2 := m.ActivityTotal(t.Context(), f)
					if err := errors.Join(err, err2); err != nil || len(page.Items) != want || total.Count != int64(want) {
						t.Errorf("%s: %d of %d lines, %v; want %d", text, len(page.Items), total.Count, err, want)
					}
				}
			})
			if said := strings.Contains(log.String(), "made anew"); said != test.anew {
				t.Errorf("made anew: %v, want %v\n%s", said, test.anew, log.String())
			}
			got := tokens(t, m)
			if err := os.Remove(m.IndexPath()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tokens(t, run(func(*model.Model) {})), got); diff != "" {
				t.Errorf("-of the log +of the index:\n%s", diff)
			}
		})
	}
}
