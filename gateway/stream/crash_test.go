package stream

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// child runs one of the tests below in a process of its own, in the directory dir.
func child(t *testing.T, test, dir string, synced bool) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self, "-test.run=^"+test+"$", "-test.count=1")
	c.Env = append(os.Environ(), "SLUICE_STREAM_DIR="+dir, "SLUICE_STREAM_SYNCED="+strconv.FormatBool(synced))
	return c
}

// childOptions are the options of a child; a test that is none is skipped.
func childOptions(t *testing.T) Options {
	t.Helper()
	dir := os.Getenv("SLUICE_STREAM_DIR")
	if dir == "" {
		t.Skip("runs as a child process only")
	}
	return Options{Dir: dir, Synced: os.Getenv("SLUICE_STREAM_SYNCED") == "true"}
}

// TestChildAppends appends for ever, with a reader that commits, and reports both.
func TestChildAppends(t *testing.T) {
	s := openStream(t, childOptions(t))
	r := openReader(t, s, "siem", Oldest)
	next(t, r, int(s.total-r.total), 512) //nolint:gosec // a small number
	for i := int(s.total); ; i += 20 {    //nolint:gosec // a small number
		a := appendEntries(t, s, i, 20)
		fmt.Fprintf(os.Stdout, "acked %d %s\n", a.Sequence, a.Hash)
		got := next(t, r, 20, 512)
		commit(t, r, got[9].At)
		fmt.Fprintf(os.Stdout, "committed %d %d\n", got[9].At.Sequence, got[9].At.Index)
	}
}

func TestNothingAcknowledgedIsMissingAfterAKill(t *testing.T) {
	for _, synced := range []bool{false, true} {
		o := Options{Dir: t.TempDir(), Synced: synced}
		acked := map[uint64]string{}
		for round := range 2 {
			committed := killMidway(t, child(t, "TestChildAppends", o.Dir, synced), 40+17*round, acked)
			s := openStream(t, o)
			for seq, hash := range acked {
				m, err := s.Read(t.Context(), seq)
				if err != nil || m.Hash.String() != hash {
					t.Errorf("synced %v: message %d was acknowledged as %s; Read = %v, %v", synced, seq, hash, m, err)
				}
			}
			var i int
			for m, err := range s.Scan(t.Context(), 1) {
				if err != nil {
					t.Fatalf("Scan: %v", err)
				}
				for _, e := range m.Entries {
					if want := entry(i).Key; e.Key != want {
						t.Fatalf("entry %d is %s, want %s", i, e.Key, want)
					}
					i++
				}
			}
			r := openReader(t, s, "siem", Oldest)
			if at := r.Committed(); at.Less(committed) {
				t.Errorf("synced %v: the cursor is at %v, %v was committed", synced, at, committed)
			}
			closeStream(t, s)
		}
	}
}

// killMidway kills c after that many reports, without warning, and returns its last commit.
func killMidway(t *testing.T, c *exec.Cmd, reports int, acked map[uint64]string) (committed Position) {
	t.Helper()
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ { // to the end: what it still said before it died counts too
		if n == reports {
			if err := c.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		f := strings.Fields(lines.Text())
		switch {
		case len(f) == 3 && f[0] == "acked" && len(f[2]) == 64:
			seq, _ := strconv.ParseUint(f[1], 10, 64)
			acked[seq] = f[2]
		case len(f) == 3 && f[0] == "committed" && n < reports:
			committed.Sequence, _ = strconv.ParseUint(f[1], 10, 64)
			committed.Index, _ = strconv.Atoi(f[2])
		case n < reports:
			t.Errorf("the child says %q", lines.Text())
		}
	}
	if err := c.Wait(); err == nil {
		t.Error("the child ended by itself")
	}
	return committed
}

// TestChildHitsAWriteError lets the kernel refuse to let any file grow for a while.
func TestChildHitsAWriteError(t *testing.T) {
	o := childOptions(t)
	signal.Ignore(unix.SIGXFSZ)
	s := openStream(t, o)
	stored := 0
	for ; stored < 10; stored++ {
		appendEntries(t, s, 10*stored, 10)
	}
	limit := unix.Rlimit{Cur: 500 << 10, Max: unix.RLIM_INFINITY}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for failed < 3 {
		_, err := s.Append(t.Context(), batchOf(t, entries(10*stored, 10)))
		switch {
		case err == nil:
			stored++
		case errors.Is(err, ErrNotStored):
			failed++
		default:
			t.Fatalf("Append with a failing disk = %v, want ErrNotStored", err)
		}
		if stored > 1000 {
			t.Fatal("the disk never failed")
		}
	}
	limit.Cur = unix.RLIM_INFINITY
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	for n := stored + 10; stored < n; stored++ {
		appendEntries(t, s, 10*stored, 10)
	}
	got := keys(readAll(t, s, 1))
	if want := keys(entries(0, 10*stored)); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("the stream holds %d entries, want the %d acknowledged ones", len(got), len(want))
	}
}

func TestAWriteErrorIsSurvived(t *testing.T) {
	for _, synced := range []bool{false, true} {
		out, err := child(t, "TestChildHitsAWriteError", t.TempDir(), synced).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "PASS") {
			t.Errorf("synced %v: %v\n%s", synced, err, out)
		}
	}
}

// TestChildHoldsTheStream has the stream open until its standard input ends.
func TestChildHoldsTheStream(t *testing.T) {
	openStream(t, childOptions(t))
	fmt.Fprintln(os.Stdout, "open")
	_, _ = io.ReadAll(os.Stdin)
}

func TestAnotherProcessIsNamed(t *testing.T) {
	dir := t.TempDir()
	c := child(t, "TestChildHoldsTheStream", dir, false)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "open\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	_, err = Open(t.Context(), Options{Dir: dir})
	if want := fmt.Sprintf("pid %d", c.Process.Pid); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), want) {
		t.Errorf("Open = %v, want ErrLocked with %s", err, want)
	}
	in.Close()
	_ = c.Wait() // its output was cut
	openStream(t, Options{Dir: dir})
}
