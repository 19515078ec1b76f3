package target

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway/render"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// numbered makes entries with the event keys k0001 and so on.
func numbered(from, to int) []*stream.Entry {
	var batch []*stream.Entry
	for i := from; i <= to; i++ {
		e := received([]byte("<13>May  6 07:08:08 h brewd: number " + strconv.Itoa(i)))
		e.Key = dedup.EventKey("k" + strconv.Itoa(10000 + i)[1:])
		batch = append(batch, &e)
	}
	return batch
}

func keys(batch []*stream.Entry) []string {
	var out []string
	for i := range batch {
		out = append(out, string(batch[i].Key))
	}
	return out
}

// keyOf finds the event key in a rendered CEF event; anything else is itself in angle brackets.
func keyOf(text string) string {
	if _, key, ok := strings.Cut(text, "sluiceEventKey="); ok && strings.Contains(text, "CEF:0|") {
		return strings.TrimSuffix(key, "\n")
	}
	return "<" + text + ">"
}

// inFile lists the keys of the lines in a file.
func inFile(t *testing.T, name string) []string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for text := range strings.Lines(string(b)) {
		if !strings.HasSuffix(text, "\n") {
			t.Errorf("line %q has no end", text)
		}
		out = append(out, keyOf(text))
	}
	return out
}

