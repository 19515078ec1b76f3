package model

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"net/netip"
	"slices"
	"strconv"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/config/networks"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/risk"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// rowsAtOnce is how many lines are written into the table at once: before the transaction ends, because messages are
// read meanwhile.
const rowsAtOnce = 256

// log holds the lines of the open transaction until it ends: the index is told of them then.
type log struct {
	lines   []*line                  // without a row yet
	rows    []*line                  // with one
	dropped []droppedLine            // of transactions before, that this one took out
	events  map[dedup.EventKey]*line // of lines and rows
	before  map[dedup.EventKey]*line // of the transaction before, which the index may not have yet
	all     bool                     // there were more than can be held: the index is made anew
}

func newLog() log { return log{events: map[dedup.EventKey]*line{}, before: map[dedup.EventKey]*line{}} }

// handed begins another transaction.
func (g *log) handed() {
	g.before, g.events = g.events, g.before
	clear(g.events)
	g.rows, g.dropped, g.all = nil, nil, false
}

// leave forgets the rows of a transaction that takes in a whole log.
func (g *log) leave() {
	g.all = true
	clear(g.events)
	g.rows = g.rows[:0]
}

// scribe makes of lines what needs no table. Nothing of it changes, so that it may work ahead of the fold.
type scribe struct {
	seed   maphash.Seed // of the terms' hashes: nobody can find two texts with one hash
	places *networks.Places
}

func newScribe() scribe {
	return scribe{seed: maphash.MakeSeed()}
}

// line is an activity, or an alert, on its way into the log.
type line struct {
	record
	n     int64
	name  int64 // names.n
	alert int64 // alerts.n
	terms numbered
	early // what could be made of it ahead

	stored, gone bool // it has a row; it was taken out of the log again
}

// early is what of a line can be made without the tables.
type early struct {
	data   []byte // the record, encoded; nil where it isn't made yet, or isn't so any more
	words  []byte // for the index
	hashes *hashed
	deed   *risk.Activity // but for whose it is
}

// prepare makes the lines of a message's activities. What is a health message, or wasn't understood, is no line of
// the log, which says what people did: those are with the alerts' services and in the stream. Nor is what came again.
func (s scribe) prepare(m *stream.Message) (lines []*line, err error) {
	lines = make([]*line, len(m.Entries))
	records := make([]byte, 0, m.Size/2) // of all of them
	for i, e := range m.Entries {
		if e.Kind != stream.Notification || e.Match.Alert != "" || e.Notification.Kind != formats.Activity || e.Match.Relation == dedup.Resend {
			continue
		}
		l := lineOf(e)
		from := len(records)
		if records, err = l.appendRecord(records); err != nil {
			return nil, err
		}
		deed := risk.ActivityOf(&e.Notification, "", e.Time, s.locate)
		l.early = early{data: records[from:len(records):len(records)], words: appendWords(nil, l.texts()), hashes: s.hash(l), deed: &deed}
		lines[i] = l
	}
	return lines, nil
}

func (s scribe) locate(a netip.Addr) risk.Network { return risk.Network(s.places.Find(a)) }

// write takes a line into the log.
func (f *folder) write(l *line) {
	if f.m.daily != nil {
		return // nobody asks a Scoring what was done
	}
	f.log.lines = append(f.log.lines, l)
	f.log.events[l.Event] = l
}

func byNumber(a, b *line) int { return cmp.Compare(a.n, b.n) }

