package test

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestDiskFull fills the disk under the state while somebody sends. The gateway makes the sender wait
// and goes on when there is room, or it ends with a clear error; either way nothing that it took is lost.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	s := newStorm(t)
	data := filepath.Join(s.dir, "data")
	if err := os.Mkdir(data, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", data, "tmpfs", 0, "size=256m"); err != nil {
		t.Skipf("a small file system is needed, which only root may mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(data, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	const before, during = 50, 3000
	var lines [][]byte
	for i := range before + during {
		lines = append(lines, []byte(defenderAlert(i)))
	}
	d := s.start(t)
	if err := (sender{framing: "octet"}).send(d.inputs["tcp"], lines[:before]); err != nil {
		t.Fatal(err)
	}
	awaitIDs(t, s, defenderID(before-1))

	filler := filepath.Join(data, "filler")
	fill(t, filler, rand.Int64N(256<<10))
	sent := make(chan error, 1)
	go func() { sent <- sender{framing: "octet"}.send(d.inputs["tcp"], lines[before:]) }()
	full := regexp.MustCompile(`(?i)senders wait|no space left`)
	if err := poll(func() error {
		switch {
		case full.MatchString(d.text()):
			return nil
		case len(sent) > 0:
			err := <-sent
			sent <- err
			if err == nil {
				return final{errors.New("everything was taken: there was room")}
			}
			return nil // the gateway ended, or will
		}
		return errors.New("the gateway doesn't say that the disk is full")
	}); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	d = s.recover(t, d, sent, lines)
	awaitIDs(t, s, defenderID(before+during-1))
	s.finish(t, d)
	events, err := readEvents(filepath.Join(s.dir, "stream.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, e := range events {
		seen[e.NotificationID] = true
	}
	for i := range before + during {
		if !seen[defenderID(i)] {
			t.Errorf("alert %d is lost", i)
		}
	}
}

// recover waits until everything was sent. Where the gateway ended it must have said why, and is started
// again and sent everything again, as after every crash.
func (s *storm) recover(t *testing.T, d *daemon, sent <-chan error, lines [][]byte) *daemon {
	t.Helper()
	err := <-sent
	if err := d.waitReady(); err == nil {
		t.Log("the gateway went on")
		return d
	}
	if !strings.Contains(d.text(), "sluice: ") || !strings.Contains(d.text(), "no space left on device") {
		t.Errorf("the gateway ended (%v; the sender: %v) without a clear error:\n%.3000s", d.cmd.ProcessState, err, d.text())
	}
	t.Logf("the gateway ended: %v", d.cmd.ProcessState)
	d = s.start(t)
	if err := (sender{framing: "octet"}).send(d.inputs["tcp"], lines); err != nil {
		t.Fatal(err)
	}
	return d
}

// fill writes a file until nothing more fits, and then leaves some bytes: whether the stream or the state
// meets the end of the disk first is chance.
func fill(t *testing.T, name string, leave int64) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for size := 1 << 20; size > 0; size /= 2 {
		block := make([]byte, size)
		for err == nil {
			_, err = f.Write(block)
		}
		if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, io.ErrShortWrite) {
			t.Fatal(err)
		}
		err = nil
	}
	info, err := f.Stat()
	if err == nil {
		err = f.Truncate(info.Size() - leave)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes are left", leave)
}
