// Package deadletter keeps what a target refuses for good, with its reply, until an operator sends it
// again or gives it up.
//
// # Decisions
//
// A file for each: they are few, an operator can look at them with the tools at hand, and a damaged one
// costs no other. A letter is durable before the target's cursor passes its entry.
package deadletter

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/gateway/durable"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// ErrNotFound is returned for a letter that isn't there.
var ErrNotFound = errors.New("no such dead letter")

// Letter is an entry that a target refused.
type Letter struct {
	Target   string
	Refused  time.Time // the last time
	Attempts int       // how often it was refused
	Reply    string    // what the target said, or why it can't be rendered
	Entry    stream.Entry
}

// ID names the letter among those of its target: the position of its entry.
func (l *Letter) ID() string { return fmt.Sprintf("%d.%d", l.Entry.At.Sequence, l.Entry.At.Index) }

// file is a letter as it lies on disk.
type file struct {
	Version  int             `json:"version"`
	Target   string          `json:"target"`
	At       stream.Position `json:"at"`
	EventKey string          `json:"event_key"`
	Refused  time.Time       `json:"refused"`
	Attempts int             `json:"attempts"`
	Reply    string          `json:"reply"`
	Entry    []byte          `json:"entry"`
}

const version = 1

// Store is a directory of letters. Its methods may be called by several goroutines, but for one target
// by one at a time.
type Store struct{ dir string }

// Open makes the directory if it is missing.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open dead letters: %w", err)
	}
	return &Store{dir}, nil
}

// Dir is the directory of the store.
func (s *Store) Dir() string { return s.dir }

func (s *Store) folder(target string) string {
	return filepath.Join(s.dir, "t-"+url.PathEscape(target))
}

const suffix = ".json"

// path refuses what is no ID: it comes from an operator's command line.
func (s *Store) path(target, id string) (string, error) {
	if id == "" || strings.Trim(id, "0123456789.") != "" || strings.Contains(id, "..") {
		return "", fmt.Errorf("dead letter %q: %w", id, ErrNotFound)
	}
	return filepath.Join(s.folder(target), id+suffix), nil
}

// Put keeps a letter, durably. One that is kept already is replaced.
func (s *Store) Put(l *Letter) error {
	entry, err := stream.EncodeEntry(&l.Entry)
	if err != nil {
		return fmt.Errorf("keep dead letter: %w", err)
	}
	const longest = 16 << 10 // of a reply, which the target chooses
	data, err := json.MarshalIndent(file{
		Version: version, Target: l.Target, At: l.Entry.At, EventKey: string(l.Entry.Key), Refused: l.Refused,
		Attempts: l.Attempts, Reply: l.Reply[:min(len(l.Reply), longest)], Entry: entry,
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("keep dead letter: %w", err)
	}
	path, err := s.path(l.Target, l.ID())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("keep dead letter: %w", err)
	}
	if err := durable.WriteFile(path, data); err != nil {
		return fmt.Errorf("keep dead letter: %w", err)
	}
	return durable.SyncDir(s.dir) // its folder may be new
}

// List gives the IDs of a target's letters, the oldest first.
func (s *Store) List(target string) ([]string, error) {
	entries, err := os.ReadDir(s.folder(target))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	var at []stream.Position
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), suffix)
		var p stream.Position
		if n, err := fmt.Sscanf(id, "%d.%d", &p.Sequence, &p.Index); ok && err == nil && n == 2 {
			at = append(at, p)
		}
	}
	slices.SortFunc(at, func(a, b stream.Position) int {
		return cmp.Or(cmp.Compare(a.Sequence, b.Sequence), cmp.Compare(a.Index, b.Index))
	})
	ids := make([]string, len(at))
	for i, p := range at {
		ids[i] = fmt.Sprintf("%d.%d", p.Sequence, p.Index)
	}
	return ids, nil
}

// Read gives one letter. A damaged file is an error that names it.
func (s *Store) Read(target, id string) (Letter, error) {
	path, err := s.path(target, id)
	if err != nil {
		return Letter{}, err
	}
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Letter{}, fmt.Errorf("dead letter %s of %s: %w", id, target, ErrNotFound)
	case err != nil:
		return Letter{}, fmt.Errorf("read dead letter: %w", err)
	}
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return Letter{}, fmt.Errorf("read dead letter %s: %w", path, err)
	}
	entry, err := stream.DecodeEntry(f.Entry)
	if err != nil {
		return Letter{}, fmt.Errorf("read dead letter %s: %w", path, err)
	}
	entry.At = f.At
	return Letter{Target: f.Target, Refused: f.Refused, Attempts: f.Attempts, Reply: f.Reply, Entry: entry}, nil
}

// SetAside puts a damaged letter's file out of the way, and gives its new name.
func (s *Store) SetAside(target, id string) (string, error) {
	path, err := s.path(target, id)
	if err != nil {
		return "", err
	}
	aside := path + ".damaged"
	if err := os.Rename(path, aside); err != nil {
		return "", fmt.Errorf("set dead letter aside: %w", err)
	}
	return aside, durable.SyncDir(filepath.Dir(path))
}

// Remove forgets a letter: it was delivered after all, or given up.
func (s *Store) Remove(target, id string) error {
	path, err := s.path(target, id)
	if err != nil {
		return err
	}
	if err := os.Remove(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("dead letter %s of %s: %w", id, target, ErrNotFound)
	} else if err != nil {
		return fmt.Errorf("remove dead letter: %w", err)
	}
	return durable.SyncDir(filepath.Dir(path))
}
