package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sluice-siem/sluice/gateway/durable"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// Loss is a run of batches that the stream had and that nothing accounts for: they are damaged, or gone with its end. The
// equations can't show it where the ledger is counted anew, so it is kept beside them, for as long as they speak of an hour.
type Loss struct {
	First   uint64    `json:"first_batch"`
	Last    uint64    `json:"last_batch"`
	Entries uint64    `json:"entries,omitempty"` // in them; 0 where nothing says how many they were
	Noticed time.Time `json:"noticed"`
}

// lossesPath is where losses are kept below data_dir.
func lossesPath(dir string) string { return filepath.Join(dir, "losses") }

// kept is for how long a loss is on record.
const kept = stream.HoursKept * time.Hour

// errLosses is that the record of losses is damaged, and gone with it what it held.
var errLosses = errors.New("the record of what was lost is damaged")

// losses are those that are on record now.
func losses(dir string, now time.Time) ([]Loss, error) {
	data, err := os.ReadFile(lossesPath(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read losses: %w", err)
	}
	var out []Loss
	if err := json.Unmarshal(data, &out); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", lossesPath(dir), errLosses, err)
	}
	return slices.DeleteFunc(out, func(o Loss) bool { return now.Sub(o.Noticed) > kept }), nil
}

// CheckLosses says what is wrong with the record of losses in dir, which is data_dir.
func CheckLosses(dir string) error {
	_, err := losses(dir, time.Now())
	return err
}

// mendLosses sets a record that is damaged aside, so that it is told once: it costs what it held and no more.
func (l *Ledger) mendLosses() error {
	err := CheckLosses(l.dir)
	if !errors.Is(err, errLosses) {
		return err
	}
	aside := lossesPath(l.dir) + ".damaged"
	l.log.Error("what the stream lost before is no longer told", "set_aside", aside, "err", err)
	return os.Rename(lossesPath(l.dir), aside)
}

// sameStart is how far apart one loss is noticed by the state and by the ledger, which notice it at one start.
const sameStart = time.Hour

// Note puts a loss on record in dir, which is data_dir. One that was noted just before, as a whole or a part of it, is one
// with it; those that are too long ago go.
func Note(dir string, l Loss) error {
	have, err := losses(dir, l.Noticed)
	if err != nil && !errors.Is(err, errLosses) { // else what is lost now counts
		return err
	}
	data, err := json.Marshal(add(have, l, sameStart))
	if err == nil {
		err = durable.WriteFile(lossesPath(dir), data)
	}
	if err != nil {
		return fmt.Errorf("keep a loss: %w", err)
	}
	return nil
}

// add joins a loss with those that overlap it or lie beside it and were noticed within a time. Those before are others,
// because what comes after a lost end has its numbers again.
func add(have []Loss, l Loss, within time.Duration) []Loss {
	out := []Loss{}
	noticed := l.Noticed
	for _, o := range have {
		if o.Last+1 < l.First || l.Last+1 < o.First || noticed.Sub(o.Noticed).Abs() > within {
			out = append(out, o)
			continue
		}
		if o.Last+1 == l.First || l.Last+1 == o.First {
			l.Entries += o.Entries
		}
		l.First, l.Last, l.Entries = min(l.First, o.First), max(l.Last, o.Last), max(l.Entries, o.Entries)
		if o.Noticed.Before(l.Noticed) {
			l.Noticed = o.Noticed
		}
	}
	out = append(out, l)
	slices.SortStableFunc(out, func(a, b Loss) int { return a.Noticed.Compare(b.Noticed) })
	return out
}

// lost lists what is on record, and what the ledger will come by that can't be read: where the state has put that on
// record, it is one with it, however long the ledger waits before it.
func (l *Ledger) lost(ctx context.Context, now time.Time) ([]Loss, error) {
	out, err := losses(l.dir, now)
	if err != nil && !errors.Is(err, errLosses) { // else the next start tells
		return nil, err
	}
	_, at, _ := l.reader.Tally()
	if first, last := l.stream.Bounds(); first > last && at.Sequence < last { // the newest message is never purged
		out = add(out, Loss{First: at.Sequence + 1, Last: last, Noticed: now}, kept)
	}
	for m, err := range l.stream.Salvage(ctx, at.Sequence+1) {
		switch {
		case m == nil:
			return nil, err
		case err != nil:
			out = add(out, Loss{First: m.Sequence, Last: m.Sequence, Noticed: now}, kept)
		}
	}
	if out == nil {
		out = []Loss{} // in JSON a list as the others, not null
	}
	return out, nil
}
