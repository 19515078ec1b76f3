package dedup

import (
	"bytes"
	"slices"

	"github.com/dgraph-io/badger/v4"
)

// written is what a batch wrote to the tables that are scanned, in the order of the keys. Badger shows
// an iterator what its own transaction wrote, but sorts all of it for each iterator, so that a batch
// would cost the square of its size. So iterators look at what was committed, and this is merged in.
type written struct {
	puts []pair
	read *badger.Txn      // of what was committed; nil before the first scan
	open *badger.Iterator // over tableOpen, kept because making one costs more than what it is asked
}

// pair is a key with its value; nil where it was removed.
type pair struct{ key, value []byte }

// note takes note of a write. The slices are kept.
func (w *written) note(key, value []byte) {
	if key[0] != tableOpen && key[0] != tableHeld {
		return
	}
	at, found := w.search(key)
	if found {
		w.puts[at].value = value
		return
	}
	w.puts = slices.Insert(w.puts, at, pair{key, value})
}

func (w *written) search(key []byte) (at int, found bool) {
	return slices.BinarySearchFunc(w.puts, key, func(p pair, key []byte) int { return bytes.Compare(p.key, key) })
}

// close lets go of what was committed.
func (w *written) close() {
	if w.open != nil {
		w.open.Close()
	}
	if w.read != nil {
		w.read.Discard()
	}
	w.open, w.read = nil, nil
}

// scan calls visit for the keys that begin with prefix, from the first not below from, until it
// returns false. Keys and values are valid during the call, which must not scan the same table.
func (b *Batch) scan(prefix, from []byte, visit func(key, value []byte) (bool, error)) error {
	it, done := b.iterator(prefix)
	defer done()
	at, _ := b.written.search(from)
	it.Seek(from)
	for {
		var ours *pair
		if at < len(b.written.puts) && bytes.HasPrefix(b.written.puts[at].key, prefix) {
			ours = &b.written.puts[at]
		}
		theirs := it.ValidForPrefix(prefix)
		if ours == nil && !theirs {
			return nil
		}
		order := 1 // theirs come first
		if ours != nil {
			order = -1
			if theirs {
				order = bytes.Compare(ours.key, it.Item().Key())
			}
		}
		more, err := true, error(nil)
		switch {
		case order > 0:
			err = it.Item().Value(func(value []byte) (err error) {
				more, err = visit(it.Item().Key(), value)
				return err
			})
		case ours.value != nil:
			more, err = visit(ours.key, ours.value)
		}
		if err != nil || !more {
			return err
		}
		if order <= 0 {
			at++
		}
		if order >= 0 {
			it.Next()
		}
	}
}

// iterator is one over what was committed that is good for the prefix. done is to be called after its use.
func (b *Batch) iterator(prefix []byte) (it *badger.Iterator, done func()) {
	w := &b.written
	if w.read == nil {
		// Nobody else commits, so this is what b's own transaction began with.
		w.read = b.x.db.NewTransaction(false)
	}
	options := badger.DefaultIteratorOptions
	options.PrefetchValues = false
	if len(prefix) == 0 || prefix[0] != tableOpen {
		options.Prefix = prefix
		it = w.read.NewIterator(options)
		return it, it.Close
	}
	if w.open == nil {
		options.Prefix = []byte{tableOpen}
		w.open = w.read.NewIterator(options)
	}
	return w.open, func() {}
}
