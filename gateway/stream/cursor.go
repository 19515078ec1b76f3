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
	"strings"
	"time"
)

// A cursor's file holds two records of 4 KiB that are written in turn, each with a checksum and a
// number; the valid one with the greater number counts. Writing in place costs a few microseconds, so
// that every commit can survive kill -9; a rename for each would not do, and one without a sync may
// leave an empty file after a power cut. A record torn by a power cut leaves the one before it.
const (
	slotSize    = 4096
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
// lost its end, the cursor goes back to the newest one that can still be proved.
type record struct {
	Format int    `json:"format"`
	Number uint64 `json:"number"`
	Name   string `json:"name"`
	mark
	Trail []mark `json:"trail,omitempty"`
}

const recordFormat = 1

// cursor writes a reader's file. It is not safe for concurrent use.
type cursor struct {
	file    *os.File
	record  record
	slot    int64     // that holds record
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
	return s + ".cursor"
}

// loadCursor reads the record. It returns fs.ErrNotExist or errDamaged where there is none.
func loadCursor(path string) (record, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return record{}, fmt.Errorf("read cursor: %w", err)
	}
	var best record
	found := false
	for i := 0; i < 2*slotSize && i+slotSize <= len(data); i += slotSize {
		if r, ok := parseSlot(data[i : i+slotSize]); ok && (!found || r.Number > best.Number) {
			best, found = r, true
		}
	}
	if !found {
		return record{}, fmt.Errorf("read %s: %w", path, errDamaged)
	}
	return best, nil
}

// parseSlot reads eight hex digits of a checksum, and JSON padded with spaces, which it covers.
func parseSlot(slot []byte) (record, bool) {
	var r record
	if string(slot[:8]) != checksum(slot[8:]) || json.Unmarshal(slot[8:], &r) != nil {
		return record{}, false
	}
	return r, r.Format == recordFormat
}

func formatSlot(r record) ([]byte, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode cursor: %w", err)
	}
	if len(body) > slotSize-10 {
		return nil, fmt.Errorf("encode cursor: %d bytes are too many", len(body))
	}
	slot := bytes.Repeat([]byte{' '}, slotSize)
	copy(slot[9:], body)
	slot[slotSize-1] = '\n'
	copy(slot, checksum(slot[8:]))
	return slot, nil
}

func checksum(b []byte) string {
	return fmt.Sprintf("%08x", crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

// openCursor starts the file anew with what r says, whatever was there.
func openCursor(path string, r record, synced bool) (*cursor, error) {
	r.Format = recordFormat
	r.Number++
	slot, err := formatSlot(r)
	if err != nil {
		return nil, err
	}
	if err := writeSynced(path, append(slot, bytes.Repeat([]byte{' '}, slotSize)...)); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open cursor: %w", err)
	}
	return &cursor{file: f, record: r, synced: synced}, nil
}

// move writes the new mark and syncs it, where asked to, once a second.
func (c *cursor) move(m mark, now time.Time) error {
	if now.Sub(c.trailed) >= trailPause && c.record.Hash != (Hash{}) {
		c.trailed = now
		c.record.Trail = append([]mark{c.record.mark}, c.record.Trail...)
		c.record.Trail = c.record.Trail[:min(len(c.record.Trail), trailLength)]
	}
	c.record.mark = m
	c.record.Number++
	slot, err := formatSlot(c.record)
	if err != nil {
		return err
	}
	c.slot = 1 - c.slot
	if _, err := c.file.WriteAt(slot, c.slot*slotSize); err != nil {
		return fmt.Errorf("write cursor: %w", err)
	}
	c.dirty = true
	if c.synced && now.Sub(c.last) >= syncPause {
		c.last = now
		return c.sync()
	}
	return nil
}

func (c *cursor) sync() error {
	if !c.dirty {
		return nil
	}
	if err := c.file.Sync(); err != nil {
		return fmt.Errorf("sync cursor: %w", err)
	}
	c.dirty = false
	return nil
}

func (c *cursor) close() error { return errors.Join(c.sync(), c.file.Close()) }

// cursorPath is where the cursor of that name lies.
func (o Options) cursorPath(name string) string { return filepath.Join(o.Cursors, fileName(name)) }

// missing says that err is about a file that was never written.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
