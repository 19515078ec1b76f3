package stream

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/gateway/durable"
)

// A cursor's file holds three records, each with its length, a checksum and a number; the valid one with
// the greatest number counts. Writing in place costs a few microseconds, so that every commit can survive
// kill -9; a rename for each would not do, and one without a sync may leave an empty file after a power
// cut. The record that was synced last stays, and the other two are written in turn: a power cut may tear
// both of them.
const (
	slots       = 3
	slotSize    = 64 << 10 // of which a record takes a few KiB
	syncPause   = time.Second
	trailPause  = 30 * time.Second
	trailLength = 12 // six minutes, more than JetStream lets pass without a sync
)

// mark is a position with its proof.
type mark struct {
	At    Position `json:"at"`
	Hash  Hash     `json:"hash"`  // of the message At.Sequence; zero where that was not read
	Total uint64   `json:"total"` // entries in the stream up to and including At
}

// record is what a cursor's file says. Trail are earlier marks, newest first: when the stream has
// lost its end, the cursor goes back to the newest one that can still be proved, and its tally with it.
type record struct {
	Format int    `json:"format"`
	Number uint64 `json:"number"`
	Name   string `json:"name"`
	mark
	Since int64  `json:"since"`           // the tally is whole for the hours after this one
	Base  uint64 `json:"base,omitempty"`  // number of the file with what was tallied up to the last mark of the trail
	Tally Tally  `json:"tally,omitempty"` // since the first mark of the trail
	Trail []step `json:"trail,omitempty"`
	Doubt Doubt  `json:"doubt,omitzero"`
}

// step is a mark of the trail with what was tallied between the step before it and itself.
type step struct {
	mark
	Tally Tally `json:"tally,omitempty"`
}

const recordFormat = 2

// cursor writes a reader's file. It is not safe for concurrent use.
type cursor struct {
	path    string
	file    *os.File
	record  record
	base    Tally     // what the record's Base holds
	named   uint64    // the Base that the file's newest record names
	slot    int64     // that holds record
	kept    int64     // that holds the last synced one
	synced  bool      // the Options' Synced
	dirty   bool      // written since the last sync
	last    time.Time // of syncing
	trailed time.Time
}

// errDamaged: neither record of a cursor's file can be read.
var errDamaged = errors.New("cursor is damaged")

// fileName is safe on every file system and different for different names.
func fileName(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	s := b.String()
	if len(s) > 150 {
		sum := sha256.Sum256([]byte(name))
		s = s[:100] + "%%" + hex.EncodeToString(sum[:16])
	}
	return s + cursorSuffix
}

const cursorSuffix = ".cursor"

// loadCursor reads the newest record. It returns fs.ErrNotExist or errDamaged where there is none.
func loadCursor(path string) (record, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return record{}, fmt.Errorf("read cursor: %w", err)
	}
	var best record
	found := false
	for i := 0; i < min(slots*slotSize, len(data)); i += slotSize {
		var r record
		if unseal(data[i:min(i+slotSize, len(data))], &r) && r.Format == recordFormat && (!found || r.Number > best.Number) {
			best, found = r, true
		}
	}
	if !found {
		return record{}, fmt.Errorf("read %s: %w", path, errDamaged)
	}
	return best, nil
}

// seal writes a checksum of what follows, the length of the JSON, and v as JSON.
func seal(v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode cursor: %w", err)
	}
	covered := fmt.Appendf(nil, " %d ", len(body))
	covered = append(append(covered, body...), '\n')
	return append([]byte(checksum(covered)), covered...), nil
}

// unseal reads what seal wrote, with anything behind it. It reports false where that isn't whole.
func unseal(data []byte, into any) bool {
	sum, rest, _ := bytes.Cut(data, []byte(" "))
	length, body, ok := bytes.Cut(rest, []byte(" "))
	n, err := strconv.Atoi(string(length))
	if !ok || err != nil || n < 0 || n >= len(body) {
		return false
	}
	covered := data[len(sum) : len(data)-len(body)+n+1]
	return string(sum) == checksum(covered) && json.Unmarshal(body[:n], into) == nil
}

func checksum(b []byte) string {
	return fmt.Sprintf("%08x", crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

// openCursor starts the file anew with what r says, whatever was there.
func openCursor(path string, r record, base Tally, synced bool) (*cursor, error) {
	r.Format = recordFormat
	r.Number++
	c := &cursor{path: path, record: r, base: base, named: r.Base, synced: synced}
	slot, err := seal(c.record)
	if err != nil {
		return nil, err
	}
	if err := durable.WriteFile(path, slot); err != nil {
		return nil, err
	}
	if c.file, err = os.OpenFile(path, os.O_RDWR, 0); err != nil {
		return nil, fmt.Errorf("open cursor: %w", err)
	}
	return c, nil
}

// move writes the new mark, with what was tallied on the way to it, and syncs it, where asked to, once
// a second. With an error the cursor is where it was.
func (c *cursor) move(m mark, t Tally, now time.Time) error {
	if now.Sub(c.trailed) >= trailPause && c.record.Hash != (Hash{}) {
		c.trailed = now
		c.record.Trail = append([]step{{c.record.mark, c.record.Tally}}, c.record.Trail...)
		c.record.Tally = nil
	}
	if len(c.record.Trail) > trailLength {
		_ = c.rebase(trailLength) // a longer trail does no harm, and it is tried again
	}
	next, older := c.record, c.base
	next.mark, next.Number = m, next.Number+1
	next.Tally = next.Tally.Clone()
	next.Tally.Merge(t)
	slot, err := seal(next)
	if err == nil && len(slot) > slotSize { // hundreds of hours in one commit: all goes to the base
		if older, err = c.writeBase(next.Base+1, next.Trail, next.Tally); err == nil {
			next.Base, next.Trail, next.Tally = next.Base+1, nil, nil
			slot, err = seal(next)
		}
	}
	if err != nil {
		return err
	}
	other := int64(0)
	for other == c.slot || other == c.kept {
		other++
	}
	if _, err := c.file.WriteAt(slot, other*slotSize); err != nil {
		return fmt.Errorf("write cursor: %w", err)
	}
	synced := c.synced && now.Sub(c.last) >= syncPause
	if synced {
		if err := c.file.Sync(); err != nil { // it may not be there after a power cut, and is written again
			return fmt.Errorf("sync cursor: %w", err)
		}
		c.last, c.kept = now, other
	}
	c.slot, c.record, c.base, c.named, c.dirty = other, next, older, next.Base, !synced
	return nil
}

// tallied is everything up to the mark.
func (c *cursor) tallied() Tally {
	out := c.base.Clone()
	for _, s := range c.record.Trail {
		out.Merge(s.Tally)
	}
	out.Merge(c.record.Tally)
	return out
}

func (c *cursor) sync() error {
	if !c.dirty {
		return nil
	}
	if err := c.file.Sync(); err != nil {
		return fmt.Errorf("sync cursor: %w", err)
	}
	c.kept, c.dirty = c.slot, false
	return nil
}

func (c *cursor) close() error { return errors.Join(c.sync(), c.file.Close()) }

// cursorPath is where the cursor of that name lies.
func (o Options) cursorPath(name string) string { return filepath.Join(o.Cursors, fileName(name)) }

// missing says that err is about a file that was never written.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