// insertRows writes the lines that have no row yet.
func (f *folder) insertRows(ctx context.Context) error {
	f.log.lines = slices.DeleteFunc(f.log.lines, isGone)
	slices.SortStableFunc(f.log.lines, byNumber)
	if err := f.learnLines(ctx); err != nil {
		return err
	}
	err := f.conn.Raw(func(conn any) error {
		for _, l := range f.log.lines {
			if err := f.insertLine(ctx, conn, l); err != nil {
				return fmt.Errorf("write line %s: %w", l.Event, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	f.log.rows = append(f.log.rows, f.log.lines...)
	clear(f.log.lines)
	f.log.lines = f.log.lines[:0]
	return nil
}

// unwrite takes a line of the open transaction out of the log again. It is only marked, because somebody may send
// thousands that are told anew.
func (f *folder) unwrite(ctx context.Context, l *line) error {
	l.gone = true
	delete(f.log.events, l.Event)
	if !l.stored {
		return nil
	}
	f.count(&l.terms, -1)
	return f.exec(ctx, "DELETE FROM activities WHERE n = ?", l.n)
}

func isGone(l *line) bool { return l.gone }

const insertRow = "INSERT INTO activities (n, combination, agent, ip, device, object, policy, name, alert, kind, severity, failed, admin, id, data) " +
	"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"

func (f *folder) insertLine(ctx context.Context, conn any, l *line) error {
	if l.data == nil {
		var err error
		if l.data, err = l.appendRecord(nil); err != nil {
			return err
		}
	}
	if err := f.insertRow(ctx, conn, l); err != nil {
		return err
	}
	l.stored = true
	f.count(&l.terms, 1)
	l.early = early{words: l.words} // the rest isn't needed any more, and there are many
	return nil
}

// insertRow writes the row under the line's number, or the next one that is free, in the same millisecond if
// there is one: steps of this width come by all of them.
func (f *folder) insertRow(ctx context.Context, conn any, l *line) error {
	const step, tries = 0x9e375, 100
	t := &l.terms
	for try := 1; ; try++ {
		r, err := f.insertLog.exec(ctx, conn, l.n, t.combination, t.agent,
			numbers(t.many[0]), numbers(t.many[1]), numbers(t.many[2]), numbers(t.many[3]),
			l.name, l.alert, l.Kind == formats.Alert, int64(l.Severity), l.Failed, l.Admin, filter.Fold(l.ID), l.data)
		if err != nil {
			return err
		}
		if done, err := r.RowsAffected(); err != nil || done > 0 {
			return err
		}
		l.n = l.n&^(serialBound-1) | (l.n+step)&(serialBound-1)
		if try%tries == 0 {
			l.n += serialBound // a millisecond later
		}
	}
}

// numbers writes a list of terms as JSON.
func numbers(list []int64) string {
	b := append(make([]byte, 0, 12*len(list)+2), '[')
	for i, n := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, n, 10)
	}
	return string(append(b, ']'))
}

// replace gives a line the place of the one of the same ID that the event told, if there is one, and takes that out
// of the log.
func (f *folder) replace(ctx context.Context, l *line, event dedup.EventKey) error {
	l.Event, l.data = event, nil
	if old := f.log.events[event]; old != nil {
		l.n = old.n
		l.match(old.Matched)
		return f.unwrite(ctx, old)
	}
	found, err := f.numbersByID(ctx, l.ID, event)
	if err != nil {
		return err
	}
	for _, n := range found {
		old, err := f.readLine(ctx, n)
		if err != nil {
			return err
		}
		if old != nil && old.Event == event {
			l.n, l.alert = n, old.alert
			l.match(old.Matched)
			return f.deleteLine(ctx, old)
		}
	}
	return nil
}

// numbersByID gives the numbers of lines of transactions before that may be the one of that ID and event.
func (f *folder) numbersByID(ctx context.Context, id string, event dedup.EventKey) ([]int64, error) {
	if l := f.log.before[event]; l != nil {
		return []int64{l.n}, nil
	}
	s, err := f.stmt(ctx, "SELECT a.n FROM activity_index i CROSS JOIN activities a ON a.n = i.rowid WHERE i.activity_index MATCH ? AND a.id = ?")
	if err != nil {
		return nil, err
	}
	return readNumbers(s.QueryContext(ctx, phrase(tokensOf(letterID, []int64{hashOf(id)})...), filter.Fold(id)))
}

func readNumbers(rows *sql.Rows, err error) ([]int64, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // what is wrong, Err says
	var out []int64
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, rows.Err()
}

// lineColumns are what readLines reads.
const lineColumns = "n, combination, agent, ip, device, object, policy, name, alert, data"

// readLines reads lines as they were when they were written.
func readLines(rows *sql.Rows, err error) ([]*line, error) {
	if err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	defer rows.Close() //nolint:errcheck // what is wrong, Err says
	var out []*line
	for rows.Next() {
		l, err := scanRow(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, rows.Err()
}

func scanRow(rows *sql.Rows) (*line, error) {
	l := &line{stored: true}
	t := &l.terms
	var many [4]string
	var data sql.RawBytes
	err := rows.Scan(&l.n, &t.combination, &t.agent,
		&many[0], &many[1], &many[2], &many[3], &l.name, &l.alert, &data)
	if err == nil {
		err = l.decode(data)
	}
	if err != nil {
		return nil, fmt.Errorf("read a line of the log: %w", err)
	}
	for i := range many {
		if err := json.Unmarshal([]byte(many[i]), &t.many[i]); err != nil {
			return nil, fmt.Errorf("read the terms of line %d: %w", l.n, err)
		}
	}
	return l, nil
}

// readLine reads a line of the log, be it of the open transaction or before it; nil where there is none.
func (f *folder) readLine(ctx context.Context, n int64) (*line, error) {
	s, err := f.stmt(ctx, "SELECT "+lineColumns+" FROM activities WHERE n = ?")
	if err != nil {
		return nil, err
	}
	lines, err := readLines(s.QueryContext(ctx, n))
	if err != nil || len(lines) == 0 {
		return nil, err
	}
	return lines[0], nil
}

// deleteLine takes a line that was read out of the log. The index has to be told what it was told before.
func (f *folder) deleteLine(ctx context.Context, l *line) error {
	if own := f.log.events[l.Event]; own != nil && own.n == l.n {
		return f.unwrite(ctx, own)
	}
	f.count(&l.terms, -1)
	f.log.dropped = append(f.log.dropped, droppedLine{l.n, string(l.appendIndexed(nil))})
	return f.exec(ctx, "DELETE FROM activities WHERE n = ?", l.n)
}