func newFile(t *testing.T, name string) *File {
	t.Helper()
	f, err := NewFile(config.Target{Name: "archive", Type: "file", Path: name, Format: "cef"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

type deliverer interface {
	Deliver(context.Context, []*stream.Entry) ([]Result, error)
}

// deliver delivers a batch that must succeed.
func deliver(t *testing.T, d deliverer, batch []*stream.Entry) {
	t.Helper()
	results, err := d.Deliver(t.Context(), batch)
	if err != nil {
		t.Fatalf("Deliver(): %v", err)
	}
	if diff := cmp.Diff(repeat(Delivered, len(batch)), results); diff != "" {
		t.Fatalf("results (-want +got):\n%s", diff)
	}
}

func repeat(r Result, n int) []Result {
	out := make([]Result, n)
	for i := range out {
		out[i] = r
	}
	return out
}

func TestFileAppendsLines(t *testing.T) {
	name := filepath.Join(t.TempDir(), "stream.cef")
	deliver(t, newFile(t, name), numbered(1, 3))
	again := newFile(t, name)
	deliver(t, again, numbered(4, 5))
	deliver(t, again, nil)
	if diff := cmp.Diff(keys(numbered(1, 5)), inFile(t, name)); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm()&0o137 != 0 {
		t.Errorf("permissions %v (%v), want at most 0640", info.Mode(), err)
	}
}

func TestFileFollowsRotation(t *testing.T) {
	name := filepath.Join(t.TempDir(), "stream.cef")
	f := newFile(t, name)
	deliver(t, f, numbered(1, 2))
	if err := os.Rename(name, name+".1"); err != nil {
		t.Fatal(err)
	}
	deliver(t, f, numbered(3, 3))
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	deliver(t, f, numbered(4, 4))
	if err := os.Truncate(name, 0); err != nil { // logrotate's copytruncate
		t.Fatal(err)
	}
	deliver(t, f, numbered(5, 6))
	if diff := cmp.Diff(keys(numbered(1, 2)), inFile(t, name+".1")); diff != "" {
		t.Errorf("rotated file (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(keys(numbered(5, 6)), inFile(t, name)); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
}

func TestFileKeepsWholeLinesWhenTheDiskIsFull(t *testing.T) {
	name := filepath.Join(t.TempDir(), "stream.cef")
	f := newFile(t, name)
	deliver(t, f, numbered(1, 1))
	line, err := render.AppendCEF(nil, numbered(2, 2)[0])
	if err != nil {
		t.Fatal(err)
	}
	room := 2*(len(line)+1) + 7 // for two lines and a bit
	f.write = func(file *os.File, b []byte) (int, error) {
		n, err := file.Write(b[:min(room, len(b))])
		if err == nil && n < len(b) {
			err = syscall.ENOSPC
		}
		return n, err
	}
	results, err := f.Deliver(t.Context(), numbered(2, 5))
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Deliver() = %v, want ENOSPC", err)
	}
	if diff := cmp.Diff([]Result{Delivered, Delivered, Retry, Retry}, results); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(keys(numbered(1, 3)), inFile(t, name)); diff != "" {
		t.Errorf("file while full (-want +got):\n%s", diff)
	}
	f.write = (*os.File).Write
	deliver(t, f, numbered(4, 5))
	if diff := cmp.Diff(keys(numbered(1, 5)), inFile(t, name)); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
}

func TestFileEndsALineThatACrashTore(t *testing.T) {
	name := filepath.Join(t.TempDir(), "stream.cef")
	if err := os.WriteFile(name, []byte("whole\ntor"), 0o600); err != nil {
		t.Fatal(err)
	}
	deliver(t, newFile(t, name), numbered(1, 1))
	if diff := cmp.Diff([]string{"<whole\n>", "<tor\n>", "k0001"}, inFile(t, name)); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
}

func TestFileWaitsForItsDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later")
	f := newFile(t, filepath.Join(dir, "stream.cef"))
	results, err := f.Deliver(t.Context(), numbered(1, 2))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Deliver() = %v, want that the directory is missing", err)
	}
	if diff := cmp.Diff(repeat(Retry, 2), results); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	deliver(t, f, numbered(1, 2))
}

func TestFileMayBeAPipe(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Skip(err)
	}
	f, batch := newFile(t, name), numbered(1, 1)
	retried := func() {
		t.Helper()
		if results, err := f.Deliver(t.Context(), batch); err == nil || results[0] != Retry {
			t.Errorf("nobody reads, and Deliver() = %v, %v", results, err)
		}
	}
	read := func(r *os.File) {
		t.Helper()
		buf := make([]byte, 4096)
		n, err := r.Read(buf)
		if got := keyOf(strings.TrimPrefix(string(buf[:n]), "\n")); err != nil || got != "k0001" {
			t.Errorf("read %q, %v", got, err)
		}
	}
	for range 2 { // a reader comes and goes
		retried()
		r, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		deliver(t, f, batch)
		read(r)
		deliver(t, f, batch) // not read any more by this one
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		retried()
		if r, err = os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0); err != nil {
			t.Fatal(err)
		}
		read(r)
		if err := errors.Join(r.Close(), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// tap is a writer that takes so many bytes.
type tap struct {
	bytes.Buffer
	room int
}

func (p *tap) Write(b []byte) (int, error) {
	n := min(p.room, len(b))
	p.room -= n
	p.Buffer.Write(b[:n])
	if n < len(b) {
		return n, io.ErrClosedPipe
	}
	return n, nil
}

func TestStdoutEndsTornLines(t *testing.T) {
	line, err := render.AppendCEF(nil, numbered(1, 1)[0])
	if err != nil {
		t.Fatal(err)
	}
	w := &tap{room: len(line) + 1 + 5}
	s, err := NewStdout(config.Target{Format: "cef"}, w)
	if err != nil {
		t.Fatal(err)
	}
	results, err := s.Deliver(t.Context(), numbered(1, 3))
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Deliver() = %v, want %v", err, io.ErrClosedPipe)
	}
	if diff := cmp.Diff([]Result{Delivered, Retry, Retry}, results); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	w.room = 1 << 20
	deliver(t, s, numbered(2, 3))
	var got []string
	for text := range strings.Lines(w.String()) {
		got = append(got, keyOf(text))
	}
	want := []string{"k0001", "<" + string(line[:5]) + "\n>", "k0002", "k0003"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}

// TestStdoutEndsWhatAProcessBeforeTore: a file that is appended to gets a line end where its last line has none, and a pipe
// always, as nobody sees what is in it.
func TestStdoutEndsWhatAProcessBeforeTore(t *testing.T) {
	line, err := render.AppendCEF(nil, numbered(1, 1)[0])
	if err != nil {
		t.Fatal(err)
	}
	first := string(line) + "\n"
	for _, tt := range []struct{ name, before, want string }{
		{"new", "", first},
		{"whole", "whole\n", "whole\n" + first},
		{"torn", "whole\ntor", "whole\ntor\n" + first},
	} {
		path := filepath.Join(t.TempDir(), "out")
		if err := os.WriteFile(path, []byte(tt.before), 0o600); err != nil {
			t.Fatal(err)
		}
		w, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		toStdout(t, w)
		if got, err := os.ReadFile(path); err != nil || string(got) != tt.want {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }() // it was only read
	toStdout(t, w)
	if got, err := io.ReadAll(r); err != nil || string(got) != "\n"+first {
		t.Errorf("pipe: %q, %v; want %q", got, err, "\n"+first)
	}
}

// toStdout delivers an entry to w, and closes it.
func toStdout(t *testing.T, w *os.File) {
	t.Helper()
	s, err := NewStdout(config.Target{Format: "cef"}, w)
	if err != nil {
		t.Fatal(err)
	}
	deliver(t, s, numbered(1, 1))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// stalled is a reader's end that takes nothing until it is let go, and then only that much of what was being written.
type stalled struct {
	bytes.Buffer
	begun func()
	let   chan struct{}
	takes int
}

func (s *stalled) Write(b []byte) (int, error) {
	s.begun()
	<-s.let
	b, s.takes = b[:min(s.takes, len(b))], 1<<20
	return s.Buffer.Write(b)
}

// TestStdoutIsLeftWhenNobodyReads: a reader that has stopped keeps nobody from stopping, and whoever goes on has whole lines.
func TestStdoutIsLeftWhenNobodyReads(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w := &stalled{begun: cancel, let: make(chan struct{}), takes: 5}
	s, err := NewStdout(config.Target{Format: "cef"}, w)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		results, err := s.Deliver(ctx, numbered(1, 3))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Deliver() = %v, want %v", err, context.Canceled)
		}
		if diff := cmp.Diff(repeat(Retry, 3), results); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
	}
	close(w.let)
	deliver(t, s, numbered(1, 3))
	torn, rest, _ := strings.Cut(w.String(), "\n")
	if len(torn) != 5 {
		t.Errorf("the torn line is %q, want 5 bytes", torn)
	}
	var got []string
	for text := range strings.Lines(rest) {
		got = append(got, keyOf(text))
	}
	if diff := cmp.Diff([]string{"k0001", "k0002", "k0003"}, got); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}

// pipe makes a named pipe that has a reader until the test ends.
func pipe(t *testing.T) (name string, reader *os.File) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reader.Close() }) // it was only read
	return name, reader
}

