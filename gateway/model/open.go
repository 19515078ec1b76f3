package model

import (
	"context"
	"database/sql"
	_ "embed" // schema.sql
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"regexp"
	"time"

	"github.com/sluice-siem/sluice/gateway/stream"
)

//go:embed schema.sql
var schema string

// schemaVersion grows with every change of schema.sql or of what is folded into it.
const schemaVersion = 5

// added is what came to that version later. A file of another version is made anew, and loses what the stream no longer has:
// that isn't worth an index.
const added = "CREATE INDEX IF NOT EXISTS name_claims_account ON name_claims (account)"

// readers is how many queries run at once.
const readers = 4

func (m *Model) open(ctx context.Context) error {
	if err := os.MkdirAll(m.options.Dir, 0o700); err != nil {
		return err
	}
	if err := m.openFiles(ctx); err != nil {
		return err
	}
	wrong := m.followTables(ctx)
	if wrong == nil {
		return nil
	}
	wrong = errors.Join(wrong, m.Close())
	if ctx.Err() != nil {
		return wrong
	}
	if err := m.removeIndex(wrong); err != nil {
		return err
	}
	if err := m.openFiles(ctx); err != nil {
		return err
	}
	err := m.followTables(ctx)
	if isDamage(err) {
		damage := err
		m.mend = func() error { return m.takeAway(ctx, damage) }
		err = fmt.Errorf("%w: %w", ErrDamaged, damage)
	}
	if err != nil {
		return errors.Join(err, m.Close())
	}
	return nil
}

// openFiles opens the index before the tables, whose connections read it too.
func (m *Model) openFiles(ctx context.Context) error {
	if err := m.openIndex(ctx); err != nil {
		return err
	}
	if err := m.openTables(ctx); err != nil {
		return errors.Join(err, m.index.close())
	}
	return nil
}

// openTables begins anew where the file itself is wrong. Where it merely can't be read now it stays as it is.
func (m *Model) openTables(ctx context.Context) error {
	restored := false
	if _, err := os.Stat(m.path()); errors.Is(err, fs.ErrNotExist) {
		if restored, err = m.fromSnapshot(ctx); err != nil {
			return err
		}
	}
	err := m.openProved(ctx)
	if !restored && isUnfit(err) {
		m.log.Warn("the model can't be used: it is set aside and made anew, from its snapshot if that fits, and from the stream; "+
			"alerts, closures and audit lines that are older than both are in the file that is set aside, and nowhere else",
			"set_aside", m.path()+aside, "err", err)
		if err := SetAside(m.path()); err != nil {
			return err
		}
		if restored, err = m.fromSnapshot(ctx); err != nil {
			return err
		}
		err = m.openProved(ctx)
	}
	if restored && isUnfit(err) {
		m.log.Warn("the model's snapshot can't be used either", "err", err)
		if err := remove(m.path()); err != nil { // setting it aside would take the place of what was set aside before
			return err
		}
		err = m.openProved(ctx)
	}
	return err
}

// openProved opens the file, makes its tables where it is new, and proves its place by the stream.
func (m *Model) openProved(ctx context.Context) error {
	var err error
	if m.writer, err = besideIndex(m.dsn("rwc"), m.indexPath()); err != nil {
		return err
	}
	m.writer.SetMaxOpenConns(1)
	err = m.prepare(ctx)
	if err == nil {
		m.reader, err = besideIndex(m.dsn("ro"), m.indexPath())
	}
	if err == nil {
		m.mover, err = sql.Open("sqlite", m.dsn("rw"))
	}
	if err != nil {
		return errors.Join(err, m.writer.Close())
	}
	m.reader.SetMaxOpenConns(readers)
	m.mover.SetMaxOpenConns(1)
	return nil
}

// dsn names the file and what each connection is told first.
func (m *Model) dsn(mode string) string {
	return dsnOf(m.path(), mode, "wal_autocheckpoint(64000)") // pages; before that checkpoints does it beside the fold
}

