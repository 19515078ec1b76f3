package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/sluice-siem/sluice/gateway/durable"
)

// syncBlocks syncs the blocks of messages before anything is built on what is in them. The last process may
// have been killed between writing a message and syncing it: then the message is there, nobody was told so,
// and what comes again is known by it and acknowledged; a power cut must not take it away after that.
func syncBlocks(dir string) error {
	msgs := filepath.Join(streamDir(dir), "msgs")
	files, err := os.ReadDir(msgs)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("list blocks: %w", err)
	}
	for _, f := range files {
		if filepath.Ext(f.Name()) != ".blk" {
			continue
		}
		if err := durable.Sync(filepath.Join(msgs, f.Name())); err != nil {
			return fmt.Errorf("sync block: %w", err)
		}
	}
	return durable.SyncDir(msgs)
}

// rewriteNewest copies JetStream's newest block of messages and puts the synced copy in its place,
// while no server runs. After a failed fsync the kernel takes the pages for clean: they can be read
// back, a second fsync reports success, and a power cut loses them. Only written anew they are safe,
// and only then may an append whose sync failed be called stored.
func rewriteNewest(dir string) error {
	newest, data, err := newestBlock(dir)
	if err != nil || newest == "" {
		return err
	}
	return durable.WriteFile(newest, data)
}

// newestBlock gives JetStream's newest block of messages; no name where there is none.
func newestBlock(dir string) (newest string, data []byte, err error) {
	msgs := filepath.Join(streamDir(dir), "msgs")
	files, err := os.ReadDir(msgs)
	if err != nil {
		return "", nil, fmt.Errorf("list blocks: %w", err)
	}
	number := -1
	for _, f := range files {
		digits, found := strings.CutSuffix(f.Name(), ".blk")
		if n, err := strconv.Atoi(digits); found && err == nil && n > number {
			newest, number = filepath.Join(msgs, f.Name()), n
		}
	}
	if newest == "" {
		return "", nil, nil
	}
	if data, err = os.ReadFile(newest); err != nil {
		return "", nil, fmt.Errorf("read block: %w", err)
	}
	return newest, data, nil
}

// forgetPhantom makes JetStream forget a message that it counts and doesn't have. Where the first message of a
// block can't be written, its index says all the same that the sequence was used, and at the next start it
// notes in a block of its own that the message was deleted. Without both the blocks are all that there is.
func forgetPhantom(dir string) error {
	newest, data, err := newestBlock(dir)
	if err != nil {
		return err
	}
	remove := []string{filepath.Join(streamDir(dir), "msgs", "index.db")}
	const record, deleted = 30, 1 << 62 // bytes without subject and text; a bit of the sequence
	if len(data) == record && binary.LittleEndian.Uint64(data[4:])&deleted != 0 {
		remove = append(remove, newest)
	}
	for _, file := range remove {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forget what was not written: %w", err)
		}
	}
	return nil
}
