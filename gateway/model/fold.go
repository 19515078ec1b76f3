package model

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-siem/sluice/gateway/stream"
)

const (
	batchEntries = 4096                   // are folded in one transaction, or some more, as a message is never cut: many more would keep the disk from the stream
	batchBytes   = 64 << 20               // of messages, likewise
	pause        = 100 * time.Millisecond // between two transactions at the end of the stream, so that each has something to do
)

// follow folds what the stream has and what comes.
func (m *Model) follow(ctx context.Context) error {
	f, err := m.newFolder(ctx)
	if err != nil {
		return err
	}
	defer f.close()
	if err := f.learnPast(ctx); err != nil {
		return err
	}
	for {
		if err := f.heed(ctx); err != nil {
			return err
		}
		if err := f.await(ctx); err != nil {
			return err
		}
		if err := m.awaitRoom(ctx); err != nil {
			return err
		}
		if err := f.catchUp(ctx); err != nil {
			return err
		}
		if err := m.raise(ctx, f); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// await waits until the stream has more, or it is time to look whether the directory file has changed.
func (f *folder) await(ctx context.Context) error {
	short, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	err := f.m.options.Stream.Await(short, f.place.sequence)
	if err != nil && short.Err() != nil && ctx.Err() == nil {
		return nil
	}
	return err
}

// roomLook is how often it is looked whether there is room on the disk again.
const roomLook = time.Second

// room is an error while the model may write nothing.
func (m *Model) room() error {
	if m.options.Room == nil {
		return nil
	}
	return m.options.Room()
}

// awaitRoom waits until the model may write.
func (m *Model) awaitRoom(ctx context.Context) error {
	err := m.room()
	if err == nil {
		return nil
	}
	m.log.Error("the model takes in nothing more, to leave the disk to the stream", "err", err)
	for ; err != nil; err = m.room() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(roomLook):
		}
	}
	m.log.Info("the disk has room again, and the model goes on")
	return nil
}

// folder folds entries into the tables, in transactions of its own. It is one goroutine's.
type folder struct {
	m          *Model
	conn       *sql.Conn
	statements map[string]*sql.Stmt
	place      place // with the transaction that is open
	entries    int   // in it
	bytes      int   // of the messages in it
	open       bool
	stop       func() error // says whether it is to stop
	scribe     scribe
	terms      terms
	log        log
	insertLog  statement
	insertTerm statement
	changed    int64      // number of the last transaction that changed lines
	following  chan error // what became of telling the index, nil where it isn't being told
	turn       turn
	people     people
	priority   *priority
	policies   *book           // nil until they are read
	asked      map[string]bool // alerts of our own that the gateway was asked for
}

