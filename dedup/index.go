package dedup

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats/catalog"
)

// Index is the state of recognition in Badger. It has one user at a time, the decider; what others may
// call beside it says so.
type Index struct {
	dir      string
	db       *badger.DB
	scale    scale
	services config.Services
	remember config.Remember
	window   time.Duration
	effort   int // mostEffort, but in tests
	codec    codec
	room     room // for those who write, which is the decider alone

	recent     recent
	activities activities
	alerts     alerts
	shelves    shelves
	waiting    waiting      // committed
	held       atomic.Int64 // waiting.count, for those beside the decider
	rhythms    atomic.Pointer[rhythms]
}

// waiting is what is known of the held notifications without looking. Badger keeps what was removed for
// a long time as something to step over, so nobody looks where nothing is any more.
type waiting struct {
	due   time.Time // when the first hold ends; zero where nothing is held
	stale bool      // due has to be looked up again
	floor []byte    // no key of the table lies before it; nil: its beginning
	count int
	moved bool // by this batch: not committed yet
}

// Open opens the state in dir, or in memory where dir is empty. The error names dir.
//
// # Decisions
//
// Commits are not synced: the state is a fold of the stream, committed with the sequence it has
// seen, so after a crash it reads on from there.
func Open(dir string, c config.Config) (*Index, error) { return open(dir, c, manyRead) }

// manyRead is of so many activities on that the files are opened anew after they were read. Badger maps its files, so that
// what was read once counts as our memory until then: 57 MiB a million.
const manyRead = 1 << 20

func open(dir string, c config.Config, many int) (*Index, error) {
	cat, err := catalog.New()
	if err != nil {
		return nil, err
	}
	codec, err := newCodec()
	if err != nil {
		return nil, err
	}
	// Memtables of 16 MiB instead of 64 halve the memory; a batch needs a tenth of one. With Badger's compression, to which
	// [codec] leaves nothing, whatever makes a table takes twice the memory, and keeps it while a flood lasts. Two levels of
	// tables instead of three cost a flood fewer compactions; 640 MiB have room in them, which is more than is usual.
	how := badger.DefaultOptions(dir).WithInMemory(dir == "").WithLogger(nil).
		WithMemTableSize(16 << 20).WithNumMemtables(2).WithBaseLevelSize(64 << 20).
		WithCompression(options.None).WithBlockCacheSize(0).
		WithValueLogFileSize(64 << 20).WithDetectConflicts(false).WithNumCompactors(2).
		WithMetricsEnabled(false)
	if dir != "" {
		if err := errors.Join(removeEmpty(dir), roomForFiles(dir), roomOnDisk(dir)); err != nil {
			return nil, err
		}
	}
	x := &Index{
		dir:      dir,
		scale:    scale{catalog: cat, directory: newDirectory(c.Organisation), config: c.Dedup, services: c.Services},
		services: c.Services,
		remember: c.Dedup.Remember,
		window:   c.Dedup.Window,
		effort:   mostEffort,
		codec:    codec,
	}
	if err := x.open(how); err != nil {
		return nil, err
	}
	if err := errors.Join(x.countHeld(), x.readRhythms(), x.readActivities()); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	if dir != "" && x.activities.count >= many {
		if err := x.Close(); err != nil {
			return nil, err
		}
		if err := x.open(how); err != nil {
			return nil, err
		}
	}
	return x, nil
}

func (x *Index) open(how badger.Options) error {
	db, err := badger.Open(how)
	if err != nil {
		return fmt.Errorf("open state %s: %w", x.dir, err)
	}
	x.db = db
	return nil
}

// closing is as long as Close waits for a disk.
const closing = 15 * time.Second

// Close closes the state. Where its disk takes nothing, Badger tries for ever to write what it has in memory: then Close
// gives up. The stream has it all, and the state that is opened next reads on from where this one's files end.
func (x *Index) Close() error {
	closed := make(chan error, 1)
	go func() { closed <- x.db.Close() }()
	timer := time.NewTimer(closing)
	defer timer.Stop()
	select {
	case err := <-closed:
		if err != nil {
			return fmt.Errorf("close state: %w", err)
		}
		return nil
	case <-timer.C:
		return fmt.Errorf("close state: its disk takes nothing for %v; what it doesn't have is read from the stream", closing)
	}
}

// Bytes is what the state's files take on disk, without the holes that Badger makes in front of itself;
// its own figure is up to a minute old.
func (x *Index) Bytes() (int64, error) {
	entries, err := os.ReadDir(x.dir)
	if x.dir == "" || errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	var sum int64
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue // it is gone, compacted
		}
		if file, ok := info.Sys().(*syscall.Stat_t); ok {
			sum += file.Blocks * 512
		}
	}
	return sum, err
}

