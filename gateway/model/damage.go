package model

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrDamaged is that one of the files is damaged, which no further try mends. [Model.Close] then takes it out of the
// way, and the next [Open] makes it anew.
var ErrDamaged = errors.New("the model's files are damaged")

// isDamage says whether SQLite found that its file isn't what it wrote.
func isDamage(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false
	}
	primary := e.Code() & 0xff // the rest says more
	return primary == sqlite3.SQLITE_CORRUPT || primary == sqlite3.SQLITE_NOTADB
}

// unfit is what is wrong with a file that could be read: it is no use trying again.
type unfit struct{ error }

func (e unfit) Unwrap() error { return e.error }

// isUnfit says whether the file itself is wrong, and not the reading of it: that may go better the next time.
func isUnfit(err error) bool {
	_, ok := errors.AsType[unfit](err)
	return ok || isDamage(err)
}

// takeAway takes the file that is damaged out of the way: the tables, or where these are sound the index beside them. All
// of them are closed. Where ctx ends before that is known, they stay, and the next Open finds the damage again.
func (m *Model) takeAway(ctx context.Context, damage error) error {
	tables := File{Path: m.path(), Kind: Tables}
	switch tables.inspect(ctx); {
	case tables.Unread != nil:
		return fmt.Errorf("find out which file is damaged: %w", tables.Unread)
	case tables.Damage == nil:
		return m.removeIndex(damage)
	}
	m.log.Error("the model's file is damaged: it is set aside and made anew, from its snapshot of the last day if there "+
		"is one, and the stream. Look at the disk", "file", m.path(), "set_aside", m.path()+aside, "err", damage)
	return SetAside(m.path())
}

// Kind says what a file is to a model.
type Kind uint8

// The files of a model.
const (
	Tables   Kind = iota
	Snapshot      // a copy of the tables
	Index         // of the log that is in the tables
)

// File is one of a model's files.
type File struct {
	Path   string
	Kind   Kind
	Seen   uint64 // the sequence of the last message that is in it; 0 for an index
	Damage error  // nil where SQLite finds it sound
	Unread error  // why that isn't known: it can't be read
}

// Inspect reads the files of the model in dir that are there; nobody has them open.
func Inspect(ctx context.Context, dir string) ([]File, error) {
	m := &Model{options: Options{Dir: dir}}
	files := []File{{Path: m.path(), Kind: Tables}, {Path: m.snapshot(), Kind: Snapshot}, {Path: m.indexPath(), Kind: Index}}
	files = slices.DeleteFunc(files, func(f File) bool {
		_, err := os.Stat(f.Path)
		return errors.Is(err, fs.ErrNotExist)
	})
	for i := range files {
		files[i].inspect(ctx)
	}
	return files, ctx.Err()
}

func (f *File) inspect(ctx context.Context) {
	db, err := sql.Open("sqlite", dsnOf(f.Path, "ro"))
	if err == nil {
		err = f.read(ctx, db)
		_ = db.Close() // it was only read
	}
	if isUnfit(err) {
		f.Damage = err
	} else {
		f.Unread = err
	}
}

func (f *File) read(ctx context.Context, db *sql.DB) error {
	if err := check(ctx, db); err != nil || f.Kind == Index {
		return err
	}
	var version int // 0: it was being made
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil || version == 0 {
		return err
	}
	if version == schemaVersion {
		if err := complete(ctx, db, schema); err != nil {
			return err
		}
	}
	p, err := placeOf(ctx, db)
	f.Seen = p.sequence
	return err
}

// check has SQLite read the whole file, and gives the first thing that is wrong with it: quick_check would take indexes
// for sound that lack a row of their table, which a change of that row then finds damaged.
func check(ctx context.Context, q querier) error {
	var found string
	if err := q.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&found); err != nil {
		return fmt.Errorf("check the file: %w", err)
	}
	if found != "ok" {
		return unfit{fmt.Errorf("check the file: %s", strings.Join(strings.Fields(found), " "))}
	}
	return nil
}

// aside is the end of the name of what was set aside.
const aside = ".damaged"

// filesOf are those that SQLite makes of one.
func filesOf(path string) []string { return []string{path, path + "-wal", path + "-shm"} }

// SetAside moves a file that can't be used, and that nobody has open, out of the way of a new one.
func SetAside(path string) error {
	from, to := filesOf(path), filesOf(path+aside)
	for i := range from {
		if err := os.Rename(from[i], to[i]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("set the model aside: %w", err)
		}
	}
	return nil
}

// remove removes a file that nobody has open and that can be made again.
func remove(path string) error {
	for _, file := range filesOf(path) {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
