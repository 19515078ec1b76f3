package model

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrDamaged: one of the model's files is damaged, which no further try mends. [Model.Close] then takes it out of the
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

// takeAway takes the file that is damaged out of the way: the tables, or where these are sound the index beside them. All
// of them are closed.
func (m *Model) takeAway(damage error) error {
	if _, err := Inspect(context.Background(), m.path()); err == nil {
		return m.removeIndex(damage)
	}
	m.log.Error("the model's file is damaged: it is set aside and made anew, from its snapshot of the last day if there "+
		"is one, and the stream. Look at the disk", "file", m.path(), "set_aside", m.path()+aside, "err", damage)
	return SetAside(m.path())
}

// Inspect reads a file of a model that nobody writes, the tables or their snapshot, says whether SQLite finds it sound,
// and gives the sequence of the last message that is folded.
func Inspect(ctx context.Context, path string) (sequence uint64, err error) {
	if _, err := os.Stat(path); err != nil {
		return 0, err // SQLite would say only that it can't be opened
	}
	db, err := sql.Open("sqlite", dsnOf(path, "ro"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := check(ctx, db); err != nil {
		return 0, err
	}
	p, err := placeOf(ctx, db)
	return p.sequence, err
}

// check has SQLite read the whole file, and gives the first thing that is wrong with it.
func check(ctx context.Context, q querier) error {
	var found string
	if err := q.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&found); err != nil {
		return fmt.Errorf("check the file: %w", err)
	}
	if found != "ok" {
		return fmt.Errorf("check the file: %s", found)
	}
	return nil
}

// aside is the end of the name of what was set aside.
const aside = ".damaged"

// SetAside moves a file that can't be used, and that nobody has open, out of the way of a new one.
func SetAside(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(path+suffix, path+aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("set the model aside: %w", err)
		}
	}
	return nil
}
