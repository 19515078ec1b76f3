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

// losses are those that are on record.
func losses(dir string) ([]Loss, error) {
	data, err := os.ReadFile(lossesPath(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []Loss
	if err == nil {
		err = json.Unmarshal(data, &out)
	}
	if err != nil {
		return nil, fmt.Errorf("read losses: %w", err)
	}
	return out, nil
}

// Note puts a loss on record in dir, which is data_dir. One that was noted already, as a whole or a part of it, is one with
// it; those that are too long ago go.
func Note(dir string, l Loss) error {
	have, err := losses(dir)
	if err != nil {
		have = nil // damaged, too: what is lost now counts
	}
	have = slices.DeleteFunc(add(have, l), func(o Loss) bool { return l.Noticed.Sub(o.Noticed) > stream.HoursKept*time.Hour })
	data, err := json.Marshal(have)
	if err == nil {
		err = durable.WriteFile(lossesPath(dir), data)
	}
	if err != nil {
		return fmt.Errorf("keep a loss: %w", err)
	}
	return nil
}

// add joins a loss with those that overlap it or lie beside it.
func add(have []Loss, l Loss) []Loss {
	out := []Loss{}
	for _, o := range have {
		if o.Last+1 < l.First || l.Last+1 < o.First {
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
	slices.SortFunc(out, func(a, b Loss) int { return a.Noticed.Compare(b.Noticed) })
	return out
}

// lost lists what is on record, and what the ledger will come by that can't be read.
func (l *Ledger) lost(ctx context.Context, now time.Time) ([]Loss, error) {
	out, err := losses(l.dir)
	if err != nil {
		return nil, err
	}
	_, at, _ := l.reader.Tally()
	if first, last := l.stream.Bounds(); first > last && at.Sequence < last { // the newest message is never purged
		out = add(out, Loss{First: at.Sequence + 1, Last: last, Noticed: now})
	}
	for m, err := range l.stream.Salvage(ctx, at.Sequence+1) {
		switch {
		case m == nil:
			return nil, err
		case err != nil:
			out = add(out, Loss{First: m.Sequence, Last: m.Sequence, Noticed: now})
		}
	}
	return out, nil
}