func (m *Model) newFolder(ctx context.Context) (*folder, error) {
	conn, err := m.writer.Conn(ctx)
	if err != nil {
		return nil, err
	}
	f := &folder{
		m: m, conn: conn, statements: map[string]*sql.Stmt{}, insertLog: statement{query: insertRow}, insertTerm: statement{query: insertTerm},
		scribe: newScribe(), asked: map[string]bool{}, stop: ctx.Err, turn: m.turn(),
	}
	if f.place, err = placeOf(ctx, conn); err == nil {
		err = conn.QueryRowContext(ctx, "SELECT n FROM index_changes").Scan(&f.changed)
	}
	if err == nil {
		err = m.followTables(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	f.forget()
	if f.priority, err = f.newPriority(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	m.arrived(f.place.end())
	return f, nil
}

func (f *folder) close() {
	f.rollback()
	_ = f.followed() // where it isn't, the next folder sees to it
	f.insertLog.close(f.conn)
	f.insertTerm.close(f.conn)
	for _, s := range f.statements {
		_ = s.Close() // with the connection
	}
	_ = f.conn.Close() // nothing is left to write
}

// forget empties what is remembered of the tables, which a rollback may have made wrong.
func (f *folder) forget() {
	f.terms, f.log, f.people, f.policies = newTerms(f.scribe.seed), newLog(), f.newPeople(), nil
}

// catchUp folds up to what is the end of the stream now.
func (f *folder) catchUp(ctx context.Context) error {
	defer f.turn.give()
	defer f.rollback()
	stopped, reading := ctx.Done(), ctx // while the stream can't be opened anew, a read ends with the gateway alone
	ctx = context.WithoutCancel(ctx)    // or the driver starts a goroutine for each statement, to interrupt it
	first, _ := f.m.options.Stream.Bounds()
	if next := f.place.sequence + 1; next < first {
		if err := f.gap(ctx, next, first-1); err != nil {
			return err
		}
	}
	for r := range f.readAhead(f.m.options.Stream.Salvage(reading, f.place.sequence+1)) {
		message, err := r.message, r.err
		switch {
		case message == nil:
			return err
		case err != nil:
			err = f.gap(ctx, message.Sequence, message.Sequence)
		case message.Sequence > f.place.sequence+1: // purged while we read
			err = errors.Join(f.gap(ctx, f.place.sequence+1, message.Sequence-1), f.message(ctx, r))
		default:
			err = f.message(ctx, r)
		}
		if err == nil && (f.entries >= batchEntries || f.bytes >= batchBytes) {
			err = f.commit(ctx)
		}
		if err == nil && f.m.options.Pressed != nil && f.m.options.Pressed() {
			err = f.makeWay(ctx, stopped)
		}
		if err == nil {
			err = f.stop()
		}
		if err != nil {
			return err
		}
		if f.m.room() != nil {
			break // what is folded is kept, and awaitRoom says why
		}
	}
	f.turn.take()
	if err := f.commit(ctx); err != nil {
		return err
	}
	return f.followed()
}

// breather is how long the model waits behind each message while the forwarding is hard pressed. A message takes a
// tenth of it: the model goes on, or it would never show an alert in a flood.
const breather = 300 * time.Millisecond

// makeWay leaves the processors to the forwarding for a while.
func (f *folder) makeWay(ctx context.Context, stopped <-chan struct{}) error {
	if err := f.commit(ctx); err != nil {
		return err
	}
	f.turn.without(func() {
		select {
		case <-stopped:
		case <-time.After(breather):
		}
	})
	return nil
}

// gap notes messages that are not to be had any more.
func (f *folder) gap(ctx context.Context, first, last uint64) error {
	f.m.log.Error("the model misses a part of the stream, which is gone: alerts and activities of that time may be missing",
		"first", first, "last", last)
	if err := f.begin(ctx); err != nil {
		return err
	}
	f.place.sequence, f.place.hash = last, stream.Hash{}
	return f.exec(ctx, "INSERT INTO gaps (first, last, noticed) VALUES (?, ?, ?) ON CONFLICT (first) DO UPDATE SET last = max(last, excluded.last)",
		first, last, millis(f.place.time))
}

func (f *folder) message(ctx context.Context, r prepared) error {
	m := r.message
	if err := f.begin(ctx); err != nil {
		return err
	}
	for i, e := range m.Entries {
		if err := f.stop(); err != nil { // a message of alerts takes a while, and what isn't committed is folded again
			return err
		}
		if err := f.entry(ctx, e, r.lines[i]); err != nil {
			return fmt.Errorf("fold entry %d of message %d: %w", e.At.Index, e.At.Sequence, err)
		}
		f.place.time = later(f.place.time, e.Time)
	}
	if len(f.log.lines) >= rowsAtOnce {
		if err := f.insertRows(ctx); err != nil {
			return err
		}
	}
	f.place.time = later(f.place.time, r.until)
	f.entries += len(m.Entries)
	f.bytes += m.Size
	f.place.sequence, f.place.hash = m.Sequence, m.Hash
	return nil
}

// entry folds one entry, of which l is the line if it is an activity.
func (f *folder) entry(ctx context.Context, e *stream.Entry, l *line) error {
	if !f.m.limited() {
		if e.Act != nil {
			if err := f.audit(ctx, e); err != nil {
				return err
			}
		}
		return f.whole(ctx, e, l)
	}
	was, fold, err := f.limit(ctx, e)
	if err != nil || !fold {
		return err
	}
	if err := f.whole(ctx, e, l); err != nil {
		return err
	}
	return f.settle(ctx, was, e.Match.Alert)
}

// whole folds an entry as it is.
func (f *folder) whole(ctx context.Context, e *stream.Entry, l *line) error {
	if err := f.priority.until(ctx, e.Time); err != nil {
		return err
	}
	if err := f.told(ctx, e, l); err != nil {
		return err
	}
	return f.priority.follow(ctx)
}

func (f *folder) told(ctx context.Context, e *stream.Entry, l *line) error {
	if e.Kind == stream.Acted {
		return f.act(ctx, e)
	}
	if e.Match.Alert != "" {
		if err := f.alert(ctx, e); err != nil {
			return err
		}
		return f.witness(ctx, e)
	}
	if l != nil {
		return f.activity(ctx, e, l)
	}
	return nil
}

func (f *folder) begin(ctx context.Context) error {
	if f.open {
		return nil
	}
	_, err := f.conn.ExecContext(ctx, "BEGIN") // an IMMEDIATE one would hold on to what the index was when it began
	f.open = err == nil
	return err
}

// commit makes what was folded, and the place, durable as far as SQLite in WAL mode does: what a power cut takes is
// folded again.
func (f *folder) commit(ctx context.Context) error {
	if !f.open {
		return nil
	}
	if err := f.insertRows(ctx); err != nil {
		return err
	}
	if err := f.people.flush(ctx); err != nil {
		return err
	}
	if err := f.flushPolicies(ctx); err != nil {
		return err
	}
	if err := f.priority.flush(ctx, time.Now()); err != nil {
		return err
	}
	if err := f.retain(ctx); err != nil {
		return err
	}
	if err := f.flushTerms(ctx); err != nil {
		return err
	}
	changes, err := f.changes(ctx)
	if err != nil {
		return err
	}
	if err := f.exec(ctx, "INSERT INTO place (one, sequence, hash, time) VALUES (1, ?, ?, ?) ON CONFLICT (one) DO UPDATE "+
		"SET sequence = excluded.sequence, hash = excluded.hash, time = excluded.time",
		f.place.sequence, f.place.hash[:], millis(f.place.time)); err != nil {
		return err
	}
	if _, err := f.conn.ExecContext(ctx, "COMMIT"); err != nil {
		return err
	}
	f.m.wrote(f.entries)
	f.open, f.entries, f.bytes = false, 0, 0
	f.priority.publish()
	f.hand(changes)
	return nil
}

// rollback gives up the open transaction, if there is one. Whoever gets an error begins with a new folder.
func (f *folder) rollback() {
	if f.priority != nil {
		f.priority.settle() // or it would tell the next folder's scorer
	}
	if !f.open {
		return
	}
	_, _ = f.conn.ExecContext(context.Background(), "ROLLBACK") // SQLite may have rolled back already
	f.open, f.entries, f.bytes = false, 0, 0
}

// stmt prepares a statement once for the connection.
func (f *folder) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s := f.statements[query]; s != nil {
		return s, nil
	}
	s, err := f.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", query, err)
	}
	f.statements[query] = s
	return s, nil
}

func (f *folder) exec(ctx context.Context, query string, args ...any) error {
	s, err := f.stmt(ctx, query)
	if err != nil {
		return err
	}
	if _, err := s.ExecContext(ctx, args...); err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	return nil
}

// insert is exec that returns the number of the new row.
func (f *folder) insert(ctx context.Context, query string, args ...any) (int64, error) {
	s, err := f.stmt(ctx, query)
	if err != nil {
		return 0, err
	}
	r, err := s.ExecContext(ctx, args...)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", query, err)
	}
	return r.LastInsertId()
}

// row reads one row into dest; false where there is none.
func (f *folder) row(ctx context.Context, query string, args []any, dest ...any) (bool, error) {
	s, err := f.stmt(ctx, query)
	if err != nil {
		return false, err
	}
	switch err := s.QueryRowContext(ctx, args...).Scan(dest...); {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("%s: %w", query, err)
	}
	return true, nil
}

// column reads a column of texts.
func (f *folder) column(ctx context.Context, query string, args ...any) ([]string, error) {
	s, err := f.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(ctx, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", query, err)
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	var out []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, fmt.Errorf("%s: %w", query, err)
		}
		out = append(out, text)
	}
	return out, rows.Err()
}
