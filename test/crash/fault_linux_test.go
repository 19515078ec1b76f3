package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/sluice-siem/sluice/gateway/stream"
)

// TestMain is the tests, or where it is told so a command that runs another one and lets it be traced by anybody:
// Yama permits that to those who started it only, and strace is started later.
func TestMain(m *testing.M) {
	if os.Getenv(letTrace) == "" {
		m.Run()
		return
	}
	_ = unix.Prctl(unix.PR_SET_PTRACER, ^uintptr(0), 0, 0, 0) // where there is no Yama nobody is asked
	if err := syscall.Exec(os.Args[1], os.Args[1:], os.Environ()); err != nil {
		panic(err)
	}
}

const letTrace = "CRASH_LET_TRACE"

// fault lets system calls of a running gateway fail.
type fault struct {
	of    *process
	cmd   *exec.Cmd
	calls string        // file with those that failed
	done  chan struct{} // closed when strace has ended

	mu   sync.Mutex // guards what follows
	said strings.Builder
}

// Write keeps what strace says.
func (f *fault) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.said.Write(p)
}

func (f *fault) text() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.said.String()
}

// inject lets the calls fail from now on: those that are about the files, or all of them where there are none.
func inject(t *testing.T, p *process, calls, with string, files []string) *fault {
	t.Helper()
	ctx := p.lifetime(t)
	var f *fault
	if err := poll(ctx, func() error {
		f = &fault{of: p, calls: filepath.Join(t.TempDir(), "calls"), done: make(chan struct{})}
		err := f.attach(ctx, calls, with, files)
		if err != nil {
			f.end()
		}
		return err
	}); err != nil {
		t.Fatalf("%v\n%s\n%s", err, f.text(), p.text())
	}
	t.Cleanup(f.end)
	return f
}

// lifetime ends with the process, or the test.
func (p *process) lifetime(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		select {
		case <-p.done:
		case <-ctx.Done():
		}
	}()
	return ctx
}

// attach is nil when all threads are traced. A thread that was made while strace looked for them may be missed.
func (f *fault) attach(ctx context.Context, calls, with string, files []string) error {
	pid := strconv.Itoa(f.of.cmd.Process.Pid)
	args := []string{"-f", "-p", pid, "-e", "trace=" + calls, "-e", "signal=none", "-e", "inject=" + calls + ":error=" + with, "-o", f.calls}
	for _, file := range files {
		args = append(args, "-P", file)
	}
	f.cmd = exec.Command("strace", args...)
	f.cmd.Stderr = f
	if err := f.cmd.Start(); err != nil {
		close(f.done)
		return err
	}
	go func() {
		_ = f.cmd.Wait() // f.said tells why it ended
		close(f.done)
	}()
	if err := poll(ctx, func() error {
		select {
		case <-f.done:
			return nil // which shows below
		default:
		}
		if !strings.Contains(f.text(), "attached") {
			return errors.New("strace isn't attached")
		}
		return nil
	}); err != nil {
		return err
	}
	tasks, err := os.ReadDir(filepath.Join("/proc", pid, "task"))
	if err != nil {
		return err
	}
	for _, task := range tasks {
		status, err := os.ReadFile(filepath.Join("/proc", pid, "task", task.Name(), "status"))
		if err == nil && !strings.Contains(string(status), fmt.Sprintf("\nTracerPid:\t%d\n", f.cmd.Process.Pid)) {
			return fmt.Errorf("thread %s is not traced", task.Name())
		}
	}
	return nil
}

// failed waits until a call has failed.
func (f *fault) failed(t *testing.T) {
	t.Helper()
	look := func() error {
		data, err := os.ReadFile(f.calls)
		if err == nil && !strings.Contains(string(data), "(INJECTED)") {
			err = errors.New("no call has failed")
		}
		return err
	}
	err := poll(f.of.lifetime(t), look)
	if err != nil {
		err = look() // the gateway may have ended since
	}
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, f.text(), f.of.text())
	}
}

