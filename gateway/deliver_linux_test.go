package gateway

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/sluice-siem/sluice/gateway/ledger"
	"github.com/sluice-siem/sluice/gateway/target"
)

// spoil lets this process write to a file that it has open no more, until mend is called.
func spoil(t *testing.T, name string) (mend func()) {
	t.Helper()
	open, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range open {
		path, err := os.Readlink(link)
		if err != nil || filepath.Base(path) != name {
			continue
		}
		fd, err := strconv.Atoi(filepath.Base(link))
		if err != nil {
			t.Fatal(err)
		}
		kept, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		read, err := os.Open(path)
		if err == nil {
			err = unix.Dup3(int(read.Fd()), fd, unix.O_CLOEXEC)
		}
		if err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := unix.Dup3(kept, fd, unix.O_CLOEXEC); err != nil {
				t.Error(err)
			}
			_ = unix.Close(kept)
			_ = read.Close()
		}
	}
	t.Fatalf("%s isn't open", name)
	return nil
}

// TestACursorThatCouldntBeWrittenIsTriedAgain: nothing more has to be delivered for that, and what was delivered is
// counted once.
func TestACursorThatCouldntBeWrittenIsTriedAgain(t *testing.T) {
	d := deliveryTo(t, &picky{take: func(string) target.Result { return target.Delivered }}, 6)
	entries, err := d.reader.Next(t.Context(), 6)
	if err != nil || len(entries) != 6 {
		t.Fatal(len(entries), err)
	}
	mend := spoil(t, "siem.cursor")
	d.deliver(t.Context(), entries[:3])
	if d.deliver(t.Context(), entries[3:]); !d.behind() || len(terms(d)) > 0 {
		t.Errorf("the cursor stands at %v and has %v", d.reader.Committed(), terms(d))
	}
	mend()
	d.finish()
	if err := d.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int64{ledger.Delivered: 4}, terms(d)); diff != "" || d.behind() {
		t.Errorf("the cursor stands at %v; counted (-want +got):\n%s", d.reader.Committed(), diff)
	}
}
