package stream

import (
	"fmt"
	"os"
	"strings"

	"github.com/sluice-siem/sluice/gateway/durable"
)

// base is the file with what a cursor had tallied before its trail. There are two in turn, so that the
// one that the cursor's record names is there while the next is being written.
type base struct {
	Number uint64 `json:"number"`
	Tally  Tally  `json:"tally"`
}

// HoursKept is how long a tally speaks of an hour; so it doesn't grow for ever.
const HoursKept = 90 * 24

// basePath is where the base of that number lies beside the cursor.
func basePath(cursor string, number uint64) string {
	return fmt.Sprintf("%s.tally%d", strings.TrimSuffix(cursor, cursorSuffix), number%2)
}

// rebase takes the steps of the trail after the first keep into the base.
func (c *cursor) rebase(keep int) error {
	older, err := c.writeBase(c.record.Base+1, c.record.Trail[keep:], nil)
	if err == nil {
		c.base, c.record.Base, c.record.Trail = older, c.record.Base+1, c.record.Trail[:keep]
	}
	return err
}

// writeBase writes the base of that number: the present one, those steps of the trail and what was tallied
// after them.
func (c *cursor) writeBase(number uint64, trail []step, rest Tally) (Tally, error) {
	if number != c.named+1 { // its file would take the place of the one that is named
		return nil, fmt.Errorf("write tally %d: the cursor's file still names %d", number, c.named)
	}
	if err := c.sync(); err != nil { // the record that names the present base, before the one before that goes
		return nil, err
	}
	t := c.base.Clone()
	for _, s := range trail {
		t.Merge(s.Tally)
	}
	t.Merge(rest)
	t.forget()
	data, err := seal(base{Number: number, Tally: t})
	if err != nil {
		return nil, err
	}
	return t, durable.WriteFile(basePath(c.path, number), data)
}

// forget drops the hours that are too long before the newest one.
func (t Tally) forget() {
	var newest int64
	for cell := range t {
		newest = max(newest, cell.Hour)
	}
	for cell := range t {
		if cell.Hour < newest-HoursKept {
			delete(t, cell)
		}
	}
}

// loadBase reads the base that a record names.
func loadBase(cursor string, number uint64) (Tally, error) {
	if number == 0 {
		return nil, nil
	}
	path := basePath(cursor, number)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read tally: %w", err)
	}
	var b base
	if !unseal(data, &b) || b.Number != number {
		return nil, fmt.Errorf("read %s: %w", path, errDamaged)
	}
	return b.Tally, nil
}