// end lets the calls succeed again.
func (f *fault) end() {
	select {
	case <-f.done:
		return
	default:
	}
	_ = f.cmd.Process.Signal(syscall.SIGINT) // it may have ended
	select {
	case <-f.done:
	case <-time.After(deadline):
		_ = f.cmd.Process.Kill() // the gateway goes on without it
		<-f.done
	}
}

// during says what happens while calls fail.
type during int

const (
	waits  during = iota // a message is sent, and not acknowledged
	begins               // messages are sent until one begins a block, and not all of them acknowledged
	goesOn               // a message is sent
	stops                // the gateway is told to stop, after a message
)

// diskFault is what fails. A file of no name stands for all of them, msgs for the block that is written to and those
// after it, and next for only those.
type diskFault struct {
	name, calls, with, file string
	during                  during
}

// TestIOErrors: where an append fails, before it happened or after, nobody is told that it is safe until it is, and the
// gateway goes on when the disk does; where the state or a cursor can't be written, nothing is lost either.
func TestIOErrors(t *testing.T) {
	const written, synced = "write,pwrite64,writev,pwritev", "fsync,fdatasync"
	tests := []diskFault{
		{"the first message isn't written", written, "EIO", "msgs", waits},
		{"a message isn't written", written, "EIO", "msgs", waits},
		{"a message has no room", written, "ENOSPC", "msgs", waits},
		{"a message is written and not synced", synced, "EIO", "msgs", goesOn}, // but the copy is that replaces it
		{"nothing can be synced", synced, "EIO", "", waits},
		{"the first message of a block isn't written", written, "EIO", "next", begins},
		{"the first message of a block has no room", written, "ENOSPC", "next", begins},
		{"a cursor", "pwrite64", "EIO", "disk/data/cursors/file.cursor", goesOn},
		{"the ledger", "pwrite64", "ENOSPC", "disk/data/cursors/ledger%0a.cursor", goesOn},
		{"a target's file", "write", "ENOSPC", "disk/stream.jsonl", goesOn},
		{"the state's tables", "msync", "EIO", "", stops},
		{"the state's list of tables", "write,fsync", "ENOSPC", "disk/data/state/MANIFEST", stops},
	}
	m := newMachine(t)
	m.power, m.kills, m.out = false, len(tests), io.Discard // the file may go back once for each
	t.Setenv(letTrace, "yes")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	m.before = []string{self}
	c := &challenge{machine: m, process: m.start(), want: map[digest]int{}}
	for _, tt := range tests {
		if testing.Short() && tt.during == begins {
			continue // it writes 8 MiB
		}
		if !t.Run(tt.name, func(t *testing.T) { c.face(t, &tt) }) {
			return // nobody knows what became of the gateway
		}
		if tt.during == stops {
			c.process = m.start()
		}
	}
	if err := c.process.drained(c.process.lifetime(t)); err != nil {
		t.Fatalf("%v\n%s", err, c.process.text())
	}
	if err := reconcile(t.Context(), m.dir, m.binary); err != nil {
		t.Error(err)
	}
	if err := c.process.end(); err != nil {
		t.Fatal(err)
	}
	m.settled(c.want)
}

// challenge is a gateway that meets one fault after the other.
type challenge struct {
	*machine
	process *process
	number  int // of the last message
	want    map[digest]int
}

