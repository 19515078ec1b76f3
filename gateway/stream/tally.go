package stream

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/formats"
)

// Tally counts entries by what became of them, and by service and hour of receipt. A reader commits
// one with its cursor, so that it is exact after a crash: it speaks of every entry up to the cursor and
// of none after it. The zero value can be read, and merged from.
type Tally map[Cell]Count

// Cell is one box of a tally.
type Cell struct {
	Term    string          // what became of the entries, a word without a slash
	Service formats.Service //
	Hour    int64           // of receipt, in hours since 1970, UTC
}

// Count is a number of entries and the exclusive or of the digests of their keys ([Digest]): where two
// counts that should be equal differ by one entry, the digests tell which one.
type Count struct {
	N    int64
	Keys uint64
}

// Digest is a number that stands for an event key in a [Count].
func Digest(key string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key)) // a hash never fails
	return h.Sum64()
}

// Account says under which service and hour the entry is counted, whatever becomes of it: those of its
// notification's receipt. Links, undos, silences and acts are events of our own, counted when they were decided.
func (e *Entry) Account() (formats.Service, int64) {
	switch e.Kind {
	case Link, Undo, Silence, Acted:
		return formats.Sluice, hour(e.Time)
	case Notification, Release:
	}
	return e.Notification.Service, hour(e.Notification.Arrived)
}

// hour is the number of the hour since 1970.
func hour(t time.Time) int64 { return t.Unix() / 3600 }

// Add counts the entry n times, which may be less than zero, under that term.
func (t Tally) Add(term string, e *Entry, n int64) {
	service, h := e.Account()
	t.put(Cell{term, service, h}, Count{n, Digest(string(e.Key))})
}

// Merge adds what o counted.
func (t Tally) Merge(o Tally) {
	for cell, c := range o {
		t.put(cell, c)
	}
}

// Clone is a copy that can be changed.
func (t Tally) Clone() Tally {
	out := make(Tally, len(t))
	maps.Copy(out, t)
	return out
}

func (t Tally) put(cell Cell, c Count) {
	have := t[cell]
	have.N += c.N
	have.Keys ^= c.Keys
	if have == (Count{}) {
		delete(t, cell)
		return
	}
	t[cell] = have
}

// MarshalText writes term/service/hour.
func (c Cell) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%s/%s/%d", c.Term, c.Service, c.Hour), nil
}

// UnmarshalText reads what MarshalText wrote.
func (c *Cell) UnmarshalText(text []byte) error {
	parts := strings.Split(string(text), "/")
	if len(parts) != 3 {
		return fmt.Errorf("cell %q: want term/service/hour", text)
	}
	h, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		return fmt.Errorf("cell %q: %w", text, err)
	}
	*c = Cell{parts[0], formats.Service(parts[1]), h}
	return nil
}

// MarshalJSON writes the number and, in hex, the digests.
func (c Count) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, `[%d,"%x"]`, c.N, c.Keys), nil }

// UnmarshalJSON reads what MarshalJSON wrote.
func (c *Count) UnmarshalJSON(data []byte) error {
	var number json.Number
	var keys string
	if err := json.Unmarshal(data, &[]any{&number, &keys}); err != nil {
		return fmt.Errorf("count %s: %w", data, err)
	}
	n, err := number.Int64()
	k, err2 := strconv.ParseUint(keys, 16, 64)
	if err := errors.Join(err, err2); err != nil {
		return fmt.Errorf("count %s: %w", data, err)
	}
	*c = Count{n, k}
	return nil
}
