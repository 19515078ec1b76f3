package dedup

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/sluice-siem/sluice/formats"
)

// Nine of ten notifications are activities, of which nothing is asked but whether their ID was there
// before, and nearly always it wasn't. A key in Badger for each would cost more than all else that is done
// for it, and so would looking for what isn't there. So what a batch remembers of activities is one value
// in Badger, a block, and a table in memory tells which block may know an ID. Only a hit reads.
//
// Blocks are most of the state, and Badger writes again what lies between the lowest and the highest key of the new tables that
// it merges into the old ones. So the keys of blocks are lower than all others, and a block's is higher than those before: old
// blocks then lie below whatever is new, and are left alone. Being left alone they aren't cleaned up either, so that once in
// a while a key is written that is lower than all of them: the number 0, of no block.

// MaxActivities is how many activities are remembered at most, however long dedup.remember is: whoever
// floods us with new ones makes us forget old ones, of which a resend goes out again, and not grow. Their
// table takes [ActivityMemory] bytes at most for each that is remembered.
const (
	MaxActivities  = 32 << 20
	ActivityMemory = 32
)

// activities is the table in memory. It consists of shards, so that growing never takes longer than a moment.
type activities struct {
	seed   maphash.Seed // senders choose the IDs, and must not choose the slots
	shards [256]shard
	next   uint64    // number of the next block
	count  int       // activities ever added
	most   int       // MaxActivities, but in tests
	ages   []age     // of blocks, the oldest first
	swept  time.Time // when number 0 was written
	usual  int       // activities in the block before, as many as there will be in the next
}

// shard is a hash table with linear probing. A slot has 24 bits of the hash, which also say where it
// belongs, and in the other 40 the number of the block, from 1 on; 0 is an empty slot.
type shard struct {
	slots []uint64
	used  int
}

const (
	numberBits = 40
	leastSlots = 16
)

// age says that the blocks from that number on are no older than that time, and how many activities are in
// those before. There is one for so long, or so many activities.
type age struct {
	number uint64
	at     time.Time
	count  int
}

const (
	ageStep  = 10 * time.Minute
	ageCount = 1 << 17
)

func newActivities() activities {
	return activities{seed: maphash.MakeSeed(), next: 1, most: MaxActivities}
}

func (a *activities) place(of [16]byte) (*shard, uint64) {
	h := maphash.Bytes(a.seed, of[:])
	return &a.shards[byte(h)], h >> numberBits
}

// blocks appends the numbers of the blocks that may know an ID, the newest first.
func (a *activities) blocks(list []uint64, of [16]byte) []uint64 {
	s, tag := a.place(of)
	if len(s.slots) == 0 {
		return list
	}
	mask := uint64(len(s.slots) - 1)
	for i := tag & mask; s.slots[i] != 0; i = (i + 1) & mask {
		if s.slots[i]>>numberBits == tag {
			list = append(list, s.slots[i]&(1<<numberBits-1))
		}
	}
	slices.SortFunc(list, func(a, b uint64) int { return int(b) - int(a) })
	return list
}

// add notes that a block knows an ID. Blocks before the one that is numbered oldest needn't be found any more.
func (a *activities) add(of [16]byte, number, oldest uint64) {
	s, tag := a.place(of)
	if 4*(s.used+1) > 3*len(s.slots) {
		s.renew(oldest)
	}
	s.insert(tag<<numberBits | number)
	a.count++
}

func (s *shard) insert(slot uint64) {
	mask := uint64(len(s.slots) - 1)
	i := slot >> numberBits & mask
	for s.slots[i] != 0 {
		i = (i + 1) & mask
	}
	s.slots[i] = slot
	s.used++
}

// renew lets go of what is forgotten, and takes twice the slots where that leaves too much.
func (s *shard) renew(oldest uint64) {
	live := slices.DeleteFunc(slices.Clone(s.slots), func(slot uint64) bool { return slot&(1<<numberBits-1) < max(oldest, 1) })
	size := max(len(s.slots), leastSlots)
	if 2*len(live) > size {
		size *= 2
	}
	s.slots, s.used = make([]uint64, size), 0
	for _, slot := range live {
		s.insert(slot)
	}
}

// aged takes note of how old blocks are.
func (a *activities) aged(number uint64, at time.Time) {
	if n := len(a.ages); n == 0 || at.Sub(a.ages[n-1].at) >= ageStep || a.count-a.ages[n-1].count >= ageCount {
		a.ages = append(a.ages, age{number, at, a.count})
	}
}

// oldest is the number of the first block that is remembered, of those that may be younger than that time.
func (a *activities) oldest(t time.Time) uint64 {
	gone := 0
	for gone+1 < len(a.ages) && (a.ages[gone+1].at.Before(t) || a.count-a.ages[gone+1].count >= a.most) {
		gone++
	}
	a.ages = slices.Delete(a.ages, 0, gone)
	if len(a.ages) == 0 {
		return 0
	}
	return a.ages[0].number
}

// A block is a run of records: 16 bytes of the hash of what is remembered, 16 of the content's digest, the
// time in nanoseconds since 1970, and the event key with its length in front.
const recordHead = 16 + 16 + 8 + 1

// block is what a batch remembers of activities.
type block struct {
	data  []byte
	at    map[[16]byte]int // where in data the newest record of a hash is
	usual int              // records that there will be
}

func (b *block) add(of [16]byte, p *prior) {
	if b.at == nil {
		b.at = make(map[[16]byte]int, b.usual)
		b.data = make([]byte, 0, b.usual*(recordHead+16))
	}
	b.at[of] = len(b.data)
	b.data = append(append(b.data, of[:]...), p.Content[:]...)
	b.data = binary.BigEndian.AppendUint64(b.data, uint64(p.Time.UnixNano()))
	b.data = append(b.data, 0) // the key's length
	length := len(b.data) - 1
	b.data = appendRaw(b.data, string(p.Key[:min(len(p.Key), 255)]))
	b.data[length] = byte(len(b.data) - length - 1)
}

