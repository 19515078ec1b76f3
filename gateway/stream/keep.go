package stream

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/sluice-siem/sluice/gateway/durable"
)

// JetStream removes a stream with all its messages when it can't open it, be it for one error of the disk.
// So while it opens, each of the stream's files has a second name out of its reach, by which it is put back.

// keptDir is where the second names are.
func keptDir(dir string) string { return filepath.Join(dir, "kept") }

// keep gives the files their second names, durably, when what a start before this one has removed is put back.
func keep(dir string, log *slog.Logger) error {
	if _, err := putBack(dir); err != nil {
		return err
	}
	if err := os.RemoveAll(keptDir(dir)); err != nil {
		return fmt.Errorf("keep the stream's files: %w", err)
	}
	files, err := files(dir)
	if err != nil || len(files) == 0 {
		return err
	}
	if err := os.Mkdir(keptDir(dir), 0o700); err != nil {
		return fmt.Errorf("keep the stream's files: %w", err)
	}
	for _, f := range files {
		if err := os.Link(f, filepath.Join(keptDir(dir), filepath.Base(f))); err != nil {
			log.Warn("the stream's files can't be kept while JetStream opens them", "err", err)
			break
		}
	}
	if err := errors.Join(durable.SyncDir(keptDir(dir)), durable.SyncDir(dir)); err != nil {
		return fmt.Errorf("keep the stream's files: %w", err)
	}
	return nil
}

// files are those without which there is no stream.
func files(dir string) ([]string, error) {
	blocks, err := filepath.Glob(filepath.Join(streamDir(dir), "msgs", "*.blk"))
	if err != nil {
		return nil, fmt.Errorf("list blocks: %w", err)
	}
	var out []string
	for _, f := range append(blocks, filepath.Join(streamDir(dir), server.JetStreamMetaFile), filepath.Join(streamDir(dir), server.JetStreamMetaFileSum)) {
		if info, err := os.Lstat(f); err == nil && info.Mode().IsRegular() {
			out = append(out, f)
		}
	}
	return out, nil
}

// putBack gives back what is missing of what was kept, and says whether anything was. No server runs.
func putBack(dir string) (missed bool, err error) {
	kept, err := os.ReadDir(keptDir(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	msgs := filepath.Join(streamDir(dir), "msgs")
	if err == nil && len(kept) > 0 {
		err = os.MkdirAll(msgs, 0o700)
	}
	for _, e := range kept {
		to := filepath.Join(streamDir(dir), e.Name())
		if filepath.Ext(e.Name()) == ".blk" {
			to = filepath.Join(msgs, e.Name())
		}
		again := os.Link(filepath.Join(keptDir(dir), e.Name()), to)
		if !errors.Is(again, fs.ErrExist) {
			missed, err = true, errors.Join(err, again)
		}
	}
	if missed && err == nil {
		err = errors.Join(durable.SyncDir(msgs), durable.SyncDir(streamDir(dir)))
	}
	if err != nil {
		return missed, fmt.Errorf("put the stream's files back: %w", err)
	}
	return missed, nil
}

// letGo takes the second names away. What is left of them does no harm but take room.
func letGo(dir string, log *slog.Logger) {
	if err := os.RemoveAll(keptDir(dir)); err != nil {
		log.Warn("the second names of the stream's files can't be removed", "err", err)
	}
}
