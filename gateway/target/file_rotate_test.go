package target

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// newRotated makes a target that puts its file aside before every batch but the first, and keeps ten.
func newRotated(t *testing.T, name string, change func(*config.Rotate)) *File {
	t.Helper()
	cfg := config.Target{Name: "archive", Path: name, Format: "cef", Rotate: config.Rotate{Size: 1, Keep: 10, Compression: "gzip"}}
	if change != nil {
		change(&cfg.Rotate)
	}
	f, err := NewFile(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// names lists a directory.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// all gives the keys in a file and its predecessors, the oldest first. Where one is there twice, in two
// shapes, the compressed one counts.
func all(t *testing.T, name string) []string {
	t.Helper()
	var out []string
	files := names(t, filepath.Dir(name))
	slices.SortFunc(files, func(a, b string) int { // the file itself is the last
		return strings.Compare(a+strings.Repeat("~", len(b)), b+strings.Repeat("~", len(a)))
	})
	for _, file := range files {
		path := filepath.Join(filepath.Dir(name), file)
		switch {
		case file == filepath.Base(name):
			continue
		case strings.HasSuffix(file, shelfNew):
			continue
		case strings.HasSuffix(file, shelfGzip):
			out = append(out, inGzip(t, path)...)
		case !slices.Contains(files, file+shelfGzip):
			out = append(out, inFile(t, path)...)
		}
	}
	if _, err := os.Stat(name); err == nil {
		out = append(out, inFile(t, name)...)
	}
	return out
}

func inGzip(t *testing.T, name string) []string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(read(t, name)))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	plain := filepath.Join(t.TempDir(), "plain")
	put(t, plain, text)
	return inFile(t, plain)
}

func TestFileRotatesBySize(t *testing.T) {
	for _, compression := range []string{"gzip", "none"} {
		name := filepath.Join(t.TempDir(), "stream.cef")
		f := newRotated(t, name, func(r *config.Rotate) { r.Compression = compression })
		for i := 1; i <= 7; i += 2 {
			deliver(t, f, numbered(i, i+1))
		}
		f.Close()
		files := names(t, filepath.Dir(name))
		if len(files) != 4 || files[0] != "stream.cef" {
			t.Fatalf("files %v, want four", files)
		}
		for _, file := range files[1:] {
			if strings.HasSuffix(file, ".gz") != (compression == "gzip") {
				t.Errorf("compression %s: file %s", compression, file)
			}
			if info, err := os.Stat(filepath.Join(filepath.Dir(name), file)); err != nil || info.Mode().Perm()&0o137 != 0 {
				t.Errorf("%s: %v (%v), want at most 0640", file, info.Mode(), err)
			}
		}
		if diff := cmp.Diff(keys(numbered(1, 8)), all(t, name)); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
	}
}