// view looks at the committed state, beside the decider.
func (x *Index) view() *Batch {
	txn := x.db.NewTransaction(false)
	return &Batch{x: x, txn: txn, written: written{read: txn}} // one moment for everything that is read
}

// Held is the number of notifications that are held. It may be called beside the decider.
func (x *Index) Held() int { return int(x.held.Load()) }

// Holding lists what is held, and the mark of that moment. It may be called beside the decider.
func (x *Index) Holding() ([]Held, Mark, error) {
	b := x.view()
	defer b.Discard()
	var m Mark
	if _, err := b.get([]byte{tableMark}, &m); err != nil {
		return nil, m, err
	}
	var out []Held
	err := b.scan([]byte{tableHeld}, []byte{tableHeld}, func(_, value []byte) (bool, error) {
		var h Held
		err := x.codec.decode(value, &h)
		out = append(out, h)
		return true, err
	})
	return out, m, err
}

// countHeld looks at what is held when the state is new to us.
func (x *Index) countHeld() error {
	b := x.view()
	defer b.Discard()
	x.waiting = waiting{stale: true}
	err := b.scan([]byte{tableHeld}, []byte{tableHeld}, func(_, _ []byte) (bool, error) {
		x.waiting.count++
		return true, nil
	})
	x.held.Store(int64(x.waiting.count))
	return err
}

// Mark says how far the stream is folded; zero for a new state. It may be called beside the decider.
func (x *Index) Mark() (Mark, error) {
	b := x.view()
	defer b.Discard()
	var m Mark
	_, err := b.get([]byte{tableMark}, &m)
	return m, err
}

// Begin starts an overlay: decisions for a batch see each other, and nothing of them remains unless
// the batch is committed. The caller discards it in any case.
func (x *Index) Begin() *Batch {
	return &Batch{
		x: x, txn: x.db.NewTransaction(true), waiting: x.waiting, block: block{usual: x.activities.usual}, rhythms: *x.rhythms.Load(),
	}
}

// Batch is an overlay on the state. It is not safe for concurrent use.
type Batch struct {
	x       *Index
	txn     *badger.Txn
	waiting waiting
	written written // to the tables that are scanned
	asked   asked
	block   block
	kept    kept
	found   found
	rhythms rhythms
	moved   [len(rhythms{})]bool // the rhythms that changed
	effort  effort               // for the question that is being asked
}

// Discard throws the overlay away; after Commit it does nothing.
func (b *Batch) Discard() {
	b.written.close()
	b.txn.Discard()
}

// Commit makes the overlay the state. m is the batch of the stream that recorded it.
func (b *Batch) Commit(m Mark) error {
	if err := b.put([]byte{tableMark}, m, 0); err != nil {
		return err
	}
	if err := b.putRhythms(); err != nil {
		return err
	}
	noted, err := b.putActivities(m.Time)
	if err != nil {
		return err
	}
	b.written.close()
	if err := b.txn.Commit(); err != nil {
		return fmt.Errorf("commit state: %w", err)
	}
	noted()
	b.waiting.moved = false
	b.x.waiting = b.waiting
	b.kept.commit(&b.x.alerts)
	b.x.shelves.commit(b.written.puts, b.x.span())
	b.x.held.Store(int64(b.waiting.count))
	now := b.rhythms
	b.x.rhythms.Store(&now)
	return nil
}

func (b *Batch) get(key []byte, into any) (bool, error) {
	item, err := b.txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return false, nil
	}
	if err == nil {
		err = item.Value(func(v []byte) error { return b.x.codec.decode(v, into) })
	}
	if err != nil {
		return false, fmt.Errorf("read state %q: %w", key[:1], err)
	}
	return true, nil
}

// put stores a value. A ttl only lets Badger clean up, well after the value has lost its meaning:
// whether it has is decided by the times in it. What is owed carries none.
func (b *Batch) put(key []byte, value any, ttl time.Duration) error {
	v, err := b.x.codec.encode(value, &b.x.room)
	if err != nil {
		return fmt.Errorf("encode state %q: %w", key[:1], err)
	}
	return b.set(key, v, ttl)
}

// cleanUp is how much longer than a value has a meaning Badger keeps it: clocks differ.
const cleanUp = 48 * time.Hour

// set is put for a value that is bytes already.
func (b *Batch) set(key, value []byte, ttl time.Duration) error {
	entry := badger.NewEntry(key, value)
	if ttl > 0 {
		entry = entry.WithTTL(ttl + cleanUp)
	}
	if err := b.txn.SetEntry(entry); err != nil {
		return fmt.Errorf("write state %q: %w", key[:1], err)
	}
	b.written.note(key, value)
	return nil
}