// record is what a block has of one ID.
type record []byte

var errCut = errors.New("a block of activities is cut short")

// first gives the first record of a block, and what follows it.
func first(data []byte) (r record, rest []byte, err error) {
	if len(data) < recordHead || len(data) < recordHead+int(data[recordHead-1]) {
		return nil, nil, errCut
	}
	n := recordHead + int(data[recordHead-1])
	return data[:n], data[n:], nil
}

func (r record) of() [16]byte { return [16]byte(r) }

func (r record) time() time.Time { return time.Unix(0, int64(binary.BigEndian.Uint64(r[32:]))).UTC() }

func (r record) prior() prior {
	p := prior{Content: [16]byte(r[16:]), Time: r.time()}
	if key := r[recordHead:]; len(key) == 16 {
		p.Key = EventKey(hex.EncodeToString(key))
	} else {
		p.Key = EventKey(key)
	}
	return p
}

// search finds the newest record of a hash.
func search(data []byte, of [16]byte) (found record, err error) {
	for len(data) > 0 {
		var r record
		if r, data, err = first(data); err != nil {
			return nil, err
		}
		if r.of() == of {
			found = r
		}
	}
	return found, nil
}

func blockKey(table byte, number uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{table}, number)
}

// activityOf is the hash by which an activity's ID is known, laterOf that of another content of it.
func activityOf(n *formats.Notification) [16]byte { return hash16(string(n.Service), n.Channel, n.ID) }

func laterOf(n *formats.Notification) [16]byte {
	return hash16(string(n.Service), n.Channel, n.ID, string(n.Content[:]))
}

// activity gives what is remembered under a hash.
func (b *Batch) activity(of [16]byte) (p prior, ok bool, err error) {
	if at, ok := b.block.at[of]; ok {
		r, _, err := first(b.block.data[at:])
		if err != nil {
			return p, false, err
		}
		return r.prior(), true, nil
	}
	var usual [4]uint64 // on the stack
	for _, number := range b.x.activities.blocks(usual[:0], of) {
		for _, table := range [...]byte{tableActivities, tableFormerly} {
			if p, ok, err = b.inBlock(blockKey(table, number), of); err != nil || ok {
				return p, ok, err
			}
		}
	}
	return prior{}, false, nil
}

// inBlock gives what a block knows under a hash: nothing where it was cleaned up.
func (b *Batch) inBlock(key []byte, of [16]byte) (p prior, ok bool, err error) {
	item, err := b.txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return p, false, nil
	}
	if err == nil {
		err = item.Value(func(data []byte) error {
			r, err := search(data, of)
			if r != nil {
				p, ok = r.prior(), true
			}
			return err
		})
	}
	if err != nil {
		return p, false, fmt.Errorf("read state %q: %w", key[:1], err)
	}
	return p, ok, nil
}

// putActivities stores what the batch remembers of activities; noted is to be called when that is committed. at is the time of
// the batch.
func (b *Batch) putActivities(at time.Time) (noted func(), err error) {
	a := &b.x.activities
	number, swept := a.next, a.swept
	if len(b.block.data) == 0 {
		return func() {}, nil
	}
	ttl := b.x.remember.Activities
	if err := b.set(blockKey(tableActivities, number), b.block.data, ttl); err != nil {
		return nil, err
	}
	if at.Sub(swept) >= (ttl+cleanUp)/sweeps {
		swept = at
		if err := b.set(blockKey(tableActivities, 0), binary.BigEndian.AppendUint64(nil, uint64(at.UnixNano())), 0); err != nil {
			return nil, err
		}
	}
	return func() {
		a.next++
		a.usual = len(b.block.at)
		a.swept = swept
		a.aged(number, at)
		oldest := a.oldest(at.Add(-ttl))
		for of := range b.block.at {
			a.add(of, number, oldest)
		}
	}, nil
}

// sweeps is how often all blocks are cleaned up in the time that Badger keeps one, so that it has a quarter more than it needs.
const sweeps = 4

// readActivities makes the table when the state is new to us.
func (x *Index) readActivities() error {
	x.activities = newActivities()
	b := x.view()
	defer b.Discard()
	var m Mark
	if _, err := b.get([]byte{tableMark}, &m); err != nil {
		return err
	}
	forgotten := m.Time.Add(-x.remember.Activities)
	for _, table := range [...]byte{tableFormerly, tableActivities} { // the oldest first
		err := b.scan([]byte{table}, []byte{table}, func(key, data []byte) (bool, error) {
			err := x.activities.read(key, data, forgotten)
			return err == nil, err
		})
		if err != nil {
			return fmt.Errorf("read state %q: %w", table, err)
		}
	}
	return nil
}

// read takes note of a block that is in the state, or of when number 0 was written.
func (a *activities) read(key, data []byte, forgotten time.Time) error {
	if len(key) != 1+8 {
		return fmt.Errorf("a key of %d bytes", len(key))
	}
	number := binary.BigEndian.Uint64(key[1:])
	if number == 0 {
		if len(data) != 8 {
			return errCut
		}
		a.swept = time.Unix(0, int64(binary.BigEndian.Uint64(data))).UTC()
		return nil
	}
	a.next = max(a.next, number+1)
	for len(data) > 0 {
		var r record
		var err error
		if r, data, err = first(data); err != nil {
			return err
		}
		if at := r.time(); !at.Before(forgotten) {
			a.aged(number, at)
			a.add(r.of(), number, a.oldest(forgotten))
		}
	}
	return nil
}