func dsnOf(path, mode string, more ...string) string {
	q := url.Values{"mode": {mode}, "_txlock": {"immediate"}}
	pragmas := append([]string{"busy_timeout(10000)", "synchronous(normal)", "temp_store(memory)", "foreign_keys(off)", "cache_size(-16384)"}, more...)
	if mode == "ro" {
		pragmas = append(pragmas, "mmap_size(268435456)") // what is asked for is read once; the writer has its cache
	} else {
		pragmas = append(pragmas, "journal_mode(wal)") // else it is one already
	}
	for _, p := range pragmas {
		q.Add("_pragma", p)
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

func (m *Model) prepare(ctx context.Context) error {
	if err := makeTables(ctx, m.writer, schema, schemaVersion); err != nil {
		return err
	}
	if _, err := m.writer.ExecContext(ctx, added); err != nil {
		return fmt.Errorf("add to the tables: %w", err)
	}
	p, err := placeOf(ctx, m.writer)
	if err != nil {
		return err
	}
	if m.options.Stream != nil { // else it is a new one, for a Scoring
		if err := m.prove(ctx, p); err != nil {
			return err
		}
	}
	m.at = p.end()
	return m.recall(ctx, p)
}

// makeTables makes the tables where the file is new, and refuses those of another version.
func makeTables(ctx context.Context, db *sql.DB, schema string, known int) error {
	var version int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	switch version {
	case known:
		return complete(ctx, db, schema)
	case 0:
		if _, err := db.ExecContext(ctx, "BEGIN IMMEDIATE;"+schema+fmt.Sprintf("PRAGMA user_version = %d; COMMIT", known)); err != nil {
			return fmt.Errorf("make the tables: %w", err)
		}
		return nil
	}
	return unfit{fmt.Errorf("the tables have version %d, this program knows %d", version, known)}
}

// complete says whether every table of a schema is there: where one is missing, nothing that SQLite says of a query tells that from
// an error of ours.
func complete(ctx context.Context, q querier, schema string) error {
	for _, table := range regexp.MustCompile(`CREATE (?:VIRTUAL )?TABLE (\w+)`).FindAllStringSubmatch(schema, -1) {
		var there bool
		err := q.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?)", table[1]).Scan(&there)
		if err != nil {
			return fmt.Errorf("look for tables: %w", err)
		}
		if !there {
			return unfit{fmt.Errorf("the table %s is missing", table[1])}
		}
	}
	return nil
}

// prove says whether the model is of this stream. One that the stream has left behind can't be proved and is
// kept: it shows its gap.
func (m *Model) prove(ctx context.Context, p place) error {
	first, last := m.options.Stream.Bounds()
	if p.sequence > last {
		return unfit{fmt.Errorf("it has seen message %d, the stream ends at %d", p.sequence, last)}
	}
	if p.sequence < first {
		return nil
	}
	err := m.options.Stream.Prove(ctx, p.sequence, p.hash)
	switch {
	case errors.Is(err, stream.ErrPurged):
		return nil
	case errors.Is(err, stream.ErrMismatch), errors.Is(err, stream.ErrNotYet), errors.Is(err, stream.ErrLost), errors.Is(err, stream.ErrFormat):
		return unfit{err}
	}
	return err
}

// place is how far the stream is folded.
type place struct {
	sequence uint64
	hash     stream.Hash
	time     time.Time
}

// end is after every entry of the message.
func (p place) end() stream.Position {
	if p.sequence == 0 {
		return stream.Position{}
	}
	return stream.Position{Sequence: p.sequence, Index: 1 << 30}
}

// querier is a connection, a pool of them or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func placeOf(ctx context.Context, q querier) (place, error) {
	var p place
	var hash []byte
	var ms int64
	err := q.QueryRowContext(ctx, "SELECT sequence, hash, time FROM place").Scan(&p.sequence, &hash, &ms)
	if errors.Is(err, sql.ErrNoRows) {
		return place{}, nil
	}
	if err == nil && len(hash) != len(p.hash) {
		err = unfit{fmt.Errorf("the hash of its place has %d bytes", len(hash))}
	}
	copy(p.hash[:], hash)
	p.time = instant(ms)
	return p, err
}

// millis is t as the tables have it; 0 for no time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// instant reads what millis wrote.
func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