func (b *Batch) remove(key []byte) error {
	if err := b.txn.Delete(key); err != nil {
		return fmt.Errorf("write state %q: %w", key[:1], err)
	}
	b.written.note(key, nil)
	return nil
}

// alert reads an alert under the ID it has now.
func (b *Batch) alert(id AlertID) (Alert, error) {
	a, err := b.shared(id)
	if err != nil || a == nil {
		return Alert{}, err
	}
	return a.clone(), nil
}

// shared is alert for those who change nothing of it; nil where there is none.
func (b *Batch) shared(id AlertID) (*Alert, error) {
	if id == "" { // what is no alert, such as nearly everything that arrives
		return nil, nil
	}
	for range 8 { // joined alerts are joined once; the bound is for a damaged state
		a, err := b.stored(id)
		if err != nil || a == nil || a.Into == "" {
			return a, err
		}
		id = a.Into
	}
	return nil, fmt.Errorf("read state: alert %s joined in a circle", id)
}

// Alert reads an alert, without its facts; the zero value where there is none of that ID.
func (b *Batch) Alert(id AlertID) (Alert, error) { return b.alert(id) }

// Facts reads an alert's facts.
func (b *Batch) Facts(a *Alert) error {
	a.Facts = nil
	for _, g := range a.Sightings {
		f, err := b.factsOf(a.ID, g.Service, g.Key)
		if err != nil {
			return err
		}
		if f != nil {
			a.Facts = append(a.Facts, *f.n)
		}
	}
	return nil
}

// Due lists what is held until t at the latest, the earliest first, at most limit. Where nothing is
// due it costs nothing, so that it can be asked before every decision.
func (b *Batch) Due(t time.Time, limit int) ([]Held, error) {
	if due, ok, err := b.NextDue(); err != nil || !ok || due.After(t) {
		return nil, err
	}
	return b.earliest(t, limit)
}

// NextDue says when the next hold ends; ok is false where nothing is held.
func (b *Batch) NextDue() (due time.Time, ok bool, err error) {
	if b.waiting.stale {
		held, err := b.earliest(time.Unix(0, 1<<62), 1)
		if err != nil {
			return time.Time{}, false, err
		}
		b.waiting.due, b.waiting.stale = time.Time{}, false
		b.waiting.floor = []byte{tableHeld + 1}
		if len(held) > 0 {
			b.waiting.due, b.waiting.floor = held[0].Due, heldKey(held[0].Owed)
		}
		if !b.waiting.moved { // what was found is true whether the batch is committed or not
			b.x.waiting = b.waiting
		}
	}
	return b.waiting.due, !b.waiting.due.IsZero(), nil
}

func (b *Batch) earliest(t time.Time, limit int) ([]Held, error) {
	var out []Held
	prefix := []byte{tableHeld}
	end := heldKey(Owed{Due: t.Add(1), Held: time.Unix(0, 0)})
	from := prefix
	if bytes.Compare(b.waiting.floor, from) > 0 {
		from = b.waiting.floor
	}
	err := b.scan(prefix, from, func(key, value []byte) (bool, error) {
		if len(out) == limit || string(key) >= string(end) {
			return false, nil
		}
		var h Held
		err := b.x.codec.decode(value, &h)
		out = append(out, h)
		return true, err
	})
	if err != nil {
		return nil, fmt.Errorf("read what is held: %w", err)
	}
	return out, nil
}

// Held reads one held notification of an alert.
func (b *Batch) Held(o Owed) (Held, error) {
	var h Held
	if ok, err := b.get(heldKey(o), &h); err != nil {
		return h, err
	} else if !ok {
		return h, fmt.Errorf("read what is held: %s is not there", o.Key)
	}
	return h, nil
}

// Each calls visit with every key and value of the committed state, and for what a batch remembered of
// activities, with each of them. Two states are equal where Each gives the same, whatever the batches were;
// where it gives a key again, the last counts. Values are as they are stored. Both slices are valid during the call.
func (x *Index) Each(visit func(key, value []byte) error) error {
	b := x.view()
	defer b.Discard()
	return b.scan(nil, nil, func(key, value []byte) (bool, error) {
		if key[0] != tableActivities && key[0] != tableFormerly {
			return true, visit(key, value)
		}
		if bytes.Equal(key, blockKey(tableActivities, 0)) {
			return true, nil // no block
		}
		for len(value) > 0 {
			r, rest, err := first(value)
			if err == nil {
				of := r.of()
				err = visit(append([]byte{tableActivities}, of[:]...), r[len(of):])
			}
			if err != nil {
				return false, err
			}
			value = rest
		}
		return true, nil
	})
}