func TestFileKeepsTheNewest(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "stream.cef")
	foreign := []string{
		"other.cef.20200101T000000.000Z", "stream.cef.1", "stream.cef.2.gz", "stream.cef.20200101", "stream.cef.20200101T000000.000Z.bak",
		"stream.cef.20200101T000000.000Z.gz.old", "stream.cef.20209901T000000.000Z", "stream.cef.gz", "stream.cefx.20200101T000000.000Z",
		"stream.cef.20200101T000000.0Z", "stream.cef.20200101T000000.000Z.gz.gz",
	}
	for _, other := range foreign {
		put(t, filepath.Join(dir, other), []byte("not ours\n"))
	}
	if err := os.Mkdir(filepath.Join(dir, "stream.cef.20200101T000000.001Z"), 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "stream.cef.20200101T000000.002Z"), []byte("ours, and old\n"))
	put(t, filepath.Join(dir, "stream.cef.20200101T000000.003Z.gz"), []byte("ours, and old"))
	f := newRotated(t, name, func(r *config.Rotate) { r.Keep = 2 })
	for i := 1; i <= 5; i++ {
		deliver(t, f, numbered(i, i))
	}
	f.Close()
	for _, other := range append(foreign, "stream.cef.20200101T000000.001Z") {
		path := filepath.Join(dir, other)
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s is gone", other)
		}
		os.Remove(path)
	}
	if got := names(t, dir); len(got) != 3 {
		t.Errorf("files %v, want three", got)
	}
	if diff := cmp.Diff(keys(numbered(3, 5)), all(t, name)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// A file's age is that of its beginning, over restarts, however often it is written to.
func TestFileRotatesByAge(t *testing.T) {
	name := filepath.Join(t.TempDir(), "stream.cef")
	begun := time.Now()
	at := func(d time.Duration) *File {
		f := newRotated(t, name, func(r *config.Rotate) { r.Size, r.Age = 0, 24*time.Hour })
		f.now = func() time.Time { return begun.Add(d) }
		return f
	}
	f := at(0)
	deliver(t, f, numbered(1, 1))
	if _, known := born(f.file); !known {
		t.Skip("the file system doesn't keep when a file was created")
	}
	f.Close()
	for i := range 5 { // restarts, and writes
		f := at(time.Duration(i+1) * 4 * time.Hour)
		deliver(t, f, numbered(i+2, i+2))
		f.Close()
	}
	if got := names(t, filepath.Dir(name)); len(got) != 1 {
		t.Errorf("after 20 hours the files are %v, want one", got)
	}
	f = at(25 * time.Hour)
	deliver(t, f, numbered(7, 7))
	f.now = func() time.Time { return begun.Add(48 * time.Hour) } // the new one is 23 hours old
	deliver(t, f, numbered(8, 8))
	if got := inFile(t, name); len(got) != 2 {
		t.Errorf("the file has %v, want two", got)
	}
	f.now = func() time.Time { return begun.Add(50 * time.Hour) }
	deliver(t, f, numbered(9, 9))
	f.Close()
	if diff := cmp.Diff(keys(numbered(1, 9)), all(t, name)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if got := names(t, filepath.Dir(name)); len(got) != 3 {
		t.Errorf("files %v, want three", got)
	}
}

// An empty file has no age: its content begins with the first batch.
func TestFileOfNothingIsNotPutAside(t *testing.T) {
	name := filepath.Join(t.TempDir(), "stream.cef")
	put(t, name, nil)
	f := newRotated(t, name, func(r *config.Rotate) { r.Size, r.Age = 1, time.Hour })
	f.rotate.Size = 0
	later := time.Now().Add(100 * time.Hour)
	f.now = func() time.Time { return later }
	deliver(t, f, numbered(1, 1))
	deliver(t, f, numbered(2, 2))
	if got := names(t, filepath.Dir(name)); len(got) != 1 {
		t.Errorf("files %v, want one", got)
	}
}

func TestFileNamesStandInOrderWhateverTheClockDoes(t *testing.T) {
	name := filepath.Join(t.TempDir(), "stream.cef")
	f := newRotated(t, name, nil)
	start := time.Date(2031, 5, 6, 7, 8, 9, 0, time.FixedZone("", 7200))
	for i, d := range []time.Duration{0, 0, 0, -time.Hour, time.Millisecond, time.Hour} {
		f.now = func() time.Time { return start.Add(d) }
		deliver(t, f, numbered(i+1, i+1))
	}
	f.Close()
	want := []string{
		"stream.cef", "stream.cef.20310506T050809.000Z.gz", "stream.cef.20310506T050809.001Z.gz", "stream.cef.20310506T050809.002Z.gz",
		"stream.cef.20310506T050809.003Z.gz", "stream.cef.20310506T060809.000Z.gz",
	}
	if diff := cmp.Diff(want, names(t, filepath.Dir(name))); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(keys(numbered(1, 6)), all(t, name)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestFileThatIsNoneIsNeverPutAside(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	r, err := os.OpenFile(pipe, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, name := range []string{pipe, "/dev/null"} {
		f := newRotated(t, name, func(r *config.Rotate) { r.Age = 1 })
		for i := range 3 {
			deliver(t, f, numbered(i, i))
		}
		if info, err := os.Stat(name); err != nil || info.Mode().IsRegular() {
			t.Errorf("%s is %v now, %v", name, info.Mode(), err)
		}
	}
	if got := names(t, filepath.Dir(pipe)); len(got) != 1 {
		t.Errorf("files %v, want the pipe", got)
	}
}

// Where the path is a link, what it names is put aside, where it is.
func TestFileRotatesWhatALinkNames(t *testing.T) {
	here, there := t.TempDir(), t.TempDir()
	name := filepath.Join(here, "link")
	for _, to := range []string{"a", "b"} {
		os.Remove(name)
		if err := os.Symlink(filepath.Join(there, to), name); err != nil {
			t.Fatal(err)
		}
	}
	f := newRotated(t, name, nil)
	deliver(t, f, numbered(1, 1))
	deliver(t, f, numbered(2, 2))
	os.Remove(name)
	if err := os.Symlink(filepath.Join(there, "a"), name); err != nil { // it leads elsewhere
		t.Fatal(err)
	}
	deliver(t, f, numbered(3, 3))
	deliver(t, f, numbered(4, 4))
	f.Close()
	if got := names(t, here); len(got) != 1 {
		t.Errorf("files %v beside the link", got)
	}
	if got := names(t, there); len(got) != 4 {
		t.Errorf("files %v, want a and b and one of each", got)
	}
	for _, to := range []string{"a", "b"} {
		for _, other := range names(t, there) {
			if strings.HasPrefix(other, to+".") && len(inGzip(t, filepath.Join(there, other))) != 1 {
				t.Errorf("%s has not one line", other)
			}
		}
	}
}

var errInjected = errors.New("injected")

// faulty fails a step: before it is done, or after.
type faulty struct {
	at      int  // the step that fails
	applied bool // it was done all the same
	crash   bool // and so does everything after it

	mu     sync.Mutex // guards what follows
	count  int
	failed string // the step that did
}

func (f *faulty) do(step string, act func() error) error {
	f.mu.Lock()
	fails := f.count == f.at
	over := f.crash && f.count > f.at
	f.count++
	if fails {
		f.failed = step
	}
	f.mu.Unlock()
	if over || fails && !f.applied {
		return errInjected
	}
	err := act()
	if fails {
		return errInjected
	}
	return err
}

// write is [os.File.Write] until the crash.
func (f *faulty) write(file *os.File, b []byte) (int, error) {
	f.mu.Lock()
	over := f.crash && f.failed != ""
	f.mu.Unlock()
	if over {
		return 0, errInjected
	}
	return file.Write(b)
}

// Whatever step fails, once or because the process ends there, what was delivered is in the files, in order,
// and the next start leaves nothing half done.
func TestFileRotationSurvivesEveryStep(t *testing.T) {
	steps := map[string]bool{}
	for _, crash := range []bool{false, true} {
		for _, applied := range []bool{false, true} {
			for at := 0; ; at++ {
				fault := &faulty{at: at, applied: applied, crash: crash}
				rotateWith(t, fault)
				if fault.failed == "" {
					break
				}
				steps[fault.failed] = true
				if t.Failed() {
					t.Fatalf("that was step %d, %s, done: %t, crash: %t", at, fault.failed, applied, crash)
				}
			}
		}
	}
	want := []string{
		"compress", "create", "open", "remove .gz", "remove plain", "rename", "rename compressed", "sync", "sync compressed",
		"sync directory", "sync directory of compressed", "sync directory of opened",
	}
	for _, step := range want {
		if !steps[step] {
			t.Errorf("no fault at step %q, but at %v", step, steps)
		}
	}
}

func rotateWith(t *testing.T, fault *faulty) {
	t.Helper()
	dir := t.TempDir()
	name := filepath.Join(dir, "stream.cef")
	keep := func(r *config.Rotate) { r.Keep = 3 }
	f := newRotated(t, name, keep)
	f.do, f.write = fault.do, fault.write
	hour := time.Date(2031, 5, 6, 7, 0, 0, 0, time.UTC)
	f.now = func() time.Time { hour = hour.Add(time.Hour); return hour }
	var got []string // delivered
	batches := [][]*stream.Entry{numbered(1, 3), numbered(4, 6), numbered(7, 9), numbered(10, 12), numbered(13, 15), numbered(16, 18)}
	for tries := 0; len(batches) > 0 && tries < 20; tries++ {
		results, _ := f.Deliver(t.Context(), batches[0])
		if !slices.Contains(results, Retry) {
			got = append(got, keys(batches[0])...)
			batches = batches[1:]
		}
		f.settled() // one after the other, so that the steps have their numbers
	}
	f.Close()
	if len(batches) > 0 && !fault.crash {
		t.Errorf("%d batches are not delivered", len(batches))
	}
	keptOf(t, name, got)

	again := newRotated(t, name, keep)
	again.now = f.now
	for _, batch := range batches {
		deliver(t, again, batch)
	}
	deliver(t, again, numbered(19, 20))
	again.Close()
	keptOf(t, name, keys(numbered(1, 20)))
	files := names(t, dir)
	for _, file := range files {
		if file != "stream.cef" && !strings.HasSuffix(file, "Z.gz") {
			t.Errorf("%s is left", file)
		}
	}
	if len(files) > 4 {
		t.Errorf("files %v, want three and the file itself", files)
	}
}

// keptOf wants the last of the keys in the files, in order: those that the files that are kept must have.
func keptOf(t *testing.T, name string, want []string) {
	t.Helper()
	got := slices.Compact(all(t, name))
	kept := min(len(want), 8) // of the files that are kept, one may be of two entries
	if kept == 0 {
		return
	}
	first := slices.Index(got, want[len(want)-kept])
	if first < 0 {
		t.Errorf("the files have %v, want the end of %v", got, want)
		return
	}
	if diff := cmp.Diff(want[len(want)-kept:], got[first:min(len(got), first+kept)]); diff != "" {
		t.Errorf("the files have %v (-want +got):\n%s", got, diff)
	}
}

// A full disk keeps what isn't compressed, and is said once.
func TestFileThatCannotBeCompressedStays(t *testing.T) {
	name := filepath.Join(t.TempDir(), "stream.cef")
	f := newRotated(t, name, nil)
	var log bytes.Buffer
	f.log = slog.New(slog.NewTextHandler(&log, nil))
	var mu sync.Mutex
	full := true
	f.do = func(step string, act func() error) error {
		mu.Lock()
		defer mu.Unlock()
		if step == "compress" && full {
			return fmt.Errorf("write: %w", syscall.ENOSPC)
		}
		return act()
	}
	for i := 1; i <= 5; i++ {
		deliver(t, f, numbered(i, i))
		f.settled()
	}
	if diff := cmp.Diff(keys(numbered(1, 5)), all(t, name)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for _, file := range names(t, filepath.Dir(name)) {
		if strings.Contains(file, ".gz") {
			t.Errorf("%s is there", file)
		}
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), "no space left on device") {
		t.Errorf("%d warnings, want one:\n%s", n, log.String())
	}
	mu.Lock()
	full = false
	mu.Unlock()
	deliver(t, f, numbered(6, 6))
	f.Close()
	for _, file := range names(t, filepath.Dir(name)) {
		if file != "stream.cef" && !strings.HasSuffix(file, "Z.gz") {
			t.Errorf("%s is not compressed", file)
		}
	}
	if diff := cmp.Diff(keys(numbered(1, 6)), all(t, name)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// settled waits until nothing is tidied.
func (f *File) settled() {
	if f.shelf == nil {
		return
	}
	f.shelf.mu.Lock()
	done := f.shelf.done
	f.shelf.mu.Unlock()
	if done != nil {
		<-done
	}
}

// Compression holds no batch up; Close waits for it, but not for ever, and the next start finishes it.
func TestFileIsDeliveredWhileItIsCompressed(t *testing.T) {
	name := filepath.Join(t.TempDir(), "stream.cef")
	f := newRotated(t, name, nil)
	release := make(chan struct{})
	f.do = func(step string, act func() error) error {
		if step == "compress" {
			<-release
		}
		return act()
	}
	for i := 1; i <= 5; i++ {
		deliver(t, f, numbered(i, i))
	}
	f.shelf.wait = time.Millisecond
	stop := f.shelf.stop
	go func() {
		<-stop
		close(release)
	}()
	f.Close()
	if diff := cmp.Diff(keys(numbered(1, 5)), all(t, name)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	again := newRotated(t, name, nil)
	deliver(t, again, numbered(6, 6))
	again.Close()
	if diff := cmp.Diff(keys(numbered(1, 6)), all(t, name)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for _, file := range names(t, filepath.Dir(name)) {
		if file != "stream.cef" && !strings.HasSuffix(file, "Z.gz") {
			t.Errorf("%s is not compressed", file)
		}
	}
}

// A file that can't be put aside grows, which is said once, and no batch waits for it.
func TestFileThatCannotBePutAsideGrows(t *testing.T) {
	name := filepath.Join(t.TempDir(), "stream.cef")
	f := newRotated(t, name, nil)
	var log bytes.Buffer
	f.log = slog.New(slog.NewTextHandler(&log, nil))
	now, stuck, tries := time.Now(), true, 0
	f.now = func() time.Time { return now }
	f.do = func(step string, act func() error) error {
		if step == "rename" {
			if tries++; stuck {
				return syscall.EACCES
			}
		}
		return act()
	}
	for i := 1; i <= 5; i++ {
		deliver(t, f, numbered(i, i))
	}
	if got := names(t, filepath.Dir(name)); len(got) != 1 || tries != 1 {
		t.Errorf("files %v after %d tries, want one", got, tries)
	}
	now, stuck = now.Add(stuckWait), false
	deliver(t, f, numbered(6, 6))
	f.Close()
	if diff := cmp.Diff(keys(numbered(1, 6)), all(t, name)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
		t.Errorf("%d errors, want one:\n%s", n, log.String())
	}
}

// What a crash tore is ended before the file is put aside, and no line is in two files.
func TestFileEndsATornLineBeforeItIsPutAside(t *testing.T) {
	name := filepath.Join(t.TempDir(), "stream.cef")
	put(t, name, []byte("whole\ntor"))
	f := newRotated(t, name, nil)
	deliver(t, f, numbered(1, 1))
	f.Close()
	if diff := cmp.Diff([]string{"<whole\n>", "<tor\n>", "k0001"}, all(t, name)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if got := inFile(t, name); len(got) != 1 {
		t.Errorf("the file has %v, want one line", got)
	}
}
