package model

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/fxamacker/cbor/v2"
)

// storedChanges is what index_changes has of a transaction: the new lines are in the log.
type storedChanges struct {
	Lines   []int64       `cbor:"1,keyasint"`
	Dropped []droppedLine `cbor:"2,keyasint"`
}

// changes takes what the open transaction changes to tell the index after it, and writes it into the tables. It waits until
// the index was told of the transaction before.
func (f *folder) changes(ctx context.Context) (changes, error) {
	if err := f.followed(); err != nil {
		return changes{}, err
	}
	f.log.rows = slices.DeleteFunc(f.log.rows, isGone)
	c := changes{n: f.changed + 1, lines: f.log.rows, dropped: f.log.dropped, all: f.log.all}
	if len(c.lines)+len(c.dropped) == 0 && !c.all {
		return changes{n: f.changed}, nil
	}
	c.sort()
	var again storedChanges
	if c.all {
		c.n++ // as if another one had gone before it, which nobody can tell the index of any more
	} else {
		again.Dropped, again.Lines = c.dropped, make([]int64, len(c.lines))
		for i, l := range c.lines {
			again.Lines[i] = l.n
		}
	}
	data, err := cbor.Marshal(again)
	if err != nil {
		return c, fmt.Errorf("write what the index is to be told: %w", err)
	}
	return c, f.exec(ctx, "UPDATE index_changes SET n = ?, data = ?", c.n, data)
}

// hand has the index told of the transaction that was committed, while the next one is folded. Then it is known that the
// model has come so far.
func (f *folder) hand(c changes) {
	at := f.place.end()
	f.log.handed()
	if c.n == f.changed {
		f.m.arrived(at)
		return
	}
	f.changed = c.n
	// Nobody writes the index now, and the fold doesn't read it: its log can begin anew, which it doesn't while somebody
	// needs what is in it.
	if err := f.m.index.move(context.Background(), mostIndexLog); err != nil {
		f.m.log.Warn("what the index of the log wrote can't be moved into its file", "err", err)
	}
	following := make(chan error, 1)
	f.following = following
	go func() {
		var err error
		if c.all {
			err = f.m.followTables(context.Background())
		} else {
			turn := f.m.turn()
			turn.take()
			err = f.m.index.apply(context.Background(), c)
			turn.give()
		}
		if err != nil {
			following <- fmt.Errorf("write the index of the log: %w", err)
			return
		}
		f.m.arrived(at)
		following <- nil
	}()
}

// followed waits until the index was told of all that was handed to it.
func (f *folder) followed() error {
	if f.following == nil {
		return nil
	}
	var err error
	f.turn.without(func() { err = <-f.following })
	f.following = nil
	return err
}

// followTables brings the index to where the tables are. Nobody folds meanwhile.
func (m *Model) followTables(ctx context.Context) error {
	var tables indexed
	var data []byte
	if err := m.reader.QueryRowContext(ctx, "SELECT id, n, data FROM index_changes").Scan(&tables.id, &tables.n, &data); err != nil {
		return fmt.Errorf("read what the index of the log was told: %w", err)
	}
	has, err := m.index.place(ctx)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read how far the index of the log is: %w", err)
	}
	ours := err == nil && bytes.Equal(has.id, tables.id)
	if ours && has.n == tables.n {
		return nil
	}
	if ours && has.n == tables.n-1 {
		if err = m.applyAgain(ctx, tables.n, data); err == nil || ctx.Err() != nil {
			return err
		}
	}
	if tables.n > 0 {
		if err == nil {
			err = errors.New("it isn't where the tables are")
		}
		m.log.Warn("the index of the log is made anew, which takes some seconds for each 100,000 activities", "why", err)
	}
	err = m.index.anew(ctx, tables, func(do func([]*line) error) error { return m.eachLine(ctx, do) })
	if err != nil {
		return fmt.Errorf("make the index of the log anew: %w", err)
	}
	return nil
}

// applyAgain tells the index of the last transaction, which a crash kept from it.
func (m *Model) applyAgain(ctx context.Context, n int64, data []byte) error {
	var again storedChanges
	if err := m.codec.dec.Unmarshal(data, &again); err != nil {
		return fmt.Errorf("read what the index of the log missed: %w", err)
	}
	c := changes{n: n, dropped: again.Dropped}
	for some := range slices.Chunk(again.Lines, rowsAtOnce) {
		lines, err := readLines(m.reader.QueryContext(ctx, "SELECT "+lineColumns+" FROM activities WHERE n IN (SELECT value FROM json_each(?)) ORDER BY n", jsonOf(some)))
		if err != nil {
			return err
		}
		c.lines = append(c.lines, lines...)
	}
	c.sort()
	return m.index.apply(ctx, c)
}

// eachLine reads all lines of the log in the order of their numbers.
func (m *Model) eachLine(ctx context.Context, do func([]*line) error) error {
	last := int64(-1)
	for {
		lines, err := readLines(m.reader.QueryContext(ctx, "SELECT "+lineColumns+" FROM activities WHERE n > ? ORDER BY n LIMIT ?", last, batchEntries/4))
		if err != nil || len(lines) == 0 {
			return err
		}
		if err := do(lines); err != nil {
			return err
		}
		last = lines[len(lines)-1].n
	}
}
