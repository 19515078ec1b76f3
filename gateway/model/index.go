package model

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	_ "embed" // index.sql
	"errors"
	"fmt"
	"math"
	"net/url"
	"os"
	"slices"

	"modernc.org/sqlite"
)

//go:embed index.sql
var indexSchema string

const (
	indexVersion    = 1           // grows with every change of index.sql or of what the index is told
	indexName       = "log_index" // of the file, for the connections that read it beside the tables
	indexCheckpoint = 4 << 20     // bytes of its log from where on they are moved into the file
	mostIndexLog    = 4 * indexCheckpoint
)

// index is what filters find lines by. It is in a file of its own, so that it can be written beside the fold of the next
// transaction: it is a third of the work. So filters may be a transaction behind the tables, and what the index finds may
// be gone from them.
//
// Which lines a transaction changes is kept in the tables with it, in index_changes, and the index keeps the number of the
// transaction of which it was told last. So whatever a crash leaves is known: it is told again what it missed, or made
// anew from the log, see followTables.
type index struct {
	path string
	db   *sql.DB // one connection
	text []byte  // of a line
}

// indexed says of which tables the index is, and how far it follows them.
type indexed struct {
	id []byte
	n  int64
}

// changes is what a transaction changes, by the numbers of the lines.
type changes struct {
	n       int64         // of the transaction
	lines   []*line       // that are new
	dropped []droppedLine // that the index was told of before
	all     bool          // it is more than can be held: the index is made anew
}

// droppedLine is a line that goes.
type droppedLine struct {
	N    int64  `cbor:"1,keyasint"`
	Text string `cbor:"2,keyasint"` // that the index was told of it
}

// openIndex opens the file, or a new one where it can't be used: it can be made from the log.
func (m *Model) openIndex(ctx context.Context) error {
	x, err := openIndexAt(ctx, m.indexPath())
	if isUnfit(err) {
		if err := m.removeIndex(err); err != nil {
			return err
		}
		x, err = openIndexAt(ctx, m.indexPath())
	}
	m.index = x
	return err
}

// removeIndex removes the file, which nobody has open, because of what is wrong with it.
func (m *Model) removeIndex(wrong error) error {
	m.log.Warn("the index of the log can't be used: it is made anew", "err", wrong)
	if err := remove(m.indexPath()); err != nil {
		return fmt.Errorf("remove the index of the log: %w", err)
	}
	return nil
}

func openIndexAt(ctx context.Context, path string) (*index, error) {
	db, err := sql.Open("sqlite", dsnOf(path, "rwc", "wal_autocheckpoint(0)"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if err := makeTables(ctx, db, indexSchema, indexVersion); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &index{path: path, db: db}, nil
}

func (x *index) close() error { return x.db.Close() }

// place is how far the index is; sql.ErrNoRows where it isn't whole.
func (x *index) place(ctx context.Context) (p indexed, err error) {
	err = x.db.QueryRowContext(ctx, "SELECT id, n FROM index_place").Scan(&p.id, &p.n)
	return p, err
}

// apply tells the index of a transaction.
func (x *index) apply(ctx context.Context, c changes) error {
	return x.write(ctx, func(conn *sql.Conn) error {
		if err := x.change(ctx, conn, c); err != nil {
			return err
		}
		_, err := conn.ExecContext(ctx, "UPDATE index_place SET n = ?", c.n)
		return err
	})
}

// anew makes the index of lines that come in the order of their numbers. Where that ends with an error it is not whole.
func (x *index) anew(ctx context.Context, p indexed, chunks func(do func([]*line) error) error) error {
	err := x.write(ctx, func(conn *sql.Conn) error {
		_, err := conn.ExecContext(ctx, "DROP TABLE activity_index; DROP TABLE index_place;"+indexSchema)
		return err
	})
	if err != nil {
		return err
	}
	err = chunks(func(lines []*line) error {
		return x.write(ctx, func(conn *sql.Conn) error { return x.change(ctx, conn, changes{lines: lines}) })
	})
	if err != nil {
		return err
	}
	err = x.write(ctx, func(conn *sql.Conn) error {
		_, err := conn.ExecContext(ctx, "INSERT INTO index_place (one, id, n) VALUES (1, ?, ?)", p.id, p.n)
		return err
	})
	if err != nil {
		return err
	}
	// No power cut brings back the one before, whose number may come again.
	_, err = x.db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return err
}

// write does it in a transaction. What was written before is moved into the file first, because then few are reading
// what the file lacks.
func (x *index) write(ctx context.Context, do func(conn *sql.Conn) error) error {
	if err := x.move(ctx, indexCheckpoint); err != nil {
		return err
	}
	conn, err := x.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // it goes back to the pool
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err = do(conn); err == nil {
		_, err = conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK") // SQLite may have rolled back already
	}
	return err
}

// move moves what was written into the file where it is more than so many bytes.
func (x *index) move(ctx context.Context, most int64) error {
	if info, err := os.Stat(x.path + "-wal"); err != nil || info.Size() <= most {
		return nil //nolint:nilerr // then there is nothing to move
	}
	_, err := x.db.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)")
	return err
}

// change tells the index of lines in the order of their numbers, because it begins anew where one is less than the one
// before, and of the same number of what goes first.
func (x *index) change(ctx context.Context, conn *sql.Conn, c changes) error {
	insert := statement{query: "INSERT INTO activity_index (rowid, text) VALUES (?, ?)"}
	drop := statement{query: "INSERT INTO activity_index (activity_index, rowid, text) VALUES ('delete', ?, ?)"}
	defer insert.close(conn)
	defer drop.close(conn)
	return conn.Raw(func(raw any) error {
		dropped := c.dropped
		dropTo := func(n int64) error {
			for ; len(dropped) > 0 && dropped[0].N <= n; dropped = dropped[1:] {
				if _, err := drop.exec(ctx, raw, dropped[0].N, dropped[0].Text); err != nil {
					return err
				}
			}
			return nil
		}
		for _, l := range c.lines {
			if err := dropTo(l.n); err != nil {
				return err
			}
			x.text = l.appendIndexed(x.text[:0])
			if _, err := insert.exec(ctx, raw, l.n, string(x.text)); err != nil {
				return err
			}
		}
		return dropTo(math.MaxInt64)
	})
}

// sort brings what is to be told into its order.
func (c *changes) sort() {
	slices.SortStableFunc(c.lines, byNumber)
	slices.SortStableFunc(c.dropped, func(a, b droppedLine) int { return cmp.Compare(a.N, b.N) })
}

// beside is a connector whose connections to the tables can read the index too.
type beside struct {
	driver.Connector
	index string
}

func besideIndex(dsn, path string) (*sql.DB, error) {
	c, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(beside{c, "file:" + (&url.URL{Path: path}).EscapedPath() + "?mode=ro"}), nil
}

// Connect opens a connection.
func (b beside) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := b.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	e, ok := conn.(driver.ExecerContext)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%T can't run statements", conn), conn.Close())
	}
	if _, err := e.ExecContext(ctx, "ATTACH ? AS "+indexName, []driver.NamedValue{{Ordinal: 1, Value: b.index}}); err != nil {
		return nil, errors.Join(fmt.Errorf("open the index of the log: %w", err), conn.Close())
	}
	if _, err := e.ExecContext(ctx, "PRAGMA "+indexName+".cache_size = -16384", nil); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}