// TestFileThatIsAPipeIsLeftWhenNobodyReads: the same for a named pipe, and for the next process, which knows of no torn line.
func TestFileThatIsAPipeIsLeftWhenNobodyReads(t *testing.T) {
	name, reader := pipe(t)
	f := newFile(t, name)
	ctx, cancel := context.WithCancel(t.Context())
	f.write = func(file *os.File, b []byte) (int, error) {
		if len(b) > 1 {
			cancel()
		}
		return file.Write(b)
	}
	many := numbered(1, 1000) // which no pipe has room for
	results, err := f.Deliver(ctx, many)
	if err == nil {
		t.Error("Deliver() = nil, and nobody reads")
	}
	had := 0
	for _, r := range results {
		if r == Delivered {
			had++
		}
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	f = newFile(t, name)
	got := map[string]bool{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		lines := bufio.NewScanner(reader)
		for !got["k1000"] && lines.Scan() {
			got[keyOf(lines.Text())] = true
		}
	}()
	deliver(t, f, many[had:])
	<-done
	for _, e := range many {
		if !got[string(e.Key)] {
			t.Fatalf("%s is missing", e.Key)
		}
	}
}

// TestFileThatIsAPipeForgetsWhoGaveUp: whoever gives up when a write is done already leaves no deadline to those that come.
func TestFileThatIsAPipeForgetsWhoGaveUp(t *testing.T) {
	name, _ := pipe(t)
	f := newFile(t, name)
	deliver(t, f, numbered(1, 1))
	ctx, cancel := context.WithCancel(t.Context())
	f.write = func(file *os.File, b []byte) (n int, err error) {
		n, err = file.Write(b)
		cancel()
		for late := error(nil); !errors.Is(late, os.ErrDeadlineExceeded); {
			_, late = file.Write(nil)
		}
		return n, err
	}
	if results, err := f.Deliver(ctx, numbered(2, 2)); err != nil || results[0] != Delivered {
		t.Errorf("Deliver() = %v, %v", results, err)
	}
	f.write = (*os.File).Write
	deliver(t, f, numbered(3, 3))
}

func TestStdoutSaysWhenItsReaderIsGone(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	s, err := NewStdout(config.Target{Format: "json"}, w)
	if err != nil {
		t.Fatal(err)
	}
	results, err := s.Deliver(t.Context(), numbered(1, 2))
	if !errors.Is(err, syscall.EPIPE) {
		t.Errorf("Deliver() = %v, want EPIPE", err)
	}
	if diff := cmp.Diff(repeat(Retry, 2), results); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
}

func TestEntriesThatCannotBeRenderedAreRejected(t *testing.T) {
	var w bytes.Buffer
	s := &Stdout{w: &w, render: func(b []byte, e *stream.Entry, _ int) ([]byte, error) {
		if e.Key == "k0002" {
			return b, errors.New("no words for it")
		}
		return render.AppendCEF(b, e)
	}}
	results, err := s.Deliver(t.Context(), numbered(1, 3))
	if !errors.Is(err, ErrRejected) || !strings.Contains(err.Error(), "entry k0002 rejected: no words for it") {
		t.Errorf("Deliver() = %v, want ErrRejected for k0002", err)
	}
	if diff := cmp.Diff([]Result{Delivered, Rejected, Delivered}, results); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if n := strings.Count(w.String(), "\n"); n != 2 {
		t.Errorf("%d lines, want 2", n)
	}
}
