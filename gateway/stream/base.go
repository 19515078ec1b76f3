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

// hoursKept is how long a tally speaks of an hour; so it doesn't grow for ever.
const hoursKept = 90 * 24

// basePath is where the base of that number lies beside the cursor.
func basePath(cursor string, number uint64) string {
	return fmt.Sprintf("%s.tally%d", strings.TrimSuffix(cursor, cursorSuffix), number%2)
}

// rebase takes the steps of the trail after the first keep into the base, and with keep 0 the rest too.
func (c *cursor) rebase(keep int) error {
	if len(c.record.Trail) <= keep && (keep > 0 || len(c.record.Tally) == 0) {
		return nil
	}
	if err := c.sync(); err != nil { // the record that names the present base, before the one before that goes
		return err
	}
	next := base{Number: c.record.Base + 1, Tally: c.base.Clone()}
	trail, rest := c.record.Trail, c.record.Tally
	for len(trail) > keep {
		last := len(trail) - 1
		next.Tally.Merge(trail[last].Tally)
		trail = trail[:last]
	}
	if keep == 0 {
		next.Tally.Merge(rest)
		rest = nil
	}
	next.Tally.forget()
	data, err := seal(next)
	if err != nil {
		return err
	}
	if err := durable.WriteFile(basePath(c.path, next.Number), data); err != nil {
		return err
	}
	c.base, c.record.Base, c.record.Trail, c.record.Tally = next.Tally, next.Number, trail, rest
	return nil
}

// forget drops the hours that are too long before the newest one.
func (t Tally) forget() {
	var newest int64
	for cell := range t {
		newest = max(newest, cell.Hour)
	}
	for cell := range t {
		if cell.Hour < newest-hoursKept {
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