// face is one fault, and that it is over.
func (c *challenge) face(t *testing.T, tt *diskFault) {
	t.Helper()
	ctx, cancel := context.WithTimeout(c.process.lifetime(t), deadline)
	defer cancel()
	if tt.during == begins {
		c.fill(ctx, t)
	}
	if err := c.process.drained(ctx); err != nil { // what is appended next is what is sent
		t.Fatalf("%v\n%s", err, c.process.text())
	}
	f := inject(t, c.process, tt.calls, tt.with, c.find(t, tt.file))
	answer := make(chan error, 1)
	go func() { answer <- c.send(ctx, tt) }()
	if tt.during == stops {
		if err := <-answer; err != nil {
			t.Fatalf("%v\n%s", err, c.process.text())
		}
		_ = c.process.cmd.Process.Signal(syscall.SIGTERM) // where it has ended that is as well
	}
	f.failed(t)
	if tt.during == waits || tt.during == begins {
		select {
		case err := <-answer:
			t.Fatalf("it was acknowledged: %v\n%s", err, c.process.text())
		default:
		}
	}
	f.end()
	if tt.during == stops {
		select {
		case <-c.process.done:
		case <-time.After(deadline):
			t.Fatalf("it doesn't stop\n%s", c.process.text())
		}
	} else if err := <-answer; err != nil {
		t.Fatalf("%v\n%s", err, c.process.text())
	}
}

// send sends what happens while calls fail.
func (c *challenge) send(ctx context.Context, tt *diskFault) error {
	if tt.during != begins {
		return c.tell(ctx, activity(c.number))
	}
	for range 15 {
		if err := c.tell(ctx, c.great()); err != nil {
			return err
		}
	}
	return nil
}

// tell sends a message until it is acknowledged. It is held by nobody who waits for that.
func (c *challenge) tell(ctx context.Context, message string) error {
	key := fmt.Sprint(c.number)
	c.number++
	c.want[digestOf([]byte(message))]++
	return poll(ctx, func() error { return tell(ctx, c.process, key, message) })
}

// greatSize is some bytes, of which ten times as many are left of a block for a message to begin the next.
const greatSize = 40_000

// great is a message of that size, which is not held and can't be packed.
func (c *challenge) great() string {
	text := make([]byte, greatSize)
	for i := range text {
		text[i] = 'a' + byte(c.rng.IntN(26))
	}
	return fmt.Sprintf("<13>nobody understands %d %s", c.number, text)
}

// fill fills a block.
func (c *challenge) fill(ctx context.Context, t *testing.T) {
	t.Helper()
	const block = 8 << 20
	for range block / greatSize {
		info, err := os.Stat(c.block(c.newest(t)))
		if err == nil && info.Size() >= block-10*greatSize {
			return
		}
		if err = errors.Join(err, c.tell(ctx, c.great())); err != nil {
			t.Fatalf("%v\n%s", err, c.process.text())
		}
	}
	t.Fatal("the block is not filled")
}

// find is the paths of a fault's files.
func (c *challenge) find(t *testing.T, file string) (paths []string) {
	t.Helper()
	switch file {
	case "":
		return nil
	case "msgs", "next":
	default:
		return []string{filepath.Join(c.dir, file)}
	}
	block := c.newest(t)
	if file == "next" {
		block++
	}
	for range 20 { // a stream that is opened anew may begin another one
		paths = append(paths, c.block(block))
		block++
	}
	return paths
}

// newest is the number of the block that is written to.
func (c *challenge) newest(t *testing.T) (newest int) {
	t.Helper()
	files, err := os.ReadDir(filepath.Dir(c.block(0)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if n, err := strconv.Atoi(strings.TrimSuffix(f.Name(), ".blk")); err == nil {
			newest = max(newest, n)
		}
	}
	return newest
}

func (c *challenge) block(number int) string {
	return filepath.Join(c.dir, "disk/data/stream/jetstream/$G/streams/SLUICE/msgs", strconv.Itoa(number)+".blk")
}

// settled wants each message once in the stream and all that is forwarded in the file.
func (m *machine) settled(want map[digest]int) {
	m.t.Helper()
	r, problems, err := readRecord(m.t.Context(), m.dir)
	if err != nil || len(problems) > 0 {
		m.t.Fatal(problems, err)
	}
	got := map[digest]int{}
	for i := range r.lines {
		if l := &r.lines[i]; l.kind == stream.Notification {
			got[l.is]++
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		m.t.Errorf("messages in the stream (-want +got):\n%s", diff)
	}
	if problems, err := m.file(r); err != nil || len(problems) > 0 {
		m.t.Error(problems, err)
	}
}
